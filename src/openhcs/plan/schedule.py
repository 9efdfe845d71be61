"""The order of a well's calls, and the memory they take.

Depth first: a call runs as soon as its stack is whole, so a chain of steps that stack nothing
carries one plane at a time. Every plane has one reader in the next step, so a buffer is dropped
when that call takes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs.core.steps import DTYPES
from openhcs.plan.layers import groups_by_step, planes_by_step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openhcs.core.plate import Key
    from openhcs.plan.layers import Group
    from openhcs.plan.model import Layer, Recipe, Target

ITEMSIZE = dict(zip(DTYPES, (1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8, 8, 16), strict=True))
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

    wanted = sorted({target.after - 1 for target in recipe.targets if target.after}, reverse=True)
    last = [len(steps) - 1] if steps and len(steps) - 1 not in wanted else []
    order = (call for number in [*last, *wanted] for group in steps[number] for call in visit(number, group))
    return tuple(order)


def plane_bytes(layer: Layer) -> int:
    """Return the bytes of one plane."""
    return math.prod(layer.plane_shape) * ITEMSIZE[layer.dtype]


def image_bytes(target: Target, acquisition: int) -> int:
    """Return the bytes that one site image is gathered in; planes kept as files are not gathered."""
    if target.backend == "disk":
        return 0
    _, ts, channels, zs = target.layer.axes[acquisition]
    return plane_bytes(target.layer) * len(ts) * len(channels) * len(zs)


def peak_bytes(recipe: Recipe, keys: tuple[Key, ...], well: str) -> int:
    """Return the most memory that a well's buffers take at any moment, with a margin of a tenth.

    Counted are stacks in and out of a call, planes that wait for their reader, and images being
    gathered and written.
    """
    meter = _Meter(recipe, keys, well)
    if any(target.after == 0 for target in recipe.targets):
        for key in keys:
            meter.keep(0, key)
    for call in schedule(recipe, keys, well):
        meter.call(call)
    return int(meter.peak * MARGIN)


class _Meter:
    def __init__(self, recipe: Recipe, keys: tuple[Key, ...], well: str) -> None:
        layers = [recipe.source, *(step.layer for step in recipe.steps)]
        self.sizes = [plane_bytes(layer) for layer in layers]
        self.targets = {target.after: target for target in recipe.targets}
        made = planes_by_step(keys, groups_by_step(recipe, keys, well))
        self.left: dict[tuple[int, tuple[int, int]], int] = {}
        for number in self.targets:
            for key in made[number]:
                place = (number, image_of(key))
                self.left[place] = self.left.get(place, 0) + 1
        self.open: set[tuple[int, tuple[int, int]]] = set()
        self.live = 0
        self.peak = 0

    def call(self, call: Scheduled) -> None:
        number = call.step + 1
        inputs = len(call.group.inputs) * self.sizes[call.step]
        outputs = len(call.group.outputs) * self.sizes[number]
        self.peak = max(self.peak, self.live + inputs + outputs)
        if call.step:
            self.live -= inputs
        if number < len(self.sizes) - 1:
            self.live += outputs
        self.peak = max(self.peak, self.live)
        for key in call.group.outputs if number in self.targets else ():
            self.keep(number, key)

    def keep(self, number: int, key: Key) -> None:
        place = (number, image_of(key))
        size = image_bytes(self.targets[number], key[0])
        if place not in self.open:
            self.open.add(place)
            self.live += size
        self.left[place] -= 1
        if not self.left[place]:
            self.peak = max(self.peak, int(self.live + PYRAMID * size))
            self.live -= size
        self.peak = max(self.peak, self.live)
