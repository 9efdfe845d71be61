"""Pipelines on made-up plates: patterns, backends, executors, failure, resume."""

from __future__ import annotations

import hashlib
import os
import signal
import threading

import numpy as np
import pytest
import tifffile
import xxhash
import zarr

from openhcs import (
    Backend,
    FunctionStep,
    GlobalPipelineConfig,
    MaterializationBackend,
    PipelineOrchestrator,
    VariableComponents,
    VFSConfig,
    convert,
)
from openhcs.core.context import ProcessingContext
from openhcs.errors import OutputExists, PlanError, Stopped, StorageFull
from openhcs.run.plates import index_plate
from openhcs.run.status import status
from openhcs.testing.synthetic import make_plate

SITE, CHANNEL = VariableComponents.SITE, VariableComponents.CHANNEL
SERIAL = GlobalPipelineConfig(num_workers=1, use_threading=True)


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    return make_plate(tmp_path_factory.mktemp("plates") / "P1", wells=["A01", "A02", "B01"], sites=2, size=(64, 48))


def twice(stack):
    return stack * 2


def add(stack, n):
    return stack + np.uint16(n)


def brightest(stack):
    return stack.max(axis=0)


def image(output, path, level=0):
    return zarr.open_array(output / path / str(level), mode="r")[...]


def raw(plate, well, site):
    """Return a site's planes (c, y, x) as tifffile reads them."""
    index = index_plate(plate)
    planes = [plane for plane in index.by_well[well] if plane.site == site]
    return np.stack([tifffile.imread(f"{index.root}/{plane.source.path}") for plane in planes])


def tree(folder):
    """Return the digest of every stored pixel object; documents are derived again at every close."""
    files = (path for path in folder.rglob("*") if path.is_file() and "c" in path.parts)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def run(plate, output, steps, config=SERIAL, **more):
    return PipelineOrchestrator(plate, output=output, global_config=config, **more).run(steps)


def test_a_chain_and_its_arguments_are_applied_in_order(plate, tmp_path):
    assert run(plate, tmp_path / "o", [FunctionStep([twice, (add, {"n": 5})], variable_components=[])]).ok
    expected = raw(plate, "A01", 1) * 2 + 5
    assert np.array_equal(image(tmp_path / "o", "images.zarr/A/01/0")[:, 0], expected)


def test_functions_by_channel_name_reach_their_channel(plate, tmp_path):
    steps = [FunctionStep({"DAPI": twice, "2": (add, {"n": 7})}, variable_components=[SITE])]
    assert run(plate, tmp_path / "o", steps).ok
    dapi, fitc = raw(plate, "A02", 2)
    stored = image(tmp_path / "o", "images.zarr/A/02/1")[:, 0]
    assert np.array_equal(stored[0], dapi * 2)
    assert np.array_equal(stored[1], fitc + 7)


def test_a_stack_of_sites_collapses_to_the_first_site(plate, tmp_path):
    assert run(plate, tmp_path / "o", [FunctionStep(brightest, variable_components=[SITE])]).ok
    expected = np.maximum(raw(plate, "B01", 1), raw(plate, "B01", 2))
    assert np.array_equal(image(tmp_path / "o", "images.zarr/B/01/0")[:, 0], expected)
    assert not (tmp_path / "o/images.zarr/B/01/1").exists()


@pytest.mark.parametrize("backend", list(Backend))
def test_every_intermediate_backend_gives_the_same_bytes(plate, tmp_path, backend):
    steps = [FunctionStep(twice, variable_components=[]), FunctionStep((add, {"n": 1})), FunctionStep(twice)]
    config = GlobalPipelineConfig(num_workers=1, use_threading=True, vfs=VFSConfig(intermediate_backend=backend))
    assert run(plate, tmp_path / "o", steps, config).ok
    assert run(plate, tmp_path / "memory", steps).ok
    assert tree(tmp_path / "o/images.zarr") == tree(tmp_path / "memory/images.zarr")


