"""A plan compiled again from what it was made of: with something changed, or for another machine.

Neither the plate nor the pipeline file is read: the plan knows its planes and what its steps declare.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from openhcs.core.wells import select_wells
from openhcs.errors import InvalidValue, PlanError, UnknownName, suggest
from openhcs.plan.compile import compile_plan
from openhcs.plan.origin import step_with

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.core.steps import FunctionStep
    from openhcs.plan.facts import Facts
    from openhcs.plan.model import Plan
    from openhcs.plan.origin import Origin

SHAPING = ("variable_components", "group_by", "unmatched", "out")
"""Settings of a step with which its calls, or the planes of later ones, are others than those probed."""
GROUPS = ("vfs", "zarr", "path_planning")


def replaced(
    plan: Plan, *, step: str | int | None, wells: str | Sequence[str] | None, settings: Mapping[str, Any]
) -> Plan:
    """Return the plan with settings changed, as `openhcs.plan.model.Plan.replace` says."""
    origin = _origin(plan)
    config, facts, steps = plan.config, origin.facts, origin.steps
    if step is None:
        config = _configured(config, settings)
    else:
        place = step_place(plan, step)
        _check_settings(settings, steps[place])
        changed = step_with(steps[place], steps[place].chains, **settings)
        steps = (*steps[:place], changed, *steps[place + 1 :])
        if any(getattr(changed, name) != getattr(origin.steps[place], name) for name in SHAPING):
            known = {number: one for number, one in facts.probed.items() if number <= place}
            facts = replace(facts, probed=known)
    chosen = origin.wells
    if wells is not None:
        told = origin.plate.wells
        chosen = select_wells(told, wells if isinstance(wells, str) else ",".join(wells))
    return _compiled(plan, origin, steps=steps, config=config, facts=facts, wells=chosen)


def fitted(plan: Plan, here: Facts, *, settings: Mapping[str, Any] | None = None) -> Plan:
    """Return the same plan for the machine that ``here`` tells of: its cores, memory and free space.

    Raises
    ------
    PlanError
        compiled again it is another plan: it was written by another version of openhcs, or changed.
    OutOfBudget, StorageFull
        this machine has no room for it.
    """
    origin = _origin(plan)
    facts = replace(
        here, probed=origin.facts.probed, fingerprints=origin.facts.fingerprints, opaque=origin.facts.opaque
    )
    config = _configured(plan.config, settings or {})
    again = _compiled(plan, origin, steps=origin.steps, config=config, facts=facts, wells=origin.wells)
    if again.id != plan.id:
        raise PlanError(
            f"plan {plan.id} compiled here is plan {again.id}: it was written by another version of openhcs, or its "
            "text was changed. Plan again with this version: openhcs plan … --save."
        )
    return again


def _compiled(
    plan: Plan,
    origin: Origin,
    *,
    steps: tuple[FunctionStep, ...],
    config: GlobalPipelineConfig,
    facts: Facts,
    wells: Sequence[str] | None,
) -> Plan:
    made = compile_plan(origin.plate, steps, config, facts, wells=wells)
    kept = replace(facts, free_bytes=None)
    return replace(
        made,
        origin=replace(origin, steps=steps, facts=kept, wells=None if wells is None else tuple(wells)),
        pipeline=plan.pipeline,
        output=plan.output,
    )


def _origin(plan: Plan) -> Origin:
    if plan.origin is None:
        raise PlanError("the plan does not say what it was compiled from, so it cannot be changed; plan again")
    return plan.origin


def step_place(plan: Plan, step: str | int) -> int:
    """Return the place of a step, from 0, by name or number.

    Raises
    ------
    UnknownName, InvalidValue
        no such step, or several of that name.
    """
    names = [one.name for one in plan.recipe.steps]
    if isinstance(step, int) and not isinstance(step, bool):
        if not 1 <= step <= len(names):
            raise UnknownName(f"the plan has no step {step}; it has {len(names)}, counted from 1")
        return step - 1
    if step not in names:
        raise UnknownName(f"the plan has no step {step!r}; {suggest(str(step), names)}")
    if names.count(step) > 1:
        numbers = ", ".join(str(number) for number, name in enumerate(names, start=1) if name == step)
        raise InvalidValue(f"steps {numbers} are named {step!r}; say which by its number")
    return names.index(step)


def _check_settings(settings: Mapping[str, Any], step: FunctionStep) -> None:
    known = [one.name for one in fields(step) if one.name != "chains"]
    for name in settings:
        if name not in known:
            raise UnknownName(f"a step has no setting {name!r}; {suggest(name, known)}")


def _configured(config: GlobalPipelineConfig, settings: Mapping[str, Any]) -> GlobalPipelineConfig:
    """Return a configuration with settings changed, those of its groups by their names alone."""
    homes = {one.name: group for group in GROUPS for one in fields(getattr(config, group))}
    own = [one.name for one in fields(config)]
    for said, value in settings.items():
        name = "num_workers" if said == "workers" else said
        if name in homes and not (name in own or is_dataclass(value)):
            config = replace(config, **{homes[name]: replace(getattr(config, homes[name]), **{name: value})})
        elif name in own:
            config = replace(config, **{name: value})
        else:
            known = ["workers", *own, *homes]
            raise UnknownName(f"the plan has no setting {name!r}; {suggest(name, known)}. Those of a step need step=")
    return config
