"""The quick way for TIFFs as most microscopes write them: one grey value per pixel, in strips, no vendor's structure.

Strips are decoded straight into place. Of anything unusual, damage too, nothing is said, so that
`openhcs.io.tiff` reads the file with tifffile: what is read here is what tifffile reads, and every error comes
from there. Only a chain of pages that never ends is refused here, since tifffile would follow it.
"""

from __future__ import annotations

import io
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from openhcs.core.plate import ImageHeader
from openhcs.errors import FormatError
from openhcs.io.plane_data import DEFLATE_RATIO, ROOM
from openhcs.io.tiff_tags import DESCRIPTION, SOFTWARE, UNSAID_FLOATS, Tiff, Unusual

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from openhcs.io.tiff_tags import Tags

    Array = np.ndarray[Any, np.dtype[Any]]

Result = TypeVar("Result")

RATIOS = {1: 1, 8: DEFLATE_RATIO, 32946: DEFLATE_RATIO, 5: 4096, 32773: 64}
"""Most bytes that one stored byte can become, by TIFF's number of the codec."""
DECODERS = {5: "lzw_decode", 8: "deflate_decode", 32946: "deflate_decode", 32773: "packbits_decode"}
DTYPES = {
    (number, 8 * size): np.dtype(f"{kind}{size}")
    for number, kind, sizes in ((1, "u", (1, 2, 4, 8)), (2, "i", (1, 2, 4, 8)), (3, "f", (2, 4, 8)))
    for size in sizes
}
"""By SampleFormat and BitsPerSample."""
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
OFFSETS, SAMPLES, ROWS, COUNTS, PLANAR, PREDICTOR, SAMPLE_FORMAT = 273, 277, 278, 279, 284, 317, 339
GREYS = (0, 1, 3)
"""White is zero, black is zero, a palette, of which the indices are read."""
HORIZONTAL = 2
SWAPPED_ROWS = 32
NATIVE = "<" if sys.byteorder == "little" else ">"
FALLS = (Unusual, OSError, ValueError, LookupError, ArithmeticError, RuntimeError, MemoryError, struct.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    compression: int
    predictor: int
    rows: int
    tags: Tags


def header(path: str | Path) -> ImageHeader | None:
    """Return what the first page says, or None of an unusual file.

    Raises
    ------
    FormatError
        its pages lead in a circle.
    """
    return _quickly(path, lambda tiff: _told(tiff, _page(tiff, 0)))


def first_plane(path: str | Path, wanted: Callable[[ImageHeader], bool]) -> Array | None:
    """Return the first page as a new array, or None: of an unusual file, or one whose header is not ``wanted``.

    Raises
    ------
    FormatError
        its pages lead in a circle.
    """

    def work(tiff: Tiff) -> Array | None:
        page = _page(tiff, 0)
        if not wanted(_told(tiff, page)):
            return None
        plane = np.empty(page.shape, page.dtype)
        _read(tiff, page, plane)
        return plane

    return _quickly(path, work)


def _told(tiff: Tiff, page: _Page) -> ImageHeader:
    text = tiff.text(page.tags, DESCRIPTION)
    return ImageHeader(shape=page.shape, dtype=page.dtype.name, pages=tiff.pages, description=text)


def read_into(path: str | Path, page: int, out: Array, *, data: bytes | None = None) -> bool:
    """Decode one page into ``out`` (y, x) and return True; or return False, with anything in ``out``.

    Raises
    ------
    FormatError
        its pages lead in a circle.
    """

    def work(tiff: Tiff) -> bool:
        if page < 0 or not (out.flags.c_contiguous and out.flags.writeable and out.dtype.isnative):
            return False
        # A file whose first page is unusual may be more than its pages.
        first = _page(tiff, 0)
        found = _page(tiff, page) if page else first
        if found.shape != out.shape or found.dtype != out.dtype:
            return False
        _read(tiff, found, out)
        return True

    return bool(_quickly(path, work, data))


def _quickly(path: str | Path, work: Callable[[Tiff], Result | None], data: bytes | None = None) -> Result | None:
    """Return what ``work`` makes of a file, or of its bytes; None where anything about it is unusual."""
    try:
        with open(path, "rb", buffering=0) if data is None else io.BytesIO(data) as file:
            return work(Tiff(file, path))
    except FormatError:
        raise
    except FALLS:
        return None


def _page(tiff: Tiff, number: int) -> _Page:
    """Return what a page's tags say; no page is larger than its file can hold."""
    tags = tiff.tags(number)
    shape = tiff.number(tags, HEIGHT), tiff.number(tags, WIDTH)
    compression = tiff.number(tags, COMPRESSION, 1)
    predictor = tiff.number(tags, PREDICTOR, 1)
    dtype = DTYPES[tiff.number(tags, SAMPLE_FORMAT, 1), tiff.number(tags, BITS)]
    rows = min(tiff.number(tags, ROWS, shape[0]), shape[0])
    ones = [tiff.number(tags, code, 1) for code in (FILL_ORDER, SAMPLES, PLANAR)]
    if min(*shape, rows) < 1 or ones != [1, 1, 1] or tiff.number(tags, PHOTOMETRIC) not in GREYS:
        raise Unusual
    if predictor != 1 and (predictor != HORIZONTAL or compression == 1):
        raise Unusual
    if SAMPLE_FORMAT not in tags and tiff.text(tags, SOFTWARE).startswith(UNSAID_FLOATS):
        raise Unusual
    if shape[0] * shape[1] * dtype.itemsize > tiff.size * RATIOS[compression] + ROOM:
        raise Unusual
    return _Page(shape=shape, dtype=dtype, compression=compression, predictor=predictor, rows=rows, tags=tags)


def _read(tiff: Tiff, page: _Page, out: Array) -> None:
    """Decode a page's strips into ``out``, which has its shape and dtype."""
    row = out.nbytes // out.shape[0]
    strips = -(-out.shape[0] // page.rows)
    offsets, counts = tiff.numbers(page.tags, OFFSETS, strips), tiff.numbers(page.tags, COUNTS, strips)
    ends = offsets + counts
    if offsets.min() < 8 or counts.min() < 1 or max(offsets.max(), counts.max(), ends.max()) > tiff.size:
        raise Unusual
    wanted = np.full(strips, page.rows * row)
    wanted[-1] = out.nbytes - (strips - 1) * page.rows * row
    view = out.data.cast("B")
    if page.compression != 1:
        _decode(tiff, getattr(_imagecodecs(), DECODERS[page.compression]), (offsets, counts, wanted), view)
    elif (counts != wanted).any():
        raise Unusual
    elif (offsets[1:] == ends[:-1]).all():
        tiff.fill(int(offsets[0]), view)
    else:
        for number, offset in enumerate(offsets.tolist()):
            at = number * page.rows * row
            tiff.fill(offset, view[at : at + int(wanted[number])])
    if tiff.order != NATIVE and out.dtype.itemsize > 1:
        _swap(out)
    if page.predictor == HORIZONTAL:
        _imagecodecs().delta_decode(out, axis=-1, out=out)


def _decode(tiff: Tiff, decode: Any, strips: tuple[Array, Array, Array], view: memoryview) -> None:
    """Decode strips (offsets, bytes stored, bytes wanted) one after another into ``view``."""
    offsets, counts, wanted = strips
    stored = int(counts.sum())
    if stored > 2 * len(view) + ROOM:
        raise Unusual
    first = int(offsets.min())
    reach = int((offsets + counts).max()) - first
    whole = memoryview(tiff.read(first, reach)) if reach <= stored + ROOM else None
    at = 0
    for offset, count, size in zip(offsets.tolist(), counts.tolist(), wanted.tolist(), strict=True):
        strip = tiff.read(offset, count) if whole is None else whole[offset - first : offset - first + count]
        if len(decode(strip, out=view[at : at + size])) != size:
            raise Unusual
        at += size


def _swap(out: Array) -> None:
    """Turn the bytes of all values around: a copy by rows takes a third of the time of `numpy.ndarray.byteswap`."""
    turned = out.view(out.dtype.newbyteorder())
    for row in range(0, len(out), SWAPPED_ROWS):
        out[row : row + SWAPPED_ROWS] = turned[row : row + SWAPPED_ROWS]


def _imagecodecs() -> Any:
    import imagecodecs

    return imagecodecs
