"""Channels put together, and what a plate's own illumination does taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openhcs.core.special import special_inputs, special_outputs
from openhcs.errors import InvalidValue
from openhcs.steps.planes import library, rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openhcs.steps.planes import Array


def composite(stack: Array, weights: Sequence[float] | None = None) -> Array:
    """Return the weighted mean of a stack's planes: (1, y, x), same dtype; for ``variable_components=["channel"]``.

    Parameters
    ----------
    stack
        (n, y, x), any real dtype.
    weights
        one number from 0 on for each plane, in the order of channels; None: all alike. Their sum counts as 1.
        Computed in float64, halves are rounded up.

    Raises
    ------
    InvalidValue
        another number of weights, a negative one, or none above 0.
    """
    given = np.ones(len(stack)) if weights is None else np.asarray(weights, np.float64)
    if given.shape != (len(stack),) or not (given >= 0).all() or not given.sum() > 0:
        raise InvalidValue(f"composite takes {len(stack)} weights from 0 on, not all 0, for this stack; not {weights}")
    mean = np.tensordot(given / given.sum(), stack.astype(np.float64), axes=1)[None]
    return rounded(mean, stack.dtype)


@special_outputs(illumination_sums="array")
def illumination_sums(stack: Array) -> tuple[Array, Array]:
    """Return the very stack, and ``illumination_sums`` (2, y, x), float64: the sum of its planes, and their number.

    The first of three steps that take a plate's illumination out; see `combine_illumination`.
    """
    total = stack.sum(axis=0, dtype=np.float64)
    return stack, np.stack([total, np.full(total.shape, float(len(stack)))])


@special_inputs("illumination_sums")
@special_outputs(illumination="array")
def combine_illumination(illumination_sums: Sequence[Array], sigma: float = 30.0) -> Array:
    """Return ``illumination`` (y, x), float64: the smoothed mean over all wells, 1 on average.

    For ``variable_components=[VariableComponents.WELL]``, after `illumination_sums` and before `flat_field`.
    Objects lie anywhere, so their mean over many images shows how evenly the field is lit (T. R. Jones et al.,
    "Methods for high-content, high-throughput image-based cell screening", 2006).

    Parameters
    ----------
    illumination_sums
        (2, y, x) of each well.
    sigma
        standard deviation of the Gaussian in pixels, edges repeated; 0 leaves the mean as it is.

    Raises
    ------
    InvalidValue
        a negative ``sigma``, or images that are nothing but 0.
    """
    if not sigma >= 0:
        raise InvalidValue(f"sigma is a number of pixels from 0 on, not {sigma}")
    total, count = np.sum(np.stack([one.astype(np.float64) for one in illumination_sums]), axis=0)
    mean: Array = total / count
    if sigma:
        mean = library("scipy.ndimage").gaussian_filter(mean, sigma, mode="nearest")
    if not mean.mean() > 0:
        raise InvalidValue("the images of these wells are nothing but 0, so their illumination is not known")
    field: Array = mean / mean.mean()
    return field


@special_inputs("illumination")
def flat_field(stack: Array, illumination: Array, dark: float = 0.0) -> Array:
    """Return planes without the unevenness of their illumination: (plane − dark) / illumination + dark.

    Parameters
    ----------
    stack
        (n, y, x), any real dtype; it stays, integers are rounded and kept in range.
    illumination
        (y, x), 1 on average, as `combine_illumination` gives it; values below 0.01 count as 0.01.
    dark
        what the camera reads without light, in counts.

    Raises
    ------
    InvalidValue
        the illumination is of another size.
    """
    if illumination.shape != stack.shape[1:]:
        raise InvalidValue(f"illumination of {illumination.shape} (y, x) for planes of {stack.shape[1:]}")
    field = np.maximum(illumination, 0.01)
    out = np.empty_like(stack)
    for plane, result in zip(stack, out, strict=True):
        result[...] = rounded((plane - np.float64(dark)) / field + dark, stack.dtype)
    return out
