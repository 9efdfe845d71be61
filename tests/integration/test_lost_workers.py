"""Functions that kill their process or hang: told with step and group, and the rest of the plate is done."""

from __future__ import annotations

import ctypes
import os
import time

import numpy as np
import pytest

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, open_plate
from openhcs.errors import InvalidValue
from openhcs.testing.synthetic import make_plate

WELLS = ["A01", "A02", "A03"]


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    return make_plate(tmp_path_factory.mktemp("plates") / "P1", wells=WELLS, sites=2, channels=["DAPI"], size=(32, 32))


def on(plate, well, site, action):
    """Return a step that does something on one plane and passes on all others."""
    wanted = int(open_plate(plate)[well].site(site).channel("DAPI").read().astype(np.int64).sum())

    def maybe(stack, wanted):
        if int(stack.astype(np.int64).sum()) == wanted:
            action()
        return stack

    return FunctionStep((maybe, {"wanted": wanted}), "maybe", [], out="same", out_dtype="uint16")


@pytest.mark.parametrize(
    "end",
    [lambda: os._exit(3), lambda: ctypes.string_at(0), lambda: os.kill(os.getpid(), 9)],
    ids=["exit", "fault", "kill"],
)
def test_a_call_that_takes_its_process_along_is_named_and_the_rest_is_done(plate, tmp_path, end):
    config = GlobalPipelineConfig(num_workers=2)
    result = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=config).run([on(plate, "A02", 2, end)])
    (failed,) = result.failed
    assert failed.well == "A02"
    assert "killed twice at step maybe: maybe on A02 site 2 channel 1 z 1 t 1, likely out of memory" in failed.message
    assert "planned" in failed.message
    assert "limit" in failed.message
    assert result.done == ("A01", "A03")


def test_a_call_that_hangs_is_ended_after_the_timeout_and_named(plate, tmp_path):
    config = GlobalPipelineConfig(num_workers=2, timeout=3)
    step = on(plate, "A03", 1, lambda: time.sleep(600))
    result = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=config).run([step])
    (failed,) = result.failed
    assert failed.well == "A03"
    assert "ended after 3 s at step maybe: maybe on A03 site 1 channel 1" in failed.message
    assert result.done == ("A01", "A02")
    assert os.listdir(tmp_path / "o/.openhcs/staging") == []


def test_one_worker_with_a_timeout_is_a_process_too(plate, tmp_path):
    config = GlobalPipelineConfig(num_workers=1, timeout=3)
    step = on(plate, "A01", 1, lambda: time.sleep(600))
    result = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=config).run([step])
    assert [one.well for one in result.failed] == ["A01"]
    assert result.done == ("A02", "A03")


@pytest.mark.parametrize("more", [{"use_threading": True}, {"dask": "tcp://127.0.0.1:1"}])
def test_what_cannot_be_ended_takes_no_timeout(more):
    with pytest.raises(InvalidValue, match="timeout ends worker processes"):
        GlobalPipelineConfig(timeout=3, **more)
