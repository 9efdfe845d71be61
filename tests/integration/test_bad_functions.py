"""Functions that return or do what they should not: told with step, well and group, and the rest is done."""

from __future__ import annotations

import re
import sys
import threading

import numpy as np
import pytest

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, open_plate, special_outputs
from openhcs.errors import OpenHCSError, PlanError
from openhcs.run.status import status
from openhcs.testing.synthetic import make_plate

WELLS = ("A01", "A02", "A03")
SERIAL = GlobalPipelineConfig(num_workers=1, use_threading=True)
THREADS = GlobalPipelineConfig(num_workers=2, use_threading=True)
PROCESSES = GlobalPipelineConfig(num_workers=2)


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    return make_plate(tmp_path_factory.mktemp("plates") / "P1", wells=WELLS, sites=2, channels=["DAPI"], size=(32, 24))


def total(plate, well, site):
    return int(pixels(plate, well, site).sum(dtype=np.int64))


def pixels(plate, well, site):
    return open_plate(plate)[well].site(site).channel("DAPI").z(1).read()


def on_one(plate, action, **declared):
    """Return a step whose function does something else on site 2 of well A02 alone."""
    wanted = total(plate, "A02", 2)

    def maybe(stack, wanted):
        return action(stack) if int(stack.sum(dtype=np.int64)) == wanted else stack

    return FunctionStep((maybe, {"wanted": wanted}), "maybe", [], **({"out": "same", "out_dtype": "uint16"} | declared))


def generated(stack):
    yield stack


def recursed(stack):
    return recursed(stack)


def ended(stack):
    sys.exit(5)


class Unplain(np.ndarray):
    """An array of a class of its own."""


WRONG = [
    (lambda stack: None, "returned None; did it forget to return its array"),
    (generated, "returned an array of object"),
    (lambda stack: "text", "returned an array of <U4"),
    (lambda stack: {"a": 1}, "returned an array of object"),
    (lambda stack: (stack, 1), "returned a tuple; a step returns one array"),
    (lambda stack: stack.astype(object), "returned an array of object"),
    (lambda stack: np.float64(3), r"returned an array of shape \(\)"),
    (lambda stack: stack[0, 0], r"returned an array of shape \(24,\)"),
    (lambda stack: stack[:, :0], r"returned an array of shape \(1, 0, 24\)"),
    (lambda stack: stack[:, 1:], r"made \(1, 31, 24\) uint16, the plan says \(1, 32, 24\) uint16"),
    (lambda stack: np.repeat(stack, 2, axis=0), r"made \(2, 32, 24\) uint16, the plan says \(1, 32, 24\)"),
    (lambda stack: stack.astype(np.float32), r"made \(1, 32, 24\) float32, the plan says \(1, 32, 24\) uint16"),
    (lambda stack: stack.astype("datetime64[s]"), "returned an array of datetime64"),
    (lambda stack: 1 // 0, "raised on A02 site 2 .*ZeroDivisionError"),
    (recursed, "raised on A02 site 2 .*RecursionError"),
    (ended, "raised on A02 site 2 .*SystemExit: 5"),
    (lambda stack: stack.missing, "raised on A02 site 2 .*AttributeError"),
]


@pytest.mark.parametrize("config", [SERIAL, THREADS, PROCESSES], ids=["serial", "threads", "processes"])
def test_a_call_gone_wrong_is_told_with_its_place_and_the_rest_of_the_plate_is_done(plate, tmp_path, config):
    cases = WRONG if config is SERIAL else WRONG[::6]
    for number, (action, words) in enumerate(cases):
        orchestrator = PipelineOrchestrator(plate, output=tmp_path / str(number), global_config=config)
        result = orchestrator.run([on_one(plate, action)])
        (failed,) = result.failed
        assert (failed.well, failed.step) == ("A02", "maybe"), failed.message
        assert re.search(words, failed.message), failed.message
        assert "A02 site 2 channel 1" in failed.message
        assert result.done == ("A01", "A03")


FINE = [
    ("a view of what it got", lambda stack: stack[:, ::-1]),
    ("column order", lambda stack: np.asfortranarray(stack + 1)),
    ("read-only", lambda stack: np.broadcast_to(stack[:, :1], stack.shape)),
    ("big-endian", lambda stack: stack.astype(">u2")),
    ("a list of planes", lambda stack: [plane + 1 for plane in stack]),
    ("a plane alone", lambda stack: stack[0] + 1),
    ("a class of its own", lambda stack: (stack + 1).view(Unplain)),
    ("mutated in place", lambda stack: np.add(stack, 1, out=stack)),
]


@pytest.mark.parametrize(("name", "function"), FINE, ids=[name for name, _ in FINE])
def test_unusual_arrays_that_hold_an_image_are_kept_as_it(plate, tmp_path, name, function):
    keep = FunctionStep(lambda stack: stack, "keep", [], out="same", out_dtype="uint16", force_disk_output=True)
    steps = [keep, FunctionStep(function, "f", []), FunctionStep(lambda stack: stack, "last", [])]
    result = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL).run(steps)
    assert result.ok, result.failed
    made = open_plate(tmp_path / "o/images.zarr")["A02"].site(2).channel("DAPI").z(1).read()
    before = pixels(plate, "A02", 2)
    assert np.array_equal(made, np.asarray(function(before[None].copy())).reshape(before.shape))
    kept = open_plate(tmp_path / "o/steps/1_keep.zarr")["A02"].site(2).channel("DAPI").z(1).read()
    assert np.array_equal(kept, before)


