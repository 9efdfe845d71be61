"""Runs at their edges: verification, interrupts, retries, other processes, inputs that change."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
import zarr

from openhcs import (
    Backend,
    FunctionStep,
    GlobalPipelineConfig,
    MaterializationBackend,
    PipelineOrchestrator,
    VFSConfig,
    ZarrChunkStrategy,
    ZarrConfig,
    convert,
)
from openhcs.cli import main
from openhcs.errors import OutOfBudget, StorageError
from openhcs.io import fsops
from openhcs.run import pixels
from openhcs.run.status import status
from openhcs.testing.synthetic import make_plate

WELLS = ("A01", "A02", "B01")
SERIAL = GlobalPipelineConfig(num_workers=1, use_threading=True)
SAID = {"out": "same", "out_dtype": "uint16"}


@pytest.fixture
def plate(tmp_path):
    return make_plate(tmp_path / "P1", wells=WELLS, sites=2, size=(64, 48))


def twice(stack):
    return stack * 2


def listed(store):
    return [well["path"] for well in zarr.open_group(store, mode="r").attrs["ome"]["plate"]["wells"]]


def spoil(monkeypatch, ending):
    """Make the disk lie: one byte in the middle of each file with pixels is stored flipped."""
    write = fsops.FileOps.write_some

    def lying(self, path, handle, view):
        if ending(str(path)):
            data = bytearray(view)
            data[len(data) // 2] ^= 1
            view = memoryview(data)
        return write(self, path, handle, view)

    monkeypatch.setattr(fsops.FileOps, "write_some", lying)


def test_a_store_or_a_well_that_was_removed_by_hand_is_made_again(plate, tmp_path):
    store = tmp_path / "o.zarr"
    first = convert(plate, store)
    shutil.rmtree(store / "A/01")
    assert status(store).wells["A01"] == "waiting"
    others = ",".join(well for well in first.done if well != "A01")
    assert convert(plate, store, wells=others).skipped == tuple(others.split(","))
    assert "A/01" not in listed(store)
    assert convert(plate, store).done == ("A01",)
    assert listed(store)[0] == "A/01"
    shutil.rmtree(store)
    assert convert(plate, store).done == first.done
    assert zarr.open_array(store / "A/01/0/0")[...].any()


@pytest.mark.parametrize("backend", list(MaterializationBackend))
def test_verify_finds_a_disk_that_lies_before_the_well_is_published(plate, tmp_path, monkeypatch, backend):
    spoil(monkeypatch, lambda name: "/c/" in name or name.endswith(".ome.tif"))
    vfs = VFSConfig(materialization_backend=backend)
    config = GlobalPipelineConfig(num_workers=1, verify=True, vfs=vfs)
    result = convert(plate, tmp_path / "o", config=config)
    assert sorted(failure.well for failure in result.failed) == list(WELLS)
    assert not (tmp_path / "o/images.zarr").exists()
    assert not (tmp_path / "o/images/A").exists()


def test_verify_passes_on_an_honest_disk(plate, tmp_path):
    assert convert(plate, tmp_path / "o", config=GlobalPipelineConfig(verify=True)).ok


def test_a_read_that_the_system_refused_once_is_tried_again(plate, tmp_path, monkeypatch):
    read = pixels.PlaneReader.read_into
    refused = []

    def flaky(self, plane, out):
        if plane.well == "A02" and not refused:
            refused.append(plane)
            raise StorageError("the network share was away", path="x")
        read(self, plane, out)

    monkeypatch.setattr(pixels.PlaneReader, "read_into", flaky)
    assert convert(plate, tmp_path / "o", config=SERIAL).ok
    assert refused


@pytest.mark.parametrize(
    "config", [{"num_workers": 1, "use_threading": True}, {"num_workers": 2}, {"num_workers": 2, "use_threading": True}]
)
def test_an_interrupt_at_once_leaves_a_valid_plate_and_no_process(plate, tmp_path, config):
    before = children()

    seen: list[set[int]] = []

    def interrupt(event):
        if event.kind == "well_done":
            seen.append(children() - before)
            raise KeyboardInterrupt

    steps = [FunctionStep(twice, "s", [], **SAID)]
    run = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=GlobalPipelineConfig(**config))
    with pytest.raises(KeyboardInterrupt):
        run.run(steps, on_event=interrupt)
    assert len(listed(tmp_path / "o/images.zarr")) >= 1
    deadline = time.monotonic() + 10
    while children() - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not children() - before
    processes = config["num_workers"] > 1 and "use_threading" not in config
    assert bool(seen[0]) is processes, "the count must be able to see workers"
    assert run.run(steps).ok
    assert listed(tmp_path / "o/images.zarr") == ["A/01", "A/02", "B/01"]


def children() -> set[int]:
    """Return the worker processes: what the server that forks them has below it."""
    helpers = psutil.Process().children()
    return {worker.pid for helper in helpers for worker in helper.children(recursive=True)}


def test_only_the_well_whose_file_changed_is_made_again(plate, tmp_path):
    steps = [FunctionStep(twice, "s", [], **SAID)]
    run = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL)
    assert run.run(steps).ok
    file = next(plate.rglob("*_A02_s1_w1.TIF"))
    os.utime(file, ns=(1, 1))
    again = run.run(steps)
    assert (again.done, again.skipped) == (("A02",), ("A01", "B01"))


def test_two_runs_of_one_plan_at_once_make_one_whole_plate(plate, tmp_path):
    steps = [FunctionStep(twice, "s", [], **SAID)]

    def one(wells):
        run = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL, wells=wells)
        return run.run(steps).ok

    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(one, ["A01,A02", "A02,B01"]))
    assert PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL).run(steps).done == ()
    assert listed(tmp_path / "o/images.zarr") == ["A/01", "A/02", "B/01"]


def test_stopping_at_the_first_failure_leaves_the_rest_waiting(plate, tmp_path):
    def broken(stack):
        raise ValueError("no")

    config = GlobalPipelineConfig(num_workers=1, use_threading=True, on_error="stop")
    steps = [FunctionStep(broken, "s", [], **SAID)]
    result = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=config).run(steps)
    assert ([failure.well for failure in result.failed], result.waiting) == (["A01"], ("A02", "B01"))
    assert status(tmp_path / "o").wells == {"A01": "failed", "A02": "waiting", "B01": "waiting"}


def test_chunks_chosen_for_the_results_do_not_trouble_intermediates_in_zarr(plate, tmp_path):
    zarr_config = ZarrConfig(chunk_strategy=ZarrChunkStrategy.CUSTOM, chunk_shape=(1, 1, 32, 48))
    vfs = VFSConfig(intermediate_backend=Backend.ZARR)
    config = GlobalPipelineConfig(num_workers=1, use_threading=True, vfs=vfs, zarr=zarr_config)
    steps = [FunctionStep(twice, "a", [], **SAID), FunctionStep(twice, "b", [], **SAID)]
    assert PipelineOrchestrator(plate, output=tmp_path / "o", global_config=config).run(steps).ok
    assert zarr.open_array(tmp_path / "o/images.zarr/A/01/0/0", mode="r").chunks == (1, 1, 32, 48)


def test_a_pipeline_file_may_import_a_helper_that_lies_beside_it(plate, tmp_path, monkeypatch):
    (tmp_path / "code").mkdir()
    (tmp_path / "code/lab_helper.py").write_text(
        "import numpy as np\nFACTOR = 3\ndef work(s):\n    return s * np.uint16(FACTOR)\n"
    )
    (tmp_path / "code/pipe.py").write_text(
        "import lab_helper\nfrom openhcs import FunctionStep\ndef go(s):\n    return lab_helper.work(s)\n"
        "steps = [FunctionStep(go, variable_components=[])]\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["run", "code/pipe.py", str(plate), "-o", "o", "--workers", "2"]) == 0
    assert main(["convert", str(plate), "raw.zarr"]) == 0
    made = zarr.open_array(tmp_path / "o/images.zarr/A/01/0/0", mode="r")[...]
    assert np.array_equal(made, zarr.open_array(tmp_path / "raw.zarr/A/01/0/0", mode="r")[...] * 3)
    sys.modules.pop("lab_helper", None)


GUARDED = """
from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator
import sys
def half(stack):
    return stack // 2
