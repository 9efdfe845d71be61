"""TIFF: what a file says, one plane decoded into place, one plane encoded with OME metadata.

What most microscopes write is read by `openhcs.io.tiff_strips`, everything else here with tifffile. Sizes
are held against the file before memory is taken. Whatever is wrong with a file is a `FormatError` that names it.
"""

from __future__ import annotations

import contextlib
import io
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.core.plate import ImageHeader
from openhcs.errors import FormatError, InvalidType, NotGrey, from_oserror
from openhcs.io import tiff_strips
from openhcs.io.plane_data import ROOM, check_page, check_same

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Array = np.ndarray[Any, np.dtype[Any]]

BROKEN = (
    ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error, RuntimeError, EOFError,
    ArithmeticError, MemoryError, AssertionError,
)  # fmt: skip
"""What tifffile, whose own error is a ValueError, and its codecs raise on damaged files."""
OTHER_RATIO = 40_000
"""Most bytes that one stored byte can become, by any other codec."""
STK_PLANES = 33629
"""The tag of a MetaMorph stack (UIC2) that has an entry for each of its planes."""
OME_TYPES = {
    "bool": "bit", "uint8": "uint8", "uint16": "uint16", "uint32": "uint32", "int8": "int8", "int16": "int16",
    "int32": "int32", "float32": "float", "float64": "double", "complex64": "complex", "complex128": "double-complex",
}  # fmt: skip
"""Pixel types of the OME schema (2016-06) by numpy name."""
SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


@contextlib.contextmanager
def _opened(path: str | Path, data: bytes | None = None) -> Iterator[Any]:
    import tifffile

    try:
        with tifffile.TiffFile(path if data is None else io.BytesIO(data)) as tif:
            yield tif
    except FormatError:
        raise
    except OSError as error:
        raise from_oserror(error, doing="read the image", path=path) from error
    except BROKEN as error:
        raise FormatError(f"{path} is damaged or no TIFF: {error}", path=path) from error


def read_header(path: str | Path) -> ImageHeader:
    """Return what the first page says; no pixels are read.

    Raises
    ------
    FormatError
        the file is no TIFF, or damaged.
    NotGrey
        its pixels have several values.
    NotFound, StorageError
        it is not there, or cannot be read.
    """
    if quick := tiff_strips.header(path):
        return quick
    with _opened(path) as tif:
        page = tif.pages[0]
        shape = _plane_shape(page, path)
        return ImageHeader(
            shape=shape,
            dtype=page.dtype.name,
            pages=_stacked(tif) or len(tif.pages),
            description=str(page.description),
            tags=_stack_tags(tif),
        )


def _stack_tags(tif: Any) -> dict[str, Any]:
    """Return what the tags of a MetaMorph stack tell (UIC1 to UIC4), named as tifffile does; nothing of other files."""
    told = tif.stk_metadata if tif.is_stk else None
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in (told or {}).items()}


def _plane_shape(page: Any, path: object) -> tuple[int, int]:
    shape = tuple(page.shape)
    if page.dtype is None or len(shape) != 2 or not all(type(side) is int and side > 0 for side in shape):
        kind = NotGrey if page.samplesperpixel > 1 else FormatError
        raise kind(f"{path} holds {shape} values per page; a plane has one value per pixel (y, x)", path=path)
    size = page.parent.filehandle.size
    if shape[0] * shape[1] * page.bitspersample // 8 > size * ratio_of(page) + ROOM:
        raise FormatError(f"{path} is damaged: {size} bytes are said to hold {shape} pixels", path=path)
    return shape


def ratio_of(page: Any) -> int:
    """Return the most bytes that one stored byte of a page can become."""
    return tiff_strips.RATIOS.get(int(page.compression), OTHER_RATIO)


