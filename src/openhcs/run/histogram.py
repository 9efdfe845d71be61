"""Count pixels for display windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.ngff.windows import FRACTION_BITS_DROPPED, pack

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

SAMPLES = 2**16
"""Pixels counted per plane at most: all, or those of an even grid."""
_CODES = 2 ** (31 - FRACTION_BITS_DROPPED)
_MAGNITUDE = np.int32(2**31 - 1)
"""Every bit of a 32-bit float but its sign."""


def histogram(array: Array) -> dict[str, Any]:
    """Return how often values occur, in the form of `openhcs.ngff.windows`.

    Parameters
    ----------
    array
        (…, y, x) of bool, integers or floats. Of planes with more than 65 536 pixels those of an even
        grid are counted, 16 384 to 65 536 of them. NaN and infinity are left out; of complex numbers
        the absolute value counts.
    """
    above, below = np.zeros(_CODES, np.int64), np.zeros(_CODES, np.int64)
    for place in np.ndindex(*array.shape[:-2]):
        plane = array[place]
        step = max(1, math.ceil(math.sqrt(plane.size / SAMPLES)))
        _count(plane[step // 2 :: step, step // 2 :: step], above, below)
    counts = {code: int(above[code]) for code in np.flatnonzero(above).tolist()}
    return pack(counts | {-1 - code: int(below[code]) for code in np.flatnonzero(below).tolist()})


def _count(sample: Array, above: Array, below: Array) -> None:
    """Add the values of ``sample`` to the counts of those from 0 up and of those below 0."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = (np.abs(sample) if sample.dtype.kind == "c" else sample).astype(np.float32).ravel()
    if sample.dtype.kind in "fc":
        values = values[np.isfinite(values)]
    codes = (values.view(np.int32) & _MAGNITUDE) >> FRACTION_BITS_DROPPED
    if sample.dtype.kind in "if" and (negative := values < 0).any():
        _add(below, codes[negative])
        codes = codes[~negative]
    _add(above, codes)


def _add(counts: Array, codes: Array) -> None:
    found = np.bincount(codes)
    counts[: len(found)] += found
