"""Memory: planned against measured, and against keeping everything.

Measured is what a fresh worker process grew by, as the commit record tells it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.ndimage

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, special_inputs, special_outputs
from openhcs import VariableComponents as V
from openhcs.ledger.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Bench


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


CHAIN = [FunctionStep(one, None, []) for one in (smooth, flatten, smooth)]
PIPELINES = {
    "chain, nothing stacked": CHAIN,
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
SITES, DEPTH, CHANNELS = 4, 4, ("DAPI", "FITC")


def run(bench: Bench) -> None:
    """Every pipeline once, then the chain against all its planes."""
    side = 540 if bench.quick else 1080
    plate = bench.plate(wells=("A01",), sites=SITES, z=DEPTH, channels=CHANNELS, size=(side, side))
    measured = {}
    for name, steps in PIPELINES.items():
        planned, measured[name] = taken(bench, plate, steps)
        told = f"{planned / 1e6:.0f} ÷ {measured[name] / 1e6:.0f} MB"
        bench.row(f"planned ÷ measured: {name}", planned / measured[name], least=1.0, most=1.3, note=told)
    everything = SITES * DEPTH * len(CHANNELS) * (1 + len(CHAIN)) * side**2 * 2
    bench.row("peak ÷ keeping every plane", measured["chain, nothing stacked"] / everything, most=0.3)


def taken(bench: Bench, plate: Path, steps: list[FunctionStep]) -> tuple[int, int]:
    """Return the bytes that one well was planned to take, and took."""
    output = bench.out()
    config = GlobalPipelineConfig(num_workers=2)
    assert PipelineOrchestrator(plate, output=output, global_config=config).run(steps).ok
    memory = Ledger(output).records()["A01"]["memory"]
    return memory["planned"], memory["measured"]
