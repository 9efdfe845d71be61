"""Profiles of light that a microscope measured, as images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openhcs.errors import InvalidValue

if TYPE_CHECKING:
    from openhcs.core.plate import FlatField
    from openhcs.steps.planes import Array

ASPECT = 0.01
"""Images whose sides differ from the profile's by factors that differ by more were cut, not binned."""
MOST_PIXELS = 2**26


def illumination_of(profile: FlatField, shape: tuple[int, int] | None = None) -> Array:
    """Return a profile as an image (y, x), float32, 1 on average, for `openhcs.steps.flat_field`.

    Parameters
    ----------
    shape
        (y, x) of the images in pixels; None: those of the profile. Where images were binned to another size,
        a pixel takes the profile's value at its centre.

    Raises
    ------
    InvalidValue
        a shape that is none or of other proportions than the profile's, or a profile that is not above 0 on average.
    """
    rows, columns = profile.shape if shape is None else shape
    if rows < 1 or columns < 1 or rows * columns > MOST_PIXELS:
        raise InvalidValue(f"an image of {rows} × {columns} pixels (y × x) cannot be")
    factors = rows / profile.shape[0], columns / profile.shape[1]
    if abs(factors[0] / factors[1] - 1) > ASPECT:
        raise InvalidValue(
            f"the profile is of {profile.shape[0]} × {profile.shape[1]} pixels (y × x) and the images have {rows} × "
            f"{columns}: they were cut, and where is not known"
        )
    size = len(profile.coefficients)
    powers = np.zeros((size, size))
    for degree, row in enumerate(profile.coefficients):
        for power, value in enumerate(row):
            powers[power, degree - power] = value
    with np.errstate(over="ignore", invalid="ignore"):
        x = _coordinates(columns, factors[1], profile.origin[0], profile.scale[0])
        y = _coordinates(rows, factors[0], profile.origin[1], profile.scale[1])
        light = np.polynomial.polynomial.polygrid2d(y, x, powers)
        mean = light.mean()
        image: Array = (light / mean if mean > 0 else light).astype(np.float32)
    if not mean > 0 or not np.isfinite(image).all():
        raise InvalidValue(f"the profile is {mean:.6g} on average, so it is no light")
    return image


def _coordinates(count: int, factor: float, origin: float, scale: float) -> Array:
    """Return where the centres of pixels lie in the profile's own coordinate."""
    places: Array = (((np.arange(count) + 0.5) / factor - 0.5) - origin) * scale
    return places
