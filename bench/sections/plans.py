"""Before a run and around it: compile, resume, the index of a large plate, and how long the program takes to start."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, convert
from openhcs.run.plates import index_plate

if TYPE_CHECKING:
    from harness import Bench

CHANNELS = ("DAPI", "FITC", "Cy3", "Cy5", "Brightfield", "Alexa 488 650", "405ex, 570-630-em)", "Brightfield high")


def nothing(stack):
    return stack


def run(bench: Bench) -> None:
    """Compile, resume, index, start."""
    compiling(bench)
    resuming(bench)
    indexing(bench)
    starting(bench)


def compiling(bench: Bench) -> None:
    """Five steps for 384 wells × 9 sites × 4 channels × 5 z."""
    wells = 24 if bench.quick else 384
    plate = bench.plate(wells=wells, sites=9, channels=CHANNELS[:4], z=5, size=(16, 16), blank=True)
    steps = [FunctionStep(nothing, f"s{number}", [], out="same", out_dtype="uint16") for number in range(5)]
    one = PipelineOrchestrator(plate, output=bench.out()).initialize()
    turns = bench.turns(rounds=3, compile=lambda: one.compile_pipelines(steps))
    name = f"compile {wells} wells × 9 × 4 × 5, 5 steps"
    bench.row(name, turns.wall("compile"), "s", most=2, note="names by a rule", turns=turns)
    bench.row("the plan as JSON", len(one.plan.to_json()) / 1e6, "MB", most=5)


def resuming(bench: Bench) -> None:
    """The same command again on a finished output, beside a look at what is listed."""
    wells = 24 if bench.quick else 384
    plate = bench.plate(wells=wells, sites=1, channels=("DAPI",), size=(64, 64))
    output = bench.folder / "resumed.zarr"
    config = GlobalPipelineConfig(durability="fast", num_workers=2)
    start = time.perf_counter()
    assert convert(plate, output, config=config).ok
    whole = time.perf_counter() - start

    def again() -> None:
        assert len(convert(plate, output, config=config).skipped) == wells

    turns = bench.turns(rounds=3, again=again, index=lambda: index_plate(plate))
    told = f"of which the index {turns.wall('index'):.2f} s; the conversion took {whole:.1f} s"
    bench.row(f"resume, {wells} wells, nothing to do", turns.wall("again"), "s", note=told, turns=turns)


def indexing(bench: Bench) -> None:
    """A Phenix plate, names and Index.idx.xml."""
    wells = 24 if bench.quick else 384
    for layout in ("opera_phenix", "opera_phenix_v7"):
        plate = bench.plate(layout=layout, wells=wells, sites=9, channels=CHANNELS, size=(16, 16), blank=True)
        turns = bench.turns(rounds=3, index=lambda plate=plate: index_plate(plate))
        bench.row(f"index {layout}, {wells * 72} planes", turns.wall("index"), "s", most=2)
        bench.forget(plate)


def starting(bench: Bench) -> None:
    """Fresh processes."""

    def fresh(*words: str):
        return lambda: subprocess.run([sys.executable, *words], check=True, capture_output=True)

    turns = bench.turns(
        bare=fresh("-c", "pass"),
        imported=fresh("-c", "import openhcs"),
        numpy=fresh("-c", "import numpy"),
        asked=fresh("-m", "openhcs", "--help"),
    )
    bare = turns.wall("bare")
    for way, name in (("imported", "import openhcs"), ("numpy", "import numpy"), ("asked", "openhcs --help")):
        bench.row(f"{name}, beside python -c pass", (turns.wall(way) - bare) * 1e3, "ms")
