"""One plane (y, x) as a file of every kind that is read, byte for byte the same each time."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.io import png
from openhcs.testing.scene import encode_tiff

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, np.dtype[Any]]

_INFO = struct.Struct("<IiiHHIIiiII")
_MASKS = struct.pack("<3I", 31, 992, 64512)
"""What stands between header and pixels of the real Cellomics image that is known."""
PIXELS_PER_METRE = 1_000_000


def jpeg(plane: Array) -> bytes:
    """Return a JPEG of uint8, whose pixels are nearly those of the plane."""
    import imagecodecs

    return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(plane), level=98))


def cellomics_dib(planes: Array) -> bytes:
    """Return a Cellomics `.dib` of a plane (y, x) or several (z, y, x), uint8 or uint16."""
    stack = planes if planes.ndim == 3 else planes[None]
    z, y, x = stack.shape
    per_metre = PIXELS_PER_METRE
    head = _INFO.pack(40, x, y, z, 8 * stack.itemsize, 0, 0, per_metre, per_metre, 0, 0)
    return head + _MASKS + stack.astype(stack.dtype.newbyteorder("<")).tobytes()


def c01(planes: Array) -> bytes:
    """Return a Cellomics `.c01`."""
    return b"\x00\x00\x00\x10" + zlib.compress(cellomics_dib(planes))


def windows_dib(plane: Array, palette: Array | None = None, *, downwards: bool = False) -> bytes:
    """Return a DIB of uint8 with a palette (n, 3), one of greys if none is given."""
    y, x = plane.shape
    colours = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1) if palette is None else palette
    entries = np.zeros((len(colours), 4), np.uint8)
    entries[:, :3] = colours[:, ::-1]
    rows = np.zeros((y, -(-x // 4) * 4), np.uint8)
    rows[:, :x] = plane if downwards else plane[::-1]
    head = _INFO.pack(40, x, -y if downwards else y, 1, 8, 0, rows.size, 0, 0, len(colours), 0)
    return head + entries.tobytes() + rows.tobytes()


def bmp(plane: Array) -> bytes:
    """Return a BMP of uint8."""
    dib = windows_dib(plane)
    start = 14 + _INFO.size + 4 * 256
    return struct.pack("<2sIHHI", b"BM", 14 + len(dib), 0, 0, start) + dib


ENCODERS: dict[str, Callable[[Array], bytes]] = {
    ".tif": encode_tiff,
    ".tiff": encode_tiff,
    ".png": lambda plane: png.encode(np.ascontiguousarray(plane)),
    ".jpg": jpeg,
    ".jpeg": jpeg,
    ".c01": c01,
    ".dib": cellomics_dib,
    ".bmp": bmp,
}
"""Suffix → encoder; `.jpg` and `.bmp` hold uint8 only."""
