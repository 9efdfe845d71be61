"""A plate of 20 GB runs in 2 GB: all processes together, looked at every few milliseconds.

The plate is made of names: hard links to a few real TIFFs, so that a small disk holds it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import tifffile
import zarr

pytestmark = pytest.mark.crash

SIDE, WELLS, SITES, CHANNELS, DEPTH = 2160, 24, 9, 2, 5
REAL = 10
BUDGET = 2 * 10**9
LOOK_S = 0.01

SCRIPT = """
import sys
import numpy as np
from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, VariableComponents as V
from openhcs.core.config import VFSConfig

def offset(stack):
    return np.maximum(stack, 100) - np.uint16(100)

def brightest(stack):
    return stack.max(axis=0)

def even(stack):
    mean = stack.mean(axis=0, dtype=np.float32)
    return (stack * (mean.mean() / np.maximum(mean, 1))).clip(0, 65535).astype(np.uint16)

if __name__ == "__main__":
    plate, output, workers, threading, budget = sys.argv[1:]
    config = GlobalPipelineConfig(
        num_workers=int(workers), use_threading=bool(int(threading)), vfs=VFSConfig(memory_budget=int(budget))
    )
    steps = [FunctionStep(offset, None, []), FunctionStep(brightest, None, [V.Z_INDEX]),
             FunctionStep(even, None, [V.SITE])]
    one = PipelineOrchestrator(plate, output=output, global_config=config, pattern="{well}_s{site}_w{channel}_z{z}.tif")
    one.initialize().compile_pipelines(steps)
    print(one.plan.explain(), flush=True)
    result = one.execute_compiled_plate()
    assert result.ok, result.failed
"""


def pixels(number):
    rng = np.random.default_rng(number)
    return rng.poisson(200 + 40 * number, (SIDE, SIDE)).astype(np.uint16)


def real(site, channel, z):
    """Return which of the real files a plane is."""
    return (site * 5 + channel * 3 + z) % REAL


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("big")
    (folder / "P1").mkdir()
    for number in range(REAL):
        tifffile.imwrite(folder / f"{number}.tif", pixels(number))
    for well in range(WELLS):
        name = f"{'ABCD'[well // 6]}{well % 6 + 1:02d}"
        for site in range(1, SITES + 1):
            for channel in range(1, CHANNELS + 1):
                for z in range(1, DEPTH + 1):
                    link = folder / "P1" / f"{name}_s{site}_w{channel}_z{z}.tif"
                    os.link(folder / f"{real(site, channel, z)}.tif", link)
    assert sum(path.stat().st_size for path in (folder / "P1").iterdir()) > 20 * 10**9
    return folder / "P1"


def watched(program):
    """Run a program to its end; return its output, seconds, and the most bytes that it held with all below it."""
    start, most = time.monotonic(), 0
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        top = psutil.Process(process.pid)
        while process.poll() is None:
            held = 0
            for one in (top, *children(top)):
                try:
                    held += one.memory_info().rss
                except psutil.Error:
                    continue
            most = max(most, held)
            time.sleep(LOOK_S)
        assert process.stdout is not None
        told = process.stdout.read()
    assert process.returncode == 0
    return told, time.monotonic() - start, most


def children(process):
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


@pytest.mark.parametrize(("workers", "threading"), [(1, 0), (2, 0), (3, 0), (3, 1)])
def test_a_plate_of_20_GB_runs_in_2_GB(workers, threading, plate, tmp_path):
    script = tmp_path / "pipeline.py"
    script.write_text(SCRIPT)
    output = tmp_path / "out"
    told, seconds, most = watched([sys.executable, script, plate, output, str(workers), str(threading), str(BUDGET)])
    kind = "threads" if threading else "workers"
    print(f"{told}\n{workers} {kind}: {most / 1e6:.0f} MB at most, {seconds:.0f} s")
    assert most < BUDGET
    stack = np.stack([projected(site, 2) for site in range(1, SITES + 1)])
    mean = stack.mean(axis=0, dtype=np.float32)
    expected = (stack * (mean.mean() / np.maximum(mean, 1))).clip(0, 65535).astype(np.uint16)
    found = zarr.open_group(output / "images.zarr/D/06", mode="r")["4/0"]
    assert np.array_equal(found[1, 0], expected[4])


def projected(site, channel):
    planes = (pixels(real(site, channel, z)) for z in range(1, DEPTH + 1))
    return np.maximum(np.stack(list(planes)), 100).max(axis=0) - np.uint16(100)
