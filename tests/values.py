"""Pipelines with special outputs of every kind, and with steps over wells, for several test files."""

from __future__ import annotations

import hashlib

import numpy as np

from openhcs import FunctionStep, PipelineOrchestrator, VariableComponents, special_inputs, special_outputs

WELL, SITE = VariableComponents.WELL, VariableComponents.SITE
LEVEL = 300


def as_svg(value, stem):
    return {f"{stem}.svg": f"<svg>{value}</svg>", f"{stem}.txt": str(value).encode()}


@special_outputs("counts", nuclei="labels", rim="roi", field="array", facts="object", picture=as_svg)
def everything(stack):
    bright = (stack > LEVEL).astype(np.uint16)
    rows = [{"plane": number, "bright": int(plane.sum())} for number, plane in enumerate(bright)]
    polygon = np.array([[1, 2], [7, 2], [7, 9.5]])
    total = int(bright.sum())
    return stack, rows, bright, [polygon, polygon + 3], stack.mean(axis=0), {"bright": total, "of": [1, None]}, total


@special_outputs(nuclei="labels")
def find(stack):
    return stack, (stack > LEVEL).astype(np.uint8)


@special_inputs("nuclei")
@special_outputs(cells="table")
def measure(stack, nuclei):
    inside = [plane[one > 0] for plane, one in zip(stack, nuclei, strict=True)]
    return stack, {"area": [len(one) for one in inside], "total": [int(one.sum()) for one in inside]}


@special_outputs(counts="table")
def count(stack):
    return stack, {"bright": int((stack > LEVEL).sum())}


@special_outputs(sums="array")
def sums(stack):
    return stack, np.stack([stack.sum(axis=0, dtype=np.float64), np.full(stack.shape[1:], float(len(stack)))])


@special_inputs("sums")
@special_outputs(field="array")
def combine(sums):
    total, count = sum(sums)
    mean = total / count
    return mean / mean.mean()


@special_inputs("field")
def correct(stack, field):
    return np.clip(stack / field + 0.5, 0, 65535).astype(np.uint16)


def twice(stack):
    return stack * 2


ILLUMINATION = [
    FunctionStep(sums),
    FunctionStep(combine, variable_components=[WELL]),
    FunctionStep(correct, variable_components=[]),
]
"""The plate's own illumination, estimated over every well and taken out of each plane."""


def run(plate, output, steps, config, **more):
    return PipelineOrchestrator(plate, output=output, global_config=config, **more).run(steps)


def results(output):
    """Return the digest of every file of results, tables and pixels, by path."""
    files = [path for path in output.rglob("*") if path.is_file() and ".openhcs" not in path.parts[:-1]]
    return {path.relative_to(output).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
