"""The plan: what will be read, called, kept and written, for every well, and why.

A plan is data. It is made by `openhcs.plan.compile`, printed by `Plan.explain`, and holds no code:
functions stay with the pipeline and are named by their fingerprints.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from openhcs.plan.sizes import stored_share

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.core.plate import Key, Plane, PlateIndex
    from openhcs.plan.origin import Origin, PipelineFile
    from openhcs.plan.parts import LabelTarget, Layer, PlanStep, Target, Value

PLATE = "plate"
"""Stands for a well where a task is about all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One well: what it reads and what that takes.

    ``planes`` are in reading order; those without pixels hold the fill value. Bytes are raw pixels;
    ``images`` counts the site images of each target, ``labels`` those of each of the plan's labels;
    ``stored`` are objects and raw bytes of each target, then of each of the labels. ``stage`` is 0 in the
    last stage, which is the only one where nothing stacks wells, and counts the others from 1; ``upstream``
    tells of what the stages before were made.
    """

    well: str
    planes: tuple[Plane, ...]
    calls: int
    peak_bytes: int
    bytes_in: int
    images: tuple[int, ...]
    labels: tuple[int, ...]
    stored: tuple[tuple[int, int], ...]
    stage: int = 0
    upstream: str = ""

    @property
    def id(self) -> str:
        """Name under which it is committed: the well's, in earlier stages with their number."""
        return _task_id(self.well, self.stage)

    @property
    def objects(self) -> int:
        """Files with pixels that the well will have."""
        return sum(objects for objects, _ in self.stored)

    @property
    def inputs(self) -> str:
        """Digest that tells whether a committed well was made of the same input."""
        return planes_digest(self.planes) + self.upstream

    @property
    def keys(self) -> tuple[Key, ...]:
        """Places of the planes within the well."""
        return tuple(plane.key for plane in self.planes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateTask:
    """One step over wells: done once, when every well of its stage is committed.

    ``step`` is its number; ``wells`` are those it is about, in the order of the plate; ``inputs`` tells of
    what these were made.
    """

    step: int
    stage: int
    wells: tuple[str, ...]
    inputs: str
    well: str = PLATE
    bytes_in: int = 0
    objects: int = 0
    peak_bytes: int = 0

    @property
    def id(self) -> str:
        """Name under which it is committed."""
        return f"{self.well}~{self.step}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What all tasks of a plan share.

    ``spill``: memory has no room for a well; planes that wait do so in the spill folder, or the intermediate
    backend where none is set.
    """

    plan_id: str
    source: Layer
    steps: tuple[PlanStep, ...]
    targets: tuple[Target, ...]
    config: GlobalPipelineConfig
    labels: tuple[LabelTarget, ...] = ()
    spill: bool = False
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A special output that a later stage takes: what it is, and the number of the stage that makes it."""

    value: Value
    stage: int

    def task(self, well: str) -> str:
        """Return the name under which what was made of a well, or of all of them, is committed."""
        return f"{PLATE}~{self.value.step}" if self.value.over_wells else _task_id(well, self.stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A part of a plan that is done for all wells before the next one begins.

    Parameters
    ----------
    number
        0 for the last stage of wells, others count from 1.
    recipe
        what its tasks share, with steps, targets and labels counted as if there was nothing else. A
        stage that is one step over wells has that step alone.
    skipped
        steps of the plan that come before it.
    targets, labels
        places of its targets and label images among the plan's.
    source
        place among the plan's targets of the images it reads; None: those of the plate.
    given
        special outputs of earlier stages that it takes.
    passes_on
        its steps must pass on the images they get, since a later stage reads the plate again.
    tasks
        one for each well, or the one over all wells.
    """

    number: int
    recipe: Recipe
    skipped: int
    targets: tuple[int, ...]
    labels: tuple[int, ...]
    source: int | None
    given: tuple[Given, ...]
    passes_on: bool = False
    tasks: tuple[Task | PlateTask, ...] = ()

    @property
    def over_wells(self) -> bool:
        """Whether it is one step over all wells."""
        return any(step.over_wells for step in self.recipe.steps)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A compiled pipeline for a plate.

    ``index`` holds the wells of the plan after the user's word on missing planes. ``stages`` are done one after
    the other, and ``tasks`` are those of the last stage of wells. ``budget`` are the bytes that a run may take
    with all its processes, ``room`` those of them that are left for the tasks that run at once. ``origin``
    is what it was compiled from, ``pipeline`` the file that its steps are defined in, and ``output`` where
    its results go, as far as known.
    """

    id: str
    index: PlateIndex
    recipe: Recipe
    tasks: tuple[Task, ...]
    workers: int
    budget: int
    room: int
    stages: tuple[Stage, ...]
    warnings: tuple[str, ...] = ()
    origin: Origin | None = None
    pipeline: PipelineFile | None = None
    output: str = ""

    @property
    def source(self) -> str:
        """Where the plate lies."""
        return self.index.root

    @property
    def config(self) -> GlobalPipelineConfig:
        """What the user chose."""
        return self.recipe.config

    @property
    def calls_functions(self) -> bool:
        """Whether code of the user runs."""
        return bool(self.recipe.steps)

    @property
    def peak_bytes(self) -> int:
        """Memory that one task takes at most."""
        return max((task.peak_bytes for stage in self.stages for task in stage.tasks), default=0)

    @property
    def _tasks(self) -> Iterator[tuple[Stage, Task]]:
        """Every task about one well, with its stage."""
        return ((stage, task) for stage in self.stages for task in stage.tasks if isinstance(task, Task))

    @cached_property
    def stored_objects(self) -> int:
        """Files with pixels that the output will hold."""
        return sum(task.objects for _, task in self._tasks)

    @cached_property
    def raw_bytes_out(self) -> int:
        """Bytes of raw pixels that the output will hold, all levels."""
        return sum(raw for _, task in self._tasks for _, raw in task.stored)

    @cached_property
    def stored_bytes(self) -> int:
        """Bytes of pixels that the output is expected to take, compressed; a prediction."""
        kept: tuple[Target | LabelTarget, ...] = (*self.recipe.targets, *self.recipe.labels)
        return int(sum(self.stored(one)[1] * stored_share(one, self.config) for one in kept))

    def stored(self, kept: Target | LabelTarget) -> tuple[int, int]:
        """Return how many objects and bytes of raw pixels a target, or one of the labels, will hold."""
        found = [task.stored[place] for place, task in self._keepers(kept)]
        return sum(objects for objects, _ in found), sum(raw for _, raw in found)

    def images(self, target: Target) -> int:
        """Return how many site images a target will hold."""
        return sum(task.images[place] for place, task in self._keepers(target))

    def label_images(self, label: LabelTarget) -> int:
        """Return how many label images there will be of one kind."""
        return sum(task.labels[place - len(task.images)] for place, task in self._keepers(label))

    def _keepers(self, kept: Target | LabelTarget) -> Iterator[tuple[int, Task]]:
        """Yield the tasks that store something, with its place in what each stores."""
        place = [*self.recipe.targets, *self.recipe.labels].index(kept)
        for stage, task in self._tasks:
            places = [*stage.targets, *(len(self.recipe.targets) + one for one in stage.labels)]
            if place in places:
                yield places.index(place), task

    @cached_property
    def bytes_in(self) -> int:
        """Bytes of raw pixels that will be read."""
        return sum(task.bytes_in for _, task in self._tasks)

    def explain(self) -> str:
        """Return the plan as text."""
        from openhcs.plan.explain import explain

        return explain(self)

    def to_json(self) -> str:
        """Return the plan as JSON text: what wells have in common is told once."""
        from openhcs.plan.document import to_json

        return to_json(self)

    @staticmethod
    def from_json(text: str) -> Plan:
        """Return the plan that JSON text tells of.

        Raises
        ------
        FormatError
            it is no plan, or damaged; tells where.
        """
        from openhcs.plan.document import from_json

        return from_json(text)

    def diff(self, other: Plan) -> str:
        """Return in words what ``other`` has that this plan has not, a line each; "same" where they are alike."""
        from openhcs.plan.diff import diff

        return diff(self, other)

    def replace(
        self, *, step: str | int | None = None, wells: str | Sequence[str] | None = None, **settings: Any
    ) -> Plan:
        """Return the plan compiled again with something changed; neither plate nor functions are read.

        Parameters
        ----------
        step
            name, or number from 1, of the step whose settings are changed; None: those of the plan.
        wells
            those to do, as a filter such as ``"A01:B06"`` or by name.
        settings
            of a step: ``materialize``, ``force_disk_output``, ``out_dtype`` and whatever else
            `openhcs.core.steps.FunctionStep` takes beside its function. Of the plan: ``workers`` and
            every field of `openhcs.core.config.GlobalPipelineConfig` and its groups.

        Raises
        ------
        UnknownName
            a step or a setting that there is not; the nearest is told.
        PlanError, OutOfBudget
            the plan cannot be so; what was found out by a probe is not known for other stacks.
        """
        from openhcs.plan.again import replaced

        return replaced(self, step=step, wells=wells, settings=settings)

    def shard(self, number: int, count: int) -> Plan:
        """Return the part of the plan that shard ``number`` of ``count`` does: every ``count``-th well.

        A step over wells stands in every part: the shard that finds all wells there does it.
        """
        stages = tuple(
            stage if stage.over_wells else replace(stage, tasks=stage.tasks[number - 1 :: count])
            for stage in self.stages
        )
        return replace(self, tasks=self.tasks[number - 1 :: count], stages=stages)

    def __repr__(self) -> str:
        return f"<Plan {self.id} of {self.index.name}: {len(self.tasks)} wells, {len(self.recipe.steps)} steps>"


def _task_id(well: str, stage: int) -> str:
    return f"{well}~{stage}" if stage else well


def is_well(task: str) -> bool:
    """Return whether a task of this name is the last of a well, and none of an earlier stage or over wells."""
    return "~" not in task


def planes_digest(planes: tuple[Plane, ...]) -> str:
    """Return a digest of which planes there are and which files they come from."""
    digest = hashlib.sha256()
    for plane in planes:
        digest.update(repr((plane.well, plane.key, plane.state.value, plane.source)).encode())
    return digest.hexdigest()[:16]
