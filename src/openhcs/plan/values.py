"""Special outputs and inputs: which call makes what, and which call is handed it.

A call has a *place*: its acquisition and one label of each component that it does not stack. A value
made at one place belongs to a later call if the two agree wherever both have one label of a component.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from openhcs.core.special import LABELS
from openhcs.errors import PlanError, suggest
from openhcs.plan.layers import PLACE, label_keys, replaced
from openhcs.plan.parts import Take, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from openhcs.core.plate import Key
    from openhcs.core.steps import FunctionStep
    from openhcs.plan.facts import Probed
    from openhcs.plan.layers import Group
    from openhcs.plan.parts import PlanStep

Place = tuple[int | None, ...]
"""A `Key` with None where a call stacks the component."""
WITHIN = tuple(PLACE)
"""Components within a well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Maker:
    """What makes a special output: the step, keys of its functions, and components each call has one of."""

    step: int
    plan: PlanStep
    kind: str | None
    chains: tuple[str | None, ...]
    named: tuple[str, ...]
    bytes: int


class Exchange:
    """What steps give one another beside images, bound step by step in their order."""

    def __init__(self) -> None:
        self._makers: dict[str, _Maker] = {}
        self._planned: list[PlanStep] = []

    def bound(self, step: FunctionStep, plan: PlanStep) -> PlanStep:
        """Return a step with its special inputs held against what earlier steps make.

        Raises
        ------
        PlanError
            an input that no earlier step makes.
        """
        takes = tuple(self._take(name, chains, plan) for name, chains in _inputs(step).items())
        if plan.over_wells:
            _check_over_wells(step, plan)
        return replace(plan, takes=takes)

    def made(self, step: FunctionStep, plan: PlanStep, probed: Probed | None) -> None:
        """Take note of what a settled step makes.

        Raises
        ------
        PlanError
            an earlier step makes something of the same name.
        """
        self._planned.append(plan)
        for name, (kind, chains) in outputs_of(step).items():
            if other := self._makers.get(name):
                raise PlanError(
                    f"steps {other.step} ({other.plan.name}) and {plan.number} ({plan.name}) both make {name!r}. Give "
                    "one of them another name in special_outputs.",
                    step=plan.name,
                )
            seen = probed.values.get(name) if probed else None
            self._makers[name] = _Maker(
                step=plan.number,
                plan=plan,
                kind=kind or seen,
                chains=chains,
                named=self._named(plan, chains),
                bytes=probed.arrays.get(name, 0) if probed else 0,
            )

    def values(self, folder: str) -> tuple[Value, ...]:
        """Return every special output that is no label image, in the order of steps; they go into ``folder``.

        Raises
        ------
        PlanError
            a kind that is neither said nor was seen.
        """
        return tuple(
            Value(
                step=maker.step,
                name=name,
                kind=self._kind(name, maker),
                chains=maker.chains,
                place=maker.named,
                path=f"{folder}/{name}",
                over_wells=maker.plan.over_wells,
                bytes=maker.bytes,
            )
            for name, maker in self._makers.items()
            if maker.kind != LABELS
        )

    def _kind(self, name: str, maker: _Maker) -> str:
        if maker.kind is None:
            raise PlanError(
                f"step {maker.step} ({maker.plan.name}) makes {name!r} without saying its kind, and no call of it was "
                f'tried; say it, as in @special_outputs({name}="table").',
                step=maker.plan.name,
            )
        return maker.kind

    def _take(self, name: str, chains: tuple[str | None, ...], plan: PlanStep) -> Take:
        maker = self._makers.get(name)
        if maker is None:
            known = suggest(name, self._makers) if self._makers else "no earlier step makes any special output"
            raise PlanError(
                f"step {plan.number} ({plan.name}) takes {name!r}, which no earlier step makes; {known}.",
                step=plan.name,
            )
        between = [one for one in self._planned[maker.step :] if one.out != "same" and not one.over_wells]
        changed = {component for one in between for component in one.stacks}
        own = [name for name in WITHIN if name not in plan.stacks and name not in changed]
        if maker.kind == LABELS:
            self._check_labels(name, plan, changed)
            own, named = [one for one in own if one == "channel"], [one for one in maker.named if one == "channel"]
        else:
            named = list(maker.named)
        match = tuple(one for one in named if one in own)
        return Take(
            name=name,
            step=maker.step,
            made_by=maker.chains,
            kind=self._kind(name, maker),
            chains=chains,
            match=match,
            several=len(match) < len(named),
        )

    def _check_labels(self, name: str, plan: PlanStep, changed: set[str]) -> None:
        moved = sorted(changed - {"channel"})
        if moved or plan.over_wells:
            why = f"{moved[0]} was put together in between" if moved else "it sees no image"
            raise PlanError(
                f"step {plan.number} ({plan.name}) takes the labels {name!r}, a plane for each of its stack, but "
                f"{why}. Take them before that, or make them after.",
                step=plan.name,
            )

    def _named(self, plan: PlanStep, chains: tuple[str | None, ...]) -> tuple[str, ...]:
        """Return the components that a call of these functions has one label of.

        Where the functions of one value alone make something, such as nuclei of DAPI, it stands for all
        values. A step over wells has those of what it takes.
        """
        named = [name for name in WITHIN if name not in plan.stacks]
        if plan.over_wells:
            known = {name for take in plan.takes for name in self._makers[take.name].named}
            return tuple(name for name in named if name in known)
        alone = len(chains) == 1 and chains != (None,)
        return tuple(name for name in named if not (alone and name == plan.group_by))


