"""What an output says about its wells: done, failed or waiting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from openhcs.ledger.ledger import Ledger
from openhcs.run.result import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Wells of an output by state: "done", "failed" or "waiting"; only commits are trusted.

    ``memory`` is of the task that took most: its well, bytes planned and bytes measured; None where none
    was measured.
    """

    output: str
    plan_id: str
    wells: Mapping[str, str]
    failures: Mapping[str, Failure] = field(default_factory=dict)
    memory: tuple[str, int, int] | None = None


def status(output: str | Path) -> Status:
    """Return the state of every well of the plan that an output holds.

    Raises
    ------
    NotFound
        the folder holds no work of ours.
    """
    ledger = Ledger(output)
    ledger.plan_id()
    plan = ledger.notes.plan()
    records = ledger.records()
    failures = {
        well: Failure(well=well, step=info["step"], message=info["message"], traceback=info["traceback"])
        for well, info in ledger.notes.failures().items()
        if well not in records or records[well]["plan"] != plan["plan"]
    }
    wells = {}
    for task in plan["tasks"]:
        well = task["well"]
        committed = well in records and records[well]["plan"] == plan["plan"]
        wells[well] = "done" if committed else "failed" if well in failures else "waiting"
    memory = _most_memory(record for record in records.values() if record["plan"] == plan["plan"])
    return Status(output=str(output), plan_id=plan["plan"], wells=wells, failures=failures, memory=memory)


def _most_memory(records: Iterable[Mapping[str, Any]]) -> tuple[str, int, int] | None:
    told = ((record["task"], record.get("memory")) for record in records)
    found = [
        (task, memory["planned"], memory["measured"])
        for task, memory in told
        if isinstance(memory, dict) and type(memory.get("measured")) is int and type(memory.get("planned")) is int
    ]
    return max(found, key=lambda one: one[2], default=None)
