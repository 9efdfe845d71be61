"""A plan as text that fits a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from openhcs.core.special import TABLE
from openhcs.plan.sizes import stored_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openhcs.plan.model import Plan, Stage
    from openhcs.plan.parts import LabelTarget, Layer, PlanStep, Target, Value

SHORT = {"well": "well", "site": "site", "channel": "chan", "z_index": "z", "timepoint": "t"}
KIND = {"bool": "b", "uint": "u", "int": "i", "float": "f", "complex": "c"}
WIDEST = 120
"""Letters of a line of the table, if its names can be cut so far."""
NAME = 16
"""Letters of a step's name that are told in any case."""
HEADER = ("#", "step", "call per", "stacks", "reads", "writes", "out", "kept until", "why")


def size(count: float) -> str:
    """Return bytes as people read them, in powers of a thousand."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def explain(plan: Plan) -> str:
    """Return what a plan reads, calls, keeps and writes, and why."""
    lines = [*_head(plan)]
    if plan.recipe.steps:
        rows: list[tuple[str, ...]] = [HEADER]
        starts = _starts(plan)
        for step in plan.recipe.steps:
            row = _row(plan, step)
            if step.number in starts:
                rows.append((starts[step.number],))
            rows += [row, *(_label_row(row, label) for label in plan.recipe.labels if label.step == step.number)]
            rows += [_value_row(row, value) for value in plan.recipe.values if value.step == step.number]
        lines += _aligned(rows)
    for number, target in enumerate(plan.recipe.targets):
        lines.append(_out(plan, target))
        lines += [_label_out(plan, label) for label in plan.recipe.labels if label.target == number]
    lines += [f"out  {_files(value)}" for value in plan.recipe.values]
    lines += [f"note  {warning}" for warning in plan.warnings]
    return "\n".join(lines)


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows as lines whose columns begin below each other; a row of one cell stands for itself.

    Where a line would be longer than `WIDEST`, long names of steps are cut.
    """
    widths = [max(len(row[column]) for row in rows if len(row) > 1) for column in range(len(HEADER))]
    number, names = widths[0], widths[1]
    most = max(NAME, names - max(0, sum(widths) + 2 * len(widths) - 2 - WIDEST))
    widths[1] = min(names, most)
    lines = []
    for row in rows:
        if len(row) == 1:
            lines.append(" " * (number + 2) + row[0])
            continue
        name = row[1] if len(row[1]) <= most else f"{row[1][: most - 1]}…"
        cells = zip((row[0], name, *row[2:]), widths, strict=True)
        lines.append("  ".join(cell.ljust(width) for cell, width in cells).rstrip())
    return lines


def _head(plan: Plan) -> list[str]:
    source = plan.recipe.source
    most = [max(len(axes[place]) for axes in source.axes.values()) for place in range(4)]
    counts = f"{_count(len(plan.tasks), 'well')} × {_count(most[0], 'site')} × {_count(most[2], 'channel')}"
    counts += f" × {most[3]} z" if most[3] > 1 else ""
    counts += f" × {most[1]} t" if most[1] > 1 else ""
    y, x = source.plane_shape
    memory = f"budget {size(plan.budget)}   peak per task {size(plan.peak_bytes)}"
    return [
        f"plan {plan.id}   plate {plan.index.name}   {counts}   {source.dtype} {y}×{x}   {size(plan.bytes_in)} in",
        f"one task per well ({len(plan.tasks)})   why: {_why_wells(plan)}",
        f"workers {plan.workers}   {memory}",
    ]


