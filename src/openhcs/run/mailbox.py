"""What lives between two steps of one well: the planes that wait for the call that reads them.

Every plane has one reader. In memory a stack is put together as its planes come, each copied once at
most; a block that is a whole stack is passed on as it is. Elsewhere the pieces wait as they came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openhcs.core.plate import Key
    from openhcs.plan.layers import Group
    from openhcs.run.shelf import Shelf

    Array = np.ndarray[Any, np.dtype[Any]]


class Mailbox(Protocol):
    """The planes that wait for one step; those that nobody reads are dropped."""

    def put(self, keys: tuple[Key, ...], block: Array) -> None:
        """Take a block (n, y, x) of planes; the caller stops using it."""

    def take(self, group: Group) -> Array:
        """Return the stack (n, y, x) of one call, the caller's own, and forget it."""


def mailbox(groups: Sequence[Group], shelf: Shelf | None) -> Mailbox:
    """Return the mailbox for a step with these calls: in memory, or on a shelf."""
    return InMemory(groups) if shelf is None else OnShelf(groups, shelf)


class InMemory:
    """Stacks in the making."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._stacks = [group.inputs for group in groups]
        self._reader = {
            key: (number, place) for number, keys in enumerate(self._stacks) for place, key in enumerate(keys)
        }
        self._waiting: dict[int, Array] = {}

    def put(self, keys: tuple[Key, ...], block: Array) -> None:
        """Copy planes into their stacks, or keep the block where it is one."""
        for plane, key in zip(block, keys, strict=True):
            if key not in self._reader:
                continue
            reader, place = self._reader[key]
            if self._stacks[reader] == keys:
                self._waiting[reader] = block
                return
            if reader not in self._waiting:
                self._waiting[reader] = np.empty((len(self._stacks[reader]), *plane.shape), block.dtype)
            self._waiting[reader][place] = plane

    def take(self, group: Group) -> Array:
        """Return a stack."""
        stack = self._waiting.pop(self._reader[group.inputs[0]][0])
        return stack if stack.flags.writeable else stack.copy()


class OnShelf:
    """Pieces of stacks, on a disk or a Zarr store."""

    def __init__(self, groups: Sequence[Group], shelf: Shelf) -> None:
        self._shelf = shelf
        self._reader = {key: number for number, group in enumerate(groups) for key in group.inputs}
        self._pieces: dict[int, list[tuple[Any, tuple[Key, ...]]]] = {}

    def put(self, keys: tuple[Key, ...], block: Array) -> None:
        """Store the part of a block that each call will read."""
        places: dict[int, list[int]] = {}
        for place, key in enumerate(keys):
            if key in self._reader:
                places.setdefault(self._reader[key], []).append(place)
        for reader, chosen in places.items():
            part = block if len(chosen) == len(keys) else block[chosen]
            piece = self._shelf.put(part), tuple(keys[place] for place in chosen)
            self._pieces.setdefault(reader, []).append(piece)

    def take(self, group: Group) -> Array:
        """Return a stack put together from its pieces, one after the other."""
        pieces = self._pieces.pop(self._reader[group.inputs[0]])
        if len(pieces) == 1 and pieces[0][1] == group.inputs:
            return self._shelf.take(pieces[0][0])
        place = {key: number for number, key in enumerate(group.inputs)}
        stack: Array | None = None
        for ticket, keys in pieces:
            block = self._shelf.take(ticket)
            if stack is None:
                stack = np.empty((len(group.inputs), *block.shape[1:]), block.dtype)
            for plane, key in zip(block, keys, strict=True):
                stack[place[key]] = plane
        assert stack is not None
        return stack
