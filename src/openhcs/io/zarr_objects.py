"""The stored objects of a v3 array, looked at before a library decodes them.

Each must be a plain file of a size that the document allows, inside the store. A blosc chunk is
decoded to what its own header says, so the headers of chunks that will be decoded are compared with the
document first; the other codecs stop where a chunk ends.
"""

from __future__ import annotations

import itertools
import math
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from openhcs.errors import FormatError, from_oserror
from openhcs.io.strangers import check_plain, fence_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from openhcs.io.zarr_document import ArrayDocument

    Numbers = np.ndarray[Any, np.dtype[Any]]
    Json = dict[str, Any]
    Span = tuple[int, int]
    """Offset and bytes of a part of a file."""

ROOM = 2**17
"""What codecs may add to the bytes of an object."""
HEADER = 16
CHECKSUM = 4


class Place(Protocol):
    """Where the objects of an array lie."""

    @property
    def kvstore(self) -> Json:
        """The array's folder, as tensorstore names it."""

    def find(self, key: str, most: int) -> Object | None:
        """Return where an object's bytes are, None if it is not there; `FormatError` if it has over ``most``."""


@dataclass(frozen=True, slots=True)
class Object:
    """The bytes of one object: a part of a file."""

    path: str
    start: int
    size: int


class FolderPlace:
    """Objects that are files of their own in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fence = fence_of(folder)

    @property
    def kvstore(self) -> Json:
        """The folder."""
        return {"driver": "file", "path": f"{self._folder.resolve().as_posix()}/"}

    def find(self, key: str, most: int) -> Object | None:
        """Return the whole file of an object.

        Raises
        ------
        FormatError
            it is no plain file, or larger than ``most`` bytes.
        InvalidPath
            it lies outside the store.
        """
        path = f"{self._folder}/{key}"
        self._fence.check(path)
        try:
            told = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise from_oserror(error, doing="read the array", path=path) from error
        check_plain(path, told, most)
        return Object(path, 0, told.st_size)


class Objects:
    """What is known of an array's objects; each is looked at once, in a shard each chunk."""

    def __init__(self, place: Place, document: ArrayDocument) -> None:
        meta, spec = document.metadata, document.spec
        self._place = place
        self._shape = spec.shape
        self._sides: tuple[int, ...] = spec.object_shape
        self._size = np.dtype(spec.dtype).itemsize
        self._codecs: list[Json] = meta["codecs"]
        self._encoding: Json = meta["chunk_key_encoding"]
        self._most = 2 * math.prod(self._sides) * self._size + 2 * self._entries(self._codecs) + ROOM
        self._inner = _parts(self._sides, self._codecs)
        self._grid = _grid(self._sides, self._inner)
        self._seen: dict[tuple[int, ...], np.ndarray[Any, np.dtype[np.bool_]]] = {}
        """Of each object that was looked at, which of its chunks were."""

    def _entries(self, codecs: Sequence[Json]) -> int:
        inner = _sharding(codecs)
        return 0 if inner is None else 16 * math.prod(_grid(self._sides, inner["chunk_shape"]))

    def check(self, parts: Iterable[int | slice]) -> None:
        """Look at the objects that a resolved region touches.

        Raises
        ------
        FormatError
            one is no plain file, too large, or says that a chunk is larger than the document does.
        InvalidPath
            one lies outside the store.
        """
        touched = [
            _inner_touched(part, side, inner) for part, side, inner in zip(parts, self._sides, self._inner, strict=True)
        ]
        for chosen in itertools.product(*(one.items() for one in touched)):
            place = tuple(at for at, _ in chosen)
            seen = self._seen.get(place)
            if seen is None:
                seen = self._seen[place] = np.zeros(math.prod(self._grid), np.bool_)
            chunks = _numbers([inside for _, inside in chosen], self._grid)
            new = chunks[~seen[chunks]]
            if len(new):
                self._look(place, new)
                seen[new] = True

    def _look(self, place: tuple[int, ...], chunks: Numbers) -> None:
        found = self._place.find(self._key(place), self._most)
        if found is not None and _blosc_in(self._codecs):
            with open(found.path, "rb", buffering=0) as file:
                wanted = None if self._inner == self._sides else chunks
                self._claims(file, (found.start, found.size), self._codecs, self._sides, found.path, chunks=wanted)

    def _key(self, place: tuple[int, ...]) -> str:
        first = self._encoding.get("name") == "v2"
        separator = self._encoding.get("configuration", {}).get("separator", "." if first else "/")
        numbers = separator.join(map(str, place))
        if first:
            return numbers or "0"
        return f"c{separator}{numbers}" if place else "c"

    def _claims(
        self,
        file: Any,
        span: Span,
        codecs: Sequence[Json],
        sides: Sequence[int],
        path: str,
        *,
        chunks: Numbers | None = None,
    ) -> None:
        """Compare what blosc headers say with the chunk's size; spans that leave the object are left to the reader.

        ``chunks`` are the numbers of those that are looked at; None: all of them.
        """
        start, size = span
        sharding = _sharding(codecs)
        if sharding is not None:
            inner = sharding["chunk_shape"]
            pairs = self._index(file, span, math.prod(_grid(sides, inner)), sharding, path)
            for offset, length in _inside(pairs if chunks is None else pairs[chunks], size):
                self._claims(file, (start + offset, length), sharding["codecs"], inner, path)
        elif _blosc_in(codecs) and size >= HEADER:
            file.seek(start)
            number = struct.unpack("<4xI8x", file.read(HEADER))[0]
            belong = math.prod(sides) * self._size
            if number != belong:
                raise FormatError(f"{path} is damaged: a chunk of {number} bytes where {belong} belong", path=path)

    def _index(self, file: Any, span: Span, chunks: int, sharding: Json, path: str) -> Numbers:
        """Return what the index of a shard tells of each chunk: its offset and bytes."""
        start, size = span
        names = [codec["name"] for codec in sharding.get("index_codecs", ())]
        if names not in (["bytes"], ["bytes", "crc32c"]):
            raise FormatError(f"{path}: the index of a shard stored by {names} is not read", path=path)
        length = 16 * chunks
        end = length + CHECKSUM * ("crc32c" in names)
        if end > size:
            return np.zeros((chunks, 2), np.uint64)
        file.seek(start if sharding.get("index_location") == "start" else start + size - end)
        little = sharding["index_codecs"][0].get("configuration", {}).get("endian", "little") == "little"
        return np.frombuffer(file.read(length), "<u8" if little else ">u8").reshape(-1, 2)


