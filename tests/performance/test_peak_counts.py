"""What a plan says a well takes, against the bytes that Python and numpy hand out while the well runs."""

from __future__ import annotations

import json
import tracemalloc
from importlib import import_module

import numpy as np
import pytest
import scipy.ndimage

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, special_inputs, special_outputs
from openhcs import VariableComponents as V
from openhcs.core.config import VFSConfig, ZarrConfig
from openhcs.ledger.ledger import Ledger
from openhcs.plan.peak import RESERVED, live_peak
from openhcs.testing.synthetic import make_plate
from values import ILLUMINATION

SIDE = 512
PLANE = SIDE * SIDE * 2
SMALL = 2 * 10**6
"""Bytes of Python's own objects and of what is loaded late; what is reserved for a task is more."""


def smooth(stack):
    return scipy.ndimage.gaussian_filter(stack, (0, 2, 2))


def brightest(stack):
    return stack.max(axis=0)


def even(stack):
    mean = stack.mean(axis=0, dtype=np.float32)
    return (stack * (mean.mean() / np.maximum(mean, 1))).clip(0, 65535).astype(np.uint16)


@special_outputs(nuclei="labels")
def segment(stack):
    return stack, np.stack([scipy.ndimage.label(plane > 600)[0] for plane in stack]).astype(np.uint32)


@special_inputs("nuclei")
@special_outputs(cells="table", background="array")
def measure(stack, nuclei):
    inside = [float(plane[one > 0].mean()) for plane, one in zip(stack, nuclei, strict=True)]
    return stack, {"mean": inside}, stack.min(axis=0).astype(np.float64)


@special_inputs("background")
def without(stack, background):
    return (stack - background).clip(0, 65535).astype(np.uint16)


def logarithm(stack):
    return np.log1p(stack.astype(np.float64))


def back(stack):
    return np.expm1(stack).round().astype(np.uint16)


PIPELINES = {
    "chain": [FunctionStep(one, None, []) for one in (smooth, smooth, smooth)],
    "projection": [FunctionStep(smooth, None, []), FunctionStep(brightest, None, [V.Z_INDEX])],
    "sites": [FunctionStep(smooth, None, []), FunctionStep(even, None, [V.SITE])],
    "labels": [FunctionStep(smooth, None, []), FunctionStep(segment, None, [V.Z_INDEX])],
    "values": [
        FunctionStep(segment, None, [V.Z_INDEX]),
        FunctionStep(measure, None, [V.Z_INDEX]),
        FunctionStep(without, None, [V.Z_INDEX]),
    ],
    "float64": [
        FunctionStep(smooth, None, [], force_disk_output=True),
        FunctionStep(logarithm, None, [V.Z_INDEX]),
        FunctionStep(back, None, [V.Z_INDEX]),
    ],
    "tiff": [FunctionStep(smooth, None, [], force_disk_output="disk"), FunctionStep(brightest, None, [V.Z_INDEX])],
}


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plate")
    return make_plate(folder / "P1", wells=("A01",), sites=3, z=4, channels=("DAPI", "FITC"), size=(SIDE, SIDE))


def run(plate, output, steps, **choices):
    """Return the plan, the bytes that its largest sum of buffers has, and the most that were handed out."""
    for module in (
        "tensorstore",
        "pyarrow.parquet",
        "openhcs.io.disk",
        "openhcs.io.zarr",
    ):  # loaded later, they would be counted
        import_module(module)
    config = GlobalPipelineConfig(num_workers=1, durability="fast", **choices)
    one = PipelineOrchestrator(plate, output=output, global_config=config).initialize()
    one.compile_pipelines(steps)
    (task,) = one.plan.tasks
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    result = one.execute_compiled_plate()
    counted = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert result.ok, result.failed
    return one.plan, live_peak(one.plan.recipe, task.keys, task.well), counted


@pytest.mark.parametrize("name", PIPELINES)
def test_what_is_planned_is_what_is_handed_out(name, plate, tmp_path):
    plan, planned, counted = run(plate, tmp_path / "out", PIPELINES[name])
    assert counted - SMALL <= planned <= 1.25 * counted
    assert plan.peak_bytes - RESERVED >= counted


@pytest.mark.parametrize("backend", ["disk", "zarr"])
def test_intermediates_on_a_disk_take_less_memory_as_planned(backend, plate, tmp_path):
    steps = [FunctionStep(smooth, None, []), FunctionStep(brightest, None, [V.SITE, V.Z_INDEX])]
    _, _, whole = run(plate, tmp_path / "memory", steps)
    vfs = VFSConfig(intermediate_backend=backend)
    _, planned, counted = run(plate, tmp_path / backend, steps, vfs=vfs)
    assert counted - SMALL <= planned <= 1.25 * counted
    assert counted <= whole + 2 * PLANE


