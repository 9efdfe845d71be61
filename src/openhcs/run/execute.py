"""Run a plan: prepare the output, do what is not done yet, close.

The same plan again goes on where it stopped: a well counts as done when its commit record was made
by this plan from the same input.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from openhcs.errors import FormatError, InvalidValue, NotFound, OpenHCSError, OutputBusy, OutputExists, Stopped
from openhcs.io.fsops import FileOps
from openhcs.ledger.ledger import Ledger
from openhcs.plan.document import with_wells_of
from openhcs.run.attempt import Broken, fatal
from openhcs.run.close import close, derive
from openhcs.run.events import Event, ignore
from openhcs.run.on_dask import OnDask
from openhcs.run.pool import Processes, Serial, Threads, check_open_files
from openhcs.run.result import Failure, RunResult
from openhcs.run.task import Job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.core.steps import FunctionStep
    from openhcs.plan.model import Plan, Stage
    from openhcs.run.attempt import Job as AnyJob
    from openhcs.run.attempt import Task
    from openhcs.run.events import Listener
    from openhcs.run.pool import Executor, Outcome

DERIVE_EVERY_S = 10.0
FILES_TOLD = 50
"""Files of a failed task that its note names."""


def execute(
    plan: Plan,
    steps: Sequence[FunctionStep],
    output: str,
    *,
    exist: str = "auto",
    on_event: Listener | None = None,
    stop: threading.Event | None = None,
    ops: FileOps | None = None,
    shard: tuple[int, int] | None = None,
    client: Any = None,
    rerun_from: int | None = None,
) -> RunResult:
    """Run every task of a plan that is not committed yet, and return what came of it.

    Parameters
    ----------
    output
        folder, or ``.zarr`` store, that the plan was made for.
    exist
        what to do about an output that is there: "auto" goes on with the same plan, "resume" wants
        one to go on with, "error" wants none, "replace" makes the plan's wells again, or clears
        another plan's work first.
    on_event
        called in this thread with every `Event`.
    stop
        set it and no further well starts; those that run are finished and committed.
    ops
        what changes files; None: as the plan's ``durability`` says.
    shard
        (i, n): do the i-th of n parts of the wells alone, counted from 1. Shards may run at the same time;
        a stage after a step over wells waits for all of them, so they are run once more for each.
    client
        a `distributed.Client` whose cluster does the work; None: as the plan's configuration says.
    rerun_from
        number of a step: wells are made again even if they are done, from the stage on that this step is in.

    Raises
    ------
    OutputExists
        the output holds something else.
    Stopped
        ``stop`` was set before all wells were done.
    """
    ops = ops or FileOps(durable=plan.recipe.config.durability == "full")
    mine = plan if shard is None else plan.shard(*shard)
    opaque = (step.number for step in plan.recipe.steps if step.opaque)
    first = min((*opaque, *([] if rerun_from is None else [rerun_from])), default=None)
    batches = []
    before: Sequence[Task] = ()
    for (stage, job), own in zip(jobs_of(plan, steps, os.path.abspath(output), ops), mine.stages, strict=True):
        after = tuple(before) if shard else ()
        again = first is not None and first <= stage.skipped + len(stage.recipe.steps)
        batches.append(Batch(job, own.tasks, _heading(plan, stage), after, again))
        before = stage.tasks
    return carry_out(mine, batches, exist=exist, on_event=on_event, stop=stop, whole=plan, client=client)


def jobs_of(plan: Plan, steps: Sequence[FunctionStep], output: str, ops: FileOps) -> list[tuple[Stage, Job]]:
    """Return every stage of a plan with the job of its tasks: its functions alone."""
    found = []
    for stage in plan.stages:
        own = steps[stage.skipped : stage.skipped + len(stage.recipe.steps)]
        job = Job(
            output=output,
            index=replace(plan.index, planes=()),
            recipe=plan.recipe,
            stage=replace(stage, tasks=()),
            chains=tuple(step.chains for step in own),
            ops=ops,
        )
        found.append((stage, job))
    return found


def _heading(plan: Plan, stage: Stage) -> str:
    """Return what is told when a stage begins; nothing where there is but one."""
    if len(plan.stages) == 1:
        return ""
    names = ", ".join(step.name for step in stage.recipe.steps) or "storing"
    what = "over all wells" if stage.over_wells else f"well by well ({len(stage.tasks)})"
    return f"stage {plan.stages.index(stage) + 1} of {len(plan.stages)}: {names}, {what}"


@dataclass(frozen=True, slots=True)
class Batch:
    """Tasks that are done together, before those of the next batch begin; ``heading`` is told then.

    ``after`` are tasks that must be committed before, by others where they are not of this run; ``again``:
    they are done even if they are committed.
    """

    job: AnyJob[Any]
    tasks: Sequence[Task]
    heading: str = ""
    after: Sequence[Task] = ()
    again: bool = False


class Work(Protocol):
    """A plan as far as carrying it out needs to know it: tasks, and what the user chose."""

    @property
    def id(self) -> str:
        """Identity: the same work has the same."""

    @property
    def source(self) -> str:
        """Where the plate lies."""

    @property
    def tasks(self) -> Sequence[Task]:
        """One per well."""

    @property
    def workers(self) -> int:
        """Tasks at once."""

    @property
    def room(self) -> int:
        """Bytes of memory that tasks which run at once share."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know before."""

    @property
    def config(self) -> GlobalPipelineConfig:
        """What the user chose."""

    @property
    def calls_functions(self) -> bool:
        """Whether code of the user runs."""

    def to_json(self) -> str:
        """Return the plan as JSON text, with the wells under ``tasks``."""


