"""Whatever does the work, and in whatever order wells end, the output is the same to the byte."""

from __future__ import annotations

import time

import pytest

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, open_plate
from openhcs.testing.synthetic import make_plate
from values import ILLUMINATION, everything, results, run

WELLS = ("A01", "A02", "A03", "B01", "B02")
SERIAL = GlobalPipelineConfig(num_workers=1, use_threading=True)
PROCESSES = [GlobalPipelineConfig(num_workers=number, timeout=60) for number in (1, 2, 3)]
THREADS = [GlobalPipelineConfig(num_workers=number, use_threading=True) for number in (2, 4)]


def late(stack, level):
    """Take long where a stack starts with a plane of this sum."""
    time.sleep(0.6 if int(stack[0].sum(dtype="uint64")) == level else 0.0)
    return stack


PIPELINES = {
    "images": [
        FunctionStep(lambda stack: stack // 2, "half", []),
        FunctionStep(lambda stack: stack.max(axis=0), "top"),
    ],
    "every kind of value": [FunctionStep(everything)],
    "over wells": ILLUMINATION,
}


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    return make_plate(tmp_path_factory.mktemp("plates") / "P1", wells=WELLS, sites=2, size=(48, 40))


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, dashboard_address=":0", host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.mark.parametrize("steps", PIPELINES.values(), ids=PIPELINES)
def test_every_executor_leaves_the_same_bytes(plate, client, tmp_path, steps):
    assert run(plate, tmp_path / "serial", steps, SERIAL).done == WELLS
    expected = results(tmp_path / "serial")
    assert len(expected) > len(WELLS)
    for number, config in enumerate([*PROCESSES, *THREADS]):
        output = tmp_path / str(number)
        assert run(plate, output, steps, config).done == WELLS
        assert results(output) == expected, config
    assert PipelineOrchestrator(plate, output=tmp_path / "dask").run(steps, client=client).done == WELLS
    assert results(tmp_path / "dask") == expected


def test_wells_that_end_in_another_order_change_nothing(plate, tmp_path):
    first = open_plate(plate)["A01"].site(1).channel(1).read()
    slow = (late, {"level": int(first.sum(dtype="uint64"))})
    steps = [FunctionStep(slow, "late", out="same", out_dtype="uint16"), FunctionStep(everything)]
    ended = []

    def note(event):
        if event.kind == "well_done":
            ended.append(event.well)

    config = GlobalPipelineConfig(num_workers=5, use_threading=True)
    PipelineOrchestrator(plate, output=tmp_path / "o", global_config=config).run(steps, on_event=note)
    assert ended[-1] == "A01"
    assert run(plate, tmp_path / "serial", steps, SERIAL).done == WELLS
    assert results(tmp_path / "o") == results(tmp_path / "serial")
