"""A made-up GPU: the freest device is taken, calls wait for a place, and a lack of memory halves what is given."""

from __future__ import annotations

import threading

import numpy as np
import pytest

pytest.importorskip("torch")

from openhcs import array_type, special_outputs
from openhcs.core.steps import parse_chain
from openhcs.errors import OutOfBudget, StepError
from openhcs.run import devices
from openhcs.run.calls import Place, call_chain


class OutOfMemoryError(RuntimeError):
    """As torch and cupy call theirs."""


class MadeUp:
    """Two devices, the second with more room."""

    def __init__(self, *free):
        self._free = free

    def free(self):
        return self._free

    def name(self, number):
        return f"made-up:{number}"


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setitem(devices.SEEN, "torch", MadeUp(1_000, 16_000))


def test_the_device_with_most_free_bytes_is_taken(two, tmp_path):
    with devices.slot("torch", 100, tmp_path) as device:
        assert device == "made-up:1"
    with devices.slot("jax", 100, tmp_path) as device:
        assert device is None


def test_no_more_calls_run_at_once_than_fit(two, tmp_path):
    inside, most, lock = [], [], threading.Lock()

    def work():
        with devices.slot("torch", 1000, tmp_path):
            with lock:
                inside.append(1)
                most.append(len(inside))
            threading.Event().wait(0.02)
            with lock:
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 16_000 // (1000 * devices.NEEDS) == 2
    assert len(most) == 6


def on_small_memory(room, **outputs):
    seen = []

    def work(stack):
        seen.append(len(stack))
        stack += 1
        if len(stack) > room:
            raise OutOfMemoryError("CUDA out of memory")
        return (stack, stack.int()) if outputs else stack

    marked = special_outputs(**outputs)(work) if outputs else work
    return array_type("torch", slicewise=True)(marked), seen


def call(func, planes=5):
    stack = np.arange(planes * 6, dtype=np.float32).reshape(planes, 2, 3)
    return stack.copy(), call_chain(parse_chain(func), stack, Place("s", "A01", "A01 site 1"))


def test_a_stack_that_does_not_fit_is_given_in_halves_and_comes_back_whole():
    func, seen = on_small_memory(2, nuclei="labels")
    stack, made = call(func)
    assert seen == [5, 3, 2, 2, 1]
    assert np.array_equal(made.planes, stack + 1)
    assert np.array_equal(made.labels["nuclei"], (stack + 1).astype(np.int32))


def test_a_plane_that_does_not_fit_alone_fails_its_well_with_numbers():
    func, seen = on_small_memory(0)
    with pytest.raises(StepError, match="no memory for one plane of 5"):
        call(func)
    assert seen == [5, 3, 2, 1]


def test_only_a_lack_of_memory_is_tried_again():
    tries = []

    @array_type("torch", slicewise=True)
    def broken(stack):
        tries.append(1)
        raise ValueError("no")

    with pytest.raises(StepError, match="ValueError: no"):
        call(broken)
    assert len(tries) == 1
    with pytest.raises(OutOfBudget):
        devices.in_parts(lambda part: (_ for _ in ()).throw(OutOfMemoryError("x")), 1, joined=list)


def test_other_values_than_labels_cannot_be_put_together():
    func, _ = on_small_memory(2, field="array")
    with pytest.raises(StepError, match="gives images and labels alone"):
        call(func)
