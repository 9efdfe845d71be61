"""Memory: planned against measured, against keeping everything, and over plates of any size.

    python bench/memory.py            the tables, about a minute on two cores
    python bench/memory.py --quick    smaller planes

Measured is what a fresh worker process grew by, as the commit record tells it; counted is what Python
and numpy handed out. Temporary files go to TMPDIR. A plate of 20 GB in 2 GB is a test:
make test-crash ARGS="tests/crash/test_twenty_gigabytes.py".
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import scipy.ndimage

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, special_inputs, special_outputs
from openhcs import VariableComponents as V
from openhcs.ledger.ledger import Ledger
from openhcs.testing.synthetic import make_plate


def smooth(stack):
    """Blur each plane."""
    return scipy.ndimage.gaussian_filter(stack, (0, 2, 2))


def flatten(stack):
    """Take off a local minimum as background."""
    return stack - np.minimum(stack, scipy.ndimage.minimum_filter(stack, (1, 9, 9)))


def brightest(stack):
    """Project along what is stacked."""
    return stack.max(axis=0)


def even(stack):
    """Divide by the mean over all sites."""
    mean = stack.mean(axis=0, dtype=np.float32)
    return (stack * (mean.mean() / np.maximum(mean, 1))).clip(0, 65535).astype(np.uint16)


@special_outputs(nuclei="labels")
def segment(stack):
    """Number the bright objects of each plane."""
    return stack, np.stack([scipy.ndimage.label(plane > 600)[0] for plane in stack]).astype(np.uint32)


@special_inputs("nuclei")
@special_outputs(cells="table")
def measure(stack, nuclei):
    """Mean of each plane within its objects."""
    return stack, {"mean": [float(plane[one > 0].mean()) for plane, one in zip(stack, nuclei, strict=True)]}


def logarithm(stack):
    """Go on in 64-bit floats."""
    return np.log1p(stack.astype(np.float64))


def back(stack):
    """Return to counts."""
    return np.expm1(stack).round().astype(np.uint16)


PIPELINES = {
    "chain, nothing stacked": [FunctionStep(one, None, []) for one in (smooth, flatten, smooth)],
    "projection over z": [FunctionStep(smooth, None, []), FunctionStep(brightest, None, [V.Z_INDEX])],
    "sites stacked": [FunctionStep(smooth, None, []), FunctionStep(even, None, [V.SITE])],
    "labels": [FunctionStep(smooth, None, []), FunctionStep(segment, None, [V.Z_INDEX])],
    "labels, measured": [
        FunctionStep(smooth, None, []),
        FunctionStep(segment, None, [V.Z_INDEX]),
        FunctionStep(measure, None, [V.Z_INDEX]),
    ],
    "float64 between, copy kept": [
        FunctionStep(smooth, None, [], force_disk_output=True),
        FunctionStep(logarithm, None, [V.Z_INDEX]),
        FunctionStep(back, None, [V.Z_INDEX]),
    ],
}


class Bench:
    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        self.side = 540 if quick else 1080
        how = {"sites": 4, "z": 4, "channels": ("DAPI", "FITC"), "size": (self.side, self.side)}
        self.plate = make_plate(folder / "plate", wells=("A01",), **how)

    def run(self, steps) -> tuple[int, int]:
        """Return the bytes that one well was planned to take, and took."""
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        config = GlobalPipelineConfig(num_workers=2)
        assert PipelineOrchestrator(self.plate, output=out, global_config=config).run(steps).ok
        memory = Ledger(out).records()["A01"]["memory"]
        return memory["planned"], memory["measured"]

    def table(self) -> None:
        print(f"\n{'pipeline':<30}{'planned':>10}{'measured':>10}{'planned ÷ measured':>20}   target 1.0 to 1.3")
        for name, steps in PIPELINES.items():
            planned, measured = self.run(steps)
            print(f"{name:<30}{mb(planned)}{mb(measured)}{planned / measured:>20.2f}")

    def kept(self) -> None:
        """Measured against all planes, as read and after each step, held at once."""
        steps = PIPELINES["chain, nothing stacked"]
        planes = 4 * 4 * 2 * (1 + len(steps))
        everything = planes * self.side**2 * 2
        _, measured = self.run(steps)
        print(
            f"\n{'peak ÷ keeping everything':<30}{mb(everything)}{mb(measured)}{measured / everything:>20.2f}   ≤ 0.30"
        )

    def growth(self) -> None:
        """Counted while the wells of small plates run: what one well takes, and a little for each name."""
        print(f"\n{'wells':<30}{'counted':>10}")
        for wells in (8, 96, 384):
            plate = make_plate(self.folder / f"{wells}", wells=wells, sites=1, channels=("DAPI",), size=(270, 270))
            config = GlobalPipelineConfig(num_workers=1, durability="fast")
            one = PipelineOrchestrator(plate, output=self.folder / f"out{wells}", global_config=config).initialize()
            one.compile_pipelines([FunctionStep(smooth, None, [])])
            tracemalloc.start()
            assert one.execute_compiled_plate().ok
            print(f"{wells:<30}{mb(tracemalloc.get_traced_memory()[1])}")
            tracemalloc.stop()


def mb(size: int) -> str:
    return f"{size / 1e6:>7.1f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), quick=args.quick)
        bench.table()
        bench.kept()
        bench.growth()


if __name__ == "__main__":
    main()
