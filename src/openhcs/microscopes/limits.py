"""How large a plate may be said to be: documents of strangers are held to these before memory is taken."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from openhcs.errors import FormatError

if TYPE_CHECKING:
    from openhcs.core.plate import PlateIndex

MOST_SITES = 10_000
"""Sites of one well."""
MOST_PLANES = 100_000
"""Planes of one image, and planes promised by a document without a file."""
SPARSE = 20
"""A document that promises more than `MOST_PLANES` is believed if one in so many is there."""
PLANE_BYTES = 2**31
ITEM_BYTES = {
    "bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "float16": 2, "int32": 4, "uint32": 4, "float32": 4,
    "int64": 8, "uint64": 8, "float64": 8, "complex64": 8, "complex128": 16,
}  # fmt: skip
"""Bytes of a pixel, by the dtypes that a plane may have."""


def check_promise(promised: int, found: int, document: str) -> None:
    """Refuse a document that promises far more planes than are there.

    Raises
    ------
    FormatError
        it does; the message says what to do.
    """
    if promised > max(MOST_PLANES, SPARSE * found):
        raise FormatError(
            f"{document} promises {promised} planes and {found} are there. If these are all, take that file out of "
            "the folder and try again.",
            path=document,
        )


def check_size(index: PlateIndex) -> PlateIndex:
    """Return the index after its planes were found to be of a size and dtype that can be.

    Raises
    ------
    FormatError
        no pixels, more than 2 GiB of them, or an unknown dtype.
    """
    check_pixels(index.plane_shape, index.dtype, index.root)
    return index


def check_pixels(shape: tuple[int, int] | None, dtype: str | None, where: str) -> None:
    """Refuse planes of a size or dtype that cannot be; None is not known.

    Raises
    ------
    FormatError
        no pixels, more than 2 GiB of them, or an unknown dtype.
    """
    if dtype is not None and dtype not in ITEM_BYTES:
        raise FormatError(f"{where}: planes of {dtype!r:.40} are not read", path=where)
    if shape is not None and (min(shape) < 1 or math.prod(shape) * ITEM_BYTES.get(dtype or "", 1) > PLANE_BYTES):
        raise FormatError(f"{where}: planes of {shape} pixels of {dtype} cannot be", path=where)
