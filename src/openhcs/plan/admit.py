"""Memory and space: what each well takes, how many run at once, and whether the results fit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from openhcs.core.plate import PlaneState
from openhcs.errors import OutOfBudget, StorageFull
from openhcs.plan.labels import labels_of
from openhcs.plan.layers import groups_by_step, planes_by_step
from openhcs.plan.model import Task
from openhcs.plan.schedule import image_of, peak_bytes
from openhcs.plan.sizes import DISK, plane_bytes

if TYPE_CHECKING:
    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.core.plate import Key, PlateIndex
    from openhcs.plan.facts import Facts
    from openhcs.plan.model import Plan, Recipe

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
    objects: int


def _measure(recipe: Recipe, keys: tuple[Key, ...], well: str) -> _Measured:
    groups = groups_by_step(recipe, keys, well)
    made = planes_by_step(keys, groups)
    calls = sum(len(step) for step in groups)
    images = tuple(len({image_of(key) for key in made[target.after]}) for target in recipe.targets)
    objects = sum(
        len(made[target.after]) if target.backend == DISK else target.objects * count
        for target, count in zip(recipe.targets, images, strict=True)
    )
    labels = tuple(len({image_of(key) for key in found}) for found in labels_of(recipe, groups))
    objects += sum(label.objects * count for label, count in zip(recipe.labels, labels, strict=True))
    peak = peak_bytes(recipe, keys, well)
    return _Measured(calls=calls, peak_bytes=peak, images=images, labels=labels, objects=objects)


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
