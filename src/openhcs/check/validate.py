"""Check an output of openhcs, or any Zarr store, and say what is wrong with it and what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.check.findings import ERROR, INFO, Counts, Finding, Report
from openhcs.check.integrity import Audit
from openhcs.check.store import unread_chunks
from openhcs.errors import InputError, NotFound
from openhcs.ledger.notes import HEAD
from openhcs.ledger.output import ledger_folder

if TYPE_CHECKING:
    from collections.abc import Iterator


def validate(path: str | Path, *, deep: bool = False) -> Report:
    """Compare an output with its commit records, or read a store that has none; nothing is changed.

    Parameters
    ----------
    path
        an output folder, a store that was converted to, or the store inside an output.
    deep
        read every stored byte: damage is found wherever it is. Otherwise names, sizes and documents.

    Raises
    ------
    NotFound
        nothing is there.
    InputError
        it is neither an output of openhcs nor a Zarr store.
    """
    folder = Path(os.path.abspath(path))
    if not folder.exists() and not ledger_folder(folder).exists():
        raise NotFound(f"nothing is at {path}", path=path)
    output = output_of(folder)
    if output is not None:
        from openhcs.ledger.ledger import Ledger

        audit = Audit(Ledger(output), deep=deep)
        return _report(output, deep=deep, found=list(audit.findings()), counts=audit.counts)
    if not any((folder / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray")):
        raise InputError(
            f"{path} is neither an output of openhcs nor a Zarr store. Name the output folder, or a .zarr store.",
            path=path,
        )
    counts = Counts()
    return _report(folder, deep=deep, found=list(_store(folder, counts, deep=deep)), counts=counts)


def output_of(folder: Path) -> Path | None:
    """Return the output that a folder is, or is the store of; None if it has no ledger."""
    return next((one for one in (folder, folder.parent) if (ledger_folder(one) / HEAD).exists()), None)


def _store(folder: Path, counts: Counts, *, deep: bool) -> Iterator[Finding]:
    yield Finding(
        code="no-records",
        severity=INFO,
        path="",
        message="no commit records of openhcs belong to this store, so nothing says what it should hold"
        + (": every chunk was decoded" if deep else ""),
    )
    if not deep:
        return
    for path, told in unread_chunks(folder, counts):
        yield Finding(
            code="chunk-unreadable",
            severity=ERROR,
            path=path,
            message=told,
            remedy="Restore it from where the plate came from.",
        )


def _report(path: Path, *, deep: bool, found: list[Finding], counts: Counts) -> Report:
    return Report(
        path=str(path), deep=deep, wells=counts.wells, files=counts.files, bytes=counts.bytes, findings=tuple(found)
    )
