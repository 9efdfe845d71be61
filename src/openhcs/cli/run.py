"""Run a pipeline on a plate, or on several.

The output holds images.zarr, results/ and the ledger .openhcs/. The same command again goes on with
what is not done yet. Several plates get a folder each below OUT.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from openhcs.cli import options, work

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.core.steps import FunctionStep


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``openhcs run`` takes."""
    parser.add_argument("pipeline", metavar="PIPELINE.py", help="file that defines steps = [...]")
    parser.add_argument("plate", nargs="+", metavar="PLATE", help="plate folder or OME-Zarr plate")
    parser.add_argument("-o", "--output", metavar="OUT", help="output folder (default: beside the plate)")
    options.add_json(parser, "print the outcome as one JSON object per plate")
    work.add_pipeline(parser)
    options.add_events(parser)


def run(args: Namespace) -> int:
    """Run the pipeline on each plate; the exit code tells whether any well of any plate failed."""
    from openhcs.cli.paths import existing

    plates = [existing(plate, "plate") for plate in args.plate]
    outputs = work.outputs_of(plates, args.output)
    steps, config = work.load(args)
    codes = [run_plate(args, plate, steps, config, output=out) for plate, out in zip(plates, outputs, strict=True)]
    return max(codes)


def run_plate(
    args: Namespace, plate: str, steps: list[FunctionStep], config: GlobalPipelineConfig, *, output: str | None
) -> int:
    """Run the steps on one plate, say how it ended, and return its exit code."""
    from openhcs.cli.outcome import finish
    from openhcs.cli.watch import watching

    with watching(args) as watch:
        orchestrator = work.orchestrator_for(args, plate, config, output)
        result = orchestrator.run(steps, on_event=watch.on_event, stop=watch.stop)
    stored = work.stored_path(result.output, config)
    return finish(args, result, watch, stored=stored, next_line=f"openhcs info {shlex.quote(stored)}")
