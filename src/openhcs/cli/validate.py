"""Check an output of openhcs, or anybody's OME-Zarr: plate, well, image, labels, collection.

Quick looks at documents, names and sizes; --deep reads every stored byte. An output is compared with its
commit records too. Nothing is changed. Ends with 0 if there is no error, else with 4.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.cli import exits, options
from openhcs.cli.text import count, size

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator, Sequence

    from openhcs.check.findings import Finding, Report

EXAMPLES = 3
"""Findings of one code that are shown."""
LADDER = ("error", "warning", "info")


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``openhcs validate`` takes."""
    parser.add_argument("path", metavar="PATH", help="output folder of run or convert, or any OME-Zarr")
    parser.add_argument("--deep", action="store_true", help="read every stored byte: digests, or every chunk decoded")
    options.add_json(parser, "print one JSON object, with every finding")


def run(args: Namespace) -> int:
    """Check one output or store."""
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
    """Return a report as text for people: one paragraph for each code, errors first."""
    groups: dict[str, list[Finding]] = {}
    for one in sorted(report.findings, key=lambda one: LADDER.index(one.severity)):
        groups.setdefault(one.code, []).append(one)
    lines = [line for found in groups.values() for line in _paragraph(found)]
    return "\n".join([*lines, _verdict(report)])


def _paragraph(found: Sequence[Finding]) -> Iterator[str]:
    first = found[0]
    number = f" ({len(found):,} times)" if len(found) > 1 else ""
    yield f"{first.severity}: {first.code}{number}" + (f", {first.rule}" if first.rule else "")
    for one in found[:EXAMPLES]:
        yield f"  {one.path}: {one.message}" if one.path else f"  {one.message}"
    if len(found) > EXAMPLES:
        yield f"  and {len(found) - EXAMPLES:,} more; all with --json"
    for remedy in list(dict.fromkeys(one.remedy for one in found[:EXAMPLES] if one.remedy)):
        yield f"  do: {remedy}"


def _verdict(report: Report) -> str:
    errors = sum(one.severity == "error" for one in report.findings)
    warnings = sum(one.severity == "warning" for one in report.findings)
    if not report.valid:
        verdict = f"not valid: {count(errors, 'error')}"
    elif report.deep:
        verdict = "valid"
    else:
        verdict = "valid by documents, names and sizes, --deep reads every byte"
    verdict += f", {count(warnings, 'warning')}" if warnings else ""
    read = f"{count(report.files, 'file')} ({size(report.bytes)}) read and compared" if report.files else ""
    wells = count(report.wells, "committed well") if report.wells else ""
    return "; ".join([f"{report.path}: {verdict}", ", ".join(filter(None, (wells, read)))]).removesuffix("; ")
