"""Repair an output of ours from its commit records, or any OME-Zarr store from what lies on disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.check.findings import ERROR
from openhcs.check.validate import output_of, validate
from openhcs.errors import FormatError, InputError, NotFound
from openhcs.io.fsops import FileOps
from openhcs.io.ozx import SUFFIX as OZX
from openhcs.io.strangers import read_plain
from openhcs.ledger.ledger import Ledger
from openhcs.repair.records import changes_by_records
from openhcs.repair.report import Loss, RepairReport
from openhcs.repair.store import changes_by_disk
from openhcs.run.close import derive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openhcs.check.findings import Finding, Report
    from openhcs.repair.report import Change

LARGEST = 2**28
PIXELS = ("object-", "chunk", "shard-", "array-", "level-absent", "well-absent", "site-absent", "pixels-")
"""Beginnings of codes of what no document brings back."""


def repair(path: str | Path, *, apply: bool = False, deep: bool = False, ops: FileOps | None = None) -> RepairReport:
    """Build the documents of an output or store anew where they are damaged.

    Nothing is removed and no chunk is touched. The documents that change are kept as they were in a hidden
    folder beside the store, or in the output's ledger.

    Parameters
    ----------
    path
        an output folder, a store of ours, or any OME-Zarr plate.
    apply
        change documents; otherwise only tell what would change.
    deep
        look for damaged pixels too, which reads every stored byte.
    ops
        what changes files.

    Raises
    ------
    NotFound
        nothing is there.
    InputError
        it is no OME-Zarr, or a store in one file.
    OutputBusy
        a run is at work there.
    """
    folder = Path(os.path.abspath(path))
    if folder.suffix == OZX and folder.is_file():
        raise InputError(f"{path} is a store in one file: convert it to a .zarr first, and repair that.", path=path)
    if not os.path.lexists(folder):
        raise NotFound(f"nothing is at {path}", path=path)
    ops = ops or FileOps()
    output = output_of(folder)
    if output is not None:
        return _output(output, ops, apply=apply, deep=deep)
    before = validate(folder, deep=deep)
    changes, losses = changes_by_disk(folder, before)
    kept = ""
    if apply and changes:
        kept = _put(folder, changes, ops, folder.with_name(f".{folder.name}.repair"))
        before = validate(folder, deep=deep)
    return _report(folder, before, changes, losses, applied=apply, kept=kept)


def _output(output: Path, ops: FileOps, *, apply: bool, deep: bool) -> RepairReport:
    ledger = Ledger(output, ops)
    changes: list[Change] = []
    losses: list[Loss] = []
    kept = ""
    try:
        changes = changes_by_records(ledger)
        if apply:
            with ledger.closing():
                changes = changes_by_records(ledger)
                kept = _put(output, changes, ops, ledger.folder / "repair") if changes else ""
                derive(ledger, final=True)
    except FormatError as error:
        # Without a record nobody knows what its well was, nor which documents the plate has.
        losses = [Loss(path=str(error.path or ledger.folder), message=error.message)]
    return _report(output, validate(output, deep=deep), changes, losses, applied=apply, kept=kept)


def _put(folder: Path, changes: Sequence[Change], ops: FileOps, keep: Path) -> str:
    """Keep the documents as they are, then put the new ones in place, and return where the old ones are."""
    number = 1 + max((int(one.name) for one in keep.glob("*") if one.name.isdecimal()), default=0)
    kept = keep / str(number)
    for change in changes:
        target = folder / change.path
        if target.is_file():
            ops.make_dirs((kept / change.path).parent)
            ops.write_new(kept / change.path, read_plain(target, limit=LARGEST))
    if kept.is_dir():
        ops.sync_tree(kept)
        ops.sync_dir(keep)
        ops.sync_dir(keep.parent)
    via = kept if kept.is_dir() else None
    for change in changes:
        target = folder / change.path
        ops.make_dirs(target.parent)
        ops.replace(target, change.data, via=via)
    return str(kept) if kept.is_dir() else ""


def _report(
    folder: Path, found: Report, changes: Sequence[Change], losses: Sequence[Loss], *, applied: bool, kept: str
) -> RepairReport:
    told = {loss.path: loss for loss in losses}
    for one in found.findings:
        if one.severity == ERROR and (applied or _is_loss(one, changes)):
            told.setdefault(f"{one.path} {one.code}", Loss(path=one.path, message=one.message, remedy=one.remedy))
    return RepairReport(
        path=str(folder),
        applied=applied,
        changes=tuple((change.path, change.why) for change in changes),
        lost=tuple(told.values()),
        kept=kept,
    )


def _is_loss(finding: Finding, changes: Sequence[Change]) -> bool:
    """Return whether a finding stays when the changes are made, as far as its code tells."""
    changed = any(change.path == finding.path for change in changes)
    return finding.code.startswith(PIXELS) and not changed
