"""Show what a pipeline would read, call, keep and write, and why. Nothing is written but --save FILE.

What would fail during the run and can be known before, fails here. A plan that was saved is shown by
openhcs plan PLAN.json, two are compared by openhcs plan --diff ONE.json OTHER.json.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openhcs.cli import options, work
from openhcs.errors import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from openhcs.plan.model import Plan

take = work.take


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``openhcs plan`` takes."""
    parser.add_argument("pipeline", metavar="PIPELINE.py", help="file that defines steps = [...], or a saved plan")
    parser.add_argument("plate", nargs="*", metavar="PLATE", help="plate folder or OME-Zarr plate")
    parser.add_argument("-o", "--output", metavar="OUT", help="output folder (default: beside the plate)")
    parser.add_argument("--save", metavar="PLAN.json", help="write the plan to a file that openhcs run takes")
    parser.add_argument(
        "--diff", action="store_true", help="say what differs from the plan in OUT, or between two saved plans"
    )
    options.add_json(parser, "print the plan as JSON")
    work.add_pipeline(parser)


def run(args: Namespace) -> int:
    """Print the plan, or what differs."""
    from openhcs.cli.watch import log_to_stderr

    log_to_stderr(args)
    if work.is_plan_file(args.pipeline):
        return _saved(args)
    if len(args.plate) != 1:
        raise UsageError("plan takes one pipeline and one plate: openhcs plan PIPELINE.py PLATE")
    plan = _compiled(args)
    if args.save:
        from openhcs.run.plan_file import save_plan

        save_plan(plan, args.save)
    if args.diff:
        print(_earlier(plan.output).diff(plan))
    else:
        print(plan.to_json() if args.json else plan.explain())
    return 0


def _compiled(args: Namespace) -> Plan:
    from openhcs.cli.paths import existing

    steps, config = work.load(args)
    orchestrator = work.orchestrator_for(args, existing(args.plate[0], "plate"), config, args.output)
    orchestrator.initialize().compile_pipelines(steps)
    return orchestrator.plan


def _earlier(output: str) -> Plan:
    """Return the plan that an output holds."""
    from openhcs.ledger.ledger import Ledger
    from openhcs.plan.model import Plan

    return Plan.from_json(Ledger(output).plan_json())


def _saved(args: Namespace) -> int:
    """Show a saved plan, or compare two."""
    from openhcs.cli.paths import existing
    from openhcs.run.plan_file import read_plan

    plans = [read_plan(existing(path, "plan")) for path in (args.pipeline, *args.plate)]
    if len(plans) != (2 if args.diff else 1) or args.save:
        raise UsageError("saved plans are shown one by one (openhcs plan PLAN.json) or compared (--diff ONE OTHER)")
    if args.diff:
        print(plans[0].diff(plans[1]))
    else:
        print(plans[0].to_json() if args.json else plans[0].explain())
    return 0
