"""What counts as an array on its way into storage."""

from __future__ import annotations

import numpy as np
import pytest

from openhcs.errors import FormatError, InvalidType
from openhcs.io.values import array_of

ARRAY = np.arange(6, dtype="uint16").reshape(2, 3)


class Tensor:
    """A device's tensor: numpy cannot have it before it is detached and moved."""

    def __init__(self, near=False):
        self.near = near

    def detach(self):
        return self

    def cpu(self):
        return Tensor(near=True)

    def __array__(self, dtype=None, copy=None):
        if not self.near:
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        return ARRAY


class DeviceArray:
    """An array on a device in cupy's way."""

    @property
    def __cuda_array_interface__(self):
        raise AssertionError("the device is not asked")

    def __array__(self, dtype=None, copy=None):
        raise TypeError("implicit conversion is not allowed; use .get()")

    def get(self):
        return ARRAY


class Table:
    """A table that could be an array, without the names of its columns."""

    def __dataframe__(self):
        return None

    def __array__(self, dtype=None, copy=None):
        return ARRAY


class Damaged:
    """An array in a file that cannot be read."""

    def __array__(self, dtype=None, copy=None):
        raise FormatError("the file is cut")


@pytest.mark.parametrize("value", [Tensor(), DeviceArray(), ARRAY, ARRAY.view(np.matrix), memoryview(ARRAY)])
def test_arrays_of_every_kind_and_device_become_numpy_ones(value):
    found = array_of(value)
    if isinstance(value, memoryview):
        assert found is None
    else:
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, ARRAY)


@pytest.mark.parametrize("value", [None, 3, "a", [1], {"a": 1}, Table(), np.ndarray, Tensor, b"x"])
def test_other_objects_and_tables_are_none(value):
    assert array_of(value) is None


def test_numbers_of_numpy_are_arrays_without_axes():
    assert array_of(np.uint16(7)) == 7
    assert array_of(np.uint16(7)).shape == ()


def test_an_error_of_ours_on_the_way_stays_itself():
    with pytest.raises(FormatError, match="cut"):
        array_of(Damaged())


def test_a_mask_is_never_lost():
    with pytest.raises(InvalidType, match="filled"):
        array_of(np.ma.masked_equal(ARRAY, 2))
