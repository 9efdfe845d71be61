"""Arrays in files, opened: parts are read from the pages of the file that hold them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.constants.constants import ZarrCompressor
from openhcs.core.arrays import ArraySpec
from openhcs.errors import InvalidType, InvalidValue
from openhcs.io.formats import NAME, format_of, reading, suffix_of
from openhcs.io.formats_array import map_npy
from openhcs.io.regions import resolve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Array = np.ndarray[Any, np.dtype[Any]]


NAMED = "biufcmM"
"""Kinds of dtypes that their numpy name tells whole, up to byte order; texts and records are not."""


class FileArray:
    """An array in a file, for reading."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], pixels: Callable[[], Array]) -> None:
        self.path = path
        self.spec = ArraySpec(shape=shape, dtype=dtype.name, chunks=shape, compressor=ZarrCompressor.NONE)
        self._pixels = pixels

    def read(self, region: tuple[Any, ...] = (), *, out: Array | None = None) -> Array:
        """Return a part (numpy basic indexing, steps of 1 or more) as the caller's own, in native byte order.

        Raises
        ------
        InvalidValue, InvalidType
            a region outside the array, or ``out`` of another shape or dtype.
        FormatError
            the file is damaged.
        """
        parts, shape = resolve(region, self.spec.shape)
        dtype = np.dtype(self.spec.dtype)
        if out is None:
            out = np.empty(shape, dtype)
        elif out.shape != shape:
            raise InvalidValue(f"{self.path}: the part has shape {shape}, out has {out.shape}", path=self.path)
        elif out.dtype != dtype:
            raise InvalidType(f"{self.path} holds {dtype}, out is {out.dtype}", path=self.path)
        out[...] = self._pixels()[parts]
        return out

    def write(self, region: tuple[Any, ...], data: Array) -> None:  # noqa: ARG002 - the verb of every handle
        """Refuse: a file is written whole."""
        raise InvalidType(f"{self.path} is written whole: save the array with overwrite=True", path=self.path)


def open_handle(path: Path) -> FileArray:
    """Open an NPY or TIFF file.

    NPY and uncompressed TIFF are mapped; other TIFFs are decoded whole at the first read.

    Raises
    ------
    InvalidType
        another format, or a dtype that its name does not tell, such as text and records.
    """
    kind = format_of(path).name
    if kind == "NPY":
        mapped = map_npy(path)
        if mapped.dtype.kind not in NAMED:
            raise InvalidType(
                f"{path} holds {mapped.dtype}, of which no parts are read; load it whole", path=path, backend=NAME
            )
        return FileArray(path, mapped.shape, mapped.dtype, lambda: mapped)
    if kind == "TIFF":
        return _open_tiff(path)
    raise InvalidType(
        f"{path}: parts are read from .npy and .tif, not from {suffix_of(path)}; load it whole", path=path, backend=NAME
    )


def _open_tiff(path: Path) -> FileArray:
    from openhcs.io.formats_image import decode_tiff, open_tiff, tiff_series
    from openhcs.io.tiff import BROKEN

    with reading(path, "TIFF", BROKEN), open_tiff(path) as tif:
        series = tiff_series(tif, path)
        shape, offset = tuple(series.shape), series.dataoffset
        stored = series.dtype.newbyteorder(tif.byteorder)
        plain = offset is not None and series.dtype.kind != "b"
        mapped = np.memmap(path, stored, "r", offset, shape) if plain else None
    pixels = functools.cache(lambda: decode_tiff(path)) if mapped is None else lambda: mapped
    return FileArray(path, shape, series.dtype, pixels)
