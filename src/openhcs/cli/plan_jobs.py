"""Jobs of saved plans, as ``openhcs run PLAN.json`` does them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from openhcs.cli import options, work
from openhcs.errors import UsageError

if TYPE_CHECKING:
    from argparse import Namespace

    from openhcs.cli.watch import Watch
    from openhcs.cli.work import Job
    from openhcs.plan.model import Plan
    from openhcs.run.result import RunResult

SETTLED = ("wells", "exclude", "ngff", "levels", "missing", "microscope", "pattern", "inputs")
"""Options whose word is in the plan already."""
FREE = ("workers", "threads", "verify", "on_error", "timeout", "dask")
"""Options that change nothing of what is made."""


def plan_jobs(args: Namespace) -> list[Job]:
    """Return a job for each plan file.

    Raises
    ------
    UsageError
        options that a saved plan cannot be given.
    """
    paths = [args.pipeline, *args.plate]
    if strange := [path for path in paths if not work.is_plan_file(path)]:
        raise UsageError(f"{strange[0]} is no plan file: a plan names its plate; another is told by --plate PATH")
    if args.moved_to and len(paths) > 1:
        raise UsageError("--plate says where one plate lies; run plans whose plates moved one by one")
    given = [name for name in SETTLED if getattr(args, name)]
    if given:
        raise UsageError(f"--{given[0]} is settled by the plan; plan again with it: openhcs plan … --save PLAN.json")
    names = [os.path.splitext(os.path.basename(path))[0] for path in paths]
    outputs = [args.output] if len(paths) == 1 else [args.output and os.path.join(args.output, name) for name in names]
    if args.output and len(set(names)) < len(names):
        raise UsageError("two plans of one name would share an output; run them one by one")
    return [_job(args, path, name, output) for path, name, output in zip(paths, names, outputs, strict=True)]


def _job(args: Namespace, path: str, name: str, output: str | None) -> Job:
    config = options.config_from(args)

    def go(watch: Watch) -> RunResult:
        from openhcs.plan.again import step_place
        from openhcs.run.execute import execute
        from openhcs.run.plan_file import check_inputs, functions_of

        plan = _ready(args, path, output)
        check_inputs(plan if args.shard is None else plan.shard(*args.shard))
        job.config = plan.config
        return execute(
            plan,
            functions_of(plan),
            plan.output,
            exist=args.exist,
            on_event=watch.on_event,
            stop=watch.stop,
            shard=args.shard,
            rerun_from=None if args.rerun_from is None else step_place(plan, work.number(args.rerun_from)) + 1,
        )

    job = work.Job(name=name, config=config, go=go)
    return job


def _ready(args: Namespace, path: str, output: str | None) -> Plan:
    """Return a saved plan for this machine, its plate and output where the options say."""
    from openhcs.cli.paths import existing
    from openhcs.ledger.output import check_apart
    from openhcs.run.plan_file import read_plan, ready, with_plate

    plan = read_plan(existing(path, "plan"))
    if args.moved_to:
        plan = with_plate(plan, os.path.abspath(existing(args.moved_to, "plate")))
    out = os.path.abspath(output) if output else plan.output
    if not out:
        raise UsageError(f"{path} names no output: say -o OUT")
    from pathlib import Path

    check_apart(Path(out), plan.source)
    told = {options.CONFIG_FIELDS[name]: getattr(args, name) for name in FREE if getattr(args, name) is not None}
    return ready(plan, output=out, settings=told)
