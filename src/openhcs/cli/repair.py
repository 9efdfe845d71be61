"""Build the documents of a damaged plate anew: from commit records, or from what lies on disk.

Tells first what it would change and what is lost; --apply does it. No chunk is touched and nothing is
removed; documents that change are kept as they were. Ends with 0 if nothing is lost, else with 4.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from openhcs.cli import exits, options
from openhcs.cli.text import count

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from openhcs.repair.report import RepairReport

SHOWN = 20


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``openhcs repair`` takes."""
    parser.add_argument("path", metavar="PATH", help="output folder, converted .zarr, or any OME-Zarr plate")
    parser.add_argument("--apply", action="store_true", help="change documents; otherwise only tell")
    parser.add_argument("--deep", action="store_true", help="look for damaged pixels too: reads every stored byte")
    options.add_json(parser, "print one JSON object")


def run(args: Namespace) -> int:
    """Repair one plate."""
    from openhcs.cli.paths import existing
    from openhcs.cli.watch import log_to_stderr
    from openhcs.repair import repair

    log_to_stderr(args)
    report = repair(existing(args.path, "plate"), apply=args.apply, deep=args.deep)
    print(json.dumps(report.as_dict(), ensure_ascii=False) if args.json else describe(report))
    return exits.BAD_INPUT if report.lost else exits.DONE


def describe(report: RepairReport) -> str:
    """Return a report as text for people."""
    lines = [f"lost: {one.path or '.'}: {one.message}" for one in report.lost[:SHOWN]]
    lines += [f"  and {len(report.lost) - SHOWN} more; all with --json"] if len(report.lost) > SHOWN else []
    lines += [f"  do: {one}" for one in dict.fromkeys(loss.remedy for loss in report.lost if loss.remedy)]
    verb = "written anew" if report.applied else "would be written anew"
    shown = [f"{path}: {why}" for path, why in report.changes[:SHOWN]]
    lines += [*shown, *([f"and {len(report.changes) - SHOWN} more"] if len(report.changes) > SHOWN else [])]
    told = f"{count(len(report.changes), 'document')} {verb}" if report.changes else "no document to write"
    lines.append(f"{report.path}: {told}, {count(len(report.lost), 'thing')} lost")
    if report.kept:
        lines.append(f"as they were before: {report.kept}")
    if report.changes and not report.applied:
        lines.append(f"next: openhcs repair {shlex.quote(report.path)} --apply")
    return "\n".join(lines)
