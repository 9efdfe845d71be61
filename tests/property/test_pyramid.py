"""Levels against a slow twin that computes with fractions."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from openhcs.errors import InvalidType, InvalidValue
from openhcs.io import pyramid
from openhcs.io.pyramid import downsample

INTEGERS = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "bool"]
SHAPES = nps.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=7)


def twin(image: np.ndarray) -> np.ndarray:
    """The mean of the pixels that are there, half rounded up, one pixel at a time."""
    y, x = image.shape
    out = np.empty(((y + 1) // 2, (x + 1) // 2), image.dtype.newbyteorder("="))
    for place in np.ndindex(out.shape):
        above = [int(one) for one in image[2 * place[0] : 2 * place[0] + 2, 2 * place[1] : 2 * place[1] + 2].ravel()]
        out[place] = (Fraction(sum(above), len(above)) + Fraction(1, 2)).__floor__()
    return out


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(INTEGERS), st.sampled_from("<>"))
def test_integer_levels_are_the_exact_mean_rounded_half_up(data: st.DataObject, dtype: str, order: str) -> None:
    array = data.draw(nps.arrays(np.dtype(dtype).newbyteorder(order), SHAPES))
    made = downsample(array)
    for place in np.ndindex(*array.shape[:-2]):
        np.testing.assert_array_equal(made[place], twin(array[place]))
    assert made.dtype == array.dtype.newbyteorder("=")


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from(["float16", "float32", "float64"]))
def test_float_levels_are_the_mean(data: st.DataObject, dtype: str) -> None:
    width = np.dtype(dtype).itemsize * 8
    limit = float(np.float16(6e4))
    values = st.floats(min_value=-limit, max_value=limit, width=width, allow_subnormal=False)
    array = data.draw(nps.arrays(dtype, SHAPES, elements=values))
    made = downsample(array)
    for place in np.ndindex(*made.shape):
        *lead, y, x = place
        above = array[(*lead, slice(2 * y, 2 * y + 2), slice(2 * x, 2 * x + 2))].astype("float64")
        info = np.finfo(dtype)
        expected = np.dtype(dtype).type(above.mean())
        np.testing.assert_allclose(
            made[place], expected, rtol=float(info.eps) * 4, atol=float(np.abs(above).max() * info.eps)
        )


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint64", "int64"])
def test_extreme_values_do_not_overflow(dtype: str) -> None:
    top = np.iinfo(dtype).max
    image = np.full((4, 5), top, dtype)
    assert (downsample(image) == top).all()


@pytest.mark.parametrize("value", [16382, 16383, 16384, 65535])
def test_sums_at_the_edge_of_16_bits_are_right(value: int) -> None:
    assert (downsample(np.full((2, 4), value, "uint16")) == value).all()


@pytest.mark.parametrize("view", ["transposed", "flipped", "every other", "odd stride"])
def test_any_view_gives_what_its_copy_gives(view: str) -> None:
    base = np.random.default_rng(1).integers(0, 65536, (31, 37), "uint16")
    image = {"transposed": base.T, "flipped": base[:, ::-1], "every other": base[::2, ::2], "odd stride": base[:, :36]}[
        view
    ]
    np.testing.assert_array_equal(downsample(image), downsample(np.ascontiguousarray(image)))


def test_images_larger_than_a_block_are_right_across_its_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(2).integers(0, 65536, (64, 33), "uint16")
    monkeypatch.setattr(pyramid, "MEAN", replace(pyramid.MEAN, block_bytes=300))
    np.testing.assert_array_equal(downsample(image), twin(image))


def test_the_input_is_left_alone() -> None:
    image = np.arange(20, dtype="uint16").reshape(4, 5)
    downsample(image)
    np.testing.assert_array_equal(image, np.arange(20).reshape(4, 5))


def test_what_has_no_mean_is_refused() -> None:
    with pytest.raises(InvalidType, match="no mean"):
        downsample(np.zeros((2, 2), "S3"))
    with pytest.raises(InvalidValue, match="images"):
        downsample(np.zeros(4))
