"""Composite, illumination and measuring, against numpy, scipy and scikit-image called directly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.measure import regionprops

from openhcs import steps
from openhcs.errors import InvalidValue

stacks = hnp.arrays(np.uint16, st.tuples(st.integers(1, 4), st.just(5), st.just(6)))


@given(stacks)
def test_a_composite_without_weights_is_the_mean_and_of_one_plane_the_plane(stack):
    made = steps.composite(stack)
    assert (made.shape, made.dtype) == ((1, 5, 6), stack.dtype)
    assert np.array_equal(made, np.floor(stack.mean(axis=0, keepdims=True) + 0.5).astype(np.uint16))
    alone = steps.composite(stack, [1, *[0] * (len(stack) - 1)])
    assert np.array_equal(alone[0], stack[0])


@pytest.mark.parametrize("weights", [[1], [1, -1], [0, 0], [1, 2, 3], [np.nan, 1]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(InvalidValue, match="composite takes 2 weights"):
        steps.composite(np.ones((2, 3, 3)), weights)


@given(stacks, st.integers(1, 3))
def test_sums_of_parts_add_up_to_those_of_the_whole(stack, cut):
    parts = [part for part in (stack[:cut], stack[cut:]) if len(part)]
    total = sum(steps.illumination_sums(part)[1] for part in parts)
    same, whole = steps.illumination_sums(stack)
    assert same is stack
    assert np.array_equal(total, whole)


def test_illumination_is_the_smoothed_mean_and_one_on_average():
    stack = np.random.default_rng(0).integers(1, 500, (6, 40, 50)).astype(np.uint16)
    sums = [steps.illumination_sums(stack[:2])[1], steps.illumination_sums(stack[2:])[1]]
    field = steps.combine_illumination(sums, sigma=4)
    expected = ndimage.gaussian_filter(stack.mean(axis=0), 4, mode="nearest")
    assert np.allclose(field, expected / expected.mean(), rtol=1e-12)
    assert field.mean() == pytest.approx(1)


@given(stacks)
def test_an_even_illumination_changes_nothing(stack):
    even = np.ones(stack.shape[1:])
    assert np.array_equal(steps.flat_field(stack, even), stack)
    assert np.array_equal(steps.flat_field(stack, even, dark=100), stack)


def test_an_uneven_illumination_is_taken_out_of_what_it_made():
    truth = np.full((2, 20, 20), 1000.0)
    field = np.linspace(0.5, 1.5, 400).reshape(20, 20)
    seen = (truth * field + 100).astype(np.float32)
    assert np.allclose(steps.flat_field(seen, field, dark=100), 1100, rtol=1e-6)


def test_what_cannot_be_corrected_is_told():
    with pytest.raises(InvalidValue, match="nothing but 0"):
        steps.combine_illumination([np.stack([np.zeros((3, 3)), np.ones((3, 3))])])
    with pytest.raises(InvalidValue, match=r"illumination of \(2, 2\)"):
        steps.flat_field(np.ones((1, 3, 3)), np.ones((2, 2)))
    with pytest.raises(InvalidValue, match="sigma"):
        steps.combine_illumination([np.ones((2, 3, 3))], sigma=-1)


def test_objects_are_measured_as_scikit_image_does_plane_by_plane():
    stack = np.random.default_rng(1).integers(0, 1000, (2, 60, 70)).astype(np.uint16)
    labels = np.stack([ndimage.label(ndimage.gaussian_filter(plane.astype(float), 3) > 500)[0] for plane in stack])
    found = steps.measure_objects(stack, labels, pixel_size_um=0.5)
    expected = [
        (
            number,
            one.label,
            one.area,
            *one.centroid,
            one.eccentricity,
            one.intensity_mean,
            float(plane[found == one.label].sum()),
        )
        for number, (plane, found) in enumerate(zip(stack, labels, strict=True))
        for one in regionprops(found, plane)
    ]
    names = ("plane", "label", "area_px", "centroid_y_px", "centroid_x_px", "eccentricity", "mean", "sum")
    assert len(expected) > 5
    assert np.allclose(np.stack([found[name] for name in names], axis=1), np.array(expected, float))
    assert np.array_equal(found["area_um2"], found["area_px"] * 0.25)


def test_planes_without_objects_give_columns_without_rows():
    found = steps.measure(np.ones((2, 4, 4)), np.zeros((2, 4, 4), np.uint8))[1]
    assert {len(column) for column in found.values()} == {0}
    with pytest.raises(InvalidValue, match="plane by plane"):
        steps.measure_objects(np.ones((2, 4, 4)), np.zeros((1, 4, 4), np.uint8))
