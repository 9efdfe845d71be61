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
    was measured. ``timings`` are seconds over all committed wells: read, store, and each step by number and
    name.
    """

    output: str
    plan_id: str
    wells: Mapping[str, str]
    failures: Mapping[str, Failure] = field(default_factory=dict)
    memory: tuple[str, int, int] | None = None
    timings: Mapping[str, float] = field(default_factory=dict)


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
    ours = [record for record in records.values() if record["plan"] == plan["plan"]]
    return Status(
        output=str(output),
        plan_id=plan["plan"],
        wells=wells,
        failures=failures,
        memory=_most_memory(ours),
        timings=_timings(ours),
    )


def _timings(records: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for record in records:
        timings = record.get("timings")
        parts = timings.get("parts", {}) if isinstance(timings, dict) else {}
        for name, seconds in parts.items() if isinstance(parts, dict) else ():
            if type(seconds) in (int, float):
                total[name] = total.get(name, 0.0) + seconds
    return total


def _most_memory(records: Iterable[Mapping[str, Any]]) -> tuple[str, int, int] | None:
    told = ((record["task"], record.get("memory")) for record in records)
    found = [
        (task, memory["planned"], memory["measured"])
        for task, memory in told
        if isinstance(memory, dict) and type(memory.get("measured")) is int and type(memory.get("planned")) is int
    ]
    return max(found, key=lambda one: one[2], default=None)
