"""What a pipeline costs beside its functions.

The heavy plate has 9 sites and 2 channels in each well, and functions that compute 52 ms a plane; its floor is a loop
that reads with tifffile, calls the same functions and keeps nothing. The light pipeline stores what it makes; its floor
is the bare script.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage
import tifffile

import bare
from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator
from openhcs.run import pixels

if TYPE_CHECKING:
    from harness import Bench

SERIAL = GlobalPipelineConfig(num_workers=1, use_threading=True)
COMPUTE_S = 0.052
LATENCY_S = 0.025
SITES = 9


def burn(stack, seconds=COMPUTE_S):
    """Blur a stack again and again until a time of the thread has gone by."""
    until = time.thread_time() + seconds
    made = stack
    while time.thread_time() < until:
        made = scipy.ndimage.uniform_filter1d(stack, 3, axis=-1)
    return made


def brightest(stack):
    return stack.max(axis=0)


def nothing(stack):
    return stack


def normalise(stack):
    """Stretch a stack between two percentiles."""
    dark, bright = np.percentile(stack[:, ::4, ::4], (1, 99))
    return ((stack - np.float32(dark)) * np.float32(4095 / max(bright - dark, 1))).clip(0, 4095).astype(np.uint16)


def smooth(stack):
    """Blur each plane."""
    return scipy.ndimage.gaussian_filter(stack.astype(np.float32), (0, 1.5, 1.5)).astype(np.uint16)


def flatten(stack):
    """Take off a local minimum as background."""
    return stack - np.minimum(stack, scipy.ndimage.minimum_filter(stack, (1, 9, 9)))


LIGHT = [normalise, smooth, flatten]


def run(bench: Bench) -> None:
    """Heavy, light, more workers, slow storage, and a call alone."""
    heavy(bench)
    light(bench)
    workers(bench)
    call(bench)


def ours(bench: Bench, plate: Path, steps: list[FunctionStep], config: GlobalPipelineConfig = SERIAL) -> Any:
    """Return a way that runs steps with openhcs."""

    def way() -> None:
        result = PipelineOrchestrator(plate, output=bench.out(), global_config=config).run(steps)
        assert result.ok, result.failed

    return way


def burning() -> list[FunctionStep]:
    """A plane burns, and one small image of each well is kept."""
    return [
        FunctionStep(burn, "burn", [], out="same", out_dtype="uint16"),
        FunctionStep(brightest, "brightest", ["site"], out="one", out_dtype="uint16"),
    ]


def heavy(bench: Bench) -> None:
    """The share of time that is not the functions' own, with storage at hand and with storage that answers late."""
    plate = bench.plate(wells=2 if bench.quick else 4, sites=SITES, channels=("DAPI", "FITC"), size=(1080, 1080))
    files = [path for group in zip(*bare.sites(plate).values(), strict=True) for path in group]
    read = pixels.PlaneReader.read_into

    def loop() -> None:
        for start in range(0, len(files), SITES):
            brightest(np.concatenate([burn(tifffile.imread(path)[None]) for path in files[start : start + SITES]]))

    def late(self, plane, out):
        time.sleep(LATENCY_S)
        read(self, plane, out)

    prompt = ours(bench, plate, burning())

    def slow() -> None:
        pixels.PlaneReader.read_into = late
        try:
            prompt()
        finally:
            pixels.PlaneReader.read_into = read

    turns = bench.turns(rounds=3, bare=loop, ours=prompt, slow=slow)
    row = f"heavy pipeline, {COMPUTE_S * 1000:.0f} ms a plane, ÷ bare loop"
    bench.row(row, turns.ratio("ours", "bare"), most=1.12, turns=turns)
    most = max(turns.wall("bare"), LATENCY_S * len(files))
    told = f"one after the other {(turns.wall('bare') + LATENCY_S * len(files)) / most:.2f}"
    row = f"storage that answers in {LATENCY_S * 1000:.0f} ms ÷ max(compute, I/O)"
    bench.row(row, turns.wall("slow") / most, most=1.08, note=told)


def light(bench: Bench) -> None:
    """Three quick functions, results stored."""
    plate = bench.plate(wells=4 if bench.quick else 12, sites=4, channels=("DAPI", "FITC", "Cy5"), size=(1080, 1080))
    steps = [FunctionStep(one, None, [], out="same", out_dtype="uint16") for one in LIGHT]
    config = GlobalPipelineConfig(num_workers=1, durability="fast", use_threading=True)
    turns = bench.turns(
        rounds=3, bare=lambda: bare.pipeline(plate, bench.out(), LIGHT), ours=ours(bench, plate, steps, config)
    )
    bench.row("light pipeline, results stored, ÷ bare script", turns.ratio("ours", "bare"), turns=turns)


def workers(bench: Bench) -> None:
    """Two worker processes against one, beside what two bare processes gain here."""
    plate = bench.plate(wells=6, sites=SITES, channels=("DAPI", "FITC"), size=(1080, 1080))
    one, two = (ours(bench, plate, burning(), GlobalPipelineConfig(num_workers=count)) for count in (1, 2))
    turns = bench.turns(
        rounds=2, warm=False, one=one, two=two, alone=lambda: _processes(1, 100), both=lambda: _processes(2, 50)
    )
    told = f"bare processes {turns.ratio('alone', 'both'):.2f}"
    bench.row("one worker ÷ two", turns.ratio("one", "two"), least=1.85, note=told, turns=turns)


def call(bench: Bench) -> None:
    """Eight more steps that do nothing, on planes of 16 × 16."""
    plate = bench.plate(wells=("A01",), sites=64, channels=("A", "B"), size=(16, 16))

    def with_calls(count: int) -> Any:
        steps = [FunctionStep(nothing, f"n{number}", [], out="same", out_dtype="uint16") for number in range(count)]
        return ours(bench, plate, steps)

    turns = bench.turns(many=with_calls(9), few=with_calls(1))
    spent = (turns.wall("many") - turns.wall("few")) / (8 * 64 * 2)
    bench.row("a call beside its function", spent * 1e6, "µs", most=100)


def _processes(count: int, calls: int) -> None:
    """Burn as often in each of some processes at once: what the machine gives."""
    code = (
        f"from sections.pipelines import *; stack = np.ones((1, 1080, 1080), np.uint16); "
        f"[burn(stack) for _ in range({calls})]"
    )
    folder = Path(__file__).parents[1]
    running = [subprocess.Popen([sys.executable, "-c", code], cwd=folder) for _ in range(count)]
    assert [one.wait() for one in running] == [0] * count
