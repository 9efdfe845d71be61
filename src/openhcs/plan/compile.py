"""Compile a pipeline for a plate, in five phases: index → bind → partition → memory → declaration.

Pure and deterministic: the same plate, steps, configuration and facts give the same plan, and the
plan's identity leaves the machine out, so that any machine can go on with it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from openhcs.errors import PlanError
from openhcs.plan import bind
from openhcs.plan.admit import admit_stages, check_space
from openhcs.plan.array_types import conversions
from openhcs.plan.declare import check_kept, declare, with_places
from openhcs.plan.identity import identity
from openhcs.plan.labels import with_labels
from openhcs.plan.model import Plan, Recipe
from openhcs.plan.origin import origin_of
from openhcs.plan.partition import partition
from openhcs.plan.stages import with_cut_images
from openhcs.plan.units import check_owners
from openhcs.plan.values import Exchange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.core.plate import PlateIndex
    from openhcs.core.steps import FunctionStep
    from openhcs.plan.facts import Facts
    from openhcs.plan.parts import Layer, PlanStep


def compile_plan(
    index: PlateIndex,
    steps: Sequence[FunctionStep],
    config: GlobalPipelineConfig,
    facts: Facts,
    *,
    wells: Sequence[str] | None = None,
) -> Plan:
    """Return the plan for a plate, or some of its wells; without steps, the plan that converts it.

    Labels follow from the whole plate, so a plan for some wells goes on as the plan for all; with a step
    over wells it is a plan for these.

    Raises
    ------
    PlanError
        what cannot work, with the step and the ways out.
    MissingPlanes, InputError
        planes that should be there are not, or none is.
    OutOfBudget, StorageFull
        one well needs more memory than allowed, or the results more space than is left.
    """
    origin = origin_of(index, steps, facts, wells)
    whole, notes = bind.pipeline_planes(index) if steps else (index, ())
    chosen = whole if wells is None else whole.only(wells)
    index = bind.planes_to_read(chosen, config.missing)
    absent = bind.absent_notes(chosen, config.missing)
    whole = bind.readable(whole)
    source = bind.source_layer(whole)
    exchange = Exchange()
    planned = partition(whole, steps, source, facts, exchange)
    targets = declare(steps, source, planned, config, facts)
    targets = with_cut_images(planned, source, targets, config)
    targets, labels = with_labels(whole, steps, source, planned, targets, config=config, facts=facts)
    values = exchange.values(config.path_planning.materialization_results_path)
    check_kept(targets, values, facts)
    for value in values:
        if value.kind in facts.lacking:
            raise PlanError(f"the {value.kind} {value.name!r} cannot be stored here: {facts.lacking[value.kind]}")
    planned = with_places(index, source, planned, targets, config)
    recipe = Recipe(
        plan_id="", source=source, steps=planned, targets=targets, labels=labels, values=values, config=config
    )
    recipe = replace(recipe, plan_id=identity(index, recipe))
    admitted = admit_stages(index, recipe, facts)
    plan = Plan(
        id=recipe.plan_id,
        index=index,
        recipe=admitted.recipe,
        tasks=admitted.tasks,
        stages=admitted.stages,
        workers=admitted.workers,
        budget=admitted.budget,
        room=admitted.room,
        origin=origin,
        warnings=(
            *index.warnings,
            *notes,
            *absent,
            *_warnings(steps, planned),
            *conversions(steps, planned, source, facts),
            *_opaque(planned),
            *_sizes(source, planned),
        ),
    )
    plan = replace(plan, warnings=(*plan.warnings, *_added(plan), *admitted.notes))
    check_owners(plan)
    check_space(plan, facts)
    return plan


def _opaque(planned: tuple[PlanStep, ...]) -> list[str]:
    """Return a note for each step of which nobody can tell whether it changed."""
    return [
        f"step {step.number} ({step.name}) holds {', '.join(step.opaque)}, which may change without being seen: wells "
        "are made again each time"
        for step in planned
        if step.opaque
    ]


def _added(plan: Plan) -> list[str]:
    """Return a note for each set of images that is kept for the sake of labels alone."""
    return [
        f"{target.path} is stored too, since {target.why}: {plan.stored(target)[1] / 1e6:.0f} MB raw"
        for target in plan.recipe.targets
        if target.why
    ]


def _sizes(source: Layer, planned: tuple[PlanStep, ...]) -> list[str]:
    """Return a warning for each step after which planes have another size."""
    layers = [source, *(step.layer for step in planned)]
    return [
        f"step {step.number} ({step.name}) makes planes of {step.layer.plane_shape} (y, x) out of "
        f"{before.plane_shape}; their pixel size is not known"
        for step, before in zip(planned, layers, strict=False)
        if step.layer.plane_shape != before.plane_shape
    ]


def _warnings(steps: Sequence[FunctionStep], planned: tuple[PlanStep, ...]) -> tuple[str, ...]:
    found = []
    for step, plan in zip(steps, planned, strict=True):
        sites = plan.layer.axes and "site" in plan.stacks
        for call in (call for chain in step.chains.values() for call in chain):
            filters = str(getattr(call.func, "__module__", "")).startswith("scipy.ndimage")
            scalar = any(isinstance(call.kwargs.get(name), (int, float)) for name in ("sigma", "size"))
            if sites and filters and scalar:
                found.append(
                    f"step {plan.number} ({plan.name}): {call.name} with one number for all axes also blurs across "
                    "sites; give (0, s, s), or variable_components=[]"
                )
    return tuple(found)
