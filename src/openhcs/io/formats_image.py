"""TIFF and PNG: images other programs open, with every value as it was."""

from __future__ import annotations

import io
import json
import math
import re
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.errors import FormatError
from openhcs.io import tiff_strips
from openhcs.io.formats import NAME, Format, check_expansion, check_room, reading
from openhcs.io.formats_array import array_reason, as_array
from openhcs.io.plane_data import DEFLATE_RATIO

if TYPE_CHECKING:
    from pathlib import Path

    from openhcs.core.plate import ImageHeader

    Array = np.ndarray[Any, np.dtype[Any]]

TIFF_DTYPES = frozenset(
    {
        "bool",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "int8",
        "int16",
        "int32",
        "int64",
        "float16",
        "float32",
        "float64",
        "complex64",
        "complex128",
    }
)
SPARSE_PAGES = 10_000
_SIZES = re.compile(r"\bSize[ZCT]=[\"']([0-9]{1,12})")


def tiff_reason(value: Any) -> str | None:
    """Return why TIFF cannot hold a value exactly, or None."""
    if (why := array_reason(value)) is not None:
        return why
    array = as_array(value)
    if array.dtype.name not in TIFF_DTYPES:
        return f"TIFF has no dtype {array.dtype.name}"
    if array.ndim < 2 or array.size == 0:
        return f"shape {array.shape} has no pixels in two axes"
    return None


def encode_tiff(value: Any) -> memoryview:
    """Return an uncompressed TIFF, the last two axes a page, the whole shape in its description."""
    import tifffile

    array = as_array(value)
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        np.ascontiguousarray(array),
        photometric="minisblack",
        planarconfig=None,
        metadata={"shape": array.shape},
        software="openhcs",
    )
    return buffer.getbuffer()


def decode_tiff(path: Path) -> Array:
    """Return the one image of a TIFF, of one or more pages, as a new array."""
    if (plane := _plain_plane(path)) is not None:
        return plane
    from openhcs.io.tiff import BROKEN

    with reading(path, "TIFF", BROKEN), open_tiff(path) as tif:
        series = tiff_series(tif, path)
        array: Array = series.asarray()
        if array.shape != tuple(series.shape):
            raise FormatError(f"{path} is damaged: {array.shape} is not {series.shape}", path=path, backend=NAME)
        return array


def _plain_plane(path: Path) -> Array | None:
    """Return the only page of a TIFF that says nothing else about its shape, read the quick way; None of others."""

    def plain(head: ImageHeader) -> bool:
        said = head.description in ("", json.dumps({"shape": head.shape}))
        if not said or head.pages != 1 or min(head.shape) < 2:
            return False
        check_room(math.prod(head.shape) * np.dtype(head.dtype).itemsize, path)
        return True

    return tiff_strips.first_plane(path, plain)


def open_tiff(path: Path) -> Any:
    """Open a TIFF alone, whatever other files it names.

    Raises
    ------
    FormatError
        its pages lead in a circle, which tifffile would follow for good.
    """
    import tifffile

    tiff_strips.header(path)
    return tifffile.TiffFile(path, _multifile=False)


def check_told(tif: Any, path: Path) -> None:
    """Refuse a text that tells of far more planes than the file has pages: each is an entry in memory.

    Raises
    ------
    FormatError
        it does.
    """
    for text in (str(tif.pages[0].description), *(str(page.description) for page in tif.pages[1:2])):
        told = math.prod(min(int(size), 2**31) for size in _SIZES.findall(text)[:300])
        if told > SPARSE_PAGES * len(tif.pages):
            raise FormatError(f"{path} tells of {told} planes and has {len(tif.pages)} pages", path=path, backend=NAME)


def tiff_series(tif: Any, path: Path) -> Any:
    """Return the one image of an open TIFF after its size was held against the file."""
    check_told(tif, path)
    if len(tif.series) != 1:
        raise FormatError(
            f"{path} holds {len(tif.series)} images of different shape; load reads one, take tifffile for the others",
            path=path,
            backend=NAME,
        )
    series = tif.series[0]
    size = tif.filehandle.size
    if not all(isinstance(side, (int, np.integer)) and side > 0 for side in series.shape):
        raise FormatError(f"{path} has no pixels: {series.shape}", path=path, backend=NAME)
    check_room(math.prod(series.shape) * series.dtype.itemsize, path)
    pages = list(series.pages)
    if any(page is None for page in pages):
        raise FormatError(f"{path} is a part of an image whose other files are not read", path=path, backend=NAME)
    from openhcs.io.tiff import ratio_of

    first = tif.pages[0]
    decoded = math.prod(series.shape) * (series.dtype.itemsize if series.dtype.kind != "b" else 1 / 8)
    check_expansion(int(decoded), size, ratio_of(first), path)
    for page in pages:
        ends = [start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if max(ends, default=0) > size:
            raise FormatError(f"{path} is cut off: pixels reach to byte {max(ends)} of {size}", path=path, backend=NAME)
    return series


def png_reason(value: Any) -> str | None:
    """Return why PNG cannot hold a value exactly, or None."""
    if (why := array_reason(value)) is not None:
        return why
    array = as_array(value)
    if array.dtype.name not in {"uint8", "uint16"}:
        return f"PNG holds uint8 and uint16, not {array.dtype.name}"
    if array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (2, 3, 4))):
        return f"PNG holds one plane (y, x), or (y, x, 2 to 4 colours), not shape {array.shape}"
    return None


def encode_png(value: Any) -> bytes:
    """Return a PNG of one plane."""
    from openhcs.io import png

    array = as_array(value)
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    return png.encode(np.ascontiguousarray(native))


def decode_png(path: Path) -> Array:
    """Return the image as a new array, uint8 or uint16."""
    from openhcs.io import png

    with reading(path, "PNG", (ValueError, struct.error, KeyError, RuntimeError)), open(path, "rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        head = png.parse_head(file.read(png.HEADER.size), path)
        check_room(head.decoded, path)
        check_expansion(head.stored, size, DEFLATE_RATIO, path)
        file.seek(0)
        return png.decode(file.read())


TIFF = Format(name="TIFF", can_hold=tiff_reason, encode=encode_tiff, decode=decode_tiff)
PNG = Format(name="PNG", can_hold=png_reason, encode=encode_png, decode=decode_png)
