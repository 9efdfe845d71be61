"""Memory keeps what it is handed: no copy, no scan, whatever the size."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from openhcs import FileManager
from openhcs.io.memory import MemoryBackend


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("size", [1, 1 << 24])
def test_put_and_get_of_a_handed_over_array_copy_nothing(size):
    files = FileManager()
    array = np.ones(size, "uint16")
    place = address(array)
    tracemalloc.start()
    files.save(array, "step/A01_s1.npy", "memory", hand_over=True)
    loaded = files.load("step/A01_s1.npy", "memory")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert address(loaded) == place
    assert peak < 20_000


def test_put_and_take_give_the_very_array():
    backend = MemoryBackend()
    array = np.ones((64, 64), "uint16")
    backend.save(array, "a", hand_over=True)
    assert backend.take("a") is array


def test_a_saved_array_is_copied_once():
    files = FileManager()
    array = np.ones(1 << 20, "uint8")
    tracemalloc.start()
    files.save(array, "a", "memory")
    files.load("a", "memory")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert array.nbytes <= peak < 1.1 * array.nbytes


def test_listing_a_folder_and_finding_a_value_looks_at_no_other():
    backend = MemoryBackend()
    backend.save(0, "wanted/a")

    class Untouchable(dict):
        def __iter__(self):
            raise AssertionError("another folder was scanned")

        items = keys = values = __iter__

    for number in range(50):
        backend.save(number, f"other/{number}")
    backend._children["other"] = Untouchable(backend._children["other"])
    backend._items = Untouchable(backend._items)
    assert list(backend.list("wanted")) == ["wanted/a"]
    assert list(backend.list("wanted", recursive=True)) == ["wanted/a"]
    assert list(backend.list("")) == ["wanted", "other"]
    found = [backend.exists(path) for path in ("wanted/a", "wanted", "wanted/none", "other/7")]
    assert found == [True, True, False, True]
