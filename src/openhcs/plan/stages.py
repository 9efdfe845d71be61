"""Stages: a step over wells cuts a plan in two, since it needs every well's part before it can be called.

What lives across a cut is materialised: special outputs are anyway; images are stored and read back,
unless all steps before pass them on as they were, so that the plate can be read again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from openhcs.core.plate import Plane, PlaneState, sorted_planes
from openhcs.core.special import ARRAY, OBJECT, TABLE
from openhcs.errors import PlanError
from openhcs.plan.layers import filled_by_step, groups_by_step, planes_by_step
from openhcs.plan.model import Given, PlateTask, Stage, Task
from openhcs.plan.sizes import ZARR, zarr_target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.core.plate import PlateIndex
    from openhcs.plan.model import Recipe
    from openhcs.plan.parts import LabelTarget, Layer, PlanStep, Target

ACROSS = (TABLE, ARRAY, OBJECT)
"""Kinds that can be read back as they were."""


@dataclass(frozen=True, slots=True)
class Part:
    """Steps ``first`` to ``last`` of a plan, counted from 1, that are done together."""

    first: int
    last: int
    over_wells: bool


def parts_of(steps: Sequence[PlanStep]) -> list[Part]:
    """Return the parts that steps over wells cut a plan into, each such step one of its own.

    The order is that of the steps; a plan without steps is one part.
    """
    parts: list[Part] = []
    for step in steps:
        if step.over_wells or not parts or parts[-1].over_wells:
            parts.append(Part(step.number, step.number, step.over_wells))
        else:
            parts[-1] = replace(parts[-1], last=step.number)
    return parts or [Part(1, 0, over_wells=False)]


def cuts_of(steps: Sequence[PlanStep]) -> frozenset[int]:
    """Return the numbers of steps after which images belong to an earlier stage than the next step's."""
    return frozenset(part.first - 1 for part in parts_of(steps) if part.first > 1)


def last_image_step(steps: Sequence[PlanStep]) -> int:
    """Return the number of the last step that yields images; 0 if none does."""
    return max((step.number for step in steps if not step.over_wells), default=0)


def reads_again(planned: Sequence[PlanStep], source: Layer) -> dict[int, bool]:
    """Return, for the first step of each stage that reads images again, whether it reads those of the plate."""
    layers = _layers(source, planned)
    return {part.first: _passed(planned, layers, part) for part in _later(planned)}


def with_cut_images(
    planned: Sequence[PlanStep], source: Layer, targets: tuple[Target, ...], config: GlobalPipelineConfig
) -> tuple[Target, ...]:
    """Return the sets of images that are kept, with those that a later stage reads."""
    layers = _layers(source, planned)
    for part in _later(planned):
        after = _images_before(planned, part)
        if _passed(planned, layers, part) or any(one.after == after and one.backend == ZARR for one in targets):
            continue
        path = f"steps/{after}_{planned[after - 1].name}.zarr"
        target = zarr_target(after, path, layers[after], config)
        targets = (*targets, replace(target, why=f"step {part.first} reads it once every well is there"))
    return targets


def _layers(source: Layer, planned: Sequence[PlanStep]) -> list[Layer]:
    """Return the images as read and after each step."""
    return [source, *(step.layer for step in planned)]


def _later(planned: Sequence[PlanStep]) -> list[Part]:
    """Return the parts that read images a second time."""
    return [part for part in parts_of(planned) if part.first > 1 and not part.over_wells]


def _images_before(planned: Sequence[PlanStep], part: Part) -> int:
    return last_image_step(planned[: part.first - 1])


def _passed(planned: Sequence[PlanStep], layers: Sequence[Layer], part: Part) -> bool:
    """Return whether all images that a part reads are those of the plate."""
    before = planned[: part.first - 1]
    return all(step.passes and step.unmatched != "drop" for step in before) and layers[part.first - 1] == layers[0]


def stages_of(recipe: Recipe) -> tuple[Stage, ...]:
    """Return the stages of a plan, without tasks.

    Raises
    ------
    PlanError
        a special output that a later stage takes and that cannot be read back.
    """
    parts = parts_of(recipe.steps)
    last = max(number for number, part in enumerate(parts) if not part.over_wells)
    numbers = {part: 0 if number == last else number + 1 for number, part in enumerate(parts)}
    stages = [_stage(recipe, part, numbers) for part in parts]
    return tuple(
        replace(stage, passes_on=any(later.source is None and not later.over_wells for later in stages[number + 1 :]))
        for number, stage in enumerate(stages)
    )


