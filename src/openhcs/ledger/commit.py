"""Put a staged well in place, whole or not at all, and settle what a dead process left halfway.

Order: sync what is staged; write the intent; put each unit in place (rename, or exchange where an
old one is); sync the parents; rename the intent to the record. A record therefore always stands
for units that are in place, and an intent for a commit that can be undone: the old units lie in
the staging folder that the intent names. An intent whose digests match what is in place is
finished, any other is undone.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import xxhash

from openhcs.errors import FormatError, NotFound, OpenHCSError, OutputExists, from_oserror
from openhcs.io.fsops import aside
from openhcs.ledger import shapes
from openhcs.ledger.sealed import read_sealed
from openhcs.ledger.staging import OUT, checked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from openhcs.io.fsops import FileOps

    Record = dict[str, Any]

_NAME = re.compile(r"(?P<task>.+)\.(?P<generation>[0-9]+)\.(?P<kind>json|intent)")
_BLOCK = 1 << 20
TRIES = 100


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Entry:
    """One file of ``commits/``: a record ("json") or an intent of a task's generation."""

    task: str
    generation: int
    kind: str

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.task}.{self.generation}.{self.kind}"

    def as_kind(self, kind: str) -> Entry:
        """Return the record of an intent, or the other way round."""
        return Entry(task=self.task, generation=self.generation, kind=kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders of one ledger, and what changes files in them."""

    output: Path
    commits: Path
    staging: Path
    tmp: Path
    ops: FileOps

    def entries(self, kind: str, task: str | None = None) -> list[Entry]:
        """Return the entries of a kind, of one task or all, by task and generation."""
        try:
            names = os.listdir(self.commits)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise from_oserror(error, doing="read the folder", path=self.commits) from error
        asked = names if task is None else [name for name in names if name.startswith(task)]
        found = (match for name in asked if (match := _NAME.fullmatch(name)))
        entries = [Entry(task=m["task"], generation=int(m["generation"]), kind=m["kind"]) for m in found]
        return sorted(one for one in entries if one.kind == kind and task in (None, one.task))

    def latest(self, task: str) -> Entry | None:
        """Return the newest record of a task."""
        return max(self.entries("json", task), default=None)

    def heads(self, task: str | None = None) -> list[Entry]:
        """Return the newest record of each task, or of one."""
        return list({entry.task: entry for entry in self.entries("json", task)}.values())

    def newest(self, task: str | None = None) -> dict[Entry, Record]:
        """Return the newest record of each task, or of one, with its content.

        One that is dropped while it is looked for has a newer one in its place, so it is looked for again.
        """
        tries = 0
        while True:
            tries += 1
            try:
                return {entry: read_entry(self, entry) for entry in self.heads(task)}
            except NotFound:
                if tries == TRIES:
                    raise


def read_entry(places: Places, entry: Entry) -> Record:
    """Return the content of a record or an intent.

    Raises
    ------
    NotFound
        it is gone: another process finished or undid it.
    FormatError
        the file holds no record.
    """
    path = places.commits / entry.name
    try:
        record = read_sealed(path, shapes.RECORD)
        if shapes.RUN_RECORD.keys() & record.keys() - {"plan"}:
            shapes.checked_shape(record, shapes.RUN_RECORD, path)
        for inside in (*record["units"], *listed(record), record["staging"]):
            checked(inside)
        return record
    except FormatError as error:
        raise FormatError(
            f"{error.message}. Remove it and the folders of {entry.task} to have that well done again.",
            path=path,
            well=entry.task,
        ) from error


def publish(places: Places, entry: Entry, record: Record, old: Record | None) -> None:
    """Put the units of an intent in place and make it a record.

    ``old`` is the record in force until now. When this raises before the record is there, what was
    in place before is in place again.
    """
    try:
        for unit in record["units"]:
            _put_in_place(places, record, unit, old)
        sync_parents(places, record["units"])
    except BaseException:
        with contextlib.suppress(OpenHCSError):  # what cannot be undone now is undone by `settle`
            undo(places, entry, record, old)
        raise
    _finish(places, entry)


def settle(places: Places, entry: Entry) -> None:
    """Finish or undo an intent whose owner is gone."""
    try:
        record = read_entry(places, entry)
    except NotFound:
        return
    old = next(iter(places.newest(entry.task).values()), None)
    if all(_in_place(places, record, unit) for unit in record["units"]):
        sync_parents(places, record["units"])
        _finish(places, entry)
    else:
        undo(places, entry, record, old)


def undo(places: Places, entry: Entry, record: Record, old: Record | None) -> None:
    """Bring back what was in place before an intent, and remove the intent."""
    for unit in record["units"]:
        _take_back(places, record, unit, old)
    sync_parents(places, record["units"])
    places.ops.unlink(places.commits / entry.name)
    places.ops.sync_dir(places.commits)


def drop_old(places: Places, task: str | None = None) -> None:
    """Remove the records that a newer one of the same task stands for, of one task or all."""
    entries = places.entries("json", task)
    newest = {entry.task: entry for entry in entries}
    for entry in entries:
        if entry != newest[entry.task]:
            places.ops.unlink(places.commits / entry.name)


def matches(folder: Path, record: Record | None, unit: str) -> bool:
    """Return whether ``folder / unit`` holds all objects of a record's unit, byte for byte."""
    if record is None or unit not in record["units"] or not os.path.lexists(folder / unit):
        return False
    objects = [one for one in record["objects"] if _below(one["path"], unit)]
    if not objects:
        return files_below(folder, unit) <= set(record.get("documents", ()))
    return all(digest_of(folder / one["path"], one["bytes"]) == one["digest"] for one in objects)


def files_below(folder: Path, path: str) -> set[str]:
    """Return all files at or below ``folder / path``, relative to ``folder``, links as themselves."""
    top = folder / path
    if top.is_symlink() or not top.is_dir():
        return {path} if os.path.lexists(top) else set()
    found: set[str] = set()
    with os.scandir(top) as entries:
        for entry in entries:
            found |= files_below(folder, f"{path}/{entry.name}")
    return found


def listing(folder: Path) -> list[Path]:
    """Return what lies in a folder, by name; nothing if it is not there."""
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise from_oserror(error, doing="read the folder", path=folder) from error


def holds(path: Path, data: bytes) -> bool:
    """Return whether a file is there with just these bytes."""
    try:
        return path.read_bytes() == data
    except FileNotFoundError:
        return False


def digest_of(path: Path, size: int) -> str | None:
    """Return the digest of a file of that many bytes; None if there is none such."""
    try:
        there = path.stat()
        if not stat.S_ISREG(there.st_mode) or there.st_size != size:
            return None
        return digest_of_file(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise from_oserror(error, doing="read", path=path) from error


def digest_of_file(path: Path) -> str:
    """Return the digest of a file, read a block at a time; `OSError` where the system refuses."""
    digest = xxhash.xxh3_64()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _put_in_place(places: Places, record: Record, unit: str, old: Record | None) -> None:
    staged, target = places.staging / record["staging"] / OUT / unit, places.output / unit
    places.ops.make_dirs(target.parent)
    if not os.path.lexists(target):
        places.ops.rename(staged, target)
        return
    if old is None or unit not in old["units"]:
        raise OutputExists(
            f"{target} is there already and no commit record names it. Move it away and run the same command again.",
            path=target,
            well=record.get("task"),
        )
    places.ops.exchange(staged, target)


def _in_place(places: Places, record: Record, unit: str) -> bool:
    return matches(places.output, record, unit)


def _take_back(places: Places, record: Record, unit: str, old: Record | None) -> None:
    folder = places.staging / record["staging"] / OUT
    staged, target = folder / unit, places.output / unit
    if os.path.lexists(aside(staged)):
        _end_exchange(places, unit, folder, old)
    elif not os.path.lexists(target) or _is_old(places, record, unit, old):
        return
    elif os.path.lexists(staged):
        places.ops.exchange(staged, target)
    else:
        places.ops.make_dirs(staged.parent)
        places.ops.rename(target, staged)


def _end_exchange(places: Places, unit: str, folder: Path, old: Record | None) -> None:
    """Bring the old unit back from an exchange in three renames that was cut off.

    It is aside when a commit was cut off, and staged or in place already when that was an undo.
    """
    staged, target = folder / unit, places.output / unit
    if matches(places.output, old, unit):
        return
    if os.path.lexists(target):
        places.ops.rename(target, staged)
    places.ops.rename(staged if matches(folder, old, unit) else aside(staged), target)


def _is_old(places: Places, record: Record, unit: str, old: Record | None) -> bool:
    """Return whether what is in place is what was there before the intent."""
    folder = places.staging / record["staging"] / OUT
    if matches(places.output, old, unit):
        return True
    if not os.path.lexists(folder / unit):
        return False
    if old is None or unit not in old["units"] or matches(folder, record, unit):
        return True
    return not matches(places.output, record, unit) and not matches(folder, old, unit)


def _finish(places: Places, entry: Entry) -> None:
    places.ops.rename(places.commits / entry.name, places.commits / entry.as_kind("json").name)
    places.ops.sync_dir(places.commits)


def sync_parents(places: Places, units: Iterable[str]) -> None:
    """Sync the folders from each unit's parent up to the output, each once, deepest first."""
    folders = {places.output, places.output.parent} if places.output.suffix == ".zarr" else {places.output}
    for unit in units:
        parent = (places.output / unit).parent
        while parent != places.output and parent not in folders:
            folders.add(parent)
            parent = parent.parent
    for folder in sorted(folders, key=lambda one: -len(one.parts)):
        if folder.is_dir():
            places.ops.sync_dir(folder)


def _below(path: str, unit: str) -> bool:
    return path == unit or path.startswith(f"{unit}/")


def listed(record: Mapping[str, Any]) -> set[str]:
    """Return all files that a record stands for, relative to the output."""
    return {one["path"] for one in record["objects"]} | set(record.get("documents", ()))
