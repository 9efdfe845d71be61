"""Decode what is stored in a store that no commit record vouches for, and compare the levels of its images."""

from __future__ import annotations

import itertools
import math
import os
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.check.locate import chunks_of
from openhcs.check.thumbs import Thumb
from openhcs.errors import OpenHCSError
from openhcs.io import ts_context
from openhcs.io.zarr_array import open_handle
from openhcs.io.zarr_encode import object_region
from openhcs.io.zarr_spec import chunk_words
from openhcs.io.zarr_tree import Node, node_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from openhcs.check.findings import Counts
    from openhcs.io.zarr_array import ZarrHandle

    Box = tuple[slice, ...]

SLAB = 2**26
"""Bytes that are decoded at once, where objects are not larger."""
MOST_OBJECTS = 1_000_000
Found = tuple[str, str, str]
"""Code, path below the store, what is wrong."""


class Decoder:
    """Decodes every array of one store.

    Parameters
    ----------
    store
        its folder.
    pyramids
        the paths of arrays that are levels of one image, the largest first.
    kinds
        the paths of folders that are known, and what they are; others are looked at.
    """

    def __init__(
        self, store: Path, pyramids: Iterable[Sequence[str]], kinds: Mapping[str, str], counts: Counts
    ) -> None:
        self._store = store
        self._known = kinds
        self._counts = counts
        self._pyramids: Mapping[str, Sequence[str]] = {path: levels for levels in pyramids for path in levels}
        self._thumbs: dict[str, Thumb] = {}
        self._left: dict[str, int] = defaultdict(int)
        self._rooms = threading.local()

    def found(self) -> Iterator[Found]:
        """Yield whatever cannot be decoded, and levels that show another picture; arrays in natural order."""
        arrays = _arrays(self._store, self._known)
        threads = ts_context.threads()
        # Readers of v2 wait for the process's own pool, so this is another.
        with ThreadPoolExecutor(threads, thread_name_prefix="openhcs-check") as pool:
            waiting = [pool.submit(self._array, path) for path in itertools.islice(arrays, 2 * threads)]
            while waiting:
                path, found, thumb, read = waiting.pop(0).result()
                waiting += [pool.submit(self._array, one) for one in itertools.islice(arrays, 1)]
                self._counts.files += 1
                self._counts.bytes += read
                yield from found
                yield from self._compared(path, thumb, damaged=bool(found))

    def _array(self, path: str) -> tuple[str, list[Found], Thumb | None, int]:
        """Decode one array; in a thread."""
        try:
            handle = open_handle(self._store / path, absent="fill")
        except OpenHCSError as error:
            return path, [("chunk-unreadable", path, error.message)], None, 0
        thumb: Thumb | None = Thumb(handle.spec.shape)
        if path not in self._pyramids or thumb is None or not thumb.fits or handle.spec.dtype.startswith("c"):
            thumb = None
        found: list[Found] = []
        read = 0
        for box in _slabs(self._store / path, handle):
            room = self._room(tuple(part.stop - part.start for part in box), handle.spec.dtype)
            try:
                handle.read(box, out=room)
            except OpenHCSError:
                found += _unread(path, handle, box)
                continue
            read += room.nbytes
            if thumb is not None:
                thumb.add(box, room)
        return path, found, thumb, read

    def _room(self, shape: tuple[int, ...], dtype: str) -> np.ndarray[Any, Any]:
        """Return memory for pixels that this thread has used before: fresh memory costs as much as decoding."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        flat: np.ndarray[Any, Any] | None = getattr(self._rooms, "flat", None)
        if flat is None or flat.nbytes < size:
            flat = self._rooms.flat = np.empty(size, "uint8")
        return flat[:size].view(dtype).reshape(shape)

    def _compared(self, path: str, thumb: Thumb | None, *, damaged: bool) -> Iterator[Found]:
        """Yield levels that differ from the first of their image, once all of them are decoded."""
        levels = self._pyramids.get(path)
        if levels is None:
            return
        if thumb is not None and not damaged:
            self._thumbs[path] = thumb
        self._left[levels[0]] += 1
        if self._left[levels[0]] < len(levels):
            return
        thumbs = [self._thumbs.pop(one, None) for one in levels]
        for level, smaller in zip(levels[1:], thumbs[1:], strict=True):
            if thumbs[0] is None or smaller is None or (place := thumbs[0].differs(smaller)) is None:
                continue
            yield "pixels-differ", level, f"plane {place} shows another picture than the first level"


def _arrays(store: Path, known: Mapping[str, str]) -> Iterator[str]:
    """Yield the paths of all arrays below a store."""
    for folder, folders, _ in os.walk(store):
        folders.sort()
        path = os.path.relpath(folder, store)
        path = "" if path == "." else path
        kind = known.get(path)
        if kind == "group":
            continue
        if kind == "array" or node_of(Path(folder)) is Node.ARRAY:
            folders.clear()
            yield path


def _slabs(folder: Path, handle: ZarrHandle) -> Iterator[Box]:
    """Yield regions of whole objects that cover what is stored: rows of objects where all are there, else each."""
    spec = handle.spec
    if math.prod(spec.shape) == 0:
        return
    if spec.objects > MOST_OBJECTS:
        yield from _stored(folder, handle)
        return
    size = np.dtype(spec.dtype).itemsize
    sides = list(spec.object_shape)
    for axis in range(len(sides) - 1, -1, -1):
        others = math.prod(min(side, top) for side, top in zip(sides, spec.shape, strict=True)) // min(
            sides[axis], spec.shape[axis]
        )
        room = max(1, SLAB // max(1, others * size * spec.object_shape[axis]))
        sides[axis] = spec.object_shape[axis] * min(room, -(-spec.shape[axis] // spec.object_shape[axis]))
        if sides[axis] < spec.shape[axis]:
            break
    starts = [range(0, side, step) for side, step in zip(spec.shape, sides, strict=True)]
    for place in itertools.product(*starts):
        edges = zip(place, sides, spec.shape, strict=True)
        yield tuple(slice(at, min(at + step, side)) for at, step, side in edges)


def _stored(folder: Path, handle: ZarrHandle) -> Iterator[Box]:
    """Yield the regions of the objects of an array that has more of them than can be asked for one by one."""
    spec = handle.spec
    for where, _, names in os.walk(folder):
        for name in sorted(names):
            key = os.path.relpath(os.path.join(where, name), folder).removeprefix("c/").removeprefix("c.")
            parts = key.replace(".", "/").split("/")
            if len(parts) == len(spec.shape) and all(part.isdecimal() for part in parts):
                box = object_region(spec, tuple(map(int, parts)))
                if all(part.start < part.stop for part in box):
                    yield box


def _unread(path: str, handle: ZarrHandle, box: Box) -> Iterator[Found]:
    """Yield each chunk in a region that cannot be decoded."""
    spec = handle.spec
    steps = zip(box, spec.object_shape, strict=True)
    for place in itertools.product(*(range(part.start // step, -(-part.stop // step)) for part, step in steps)):
        for chunk, region in chunks_of(spec, place):
            try:
                handle.read(region)
            except OpenHCSError as error:
                told = f"{chunk_words(spec, chunk)} cannot be read: {_reason(error, str(handle.folder))}"
                yield "chunk-unreadable", path, told


def _reason(error: OpenHCSError, folder: str) -> str:
    """Return what an error says beyond the place, which is told already, and the remedy, which is another here."""
    return error.message.removeprefix(f"{folder}: ").partition(" is damaged: ")[2].partition(". ")[0] or error.message
