"""Bytes of special outputs on their way to later calls of the same well: label planes and arrays.

A call's labels are copied for those who take them, and put together as a stack for each taker; an array
is passed on as it is. Both are dropped when the last taker has them. Tables and other values are small.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from openhcs.core.special import ARRAY, LABELS
from openhcs.plan.labels import makes
from openhcs.plan.layers import label_keys
from openhcs.plan.sizes import ITEMSIZE
from openhcs.plan.values import Links

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openhcs.core.plate import Key
    from openhcs.plan.layers import Group
    from openhcs.plan.model import Recipe
    from openhcs.plan.parts import Layer

    At = tuple[str, Key]


class Passed(NamedTuple):
    """A value of a call: its name and the call's first plane, its bytes, and whether a later call takes it."""

    at: At
    bytes: int
    wanted: bool


class HeldValues:
    """Which values are born and dropped at each call of one well."""

    def __init__(self, recipe: Recipe, groups: Sequence[list[Group]]) -> None:
        self._recipe = recipe
        self._layers: list[Layer] = [recipe.source, *(step.layer for step in recipe.steps)]
        self._links = Links(recipe.steps, groups)
        self._sizes: dict[At, int] = {}
        self._takers = Counter(
            (take.name, maker.first)
            for step, calls in enumerate(groups)
            for group in calls
            for take, makers in self._links.makers(step, group)
            for maker in makers
        )

    def given(self, step: int, group: Group) -> int:
        """Return the bytes that are put together for a call: stacks of the labels it takes."""
        planes = len(label_keys(group.inputs))
        return sum(
            planes
            * self._label_plane(take.name, maker_step=take.step - 1, maker=makers[0])
            * (len({maker.inputs[0][3] for maker in makers}) if take.several else 1)
            for take, makers in self._links.makers(step, group)
            if take.kind == LABELS
        )

    def dropped(self, step: int, group: Group) -> tuple[list[tuple[At, int]], list[tuple[At, int]]]:
        """Return what a call is the last to take, with its bytes: what goes before the call, and what after it.

        Labels are put together for the call and go; an array is itself what the call gets.
        """
        before: list[tuple[At, int]] = []
        after: list[tuple[At, int]] = []
        for take, makers in self._links.makers(step, group):
            for maker in makers:
                at = (take.name, maker.first)
                self._takers[at] -= 1
                if not self._takers[at] and self._sizes.get(at):
                    (before if take.kind == LABELS else after).append((at, self._sizes[at]))
        return before, after

    def arrays(self, step: int, group: Group) -> list[Passed]:
        """Return the arrays that a call makes."""
        return [
            self._passed(value.name, group, value.bytes)
            for value in self._recipe.values
            if value.step == step + 1 and value.kind == ARRAY and group.chain in value.chains
        ]

    def labels(self, step: int, group: Group) -> list[Passed]:
        """Return the copies of labels that a call makes and later calls take."""
        planes = len(label_keys(group.inputs))
        found = [
            self._passed(label.output, group, planes * self._label_plane(label.output, maker_step=step, maker=group))
            for label in self._recipe.labels
            if label.step == step + 1 and makes(label, group)
        ]
        return [one for one in found if one.wanted]

    def _passed(self, name: str, group: Group, size: int) -> Passed:
        at = (name, group.first)
        wanted = self._takers[at] > 0
        if wanted:
            self._sizes[at] = size
        return Passed(at, size, wanted)

    def _label_plane(self, name: str, *, maker_step: int, maker: Group) -> int:
        dtype = next(
            label.dtype
            for label in self._recipe.labels
            if label.step == maker_step + 1 and label.output == name and makes(label, maker)
        )
        return math.prod(self._layers[maker_step].plane_shape) * ITEMSIZE[dtype]
