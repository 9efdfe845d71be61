"""Memory and space: what each well takes, how many run at once, and whether the results fit."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from openhcs.core.plate import PlaneState
from openhcs.errors import OutOfBudget, StorageFull
from openhcs.plan.labels import labels_of
from openhcs.plan.layers import groups_by_step, planes_by_step
from openhcs.plan.model import Task
from openhcs.plan.schedule import image_of, peak_bytes
from openhcs.plan.sizes import DISK, plane_bytes, stored

if TYPE_CHECKING:
    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.core.plate import Key, PlateIndex
    from openhcs.plan.facts import Facts
    from openhcs.plan.model import Layer, Plan, Recipe, Target

SHARE_OF_MEMORY = 0.6
SHARE_STORED = 0.5
"""Stored bytes per raw byte, on the safe side of what 12-bit images compress to."""


def tasks_of(index: PlateIndex, recipe: Recipe) -> tuple[Task, ...]:
    """Return one task per well, with what it takes."""
    known: dict[tuple[Key, ...], _Measured] = {}
    by_well = any(step.group_by == "well" for step in recipe.steps)
    tasks = []
    for well, planes in index.by_well.items():
        keys = tuple(plane.key for plane in planes)
        if keys not in known or by_well:
            known[keys] = _measure(recipe, keys, well)
        bytes_in = sum(plane.state is PlaneState.PRESENT for plane in planes) * plane_bytes(recipe.source)
        tasks.append(
            Task(
                well=well,
                planes=planes,
                bytes_in=bytes_in,
                **asdict(known[keys]),
            )
        )
    return tuple(tasks)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """What wells with the same planes have in common."""

    calls: int
    peak_bytes: int
    images: tuple[int, ...]
    labels: tuple[int, ...]
    stored: tuple[tuple[int, int], ...]


def _measure(recipe: Recipe, keys: tuple[Key, ...], well: str) -> _Measured:
    groups = groups_by_step(recipe, keys, well)
    made = planes_by_step(keys, groups)
    images = [{image_of(key) for key in made[target.after]} for target in recipe.targets]
    labels = [{image_of(key) for key in found} for found in labels_of(recipe, groups)]
    taken = [
        _planes(target, len(made[target.after])) if target.backend == DISK else _stored(recipe, target.layer, found)
        for target, found in zip(recipe.targets, images, strict=True)
    ]
    taken += [
        _stored(recipe, replace(recipe.targets[label.target].layer, dtype=label.dtype), found, without_channels=True)
        for label, found in zip(recipe.labels, labels, strict=True)
    ]
    return _Measured(
        calls=sum(len(step) for step in groups),
        peak_bytes=peak_bytes(recipe, keys, well),
        images=tuple(map(len, images)),
        labels=tuple(map(len, labels)),
        stored=tuple(taken),
    )


def _planes(target: Target, count: int) -> tuple[int, int]:
    return count, count * plane_bytes(target.layer)


def _stored(
    recipe: Recipe, layer: Layer, images: set[tuple[int, int]], *, without_channels: bool = False
) -> tuple[int, int]:
    """Return the objects and raw bytes of site images: those of one acquisition are alike."""
    objects = raw = 0
    for acquisition, count in Counter(acquisition for acquisition, _ in images).items():
        one = stored(layer, recipe.config.zarr, acquisition, without_channels=without_channels)
        objects, raw = objects + count * one.objects, raw + count * one.raw_bytes
    return objects, raw


def admit(tasks: tuple[Task, ...], config: GlobalPipelineConfig, facts: Facts) -> tuple[int, int]:
    """Return how many workers run at once, and the memory they share."""
    budget = config.vfs.memory_budget or int(facts.memory * SHARE_OF_MEMORY)
    peak = max(task.peak_bytes for task in tasks)
    if peak > budget:
        worst = max(tasks, key=lambda task: task.peak_bytes)
        raise OutOfBudget(
            f"well {worst.well} would need {peak / 1e6:.0f} MB and the budget is {budget / 1e6:.0f} MB. Raise "
            "vfs.memory_budget, stack fewer components, or keep fewer steps.",
            well=worst.well,
        )
    wanted = config.num_workers or facts.cores
    return max(1, min(wanted, len(tasks), budget // max(1, peak))), budget


def check_space(plan: Plan, facts: Facts) -> None:
    """Raise `StorageFull` when the results cannot fit in the space that is left."""
    needed = int(plan.raw_bytes_out * (1 if plan.recipe.config.zarr.compressor.value == "none" else SHARE_STORED))
    if facts.free_bytes is not None and needed > facts.free_bytes:
        raise StorageFull(
            f"the results need about {needed / 1e6:.0f} MB and {facts.free_bytes / 1e6:.0f} MB are free. Free some "
            "space, choose another output, or run fewer wells (--wells)."
        )
