"""Every state of the disk that a power cut may leave, rebuilt from the changes a program made.

The model is that of a POSIX file system which promises no more than it must:

* bytes written since a file was last synced may be there, may be missing, may end halfway, or may be
  zeros up to the file's full length;
* a name that was made, moved or removed since its folder was last synced may or may not have
  changed, in any order, each rename and each exchange as one; only changes that touch one name or
  move one file follow each other;
* syncing a file says nothing about its name, syncing a folder nothing about its own; syncing a tree is both for
  all that is in it.

`states` yields each different state once; `lay_down` puts one on a disk to be looked at.
"""

from __future__ import annotations

import hashlib
import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from openhcs.testing.journal import Operation

    Tree = Mapping[str, bytes | None]
    Slot = tuple[int, str]

ROOT = 0
FATES: tuple[str, ...] = ("kept", "lost", "torn", "zeros")
"""What may become of bytes that were not synced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What lies on the disk after a power cut before operation ``at``.

    Attributes
    ----------
    tree
        content by path relative to the folder that was watched; None for a folder.
    told
        which pending changes are there, for people.
    """

    at: int
    tree: Tree
    told: str

    @property
    def key(self) -> str:
        """The same for the same tree."""
        return tree_key(self.tree)


def tree_key(tree: Tree) -> str:
    """Return a digest of a tree's paths and contents."""
    digest = hashlib.blake2b(digest_size=12)
    for path in sorted(tree):
        data = tree[path]
        digest.update(path.encode() + b"\0" + (b"/" if data is None else hashlib.blake2b(data).digest()))
    return digest.hexdigest()


def snapshot(folder: str | Path) -> dict[str, bytes | None]:
    """Return the tree below a folder, read from the disk."""
    top = Path(folder)
    return {
        str(path.relative_to(top)): None if path.is_dir() else path.read_bytes()
        for path in sorted(top.rglob("*"))
        if not path.is_symlink()
    }


def lay_down(tree: Tree, folder: str | Path) -> None:
    """Write a tree to an empty folder."""
    for path in sorted(tree):
        data, target = tree[path], os.path.join(folder, path)
        if data is None:
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            Path(target).write_bytes(data)


@dataclass(frozen=True, slots=True)
class _Edit:
    """One change of names: what each (folder, name) names afterwards, and which edits come before it."""

    operation: int
    slots: tuple[tuple[Slot, int | None], ...]
    needs: frozenset[int]


@dataclass(slots=True)
class _File:
    """Content: what was there before, then what each operation appended; up to where it was synced, when."""

    base: bytes = b""
    writes: list[tuple[int, bytes]] = field(default_factory=list)
    syncs: list[int] = field(default_factory=list)

    def parts(self, at: int) -> tuple[bytes, bytes]:
        """Return the bytes that are safe before operation ``at``, and those that are not."""
        synced = max((one for one in self.syncs if one < at), default=-1)
        safe = self.base + b"".join(data for number, data in self.writes if number < synced)
        return safe, b"".join(data for number, data in self.writes if synced <= number < at)