def _check_over_wells(step: FunctionStep, plan: PlanStep) -> None:
    if not step.inputs or not step.outputs:
        raise PlanError(
            f"step {plan.number} ({plan.name}) stacks wells, but a plate has no place for an image of several wells. "
            "Such a step takes what earlier steps made of each well (special_inputs) and gives something for all "
            "(special_outputs); to call a function on images stack SITE, CHANNEL, Z_INDEX or TIMEPOINT.",
            step=plan.name,
        )
    if None not in step.chains:
        raise PlanError(
            f"step {plan.number} ({plan.name}) stacks wells and has functions by value; it takes one for all values.",
            step=plan.name,
        )
    for name, (kind, _) in outputs_of(step).items():
        if kind is None or kind == LABELS:
            why = "labels lie beneath an image, and it has none" if kind else "its kind must be said"
            raise PlanError(f"step {plan.number} ({plan.name}) stacks wells and makes {name!r}: {why}.", step=plan.name)


def _inputs(step: FunctionStep) -> dict[str, tuple[str | None, ...]]:
    """Return what a step takes, with the keys of its functions that do; what its own chain made is no input."""
    found: dict[str, list[str | None]] = {}
    for key, chain in step.chains.items():
        made: set[str] = set()
        for call in chain:
            for name in call.inputs:
                if name not in made and key not in found.setdefault(name, []):
                    found[name].append(key)
            made.update(call.output_names)
    return {name: tuple(keys) for name, keys in found.items() if keys}


def outputs_of(step: FunctionStep) -> dict[str, tuple[str | None, tuple[str | None, ...]]]:
    """Return what a step makes: kind, and keys of its functions, by name.

    Raises
    ------
    PlanError
        a name made twice in one chain, or of two kinds.
    """
    found: dict[str, tuple[str | None, tuple[str | None, ...]]] = {}
    for key, chain in step.chains.items():
        for output in (output for call in chain for output in call.outputs):
            kind, keys = found.get(output.name, (output.kind, ()))
            if key in keys:
                raise PlanError(
                    f"step {step.name} makes {output.name!r} twice in one chain of functions. Give one of them another "
                    "name in special_outputs.",
                    step=step.name,
                )
            if kind != output.kind:
                raise PlanError(
                    f"step {step.name} makes {output.name!r} as {kind or 'what it may be'} and as "
                    f"{output.kind or 'what it may be'}; one name is of one kind.",
                    step=step.name,
                )
            found[output.name] = (kind, (*keys, key))
    return found


def place_of(key: Key, named: Iterable[str]) -> Place:
    """Return the place of a plane, as far as the components in ``named`` go.

    >>> place_of((0, 3, 1, 2, 1), ("site", "channel"))
    (0, 3, None, 2, None)
    """
    kept = {0, *(PLACE[name] for name in named)}
    return tuple(label if number in kept else None for number, label in enumerate(key))


def agree(one: Place, other: Place) -> bool:
    """Return whether two places are of one acquisition and agree where both have a label."""
    return all(a == b for a, b in zip(one, other, strict=True) if a is not None and b is not None)


def takes_by(step: PlanStep, group: Group) -> tuple[Take, ...]:
    """Return the special inputs that a call takes."""
    return tuple(take for take in step.takes if group.chain in take.chains)


class Links:
    """Which calls of a well make the special inputs of its other calls.

    Parameters
    ----------
    steps, groups
        steps in order, and the calls of each on this well.
    """

    def __init__(self, steps: Sequence[PlanStep], groups: Sequence[list[Group]]) -> None:
        self._steps = steps
        self._found: dict[tuple[str, Place], list[Group]] = {}
        takes = {(take.name, take.match): take for step in steps for take in step.takes if take.step > 0}
        for take in takes.values():
            for group in (group for group in groups[take.step - 1] if group.chain in take.made_by):
                for place in self._places(take, group):
                    self._found.setdefault((take.name, place), []).append(group)

    def makers(self, step: int, group: Group) -> Iterator[tuple[Take, list[Group]]]:
        """Yield each special input of a call, ``step`` counted from 0, with the calls that make it.

        What an earlier stage made is left out.

        Raises
        ------
        PlanError
            no call makes it.
        """
        for take in takes_by(self._steps[step], group):
            if take.step > 0:
                yield take, self.of(take, step, group)

    def of(self, take: Take, step: int, group: Group) -> list[Group]:
        """Return the calls that make a special input of a call, in the order of their planes."""
        found: dict[Key, Group] = {}
        for place in self._places(take, group):
            made = self._found.get((take.name, place))
            if not made:
                maker, plan = self._steps[take.step - 1], self._steps[step]
                raise PlanError(
                    f"step {plan.number} ({plan.name}) takes {take.name!r}, and step {maker.number} ({maker.name}) "
                    f"makes none for {_told(group.inputs[0], take)}. Make it there too, or leave these out "
                    "(unmatched).",
                    step=plan.name,
                )
            found |= {one.first: one for one in made}
        return list(found.values())

    @staticmethod
    def _places(take: Take, group: Group) -> list[Place]:
        if take.kind != LABELS:
            return [place_of(group.inputs[0], take.match)]
        channel = group.inputs[0][3] if take.match else 0
        return [replaced(key, "channel", channel) for key in label_keys(group.inputs)]


def _told(key: Key, take: Take) -> str:
    named = take.match or WITHIN
    return ", ".join(f"{name} {key[PLACE[name]]}" for name in named)
