"""Places outside memory where arrays of one task wait: the intermediate backend, or the spill folder.

An array is put once and taken once; taking removes it. What a failed task leaves goes with its staging
folder or its spill folder, also after a kill: the next run or the next who spills removes it.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from openhcs.io.spill import SpillFolder

if TYPE_CHECKING:
    import numpy as np

    from openhcs.io.backend import Backend
    from openhcs.io.fsops import FileOps

    Array = np.ndarray[Any, np.dtype[Any]]


class Shelf(Protocol):
    """Keeps arrays outside memory."""

    def put(self, array: Array) -> Any:
        """Store an array, any strides, and return what to ask for it with."""

    def take(self, ticket: Any) -> Array:
        """Return an array, the caller's own, and forget it."""

    def close(self) -> None:
        """Remove what is left."""


class BackendShelf:
    """Arrays on a storage backend, one value each: ``<folder>/<number><suffix>``."""

    def __init__(self, backend: Backend, folder: str, suffix: str) -> None:
        self._backend = backend
        self._folder = folder
        self._suffix = suffix
        self._numbers = count()

    def put(self, array: Array) -> str:
        """Store an array and return its path."""
        path = f"{self._folder}/{next(self._numbers)}{self._suffix}"
        self._backend.save(array, path)
        return path

    def take(self, ticket: str) -> Array:
        """Return an array and delete it."""
        array: Array = self._backend.load(ticket)
        self._backend.delete(ticket)
        return array if array.flags.writeable else array.copy()

    def close(self) -> None:
        """Leave the folder to its owner, who removes it whole."""


class SpillShelf:
    """Arrays in a private folder beneath ``parent``."""

    def __init__(self, parent: str, ops: FileOps) -> None:
        self._folder = SpillFolder(parent, ops)

    def put(self, array: Array) -> tuple[str, tuple[int, ...], np.dtype[Any]]:
        """Store an array and return its file, shape and dtype."""
        return self._folder.write(array), array.shape, array.dtype

    def take(self, ticket: tuple[str, tuple[int, ...], np.dtype[Any]]) -> Array:
        """Return an array and remove its file."""
        path, shape, dtype = ticket
        array = self._folder.read(path, shape, dtype)
        self._folder.remove(path)
        return array

    def close(self) -> None:
        """Remove the folder."""
        self._folder.close()
