"""How a step cuts a well's planes into calls, and which planes each call makes.

Planes are told by their `Key`: (acquisition, site, t, channel, z). All of this is counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from openhcs.core.plate import Key
    from openhcs.plan.model import Recipe
    from openhcs.plan.parts import Axes, PlanStep

PLACE = {"site": 1, "timepoint": 2, "channel": 3, "z_index": 4}
"""Where each component stands in a `Key`."""
AXIS = {"site": 0, "timepoint": 1, "channel": 2, "z_index": 3}
"""Where each component stands in `Axes`."""
PASS = "pass"  # noqa: S105 - a word of the plan


@dataclass(frozen=True, slots=True)
class Group:
    """One call: the planes of its stack in order, the planes it makes, the functions it takes.

    ``chain`` is a key of the step's functions; None stands for a step with one chain, `PASS` for
    planes that go on as they are.
    """

    inputs: tuple[Key, ...]
    outputs: tuple[Key, ...]
    chain: str | None

    @property
    def first(self) -> Key:
        """The first plane of its stack, which no other call of its step has."""
        return self.inputs[0]


def stack_keys(keys: Iterable[Key], stacks: tuple[str, ...]) -> list[tuple[Key, ...]]:
    """Return the stacks that ``keys`` fall into: one per combination of the other components.

    Within a stack the first component named varies slowest; stacks come in the order of their planes.
    """
    if not stacks:
        return [(key,) for key in sorted(keys)]
    places = tuple(PLACE[name] for name in stacks)
    rest = itemgetter(*(place for place in range(1 + len(PLACE)) if place not in places))
    found: dict[Any, list[Key]] = {}
    for key in sorted(keys):
        found.setdefault(rest(key), []).append(key)
    return [tuple(sorted(group, key=itemgetter(*places))) for group in found.values()]


def label_keys(inputs: Iterable[Key]) -> tuple[Key, ...]:
    """Return the places of the label planes of a stack, in its order: labels have no channel, told as 0."""
    return tuple(dict.fromkeys(replaced(key, "channel", 0) for key in inputs))


def replaced(key: Key, component: str, label: int) -> Key:
    """Return ``key`` with another label for one component."""
    place = PLACE[component]
    return (*key[:place], label, *key[place + 1 :])  # type: ignore[return-value]


def collapsed(key: Key, stacks: tuple[str, ...], axes: Mapping[int, Axes]) -> Key:
    """Return the place of the one plane that a stack collapses to: the plate's first label of each."""
    for name in stacks:
        key = replaced(key, name, axes[key[0]][AXIS[name]][0])
    return key


def outputs_of(
    inputs: tuple[Key, ...], stacks: tuple[str, ...], out: str | tuple[int, ...], axes: Mapping[int, Axes]
) -> tuple[Key, ...]:
    """Return the places of the planes that one call makes."""
    if out == "same":
        return inputs
    if out == "one":
        return (collapsed(inputs[0], stacks, axes),)
    return tuple(replaced(inputs[0], stacks[0], int(label)) for label in out)


def group_value(key: Key, group_by: str, well: str) -> str:
    """Return the value, as text, that picks a group's functions."""
    return well if group_by == "well" else str(key[PLACE[group_by]])


def groups_of(keys: Iterable[Key], step: PlanStep, axes: Mapping[int, Axes], well: str) -> list[Group]:
    """Return the calls of one step on one well; groups dropped by ``unmatched`` are left out."""
    groups = []
    for inputs in stack_keys(keys, step.stacks):
        chain: str | None = None
        if step.group_by is not None:
            chain = step.picks.get(group_value(inputs[0], step.group_by, well))
            if chain is None and step.unmatched == "drop":
                continue
            chain = PASS if chain is None else chain
        outputs = (
            inputs if step.group_by is not None and chain == PASS else outputs_of(inputs, step.stacks, step.out, axes)
        )
        groups.append(Group(inputs, outputs, chain))
    return groups


def groups_by_step(recipe: Recipe, keys: tuple[Key, ...], well: str) -> list[list[Group]]:
    """Return, step by step, the calls that a well with these planes takes."""
    found: list[list[Group]] = []
    before = recipe.source
    for step in recipe.steps:
        groups = groups_of(keys, step, before.axes, well)
        found.append(groups)
        keys = tuple(sorted(key for group in groups for key in group.outputs))
        before = step.layer
    return found


def planes_by_step(keys: Iterable[Key], groups: Iterable[list[Group]]) -> list[tuple[Key, ...]]:
    """Return the planes of a well as read, then after each step."""
    return [tuple(keys), *(tuple(key for group in step for key in group.outputs) for step in groups)]


def filled_by_step(states: Mapping[Key, str], groups: Iterable[list[Group]]) -> list[dict[Key, str]]:
    """Return, as read and after each step, the planes made of nothing but fill values, with their state.

    ``states`` are those of planes that are read as fill values.
    """
    filled = [dict(states)]
    for step in groups:
        before = filled[-1]
        filled.append(
            {
                key: before[group.inputs[0]]
                for group in step
                for key in group.outputs
                if all(one in before for one in group.inputs)
            }
        )
    return filled


def axes_of(keys: Iterable[Key]) -> dict[int, Axes]:
    """Return the labels per acquisition that ``keys`` have."""
    seen: dict[int, tuple[set[int], ...]] = {}
    for acquisition, *labels in keys:
        sets = seen.setdefault(acquisition, (set(), set(), set(), set()))
        for values, label in zip(sets, labels, strict=True):
            values.add(label)
    return {number: tuple(tuple(sorted(values)) for values in sets) for number, sets in sorted(seen.items())}  # type: ignore[misc]
