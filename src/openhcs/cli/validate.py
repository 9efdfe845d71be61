"""Check an output against its commit records, or decode a Zarr store that has none.

Quick looks at names, sizes and documents; --deep reads every stored byte. Nothing is changed. Ends
with 0 if nothing is lost or damaged, else with 4.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.cli import exits, options
from openhcs.cli.text import count, size

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from openhcs.check.findings import Report

SHOWN = 50


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``openhcs validate`` takes."""
    parser.add_argument("path", metavar="PATH", help="output folder of run or convert, or a .zarr store")
    parser.add_argument("--deep", action="store_true", help="read every stored byte and compare its digest")
    options.add_json(parser, "print one JSON object")


def run(args: Namespace) -> int:
    """Check one output."""
    from openhcs.check.validate import validate
    from openhcs.cli.paths import existing
    from openhcs.cli.watch import log_to_stderr
    from openhcs.ledger.output import ledger_folder

    log_to_stderr(args)
    if not ledger_folder(Path(args.path)).exists():
        existing(args.path, "output or store")
    report = validate(args.path, deep=args.deep)
    print(json.dumps(report.as_dict(), ensure_ascii=False) if args.json else describe(report))
    return exits.DONE if report.valid else exits.BAD_INPUT


def describe(report: Report) -> str:
    """Return a report as text for people."""
    lines = []
    for one in report.findings[:SHOWN]:
        lines.append(f"{one.severity}: {one.message}")
        lines += [f"  {word}: {value}" for word, value in (("file", one.path), ("do", one.remedy)) if value]
    if len(report.findings) > SHOWN:
        lines.append(f"and {len(report.findings) - SHOWN} more; see all with --json")
    errors = sum(one.severity == "error" for one in report.findings)
    read = f", {count(report.files, 'file')} ({size(report.bytes)}) read and compared" if report.files else ""
    wells = f"{count(report.wells, 'committed well')}{read}" if report.wells else read.removeprefix(", ")
    if not report.valid:
        verdict = f"not valid: {count(errors, 'error')}"
    elif report.deep:
        verdict = "valid"
    else:
        verdict = (
            "valid by names and sizes, --deep reads every byte" if report.wells else "not looked at without --deep"
        )
    return "\n".join([*lines, f"{report.path}: {verdict}" + (f"; {wells}" if wells else "")])