def main():
    run = PipelineOrchestrator(sys.argv[1], output=sys.argv[2], global_config=GlobalPipelineConfig(num_workers=2))
    print(run.run([FunctionStep(half, variable_components=[])]).ok)
"""


@pytest.mark.parametrize(("ending", "works"), [('if __name__ == "__main__":\n    main()\n', True), ("main()\n", False)])
def test_a_script_runs_with_workers_when_guarded_and_is_told_the_two_lines_when_not(plate, tmp_path, ending, works):
    (tmp_path / "script.py").write_text(GUARDED + ending)
    command = [sys.executable, str(tmp_path / "script.py"), str(plate), str(tmp_path / "o")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if works:
        assert done.stdout == "True\n", done.stderr
    else:
        assert done.returncode != 0
        assert 'if __name__ == "__main__":' in done.stderr


def test_a_stop_that_was_set_before_starts_nothing(plate, tmp_path):
    from openhcs.errors import Stopped

    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped, match="0 wells done, 3 to do"):
        convert(plate, tmp_path / "o", config=SERIAL, stop=stop)


def test_filled_planes_are_listed_after_steps_as_after_converting(tmp_path):
    plate = make_plate(tmp_path / "P2", wells=["A01"], sites=2, size=(64, 48), missing=1)
    config = GlobalPipelineConfig(num_workers=1, use_threading=True, missing="fill")
    told = []
    run = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=config)
    assert run.run([FunctionStep(twice, "s", [], **SAID)], on_event=told.append).ok
    assert convert(plate, tmp_path / "c.zarr", config=config).ok
    gaps = [
        [zarr.open_group(store / f"A/01/{site}", mode="r").attrs["openhcs"]["gaps"] for site in (0, 1)]
        for store in (tmp_path / "o/images.zarr", tmp_path / "c.zarr")
    ]
    assert sorted(map(len, gaps[0])) == [0, 1]
    assert gaps[0] == gaps[1]
    assert any("1 planes are missing and stored as zeros: A01_" in event.message for event in told)


def test_a_damaged_file_in_the_first_well_fails_that_well_alone(plate, tmp_path):
    victim = next(plate.rglob("*_A01_s1_w1.TIF"))
    victim.write_bytes(victim.read_bytes()[:2000])
    result = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL).run([FunctionStep(twice)])
    assert (result.done, [failure.well for failure in result.failed]) == (("A02", "B01"), ["A01"])


def test_outcomes_are_in_plan_order_whatever_ends_first(plate, tmp_path):
    assert convert(plate, tmp_path / "o", config=GlobalPipelineConfig(num_workers=2)).done == WELLS


def test_a_step_that_changes_the_size_of_planes_is_warned_about(plate, tmp_path):
    run = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL).initialize()
    run.compile_pipelines([FunctionStep(lambda stack: stack[:, ::2, 0], "half")])
    assert "step 1 (half) makes planes of (2, 32) (y, x) out of (64, 48)" in run.plan.warnings[0]


def test_too_few_open_files_are_noticed_before_anything_starts(plate, tmp_path):
    words = [sys.executable, "-m", "openhcs", "convert", str(plate), str(tmp_path / "o.zarr"), "--workers", "2"]
    limited = ["bash", "-c", 'ulimit -n 28; exec "$@"', "-", *words]
    ended = subprocess.run(limited, capture_output=True, text=True, check=False, timeout=120)
    assert "28 files may be open" in ended.stderr
    assert "ulimit -n 1024" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert subprocess.run(words, check=False, timeout=120, capture_output=True).returncode == 0


def test_a_promise_that_the_file_system_cannot_keep_is_told_each_time(plate, tmp_path, monkeypatch):
    monkeypatch.setattr("openhcs.ledger.output.network_kind", lambda path: "nfs4")
    for _ in range(2):
        events = []
        assert convert(plate, tmp_path / "o.zarr", config=SERIAL, on_event=events.append).ok
        told = [event.message for event in events if event.kind == "warning"]
        assert any("nfs4 is a network file system" in one for one in told)


def test_a_machine_without_memory_stops_the_run_with_one_clear_error(plate, tmp_path, monkeypatch):
    assert convert(plate, tmp_path / "o.zarr", config=SERIAL, wells="A01").ok

    def spent(self, plane, out):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(pixels.PlaneReader, "read_into", spent)
        with pytest.raises(OutOfBudget, match=r"no memory was left for well A02, planned [0-9]+ MB.*--workers 1"):
            convert(plate, tmp_path / "o.zarr", config=SERIAL)
    assert convert(plate, tmp_path / "o.zarr", config=SERIAL).skipped == ("A01",)