def _inside(pairs: Numbers, size: int) -> list[Span]:
    """Return the spans that lie in a shard of ``size`` bytes and can hold a header, each once."""
    inside = (pairs[:, 1] >= HEADER) & (pairs[:, 1] <= size) & (pairs[:, 0] <= size - np.minimum(pairs[:, 1], size))
    found = pairs[inside]
    return [(offset, number) for offset, number in (np.unique(found, axis=0) if len(found) > 1 else found).tolist()]


def _parts(sides: tuple[int, ...], codecs: Sequence[Json]) -> tuple[int, ...]:
    """Return the sides of what is looked at by itself: a chunk of a shard where that is certain, else an object."""
    first = codecs[0] if codecs else {}
    inner = tuple(first["configuration"]["chunk_shape"]) if first.get("name") == "sharding_indexed" else sides
    return sides if any(side % one for side, one in zip(sides, inner, strict=True)) else inner


def _numbers(chosen: Sequence[Sequence[int]], grid: Sequence[int]) -> Numbers:
    """Return the numbers, in C order, of the chunks of a grid at places along each axis."""
    found = np.zeros(1, np.intp)
    for places, size in zip(chosen, grid, strict=True):
        found = (found[:, None] * size + np.asarray(places, np.intp)).ravel()
    return found


def _touched(part: int | slice, side: int) -> Iterable[int]:
    if isinstance(part, int):
        return (part // side,)
    if part.step > side:
        return dict.fromkeys(at // side for at in range(part.start, part.stop, part.step))
    return range(part.start // side, -(-part.stop // side))


def _inner_touched(part: int | slice, side: int, inner: int) -> dict[int, list[int]]:
    """Return the objects that a part of an axis touches, and of each the chunks, counted within it."""
    found: dict[int, list[int]] = {}
    for chunk in _touched(part, inner):
        found.setdefault(chunk * inner // side, []).append(chunk * inner % side // inner)
    return found


def _grid(sides: Sequence[int], inner: Sequence[int]) -> list[int]:
    return [-(-side // one) for side, one in zip(sides, inner, strict=True)]


def _sharding(codecs: Sequence[Json]) -> Json | None:
    found: Json | None = next((codec["configuration"] for codec in codecs if codec["name"] == "sharding_indexed"), None)
    return found


def _blosc_in(codecs: Sequence[Json]) -> bool:
    inner = _sharding(codecs)
    return any(codec["name"] == "blosc" for codec in codecs) if inner is None else _blosc_in(inner["codecs"])
