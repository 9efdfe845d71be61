"""Check an output of openhcs, or any Zarr store, and say what is wrong with it and what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.check.findings import Counts, Finding, Report, cut
from openhcs.check.integrity import Audit
from openhcs.check.store import Decoder
from openhcs.check.tree import look_at_store, stores_of
from openhcs.errors import InputError, NotFound
from openhcs.io.ozx import SUFFIX as OZX
from openhcs.ledger.notes import HEAD
from openhcs.ledger.output import ledger_folder
from openhcs.ngff.rules.table import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openhcs.check.tree import Seen


def validate(path: str | Path, *, deep: bool = False) -> Report:
    """Look for whatever is wrong with an output or an OME-Zarr store; nothing is changed.

    An output is compared with its commit records. The documents, arrays and stored objects of it, or of
    any store, are compared with the rules in `openhcs.ngff.rules.table` and with each other.

    Parameters
    ----------
    path
        an output folder, or any OME-Zarr: plate, well, image, list of labels, collection.
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
    counts = Counts()
    output = output_of(folder)
    kind: str | None
    if output is not None:
        found, kind = list(_output(output, counts, deep=deep)), "output"
        folder = output
    elif any(os.path.lexists(folder / name) for name in ("zarr.json", ".zgroup", ".zarray", ".zattrs")):
        seen = look_at_store(folder)
        found, kind = [*_unvouched(folder, seen, counts, deep=deep), *seen.findings], seen.kind
    elif folder.suffix == OZX and folder.is_file():
        raise InputError(
            f"{path} is a store in one file. Unpack it, it is a zip archive, and name the folder.", path=path
        )
    else:
        raise InputError(
            f"{path} is neither an output of openhcs nor a Zarr store. Name the output folder, or a .zarr store.",
            path=path,
        )
    return Report(
        path=str(folder),
        deep=deep,
        kind=kind,
        wells=counts.wells,
        files=counts.files,
        bytes=counts.bytes,
        findings=tuple(found),
    )


def output_of(folder: Path) -> Path | None:
    """Return the output that a folder is, or is the store of; None if it has no ledger."""
    return next((one for one in (folder, folder.parent) if (ledger_folder(one) / HEAD).exists()), None)


def _output(output: Path, counts: Counts, *, deep: bool) -> Iterator[Finding]:
    """Yield what the ledger finds, then what the rules find in files that the ledger did not name."""
    from openhcs.ledger.ledger import Ledger

    audit = Audit(Ledger(output), deep=deep, counts=counts)
    found = list(audit.findings())
    yield from found
    if any(one.code == "in-use" for one in found):
        return
    named = {one.path for one in found}
    for store in stores_of(output):
        prefix = "" if store == output else store.relative_to(output).as_posix()
        yield from (one for one in look_at_store(store, prefix).findings if one.path not in named)


def _unvouched(folder: Path, seen: Seen, counts: Counts, *, deep: bool) -> Iterator[Finding]:
    rule = RULES["no-records"]
    output = next((one for one in map(output_of, folder.parents) if one is not None), None)
    said = "no commit records of openhcs belong to this store, so nothing says what it should hold"
    if output is not None:
        said = f"this is a part of {output}; its commit records are looked at when that is named"
    yield Finding(
        code="no-records",
        severity=rule.severity,
        path="",
        message=cut(said + (": every chunk was decoded" if deep else "")),
        rule=rule.section,
    )
    if not deep:
        return
    for code, path, told in Decoder(folder, seen.pyramids, seen.kinds, counts).found():
        rule = RULES[code]
        yield Finding(
            code=code, severity=rule.severity, path=path, message=cut(told), remedy=f"{rule.remedy}.", rule=rule.section
        )
