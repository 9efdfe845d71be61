"""Projections: a stack (n, y, x) becomes one plane (1, y, x), for steps with ``out="one"``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openhcs.steps.planes import rounded

if TYPE_CHECKING:
    from openhcs.steps.planes import Array


def max_projection(stack: Array) -> Array:
    """Return the brightest value of each pixel over n: (1, y, x), same dtype."""
    highest: Array = stack.max(axis=0, keepdims=True)
    return highest


def mean_projection(stack: Array) -> Array:
    """Return the mean of each pixel over n: (1, y, x), same dtype.

    Summed in float64, so exact for integers up to 32 bits; halves are rounded up.
    """
    return rounded(stack.mean(axis=0, dtype=np.float64, keepdims=True), stack.dtype)
