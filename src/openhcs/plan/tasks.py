"""The tasks of a plan: one per well, and what each takes."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from openhcs.core.plate import PlaneState
from openhcs.plan.labels import labels_of
from openhcs.plan.layers import groups_by_step, planes_by_step
from openhcs.plan.model import Task
from openhcs.plan.peak import peak_bytes
from openhcs.plan.schedule import image_of
from openhcs.plan.sizes import DISK, plane_bytes, stored

if TYPE_CHECKING:
    from openhcs.core.plate import Key, PlateIndex
    from openhcs.plan.model import Recipe
    from openhcs.plan.parts import Layer, Target

    _Alike = tuple[tuple[Key, ...], tuple[str | None, ...]]


NEARLY = 0.9
"""Share of a plate's planes from which on a well is taken to need as much memory as one that has them all."""


def tasks_of(index: PlateIndex, recipe: Recipe, *, threads: int = 1) -> tuple[Task, ...]:
    """Return one task per well, with what it takes where ``threads`` encode at the same time.

    Wells with the same planes and functions take the same.
    """
    by_well = [step for step in recipe.steps if step.group_by == "well"]
    alike = {
        well: (tuple(plane.key for plane in planes), tuple(step.picks.get(well) for step in by_well))
        for well, planes in index.by_well.items()
    }
    peaks = _Peaks(recipe, {keys for keys, _ in alike.values()}, threads)
    known: dict[_Alike, _Needs] = {}
    tasks = []
    for well, planes in index.by_well.items():
        kind = alike[well]
        if kind not in known:
            known[kind] = _needs(recipe, kind[0], well, peaks)
        bytes_in = sum(plane.state is PlaneState.PRESENT for plane in planes) * plane_bytes(recipe.source)
        tasks.append(
            Task(
                well=well,
                planes=planes,
                bytes_in=bytes_in,
                **asdict(known[kind]),
            )
        )
    return tuple(tasks)


class _Peaks:
    """Peaks of wells; those that lack a few planes only are not followed one by one."""

    def __init__(self, recipe: Recipe, kinds: set[tuple[Key, ...]], threads: int) -> None:
        self._recipe = recipe
        self._threads = threads
        plain = not any(step.takes or step.group_by == "well" for step in recipe.steps)
        self._all = tuple(sorted(set().union(*kinds))) if plain and len(kinds) > 1 else ()
        self._of_all: int | None = None

    def of(self, keys: tuple[Key, ...], well: str) -> int:
        """Return the peak of a well, or of all planes that wells have where it has nearly all."""
        if len(keys) < NEARLY * len(self._all) or not self._all:
            return peak_bytes(self._recipe, keys, well, threads=self._threads)
        if self._of_all is None:
            self._of_all = peak_bytes(self._recipe, self._all, well, threads=self._threads)
        return self._of_all


@dataclass(frozen=True, slots=True, kw_only=True)
class _Needs:
    """What wells with the same planes have in common."""

    calls: int
    peak_bytes: int
    images: tuple[int, ...]
    labels: tuple[int, ...]
    stored: tuple[tuple[int, int], ...]


def _needs(recipe: Recipe, keys: tuple[Key, ...], well: str, peaks: _Peaks) -> _Needs:
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
    return _Needs(
        calls=sum(len(step) for step in groups),
        peak_bytes=peaks.of(keys, well),
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
