"""Side by side with the floor: every figure is a ratio of two runs in turn, median of five.

    python bench/compare.py            the whole table, about eight minutes on two cores, 3 GB of disk
    python bench/compare.py --quick    smaller plates

The floor is `bench/bare.py`. Temporary files go to TMPDIR.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.ndimage

import bare
from openhcs import FileManager, FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, convert, open_plate
from openhcs.testing.synthetic import make_plate

ROUNDS = 5


def timed(function, *args) -> float:
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def in_turn(one, other, rounds: int = ROUNDS) -> tuple[list[float], list[float]]:
    """Return the seconds of two functions called in turn, after one call each that does not count."""
    one(), other()
    pairs = [(timed(one), timed(other)) for _ in range(rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def row(name: str, figure: str, target: str) -> None:
    print(f"{name:<58} {figure:>26}   target {target}", flush=True)


def ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


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


FUNCTIONS = [normalise, smooth, flatten]


def size_of(plate: Path) -> int:
    return sum(path.stat().st_size for path in plate.rglob("*.[tT][iI][fF]"))


class Bench:
    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        side = 540 if quick else 1080
        channels = ("DAPI", "FITC", "Cy5")
        self.how = {"sites": 4, "channels": channels, "size": (side, side)}
        self.plate = make_plate(folder / "plate", wells=16, **self.how)
        self.bytes = size_of(self.plate)
        print(f"plate: 16 wells × 4 sites × 3 channels, {self.bytes / 1e6:.0f} MB of TIFF")
        self.big_wells = 16 if quick else 36
        self.out = folder / "out"

    def clean(self) -> None:
        for path in self.folder.glob("out*"):
            shutil.rmtree(path)
        for path in self.folder.glob(".out*"):
            shutil.rmtree(path)

    def ours(self, durability: str, plate: Path | None = None, *, verify: bool = False):
        def run() -> None:
            self.clean()
            config = GlobalPipelineConfig(num_workers=2, durability=durability, verify=verify)
            assert convert(plate or self.plate, f"{self.out}.zarr", config=config).ok

        return run

    def bare(self) -> None:
        self.clean()
        bare.convert(self.plate, self.out)

    def copy(self) -> None:
        self.clean()
        shutil.copytree(self.plate, self.out)
        os.sync()

    def convert(self) -> None:
        ours, floor = in_turn(self.ours("fast"), self.bare)
        speed = self.bytes / statistics.median(ours) / 1e6
        row("convert, speed against the bare script", f"{1 / ratio(ours, floor):.2f} ({speed:.0f} MB/s)", "≥ 0.8")
        durable, copied = in_turn(self.ours("full"), self.copy)
        row("convert, durable against cp -r + sync, wall", f"{ratio(durable, copied):.2f}", "≤ 1.35")

    def promises(self) -> None:
        """What the promises cost, on a plate of 1 GB unless --quick."""
        plate = make_plate(self.folder / "big", wells=self.big_wells, **self.how)
        told = f"{size_of(plate) / 1e9:.1f} GB"
        durable, fast = in_turn(self.ours("full", plate), self.ours("fast", plate))
        row(f"convert, durable against fast, wall, {told}", f"{ratio(durable, fast):.2f}", "≤ 1.3")
        verified, plain = in_turn(self.ours("full", plate, verify=True), self.ours("full", plate))
        row(f"convert, with --verify against without, wall, {told}", f"{ratio(verified, plain):.2f}", "≤ 1.5")
        self.clean()
        shutil.rmtree(plate)

    def pipeline(self, workers: int):
        steps = [FunctionStep(one, None, [], out="same", out_dtype="uint16") for one in FUNCTIONS]
        config = GlobalPipelineConfig(num_workers=workers)

        def run() -> None:
            self.clean()
            assert PipelineOrchestrator(self.plate, output=self.out, global_config=config).run(steps).ok

        return run

    def bare_pipeline(self) -> None:
        self.clean()
        bare.pipeline(self.plate, self.out, FUNCTIONS)

    def pipelines(self) -> None:
        one, floor = in_turn(self.pipeline(1), self.bare_pipeline)
        row("pipeline, wall against the bare loop, 1 worker", f"{ratio(one, floor):.2f}", "≤ 1.3")
        two, single = in_turn(self.pipeline(2), self.pipeline(1))
        row("pipeline, 2 workers against 1, speed", f"{1 / ratio(two, single):.2f}", "≥ 1.7")

    def memory(self) -> None:
        files = FileManager()
        for side in (64, 2160):
            arrays = [np.zeros((side, side), np.uint16) for _ in range(200 if side < 100 else 20)]
            start = time.perf_counter()
            for number, array in enumerate(arrays):
                files.save(array, f"a/{number}", "memory", hand_over=True)
            for number in range(len(arrays)):
                files.load(f"a/{number}", "memory")
            each = (time.perf_counter() - start) / len(arrays) * 1e6
            files.delete("a", "memory", recursive=True)
            row(f"memory, put + get handed over, {side}×{side}", f"{each:.1f} µs", "≤ 10 µs")

    def one_plane(self) -> None:
        self.clean()
        convert(self.plate, f"{self.out}.zarr")
        plate = open_plate(f"{self.out}.zarr")
        times = [
            timed(lambda w=well: plate[w].site(2).channel("FITC").read()) for well in plate.wells for _ in range(5)
        ]
        row("one plane out of a plate", f"{statistics.median(times) * 1e3:.1f} ms", "≤ 10 ms")

    def growth(self) -> None:
        peaks = {}
        for wells in (8, 96):
            plate = make_plate(
                self.folder / f"growth{wells}", wells=wells, sites=1, channels=("DAPI", "FITC"), size=(540, 540)
            )
            target = self.folder / f"out_{wells}.zarr"
            program = (
                "import sys, resource\nfrom openhcs import convert, GlobalPipelineConfig\n"
                "convert(sys.argv[1], sys.argv[2], config=GlobalPipelineConfig(num_workers=2))\n"
                "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
            )
            done = subprocess.run(
                [sys.executable, "-c", program, plate, target], capture_output=True, text=True, check=True
            )
            peaks[wells] = int(done.stdout) / 1024
            shutil.rmtree(plate)
        row("peak RSS, 8 and 96 wells", f"{peaks[8]:.0f} and {peaks[96]:.0f} MB", "the same")


def run_benches(kind, names: list[str], *, about: str) -> None:
    """Run benches of a class by name, as the command line says, in a temporary folder."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", help="names of benches, by comma")
    args = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as folder:
        bench = kind(Path(folder), quick=args.quick)
        for name in args.only.split(",") if args.only else names:
            getattr(bench, name)()


if __name__ == "__main__":
    run_benches(Bench, ["convert", "promises", "pipelines", "memory", "one_plane", "growth"], about=__doc__)
