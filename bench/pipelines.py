"""What a pipeline costs beside its functions: ratios of runs in turn, median of five.

    python bench/pipelines.py            about five minutes on two cores
    python bench/pipelines.py --quick    fewer wells

The plate has 9 sites and 2 channels in each well, planes of 1080 × 1080; one small image of each channel is kept.
The floor is a loop that reads with tifffile, calls the same functions and keeps nothing.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import scipy.ndimage
import tifffile

from compare import in_turn, ratio, row, run_benches
from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator
from openhcs.run import pixels
from openhcs.run.plates import index_plate
from openhcs.testing.synthetic import make_plate

SERIAL = GlobalPipelineConfig(num_workers=1, use_threading=True)
COMPUTE_S = 0.052
LATENCY_S = 0.025


def burn(stack, seconds=COMPUTE_S):
    """Blur a stack again and again until a time of the process has gone by."""
    until = time.thread_time() + seconds
    made = stack
    while time.thread_time() < until:
        made = scipy.ndimage.uniform_filter1d(stack, 3, axis=-1)
    return made


def brightest(stack):
    return stack.max(axis=0)


def nothing(stack):
    return stack


def processes(count, calls):
    """Burn as often in each of some processes at once: what the machine gives."""
    code = (
        f"from pipelines import *; stack = np.ones((1, 1080, 1080), np.uint16); [burn(stack) for _ in range({calls})]"
    )
    running = [subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parent) for _ in range(count)]
    assert [one.wait() for one in running] == [0] * count


class Bench:
    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        self.quick = quick
        self.plate = make_plate(
            folder / "P",
            wells=2 if quick else 4,
            sites=9,
            channels=["DAPI", "FITC"],
            size=(1080, 1080),
            compression=None,
        )
        index = index_plate(self.plate)
        self.files = [f"{index.root}/{plane.source.path}" for plane in index.planes]

    def run(self, steps, config=SERIAL, plate=None):
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        result = PipelineOrchestrator(plate or self.plate, output=out, global_config=config).run(steps)
        assert result.ok, result.failed

    def steps(self):
        """A stack of planes burns, and one small image of each well is kept."""
        return [
            FunctionStep(burn, "burn", [], out="same", out_dtype="uint16"),
            FunctionStep(brightest, "brightest", ["site"], out="one", out_dtype="uint16"),
        ]

    def loop(self, latency=0.0):
        for start in range(0, len(self.files), 9):
            stacks = []
            for path in self.files[start : start + 9]:
                time.sleep(latency)
                stacks.append(burn(tifffile.imread(path)[None]))
            brightest(np.concatenate(stacks))

    def busy(self):
        ours, bare = in_turn(lambda: self.run(self.steps()), self.loop)
        row(f"pipeline ÷ bare loop, {COMPUTE_S * 1000:.0f} ms a site", f"{ratio(ours, bare):.2f}", "≤ 1.12")

    def workers(self):
        large = make_plate(
            self.folder / "L", wells=12, sites=9, channels=["DAPI", "FITC"], size=(1080, 1080), compression=None
        )
        one, two = (GlobalPipelineConfig(num_workers=count) for count in (1, 2))
        slow, fast = in_turn(
            lambda: self.run(self.steps(), one, large),
            lambda: self.run(self.steps(), two, large),
            1 if self.quick else 3,
        )
        alone, both = in_turn(lambda: processes(1, 100), lambda: processes(2, 50), 1 if self.quick else 3)
        told = f"{ratio(slow, fast):.2f} (bare processes: {ratio(alone, both):.2f})"
        row("one worker ÷ two", told, "≥ 1.85")

    def slow_storage(self):
        read = pixels.PlaneReader.read_into

        def late(self, plane, out):
            time.sleep(LATENCY_S)
            read(self, plane, out)

        compute = statistics.median(self._seconds(self.loop) for _ in range(3))
        storage = LATENCY_S * len(self.files)
        pixels.PlaneReader.read_into = late
        try:
            ours = statistics.median(self._seconds(lambda: self.run(self.steps())) for _ in range(5))
        finally:
            pixels.PlaneReader.read_into = read
        told = f"{ours / max(compute, storage):.2f} (sum: {(compute + storage) / max(compute, storage):.2f})"
        row(f"storage that answers in {LATENCY_S * 1000:.0f} ms ÷ max(compute, I/O)", told, "≤ 1.08")

    @staticmethod
    def _seconds(function) -> float:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    def overhead(self):
        small = make_plate(
            self.folder / "S", wells=["A01"], sites=64, channels=["A", "B"], size=(16, 16), compression=None
        )

        def with_calls(count):
            steps = [FunctionStep(nothing, f"n{number}", [], out="same", out_dtype="uint16") for number in range(count)]
            return lambda: self.run(steps, plate=small)

        many, few = in_turn(with_calls(9), with_calls(1))
        calls = 8 * 64 * 2
        spent = statistics.median((a - b) / calls for a, b in zip(many, few, strict=True))
        row("seconds a call costs beside its function", f"{spent * 1e6:.0f} µs", "≤ 100 µs")


if __name__ == "__main__":
    run_benches(Bench, ["busy", "workers", "slow_storage", "overhead"], about=__doc__)