def carry_out(
    plan: Work,
    batches: Sequence[Batch],
    *,
    exist: str = "auto",
    on_event: Listener | None = None,
    stop: threading.Event | None = None,
    whole: Work | None = None,
    client: Any = None,
) -> RunResult:
    """Do every task of a plan that is not committed yet, as `execute` says.

    Each task of ``plan`` is in one batch; a batch begins when all tasks of the ones before are committed.
    ``whole`` is the plan that the output is for, where ``plan`` is a part of it.
    """
    run = _Run(plan, batches, on_event or ignore, stop or threading.Event(), whole or plan)
    run.client = client
    return run.execute(exist)


class _Run:
    def __init__(
        self, plan: Work, batches: Sequence[Batch], tell: Listener, stop: threading.Event, whole: Work
    ) -> None:
        self.plan = plan
        self.text = whole.to_json()
        self.client: Any = None
        self.tell = tell
        self.stop = stop
        self.batches = batches
        self.job = job = batches[0].job
        self.ours = {task.id for task in plan.tasks}
        self.ledger = Ledger(job.output, job.ops)
        self.start = time.perf_counter()
        self.derived_at = float("-inf")
        self.bytes_in = 0
        self.bytes_out = 0
        self.done: list[str] = []
        self.failed: list[Failure] = []
        self.gave_up = False
        self.awaited: tuple[str, ...] = ()

    def execute(self, exist: str) -> RunResult:
        known = self._holds_this_plan()
        again = exist == "replace" and known
        weaker = self.ledger.prepare(
            self.text,
            self.plan.id,
            exist="auto" if again else exist,
            inputs=self.plan.source,
        )
        with self.ledger.running():
            self.ledger.renew_plan(self._plan_text)
            self.ledger.notes.keep_facts(self.job.facts(self.ledger))
            committed = set() if again else self._committed()
            skipped = [task for task in self.plan.tasks if task.id in committed]
            todo = [task for task in self.plan.tasks if task.id not in committed]
            waiting = [
                replace(batch, tasks=[task for task in batch.tasks if task.id not in committed])
                for batch in self.batches
            ]
            self._started(waiting, skipped, weaker)
            self._work_and_tell([batch for batch in waiting if batch.tasks])
        if self.done or skipped:
            self._close()
        result = self._result(skipped, todo)
        self._finished(result)
        if result.waiting and self.stop.is_set() and not self.gave_up:
            raise Stopped(
                f"stopped: {len(result.done)} wells done, {len(result.waiting)} to do in {result.output}. What is "
                "committed stays; run the same command again to go on."
            )
        return result

    def _plan_text(self) -> str:
        """Return the plan's text with the wells it was run for earlier; without them if the kept text is damaged."""
        try:
            kept = self.ledger.plan_json()
            if kept == self.text:
                return kept
            self.ledger.notes.plan()
            return with_wells_of(self.text, kept)
        except FormatError:
            return self.text

    def _holds_this_plan(self) -> bool:
        """Return whether the output is this plan's own: then wells are replaced one by one, each kept until then."""
        try:
            return self.ledger.plan_id() == self.plan.id
        except NotFound:
            return False

    def _committed(self) -> set[str]:
        records = self.ledger.records()
        tasks = (task for batch in self.batches for task in batch.tasks if not batch.again)
        return {task.id for task in tasks if self._is_done(task, records)}

    def _is_done(self, task: Task, records: Mapping[str, Mapping[str, Any]]) -> bool:
        """Return whether a task is committed by this plan and from the input that it has now."""
        record = records.get(task.id)
        return record is not None and record["plan"] == self.plan.id and record["inputs"] == task.inputs

    def _work_and_tell(self, batches: Sequence[Batch]) -> None:
        """Do tasks; when that is broken off, the plate still lists what was committed."""
        try:
            for batch in batches:
                if self.failed or self.stop.is_set() or not self._may_begin(batch):
                    return
                if batch.heading:
                    self.tell(Event(kind="stage_started", message=batch.heading))
                self._work(batch)
        except BaseException:
            if self.done:
                with contextlib.suppress(OpenHCSError):
                    derive(self.ledger, final=False)
            raise

    def _may_begin(self, batch: Batch) -> bool:
        """Return whether the tasks that a batch waits for are committed; note those that are not."""
        records = self.ledger.records() if batch.after else {}
        self.awaited = tuple(task.well for task in batch.after if not self._is_done(task, records))
        return not self.awaited

    def _work(self, batch: Batch) -> None:
        executor = choose(self.plan, len(batch.tasks), self.client)
        check_open_files(min(self.plan.workers, len(batch.tasks)))
        for outcome in executor.run(batch.job, batch.tasks, self.stop, self._begun):
            self._ended(outcome)
            if self.done and time.perf_counter() - self.derived_at > DERIVE_EVERY_S:
                derive(self.ledger, final=False)
                self.derived_at = time.perf_counter()

    def _begun(self, task: Task) -> None:
        self.tell(Event(kind="well_started", well=task.well))

    def _ended(self, outcome: Outcome) -> None:
        well, ended = outcome.task.well, outcome.ended
        if not isinstance(ended, Broken):
            last = outcome.task.id in self.ours
            if last:
                self.done.append(well)
            self.bytes_in += ended.bytes_in
            self.bytes_out += ended.bytes_out
            self.tell(
                Event(
                    kind="well_done" if last else "well_staged",
                    well=well,
                    bytes_in=ended.bytes_in,
                    bytes_out=ended.bytes_out,
                    seconds=ended.seconds,
                    timings=ended.timings,
                )
            )
            return
        error = ended.error
        failure = Failure(well=well, step=error.step or "", message=str(error), traceback=ended.traceback)
        self.failed.append(failure)
        self.ledger.notes.fail(
            well,
            {"step": failure.step, "message": failure.message, "traceback": failure.traceback}
            | {"site": error.site, "inputs": _files(outcome.task)},
        )
        self.tell(Event(kind="well_failed", well=well, message=failure.message))
        if self.plan.config.on_error == "stop" or fatal(error):
            self.gave_up = True
            self.stop.set()
        if fatal(error):
            raise error

    def _close(self) -> None:
        """Write the final documents; where others still run this plan, the last of them does."""
        try:
            close(self.ledger)
        except OutputBusy:
            with contextlib.suppress(OutputExists), self.ledger.running():  # who closes now writes them, or has done
                derive(self.ledger, final=False)

    def _result(self, skipped: list[Task], todo: list[Task]) -> RunResult:
        ended = {*self.done, *(failure.well for failure in self.failed)}
        order = {task.well: number for number, task in enumerate(self.plan.tasks)}
        return RunResult(
            output=self.job.output,
            plan_id=self.plan.id,
            done=tuple(task.well for task in todo if task.well in self.done),
            skipped=tuple(task.well for task in skipped),
            failed=tuple(sorted(self.failed, key=lambda failure: order.get(failure.well, -1))),
            waiting=tuple(task.well for task in todo if task.well not in ended),
            awaited=self.awaited,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            seconds=time.perf_counter() - self.start,
        )

    def _started(self, batches: Sequence[Batch], skipped: list[Task], weaker: tuple[str, ...]) -> None:
        todo = [task for batch in batches for task in batch.tasks]
        total = sum(task.bytes_in for task in todo)
        wells = tuple(task.well for task in self.plan.tasks)
        objects = sum(task.objects for task in todo)
        self.tell(Event(kind="started", total_wells=len(wells), total_bytes=total, total_objects=objects, wells=wells))
        for warning in (*self.plan.warnings, *weaker):
            self.tell(Event(kind="warning", message=warning))
        for task in skipped:
            self.tell(Event(kind="well_skipped", well=task.well))

    def _finished(self, result: RunResult) -> None:
        self.tell(Event(kind="finished", bytes_in=result.bytes_in, bytes_out=result.bytes_out, seconds=result.seconds))


def _files(task: Task) -> list[str]:
    """Return the files that a task reads, those told in a failure's note."""
    sources = (plane.source for plane in getattr(task, "planes", ()) if plane.source is not None)
    return list(dict.fromkeys(source.path for source in sources))[:FILES_TOLD]


def choose(plan: Work, tasks: int, client: Any = None) -> Executor:
    """Return the executor for a plan: a cluster if one is named, threads where no user code runs, else as configured.

    ``client`` is a `distributed.Client`, if the caller has one.
    """
    config = plan.config
    workers = max(1, min(plan.workers, tasks))
    threads = max(1, cores() // workers)
    if client is not None and config.timeout is not None:
        raise InvalidValue("timeout ends worker processes of this machine; it does not go with a cluster")
    if client is not None or config.dask is not None:
        return OnDask(config.dask if client is None else client)
    if not plan.calls_functions:
        return Threads(workers, threads, plan.room) if workers > 1 else Serial(threads)
    if config.timeout is None and workers == 1 and (config.num_workers == 1 or config.use_threading):
        return Serial(threads)
    if config.use_threading:
        return Threads(workers, threads, plan.room)
    return Processes(workers, threads, plan.room, config.timeout)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
