"""Clusters of processes of their own: the scheduler killed in mid-run, every worker gone, workers without openhcs."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time

import pytest

distributed = pytest.importorskip("distributed")

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator  # noqa: E402
from openhcs.errors import InvalidType, InvalidValue, PlanError, WorkerLost  # noqa: E402
from openhcs.run import on_dask  # noqa: E402
from openhcs.testing.synthetic import make_plate  # noqa: E402
from values import results, run  # noqa: E402

WELLS = ("A01", "A02", "A03", "B01")


def slow(stack):
    time.sleep(0.3)
    return stack + 1


STEPS = [FunctionStep(slow, out="same", out_dtype="uint16")]


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    return make_plate(tmp_path_factory.mktemp("plates") / "P1", wells=WELLS, sites=1, size=(32, 32))


@contextlib.contextmanager
def cluster(folder, *, preload=None):
    """Start a scheduler and a worker, each a process; yield the address and both processes."""
    at = folder / "scheduler.json"
    where = ("--scheduler-file", str(at), "--host", "127.0.0.1", "--no-dashboard")
    more = () if preload is None else ("--preload", str(preload))
    started = []

    def start(what, *words):
        program = [sys.executable, "-m", f"distributed.cli.dask_{what}", *words]
        started.append(subprocess.Popen(program, stderr=subprocess.DEVNULL, cwd=folder))

    try:
        start("scheduler", *where, "--port", "0")
        start("worker", *where, "--no-nanny", "--nthreads", "1", "--death-timeout", "20", *more)
        until = time.monotonic() + 30
        while not at.exists() or not at.read_text().strip():
            assert time.monotonic() < until
            time.sleep(0.05)
        yield json.loads(at.read_text())["address"], *started
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.crash
@pytest.mark.parametrize(
    ("victim", "told"),
    [(0, r"the Dask scheduler at tcp://\S+ no longer answers.*same command"), (1, "no worker for 1 s.*same command")],
    ids=["scheduler", "every worker"],
)
def test_a_cluster_that_is_lost_ends_the_run_in_words_and_another_goes_on(plate, tmp_path, monkeypatch, victim, told):
    monkeypatch.setattr(on_dask, "PATIENCE_S", 1.0)
    first = tmp_path / "first"
    first.mkdir()
    done = []
    with cluster(first) as (address, *processes):

        def kill(event):
            if event.kind == "well_done":
                done.append(event.well)
                processes[victim].kill()

        # The time for a client to find its scheduler again is that for the first answer.
        with distributed.Client(address, timeout=3, set_as_default=False) as client:
            orchestrator = PipelineOrchestrator(plate, output=tmp_path / "o")
            with pytest.raises(WorkerLost, match=told):
                orchestrator.run(STEPS, client=client, on_event=kill)
    assert 1 <= len(done) < len(WELLS)
    second = PipelineOrchestrator(plate, output=tmp_path / "o").run(STEPS)
    assert second.skipped == tuple(done)
    assert run(plate, tmp_path / "plain", STEPS, GlobalPipelineConfig(num_workers=1)).ok
    assert results(tmp_path / "o") == results(tmp_path / "plain")


def test_workers_without_openhcs_are_refused(plate, tmp_path):
    hide = tmp_path / "hide.py"
    hide.write_text("import sys\nsys.modules['openhcs'] = None\n")
    with (
        cluster(tmp_path, preload=hide) as (address, *_),
        pytest.raises(PlanError, match=r"cannot run openhcs.*Install"),
    ):
        run(plate, tmp_path / "o", STEPS, GlobalPipelineConfig(dask=address))


def test_what_is_no_client_is_refused(plate, tmp_path):
    with pytest.raises(InvalidType, match=r"takes a distributed\.Client"):
        PipelineOrchestrator(plate, output=tmp_path / "o").run(STEPS, client=object())


def test_a_timeout_is_not_passed_over_with_a_client(plate, tmp_path):
    config = GlobalPipelineConfig(timeout=3)
    with pytest.raises(InvalidValue, match="does not go with a cluster"):
        PipelineOrchestrator(plate, output=tmp_path / "o", global_config=config).run(STEPS, client=object())
