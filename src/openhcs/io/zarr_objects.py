"""The stored objects of a v3 array, looked at before a library decodes them.

Each must be a plain file of a size that the document allows, inside the store. A blosc chunk is
decoded to what its own header says, so the headers are compared with the document first; the other
codecs stop where a chunk ends.
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
    """What is known of an array's objects; each is looked at once."""

    def __init__(self, place: Place, document: ArrayDocument) -> None:
        meta, spec = document.metadata, document.spec
        self._place = place
        self._shape = spec.shape
        self._sides: tuple[int, ...] = spec.object_shape
        self._size = np.dtype(spec.dtype).itemsize
        self._codecs: list[Json] = meta["codecs"]
        self._encoding: Json = meta["chunk_key_encoding"]
        self._most = 2 * math.prod(self._sides) * self._size + 2 * self._entries(self._codecs) + ROOM
        self._seen: set[tuple[int, ...]] = set()

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
        sides = [_touched(part, side) for part, side in zip(parts, self._sides, strict=True)]
        for place in itertools.product(*sides):
            if place not in self._seen:
                self._look(place)
                self._seen.add(place)

    def _look(self, place: tuple[int, ...]) -> None:
        found = self._place.find(self._key(place), self._most)
        if found is not None and _blosc_in(self._codecs):
            with open(found.path, "rb", buffering=0) as file:
                self._claims(file, (found.start, found.size), self._codecs, self._sides, found.path)

    def _key(self, place: tuple[int, ...]) -> str:
        first = self._encoding.get("name") == "v2"
        separator = self._encoding.get("configuration", {}).get("separator", "." if first else "/")
        numbers = separator.join(map(str, place))
        if first:
            return numbers or "0"
        return f"c{separator}{numbers}" if place else "c"

    def _claims(self, file: Any, span: Span, codecs: Sequence[Json], sides: Sequence[int], path: str) -> None:
        """Compare what blosc headers say with the chunk's size; spans that leave the object are left to the reader."""
        start, size = span
        sharding = _sharding(codecs)
        if sharding is not None:
            inner = sharding["chunk_shape"]
            for offset, length in self._index(file, span, math.prod(_grid(sides, inner)), sharding, path):
                self._claims(file, (start + offset, length), sharding["codecs"], inner, path)
        elif _blosc_in(codecs) and size >= HEADER:
            file.seek(start)
            number = struct.unpack("<4xI8x", file.read(HEADER))[0]
            belong = math.prod(sides) * self._size
            if number != belong:
                raise FormatError(f"{path} is damaged: a chunk of {number} bytes where {belong} belong", path=path)

    def _index(self, file: Any, span: Span, chunks: int, sharding: Json, path: str) -> list[Span]:
        """Return the spans in a shard that its index tells, relative to it, each once; those outside are left out."""
        start, size = span
        names = [codec["name"] for codec in sharding.get("index_codecs", ())]
        if names not in (["bytes"], ["bytes", "crc32c"]):
            raise FormatError(f"{path}: the index of a shard stored by {names} is not read", path=path)
        length = 16 * chunks
        end = length + CHECKSUM * ("crc32c" in names)
        if end > size:
            return []
        file.seek(start if sharding.get("index_location") == "start" else start + size - end)
        little = sharding["index_codecs"][0].get("configuration", {}).get("endian", "little") == "little"
        pairs = np.frombuffer(file.read(length), "<u8" if little else ">u8").reshape(-1, 2)
        inside = (pairs[:, 1] >= HEADER) & (pairs[:, 1] <= size) & (pairs[:, 0] <= size - np.minimum(pairs[:, 1], size))
        return [(offset, number) for offset, number in np.unique(pairs[inside], axis=0).tolist()]


def _touched(part: int | slice, side: int) -> Iterable[int]:
    if isinstance(part, int):
        return (part // side,)
    if part.step > side:
        return dict.fromkeys(at // side for at in range(part.start, part.stop, part.step))
    return range(part.start // side, -(-part.stop // side))


def _grid(sides: Sequence[int], inner: Sequence[int]) -> list[int]:
    return [-(-side // one) for side, one in zip(sides, inner, strict=True)]


def _sharding(codecs: Sequence[Json]) -> Json | None:
    found: Json | None = next((codec["configuration"] for codec in codecs if codec["name"] == "sharding_indexed"), None)
    return found


def _blosc_in(codecs: Sequence[Json]) -> bool:
    inner = _sharding(codecs)
    return any(codec["name"] == "blosc" for codec in codecs) if inner is None else _blosc_in(inner["codecs"])
