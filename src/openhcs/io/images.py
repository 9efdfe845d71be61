"""Image files of every kind that planes come in: what they say, and a plane decoded into place.

What a file is is told by its first bytes; one that is named as a TIFF is read as one.
"""

from __future__ import annotations

import contextlib
import os
import struct
from typing import TYPE_CHECKING, Any

from openhcs.errors import FormatError
from openhcs.io import dib, jpeg, png, tiff
from openhcs.io.plane_data import MOST_BYTES, check_same
from openhcs.io.strangers import open_plain, read_plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np

    from openhcs.core.plate import ImageHeader

    Array = np.ndarray[Any, np.dtype[Any]]

TIFF_SUFFIXES = (".tif", ".tiff", ".stk")
TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MARKS: dict[bytes, Any] = {png.MARK[:4]: png, jpeg.MARK: jpeg, dib.C01: dib, dib.DIB: dib, dib.BMP: dib}
"""How a file begins, and who reads it."""
BROKEN = (ValueError, struct.error, RuntimeError, KeyError, IndexError, TypeError, ArithmeticError, MemoryError)
"""What decoders raise on damaged files."""


def header(path: str | Path) -> ImageHeader:
    """Return what an image's first page says, without reading pixels, save of one in colours that may be grey.

    Raises
    ------
    FormatError
        it is no image, or damaged.
    NotGrey
        its pixels have several values.
    NotFound, StorageError
        it is not there, or cannot be read.
    """
    if _named_tiff(path):
        return tiff.read_header(path)
    with open_plain(path, doing="read the image") as file:
        start = file.read(4)
        if start not in TIFF_MARKS:
            kind = _kind(start, path)
            size = os.fstat(file.fileno()).st_size
            file.seek(0)
            with _told(path):
                found: ImageHeader = kind.read_header(file, size, path)
                return found
    return tiff.read_header(path)


def read_plane_into(path: str | Path, page: int, out: Array, *, data: bytes | None = None) -> None:
    """Decode one page into ``out`` (y, x); images with a palette give their indices, a PNG its greys.

    ``data`` are the file's bytes, where they have been read already.

    Raises
    ------
    FormatError
        another shape or dtype than ``out``, or the file is damaged or cut off.
    NotFound, StorageError
        it is not there, or cannot be read.
    """
    if _named_tiff(path):
        return tiff.read_plane_into(path, page, out, data=data)
    if data is None:
        data = read_plain(path, limit=MOST_BYTES, doing="read the image")
    if data[:4] in TIFF_MARKS:
        return tiff.read_plane_into(path, page, out, data=data)
    kind = _kind(data[:4], path)
    with _told(path):
        pixels: Array = kind.read_plane(data, page, path)
    check_same(pixels.shape, pixels.dtype, out, path)
    out[...] = pixels
    return None


def _named_tiff(path: str | Path) -> bool:
    return os.fspath(path).lower().endswith(TIFF_SUFFIXES)


def _kind(start: bytes, path: object) -> Any:
    for mark, kind in MARKS.items():
        if start.startswith(mark):
            return kind
    what = f"it begins with {start!r}" if start else "it is empty"
    raise FormatError(
        f"{path} is damaged or no image that openhcs reads (TIFF, PNG, JPEG, C01, DIB, BMP): {what}", path=path
    )


@contextlib.contextmanager
def _told(path: object) -> Iterator[None]:
    try:
        yield
    except FormatError:
        raise
    except BROKEN as error:
        raise FormatError(f"{path} is damaged: {error}", path=path) from error