class History:
    """What a program did to the files below one folder.

    Parameters
    ----------
    before
        the tree before the first operation, taken to be safe.
    operations
        as `openhcs.testing.journal.JournalOps` kept them.
    folder
        absolute; operations outside it are not looked at.
    """

    def __init__(self, before: Tree, operations: Sequence[Operation], folder: str | Path) -> None:
        self._top = os.path.abspath(folder)
        self._files: dict[int, _File] = {}
        self._start: dict[Slot, int] = {}
        self._folders = {ROOT}
        self._names: dict[Slot, int] = {}
        self._edits: list[_Edit] = []
        self._last: dict[Slot | int, int] = {}
        self._safe_from: dict[int, int] = {}
        self._count = ROOT
        for path in sorted(before):
            self._place(path, before[path])
        self._start = dict(self._names)
        self.length = len(operations)
        for number, operation in enumerate(operations):
            if operation.path == self._top or operation.path.startswith(self._top + os.sep):
                self._do(number, operation)

    def _place(self, path: str, data: bytes | None) -> None:
        number = self._new(folder=data is None)
        if data is not None:
            self._files[number].base = data
        self._names[self._slot(path)] = number

    def _new(self, *, folder: bool) -> int:
        self._count += 1
        if folder:
            self._folders.add(self._count)
        else:
            self._files[self._count] = _File()
        return self._count

    def _slot(self, path: str) -> Slot:
        """Return folder and name of a path relative to the top."""
        *above, name = path.split(os.sep)
        folder = ROOT
        for part in above:
            folder = self._names[folder, part]
        return folder, name

    def _at(self, path: str) -> Slot:
        return self._slot(os.path.relpath(path, self._top))

    def _do(self, number: int, operation: Operation) -> None:
        kind, path = operation.kind, operation.path
        if kind == "write":
            self._files[self._names[self._at(path)]].writes.append((number, operation.data))
        elif kind == "sync":
            self._sync(number, ROOT if path == self._top else self._names[self._at(path)])
        elif kind == "sync_tree":
            self._sync_below(number, ROOT if path == self._top else self._names[self._at(path)])
        elif kind in {"create", "mkdir"}:
            if path != self._top:
                self._edit(number, {self._at(path): self._new(folder=kind == "mkdir")})
        elif kind in {"unlink", "rmdir"}:
            self._edit(number, {self._at(path): None})
        else:
            source, target = self._at(operation.source), self._at(path)
            slots: dict[Slot, int | None] = {target: self._names[source]}
            if kind != "link":
                slots[source] = self._names.get(target) if kind == "exchange" else None
            self._edit(number, slots)

    def _edit(self, number: int, slots: Mapping[Slot, int | None]) -> None:
        touched: list[Slot | int] = [*slots, *(one for one in slots.values() if one is not None)]
        needs = frozenset(self._last[one] for one in touched if one in self._last)
        for one in touched:
            self._last[one] = len(self._edits)
        self._edits.append(_Edit(number, tuple(slots.items()), needs))
        for slot, inode in slots.items():
            if inode is None:
                self._names.pop(slot, None)
            else:
                self._names[slot] = inode

    def _sync(self, number: int, inode: int) -> None:
        if inode not in self._folders:
            self._files[inode].syncs.append(number)
            return
        for index, edit in enumerate(self._edits):
            if index not in self._safe_from and any(slot[0] == inode for slot, _ in edit.slots):
                for one in self._with_needs({index}):
                    self._safe_from.setdefault(one, number)

    def _sync_below(self, number: int, inode: int) -> None:
        """Sync a folder and all that is in it now."""
        for (folder, _), inside in list(self._names.items()):
            if folder == inode:
                self._sync_below(number, inside)
        self._sync(number, inode)

    def _with_needs(self, chosen: Iterable[int]) -> set[int]:
        """Return edits with all that come before them."""
        found: set[int] = set()
        waiting = list(chosen)
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting.extend(self._edits[one].needs)
        return found

    def _without(self, dropped: int, pending: Sequence[int]) -> set[int]:
        """Return the pending edits but one and all that need it."""
        gone = {dropped}
        for one in pending:
            if self._edits[one].needs & gone:
                gone.add(one)
        return set(pending) - gone

    def pending(self, at: int) -> list[int]:
        """Return the changes of names that are not safe before operation ``at``, in order."""
        return [
            index
            for index, edit in enumerate(self._edits)
            if edit.operation < at and self._safe_from.get(index, self.length) >= at
        ]

    def kept(self, pending: Sequence[int], how: str, one: int, chance: random.Random) -> set[int]:
        """Return a set of pending changes that may be there together."""
        if how == "only":
            return self._with_needs({one})
        if how == "all but":
            return self._without(one, pending)
        if how == "up to":
            return {index for index in pending if index <= one}
        if how == "some":
            return self._with_needs(index for index in pending if chance.random() < 0.5)
        return set(pending) if how == "all" else set()

    def tree(self, at: int, kept: set[int], fate: Callable[[int], str]) -> dict[str, bytes | None]:
        """Return what lies on the disk with some pending edits; ``fate`` says what became of each file's bytes."""
        names: dict[int, dict[str, int]] = {}
        for (folder, name), inode in self._start.items():
            names.setdefault(folder, {})[name] = inode
        for index, edit in enumerate(self._edits):
            if edit.operation < at and (index in kept or self._safe_from.get(index, self.length) < at):
                for (folder, name), after in edit.slots:
                    if after is None:
                        names.get(folder, {}).pop(name, None)
                    else:
                        names.setdefault(folder, {})[name] = after
        found: dict[str, bytes | None] = {}
        self._walk(ROOT, "", names, found, lambda inode: _after(self._files[inode].parts(at), fate(inode)))
        return found

    def _walk(
        self,
        folder: int,
        path: str,
        names: Mapping[int, Mapping[str, int]],
        found: dict[str, bytes | None],
        content: Callable[[int], bytes],
    ) -> None:
        for name, inode in names.get(folder, {}).items():
            if inode in self._folders:
                found[path + name] = None
                self._walk(inode, f"{path}{name}{os.sep}", names, found, content)
            else:
                found[path + name] = content(inode)


def _after(parts: tuple[bytes, bytes], fate: str) -> bytes:
    safe, unsafe = parts
    if fate == "kept":
        return safe + unsafe
    if fate == "torn":
        return safe + unsafe[: len(unsafe) // 2]
    return safe + bytes(len(unsafe)) if fate == "zeros" else safe


def states(history: History, *, seed: int = 0, some: int = 4) -> Iterator[State]:
    """Yield every different state that a power cut may leave, before the first operation to after the last.

    First, for each moment, all pending names and none of them, with the bytes that were not synced all
    kept, lost, torn, or zeros. Then, moments and choices shuffled: each pending name alone, all but
    each, those up to each, and ``some`` sets by chance, with mixed bytes; so that the first so many
    of them are spread over the whole history.
    """
    chance = random.Random(seed)  # noqa: S311 - the same states every time
    moments = range(history.length + 1)
    whole = [(at, how, 0, fate) for at in moments for how in ("all", "none") for fate in FATES]
    parts = [
        (at, how, one, "mixed") for at in moments for one in history.pending(at) for how in ("only", "all but", "up to")
    ]
    parts += [(at, "some", number, "mixed") for at in moments for number in range(some)]
    chance.shuffle(parts)
    seen: set[str] = set()
    for at, how, one, fate in [*whole, *parts]:
        kept = history.kept(history.pending(at), how, one, chance)
        state = State(at=at, tree=history.tree(at, kept, _fates(fate, chance)), told=f"{how} {one}, bytes {fate}")
        if state.key not in seen:
            seen.add(state.key)
            yield state


def _fates(name: str, chance: random.Random) -> Callable[[int], str]:
    if name != "mixed":
        return lambda _: name
    drawn: dict[int, str] = {}
    return lambda inode: drawn.setdefault(inode, chance.choice(FATES))
