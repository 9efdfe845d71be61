"""Run a pipeline on a plate: initialize, compile, execute; or all in one call.

plate = PipelineOrchestrator("plates/P1")
plate.run([FunctionStep(normalise), FunctionStep(project, out="one", out_dtype="uint16")])
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openhcs.constants.constants import WellFilterMode
from openhcs.core.config import GlobalPipelineConfig
from openhcs.core.context import ProcessingContext, StepView
from openhcs.core.steps import FunctionStep
from openhcs.core.wells import select_wells
from openhcs.errors import InvalidType, PlanError, UsageError

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence

    from openhcs.core.plate import PlateIndex
    from openhcs.plan import model
    from openhcs.plan.facts import Probed
    from openhcs.plan.model import Plan
    from openhcs.run.events import Listener
    from openhcs.run.fingerprint import Fingerprint
    from openhcs.run.result import RunResult


class PipelineOrchestrator:
    """One plate, one pipeline, one output.

    Parameters
    ----------
    plate_path
        the plate's folder or store; it is never written to.
    global_config
        choices; defaults are sensible.
    output
        where results go; None: beside the plate, ``<plate><output_dir_suffix>``, or beneath
        ``global_output_folder``.
    wells, wells_mode
        a filter such as ``"A01:B06"``, and whether it names wells to keep or to leave out.
    exist
        what to do about an output that is there: "auto", "error", "resume" or "replace".
    pattern
        file names of a generic folder, such as ``{well}_s{site}_w{channel}.tif``.
    pipeline_file
        the file that defines the steps, to be named in the plan; a plan without one cannot be run from a file.
    """

    def __init__(
        self,
        plate_path: str | Path,
        *,
        global_config: GlobalPipelineConfig | None = None,
        output: str | Path | None = None,
        wells: str | None = None,
        wells_mode: WellFilterMode = WellFilterMode.INCLUDE,
        exist: str = "auto",
        pattern: str | None = None,
        pipeline_file: str | Path | None = None,
    ) -> None:
        if global_config is not None and not isinstance(global_config, GlobalPipelineConfig):
            raise InvalidType(f"global_config takes a GlobalPipelineConfig, not {global_config!r}")
        self.plate_path = Path(plate_path)
        self.config = global_config or GlobalPipelineConfig()
        self.output = str(output) if output is not None else str(default_output(self.plate_path, self.config))
        self._wells = wells
        self._wells_mode = wells_mode
        self._exist = exist
        self._pattern = pattern
        self._pipeline_file = pipeline_file
        self._index: PlateIndex | None = None
        self._plan: Plan | None = None
        self._steps: tuple[FunctionStep, ...] = ()

    @property
    def index(self) -> PlateIndex:
        """What the plate holds; known after `initialize`."""
        if self._index is None:
            raise UsageError("the plate is not indexed yet; call initialize() first")
        return self._index

    @property
    def plan(self) -> Plan:
        """The compiled plan; known after `compile_pipelines`."""
        if self._plan is None:
            raise UsageError("no pipeline is compiled yet; call compile_pipelines(steps) first")
        return self._plan

    def initialize(self) -> PipelineOrchestrator:
        """Index the plate (names and metadata, no pixels) and return self.

        Raises
        ------
        NotFound, InputError, InvalidPath
            no plate is there, or the output would touch it.
        """
        from openhcs.ledger.output import check_apart
        from openhcs.run.plates import index_plate

        self._index = index_plate(self.plate_path, microscope=self.config.microscope, pattern=self._pattern)
        check_apart(Path(self.output), self._index.root)
        return self

    def compile_pipelines(self, steps: Sequence[FunctionStep]) -> dict[str, ProcessingContext]:
        """Return one frozen context per well; nothing is written.

        Steps that do not declare what comes out are called once on the smallest stack (a probe).

        Raises
        ------
        PlanError, MissingPlanes, OutOfBudget, StorageFull, StepError
            what would fail later and can be known now.
        """
        from openhcs.plan.array_types import check_installed
        from openhcs.plan.compile import compile_plan
        from openhcs.run.facts import absent_kinds, gather
        from openhcs.run.fingerprint import fingerprint_of
        from openhcs.run.inputs import told_by
        from openhcs.run.pipeline_file import named_file

        self._steps = _checked(steps)
        check_installed(self._steps, absent_kinds())
        wells = select_wells(self.index.wells, self._wells, self._wells_mode)
        index = told_by(self.index, self.config.inputs, wells)
        prints = {number: fingerprint_of(step) for number, step in enumerate(self._steps, start=1)}
        facts = gather(self.output, probed=self._probed(prints, wells), fingerprints=prints)
        plan = compile_plan(index, self._steps, self.config, facts, wells=wells)
        named = None if self._pipeline_file is None else named_file(self._pipeline_file)
        self._plan = replace(plan, pipeline=named, output=os.path.abspath(self.output))
        return {task.well: _context(self._plan, task, self.output) for task in self._plan.tasks}

    def _probed(self, prints: Mapping[int, Fingerprint], wells: Sequence[str]) -> Mapping[int, Probed]:
        """Return what calling each step once shows, or what it showed when this output was begun."""
        from openhcs.run.pixels import PlaneReader
        from openhcs.run.probe import known_from, probe, unknown

        if not any(map(unknown, self._steps)):
            return {}
        told = {number: one.text for number, one in prints.items()}
        known = None if any(one.opaque for one in prints.values()) else known_from(self.output, self.index, told)
        if known is not None:
            return known
        reader = PlaneReader(self.index)
        try:
            return probe(self.index, self._steps, wells, reader.read_into)
        finally:
            reader.close()

    def execute_compiled_plate(
        self,
        contexts: Mapping[str, ProcessingContext] | None = None,
        *,
        on_event: Listener | None = None,
        stop: threading.Event | None = None,
        shard: tuple[int, int] | None = None,
        client: Any = None,
        rerun_from: int | str | None = None,
    ) -> RunResult:
        """Run the compiled plan and return what came of it.

        Parameters
        ----------
        contexts
            those from `compile_pipelines`, or some of them to run only these wells.
        on_event
            called with every `openhcs.run.events.Event`.
        stop
            set it to stop after the wells that run.
        shard
            (i, n): do the i-th of n parts of the wells, as `openhcs.run.execute.execute` says.
        client
            a `distributed.Client` whose cluster does the work.
        rerun_from
            a step, by number or name: wells are made again even if they are done, from the stage on that it is in.

        Raises
        ------
        OutputExists, Stopped, StorageFull, AccessDenied
            see `openhcs.run.execute.execute`. A well that fails raises nothing; see the result.
        """
        from openhcs.plan.again import step_place
        from openhcs.run.execute import execute

        plan = self.plan if contexts is None else _only(self.plan, contexts)
        return execute(
            plan,
            self._steps,
            self.output,
            exist=self._exist,
            on_event=on_event,
            stop=stop,
            shard=shard,
            client=client,
            rerun_from=None if rerun_from is None else step_place(plan, rerun_from) + 1,
        )

    def run(
        self,
        steps: Sequence[FunctionStep],
        *,
        on_event: Listener | None = None,
        stop: threading.Event | None = None,
        shard: tuple[int, int] | None = None,
        client: Any = None,
        rerun_from: int | str | None = None,
    ) -> RunResult:
        """Index, compile and execute in one call."""
        self.initialize()
        self.compile_pipelines(steps)
        return self.execute_compiled_plate(
            on_event=on_event, stop=stop, shard=shard, client=client, rerun_from=rerun_from
        )

    def debug(self, well: str) -> None:
        """Run one well of the compiled plan in this process, call by call, without publishing anything.

        Raises
        ------
        UnknownName
            the plan has no such well.
        StepError
            what its functions raise, with the group.
        """
        from openhcs.run.debug import replay

        replay(self.plan, self._steps, self.output, well)


def default_output(plate: Path, config: GlobalPipelineConfig) -> Path:
    """Return where results go when no output is named."""
    resolved = plate.resolve()
    name = f"{resolved.name.removesuffix('.zarr')}{config.path_planning.output_dir_suffix}"
    folder = config.path_planning.global_output_folder
    return (resolved.parent if folder is None else Path(folder)) / name


def _checked(steps: Sequence[FunctionStep]) -> tuple[FunctionStep, ...]:
    if isinstance(steps, FunctionStep):
        return (steps,)
    if not steps:
        raise PlanError("a pipeline needs at least one step; to copy a plate as it is, use openhcs.convert")
    if strange := [step for step in steps if not isinstance(step, FunctionStep)]:
        raise InvalidType(f"a pipeline is a list of FunctionStep, not {strange[0]!r}")
    return tuple(steps)


def _context(plan: Plan, task: model.Task, output: str) -> ProcessingContext:
    from openhcs.plan.layers import groups_by_step, planes_by_step
    from openhcs.plan.model import Task
    from openhcs.plan.units import unit_of, value_unit
    from openhcs.run.places import target_paths

    place = plan.index.well_place(task.well)
    views: list[StepView] = []
    outputs: list[str] = []
    for stage in plan.stages:
        own = next((one for one in stage.tasks if isinstance(one, Task) and one.well == task.well), None)
        if own is None:
            continue
        groups = groups_by_step(stage.recipe, own.keys, own.well)
        views += [
            StepView(number=step.number, name=step.name, calls=len(calls), reads=step.reads, writes=step.writes)
            for step, calls in zip(stage.recipe.steps, groups, strict=True)
        ]
        made = planes_by_step(own.keys, groups)
        for target in stage.recipe.targets:
            images = sorted({key[:2] for key in made[target.after]})
            paths = target_paths(target)
            folder = unit_of(target, place)
            outputs += [f"{folder}/{paths[image]}" for image in images] if target.backend == "zarr" else [folder]
            labels = [label for label in stage.recipe.labels if stage.recipe.targets[label.target] is target]
            outputs += [f"{folder}/{paths[image]}/labels/{label.name}" for label in labels for image in images]
        outputs += [value_unit(value, task.well) for value in stage.recipe.values]
    return ProcessingContext(
        well=task.well,
        plate_name=plan.index.name,
        plan_id=plan.id,
        output_path=output,
        planes=task.planes,
        steps=tuple(views),
        outputs=tuple(outputs),
        peak_bytes=task.peak_bytes,
    )


def _only(plan: Plan, contexts: Mapping[str, ProcessingContext]) -> Plan:
    strange = [context.well for context in contexts.values() if context.plan_id != plan.id]
    if strange:
        raise UsageError(f"the context of well {strange[0]} belongs to another plan; compile again")
    keep = {context.well for context in contexts.values()}
    if len(plan.stages) > 1 and keep != {task.well for task in plan.tasks}:
        raise UsageError("this plan has a step over wells, so it is one for all of them; choose wells before compiling")
    tasks = tuple(task for task in plan.tasks if task.well in keep)
    if len(plan.stages) == 1:
        return replace(plan, tasks=tasks, stages=(replace(plan.stages[0], tasks=tasks),))
    return plan
