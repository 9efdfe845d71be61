"""The memory of a task is measured by what its process grew, alone, and not by what it held before."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

from openhcs.run import memory
from openhcs.run.memory import PeakOfTask, TracedPeak

linux = pytest.mark.skipif(sys.platform != "linux", reason="exact peaks are counted by Linux")
MB = 10**6


def taken(before, during):
    """Return what a new process says that a task took, which ran some lines after others; None if nothing."""
    code = f"""
import numpy as np
from openhcs.run import memory
MB = 10**6
{before}
memory.settled()
with memory.PeakOfTask() as peak:
    {during}
    print(peak.bytes)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout)


@linux
def test_a_task_is_measured_by_what_it_took_at_most():
    assert 39 * MB <= taken("", "np.ones(40 * MB, np.uint8)") <= 44 * MB


@linux
def test_what_was_taken_before_does_not_count():
    before = "held = np.ones(50 * MB, np.uint8)\nnp.ones(150 * MB, np.uint8)"
    assert 19 * MB <= taken(before, "np.ones(20 * MB, np.uint8)") <= 24 * MB


@linux
def test_what_a_worker_keeps_from_task_to_task_counts_for_each():
    before = "memory.settled()\nkept = np.ones(30 * MB, np.uint8)\nmemory.settled = lambda: None"
    assert 29 * MB <= taken(before, "pass") <= 34 * MB


@pytest.fixture
def worker(monkeypatch):
    """Stand for a process that does nothing but tasks."""
    monkeypatch.setattr(memory, "_idle", None)
    memory.settled()


def test_nothing_is_told_in_a_process_that_did_other_things_before(monkeypatch):
    monkeypatch.setattr(memory, "_idle", None)
    with PeakOfTask() as peak:
        np.ones(20 * MB, np.uint8)
        assert peak.bytes is None


def test_nothing_is_told_of_tasks_that_share_a_process(worker):
    told, ready, end = [], threading.Event(), threading.Event()

    def other():
        with PeakOfTask() as peak:
            ready.set()
            end.wait()
            told.append(peak.bytes)

    thread = threading.Thread(target=other)
    thread.start()
    ready.wait()
    with PeakOfTask() as peak:
        told.append(peak.bytes)
    end.set()
    thread.join()
    assert told == [None, None]
    assert not memory._running


def test_where_the_peak_cannot_be_counted_anew_a_task_is_told_of_that_sets_a_new_one(monkeypatch):
    held = iter(
        [memory._Held(100, 500, 0), memory._Held(120, 480, 0), memory._Held(100, 500, 0), memory._Held(90, 700, 0)]
    )
    monkeypatch.setattr(memory, "_reset_peak", lambda: False)
    monkeypatch.setattr(memory, "_held", lambda: next(held))
    monkeypatch.setattr(memory, "_idle", memory._Held(100, 500, 0))
    with PeakOfTask() as peak:
        assert peak.bytes is None
    with PeakOfTask() as peak:
        assert peak.bytes == 600


def test_what_a_call_takes_is_told_beyond_what_was_there():
    held = np.ones(5 * MB, np.uint8)
    with TracedPeak() as taken:
        assert len([np.ones(MB, np.uint8) for _ in range(3)]) == 3
    assert 3 * MB <= taken.bytes <= 3 * MB + 100_000
    assert held[0]
