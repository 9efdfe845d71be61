"""The backend that keeps values in this process.

Arrays go in as snapshots, or as they are when handed over, and come out read-only, without a copy.
Over a budget of bytes the arrays not used for longest move to a private folder and come back when
they are asked for. Other objects are kept by reference and stay in memory.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.constants.constants import ZarrCompressor
from openhcs.core import checks
from openhcs.core.arrays import ArraySpec
from openhcs.errors import AlreadyExists, InvalidPath, InvalidType, InvalidValue, NotFound, OutOfBudget, StorageFull
from openhcs.io.limits import default_budget
from openhcs.io.paths import join, name_of, normal, parent_of
from openhcs.io.regions import resolve
from openhcs.io.spill import SpillFolder
from openhcs.io.values import array_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openhcs.io.fsops import FileOps

    Array = np.ndarray[Any, np.dtype[Any]]

NAME = "memory"


@dataclass(frozen=True, slots=True)
class MemoryUsage:
    """What a memory backend holds: bytes of all values, how many, and bytes of them spilled."""

    bytes: int
    items: int
    spilled: int


class _Item:
    """One value: an array in memory or in a file, or an object."""

    __slots__ = ("array", "dtype", "file", "lent", "other", "shape", "size", "spillable")

    def __init__(self, array: Array | None, other: object = None) -> None:
        self.array = array
        self.other = other
        self.file: str | None = None
        self.lent = False
        if array is None:
            self.size = sys.getsizeof(other, 0)
            self.spillable = False
        else:
            self.shape = array.shape
            self.dtype = array.dtype
            self.size = array.nbytes
            self.spillable = self.size > 0 and not array.dtype.hasobject

    @property
    def in_memory(self) -> int:
        """Bytes that count against the budget."""
        return 0 if self.spillable and self.array is None else self.size


class MemoryBackend:
    """Values in this process; safe in many threads at once.

    Parameters
    ----------
    budget
        bytes that may be held; None: 60 % of what the machine or its container allows.
    spill_dir
        where the private folder for arrays over the budget is made; None: the system's place for
        temporary files.
    """

    name = NAME

    def __init__(
        self, budget: int | None = None, spill_dir: str | Path | None = None, *, ops: FileOps | None = None
    ) -> None:
        self.budget: int = default_budget() if budget is None else checks.integer(budget, "budget", low=1)
        self._items: dict[str, _Item] = {}
        self._children: dict[str, dict[str, None]] = {"": {}, "/": {}}
        self._warm: OrderedDict[str, _Item] = OrderedDict()
        self._held = 0
        self._warm_bytes = 0
        self._lock = threading.Lock()
        self._spill = SpillFolder(spill_dir, ops)
        weakref.finalize(self, self._spill.close)

    def load(self, path: str) -> Any:
        """Return a value: an array read-only and without a copy, another object itself."""
        path = normal(path)
        with self._lock:
            item = self._item(path)
            if item.array is not None:
                if item.spillable:
                    self._warm.move_to_end(path)
                item.lent = True
                return item.array.view()
            if not item.spillable:
                return item.other
            array = self._back(path, item)
        return array.view()

    def take(self, path: str) -> Any:
        """Return a value and forget it; an array is the caller's own and writable.

        It is the array that was handed over, unless somebody loaded it: then it is a copy.
        """
        path = normal(path)
        with self._lock:
            item = self._item(path)
            array = item.array
            if array is None and item.spillable:
                array = self._read(item)
            self._forget(path, item)
        if array is None:
            return item.other
        if item.lent:
            return array.copy()
        array.flags.writeable = True
        return array

    def save(self, value: Any, path: str, *, overwrite: bool = False, hand_over: bool = False) -> None:
        """Keep a copy of an array, or the array itself where it is handed over and owns its data.

        An array that was handed over is read-only from then on.

        Raises
        ------
        AlreadyExists
            the path is taken, and ``overwrite`` is not given or it is a folder.
        InvalidPath
            a path below another value.
        OutOfBudget
            more bytes than the budget leaves, even with all arrays spilled, or no disk space to spill them.
        """
        path = normal(path)
        array = array_of(value)
        if array is None:
            self._put(path, _Item(None, value), overwrite=overwrite)
            return
        if not (hand_over and array is value and array.flags.owndata and array.flags.writeable):
            with self._lock:
                self._check_place(path, overwrite=overwrite)
                self._check_room(path, array.nbytes)
            array = array.copy(order="K")
        array.flags.writeable = False
        try:
            self._put(path, _Item(array), overwrite=overwrite)
        except BaseException:
            array.flags.writeable = True
            raise

    def exists(self, path: str) -> bool:
        """Return whether a value or a folder is there."""
        path = normal(path)
        return path in self._items or path in self._children

    def is_dir(self, path: str) -> bool:
        """Return whether a folder is there."""
        return normal(path) in self._children

    def list(self, path: str, *, recursive: bool = False) -> Iterator[str]:
        """Return the paths in a folder, values and folders; nothing else is looked at."""
        path = normal(path)
        with self._lock:
            if path not in self._children:
                raise NotFound(f"no folder {path} on the memory backend", path=path, backend=NAME)
            if recursive:
                return iter(list(self._below(path)))
            return iter([join(path, name) for name in self._children[path]])

    def make_dir(self, path: str) -> None:
        """Make a folder and its parents; no error if it is there."""
        path = normal(path)
        with self._lock:
            if path in self._items:
                raise AlreadyExists(f"{path} is a value", path=path, backend=NAME)
            self._check_parents(path)
            self._make_dirs(path)

    def delete(self, path: str, *, recursive: bool = False) -> None:
        """Remove a value, or a folder and, with ``recursive``, all in it; `NotFound` if there is none."""
        path = normal(path)
        with self._lock:
            if path in self._items:
                self._forget(path, self._items[path])
                return
            if path not in self._children:
                raise NotFound(f"nothing to delete at {path} on the memory backend", path=path, backend=NAME)
            if self._children[path] and not recursive:
                raise InvalidValue(f"{path} is not empty; pass recursive=True", path=path, backend=NAME)
            for below in [*self._below(path)][::-1]:
                if below in self._items:
                    self._forget(below, self._items[below])
                else:
                    self._forget_dir(below)
            if path not in ("", "/"):
                self._forget_dir(path)

    def open_array(self, path: str) -> MemoryArray:
        """Open an array to read parts of it."""
        array = self.load(path)
        if not isinstance(array, np.ndarray):
            raise InvalidType(f"{path} holds {type(array).__name__}, no array", path=path, backend=NAME)
        return MemoryArray(array)

    def usage(self) -> MemoryUsage:
        """Return the bytes and number of values held, and how many of the bytes are spilled."""
        with self._lock:
            size = sum(item.size for item in self._items.values())
            return MemoryUsage(size, len(self._items), size - self._held)

    def close(self) -> None:
        """Forget everything and remove the private folder."""
        self.delete("", recursive=True)
        self.delete("/", recursive=True)
        self._spill.close()

    # places; all below is called with the lock held

    def _item(self, path: str) -> _Item:
        item = self._items.get(path)
        if item is None:
            what = f"{path} is a folder" if path in self._children else f"nothing at {path}"
            raise NotFound(f"{what} on the memory backend", path=path, backend=NAME)
        return item

    def _check_place(self, path: str, *, overwrite: bool) -> None:
        if path in self._children:
            raise AlreadyExists(f"{path} is a folder", path=path, backend=NAME)
        if path in self._items and not overwrite:
            raise AlreadyExists(f"{path} exists; pass overwrite=True to replace it", path=path, backend=NAME)
        self._check_parents(path)

    def _check_parents(self, path: str) -> None:
        above = parent_of(path)
        while above not in self._children:
            if above in self._items:
                raise InvalidPath(f"{path} cannot be: {above} is a value", path=path, backend=NAME)
            above = parent_of(above)

    def _make_dirs(self, path: str) -> None:
        inside: dict[str, None] = {}
        while path not in self._children:
            self._children[path] = inside
            inside = {name_of(path): None}
            path = parent_of(path)
        self._children[path].update(inside)

    def _below(self, path: str) -> Iterator[str]:
        for name in self._children[path]:
            below = join(path, name)
            yield below
            if below in self._children:
                yield from self._below(below)

    def _forget_dir(self, path: str) -> None:
        del self._children[path]
        del self._children[parent_of(path)][name_of(path)]

    # values

    def _put(self, path: str, item: _Item, *, overwrite: bool) -> None:
        with self._lock:
            self._check_place(path, overwrite=overwrite)
            self._check_room(path, item.size)
            self._make_room(item.size, instead_of=path)
            old = self._items.get(path)
            if old is not None:
                self._forget(path, old)
            above = parent_of(path)
            if above not in self._children:
                self._make_dirs(above)
            self._children[above][name_of(path)] = None
            self._items[path] = item
            self._count(path, item)

    def _count(self, path: str, item: _Item) -> None:
        self._held += item.size
        if item.spillable:
            self._warm[path] = item
            self._warm_bytes += item.size

    def _forget(self, path: str, item: _Item) -> None:
        self._held -= item.in_memory
        if self._warm.pop(path, None) is not None:
            self._warm_bytes -= item.size
        if item.file is not None:
            self._spill.remove(item.file)
        del self._items[path]
        del self._children[parent_of(path)][name_of(path)]

    # the budget

    def _check_room(self, path: str, size: int) -> None:
        old = self._items.get(path)
        fixed = self._held - self._warm_bytes - (old.size if old is not None and not old.spillable else 0)
        if fixed + size > self.budget:
            raise OutOfBudget(
                f"{path} needs {size} bytes; the memory backend may hold {self.budget}, of which {fixed} are taken by "
                "objects that cannot be spilled. Raise VFSConfig.memory_budget, or save to the disk or zarr backend.",
                path=path,
                backend=NAME,
            )

    def _make_room(self, size: int, *, instead_of: str | None = None) -> bool:
        """Spill arrays until ``size`` bytes fit beside the rest; return whether they do."""
        old = self._items.get(instead_of) if instead_of is not None else None
        leaving = old.in_memory if old is not None else 0
        while self._held - leaving + size > self.budget:
            path = next((one for one in self._warm if one != instead_of), None)
            if path is None:
                return False
            item = self._warm[path]
            if item.file is None and item.array is not None:
                item.file = self._spilled(item.array, size)
            item.array, item.lent = None, False
            del self._warm[path]
            self._held -= item.size
            self._warm_bytes -= item.size
        return True

    def _spilled(self, array: Array, wanted: int) -> str:
        try:
            return self._spill.write(array)
        except StorageFull as error:
            raise OutOfBudget(
                f"{wanted} more bytes need room: the memory backend holds {self._held} of {self.budget} bytes, and the "
                f"disk has no space for the {array.nbytes} bytes to be spilled ({error}). Free some space, set "
                "VFSConfig.spill_dir to another disk, or raise VFSConfig.memory_budget.",
                backend=NAME,
            ) from error

    def _back(self, path: str, item: _Item) -> Array:
        array = self._read(item)
        array.flags.writeable = False
        # Where others cannot make room, the array is lent all the same and stays in its file.
        with contextlib.suppress(OutOfBudget):
            if self._make_room(item.size):
                item.array, item.lent = array, True
                self._count(path, item)
        return array

    def _read(self, item: _Item) -> Array:
        assert item.file is not None
        return self._spill.read(item.file, item.shape, item.dtype)


class MemoryArray:
    """One array in memory, opened; it stays what it was when it was opened."""

    def __init__(self, array: Array) -> None:
        self._array = array

    @property
    def spec(self) -> ArraySpec:
        """Shape and dtype; the array is one chunk."""
        shape = self._array.shape
        return ArraySpec(
            shape=shape, dtype=self._array.dtype.name, chunks=shape, compressor=ZarrCompressor.NONE, level=0
        )

    def read(self, region: tuple[Any, ...] = (), *, out: Array | None = None) -> Array:
        """Return a copy of a part (numpy basic indexing, steps of 1 or more), in ``out`` where given.

        Raises
        ------
        InvalidValue, InvalidType
            a region outside the array, or ``out`` of another shape or dtype.
        """
        parts, shape = resolve(region, self._array.shape)
        part = self._array[(*parts, ...)]
        if out is None:
            return part.copy()
        if out.shape != shape or out.dtype != part.dtype:
            raise InvalidValue(f"out is {out.shape} {out.dtype}, the part is {shape} {part.dtype}")
        out[...] = part
        return out

    def write(self, region: tuple[Any, ...], data: Array) -> None:
        """Refuse: values in memory are replaced whole, by ``save``."""
        raise InvalidType(f"part {region} of an array in memory is not written ({data.shape}); save it whole")