@pytest.mark.parametrize("config", [{"num_workers": 2}, {"num_workers": 2, "use_threading": True}, {"num_workers": 1}])
def test_every_executor_gives_the_same_bytes(plate, tmp_path, config):
    steps = [FunctionStep(lambda stack: stack // 2, "half", []), FunctionStep(brightest, variable_components=[SITE])]
    assert run(plate, tmp_path / "o", steps, GlobalPipelineConfig(**config)).ok
    assert run(plate, tmp_path / "serial", steps).ok
    assert tree(tmp_path / "o/images.zarr") == tree(tmp_path / "serial/images.zarr")


def test_forced_output_is_kept_beside_and_the_next_step_reads_memory(plate, tmp_path):
    steps = [FunctionStep(twice, "first", [], force_disk_output=True), FunctionStep((add, {"n": 3}), "then", [])]
    assert run(plate, tmp_path / "o", steps).ok
    kept = image(tmp_path / "o", "steps/1_first.zarr/A/01/0")
    assert np.array_equal(kept[:, 0], raw(plate, "A01", 1) * 2)
    assert np.array_equal(image(tmp_path / "o", "images.zarr/A/01/0"), kept + 3)


def test_disk_output_is_ome_tiff_and_can_be_read_as_a_plate_again(plate, tmp_path):
    config = GlobalPipelineConfig(num_workers=1, vfs=VFSConfig(materialization_backend=MaterializationBackend.DISK))
    assert run(plate, tmp_path / "o", [FunctionStep(twice, variable_components=[])], config).ok
    file = tmp_path / "o/images/A/01/A01_s1_c1_z1_t1.ome.tif"
    assert np.array_equal(tifffile.imread(file), raw(plate, "A01", 1)[0] * 2)
    again, first = index_plate(tmp_path / "o/images"), index_plate(plate)
    assert (again.wells, again.channels, again.pixel_size_um) == (first.wells, first.channels, first.pixel_size_um)


def test_a_failing_well_does_not_stop_the_others_and_is_done_once_it_can_be(plate, tmp_path, monkeypatch):
    bad = raw(plate, "A02", 1)[0].sum()

    def picky(stack):
        if stack[0].sum() == bad and "MENDED" not in os.environ:
            raise ValueError("no cells")
        return stack

    steps = [FunctionStep(picky, variable_components=[])]
    result = run(plate, tmp_path / "o", steps)
    assert (result.done, [failure.well for failure in result.failed]) == (("A01", "B01"), ["A02"])
    assert "no cells" in result.failed[0].message
    assert "in picky" in result.failed[0].traceback
    assert status(tmp_path / "o").wells == {"A01": "done", "A02": "failed", "B01": "done"}
    before = tree(tmp_path / "o/images.zarr/A/01")
    monkeypatch.setenv("MENDED", "1")
    again = run(plate, tmp_path / "o", steps)
    assert (again.done, again.skipped) == (("A02",), ("A01", "B01"))
    assert before.items() <= tree(tmp_path / "o/images.zarr/A/01").items()
    assert set(status(tmp_path / "o").wells.values()) == {"done"}


def test_the_same_command_again_reads_no_pixel(plate, tmp_path):
    steps = [FunctionStep(twice, variable_components=[], out="same", out_dtype="uint16")]
    assert run(plate, tmp_path / "o", steps).ok
    again = run(plate, tmp_path / "o", steps)
    assert (again.done, again.bytes_in, len(again.skipped)) == ((), 0, 3)


def test_another_pipeline_on_the_same_output_is_refused(plate, tmp_path):
    assert run(plate, tmp_path / "o", [FunctionStep(twice, variable_components=[])]).ok
    before = tree(tmp_path / "o")
    with pytest.raises(OutputExists):
        run(plate, tmp_path / "o", [FunctionStep(brightest)])
    assert tree(tmp_path / "o") == before
    assert run(plate, tmp_path / "o", [FunctionStep(brightest)], exist="replace").ok


def test_replace_makes_chosen_wells_again_and_leaves_the_others(plate, tmp_path):
    steps = [FunctionStep(twice, variable_components=[])]
    assert run(plate, tmp_path / "o", steps).ok
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "o/images.zarr").rglob("c/**/*") if path.is_file()}
    assert run(plate, tmp_path / "o", steps, exist="replace", wells="A02").done == ("A02",)
    changed = {
        path.relative_to(tmp_path / "o/images.zarr").parts[:2]
        for path in before
        if path.stat().st_mtime_ns != before[path]
    }
    assert changed == {("A", "02")}
    assert set(status(tmp_path / "o").wells.values()) == {"done"}


def test_wells_first_and_the_rest_later_make_one_plate(plate, tmp_path):
    steps = [FunctionStep(twice, variable_components=[])]
    assert run(plate, tmp_path / "o", steps, wells="A02").done == ("A02",)
    assert status(tmp_path / "o").wells == {"A02": "done"}
    assert run(plate, tmp_path / "o", steps).skipped == ("A02",)
    assert run(plate, tmp_path / "o", steps, wells="B01").skipped == ("B01",)
    assert status(tmp_path / "o").wells == dict.fromkeys(["A01", "A02", "B01"], "done")
    assert run(plate, tmp_path / "whole", steps).ok
    assert tree(tmp_path / "o/images.zarr") == tree(tmp_path / "whole/images.zarr")


