"""How a run ended: a summary for people or JSON for programs, and the exit code."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING

from openhcs.cli import exits
from openhcs.cli.text import count, duration, size, visible
from openhcs.errors import Stopped
from openhcs.plan.model import PLATE

if TYPE_CHECKING:
    from argparse import Namespace

    from openhcs.cli.watch import Watch
    from openhcs.run.result import Failure, RunResult

SHOWN_FAILURES = 20


def finish(args: Namespace, result: RunResult, watch: Watch, *, stored: str, next_line: str | None = None) -> int:
    """Print how a run ended and return its exit code.

    Parameters
    ----------
    stored
        the path of what was made.
    next_line
        a command to type next.

    Raises
    ------
    Stopped
        the run was interrupted before every well was done.
    """
    if args.json:
        print(json.dumps(as_dict(result), ensure_ascii=False))
    elif result.ok:
        print(summary(result, stored))
        if next_line:
            print(f"next: {next_line}")
    if result.failed:
        print(failures(result), file=sys.stderr)
        return exits.SOME_FAILED
    if result.waiting and watch.stop.is_set():
        raise Stopped(f"stopped: {_progress_of(result)} done and committed, they stay; {len(result.waiting)} to go")
    if result.awaited:
        print(awaited(result), file=sys.stderr)
    return exits.SOME_FAILED if result.waiting else exits.DONE


def as_dict(result: RunResult) -> dict[str, object]:
    """Return a result as JSON knows it."""
    told = dataclasses.asdict(result)
    told["plan"] = told.pop("plan_id")
    for failure in told["failed"]:
        del failure["traceback"]
    return {"ok": result.ok, **told}


def summary(result: RunResult, stored: str) -> str:
    """Return the lines of a run that went well."""
    wells = count(len(result.done), "well")
    if not result.done:
        return f"nothing to do: all {count(len(result.skipped), 'well')} were done before\nwrote  {stored}"
    before = f", {len(result.skipped)} done before" if result.skipped else ""
    speed = f" ({size(result.bytes_in / result.seconds)}/s)" if result.seconds > 0 else ""
    return (
        f"done   {wells}{before} in {duration(result.seconds)}: "
        f"{size(result.bytes_in)} read{speed}, {size(result.bytes_out)} stored\nwrote  {stored}"
    )


def failures(result: RunResult) -> str:
    """Return what failed, and what to type to try again."""
    shown = [f"  {failed.well}  {_why(failed)}" for failed in result.failed[:SHOWN_FAILURES]]
    if len(result.failed) > SHOWN_FAILURES:
        shown.append(f"  … and {len(result.failed) - SHOWN_FAILURES} more")
    lines = [f"{len(result.failed)} of {count(_total(result), 'well')} failed:", *shown]
    if result.waiting:
        lines.append(f"{count(len(result.waiting), 'well')} not tried")
    stored = f"The others are stored in {result.output}. " if result.done or result.skipped else ""
    lines.append(
        f"{stored}The same command again tries what is not done; openhcs status {result.output} shows every well."
    )
    return visible("\n".join(lines), lines=True)


def awaited(result: RunResult) -> str:
    """Return what other shards have to do before the wells that wait."""
    first = result.awaited
    rest = f" and {len(first) - SHOWN_FAILURES} more" if len(first) > SHOWN_FAILURES else ""
    wells = f"{count(len(first), 'well')} to do first ({', '.join(first[:SHOWN_FAILURES])}{rest})"
    what = "the step over wells to do first" if first == (PLATE,) else wells
    return (
        f"{count(len(result.waiting), 'well')} not done yet: other shards have {what}. The same command again goes on "
        "when that is done."
    )


def _why(failed: Failure) -> str:
    return f"{failed.step}: {failed.message}" if failed.step and failed.step not in failed.message else failed.message


def _progress_of(result: RunResult) -> str:
    return f"{len(result.done) + len(result.skipped)} of {count(_total(result), 'well')}"


def _total(result: RunResult) -> int:
    return len(result.done) + len(result.skipped) + len(result.failed) + len(result.waiting)
