"""Tasks run side by side only as far as their peaks fit the room they share."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhcs.plan.admit import may_start
from openhcs.plan.model import Task
from openhcs.run.attempt import Report
from openhcs.run.pool import Processes, Threads

ROOM = 100


def well(number, peak):
    return Task(well=f"A{number:02d}", planes=(), calls=0, peak_bytes=peak, bytes_in=0, images=(), labels=(), stored=())


@dataclass(frozen=True)
class Noting:
    """A job whose tasks do nothing but say when they ran."""

    output: str

    def do(self, task):
        start = time.monotonic()
        time.sleep(0.1)
        said = {"start": start, "end": time.monotonic(), "peak": task.peak_bytes}
        Path(self.output, f"{task.well}.json").write_text(json.dumps(said))
        return Report(bytes_in=0, bytes_out=0, seconds=0.0)


@pytest.mark.parametrize("executor", [Threads, Processes])
def test_a_big_well_does_not_run_beside_others_that_leave_no_room(executor, tmp_path):
    peaks = [30, 30, 90, 30, 60, 250, 10]
    tasks = [well(number, peak) for number, peak in enumerate(peaks, start=1)]
    begun = []
    outcomes = executor(3, 1, ROOM).run(Noting(str(tmp_path)), tasks, threading.Event(), begun.append)
    assert len(list(outcomes)) == len(peaks)
    assert begun == tasks
    ran = [json.loads(path.read_text()) for path in sorted(tmp_path.iterdir())]
    together = [[one for one in ran if one["start"] <= at["start"] < one["end"]] for at in ran]
    assert max(map(len, together)) > 1
    assert all(sum(one["peak"] for one in those) <= ROOM or len(those) == 1 for those in together)


@given(st.lists(st.integers(1, 50)), st.integers(1, 50), st.integers(1, 100))
def test_a_task_starts_where_it_fits_or_nothing_runs(running, peak, room):
    assert may_start(running, peak, room) is (sum([*running, peak]) <= room or running == [])