def test_a_worker_that_dies_is_replaced_and_its_well_set_aside(plate, tmp_path):
    bad = int(raw(plate, "A01", 1)[0].sum())

    def deadly(stack):
        if int(stack[0].sum()) == bad:
            os.kill(os.getpid(), signal.SIGKILL)
        return stack

    steps = [FunctionStep(deadly, "deadly", [], out="same", out_dtype="uint16")]
    result = run(plate, tmp_path / "o", steps, GlobalPipelineConfig(num_workers=2))
    assert sorted(result.done) == ["A02", "B01"]
    assert "killed twice" in result.failed[0].message


def test_stopping_finishes_what_runs_and_the_plate_is_valid(plate, tmp_path):
    stop = threading.Event()
    steps = [FunctionStep(twice, variable_components=[])]
    with pytest.raises(Stopped, match=r"2 to do.*same command"):
        PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL).run(
            steps, stop=stop, on_event=lambda event: stop.set() if event.kind == "well_done" else None
        )
    wells = zarr.open_group(tmp_path / "o/images.zarr", mode="r").attrs["ome"]["plate"]["wells"]
    assert [well["path"] for well in wells] == ["A/01"]
    assert run(plate, tmp_path / "o", steps).done == ("A02", "B01")


def test_functions_that_cannot_be_sent_are_told_before_anything_runs(plate, tmp_path):
    lock = threading.Lock()
    steps = [FunctionStep((twice_with, {"lock": lock}), variable_components=[])]
    with pytest.raises(PlanError, match="cannot be sent to worker processes"):
        run(plate, tmp_path / "o", steps, GlobalPipelineConfig(num_workers=2))


def twice_with(stack, lock):
    return stack * 2


def test_a_result_that_is_not_what_the_plan_says_fails_before_it_is_published(plate, tmp_path):
    steps = [FunctionStep(brightest, variable_components=[SITE], out="same", out_dtype="uint16")]
    result = run(plate, tmp_path / "o", steps)
    assert len(result.failed) == 3
    assert "the plan says (2, 64, 48)" in result.failed[0].message
    assert not (tmp_path / "o/images.zarr").exists()


def test_contexts_are_frozen_and_tell_what_happens(plate, tmp_path):
    plate_run = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL).initialize()
    contexts = plate_run.compile_pipelines([FunctionStep(twice), FunctionStep(brightest)])
    context = contexts["A01"]
    assert isinstance(context, ProcessingContext)
    assert [step.writes for step in context.steps] == [("memory",), ("zarr",)]
    assert context.outputs == ("images.zarr/A/01/0",)
    with pytest.raises(AttributeError):
        context.well = "B01"
    assert not (tmp_path / "o").exists()
    assert plate_run.execute_compiled_plate({"A01": context}).done == ("A01",)


def test_a_full_disk_stops_the_run_with_one_clear_error(plate, tmp_path, monkeypatch):
    from openhcs.io import fsops

    def full(self, *args):
        raise OSError(28, "No space left on device")

    assert run(plate, tmp_path / "o", [FunctionStep(twice, variable_components=[])], wells="A01").ok
    before = tree(tmp_path / "o/images.zarr")
    with monkeypatch.context() as patch:
        patch.setattr(fsops.FileOps, "write_some", full)
        with pytest.raises(StorageFull, match="run the same command again"):
            run(plate, tmp_path / "o", [FunctionStep(twice, variable_components=[])])
    assert tree(tmp_path / "o/images.zarr") == before
    assert run(plate, tmp_path / "o", [FunctionStep(twice, variable_components=[])]).ok


def test_the_microscopes_own_documents_are_kept_word_for_word(plate, tmp_path):
    assert convert(plate, tmp_path / "a.zarr").ok
    kept = tmp_path / ".a.zarr.openhcs/vendor"
    assert (kept / "P1.HTD").read_bytes() == (plate / "P1.HTD").read_bytes()
    told = zarr.open_group(tmp_path / "a.zarr", mode="r").attrs["openhcs"]["vendor_files"]
    digests = {one["path"]: one["digest"] for one in told}
    assert digests["P1.HTD"] == xxhash.xxh3_64_hexdigest((plate / "P1.HTD").read_bytes())
    assert set(digests) == {str(path.relative_to(plate)) for path in plate.rglob("*.HTD")}


def test_converting_there_and_back_keeps_pixels(plate, tmp_path):
    assert convert(plate, tmp_path / "a.zarr").ok
    assert convert(tmp_path / "a.zarr", tmp_path / "b.zarr").ok
    for well in ("A/01", "A/02", "B/01"):
        for site in ("0", "1"):
            path = f"{well}/{site}"
            assert np.array_equal(image(tmp_path / "a.zarr", path), image(tmp_path / "b.zarr", path))
