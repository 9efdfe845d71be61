"""Levels of labels against a slow twin that counts, and against the rule that no value is new."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from openhcs.core.arrays import level_shapes
from openhcs.errors import InvalidType, InvalidValue
from openhcs.io import pyramid
from openhcs.io.pyramid import downsample_labels

DTYPES = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]
SHAPES = nps.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=7)


def twin(image: np.ndarray) -> np.ndarray:
    """The value that is there most often, of several the smallest other than 0, one pixel at a time."""
    y, x = image.shape
    out = np.empty(((y + 1) // 2, (x + 1) // 2), image.dtype)
    for place in np.ndindex(out.shape):
        above = image[2 * place[0] : 2 * place[0] + 2, 2 * place[1] : 2 * place[1] + 2]
        counts = Counter(above.ravel().tolist())
        often = [value for value, count in counts.items() if count == max(counts.values())]
        out[place] = min(often, key=lambda value: (value == 0, value))
    return out


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(DTYPES), st.sampled_from("<>"), st.integers(1, 127))
def test_a_level_of_labels_is_the_mode_of_four_pixels(data: st.DataObject, dtype: str, order: str, most: int) -> None:
    kind = np.dtype(dtype).newbyteorder(order)
    array = data.draw(nps.arrays(kind, SHAPES, elements=st.integers(0, most)))
    before = array.copy()
    made = downsample_labels(array)
    for place in np.ndindex(*array.shape[:-2]):
        np.testing.assert_array_equal(made[place], twin(array[place]))
    assert made.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(array, before)


def test_every_way_of_four_pixels_to_be_equal_is_right() -> None:
    blocks = np.stack(np.meshgrid(*[range(5)] * 4, indexing="ij"), -1).reshape(-1, 2, 2).astype("uint32")
    expected = np.stack([twin(block) for block in blocks])
    np.testing.assert_array_equal(downsample_labels(blocks), expected)
    wide = blocks.transpose(1, 0, 2).reshape(2, -1)
    np.testing.assert_array_equal(downsample_labels(wide), expected.reshape(1, -1))


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from(DTYPES))
def test_no_level_holds_a_value_that_the_labels_do_not(data: st.DataObject, dtype: str) -> None:
    array = data.draw(nps.arrays(dtype, nps.array_shapes(min_dims=2, max_dims=2, max_side=40)))
    level = array
    for shape in level_shapes(array.shape, 6)[1:]:
        level = downsample_labels(level)
        assert level.shape == shape
        assert set(level.ravel().tolist()) <= set(array.ravel().tolist())


def test_one_pixel_of_an_object_among_background_of_its_size_lasts() -> None:
    assert downsample_labels(np.array([[0, 0], [9, 9]], "uint16")).tolist() == [[9]]
    assert downsample_labels(np.array([[0, 0], [0, 9]], "uint16")).tolist() == [[0]]
    assert downsample_labels(np.array([[0, 9, 4]], "uint16")).tolist() == [[9, 4]]


def test_labels_larger_than_a_block_are_right_across_its_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(2).integers(0, 4, (64, 33), "uint16")
    monkeypatch.setattr(pyramid, "MODE", replace(pyramid.MODE, block_bytes=300))
    np.testing.assert_array_equal(downsample_labels(image), twin(image))


def test_what_is_no_label_image_is_refused() -> None:
    with pytest.raises(InvalidType, match="labels are integers, not float32"):
        downsample_labels(np.zeros((2, 2), "float32"))
    with pytest.raises(InvalidType, match="labels are integers, not bool"):
        downsample_labels(np.zeros((2, 2), "bool"))
    with pytest.raises(InvalidValue, match="images"):
        downsample_labels(np.zeros(4, "uint8"))
