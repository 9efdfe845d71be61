"""Replay one well in this process: nothing is published, and what a function raises passes through."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openhcs.errors import OpenHCSError, UnknownName, suggest
from openhcs.io.fsops import FileOps
from openhcs.ledger.ledger import Ledger
from openhcs.plan.model import Task
from openhcs.run.execute import jobs_of
from openhcs.run.task import TaskRun

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from openhcs.core.steps import FunctionStep
    from openhcs.plan.model import Plan

    Array = np.ndarray[Any, np.dtype[Any]]


def replay(
    plan: Plan, steps: Sequence[FunctionStep], output: str, well: str, *, tell: Callable[[str], None] = print
) -> None:
    """Run one well of a plan here, call by call, into a private folder that is removed; the output stays as it is.

    Every call is told before it is made: step, group, and the shape, dtype and range of what goes in.

    Raises
    ------
    UnknownName
        the plan has no such well.
    NotFound
        the well takes what a step over wells has not made in this output yet.
    StepError
        what a function raised; its ``__cause__`` is the function's own error.
    """
    wells = [task.well for task in plan.tasks]
    if well not in wells:
        raise UnknownName(f"plan {plan.id} has no well {well!r}; {suggest(well, wells)}")
    ops = FileOps(durable=False)
    place = Path(tempfile.gettempdir()) / f"openhcs-debug-{secrets.token_hex(8)}"
    ops.make_private_dir(place)
    try:
        ledger = Ledger(place / "out", ops)
        ledger.prepare(plan.to_json(), plan.id)
        for stage, job in jobs_of(plan, steps, os.path.abspath(output), ops):
            watched = replace(job, watch=lambda where, stack: tell(_told(where, stack)))
            for task in (one for one in stage.tasks if isinstance(one, Task) and one.well == well):
                with ledger.stage(task.id) as staging:
                    TaskRun(watched, task, staging).run()
    finally:
        with contextlib.suppress(OpenHCSError):
            ops.remove_tree(place)


def _told(where: str, stack: Array) -> str:
    if stack.dtype.kind == "c" or not stack.size:
        return f"{where}: {stack.shape} {stack.dtype}"
    return f"{where}: {stack.shape} {stack.dtype}, {stack.min()} to {stack.max()}"
