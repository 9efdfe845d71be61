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
_MAGNITUDE = np.int32(2**31 - 1)
"""Every bit of a 32-bit float but its sign."""
_ITSELF = 2
"""Bytes up to which an unsigned number is counted as it is, and its code looked up at the end."""


def histogram(array: Array) -> dict[str, Any]:
    """Return how often values occur in planes (…, y, x), see `Counter`."""
    counter = Counter()
    for place in np.ndindex(*array.shape[:-2]):
        counter.add(array[place])
    return counter.histogram()


class Counter:
    """How often values occur in the planes that were added.

    Of planes with more than 65 536 pixels those of an even grid are counted, 16 384 to 65 536 of them. NaN
    and infinity are left out; of complex numbers the absolute value counts.
    """

    def __init__(self) -> None:
        self._values = self._above = self._below = np.zeros(0, np.int64)

    def add(self, plane: Array) -> None:
        """Count the pixels of a plane (y, x) of bool, integers, floats or complex numbers."""
        step = max(1, math.ceil(math.sqrt(plane.size / SAMPLES)))
        sample = plane[step // 2 :: step, step // 2 :: step].ravel()
        if sample.dtype.kind in "bu" and sample.dtype.itemsize <= _ITSELF:
            self._values = _more(self._values, sample.view(np.uint8) if sample.dtype.kind == "b" else sample)
            return
        with np.errstate(over="ignore", invalid="ignore"):
            values = (np.abs(sample) if sample.dtype.kind == "c" else sample).astype(np.float32)
        if sample.dtype.kind in "fc":
            values = values[np.isfinite(values)]
        codes = _codes(values)
        if sample.dtype.kind in "if" and (negative := values < 0).any():
            self._below = _more(self._below, codes[negative])
            codes = codes[~negative]
        self._above = _more(self._above, codes)

    def histogram(self) -> dict[str, Any]:
        """Return the counts in the form of `openhcs.ngff.windows`."""
        values = np.flatnonzero(self._values)
        of_values = np.bincount(_codes(values.astype(np.float32)), self._values[values]).astype(np.int64)
        above = _sum(self._above.copy(), of_values)
        counts = {code: int(above[code]) for code in np.flatnonzero(above).tolist()}
        return pack(counts | {-1 - code: int(self._below[code]) for code in np.flatnonzero(self._below).tolist()})


def _codes(values: Array) -> Array:
    """Return the codes of float32 values without their signs."""
    return (values.view(np.int32) & _MAGNITUDE) >> FRACTION_BITS_DROPPED


def _more(counts: Array, found: Array) -> Array:
    return _sum(counts, np.bincount(found))


def _sum(one: Array, other: Array) -> Array:
    """Return the sum of two arrays of counts of any lengths; either may be changed."""
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    longer[: len(shorter)] += shorter
    return longer
