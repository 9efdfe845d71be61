"""Whether the levels of an image show one picture: means of a coarse grid of fields, plane by plane.

Fields of two levels are compared by what sampling can explain, so that any way of making levels passes;
an object of another image, or one of zeros, does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    Array = np.ndarray[Any, np.dtype[Any]]

FIELDS = 8
"""Fields along y and along x."""
ROWS = 128
"""Rows of a plane that are looked at, about."""
SMALLEST = 64
"""Pixels along y or x below which levels are not compared."""
MOST_PLANES = 4096
SIGMAS = 8.0
PART = 0.25
"""Part of the fields that must differ."""
ALIKE = 0.9
"""Correlation from which two pictures are one."""


@dataclass(slots=True)
class Thumb:
    """Sums over the fields of each plane of one array whose last two axes are y and x."""

    shape: tuple[int, ...]
    _sums: dict[tuple[int, ...], Array] = field(default_factory=dict)

    @property
    def fits(self) -> bool:
        """Whether the array is one whose planes can be compared."""
        planes = int(np.prod(self.shape[:-2], dtype=object)) if len(self.shape) >= 2 else MOST_PLANES + 1
        return planes <= MOST_PLANES and min(self.shape[-2:]) >= SMALLEST

    def add(self, box: Sequence[slice], pixels: Array) -> None:
        """Add the pixels of a region."""
        height, width = self.shape[-2:]
        step = max(1, height // ROWS)
        first = -box[-2].start % step
        lanes, tops = _fields(range(box[-2].start + first, box[-2].stop, step), height)
        fields, starts = _fields(range(box[-1].start, box[-1].stop), width)
        counts = np.diff(tops[1], append=tops[0])[:, None] * np.diff(starts[1], append=starts[0])
        for lead in np.ndindex(*pixels.shape[:-2]):
            plane = pixels[lead][first::step].astype("float32")
            place = tuple(at + part.start for at, part in zip(lead, box, strict=False))
            sums = self._sums.setdefault(place, np.zeros((3, FIELDS, FIELDS)))
            inside = np.ix_(lanes, fields)
            for number, values in enumerate((plane, plane * plane)):
                lines = np.add.reduceat(values, starts[1], axis=1)
                sums[number][inside] += np.add.reduceat(lines, tops[1], axis=0)
            sums[2][inside] += counts

    def differs(self, other: Thumb) -> tuple[int, ...] | None:
        """Return a plane that is another picture than that of a smaller level; None where there is none."""
        if self.shape[:-2] != other.shape[:-2]:
            return None
        places = sorted(self._sums.keys() & other._sums.keys())
        return next((one for one in places if _differ(self._sums[one], other._sums[one])), None)


def _fields(at: range, size: int) -> tuple[Array, tuple[int, Array]]:
    """Return the fields that pixels lie in, how many pixels there are, and the first one of each field."""
    fields = np.asarray(at) * FIELDS // size
    starts = np.flatnonzero(np.diff(fields, prepend=-1))
    return fields[starts], (len(fields), starts)


def _differ(one: Array, other: Array) -> bool:
    if (one[2] == 0).any() or (other[2] == 0).any():
        return False
    means = one[0] / one[2], other[0] / other[2]
    spreads = [np.maximum(sums[1] / sums[2] - mean**2, 0) for sums, mean in zip((one, other), means, strict=True)]
    noise = np.sqrt(spreads[0] * (1 / one[2] + 1 / other[2])) + 1e-3 * np.abs(means[0]) + 1e-30
    for at in (0, 1):
        # One is blank: small things may vanish from a smaller level, a good part of the picture may not.
        if not np.ptp(means[at]) and not spreads[at].any():
            return _much(means[1 - at] - means[at] > SIGMAS * noise)
    # A way of making levels may lift all pixels, as the maximum does.
    apart = np.abs((means[0] - means[0].mean()) - (means[1] - means[1].mean()))
    return _much(apart > SIGMAS * noise) and float(np.corrcoef(means[0].ravel(), means[1].ravel())[0, 1]) < ALIKE


def _much(fields: Array) -> bool:
    return float(np.mean(fields)) > PART
