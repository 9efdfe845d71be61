"""Say which wells of an output are done, failed or waiting. Ends with 0 whatever it says."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from typing import TYPE_CHECKING

from openhcs.cli import options
from openhcs.cli.board import DONE, FAILED, WAITING
from openhcs.cli.text import can_show, duration, plate_map, size, table
from openhcs.core.wells import plate_shape, row_name

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from openhcs.run.status import Status

MARKS = {DONE: "●", FAILED: "✗", WAITING: "·"}
PLAIN_MARKS = {DONE: "#", FAILED: "x", WAITING: "."}


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``openhcs status`` takes."""
    options.add_output(parser)
    options.add_json(parser, "print one JSON object")


def run(args: Namespace) -> int:
    """Print the state of each well."""
    from openhcs.cli.paths import existing
    from openhcs.cli.watch import log_to_stderr

    log_to_stderr(args)
    output = existing(args.output, "output")
    from openhcs.run.status import status

    found = status(output)
    print(json.dumps(as_dict(found), ensure_ascii=False) if args.json else describe(found))
    return 0


def as_dict(found: Status) -> dict[str, object]:
    """Return a status as JSON knows it."""
    failures = {well: {"step": failed.step, "message": failed.message} for well, failed in found.failures.items()}
    told: dict[str, object] = {"output": str(found.output), "plan": found.plan_id, "wells": dict(found.wells)}
    memory = dict(zip(("task", "planned", "measured"), found.memory, strict=True)) if found.memory else None
    return told | {"failures": failures, "memory": memory, "timings": dict(found.timings)}


def describe(found: Status) -> str:
    """Return a status as text for people."""
    marks = MARKS if can_show(sys.stdout, "".join(MARKS.values())) else PLAIN_MARKS
    states = Counter(found.wells.values())
    told = ", ".join(f"{states[name]} {name}" for name in (DONE, FAILED, WAITING) if states[name])
    rows = [
        ("output", str(found.output)),
        ("plan", found.plan_id),
        ("wells", f"{told} of {len(found.wells)}"),
    ]
    if found.memory:
        task, planned, measured = found.memory
        rows.append(("memory", f"{size(measured)} at most for one task ({task}), {size(planned)} were planned"))
    if found.timings:
        spent = sorted(found.timings.items(), key=lambda one: -one[1])
        rows.append(("time", ", ".join(f"{name} {duration(seconds)}" for name, seconds in spent)))
    shape = plate_shape(list(found.wells))
    of_wells = {well: marks[state] for well, state in found.wells.items()}
    grid = plate_map(shape, [row_name(row) for row in range(shape[0])], of_wells, empty=" ")
    used = "  ".join(f"{marks[name]} {name}" for name in MARKS if states[name])
    lines = [table(rows), "", *grid, used]
    for well, failed in found.failures.items():
        said = not failed.step or failed.step in failed.message
        lines.append(f"{well} failed{'' if said else f' in {failed.step}'}: {failed.message}")
    if states[FAILED] or states[WAITING]:
        lines += ["", f"next: the command that wrote {shlex.quote(str(found.output))}, again; it does what is not done"]
    return "\n".join(lines)
