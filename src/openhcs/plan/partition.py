"""Partition: cut the plate into calls, step by step, and settle what comes out of each.

What comes out is declared by the step or was probed; the labels then follow for the whole plate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from openhcs.errors import PlanError
from openhcs.plan import bind
from openhcs.plan.layers import PASS, axes_of, groups_of
from openhcs.plan.parts import Layer, PlanStep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.core.plate import Key, PlateIndex
    from openhcs.core.steps import FunctionStep
    from openhcs.plan.facts import Facts, Probed
    from openhcs.plan.values import Exchange

    KeysByWell = Mapping[str, tuple[Key, ...]]


def partition(
    index: PlateIndex, steps: Sequence[FunctionStep], source: Layer, facts: Facts, exchange: Exchange
) -> tuple[PlanStep, ...]:
    """Return every step settled, in order; ``source`` is what the plate holds, ``exchange`` a new one."""
    keys = {well: tuple(plane.key for plane in planes) for well, planes in index.by_well.items()}
    before = source
    planned: list[PlanStep] = []
    for number, step in enumerate(steps, start=1):
        probed = facts.probed.get(number)
        one = settled(step, exchange.bound(step, first_step(index, step, number, before)), keys, probed)
        one = replace(one, fingerprint=facts.fingerprints.get(number, ""), opaque=facts.opaque.get(number, ()))
        exchange.made(step, one, probed)
        keys = next_keys(keys, one, before)
        planned.append(one)
        before = one.layer
    return tuple(planned)


def first_step(index: PlateIndex, step: FunctionStep, number: int, before: Layer) -> PlanStep:
    """Return a step held against the plate, before what comes out of it is known."""
    stacks = bind.stacks_of(step, number)
    if step.over_wells:
        return PlanStep(number=number, name=step.name, stacks=stacks, layer=before, passes=True)
    group_by = bind.grouping(step, number, stacks)
    picked = {} if group_by is None else bind.picks(step, number, group_by, before.axes, index)
    return PlanStep(
        number=number,
        name=step.name,
        stacks=stacks,
        group_by=group_by,
        picks=picked,
        unmatched=step.unmatched,
        layer=before,
    )


def settled(step: FunctionStep, planned: PlanStep, keys_by_well: KeysByWell, probed: Probed | None) -> PlanStep:
    """Return the step with what comes out of it: as declared, else as probed.

    ``keys_by_well`` are the planes that go in, over the whole plate.
    """
    before = planned.layer
    if planned.over_wells:
        return planned
    if probed is None and (step.out is None or step.out_dtype is None):
        raise PlanError(
            f"step {planned.number} ({step.name}) says neither in full what comes out (out=, out_dtype=) nor was it "
            "probed.",
            step=step.name,
        )
    out = step.out if step.out is not None else _probed_out(step, planned, probed)
    dtype = step.out_dtype or (probed.dtype if probed else before.dtype)
    shape = probed.plane_shape if probed else before.plane_shape
    said = step.out is not None and step.out_dtype is not None
    known = "said" if probed is None or said else f"probed {probed.planes_in}"
    done = replace(planned, out=out, known=known, passes=probed is not None and probed.same and out == "same")
    groups = [group for well, keys in _unlike(keys_by_well, done) for group in groups_of(keys, done, before.axes, well)]
    made = [key for group in groups for key in group.outputs]
    if (dtype, shape) != (before.dtype, before.plane_shape) and any(group.chain == PASS for group in groups):
        raise PlanError(
            f"step {planned.number} ({step.name}) makes {dtype} {shape} and passes on images of {before.dtype} "
            f"{before.plane_shape} as they are; one step makes one dtype and one size. Give these values a function "
            'that converts them, or say unmatched="drop".',
            step=step.name,
        )
    if not made:
        raise PlanError(f"step {planned.number} ({step.name}) leaves no image: every group is dropped.", step=step.name)
    layer = Layer(axes=axes_of(made), dtype=dtype, plane_shape=shape)
    return replace(done, layer=layer, scratch=probed.scratch if probed else None)


def _probed_out(step: FunctionStep, planned: PlanStep, probed: Probed | None) -> str:
    assert probed is not None
    if probed.planes_out == probed.planes_in:
        return "same"
    if probed.planes_out == 1:
        return "one"
    raise PlanError(
        f"step {planned.number} ({step.name}) made {probed.planes_out} planes of {probed.planes_in}. Name them: "
        f"out=[1, …] with {probed.planes_out} labels.",
        step=step.name,
    )


def next_keys(keys: KeysByWell, step: PlanStep, before: Layer) -> dict[str, tuple[Key, ...]]:
    """Return the planes of each well after a step.

    Raises
    ------
    PlanError
        two calls would make the same plane.
    """
    if step.over_wells:
        return dict(keys)
    after: dict[tuple[Key, ...] | str, tuple[Key, ...]] = {}
    for well, present in _unlike(keys, step):
        made = [key for group in groups_of(present, step, before.axes, well) for key in group.outputs]
        if len(set(made)) != len(made):
            raise PlanError(
                f"step {step.number} ({step.name}) would make a plane of well {well} twice.", step=step.name
            )
        after[_kind(well, present, step)] = tuple(sorted(made))
    return {well: after[_kind(well, present, step)] for well, present in keys.items()}


def _unlike(keys: KeysByWell, step: PlanStep) -> list[tuple[str, tuple[Key, ...]]]:
    """Return the wells whose calls differ, with their planes: one of those that have the same ones."""
    found: dict[tuple[Key, ...] | str, tuple[str, tuple[Key, ...]]] = {}
    for well, present in keys.items():
        found.setdefault(_kind(well, present, step), (well, present))
    return list(found.values())


def _kind(well: str, present: tuple[Key, ...], step: PlanStep) -> tuple[Key, ...] | str:
    """Return what tells the calls of one well from those of others: its planes, or its name where that picks them."""
    return well if step.group_by == "well" else present
