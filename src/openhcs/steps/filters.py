"""Filters that give a plane for a plane, in the dtype that came in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openhcs.errors import InvalidValue
from openhcs.steps.planes import each_plane, library

if TYPE_CHECKING:
    from openhcs.steps.planes import Array


def percentile_normalize(stack: Array, low: float = 1.0, high: float = 99.0) -> Array:
    """Return planes stretched so that two of their percentiles become the ends of the range.

    Parameters
    ----------
    stack
        (n, y, x), any real dtype; integers are stretched over their dtype's range from 0 on,
        floats to 0–1. A plane without contrast becomes 0.
    low, high
        percentiles (0–100) of each plane's own pixels, interpolated linearly as `numpy.percentile`
        does.

    Raises
    ------
    InvalidValue
        ``low`` is not below ``high``, or one of them is outside of 0–100.
    """
    if not 0 <= low < high <= 100:
        raise InvalidValue(f"percentiles must be 0 <= low < high <= 100, not low={low}, high={high}")
    top = np.iinfo(stack.dtype).max if stack.dtype.kind in "iu" else 1

    def stretch(plane: Array) -> Array:
        floor, ceiling = np.percentile(plane, (low, high))
        if ceiling <= floor:
            return np.zeros_like(plane)
        stretched: Array = np.clip((plane - floor) / (ceiling - floor), 0, 1) * top
        return stretched

    return each_plane(stack, stretch)


def gaussian(stack: Array, sigma: float = 1.0) -> Array:
    """Return planes blurred by a Gaussian; planes do not mix.

    Parameters
    ----------
    stack
        (n, y, x), any real dtype.
    sigma
        standard deviation in pixels; the kernel is cut at 4 sigma, edges are mirrored
        (`scipy.ndimage.gaussian_filter`). Computed in float64, integers rounded to the nearest.

    Raises
    ------
    InvalidValue
        a negative ``sigma``.
    """
    if not sigma >= 0:
        raise InvalidValue(f"sigma is a number of pixels from 0 on, not {sigma}")
    blur = library("scipy.ndimage").gaussian_filter
    return each_plane(stack, lambda plane: blur(plane, sigma, output=np.float64))


def white_tophat(stack: Array, size: int = 51) -> Array:
    """Return planes without their background: what is left above the grey opening with a square.

    Keeps what is narrower than ``size`` pixels (F. Meyer, 1979, "Iterative image transformations
    for an automatic screening of cervical smears"; `scipy.ndimage.white_tophat`).

    Parameters
    ----------
    stack
        (n, y, x), any real dtype.
    size
        side of the square in pixels; somewhat more than the widest object.

    Raises
    ------
    InvalidValue
        a ``size`` below 1.
    """
    if size < 1:
        raise InvalidValue(f"size is a whole number of pixels from 1 on, not {size}")
    remove = library("scipy.ndimage").white_tophat
    return each_plane(stack, lambda plane: remove(plane, size=size))
