"""Show what a pipeline would read, call, keep and write, and why. Nothing is written.

What would fail during the run and can be known before, fails here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openhcs.cli import options, work

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``openhcs plan`` takes."""
    parser.add_argument("pipeline", metavar="PIPELINE.py", help="file that defines steps = [...]")
    parser.add_argument("plate", metavar="PLATE", help="plate folder or OME-Zarr plate")
    parser.add_argument("-o", "--output", metavar="OUT", help="output folder (default: beside the plate)")
    options.add_json(parser, "print the plan as JSON")
    work.add_pipeline(parser)


def run(args: Namespace) -> int:
    """Print the plan."""
    from openhcs.cli.paths import existing
    from openhcs.cli.watch import log_to_stderr

    log_to_stderr(args)
    steps, config = work.load(args)
    orchestrator = work.orchestrator_for(args, existing(args.plate, "plate"), config, args.output)
    orchestrator.initialize().compile_pipelines(steps)
    plan = orchestrator.plan
    print(plan.to_json() if args.json else plan.explain())
    return 0
