"""A real Dask cluster does the work: the same bytes, a killed worker, and clusters that cannot be used."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

distributed = pytest.importorskip("distributed")

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, open_plate  # noqa: E402
from openhcs.errors import NotFound, PlanError, Stopped, UsageError, WorkerLost  # noqa: E402
from openhcs.run import on_dask  # noqa: E402
from openhcs.testing.synthetic import make_plate  # noqa: E402
from values import ILLUMINATION, everything, results, run  # noqa: E402

SERIAL = GlobalPipelineConfig(num_workers=1, use_threading=True)
WELLS = ["A01", "A02", "A03", "B01", "B02", "B03"]


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    return make_plate(tmp_path_factory.mktemp("plates") / "P1", wells=WELLS, sites=1, size=(64, 48))


@pytest.fixture(scope="module")
def client():
    settings = {"distributed.scheduler.allowed-failures": 1, "distributed.admin.tick.limit": "60s"}
    with (
        distributed.worker.dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", protocol="tcp", host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def test_a_cluster_leaves_the_same_bytes_as_this_process(plate, client, tmp_path):
    for number, steps in enumerate(([FunctionStep(everything)], ILLUMINATION)):
        here, there = tmp_path / f"here{number}", tmp_path / f"there{number}"
        assert run(plate, here, steps, SERIAL).ok
        orchestrator = PipelineOrchestrator(plate, output=there)
        assert orchestrator.run(steps, client=client).done == tuple(WELLS)
        assert results(here) == results(there)


def test_the_address_of_a_scheduler_is_enough(plate, client, tmp_path):
    config = GlobalPipelineConfig(dask=client.scheduler.address)
    assert run(plate, tmp_path / "o", [FunctionStep(everything)], config, wells="A01,B03").done == ("A01", "B03")


def test_a_worker_that_is_killed_in_mid_run_costs_nothing(plate, client, tmp_path):
    gate = tmp_path / "gate"

    def slow(stack):
        (gate.parent / f"{os.getpid()}.at").touch()
        while not gate.exists():
            time.sleep(0.02)
        return stack + 1

    def kill() -> None:
        while len(found := list(tmp_path.glob("*.at"))) < 2:
            time.sleep(0.02)
        os.kill(int(found[0].stem), signal.SIGKILL)
        gate.touch()

    killer = threading.Thread(target=kill)
    killer.start()
    steps = [FunctionStep(slow, out="same", out_dtype="uint16")]
    result = PipelineOrchestrator(plate, output=tmp_path / "o").run(steps, client=client)
    killer.join()
    assert result.done == tuple(WELLS)
    plain = [FunctionStep(lambda stack: stack + 1, "slow", out="same", out_dtype="uint16")]
    assert run(plate, tmp_path / "plain", plain, SERIAL).ok
    assert results(tmp_path / "o").keys() == results(tmp_path / "plain").keys()
    pixels = [
        {path: digest for path, digest in results(tmp_path / name).items() if "/c/" in path} for name in ("o", "plain")
    ]
    assert pixels[0] == pixels[1]
    client.wait_for_workers(2, timeout=60)


def test_a_task_that_kills_every_worker_is_set_aside_and_the_rest_is_done(plate, client, tmp_path):
    def deadly(stack, bad):
        if int(stack.sum()) == bad:
            os._exit(9)
        return stack

    bad = int(one_stack(plate, "A02").sum())
    steps = [FunctionStep((deadly, {"bad": bad}), variable_components=["channel"], out="same", out_dtype="uint16")]
    result = PipelineOrchestrator(plate, output=tmp_path / "o").run(steps, client=client)
    assert [one.well for one in result.failed] == ["A02"]
    assert "lost again and again, likely out of memory: planned" in result.failed[0].message
    assert result.done == tuple(well for well in WELLS if well != "A02")
    client.wait_for_workers(2, timeout=60)


def one_stack(plate, well):
    return open_plate(plate)[well].site(1).read()


def test_a_function_that_fails_is_told_and_not_tried_again(plate, client, tmp_path):
    tries = tmp_path / "tries"
    tries.mkdir()

    def broken(stack):
        (tries / f"{time.monotonic_ns()}").touch()
        raise KeyError("nuclei")

    steps = [FunctionStep(broken, out="same", out_dtype="uint16")]
    result = PipelineOrchestrator(plate, output=tmp_path / "o", wells="A01").run(steps, client=client)
    assert "broken raised on A01 site 1" in result.failed[0].message
    assert len(list(tries.iterdir())) == 1


def test_stopping_waits_for_what_runs_and_gives_nothing_more(plate, client, tmp_path):
    stop = threading.Event()

    def slow(stack):
        time.sleep(0.3)
        return stack

    orchestrator = PipelineOrchestrator(plate, output=tmp_path / "o")
    steps = [FunctionStep(slow, out="same", out_dtype="uint16")]
    with pytest.raises(Stopped, match="wells done"):
        orchestrator.run(
            steps, client=client, stop=stop, on_event=lambda event: event.kind == "well_started" and stop.set()
        )
    assert PipelineOrchestrator(plate, output=tmp_path / "o").run(steps, client=client).ok


def test_what_cannot_be_sent_is_told_before_a_task_starts(plate, client, tmp_path):
    lock = threading.Lock()
    steps = [FunctionStep((lambda stack, lock: stack, {"lock": lock}), "f", out="same", out_dtype="uint16")]
    with pytest.raises(PlanError, match="cannot be sent to worker processes"):
        PipelineOrchestrator(plate, output=tmp_path / "o").run(steps, client=client)


def test_clusters_that_cannot_be_used_say_why(plate, client, tmp_path, monkeypatch):
    monkeypatch.setattr(on_dask, "WAIT_S", 0.5)
    steps = [FunctionStep(np.negative, out="same", out_dtype="uint16")]

    def on(address):
        return run(plate, tmp_path / "o", steps, GlobalPipelineConfig(dask=address))

    with pytest.raises(NotFound, match="no Dask scheduler answers at tcp"):
        on("tcp://127.0.0.1:9")
    with pytest.raises(UsageError, match="no address of a Dask scheduler"):
        on("nothing://at all")
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0", host="127.0.0.1") as empty,
        pytest.raises(WorkerLost, match="has no worker after"),
    ):
        on(empty.scheduler_address)
    orchestrator = PipelineOrchestrator(plate, output=tmp_path / "o")
    monkeypatch.setattr(on_dask, "_look", lambda output: (str(os.getpid()), True))
    with pytest.raises(PlanError, match=r"has openhcs \d+, here it is \d+. Install the same version"):
        orchestrator.run(steps, client=client)
    monkeypatch.setattr(on_dask, "_look", lambda output: ("1", False))
    with pytest.raises(NotFound, match="does not see"):
        orchestrator.run(steps, client=client)
