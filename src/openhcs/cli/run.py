"""Run a pipeline on a plate, or on several; or run plans that openhcs plan --save wrote.

The output holds images.zarr, results/ and the ledger .openhcs/. The same command again goes on with
what is not done yet. Several plates get a folder each below OUT. A plan file says where its pipeline,
plate and output are: --plate and -o say otherwise. --shard 2/5 does the second fifth of the wells;
shards run at the same time, on any machines that see the output.
"""

from __future__ import annotations

import re
import shlex
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from openhcs.cli import options, work
from openhcs.errors import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from openhcs.cli.work import Job
    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.core.steps import FunctionStep

take = work.take


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``openhcs run`` takes."""
    parser.add_argument("pipeline", metavar="PIPELINE.py", help="file that defines steps = [...], or a saved PLAN.json")
    parser.add_argument("plate", nargs="*", metavar="PLATE", help="plate folder or OME-Zarr plate; or more plans")
    parser.add_argument("-o", "--output", metavar="OUT", help="output folder (default: beside the plate)")
    parser.add_argument("--plate", dest="moved_to", metavar="PATH", help="where the plate of a saved plan lies now")
    parser.add_argument("--shard", type=shard, metavar="I/N", help="do the I-th of N parts of the wells alone")
    parser.add_argument("--rerun-from", metavar="STEP", help="make wells again though they are done, from this step on")
    options.add_json(parser, "print the outcome as one JSON object per plate")
    work.add_pipeline(parser)
    options.add_events(parser)


def shard(text: str) -> tuple[int, int]:
    """Return (i, n) of a text such as ``2/5``."""
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise ArgumentTypeError(f"it is I/N with I from 1 to N, such as 2/5, not {text!r}")
    return int(found[1]), int(found[2])


def run(args: Namespace) -> int:
    """Run each plate; the exit code tells whether any well of any plate failed."""
    if work.is_plan_file(args.pipeline):
        from openhcs.cli.plan_jobs import plan_jobs

        jobs = plan_jobs(args)
    else:
        jobs = pipeline_jobs(args)
    if len(jobs) == 1:
        return run_one(args, jobs[0])
    from openhcs.cli.several import run_several

    return run_several(args, jobs)


def pipeline_jobs(args: Namespace) -> list[Job]:
    """Return a job for each plate."""
    from openhcs.cli.paths import existing

    if not args.plate:
        raise UsageError("run takes a pipeline and a plate: openhcs run PIPELINE.py PLATE")
    if args.moved_to:
        raise UsageError("--plate says where the plate of a saved plan lies; with a pipeline name the plate itself")
    several = len(args.plate) > 1
    plates = args.plate if several else [existing(args.plate[0], "plate")]
    outputs = work.outputs_of(plates, args.output)
    steps, config = work.load(args)
    return [work.plate_job(args, plate, steps, config, output=out) for plate, out in zip(plates, outputs, strict=True)]


def run_plate(
    args: Namespace, plate: str, steps: list[FunctionStep], config: GlobalPipelineConfig, *, output: str | None
) -> int:
    """Run the steps on one plate, say how it ended, and return its exit code."""
    return run_one(args, work.plate_job(args, plate, steps, config, output=output))


def run_one(args: Namespace, job: Job) -> int:
    """Do one job, say how it ended, and return its exit code."""
    from openhcs.cli.outcome import finish
    from openhcs.cli.watch import watching

    with watching(args) as watch:
        result = job.go(watch)
    stored = work.stored_path(result.output, job.config)
    return finish(args, result, watch, stored=stored, next_line=f"openhcs info {shlex.quote(stored)}")
