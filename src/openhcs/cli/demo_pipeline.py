"""A pipeline: ordinary functions, in order. Change it, then: openhcs run pipeline.py PLATE -o OUT."""

from __future__ import annotations

from typing import Any

import numpy as np

from openhcs.constants.constants import VariableComponents
from openhcs.core.config import GlobalPipelineConfig
from openhcs.core.special import special_outputs
from openhcs.core.steps import FunctionStep
from openhcs.steps import max_projection, percentile_normalize

Array = np.ndarray[Any, np.dtype[Any]]


def smooth(stack: Array, rounds: int = 1) -> Array:
    """Return a stack (n, y, x) blurred by the weights 1-2-1 along y and x, its dtype kept."""
    values: Array = stack.astype(np.float32)
    for axis in (1, 2) * rounds:
        padded = np.pad(values, [(1, 1) if axis == one else (0, 0) for one in range(3)], mode="edge")
        before, after = (np.take(padded, range(start, start + values.shape[axis]), axis) for start in (0, 2))
        values = (before + 2 * values + after) / 4
    smoothed: Array = np.floor(values + 0.5).astype(stack.dtype)
    return smoothed


@special_outputs(nuclei="labels")
def find_nuclei(stack: Array, level: int = 20_000) -> tuple[Array, Array]:
    """Return a stack (n, y, x) as it is, and labels of what is brighter: one number where pixels touch."""
    # The dark rim keeps opposite edges apart.
    bright = np.pad(stack > level, [(0, 0), (1, 1), (1, 1)])
    labels: Array = np.arange(1, bright.size + 1, dtype=np.uint32).reshape(bright.shape) * bright
    before: Array = np.zeros_like(labels)
    while not np.array_equal(labels, before):
        before = labels
        for axis in (1, 2):
            labels = np.maximum(labels, np.maximum(np.roll(labels, 1, axis), np.roll(labels, -1, axis)))
        labels = labels * bright
    numbers = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
    return stack, numbers[:, 1:-1, 1:-1].astype(np.uint32)


# Planes that should be there and are not are left black and are listed in the result.
config = GlobalPipelineConfig(missing="fill")

steps = [
    # Nothing stacked: one call per plane.
    FunctionStep((smooth, {"rounds": 2}), variable_components=[], out="same", out_dtype="uint16"),
    # All z planes of a site and channel are one stack (z, y, x), and one plane comes out.
    FunctionStep(max_projection, variable_components=[VariableComponents.Z_INDEX], out="one", out_dtype="uint16"),
    FunctionStep(
        (percentile_normalize, {"low": 1, "high": 99.8}), variable_components=[], out="same", out_dtype="uint16"
    ),
    # One channel only; its images and those of others go on as they are. The labels lie beneath them.
    FunctionStep({"DAPI": find_nuclei}, variable_components=[], unmatched="pass", out="same", out_dtype="uint16"),
]
