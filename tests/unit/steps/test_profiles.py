"""Profiles of light as images: the polynomial's own values, 1 on average, scaled to binned images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhcs.core.plate import FlatField
from openhcs.errors import InvalidValue
from openhcs.steps import flat_field
from openhcs.steps.profiles import illumination_of

REAL = FlatField(
    coefficients=((1.2132,), (0.0658, -0.0855), (-1.4032, 0.1826, -1.4825), (0.0734, 0.1758, -0.4316, 0.1203)),
    origin=(1079.5, 899.5),
    scale=(0.00046296296, 0.00055555556),
    shape=(1800, 2160),
)


def term_by_term(field: FlatField) -> np.ndarray:
    """Return the polynomial as spaCR's test writes it out: x of columns, y of rows, sum of c[i][j] x^(i-j) y^j."""
    rows, columns = np.mgrid[: field.shape[0], : field.shape[1]]
    x = (columns - field.origin[0]) * field.scale[0]
    y = (rows - field.origin[1]) * field.scale[1]
    light = np.zeros(field.shape)
    for i, row in enumerate(field.coefficients):
        for j, value in enumerate(row):
            light += value * x ** (i - j) * y**j
    return light


def test_an_image_is_the_polynomial_at_each_pixel() -> None:
    image, expected = illumination_of(REAL), term_by_term(REAL)
    assert (image.shape, image.dtype) == ((1800, 2160), np.float32)
    np.testing.assert_allclose(image, expected / expected.mean(), rtol=1e-6)


@given(
    st.lists(st.floats(-0.5, 0.5), min_size=6, max_size=6), st.integers(1, 40), st.integers(1, 40), st.floats(-5, 45)
)
def test_any_profile_is_its_polynomial(values: list[float], rows: int, columns: int, origin: float) -> None:
    one, x, y, xx, xy, yy = values
    field = FlatField(
        coefficients=((2 + one,), (x, y), (xx, xy, yy)), origin=(origin, 7), scale=(0.01, -0.02), shape=(rows, columns)
    )
    expected = term_by_term(field)
    np.testing.assert_allclose(illumination_of(field), expected / expected.mean(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("binning", [2, 3, 4])
def test_a_binned_image_has_the_mean_of_the_pixels_that_it_binned(binning: int) -> None:
    full = illumination_of(REAL).astype(float)
    rows, columns = (size // binning for size in full.shape)
    binned = full.reshape(rows, binning, columns, binning).mean((1, 3))
    np.testing.assert_allclose(illumination_of(REAL, (rows, columns)), binned, rtol=2e-5)


def test_an_uneven_image_becomes_even() -> None:
    light = illumination_of(REAL, (180, 216))
    plane = np.rint(20_000 * light).astype(np.uint16)[None]
    assert np.ptp(plane) > 5000
    assert np.ptp(flat_field(plane, light)) <= 2


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((0, 10), "cannot be"),
        ((10, -1), "cannot be"),
        ((10**9, 10**9), "cannot be"),
        ((1080, 1080), "1800 × 2160 pixels .* 1080 × 1080: they were cut"),
    ],
)
def test_shapes_that_cannot_be_are_refused(shape: tuple[int, int], says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        illumination_of(REAL, shape)


@pytest.mark.parametrize("coefficients", [((0.0,),), ((-1.0,),), ((1e308,), (1e308, 1e308)), ((1e-9,), (1e40, 0.0))])
def test_a_profile_that_is_no_light_is_refused(coefficients: tuple[tuple[float, ...], ...]) -> None:
    field = FlatField(coefficients=coefficients, origin=(1, 1), scale=(9, 9), shape=(3, 3))
    with pytest.raises(InvalidValue, match="no light"):
        illumination_of(field)
