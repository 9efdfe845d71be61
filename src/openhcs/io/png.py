"""PNG: what its first bytes say, and its pixels."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from openhcs.core.plate import ImageHeader
from openhcs.errors import FormatError
from openhcs.io.plane_data import DEFLATE_RATIO, MOST_BYTES, check_page, check_said, grey

if TYPE_CHECKING:
    from typing import BinaryIO

    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

MARK = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
"""Values per pixel after decoding, by colour type; transparency may add one."""
STORED = {**SAMPLES, 3: 1}
HEADER = struct.Struct(">8s4x4sIIBB")


class PngHead(NamedTuple):
    """Shape (y, x), bits of a value and colour type (0 grey, 2 RGB, 3 palette, 4 and 6 the first two with alpha)."""

    shape: tuple[int, int]
    bits: int
    colour: int

    @property
    def stored(self) -> int:
        """Bytes of the pixels before they are compressed."""
        return self.shape[0] * self.shape[1] * STORED[self.colour] * self.bits // 8

    @property
    def decoded(self) -> int:
        """Most bytes of the pixels once decoded."""
        return self.shape[0] * self.shape[1] * (SAMPLES[self.colour] + 1) * max(1, self.bits // 8)


def parse_head(data: bytes, path: object) -> PngHead:
    """Return what the first bytes of a PNG say.

    Raises
    ------
    FormatError
        they are none of a PNG's.
    """
    if len(data) < HEADER.size:
        raise FormatError(f"{path} is cut off: a PNG begins with {HEADER.size} bytes, {len(data)} are there", path=path)
    mark, kind, x, y, bits, colour = HEADER.unpack(data[: HEADER.size])
    if mark != MARK or kind != b"IHDR" or colour not in SAMPLES or bits not in {1, 2, 4, 8, 16}:
        raise FormatError(f"{path} is no PNG: it begins with {mark!r}", path=path)
    return PngHead((y, x), bits, colour)


def encode(pixels: Array) -> bytes:
    """Return pixels (y, x) or (y, x, values), uint8 or uint16, as a PNG."""
    import imagecodecs

    # The codec guesses too little room for narrow images: each row has a byte of its own.
    room = 2 * (pixels.nbytes + len(pixels)) + 4096
    return bytes(imagecodecs.png_encode(pixels, out=room))


def decode(data: bytes) -> Array:
    """Return the pixels (y, x) or (y, x, values), uint8 or uint16, of a PNG whose head was looked at.

    Raises
    ------
    RuntimeError, ValueError
        it is damaged.
    """
    import imagecodecs

    pixels: Array = imagecodecs.png_decode(data)
    return pixels


def read_header(file: BinaryIO, size: int, path: object) -> ImageHeader:
    """Return what a PNG says; the pixels of one in colours are looked at, as they may be grey."""
    data = file.read(HEADER.size)
    head = _checked(data, size, path)
    if head.colour != 0:
        read_plane(data + file.read(), 0, path)
    return ImageHeader(shape=head.shape, dtype="uint16" if head.bits == 16 else "uint8", pages=1, description="")


def read_plane(data: bytes, page: int, path: object) -> Array:
    """Return the one value per pixel (y, x); a palette's are those it stands for, where they are grey."""
    check_page(page, 1, path)
    _checked(data, len(data), path)
    return grey(decode(data), path)


def _checked(data: bytes, size: int, path: object) -> PngHead:
    head = parse_head(data, path)
    check_said(head.shape, STORED[head.colour] * head.bits / 8, size, DEFLATE_RATIO, path)
    if head.decoded > MOST_BYTES:
        raise FormatError(f"{path} is said to hold {head.shape} pixels, {head.decoded} bytes of them", path=path)
    return head
