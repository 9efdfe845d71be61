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
_ZERO = 2**15
"""Place of code 0 among the counts; no code is further from 0."""


def histogram(array: Array) -> dict[str, Any]:
    """Return how often values occur, in the form of `openhcs.ngff.windows`.

    Parameters
    ----------
    array
        (…, y, x) of bool, integers or floats. Of planes with more than 65 536 pixels those of an even
        grid are counted, 16 384 to 65 536 of them. NaN and infinity are left out; of complex numbers
        the absolute value counts.
    """
    counts = np.zeros(2 * _ZERO, np.int64)
    for place in np.ndindex(*array.shape[:-2]):
        plane = array[place]
        step = max(1, math.ceil(math.sqrt(plane.size / SAMPLES)))
        counts += np.bincount(_codes(plane[step // 2 :: step, step // 2 :: step]), minlength=2 * _ZERO)
    found = np.flatnonzero(counts)
    return pack(dict(zip((found - _ZERO).tolist(), counts[found].tolist(), strict=True)))


def _codes(sample: Array) -> Array:
    """Return each value's place among the counts, (n,)."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = (np.abs(sample) if sample.dtype.kind == "c" else sample).astype(np.float32, copy=True).ravel()
    if sample.dtype.kind in "fc":
        values = values[np.isfinite(values)]
    bits = values.view(np.uint32)
    codes = (bits & np.uint32(2**31 - 1)) >> np.uint32(FRACTION_BITS_DROPPED)
    places = codes.astype(np.intp)
    negative = values < 0
    if negative.any():
        places[negative] = -1 - places[negative]
    return places + _ZERO
