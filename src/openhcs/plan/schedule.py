"""The order of a well's calls.

Depth first: a call runs as soon as its stack is whole, so a chain of steps that stack nothing
carries one plane at a time. Every plane has one reader in the next step. Images that are kept are
made one after the other, so that each can be written before the next is begun.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs.plan.layers import PASS, Group, groups_by_step
from openhcs.plan.values import Links

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openhcs.core.plate import Key
    from openhcs.plan.model import Recipe

STORED_AS_READ = -1
"""The step of a plane that is read and stored, and that no call takes."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """One call at its place in the order. ``step`` counts from 0, or is `STORED_AS_READ`."""

    step: int
    group: Group


def image_of(key: Key) -> tuple[int, int]:
    """Return (acquisition, site): the image that a plane belongs to."""
    return key[0], key[1]


def schedule(recipe: Recipe, keys: tuple[Key, ...], well: str) -> tuple[Scheduled, ...]:
    """Return every call of one well in running order: after those that make its planes and special inputs.

    Planes of a plate that is kept as it was read stand in it too, where no call reads them.
    """
    steps = groups_by_step(recipe, keys, well)
    maker = [{key: group for group in groups for key in group.outputs} for groups in steps]
    links = Links(recipe.steps, steps)
    done: set[tuple[int, int]] = set()

    def visit(number: int, group: Group) -> Iterator[Scheduled]:
        if (number, id(group)) in done:
            return
        done.add((number, id(group)))
        if number > 0:
            for key in group.inputs:
                yield from visit(number - 1, maker[number - 1][key])
        for take, makers in links.makers(number, group) if number >= 0 else ():
            for one in makers:
                yield from visit(take.step - 1, one)
        yield Scheduled(number, group)

    kept = {target.after - 1 for target in recipe.targets} | {label.step - 1 for label in recipe.labels}
    kept |= {value.step - 1 for value in recipe.values}
    wanted = [(number, group) for number in {*kept, len(steps) - 1} if number >= 0 for group in steps[number]]
    if STORED_AS_READ in kept:
        read = {key for group in steps[0] for key in group.inputs} if steps else set()
        wanted += [(STORED_AS_READ, Group((key,), (), PASS)) for key in sorted(set(keys) - read)]
    wanted.sort(key=lambda one: (image_of(one[1].inputs[0]), -one[0]))
    return tuple(call for number, group in wanted for call in visit(number, group))