def _why_wells(plan: Plan) -> str:
    """Return why a task is a whole well."""
    stacking = [step for step in plan.recipe.steps if "site" in step.stacks and not step.over_wells]
    return f"step {stacking[0].number} stacks sites" if stacking else "a well is stored whole or not at all"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _row(plan: Plan, step: PlanStep) -> tuple[str, ...]:
    before = plan.recipe.source if step.number == 1 else plan.recipe.steps[step.number - 2].layer
    varies = _varying(before)
    if step.over_wells:
        varies = {name for take in step.takes for name in take.match} & varies
    per = [SHORT[name] for name in SHORT if name not in step.stacks and name in varies]
    out = step.out if isinstance(step.out, str) else f"{len(step.out)} labels"
    shape = (
        ""
        if step.layer.plane_shape == before.plane_shape
        else f" {step.layer.plane_shape[0]}×{step.layer.plane_shape[1]}"
    )
    last = step.number == len(plan.recipe.steps)
    if step.over_wells:
        out, kept = "–", "–"
    else:
        out, kept = f"{out} {_dtype(step.layer.dtype)}{shape} {step.known}", "end" if last else str(step.number + 1)
    return (
        str(step.number),
        step.name,
        ",".join(per) or "well",
        ",".join(SHORT[name] for name in step.stacks) or "–",
        step.reads,
        " + ".join(step.writes) or "–",
        out,
        kept,
        step.why,
    )


def _label_row(step: tuple[str, ...], label: LabelTarget) -> tuple[str, ...]:
    """Return the row of a label image beneath the row of the step that makes it."""
    out = f"{_dtype(label.dtype)} {label.known}"
    return ("", label.name, step[2], step[3], "–", "labels", out, "end", "special output")


def _starts(plan: Plan) -> dict[int, str]:
    """Return, by the first step of each stage after the first, what is told of the cut before it."""
    stages = plan.stages[1:]
    return {
        stage.skipped + 1: "── once every well is there"
        if stage.over_wells
        else f"── then, well by well, {_again(plan, stage)} is read"
        for stage in stages
    }


def _again(plan: Plan, stage: Stage) -> str:
    return "the plate" if stage.source is None else plan.recipe.targets[stage.source].path


def _value_row(step: tuple[str, ...], value: Value) -> tuple[str, ...]:
    """Return the row of a special output beneath the row of the step that makes it."""
    return ("", value.name, step[2], step[3], "–", value.kind, "", "end", "special output")


def _files(value: Value) -> str:
    """Return the files of a special output, as a path."""
    if value.kind == TABLE:
        return f"{value.path}.parquet and .csv   one table"
    per = "for the plate" if value.over_wells else "for each call"
    return f"{value.path}/   {value.kind}, {per}"


def _varying(layer: Layer) -> set[str]:
    names = ("site", "timepoint", "channel", "z_index")
    return {name for place, name in enumerate(names) if any(len(axes[place]) > 1 for axes in layer.axes.values())}


def _dtype(name: str) -> str:
    letters = name.rstrip("0123456789")
    bits = name[len(letters) :]
    return f"{KIND[letters]}{int(bits) // 8 if bits else 1}"


def _out(plan: Plan, target: Target) -> str:
    images = plan.images(target)
    objects, raw = plan.stored(target)
    form = f"OME-Zarr {plan.recipe.config.zarr.ngff_version}, {_count(target.levels, 'level')}"
    form = form if target.backend == "zarr" else "OME-TIFF"
    axes = target.layer.axes[min(target.layer.axes)]
    planes = math.prod(len(labels) for labels in axes[1:])
    where = f"out  {target.path or 'the store itself'}   {form}"
    why = f"   {target.why}" if target.why else ""
    count = f"{_count(images, 'image')} × {_count(planes, 'plane')}"
    return f"{where}   {count}   {_bytes(raw, stored_share(target, plan.config))}, {objects} objects{why}"


def _label_out(plan: Plan, label: LabelTarget) -> str:
    images = plan.label_images(label)
    objects, raw = plan.stored(label)
    told = _bytes(raw, stored_share(label, plan.config))
    return f"     labels {label.name}   {_count(images, 'image')}   {told}, {objects} objects"


def _bytes(raw: int, share: float) -> str:
    return f"{size(raw)} raw" if share == 1 else f"{size(raw)} raw, about {size(raw * share)} stored"
