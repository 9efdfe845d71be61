"""What lives between two steps of one well, kept in the intermediate backend.

A block of planes is split by the stacks of the step that reads it, so every value has one reader,
is handed over when it is stored, and is gone from the backend once it is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.io.backend import GivesBack

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openhcs.core.plate import Key
    from openhcs.io.backend import Backend
    from openhcs.plan.layers import Group

    Array = np.ndarray[Any, np.dtype[Any]]


class Mailbox:
    """The planes that wait for one step.

    Parameters
    ----------
    backend
        where they wait.
    folder, suffix
        their paths are ``<folder>/<stack>_<piece><suffix>``.
    groups
        the calls of the step that will read them; planes nobody reads are dropped.
    """

    def __init__(self, backend: Backend, folder: str, suffix: str, groups: Iterable[Group]) -> None:
        self._backend = backend
        self._gives_back = isinstance(backend, GivesBack)
        self._folder = folder
        self._suffix = suffix
        self._reader = {key: number for number, group in enumerate(groups) for key in group.inputs}
        self._pieces: dict[int, list[tuple[str, tuple[Key, ...]]]] = {}

    def put(self, keys: tuple[Key, ...], block: Array) -> None:
        """Store a block (n, y, x) of planes; the caller stops using it."""
        places: dict[int, list[int]] = {}
        for place, key in enumerate(keys):
            if key in self._reader:
                places.setdefault(self._reader[key], []).append(place)
        for reader, chosen in places.items():
            pieces = self._pieces.setdefault(reader, [])
            path = f"{self._folder}/{reader}_{len(pieces)}{self._suffix}"
            whole = len(chosen) == len(keys)
            self._backend.save(block if whole else block[chosen], path, hand_over=True)
            pieces.append((path, tuple(keys[place] for place in chosen)))

    def take(self, group: Group) -> Array:
        """Return the stack (n, y, x) of one call, the caller's own, and forget it."""
        reader = self._reader[group.inputs[0]]
        pieces = [(self._take(path), keys) for path, keys in self._pieces.pop(reader)]
        if len(pieces) == 1 and pieces[0][1] == group.inputs:
            return pieces[0][0]
        first = pieces[0][0]
        stack = np.empty((len(group.inputs), *first.shape[1:]), first.dtype)
        place = {key: number for number, key in enumerate(group.inputs)}
        for block, keys in pieces:
            for plane, key in zip(block, keys, strict=True):
                stack[place[key]] = plane
        return stack

    def _take(self, path: str) -> Array:
        if self._gives_back:
            value: Array = self._backend.take(path)  # type: ignore[attr-defined]
        else:
            value = self._backend.load(path)
            self._backend.delete(path)
        return value if value.flags.writeable else value.copy()
