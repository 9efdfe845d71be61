"""The order of a well's calls, and the memory they take.

Depth first: a call runs as soon as its stack is whole, so a chain of steps that stack nothing
carries one plane at a time. Every plane has one reader in the next step, so a buffer is dropped
when that call takes it.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs.plan.labels import labels_of, makes
from openhcs.plan.layers import groups_by_step, label_keys, planes_by_step
from openhcs.plan.sizes import DISK, ITEMSIZE, plane_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openhcs.core.plate import Key
    from openhcs.plan.layers import Group
    from openhcs.plan.model import LabelTarget, Recipe, Target

Place = tuple[int, int, tuple[int, int]]
"""A target, one of the plan's labels or -1, and (acquisition, site): an image that is gathered."""
PYRAMID = 1.4
"""Levels beside the first take a third of an image; encoded bytes are counted with them."""
MARGIN = 1.1


@dataclass(frozen=True, slots=True)
class Scheduled:
    """One call at its place in the order. ``step`` counts from 0."""

    step: int
    group: Group


def image_of(key: Key) -> tuple[int, int]:
    """Return (acquisition, site): the image that a plane belongs to."""
    return key[0], key[1]


def schedule(recipe: Recipe, keys: tuple[Key, ...], well: str) -> tuple[Scheduled, ...]:
    """Return every call of one well in running order."""
    steps = groups_by_step(recipe, keys, well)
    maker = [{key: group for group in groups for key in group.outputs} for groups in steps]
    done: set[tuple[int, int]] = set()

    def visit(number: int, group: Group) -> Iterator[Scheduled]:
        if (number, id(group)) in done:
            return
        done.add((number, id(group)))
        if number:
            for key in group.inputs:
                yield from visit(number - 1, maker[number - 1][key])
        yield Scheduled(number, group)

    kept = [target.after for target in recipe.targets] + [label.step for label in recipe.labels]
    wanted = sorted({number - 1 for number in kept if number}, reverse=True)
    last = [len(steps) - 1] if steps and len(steps) - 1 not in wanted else []
    order = (call for number in [*last, *wanted] for group in steps[number] for call in visit(number, group))
    return tuple(order)


def image_bytes(target: Target, acquisition: int) -> int:
    """Return the bytes that one site image is gathered in; planes kept as files are not gathered."""
    if target.backend == DISK:
        return 0
    _, ts, channels, zs = target.layer.axes[acquisition]
    return plane_bytes(target.layer) * len(ts) * len(channels) * len(zs)


def label_bytes(target: Target, label: LabelTarget, acquisition: int) -> int:
    """Return the bytes that one label image is gathered in."""
    _, ts, _, zs = target.layer.axes[acquisition]
    return math.prod(target.layer.plane_shape) * ITEMSIZE[label.dtype] * len(ts) * len(zs)


def peak_bytes(recipe: Recipe, keys: tuple[Key, ...], well: str) -> int:
    """Return the most memory that a well's buffers take at any moment, with a margin of a tenth.

    Counted are stacks in and out of a call, planes that wait for their reader, and images and labels
    being gathered and written.
    """
    meter = _Meter(recipe, keys, well)
    calls = schedule(recipe, keys, well)
    for call in calls:
        meter.call(call)
    read = {key for call in calls if call.step == 0 for key in call.group.inputs}
    for key in keys:
        if key not in read:
            meter.keep_plane(0, key)
    return int(meter.peak * MARGIN)


class _Meter:
    def __init__(self, recipe: Recipe, keys: tuple[Key, ...], well: str) -> None:
        layers = [recipe.source, *(step.layer for step in recipe.steps)]
        self.recipe = recipe
        self.sizes = [plane_bytes(layer) for layer in layers]
        self.labels = [
            (label, math.prod(layers[label.step - 1].plane_shape) * ITEMSIZE[label.dtype]) for label in recipe.labels
        ]
        groups = groups_by_step(recipe, keys, well)
        made = planes_by_step(keys, groups)
        self.left: Counter[Place] = Counter()
        for number, target in enumerate(recipe.targets):
            self.left.update((number, -1, image_of(key)) for key in made[target.after])
        for number, found in enumerate(labels_of(recipe, groups)):
            self.left.update((recipe.labels[number].target, number, image_of(key)) for key in found)
        self.open: set[Place] = set()
        self.live = 0
        self.peak = 0

    def call(self, call: Scheduled) -> None:
        number = call.step + 1
        inputs = len(call.group.inputs) * self.sizes[call.step]
        outputs = len(call.group.outputs) * self.sizes[number]
        for key in call.group.inputs if call.step == 0 else ():
            self.keep_plane(0, key)
        planes = label_keys(call.group.inputs)
        made = [
            (place, size * len(planes))
            for place, (label, size) in enumerate(self.labels)
            if label.step == number and makes(label, call.group)
        ]
        labelled = sum(size for _, size in made)
        self.peak = max(self.peak, self.live + inputs + outputs + labelled)
        if call.step:
            self.live -= inputs
        self.live += outputs + labelled
        self.peak = max(self.peak, self.live)
        for place, size in made:
            for key in planes:
                self._keep_label(place, key)
            self.live -= size
        if number == len(self.sizes) - 1:
            self.live -= outputs
        for key in call.group.outputs:
            self.keep_plane(number, key)

    def keep_plane(self, number: int, key: Key) -> None:
        for place, target in enumerate(self.recipe.targets):
            if target.after == number:
                self._keep((place, -1, image_of(key)), image_bytes(target, key[0]))

    def _keep_label(self, place: int, key: Key) -> None:
        label = self.recipe.labels[place]
        size = label_bytes(self.recipe.targets[label.target], label, key[0])
        self._keep((label.target, place, image_of(key)), size)

    def _keep(self, place: Place, size: int) -> None:
        if place not in self.open:
            self.open.add(place)
            self.live += size
        self.left[place] -= 1
        if not self.left[place]:
            self.peak = max(self.peak, int(self.live + PYRAMID * size))
            self.live -= size
        self.peak = max(self.peak, self.live)
