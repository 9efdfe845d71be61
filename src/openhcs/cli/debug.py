"""Replay one well of an output in this process, call by call. Nothing is published.

Each call is told with its group and the shape, dtype and range of what goes in. Where a function raises, its
own lines of the traceback are shown; with --pdb the debugger opens where it raised.
"""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING

from openhcs.cli import exits, options

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from types import TracebackType


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``openhcs debug`` takes."""
    options.add_output(parser)
    parser.add_argument("well", metavar="WELL", help="the well to replay, failed or not")
    parser.add_argument("--pdb", action="store_true", help="open the debugger where a function raises")


def run(args: Namespace) -> int:
    """Replay the well."""
    from openhcs.cli.paths import existing
    from openhcs.cli.watch import log_to_stderr
    from openhcs.errors import PlanError, StepError
    from openhcs.ledger.ledger import Ledger
    from openhcs.plan.model import Plan
    from openhcs.run.debug import replay
    from openhcs.run.plan_file import functions_of

    log_to_stderr(args)
    output = existing(args.output, "output")
    plan = Plan.from_json(Ledger(output).plan_json())
    if plan.pipeline is None:
        raise PlanError(
            f"{output} was made from Python, not from a pipeline file. Debug it there: compile the same steps with a "
            f'PipelineOrchestrator, then .debug("{args.well}")'
        )
    try:
        replay(plan, functions_of(plan), output, args.well)
    except StepError as error:
        cause = error.__cause__
        own = _user_frames(cause.__traceback__) if cause is not None else None
        if cause is not None and own is not None:
            print("".join(traceback.format_exception(type(cause), cause, own)), end="", file=sys.stderr)
        print(f"error: {error}", file=sys.stderr)
        if args.pdb and own is not None:
            import pdb  # noqa: T100 - what was asked for

            pdb.post_mortem(own)
        return exits.SOME_FAILED
    print(f"well {args.well} ran through; nothing was published")
    return exits.DONE


def _user_frames(frames: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the first frame that is not of openhcs."""
    while frames is not None and frames.tb_frame.f_globals.get("__name__", "").startswith("openhcs."):
        frames = frames.tb_next
    return frames
