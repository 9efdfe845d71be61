"""JPEG: what its frame header says, and its pixels: of one in colours the brightness that is stored in it.

Pixels are packed without a checksum: a file cut off is refused, a flipped bit in it cannot be told.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from openhcs.core.plate import COLOURS, ImageHeader
from openhcs.errors import FormatError
from openhcs.io.plane_data import check_page, check_said

if TYPE_CHECKING:
    from typing import BinaryIO

    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

MARK = b"\xff\xd8\xff"
RATIO = 2048
"""A block of 64 pixels takes a bit at least, or a part of one where many are alike."""
FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Markers of a frame header (ITU T.81, table B.1)."""
ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
MOST_SEGMENTS = 2000
END = b"\xff\xd9"
TAIL = 2**16
"""The end is looked for in so many last bytes: some programs write more after it."""
FRAME = struct.Struct(">HBHHB")


class JpegHead(NamedTuple):
    """Shape (y, x), bits of a value, values per pixel."""

    shape: tuple[int, int]
    bits: int
    values: int


def parse_head(file: BinaryIO, path: object) -> JpegHead:
    """Return what the frame header says; segments before it are stepped over.

    Raises
    ------
    FormatError
        there is none, or it says what cannot be.
    """
    file.seek(2)
    for _ in range(MOST_SEGMENTS):
        marker = _marker(file)
        if marker in ALONE:
            continue
        told = file.read(FRAME.size)
        if len(told) < FRAME.size or marker in {0xD9, 0xDA}:
            break
        length, bits, y, x, values = FRAME.unpack(told)
        if marker in FRAMES:
            if values not in {1, 3} or not 2 <= bits <= 16:
                raise FormatError(f"{path}: JPEGs of {values} values of {bits} bits are not read", path=path)
            return JpegHead((y, x), bits, values)
        file.seek(length - FRAME.size, 1)
    raise FormatError(f"{path} is damaged or no JPEG: it has no frame header", path=path)


def _marker(file: BinaryIO) -> int | None:
    byte = file.read(1)
    while byte == b"\xff":
        byte = file.read(1)
        if byte and byte != b"\xff":
            return byte[0]
    return 0xD9


def read_header(file: BinaryIO, size: int, path: object) -> ImageHeader:
    """Return what a JPEG says; the tag ``colours`` stands where its brightness will be read."""
    head = _checked(file, size, path)
    dtype = "uint8" if head.bits <= 8 else "uint16"
    tags = {COLOURS: True} if head.values > 1 else {}
    return ImageHeader(shape=head.shape, dtype=dtype, pages=1, description="", tags=tags)


def read_plane(data: bytes, page: int, path: object) -> Array:
    """Return the one value per pixel (y, x)."""
    import io

    import imagecodecs

    check_page(page, 1, path)
    _checked(io.BytesIO(data), len(data), path)
    if END not in data[-TAIL:]:
        raise FormatError(f"{path} is cut off: a JPEG ends with a mark, and it is not there", path=path)
    pixels: Array = imagecodecs.jpeg8_decode(data, outcolorspace="GRAYSCALE")
    return pixels


def _checked(file: BinaryIO, size: int, path: object) -> JpegHead:
    head = parse_head(file, path)
    check_said(head.shape, head.values * (1 if head.bits <= 8 else 2), size, RATIO, path)
    return head