def test_verifying_takes_what_is_planned_for_it(plate, tmp_path):
    _, planned, counted = run(plate, tmp_path / "out", PIPELINES["projection"], verify=True)
    assert counted - SMALL <= planned <= 1.25 * counted


def test_chunks_that_are_cut_out_of_planes_take_what_is_planned_for_them(plate, tmp_path):
    zarr = ZarrConfig(chunk_strategy="custom", chunk_shape=(1, 1, 128, 128))
    _, planned, counted = run(plate, tmp_path / "out", PIPELINES["chain"], zarr=zarr)
    assert counted - SMALL <= planned <= 1.25 * counted


def test_a_chain_that_stacks_nothing_takes_a_small_part_of_keeping_everything(plate, tmp_path):
    _, planned, counted = run(plate, tmp_path / "out", PIPELINES["chain"])
    everything = 3 * 2 * 4 * (1 + len(PIPELINES["chain"])) * PLANE
    assert planned <= 0.30 * everything
    assert counted <= 0.30 * everything


def test_a_stack_is_put_together_once_and_a_whole_block_is_passed_on(tmp_path):
    """A plane of four z at a time: the stack, and the plane that is copied into it; nothing waits twice."""
    plate = make_plate(tmp_path / "P1", wells=("A01",), sites=1, z=8, channels=("DAPI",), size=(SIDE, SIDE))
    steps = [
        FunctionStep(np.copy, None, [], out="same", out_dtype="uint16"),
        FunctionStep(np.copy, None, [V.Z_INDEX], out="same", out_dtype="uint16"),
        FunctionStep(brightest, None, [V.Z_INDEX], out="one", out_dtype="uint16"),
    ]
    _, _, counted = run(plate, tmp_path / "out", steps)
    assert counted <= 2 * 8 * PLANE + PLANE


def test_the_commit_record_teaches_the_next_plan(plate, tmp_path):
    """What was measured sets the peak of the next plan of the same work, and leaves its identity alone."""
    config = GlobalPipelineConfig(num_workers=2)
    one = PipelineOrchestrator(plate, output=tmp_path / "out", global_config=config).initialize()
    one.compile_pipelines(PIPELINES["float64"])
    first = one.plan
    assert one.execute_compiled_plate().ok
    told = Ledger(tmp_path / "out").records()["A01"]["memory"]
    assert told["planned"] == first.peak_bytes
    assert told["measured"] > 0.5 * first.peak_bytes
    one.compile_pipelines(PIPELINES["float64"])
    assert one.plan.id == first.id
    assert one.plan.peak_bytes == int(first.peak_bytes * (told["measured"] / first.peak_bytes) * 1.1)
    assert json.loads(one.plan.to_json())["tasks"][0]["peak_bytes"] == one.plan.peak_bytes


def test_what_every_well_gave_is_not_held_at_once_by_a_step_over_wells(tmp_path):
    plate = make_plate(tmp_path / "P1", wells=24, sites=1, channels=("DAPI",), size=(SIDE, SIDE))
    config = GlobalPipelineConfig(num_workers=1, durability="fast")
    one = PipelineOrchestrator(plate, output=tmp_path / "out", global_config=config).initialize()
    one.compile_pipelines(ILLUMINATION)
    sums = 2 * SIDE * SIDE * 8
    tracemalloc.start()
    assert one.execute_compiled_plate().ok
    counted = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert counted < 8 * sums


@pytest.mark.parametrize("name", PIPELINES)
def test_trying_the_steps_takes_no_more_than_a_well_does(name, plate, tmp_path):
    run(plate, tmp_path / "out", PIPELINES[name])
    one = PipelineOrchestrator(plate, output=tmp_path / "out2", global_config=GlobalPipelineConfig(num_workers=1))
    one.initialize()
    tracemalloc.start()
    one.compile_pipelines(PIPELINES[name])
    counted = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert counted <= one.plan.peak_bytes


def test_trying_the_steps_calls_a_function_once_for_each_stack_that_the_last_one_needs(plate, tmp_path):
    called = []

    def noted(stack, name):
        called.append((name, len(stack)))
        return stack + 1

    steps = [
        FunctionStep((noted, {"name": "a"}), None, []),
        FunctionStep((noted, {"name": "b"}), None, []),
        FunctionStep((noted, {"name": "c"}), None, [V.Z_INDEX]),
    ]
    PipelineOrchestrator(plate, output=tmp_path / "out").initialize().compile_pipelines(steps)
    assert sorted(called) == [("a", 1)] * 4 + [("b", 1)] * 4 + [("c", 4)]