def _stage(recipe: Recipe, part: Part, numbers: Mapping[Part, int]) -> Stage:
    skipped = part.first - 1
    layers = _layers(recipe.source, recipe.steps)
    low = skipped or -1
    places = tuple(place for place, one in enumerate(recipe.targets) if low < one.after <= part.last)
    steps = tuple(
        replace(step, takes=tuple(replace(take, step=take.step - skipped) for take in step.takes))
        for step in recipe.steps[skipped : part.last]
    )
    labels = tuple(place for place, one in enumerate(recipe.labels) if part.first <= one.step <= part.last)
    return Stage(
        number=numbers[part],
        recipe=replace(
            recipe,
            source=layers[skipped],
            steps=steps,
            targets=tuple(_moved(recipe.targets[place], skipped) for place in places),
            labels=tuple(_label(recipe.labels[place], skipped, places) for place in labels),
            values=tuple(
                replace(value, step=value.step - skipped)
                for value in recipe.values
                if part.first <= value.step <= part.last
            ),
        ),
        skipped=skipped,
        targets=places,
        labels=labels,
        source=_source(recipe, part, layers),
        given=tuple(_given(recipe, part, numbers)),
    )


def _moved(target: Target, skipped: int) -> Target:
    return replace(target, after=target.after - skipped)


def _label(label: LabelTarget, skipped: int, places: tuple[int, ...]) -> LabelTarget:
    return replace(label, step=label.step - skipped, target=places.index(label.target))


def _source(recipe: Recipe, part: Part, layers: Sequence[Layer]) -> int | None:
    if part.first == 1 or part.over_wells or _passed(recipe.steps, layers, part):
        return None
    after = _images_before(recipe.steps, part)
    return next(place for place, one in enumerate(recipe.targets) if one.after == after and one.backend == ZARR)


def _given(recipe: Recipe, part: Part, numbers: Mapping[Part, int]) -> Iterator[Given]:
    values = {value.name: value for value in recipe.values}
    seen: set[str] = set()
    own = [(step, take) for step in recipe.steps[part.first - 1 : part.last] for take in step.takes]
    for step, take in own:
        if take.step >= part.first or take.name in seen:
            continue
        seen.add(take.name)
        if take.kind not in ACROSS:
            raise PlanError(
                f"step {step.number} ({step.name}) takes the {take.kind} {take.name!r} of step {take.step}, and in "
                "between the plan waits for every well. What lives that long is read back from the output, which works "
                f"for {', '.join(ACROSS)}: give it as one of these, or take it before.",
                step=step.name,
            )
        maker = next(one for one in numbers if one.first <= take.step <= one.last)
        yield Given(value=values[take.name], stage=numbers[maker])


def index_of(stage: Stage, before: Stage | None, index: PlateIndex) -> PlateIndex:
    """Return the plate as a stage of wells reads it: ``index`` itself, or what the stage before stored.

    Planes of that have no source: where they lie follows from their place.
    """
    if stage.source is None or before is None:
        return index
    planes = [plane for well, own in index.by_well.items() for plane in _stored(before.recipe, well, own)]
    return replace(index, planes=sorted_planes(planes))


def _stored(recipe: Recipe, well: str, planes: Sequence[Plane]) -> Iterator[Plane]:
    keys = tuple(plane.key for plane in planes)
    groups = groups_by_step(recipe, keys, well)
    states = filled_by_step(
        {plane.key: plane.state.value for plane in planes if plane.state.value != "present"}, groups
    )
    for acquisition, site, t, channel, z in planes_by_step(keys, groups)[-1]:
        state = states[-1].get((acquisition, site, t, channel, z))
        yield Plane(
            well=well,
            site=site,
            channel=channel,
            z=z,
            t=t,
            acquisition=acquisition,
            state=PlaneState(state) if state else PlaneState.PRESENT,
        )


class OfWells(Protocol):
    """What became of a stage of wells: its recipe as it will be done, and its tasks."""

    @property
    def recipe(self) -> Recipe:
        """What the tasks share."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """One for each well."""


def with_tasks(stages: Sequence[Stage], settled: Iterable[OfWells]) -> tuple[Stage, ...]:
    """Return the stages with their tasks, ``settled`` for each stage of wells in order.

    Every task knows of what the stages before it were made.
    """
    upstream = ""
    done: list[Stage] = []
    of_each = iter(settled)
    wells: tuple[Task, ...] = ()
    for stage in stages:
        if stage.over_wells:
            (step,) = stage.recipe.steps
            upstream = _digest(upstream, *(task.inputs for task in wells))
            names = tuple(task.well for task in wells)
            over = PlateTask(step=step.number, stage=stage.number, wells=names, inputs=upstream)
            done.append(replace(stage, tasks=(over,)))
            continue
        found = next(of_each)
        wells = tuple(replace(task, stage=stage.number, upstream=upstream) for task in found.tasks)
        done.append(replace(stage, recipe=found.recipe, tasks=wells))
    return tuple(done)


def of_wells(stage: Stage) -> tuple[Task, ...]:
    """Return the tasks of a stage that are about one well each."""
    return tuple(task for task in stage.tasks if isinstance(task, Task))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
