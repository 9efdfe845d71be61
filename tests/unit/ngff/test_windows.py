"""Histograms and display windows against numpy's own percentiles."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from openhcs.ngff.windows import Window, merge, percentile, window
from openhcs.run.histogram import histogram

SHAPES = nps.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=9)
KINDS = ["uint8", "uint16", "int16", "int32", "uint64", "float32", "float64"]


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(KINDS), st.floats(0, 1))
def test_a_percentile_lies_in_the_bin_that_is_told(data: st.DataObject, dtype: str, part: float) -> None:
    finite = (
        st.floats(-(2.0**99), 2.0**99, width=32 if dtype == "float32" else 64) if dtype.startswith("float") else None
    )
    array = data.draw(nps.arrays(dtype, SHAPES, elements=finite))
    found = percentile(histogram(array), part)
    ordered = np.sort(array.astype("float32").ravel())
    value = ordered[min(int(part * ordered.size), ordered.size - 1)]
    assert found is not None
    assert found[0] <= value <= found[1]


@settings(max_examples=50, deadline=None)
@given(st.data(), st.sampled_from(["uint16", "int16", "float32"]))
def test_merging_counts_what_counting_together_counts(data: st.DataObject, dtype: str) -> None:
    one, other = (data.draw(nps.arrays(dtype, (3, 4))) for _ in range(2))
    assert merge([histogram(one), histogram(other)]) == histogram(np.stack([one, other]))


def test_whole_numbers_below_128_have_a_bin_each() -> None:
    image = np.repeat(np.arange(128, dtype="uint8"), 8).reshape(32, 32)
    shown = window(histogram(image), "uint8")
    assert (shown.start, shown.end) == (0, 127)


def test_wide_values_are_right_within_a_sixty_fourth() -> None:
    values = np.random.default_rng(0).gamma(3, 900, (1080, 1080)).clip(0, 65535).astype("uint16")
    shown = window(histogram(values), "uint16")
    low, high = np.percentile(values, [0.1, 99.9])
    assert shown.start == pytest.approx(low, rel=0.1, abs=4)
    assert shown.end == pytest.approx(high, rel=1 / 20)


def test_a_flat_image_has_a_window_of_one() -> None:
    assert window(histogram(np.full((4, 4), 7, "uint16")), "uint16") == Window(min=0, max=65535, start=7, end=8)
    assert window(histogram(np.full((4, 4), 255, "uint8")), "uint8").end == 255


def test_without_pixels_the_whole_range_is_shown() -> None:
    assert window(None, "uint16") == Window(min=0, max=65535, start=0, end=65535)
    assert window({"codes": [], "counts": []}, "uint8").end == 255


def test_negative_values_have_windows_too() -> None:
    shown = window(histogram(np.full((4, 4), -5, "int16")), "int16")
    assert (shown.start, shown.end) == (-5, -4)
    shown = window(histogram(np.arange(-100, -4, dtype="int16").reshape(8, 12)), "int16")
    assert (shown.start, shown.end) == (-100, -5)


def test_not_a_number_and_infinity_are_left_out() -> None:
    image = np.array([[np.nan, np.inf], [0.5, 0.5]], "float32")
    counted = histogram(image)
    assert sum(counted["counts"]) == 2
    json.dumps(window(counted, "float32").end, allow_nan=False)


def test_the_largest_float_still_makes_a_number() -> None:
    shown = window(histogram(np.full((2, 2), np.finfo("float32").max, "float32")), "float32")
    json.dumps([shown.start, shown.end], allow_nan=False)


def test_a_histogram_is_compact() -> None:
    image = np.random.default_rng(0).integers(0, 65536, (2160, 2160), "uint16")
    assert len(json.dumps(histogram(image))) < 8000


def test_large_planes_are_sampled_and_small_ones_counted_whole() -> None:
    assert sum(histogram(np.zeros((200, 300), "uint16"))["counts"]) == 60_000
    counted = sum(histogram(np.zeros((3, 2160, 2160), "uint16"))["counts"])
    assert 3 * 2**14 <= counted <= 3 * 2**16
