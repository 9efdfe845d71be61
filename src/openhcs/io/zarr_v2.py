"""Reading Zarr v2 arrays through numcodecs: every compressor and filter it knows and that is safe.

Only the chunks that a region touches are read, a whole one straight into place where its codec can. What a
chunk decodes to is bounded by the document: a frame that claims or gives more is damage, found before memory
is taken for it.
"""

from __future__ import annotations

import bz2
import itertools
import lzma
import math
import re
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.errors import FormatError, NotFound
from openhcs.io import ts_context
from openhcs.io.strangers import fence_of, read_plain
from openhcs.io.zarr_encode import WORTH_THREADS
from openhcs.io.zarr_spec import RESTORE, chunk_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from openhcs.io.zarr_document import ArrayDocument
    from openhcs.io.zarr_spec import Check

    Array = np.ndarray[Any, np.dtype[Any]]
    Decode = Callable[[bytes], Any]
    Into = Callable[[bytes, memoryview], int]
    Part = int | slice

STREAMS: Mapping[str, Callable[[], Any]] = {
    "zlib": lambda: zlib.decompressobj(15),
    "gzip": lambda: zlib.decompressobj(31),
    "bz2": bz2.BZ2Decompressor,
    "lzma": lambda: lzma.LZMADecompressor(memlimit=2**28),
}
"""Codecs that name no size: decoded no further than a chunk goes."""
FILTERS = frozenset(
    {"delta", "fixedscaleoffset", "quantize", "bitround", "packbits", "astype", "shuffle"}
    | {"crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3"}
)
"""Filters that are read: of numbers, so that what they make is bounded."""
NUMBER = re.compile(r"[<>|=]?[biufc]\d{1,2}|bool|u?int\d{1,2}|float\d{2}|complex\d{2,3}")
WIDEST = 16
"""Most bytes that a filter makes of one, or stores for one."""
ROOM = 2**17
"""What codecs may add to the bytes of a chunk."""
BROKEN = (ValueError, RuntimeError, TypeError, OSError, MemoryError, EOFError, zlib.error, struct.error, lzma.LZMAError)
"""What codecs raise on damaged bytes."""


class Reader:
    """The pixels of one v2 array."""

    def __init__(self, folder: Path, document: ArrayDocument, *, fill: bool, check: Check | None = None) -> None:
        meta = document.metadata
        self._folder = folder
        self._check = check
        self._spec = document.spec
        self._fill = fill
        self._separator: str = meta.get("dimension_separator", ".")
        self._order: Any = meta.get("order", "C")
        self._dtype = np.dtype(meta["dtype"])
        self._size = math.prod(document.spec.chunks) * self._dtype.itemsize
        settings = [*(meta.get("filters") or []), *([meta["compressor"]] if meta.get("compressor") else [])]
        self._fence = fence_of(folder)
        self._most = self._size * (WIDEST if meta.get("filters") else 2) + ROOM
        self._steps = [_decoder(one, self._size, folder) for one in reversed(settings)]
        self._into = _into(settings[0]) if len(settings) == 1 and self._order == "C" else None

    def read_into(self, parts: tuple[Part, ...], out: Array) -> None:
        """Decode a resolved region into ``out``, of the region's shape."""
        sides = [_cuts(part, step) for part, step in zip(parts, self._spec.chunks, strict=True)]
        cuts = list(itertools.product(*sides))
        if len(cuts) > 1 and ts_context.threads() > 1 and out.nbytes >= WORTH_THREADS:
            list(ts_context.pool().map(lambda cut: self._copy(cut, out), cuts))
            return
        for cut in cuts:
            self._copy(cut, out)

    def _copy(self, cut: tuple[tuple[int, Part, slice | None], ...], out: Array) -> None:
        place = tuple(one[0] for one in cut)
        target: tuple[Any, ...] = (*(one[2] for one in cut if one[2] is not None), ...)
        room = out[target]
        path = self._folder / (self._separator.join(map(str, place)) or "0")
        data = self._stored(path, place)
        if data is None:
            room[...] = self._spec.fill_value
            return
        try:
            if self._into is not None and self._is_whole(room):
                self._check_size(self._into(data, room.reshape(-1).view(np.uint8).data))
            else:
                room[...] = self._decoded(data)[tuple(one[1] for one in cut)]
        except BROKEN as error:
            raise self._wrong(path, place, f"damaged: {error}") from error

    def _is_whole(self, room: Array) -> bool:
        """Return whether a part of the result has the very bytes of a chunk."""
        return room.nbytes == self._size and room.dtype == self._dtype and room.flags.c_contiguous

    def _stored(self, path: Path, place: tuple[int, ...]) -> bytes | None:
        """Return the bytes of a chunk, None if it is not there and may be left out."""
        self._fence.check(path)
        try:
            data = read_plain(path, limit=self._most, doing="read the chunk")
        except NotFound:
            if self._fill:
                return None
            raise self._wrong(path, place, "missing") from None
        if self._check is not None and (why := self._check(path, data)):
            raise self._wrong(path, place, f"damaged: {why}")
        return data

    def _decoded(self, data: Any) -> Array:
        for decode in self._steps:
            data = decode(data)
        flat = np.frombuffer(data, np.uint8)
        self._check_size(flat.nbytes)
        return flat.view(self._dtype).reshape(self._spec.chunks, order=self._order)

    def _check_size(self, number: int) -> None:
        if number != self._size:
            raise ValueError(f"{number} bytes where {self._size} belong")

    def _wrong(self, path: Path, place: tuple[int, ...], what: str) -> FormatError:
        key = path.relative_to(self._folder).as_posix()
        told = f"{self._folder}: {chunk_words(self._spec, place)} in {key} is {what}. {RESTORE}."
        return FormatError(told, path=path)


