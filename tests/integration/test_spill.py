"""A well that memory has no room for: planes wait on a disk, images are written one by one, results are the same."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tifffile
import zarr

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, special_outputs
from openhcs import VariableComponents as V
from openhcs.core.config import VFSConfig
from openhcs.errors import OutOfBudget
from openhcs.plan.admit import PROCESS
from openhcs.plan.peak import peak_bytes
from openhcs.testing.synthetic import make_plate

SIDE = 256


def even(stack):
    return stack - stack.min(axis=0)


def brighter(stack):
    return stack + np.uint16(7)


@special_outputs(nuclei="labels")
def segment(stack):
    return stack, (stack > 500).astype(np.uint32)


def steps():
    return [FunctionStep(even, None, [V.SITE]), FunctionStep(brighter, None, []), FunctionStep(segment, None, [V.SITE])]


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plate")
    return make_plate(
        folder / "P1", wells=("A01", "A02"), sites=12, channels=("DAPI", "FITC", "Cy3", "Cy5"), size=(SIDE, SIDE)
    )


def compiled(plate, output, **choices):
    one = PipelineOrchestrator(plate, output=output, global_config=GlobalPipelineConfig(num_workers=1, **choices))
    one.initialize().compile_pipelines(steps())
    return one


def pixels(output):
    """Return the digest of every stored pixel file."""
    found = sorted(path for path in output.rglob("*") if "/c/" in path.as_posix() and path.is_file())
    assert found
    return {path.relative_to(output).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.fixture(scope="module")
def whole(plate, tmp_path_factory):
    output = tmp_path_factory.mktemp("whole") / "out"
    one = compiled(plate, output)
    assert not one.plan.recipe.spill
    assert one.execute_compiled_plate().ok
    return one.plan, pixels(output)


def tight(plan):
    """Return a budget that a well fits in only where its planes wait on a disk."""
    task = plan.tasks[0]
    spilled = peak_bytes(replace(plan.recipe, spill=True), task.keys, task.well)
    assert spilled < 0.8 * plan.peak_bytes
    return PROCESS + (spilled + plan.peak_bytes) // 2


@pytest.mark.parametrize("backend", ["memory", "disk", "zarr"])
def test_results_are_the_same_and_nothing_is_left_where_planes_waited(backend, plate, whole, tmp_path):
    plan, expected = whole
    vfs = VFSConfig(memory_budget=tight(plan), spill_dir=tmp_path / "spill", intermediate_backend=backend)
    one = compiled(plate, tmp_path / "out", vfs=vfs)
    assert one.plan.recipe.spill
    assert one.plan.id == plan.id
    assert one.plan.peak_bytes < plan.peak_bytes
    assert "planes that wait are kept in" in one.plan.explain()
    assert one.execute_compiled_plate().ok
    assert pixels(tmp_path / "out") == expected
    assert list((tmp_path / "spill").iterdir()) == []


@pytest.mark.parametrize("backend", ["disk", "zarr"])
def test_an_intermediate_backend_on_a_disk_is_asked_to_spill_by_itself(backend, plate, whole, tmp_path):
    _, expected = whole
    away = compiled(plate, tmp_path / "out", vfs=VFSConfig(intermediate_backend=backend))
    assert not away.plan.recipe.spill
    vfs = VFSConfig(memory_budget=tight(away.plan), intermediate_backend=backend)
    one = compiled(plate, tmp_path / "out", vfs=vfs)
    assert one.plan.recipe.spill
    assert one.execute_compiled_plate().ok
    assert pixels(tmp_path / "out") == expected


def test_a_well_that_does_not_fit_is_refused_with_the_ways_out(plate, whole, tmp_path):
    plan, _ = whole
    with pytest.raises(OutOfBudget) as told:
        compiled(plate, tmp_path / "out", vfs=VFSConfig(memory_budget=tight(plan)))
    text = str(told.value)
    assert "well A01 needs" in text
    assert f"vfs.memory_budget of {-(-(plan.peak_bytes + PROCESS) // 10**6)} MB" in text
    assert "vfs.spill_dir, a folder where planes wait" in text
    assert "stacking fewer components (a call of step" in text
    assert "takes 12 planes" in text


def test_each_way_out_that_is_told_is_one(plate, whole, tmp_path):
    plan, _ = whole
    with pytest.raises(OutOfBudget) as told:
        compiled(plate, tmp_path / "out", vfs=VFSConfig(memory_budget=tight(plan)))
    enough, spilled = (int(number) * 10**6 for number in re.findall(r"(?:budget of |wait \()(\d+) MB", str(told.value)))
    assert not compiled(plate, tmp_path / "out", vfs=VFSConfig(memory_budget=enough)).plan.recipe.spill
    vfs = VFSConfig(memory_budget=spilled, spill_dir=tmp_path / "spill")
    assert compiled(plate, tmp_path / "out", vfs=vfs).plan.recipe.spill
    with pytest.raises(OutOfBudget):
        compiled(plate, tmp_path / "out", vfs=replace(vfs, memory_budget=spilled - 10**6))


@pytest.mark.parametrize("dtype", ["bool", "float16", "complex64", "complex128", "int64"])
@pytest.mark.parametrize("backend", ["disk", "zarr", "memory"])
def test_intermediates_of_every_kind_come_back_as_they_were(backend, dtype, plate, tmp_path):
    def there(stack):
        return (stack > 300) if dtype == "bool" else (stack % 500).astype(dtype)

    def back(stack):
        assert stack.dtype == dtype
        assert stack.flags.writeable
        return stack.real.astype(np.uint16)

    chain = [FunctionStep(there, None, []), FunctionStep(back, None, [V.SITE])]
    config = GlobalPipelineConfig(num_workers=1, vfs=VFSConfig(intermediate_backend=backend))
    one = PipelineOrchestrator(plate, output=tmp_path / "out", global_config=config, wells="A01")
    assert one.run(chain).ok
    found = zarr.open_group(tmp_path / "out/images.zarr/A/01/0", mode="r")["0"][:]
    planes = [tifffile.imread(path) for path in sorted(plate.rglob("*_A01_s1_w*"))]
    expected = np.stack(planes)[:, None]
    assert np.array_equal(found, expected > 300 if dtype == "bool" else expected % 500)


SCRIPT = """
import sys, time
import numpy as np
from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, VariableComponents as V
from openhcs.core.config import VFSConfig
def even(stack): return stack - stack.min(axis=0)
def slow(stack):
    print("waiting", flush=True)
    time.sleep(60)
    return stack