def test_nan_is_kept_as_it_is(plate, tmp_path):
    def empty(stack):
        return np.full(stack.shape, np.nan, np.float32)

    assert PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL).run([FunctionStep(empty)]).ok
    assert np.isnan(open_plate(tmp_path / "o/images.zarr")["A01"].site(1).read()).all()


def test_masked_arrays_lose_their_mask_to_what_lies_beneath(plate, tmp_path):
    def masked(stack):
        return np.ma.masked_greater(stack, 100)

    assert PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL).run([FunctionStep(masked)]).ok
    assert np.array_equal(
        open_plate(tmp_path / "o")["A01"].site(1).channel("DAPI").z(1).read(), pixels(plate, "A01", 1)
    )


@pytest.mark.parametrize("held", [threading.Lock(), (one for one in "ab")], ids=["lock", "generator"])
def test_an_argument_that_cannot_be_sent_is_told_before_a_worker_starts(plate, tmp_path, held):
    step = FunctionStep((lambda stack, held: stack, {"held": held}), "f", [], out="same", out_dtype="uint16")
    with pytest.raises(PlanError, match="cannot be sent to worker processes"):
        PipelineOrchestrator(plate, output=tmp_path / "o", global_config=PROCESSES).run([step])
    assert PipelineOrchestrator(plate, output=tmp_path / "t", global_config=THREADS).run([step]).ok


def test_an_interrupt_inside_a_function_ends_the_run(plate, tmp_path):
    def interrupted(stack):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL).run([on_one(plate, interrupted)])
    assert status(tmp_path / "o").wells == {"A01": "done", "A02": "waiting", "A03": "waiting"}


def test_labels_that_are_none_are_told(plate, tmp_path):
    @special_outputs(nuclei="labels")
    def find(stack, labels):
        return stack, labels(stack)

    for number, (labels, words) in enumerate(
        [
            (lambda stack: stack > 3, "an array of bool for the labels 'nuclei'"),
            (lambda stack: stack / 2, "an array of float64 for the labels"),
            (lambda stack: stack[:, 1:], r"an array of shape \(1, 31, 24\) for the labels"),
            (lambda stack: -stack.astype(np.int32), "negative numbers for the labels"),
            (lambda stack: None, "None for the labels"),
        ]
    ):
        step = FunctionStep((find, {"labels": labels}), "find", [])
        with pytest.raises(OpenHCSError, match=words):
            PipelineOrchestrator(plate, output=tmp_path / str(number), global_config=SERIAL).run([step])