def _cuts(part: Part, step: int) -> list[tuple[int, Part, slice | None]]:
    """Return (chunk number, part within it, part of the result) for each chunk on one axis."""
    if isinstance(part, int):
        return [(part // step, part % step, None)]
    wanted = range(part.start, part.stop, part.step)
    cuts: list[tuple[int, Part, slice | None]] = []
    done = 0
    while done < len(wanted):
        chunk, first = divmod(wanted[done], step)
        count = min(len(wanted) - done, -(-(step - first) // part.step))
        cuts.append((chunk, slice(first, first + (count - 1) * part.step + 1, part.step), slice(done, done + count)))
        done += count
    return cuts


def _decoder(settings: dict[str, Any], size: int, folder: Path) -> Decode:
    """Return the function that undoes one codec without ever making more than it should."""
    name = settings.get("id") if isinstance(settings, dict) else None
    if isinstance(name, str) and (make := STREAMS.get(name)) is not None:
        return lambda data: _inflate(data, make(), size)
    import numcodecs

    if name == "zstd":
        return lambda data: _zstd(data, size)
    if not isinstance(name, str) or name not in _CLAIMS.keys() | FILTERS or not _of_numbers(settings):
        raise FormatError(f"{folder}: codec {name!r:.200} is not read", path=folder)
    try:
        codec = numcodecs.get_codec(settings)
    except (ValueError, TypeError, KeyError) as error:
        raise FormatError(f"{folder}: codec {name!r} is not read: {error}", path=folder) from error
    claimed = _CLAIMS.get(name)

    def decode(data: Any) -> Any:
        if claimed is not None and (told := claimed(data)) > size:
            raise ValueError(f"{told} bytes claimed where {size} belong")
        return codec.decode(data)

    return decode


def _into(settings: dict[str, Any]) -> Into | None:
    """Return the function that decodes a whole chunk into room for it and returns its bytes; None: it has none."""
    if settings.get("id") == "zstd":
        import imagecodecs

        return lambda data, room: len(imagecodecs.zstd_decode(data, out=room))
    if settings.get("id") == "blosc":
        import numcodecs

        codec = numcodecs.get_codec(settings)

        def decode(data: bytes, room: memoryview) -> int:
            told = _blosc_claim(data)
            if told == len(room):
                codec.decode(data, out=room)
            return told

        return decode
    return None


def _inflate(data: Any, stream: Any, size: int) -> bytes:
    made: bytes = stream.decompress(data, size + 1)
    if len(made) <= size and not stream.eof:
        raise ValueError("the stream ends early")
    return made


def _zstd(data: Any, size: int) -> Any:
    """Decode zstd frames, whether or not they tell their size, into the room that a chunk has."""
    import imagecodecs

    return imagecodecs.zstd_decode(data, out=bytearray(size + 1))


def _of_numbers(settings: dict[str, Any]) -> bool:
    """Return whether the dtypes that a filter names are plain numbers."""
    named = [value for key, value in settings.items() if key.endswith(("dtype", "astype"))]
    return all(isinstance(one, str) and NUMBER.fullmatch(one) for one in named)


def _blosc_claim(data: Any) -> int:
    """Return the size that a blosc header names, and refuse a frame that is cut: the library reads on."""
    number, _, stored = struct.unpack_from("<III", data, 4)
    if stored > len(data):
        raise ValueError(f"{len(data)} bytes where {stored} belong")
    return int(number)


def _lz4_claim(data: Any) -> int:
    number: int = struct.unpack_from("<I", data)[0]
    return number


_CLAIMS: Mapping[str, Callable[[Any], int]] = {"blosc": _blosc_claim, "lz4": _lz4_claim}
