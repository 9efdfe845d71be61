"""Memory and space: how many wells run at once, what becomes of one that is too large, whether results fit.

A run takes what its processes take before any task, and the peaks of the tasks that run. Tasks start
while that fits the budget. A well that does not fit at all is handed to the writer image by image and
lets its planes wait on a disk, if the user named a place for them; else the plan is refused with the
numbers and the ways out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from openhcs.errors import OutOfBudget, StorageFull
from openhcs.plan.peak import MARGIN, largest_call, waits_in_memory
from openhcs.plan.stages import index_of, of_wells, stages_of, with_tasks
from openhcs.plan.tasks import tasks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.core.plate import PlateIndex
    from openhcs.plan.facts import Facts
    from openhcs.plan.model import Plan, Recipe, Stage, Task

SHARE_OF_MEMORY = 0.6
PROCESS = 100 * 10**6
"""Bytes that a process takes before any task: Python and the libraries of common steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """Tasks that fit: how many run at once, the whole budget, and the room of it that tasks share.

    ``tasks`` are those of the last stage of wells.
    """

    recipe: Recipe
    tasks: tuple[Task, ...]
    stages: tuple[Stage, ...] = ()
    workers: int
    budget: int
    room: int

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of it."""
        if not self.recipe.spill:
            return ()
        vfs = self.recipe.config.vfs
        where = vfs.spill_dir or f"the intermediate backend ({vfs.intermediate_backend.value})"
        return (f"memory has no room for a whole well: planes that wait are kept in {where}, which takes time",)


def may_start(running: Iterable[int], peak: int, room: int) -> bool:
    """Return whether a task may start beside those that run: the sum of their peaks fits, or it runs alone.

    >>> may_start([400, 300], 300, 1000), may_start([400, 300], 301, 1000), may_start([], 2000, 1000)
    (True, False, True)
    """
    taken = sum(running)
    return not taken or taken + peak <= room


def admit_stages(index: PlateIndex, recipe: Recipe, facts: Facts) -> Admitted:
    """Return the stages of a plan with their tasks, and how these share memory.

    Raises
    ------
    OutOfBudget
        as `admit`.
    """
    stages = stages_of(recipe)
    found: list[Admitted] = []
    before: Stage | None = None
    for stage in (stage for stage in stages if not stage.over_wells):
        index = index_of(stage, before, index)
        found.append(admit(index, stage.recipe, facts, stage=stage.number))
        before = stage
    done = with_tasks(stages, found)
    workers = min(one.workers for one in found)
    whole = replace(recipe, spill=any(one.recipe.spill for one in found))
    return Admitted(
        recipe=whole,
        tasks=next(of_wells(stage) for stage in reversed(done) if not stage.over_wells),
        stages=done,
        workers=workers,
        budget=found[0].budget,
        room=found[0].budget - processes(workers, recipe),
    )


def admit(index: PlateIndex, recipe: Recipe, facts: Facts, *, stage: int = 0) -> Admitted:
    """Return the tasks of a plan, or of one of its stages, and how they share memory.

    Raises
    ------
    OutOfBudget
        one well needs more than there is; tells how much, and what would help.
    """
    config = recipe.config
    budget = config.vfs.memory_budget or int(facts.memory * SHARE_OF_MEMORY)
    wanted = min(config.num_workers or facts.cores, len(index.wells))
    threads = max(1, facts.cores // wanted)
    tasks = _taught(tasks_of(index, recipe, threads=threads), facts.measured.get(recipe.plan_id, {}), stage)
    ways = [(recipe, tasks)]
    if recipe.steps:
        spilling = replace(recipe, spill=True)
        ways.append((spilling, ()))
    for way, its_tasks in ways if may_spill(config) else ways[:1]:
        found = its_tasks or tasks_of(index, way, threads=threads)
        workers = _workers(found, wanted, budget, way)
        if workers:
            room = budget - processes(workers, way)
            return Admitted(recipe=way, tasks=found, workers=workers, budget=budget, room=room)
    raise _refusal(index, recipe, tasks, budget=budget, threads=threads)


def may_spill(config: GlobalPipelineConfig) -> bool:
    """Return whether the user named a place for planes that wait."""
    return config.vfs.spill_dir is not None or config.vfs.intermediate_backend.value != "memory"


def processes(workers: int, recipe: Recipe) -> int:
    """Return what a run's processes take before any task: one for all where no worker processes are used."""
    config = recipe.config
    one = not recipe.steps or config.use_threading or (workers == 1 and config.num_workers == 1)
    return PROCESS if one else PROCESS * (workers + 2)


def _workers(tasks: tuple[Task, ...], wanted: int, budget: int, recipe: Recipe) -> int:
    """Return the most workers that can have a task each, the largest well included; 0 if it does not fit."""
    peaks = sorted(task.peak_bytes for task in tasks)
    sums = list(accumulate(peaks[:wanted]))
    fits = (
        workers
        for workers in range(wanted, 0, -1)
        if max(peaks[-1], sums[workers - 1]) <= budget - processes(workers, recipe)
    )
    return next(fits, 0)


def _taught(tasks: tuple[Task, ...], measured: Mapping[str, int], stage: int) -> tuple[Task, ...]:
    """Return tasks with the peaks that an earlier run of this stage showed them to have, and a margin.

    The well that came out highest against its prediction sets the measure for all.
    """
    named = {replace(task, stage=stage).id: task.peak_bytes for task in tasks} if measured else {}
    known = [measured[name] / planned for name, planned in named.items() if name in measured]
    if not known:
        return tasks
    return tuple(replace(task, peak_bytes=int(task.peak_bytes * max(known) * MARGIN)) for task in tasks)


def _refusal(index: PlateIndex, recipe: Recipe, tasks: tuple[Task, ...], *, budget: int, threads: int) -> OutOfBudget:
    """Return the error for a well that does not fit, with what each way out would need."""
    worst = max(tasks, key=lambda task: task.peak_bytes)
    base = processes(1, recipe)
    ways = [f"vfs.memory_budget of {_mb(worst.peak_bytes + base)} or more"]
    alone = processes(1, replace(recipe, config=replace(recipe.config, num_workers=1)))
    if alone < base:
        ways.append(f"num_workers=1 (one process for all, {_mb(worst.peak_bytes + alone)})")
    if recipe.steps and waits_in_memory(recipe):
        spilled = tasks_of(index.only([worst.well]), replace(recipe, spill=True), threads=threads)[0].peak_bytes
        if spilled < worst.peak_bytes:
            ways.append(f"vfs.spill_dir, a folder where planes wait ({_mb(spilled + base)})")
    text = (
        f"well {worst.well} needs {_mb(worst.peak_bytes)} at once and the processes {_mb(base)}; the budget is "
        f"{_mb(budget)}. Ways out: {'; '.join(ways)}"
    )
    step, planes, size = largest_call(recipe, worst.keys, worst.well)
    if planes > 1:
        text += f"; stacking fewer components (a call of step {step} takes {planes} planes and {_mb(size)})"
    return OutOfBudget(f"{text}.", well=worst.well)


def _mb(size: int) -> str:
    return f"{-(-size // 10**6):,} MB"


def check_space(plan: Plan, facts: Facts) -> None:
    """Raise `StorageFull` when the results cannot fit in the space that is left."""
    needed = plan.stored_bytes
    if facts.free_bytes is not None and needed > facts.free_bytes:
        raise StorageFull(
            f"the results need about {needed / 1e6:.0f} MB and {facts.free_bytes / 1e6:.0f} MB are free. Free some "
            "space, choose another output, or run fewer wells (--wells)."
        )