def read_plane_into(path: str | Path, page: int, out: Array, *, data: bytes | None = None) -> None:
    """Decode one page into ``out`` (y, x); palette images give their indices.

    ``data`` are the file's bytes, where they have been read already.

    Raises
    ------
    FormatError
        another shape or dtype than ``out``, or the file is damaged or cut off.
    NotFound, StorageError
        it is not there, or cannot be read.
    """
    if tiff_strips.read_into(path, page, out, data=data):
        return
    with _opened(path, data) as tif:
        stacked = _stacked(tif)
        check_page(page, stacked or len(tif.pages), path)
        found = tif.pages[0 if stacked else page]
        check_same(_plane_shape(found, path), found.dtype, out, path)
        _check_whole(found, tif.filehandle.size, path)
        if found.is_final and out.flags.c_contiguous and found.dtype != np.dtype(bool):
            _read_plain(tif, found, out, path, page if stacked else 0)
        elif stacked and page:
            raise FormatError(f"{path} is a stack whose planes are compressed; only its first is read", path=path)
        else:
            out[...] = found.asarray()


def _stacked(tif: Any) -> int:
    """Return how many planes a MetaMorph stack has behind its only page, one after another; 0 for other files."""
    if len(tif.pages) > 1 or STK_PLANES not in tif.pages[0].tags:
        return 0
    page = tif.pages[0]
    count = int(page.tags[STK_PLANES].count)
    if page.is_contiguous and count > 1 and page.dataoffsets[0] + count * page.nbytes > tif.filehandle.size + ROOM:
        raise FormatError(f"{tif.filename} is damaged: {tif.filehandle.size} bytes are said to hold {count} planes")
    return count


def _check_whole(page: Any, size: int, path: object) -> None:
    ends = [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)]
    if not ends or max(ends) > size:
        raise FormatError(f"{path} is cut off: pixels reach to byte {max(ends, default=0)} of {size}", path=path)


def _read_plain(tif: Any, page: Any, out: Array, path: object, number: int) -> None:
    """Read uncompressed pixels, which lie in one piece, straight into place; ``number`` pieces lie before."""
    handle = tif.filehandle
    count = page.nbytes
    offset = page.dataoffsets[0] + number * count
    if count != out.nbytes:
        raise FormatError(f"{path}: {count} bytes at offset {offset} for a plane of {out.nbytes}", path=path)
    handle.seek(offset)
    if handle.readinto(out.data.cast("B")) != count:
        raise FormatError(f"{path} is cut off at byte {handle.tell()}", path=path)
    if tif.byteorder == ">" and out.dtype.itemsize > 1:
        out.byteswap(inplace=True)


def encode_ome_tiff(
    plane: Array,
    *,
    channel_name: str = "",
    pixel_size_um: tuple[float, float] | None = None,
    z_step_um: float | None = None,
    compression: str | None = None,
) -> bytes:
    """Return one plane (y, x) as the bytes of an OME-TIFF, the same for the same plane.

    Parameters
    ----------
    pixel_size_um
        (y, x) in µm.
    compression
        a name tifffile knows, such as "zlib"; None stores pixels as they are.

    Raises
    ------
    InvalidType
        a dtype that OME-TIFF has no name for.
    """
    if plane.dtype.name not in OME_TYPES:
        known = ", ".join(OME_TYPES)
        raise InvalidType(f"OME-TIFF holds no {plane.dtype.name} ({known}); convert it, or keep Zarr output")
    import tifffile

    buffer = io.BytesIO()
    xml = _ome_xml(plane, channel_name, pixel_size_um, z_step_um)
    tifffile.imwrite(
        buffer,
        np.ascontiguousarray(plane),
        photometric="minisblack",
        description=xml.encode(),
        metadata=None,
        software="openhcs",
        compression=compression,
    )
    return buffer.getvalue()


def _ome_xml(plane: Array, channel: str, pixel: tuple[float, float] | None, z_step: float | None) -> str:
    from xml.sax.saxutils import quoteattr

    y, x = plane.shape
    sizes = {"PhysicalSizeY": pixel and pixel[0], "PhysicalSizeX": pixel and pixel[1], "PhysicalSizeZ": z_step}
    physical = "".join(f' {name}="{value!r}" {name}Unit="µm"' for name, value in sizes.items() if value)
    name = f" Name={quoteattr(channel)}" if channel else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{SCHEMA}" Creator="openhcs"><Image ID="Image:0">'
        f'<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="{OME_TYPES[plane.dtype.name]}" SizeX="{x}" SizeY="{y}" '
        f'SizeC="1" SizeZ="1" SizeT="1"{physical}><Channel ID="Channel:0:0"{name} SamplesPerPixel="1"/><TiffData/>'
        "</Pixels></Image></OME>"
    )
