"""A plan as a file that can be run: the plan, and which pipeline file its functions are in.

A plan file holds no code. Its paths (pipeline, plate, output) are relative to its own folder where they
lie in that folder or below it, so that the folder can be moved; all others are absolute.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openhcs.core.plate import InFile, PlaneState
from openhcs.errors import AlreadyExists, FormatError, InputError, NotFound, PlanError
from openhcs.io.folder import path_of
from openhcs.io.fsops import FileOps
from openhcs.io.strangers import read_plain
from openhcs.plan.again import fitted
from openhcs.plan.array_types import check_installed
from openhcs.plan.model import Plan
from openhcs.run.facts import absent_kinds, gather
from openhcs.run.fingerprint import step_fingerprint
from openhcs.run.inputs import told_by
from openhcs.run.pipeline_file import load_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openhcs.core.plate import Plane
    from openhcs.core.steps import FunctionStep

LARGEST = 128 * 2**20


def save_plan(plan: Plan, path: str | Path, *, ops: FileOps | None = None) -> None:
    """Write a plan as a file that ``openhcs run`` takes; an older plan there is replaced.

    Raises
    ------
    PlanError
        the plan knows no pipeline file, so there would be no functions to call.
    AlreadyExists
        the file there is no plan.
    """
    file = Path(os.path.abspath(path))
    if plan.pipeline is None and plan.calls_functions:
        raise PlanError(
            "the plan was made of functions that are in no pipeline file, and a plan file holds no code. Write the "
            "steps to a file (steps = [...]) and plan that: openhcs plan PIPELINE.py PLATE -o OUT --save PLAN.json"
        )
    if file.exists():
        _check_is_plan(file)
    text = _with_paths(plan, lambda one: _relative(one, file.parent)).to_json()
    (ops or FileOps()).replace(file, text.encode())


def _check_is_plan(file: Path) -> None:
    try:
        Plan.from_json(_text(file))
    except FormatError:
        raise AlreadyExists(f"{file} is there and is no plan; choose another name", path=file) from None


def read_plan(path: str | Path) -> Plan:
    """Return the plan in a file, its paths absolute.

    Raises
    ------
    NotFound, FormatError
        no file there, or one that is no plan, or damaged.
    """
    file = Path(os.path.abspath(path))
    try:
        plan = Plan.from_json(_text(file))
    except FormatError as error:
        raise FormatError(f"{file}: {error}", path=file) from error
    return _with_paths(plan, lambda one: os.path.normpath(os.path.join(file.parent, one)))


def _text(file: Path) -> str:
    if not file.is_file():
        raise NotFound(f"no plan there: {file}", path=file)
    try:
        return read_plain(file, limit=LARGEST).decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"it is no text: {error}", path=file) from error


def _with_paths(plan: Plan, change: Callable[[str], str]) -> Plan:
    """Return a plan with the paths of pipeline, plate and output changed."""
    moved = with_plate(plan, change(plan.index.root))
    pipeline = plan.pipeline and replace(plan.pipeline, path=change(plan.pipeline.path))
    return replace(moved, pipeline=pipeline, output=change(plan.output) if plan.output else "")


def _relative(path: str, folder: Path) -> str:
    full = Path(os.path.abspath(path))
    return full.relative_to(folder).as_posix() if full.is_relative_to(folder) else str(full)


def with_plate(plan: Plan, root: str) -> Plan:
    """Return a plan that reads the plate from another folder."""
    origin = plan.origin and replace(plan.origin, plate=replace(plan.origin.plate, root=root))
    return replace(plan, index=replace(plan.index, root=root), origin=origin)


def functions_of(plan: Plan) -> tuple[FunctionStep, ...]:
    """Return the steps of a plan with their functions, from its pipeline file.

    Raises
    ------
    PlanError
        the plan names no file, or the file, or what its functions use, is another than it was.
    NotFound
        the file is gone.
    """
    if plan.pipeline is None:
        if plan.calls_functions:
            raise PlanError("the plan names no pipeline file, so there are no functions to call; plan from a file")
        return ()
    try:
        pipeline = load_pipeline(plan.pipeline.path, sha256=plan.pipeline.sha256)
    except NotFound as error:
        raise NotFound(
            f"the pipeline file of plan {plan.id} is not at {plan.pipeline.path}. Put it back, or plan again.",
            path=plan.pipeline.path,
        ) from error
    if len(pipeline.steps) != len(plan.recipe.steps):
        raise PlanError(
            f"{plan.pipeline.path} is the file of plan {plan.id} and now defines {len(pipeline.steps)} steps in place "
            f"of {len(plan.recipe.steps)}: they depend on more than the file. Make that as it was, or plan again.",
            path=plan.pipeline.path,
        )
    check_installed(pipeline.steps, absent_kinds())
    for step, planned in zip(pipeline.steps, plan.recipe.steps, strict=True):
        if step_fingerprint(step) != planned.fingerprint:
            raise PlanError(
                f"step {planned.number} ({planned.name}) uses code that changed since plan {plan.id} was made: another "
                "file, or another version of Python or of a library. Go back to that, or plan again.",
                step=planned.name,
            )
    return pipeline.steps


def ready(plan: Plan, *, output: str, settings: Mapping[str, Any] | None = None) -> Plan:
    """Return a plan that was read from a file, as this machine runs it.

    Raises
    ------
    NotFound, InputError
        the plate is not there, or not as it was planned.
    OutOfBudget, StorageFull
        there is no room for it here.
    """
    if not os.path.exists(plan.source):
        raise NotFound(
            f"the plate of plan {plan.id} is not at {plan.source}. If it has moved, say where: --plate PATH.",
            path=plan.source,
        )
    made = fitted(plan, gather(output), settings=settings)
    return replace(made, output=output)


def check_inputs(plan: Plan) -> None:
    """Raise `InputError` unless the files that a plan reads are as they were when it was made.

    They are told by size and time, by size, or by their bytes, as the plan's setting ``inputs`` says.
    """
    wells = {task.well for task in plan.tasks}
    known: dict[str, os.stat_result] = {}

    def as_is(plane: Plane) -> Plane:
        source = plane.source
        if plane.well not in wells or plane.state is not PlaneState.PRESENT or not isinstance(source, InFile):
            return plane
        if source.path not in known:
            known[source.path] = _stat(plan, plane.well, source)
        found = known[source.path]
        return replace(plane, source=replace(source, size=found.st_size, mtime_ns=found.st_mtime_ns, digest=""))

    there = replace(plan.index, planes=tuple(map(as_is, plan.index.planes)))
    now = told_by(there, plan.config.inputs, sorted(wells))
    for planned, found in zip(plan.index.planes, now.planes, strict=True):
        if planned.source != found.source:
            raise InputError(_changed(plan, planned), path=planned.source and planned.source.path, well=planned.well)


def _stat(plan: Plan, well: str, source: InFile) -> os.stat_result:
    path = path_of(plan.source, source.path)
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise InputError(
            f"{path} is gone since plan {plan.id} was made. Put it back, or plan again.", path=path, well=well
        ) from None
    if found.st_size != source.size:
        raise InputError(
            f"{path} has {found.st_size} bytes and had {source.size} when plan {plan.id} was made. Put it back as it "
            "was, or plan again.",
            path=path,
            well=well,
        )
    return found


def _changed(plan: Plan, plane: Plane) -> str:
    path = plan.source if plane.source is None else os.path.join(plan.source, plane.source.path)
    ways = "Put it back as it was, or plan again"
    if plan.config.inputs == "mtime":
        ways += "; where the plate was copied without its times, plan with --inputs size, or deep"
    return f"{path} was written again since plan {plan.id} was made. {ways}."
