"""Built-in functions give what scipy, scikit-image and numpy give, plane by plane."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.measure import label
from skimage.morphology import footprint_rectangle
from skimage.morphology import white_tophat as tophat_of_skimage

from openhcs import steps
from openhcs.core.special import Output, special_outputs_of
from openhcs.errors import InvalidValue, UsageError

Function = Callable[..., Any]


def labels(stack: Any, **arguments: Any) -> Any:
    """Return the labels that come beside a stack, which is the very stack."""
    image, found = steps.threshold_label(stack, **arguments)
    assert image is stack
    return found


SAME = (steps.percentile_normalize, steps.gaussian, steps.white_tophat)
ONE = (steps.max_projection, steps.mean_projection)
DTYPES = ("uint8", "uint16", "int16", "uint32", "float32", "float64")


def cells(dtype: str = "uint16", n: int = 3) -> Any:
    """Return noisy planes (n, 64, 80) with a few bright discs."""
    random = np.random.default_rng(7)
    y, x = np.mgrid[:64, :80]
    stack = random.normal(20, 2, (n, 64, 80))
    for k in range(n):
        for row, column in random.integers(10, 54, (5, 2)):
            stack[k] += 80 * ((y - row) ** 2 + (x - column) ** 2 < 30)
    return np.clip(stack, 0, 255).astype(dtype)


@pytest.mark.parametrize("function", SAME)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_filter_gives_the_same_shape_and_dtype_and_leaves_its_input(function: Function, dtype: str) -> None:
    stack = cells(dtype)
    before = stack.copy()
    stack.flags.writeable = False
    out = function(stack)
    assert (out.shape, out.dtype) == (stack.shape, stack.dtype)
    assert not np.shares_memory(out, stack)
    np.testing.assert_array_equal(stack, before)


@pytest.mark.parametrize("function", [*SAME, labels])
def test_planes_do_not_mix(function: Function) -> None:
    stack = cells()
    alone = np.concatenate([function(stack[k : k + 1]) for k in range(len(stack))])
    np.testing.assert_array_equal(function(stack), alone)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_percentiles_become_the_ends_of_the_range(dtype: str) -> None:
    stack = cells(dtype)
    top = np.iinfo(dtype).max
    expected = np.empty_like(stack)
    for k, plane in enumerate(stack.astype(float)):
        low, high = np.percentile(plane, 2), np.percentile(plane, 98)
        for (y, x), value in np.ndenumerate(plane):
            expected[k, y, x] = int(min(max((value - low) / (high - low), 0), 1) * top + 0.5)
    np.testing.assert_array_equal(steps.percentile_normalize(stack, low=2, high=98), expected)


def test_floats_are_stretched_to_one() -> None:
    out = steps.percentile_normalize(cells("float32"), low=0, high=100)
    assert (out.min(), out.max()) == (0, 1)


def test_a_flat_plane_becomes_zero() -> None:
    assert not steps.percentile_normalize(np.full((2, 8, 8), 700, "uint16")).any()


def test_gaussian_is_scipys_rounded_to_the_nearest() -> None:
    stack = cells()
    exact = np.stack([ndimage.gaussian_filter(plane.astype(float), 1.5) for plane in stack])
    out = steps.gaussian(stack, sigma=1.5)
    assert np.abs(out - exact).max() <= 0.5
    np.testing.assert_array_equal(steps.gaussian(stack.astype(float), sigma=1.5), exact)


def test_a_flat_plane_stays_flat_under_a_gaussian() -> None:
    flat = np.full((1, 40, 40), 65535, "uint16")
    np.testing.assert_array_equal(steps.gaussian(flat, sigma=3), flat)


def test_white_tophat_is_that_of_scikit_image() -> None:
    stack = cells()
    expected = [tophat_of_skimage(plane, footprint_rectangle((9, 9))) for plane in stack]
    np.testing.assert_array_equal(steps.white_tophat(stack, size=9), np.stack(expected))


def test_white_tophat_removes_a_slope_and_keeps_a_spot() -> None:
    slope = np.tile(np.arange(100, dtype="uint16"), (100, 1))
    spot = slope.copy()
    spot[50:53, 50:53] += 1000
    out = steps.white_tophat(np.stack([slope, spot]), size=11)
    assert out[0, :, 5:-5].max() == 0
    assert out[1, 51, 51] > 990


@pytest.mark.parametrize("dtype", DTYPES)
def test_projections_are_numpys(dtype: str) -> None:
    stack = cells(dtype, n=4)
    highest, mean = steps.max_projection(stack), steps.mean_projection(stack)
    assert highest.shape == mean.shape == (1, 64, 80)
    assert highest.dtype == mean.dtype == stack.dtype
    np.testing.assert_array_equal(highest[0], np.max(stack, axis=0))
    exact = stack.astype("float64").sum(axis=0) / 4
    rounds = np.dtype(dtype).kind in "iu"
    np.testing.assert_array_equal(mean[0], np.floor(exact + 0.5) if rounds else exact.astype(dtype))


def test_projecting_one_plane_changes_nothing() -> None:
    stack = cells(n=1)
    np.testing.assert_array_equal(steps.max_projection(stack), stack)
    np.testing.assert_array_equal(steps.mean_projection(stack), stack)


def test_labels_are_otsu_and_connected_objects() -> None:
    stack = steps.gaussian(cells())
    out = labels(stack)
    for plane, found in zip(stack, out, strict=True):
        np.testing.assert_array_equal(found, label(plane > threshold_otsu(plane)))
        assert len(np.unique(found)) == ndimage.label(plane > threshold_otsu(plane), np.ones((3, 3)))[1] + 1


@pytest.mark.parametrize("dtype", ["uint16", "int32", "uint8"])
def test_labels_have_the_dtype_that_was_asked_for(dtype: str) -> None:
    assert labels(steps.gaussian(cells()), dtype=dtype).dtype == dtype


def test_a_plane_without_cells_has_no_labels() -> None:
    assert not labels(np.full((1, 16, 16), 100, "uint16")).any()


def test_finding_objects_leaves_the_stack_as_it_was() -> None:
    stack = cells()
    before = stack.copy()
    stack.flags.writeable = False
    assert labels(stack).dtype == "uint32"
    np.testing.assert_array_equal(stack, before)
    assert special_outputs_of(steps.threshold_label) == (Output("objects", "labels"),)


def test_more_objects_than_the_dtype_counts_are_refused() -> None:
    dots = np.zeros((1, 64, 64), "uint16")
    dots[:, ::2, ::2] = 500
    with pytest.raises(InvalidValue, match="1024 objects, uint8 counts to 255"):
        steps.threshold_label(dots, dtype="uint8")


@pytest.mark.parametrize(
    ("function", "arguments", "says"),
    [
        (steps.percentile_normalize, {"low": 99, "high": 1}, "low < high"),
        (steps.percentile_normalize, {"high": 101}, "<= 100"),
        (steps.gaussian, {"sigma": -1}, "from 0 on"),
        (steps.gaussian, {"sigma": float("nan")}, "from 0 on"),
        (steps.white_tophat, {"size": 0}, "from 1 on"),
        (steps.threshold_label, {"dtype": "float32"}, "labels are integers"),
    ],
)
def test_wrong_arguments_are_refused_with_what_is_allowed(
    function: Function, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidValue, match=says):
        function(cells(), **arguments)


@pytest.mark.parametrize("function", [*SAME, labels])
def test_an_array_that_is_no_stack_is_refused(function: Function) -> None:
    with pytest.raises(InvalidValue, match=r"\(n, y, x\)"):
        function(cells()[0])


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.ndimage", None)
    with pytest.raises(UsageError, match=r"needs scipy; .*pip install 'openhcs\[steps\]'"):
        steps.gaussian(cells())
