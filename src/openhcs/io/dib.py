"""Bitmaps: Cellomics `.c01` and `.dib`, and the DIB and BMP files of Windows.

All begin with the same 40 bytes (BITMAPINFOHEADER). Cellomics writes 12 more and then its pixels, row by
row from the top, without padding; a `.c01` is this as a zlib stream after the bytes 00 00 00 10. A DIB has a
palette, of which the indices are read, and rows from the bottom up, each padded to four bytes; a BMP is
one after 14 bytes of its own. Sizes are held against the data before memory is taken.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from openhcs.core.plate import ImageHeader
from openhcs.errors import FormatError, NotGrey
from openhcs.io.plane_data import DEFLATE_RATIO, check_page, check_said

if TYPE_CHECKING:
    from typing import BinaryIO

    Array = np.ndarray[Any, np.dtype[Any]]

C01 = b"\x00\x00\x00\x10"
BMP = b"BM"
DIB = b"\x28\x00\x00\x00"
INFO = struct.Struct("<IiiHHIIiiII")
FILE_HEADER = 14
CELLOMICS = 52
"""Bytes before the pixels of a Cellomics image."""
LONGER = (40, 108, 124)
"""Sizes of a BMP's header that begin with the 40 bytes."""
MOST_ENTRIES = 256
SPARE = 2**20
"""Bytes after the pixels that are stepped over."""
HEAD = FILE_HEADER + INFO.size


class Info(NamedTuple):
    """What the header says: shape (y, x), whether rows run from the top, planes, bits, size of header and palette."""

    shape: tuple[int, int]
    downwards: bool
    planes: int
    bits: int
    header: int
    palette: int
    density: tuple[int, int]

    @property
    def plane_bytes(self) -> int:
        """Bytes of a plane without padding."""
        return self.shape[0] * self.shape[1] * self.bits // 8

    @property
    def row_bytes(self) -> int:
        """Bytes of a padded row."""
        return -(-self.shape[1] * self.bits // 32) * 4

    @property
    def windows_bytes(self) -> int:
        """Bytes of a DIB with a palette, which a Cellomics image has not."""
        return self.header + self.palette + self.row_bytes * self.shape[0]


def parse_info(data: bytes, stored: int, ratio: int, path: object) -> Info:
    """Return what a header says after it was held against ``stored`` bytes, each of which can become ``ratio``.

    Raises
    ------
    FormatError
        it is cut off, says what cannot be, or pixels are packed.
    NotGrey
        pixels are of colours.
    """
    if len(data) < INFO.size:
        raise FormatError(f"{path} is cut off: its header has {INFO.size} bytes, {len(data)} are there", path=path)
    header, x, y, planes, bits, packed, _, dots_x, dots_y, used, _ = INFO.unpack(data[: INFO.size])
    if header not in LONGER:
        raise FormatError(f"{path} is damaged: a header of {header} bytes is not known", path=path)
    if bits not in {8, 16}:
        kind = NotGrey if bits in {24, 32} else FormatError
        raise kind(f"{path} has {bits} bits per pixel; planes of 8 and 16 are read", path=path)
    if packed != 0 or used > MOST_ENTRIES or planes < 1:
        raise FormatError(
            f"{path} is damaged or packed: {planes} planes, {used} colours, compression {packed}", path=path
        )
    shape = (abs(y), x)
    check_said(shape, planes * bits / 8, stored, ratio, path)
    palette = 4 * (used or MOST_ENTRIES) if bits == 8 else 0
    return Info(shape, y < 0, planes, bits, header, palette, (dots_y, dots_x))


def read_header(file: BinaryIO, size: int, path: object) -> ImageHeader:
    """Return what a bitmap says; no pixels are read.

    ``tags`` tell ``pixels_per_metre`` (y, x), where the file does.
    """
    mark = file.read(4)
    if mark == C01:
        info = _c01_info(file.read(2**12), size, path)
    else:
        file.seek(FILE_HEADER if mark.startswith(BMP) else 0)
        info = parse_info(file.read(INFO.size), size, 1, path)
    tags = {"pixels_per_metre": info.density} if min(info.density) > 0 else {}
    return ImageHeader(
        shape=info.shape, dtype="uint8" if info.bits == 8 else "uint16", pages=info.planes, description="", tags=tags
    )


def read_plane(data: bytes, page: int, path: object) -> Array:
    """Return a plane (y, x), little endian; of an image with a palette its indices."""
    if data.startswith(C01):
        info = _c01_info(data[4 : 4 + 2**12], len(data), path)
        pixels = _inflated(data, info, path)
    elif data.startswith(BMP):
        info = parse_info(data[FILE_HEADER:HEAD], len(data), 1, path)
        if info.bits != 8 or info.planes != 1:
            raise NotGrey(f"{path}: the BMP has {info.bits} bits per pixel, which are colours", path=path)
        start = int.from_bytes(data[10:FILE_HEADER], "little")
        check_page(page, 1, path)
        return _rows(data, start, info, path)
    else:
        info, pixels = parse_info(data[: INFO.size], len(data), 1, path), data
    check_page(page, info.planes, path)
    if info.bits == 8 and info.planes == 1 and len(pixels) == info.windows_bytes:
        return _rows(pixels, info.header + info.palette, info, path)
    start = CELLOMICS + page * info.plane_bytes
    return _pixels(pixels, start, info.shape, info, path)


def _c01_info(packed: bytes, size: int, path: object) -> Info:
    try:
        head = zlib.decompressobj().decompress(packed, INFO.size)
    except zlib.error as error:
        raise FormatError(f"{path} is damaged: {error}", path=path) from error
    return parse_info(head, size, DEFLATE_RATIO, path)


def _inflated(data: bytes, info: Info, path: object) -> bytes:
    """Return the unpacked image: no more than it is said to have, and all that the stream's checksum is of."""
    said = max(CELLOMICS + info.planes * info.plane_bytes, info.windows_bytes)
    stream = zlib.decompressobj()
    try:
        pixels = stream.decompress(memoryview(data)[len(C01) :], said + SPARE)
    except zlib.error as error:
        raise FormatError(f"{path} is damaged: {error}", path=path) from error
    if not stream.eof:
        why = "it holds more than its header says" if len(pixels) == said + SPARE else "it is cut off"
        raise FormatError(f"{path} is damaged: {why}", path=path)
    return pixels


def _rows(data: bytes, start: int, info: Info, path: object) -> Array:
    """Return the pixels of a DIB, whose rows are padded and run upwards where its height is positive."""
    padded = _pixels(data, start, (info.shape[0], info.row_bytes), info, path)
    rows = padded[:, : info.shape[1]]
    return rows if info.downwards else rows[::-1]


def _pixels(data: bytes, start: int, shape: tuple[int, int], info: Info, path: object) -> Array:
    count = shape[0] * shape[1]
    end = start + count * info.bits // 8
    if start < info.header or end > len(data):
        raise FormatError(f"{path} is cut off: pixels reach to byte {end} of {len(data)}", path=path)
    return np.frombuffer(data, "<u2" if info.bits == 16 else "u1", count, start).reshape(shape)
