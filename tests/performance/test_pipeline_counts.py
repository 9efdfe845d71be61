"""What a pipeline asks of the system beyond a conversion: nothing, but where images wait on a disk."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from counting import CountingOps, asked, steady, table, total
from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, convert
from openhcs import VariableComponents as V
from openhcs.core.config import VFSConfig
from openhcs.run.execute import execute
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from counting import Asked

WELLS, SITES, CHANNELS, Z = 2, 2, 2, 3
IMAGES = WELLS * SITES
PLANES = IMAGES * CHANNELS * Z
CHUNKS_LESS = table("""
       write
plane      2  a chunk and its checksum in a shard, where z is projected
""")
WAITS = table("""
       mkdir create write rename unlink rmdir
well       2      .     .      .      .     2  out.work and a folder for the step, beside what is staged
plane      .      1     2      1      1     .  an .npy file, its header and its pixels; removed when it is taken
""")


def brighter(stack: np.ndarray) -> np.ndarray:
    return stack + 1


def brightest(stack: np.ndarray) -> np.ndarray:
    return stack.max(axis=0)


ONE = [FunctionStep(brighter, None, [])]
TWO = [FunctionStep(brighter, None, []), FunctionStep(brighter, None, [])]
PROJECTED = [FunctionStep(brightest, None, [V.Z_INDEX])]


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    return make_plate(tmp_path / "P", wells=WELLS, sites=SITES, z=Z, size=(32, 32))


def sources(files: Asked) -> Counter[str]:
    """Return how often each image of the plate was opened."""
    return Counter(path for path in files.opened if path.startswith("P/") and path.endswith(".TIF"))


def run(plate: Path, steps: list[FunctionStep], vfs: VFSConfig | None = None) -> tuple[CountingOps, Asked, Asked]:
    """Run a pipeline and return what it changed, what was asked to compile it, and what to run it."""
    output = plate.parent / "out.zarr"
    config = GlobalPipelineConfig(num_workers=1, use_threading=True, vfs=vfs or VFSConfig())
    one = PipelineOrchestrator(plate, output=output, global_config=config).initialize()
    with asked(plate.parent) as compiling:
        one.compile_pipelines(steps)
    ops = CountingOps()
    with steady(), asked(plate.parent) as running:
        assert execute(one.plan, steps, str(output), ops=ops).ok
    return ops, compiling, running


def of_a_conversion(plate: Path) -> Counter[str]:
    """Return the changes of converting the plate."""
    ops = CountingOps()
    with steady():
        assert convert(plate, plate.parent / "converted.zarr", config=GlobalPipelineConfig(num_workers=1), ops=ops).ok
    return ops.counts


@pytest.mark.parametrize("steps", [ONE, TWO], ids=len)
def test_a_pipeline_changes_what_a_conversion_does_however_many_steps_it_has(
    plate: Path, steps: list[FunctionStep]
) -> None:
    ops, _, running = run(plate, steps)
    assert ops.counts == of_a_conversion(plate)
    created = Counter(path.rpartition("/out/")[2] for one, path in ops.trace if one == "create" and "/c/" in path)
    assert (set(created.values()), len(created)) == ({1}, IMAGES)
    assert sources(running) == dict.fromkeys(sources(running), 1)
    assert len(sources(running)) == PLANES


def test_a_projection_reads_each_source_once_and_stores_a_plane_for_each_stack(plate: Path) -> None:
    ops, compiling, running = run(plate, PROJECTED)
    left_out = IMAGES * CHANNELS * (Z - 1)
    assert ops.counts + total((left_out, CHUNKS_LESS["plane"])) == of_a_conversion(plate)
    assert (set(sources(running).values()), len(sources(running))) == ({1}, PLANES)
    assert (set(sources(compiling).values()), len(sources(compiling))) == ({1}, Z)  # one stack is tried


def test_planes_that_wait_on_a_disk_are_written_once_read_once_and_never_synced(plate: Path) -> None:
    ops, _, running = run(plate, TWO, VFSConfig(intermediate_backend="disk"))
    waiting = total((WELLS, WAITS["well"]), (PLANES, WAITS["plane"]))
    assert ops.counts == of_a_conversion(plate) + waiting
    opened = Counter(path for path in running.opened if path.endswith(".npy"))
    assert (set(opened.values()), len(opened)) == ({1}, PLANES)
    assert not [path for one, path in ops.trace if one.startswith("sync") and ".work" in path]
