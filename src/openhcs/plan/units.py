"""Units: what a task's commit puts in place, by path in the output. Each belongs to one task.

Everything below a unit is of that task, so tasks need no locks among themselves. That holds when no two
units are the same, and none lies in another, on file systems too that take capitals for small letters.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from openhcs.core.special import TABLE
from openhcs.errors import PlanError
from openhcs.plan.model import PLATE, Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openhcs.plan.model import Plan, PlateTask, Stage
    from openhcs.plan.parts import Target, Value

PARTS = ".openhcs/parts"
"""Where the parts of tables lie until and after they are merged."""


def unit_of(target: Target, place: tuple[str, str]) -> str:
    """Return the folder of a well, relative to the output: what a commit puts in place."""
    return "/".join(part for part in (target.path, *place) if part)


def value_unit(value: Value, well: str) -> str:
    """Return what a well's commit puts in place for a value: a part of a table, or a folder of files."""
    return f"{PARTS}/{value.name}/{well}.parquet" if value.kind == TABLE else f"{value.path}/{well}"


def units_of(plan: Plan, stage: Stage, task: Task | PlateTask) -> Iterator[str]:
    """Yield every unit of a task."""
    if isinstance(task, Task):
        place = plan.index.well_place(task.well)
        yield from (unit_of(target, place) for target in stage.recipe.targets)
    yield from (value_unit(value, task.well) for value in stage.recipe.values)


def check_owners(plan: Plan) -> None:
    """Refuse a plan where two tasks would write one thing.

    Raises
    ------
    PlanError
        two units are the same or one lies in the other; tells them and their tasks.
    """
    owners = [
        (tuple(unit.casefold().split("/")), task.id)
        for stage in plan.stages
        for task in stage.tasks
        for unit in units_of(plan, stage, task)
    ]
    tables = [value.path for value in plan.recipe.values if value.kind == TABLE]
    owners += [(tuple(f"{path}.{end}".casefold().split("/")), PLATE) for path in tables for end in ("csv", "parquet")]
    for (one, owner), (other, second) in pairwise(sorted(owners)):
        if other[: len(one)] == one:
            raise PlanError(
                f"{owner} and {second} would both write {'/'.join(other)}, and one would lose what it made. Give the "
                "steps, special outputs or the store other names."
            )