steps = [FunctionStep(even, None, [V.SITE]), FunctionStep(slow, None, [], out="same", out_dtype="uint16"),
         FunctionStep(even, None, [V.SITE], out="same", out_dtype="uint16")]
plate, out, spill, budget, backend = sys.argv[1:]
vfs = VFSConfig(memory_budget=int(budget), spill_dir=spill, intermediate_backend=backend)
one = PipelineOrchestrator(plate, output=out, global_config=GlobalPipelineConfig(num_workers=1, vfs=vfs))
one.initialize().compile_pipelines(steps)
assert one.plan.recipe.spill == (backend == "memory")
one.execute_compiled_plate()
"""


@pytest.mark.parametrize("backend", ["memory", "disk"])
def test_what_a_killed_run_left_waiting_is_removed_by_the_next(backend, plate, whole, tmp_path):
    plan, expected = whole
    spill, out = tmp_path / "spill", tmp_path / "out"
    budget = tight(plan) if backend == "memory" else 10**10
    program = [sys.executable, "-c", SCRIPT, plate, out, spill, str(budget), backend]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"waiting\n"
        killed.kill()
    assert [path for path in (spill if backend == "memory" else out).rglob("*") if path.stat().st_size > SIDE * SIDE]
    vfs = VFSConfig(memory_budget=tight(plan), spill_dir=spill, intermediate_backend=backend)
    config = GlobalPipelineConfig(num_workers=1, vfs=vfs)
    assert PipelineOrchestrator(plate, output=out, exist="replace", global_config=config).run(steps()).ok
    assert pixels(out) == expected
    assert not spill.exists() or list(spill.iterdir()) == []
    assert list(out.rglob("*.npy")) == []


def test_a_failed_well_leaves_nothing_waiting(plate, whole, tmp_path):
    plan, _ = whole

    calls = []

    def fails(stack):
        calls.append(stack.shape)
        if len(calls) > 20:
            raise ValueError("no")
        return stack

    fails_late = FunctionStep(fails, None, [], out="same", out_dtype="uint16")
    chain = [FunctionStep(even, None, [V.SITE]), fails_late, *steps()[2:]]
    vfs = VFSConfig(memory_budget=tight(plan), spill_dir=tmp_path / "spill")
    config = GlobalPipelineConfig(num_workers=1, vfs=vfs)
    one = PipelineOrchestrator(plate, output=tmp_path / "out", global_config=config).initialize()
    one.compile_pipelines(chain)
    assert one.plan.recipe.spill
    assert len(one.execute_compiled_plate().failed) == 2
    assert list((tmp_path / "spill").iterdir()) == []
