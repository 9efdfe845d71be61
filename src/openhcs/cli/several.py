"""Several plates in one command: one display, a line for each plate and one for all, one exit code.

A plate that cannot be run does not stop the others, unless ``on_error`` is "stop".
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs.cli import exits
from openhcs.cli.outcome import as_dict, awaited, failures
from openhcs.cli.text import count, duration, size
from openhcs.cli.work import stored_path
from openhcs.errors import Stopped
from openhcs.run.events import Event

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from openhcs.cli.watch import Watch
    from openhcs.cli.work import Job
    from openhcs.run.result import RunResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How one plate ended: with a result, or an error before any well of it was tried."""

    name: str
    stored: str = ""
    result: RunResult | None = None
    error: BaseException | None = None

    @property
    def code(self) -> int:
        """The exit code of this plate alone."""
        if self.error is not None:
            return exits.code_for(self.error)
        return exits.DONE if self.result and self.result.ok else exits.SOME_FAILED


def run_several(args: Namespace, jobs: Sequence[Job]) -> int:
    """Do jobs one after the other and return the exit code for all: that of the plates if they agree, else 3.

    Raises
    ------
    Stopped
        the user stopped it; what is committed stays.
    """
    from openhcs.cli.watch import watching

    ended: list[Ended] = []
    try:
        with watching(args) as watch:
            for number, job in enumerate(jobs, start=1):
                watch.on_event(Event(kind="plate_started", message=f"plate {number} of {len(jobs)}: {job.name}"))
                ended.append(_done(job, watch))
                if ended[-1].code and (job.config.on_error == "stop" or watch.stop.is_set()):
                    break
    finally:
        _tell(args, ended, len(jobs))
    codes = {one.code for one in ended} - {exits.DONE}
    return codes.pop() if len(codes) == 1 else exits.SOME_FAILED if codes else exits.DONE


def _done(job: Job, watch: Watch) -> Ended:
    """Do one job; a bug of ours, and the user's stop, are raised."""
    try:
        result = job.go(watch)
    except Stopped:
        raise
    except Exception as error:
        told = exits.ours(error)
        if exits.code_for(told) == exits.BUG:
            raise
        return Ended(name=job.name, error=told)
    return Ended(name=job.name, stored=stored_path(result.output, job.config), result=result)


def _tell(args: Namespace, ended: Sequence[Ended], total: int) -> None:
    for one in ended:
        if args.json:
            print(json.dumps(_as_dict(one), ensure_ascii=False))
        else:
            print(_line(one, max(len(other.name) for other in ended)))
        if one.error is not None:
            print(f"{one.name}: {exits.message_for(one.error, args.words)}", file=sys.stderr)
        elif one.result and one.result.failed:
            print(f"{one.name}: {failures(one.result)}", file=sys.stderr)
        elif one.result and one.result.awaited:
            print(f"{one.name}: {awaited(one.result)}", file=sys.stderr)
    if not args.json:
        print(_total(ended, total))


def _as_dict(one: Ended) -> dict[str, object]:
    if one.result is not None:
        return {"plate": one.name, **as_dict(one.result)}
    return {"plate": one.name, "ok": False, "error": str(one.error)}


def _line(one: Ended, width: int) -> str:
    """Return how one plate ended, in a line."""
    name = one.name.ljust(width)
    if one.result is None:
        return f"{name}  not run: {type(one.error).__name__}"
    result = one.result
    if result.ok and not result.done:
        return f"{name}  all {count(len(result.skipped), 'well')} done before  {one.stored}"
    told = [f"{count(len(result.done), 'well')} done"]
    groups = ((result.skipped, "before"), (result.failed, "failed"), (result.waiting, "not done"))
    told += [f"{len(wells)} {word}" for wells, word in groups if wells]
    return f"{name}  {', '.join(told)} in {duration(result.seconds)}  {one.stored}"


def _total(ended: Sequence[Ended], total: int) -> str:
    results = [one.result for one in ended if one.result]
    good = sum(one.code == exits.DONE for one in ended)
    wells = sum(len(result.done) + len(result.skipped) for result in results)
    read, stored = sum(result.bytes_in for result in results), sum(result.bytes_out for result in results)
    plates = f"{good} of {count(total, 'plate')} done"
    return f"total {plates}, {count(wells, 'well')}, {size(read)} read, {size(stored)} stored"
