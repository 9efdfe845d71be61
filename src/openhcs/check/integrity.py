"""Compare an output with what its ledger says of it: commits, stored objects, documents, vendor files.

Quick looks at names and sizes; deep reads every byte and compares digests, so that a single flipped
bit anywhere in what was committed is found.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import xxhash

from openhcs.check.findings import ERROR, INFO, WARNING, Counts, Finding
from openhcs.check.locate import chunk_of, image_of
from openhcs.errors import FormatError, NotFound, OpenHCSError
from openhcs.io.strangers import read_plain
from openhcs.ledger.commit import digest_of, listed, listing, matches, read_entry
from openhcs.ledger.notes import DOCUMENTS, FACTS, HEAD, PLAN, UNITS, VENDOR
from openhcs.ledger.output import files_of
from openhcs.ledger.sealed import read_sealed
from openhcs.plan.model import PLATE, is_well

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from openhcs.ledger.commit import Entry
    from openhcs.ledger.ledger import Ledger

    Record = dict[str, Any]

LARGEST = 2**28
"""Bytes of the largest document or vendor file."""
CLOSE = "Run: openhcs close OUT"
RERUN = "Run the command that made this output again"
REMEDIES = {
    HEAD: "Restore that file from a backup, or make the output anew elsewhere",
    PLAN: RERUN,
    FACTS: RERUN,
    DOCUMENTS: CLOSE,
}
"""What to do about a damaged file of the ledger; the others can be removed."""


@dataclass(slots=True)
class Audit:
    """One look at one output.

    Parameters
    ----------
    ledger
        of the output.
    deep
        whether every byte is read.
    """

    ledger: Ledger
    deep: bool
    counts: Counts = field(default_factory=Counts)
    _places: dict[str, str] = field(default_factory=dict)

    def findings(self) -> Iterator[Finding]:
        """Yield everything that is not as the ledger says."""
        yield from self._ledger_files()
        busy = self.ledger.at_work()
        if busy:
            said = f"{', '.join(busy)} at work here now: documents and unfinished wells were not looked at"
            yield Finding(code="in-use", severity=INFO, path="", message=said)
        known: set[str] = set()
        damaged = 0
        for entry in self.ledger.places.heads():
            try:
                record = read_entry(self.ledger.places, entry)
            except NotFound:
                continue
            except FormatError:
                damaged += 1
                yield self._damaged_record(entry)
                continue
            self.counts.wells += is_well(entry.task)
            well = str(record.get("well", entry.task))
            self._places |= dict.fromkeys(record["units"], well)
            known |= listed(record)
            yield from self._objects(well, record)
        if not busy:
            yield from self._unfinished()
            noted = self._noted()
            yield from self._documents(noted)
            if not damaged:  # else what it stood for would be named again, file by file
                yield from self._strangers(known.union(noted))
        yield from self._vendor()

    def _ledger_files(self) -> Iterator[Finding]:
        folder = self.ledger.folder
        for name in (HEAD, PLAN, FACTS, DOCUMENTS, UNITS, *self._failures()):
            try:
                read_sealed(folder / name)
            except NotFound:
                continue
            except FormatError as error:
                yield Finding(
                    code="ledger-damaged",
                    severity=ERROR,
                    path=self._shown(folder / name),
                    message=error.message,
                    remedy=f"{REMEDIES.get(name, 'Remove that file')}.",
                )

    def _failures(self) -> list[str]:
        return [f"failures/{path.name}" for path in listing(self.ledger.folder / "failures")]

    def _damaged_record(self, entry: Entry) -> Finding:
        return Finding(
            code="record-damaged",
            severity=ERROR,
            path=self._shown(self.ledger.places.commits / entry.name),
            message=f"the commit record of {entry.task} is damaged, so nothing vouches for that well",
            remedy=f"Remove it and the folders of that well. {RERUN}.",
            well=entry.task,
        )

    def _objects(self, well: str, record: Record) -> Iterator[Finding]:
        wrong = [found for one in record["objects"] if (found := self._object(well, record, one)) is not None]
        if wrong and not self._made_anew(well, record) and not self._stands_in(well, record):
            yield from wrong

    def _object(self, well: str, record: Record, one: Mapping[str, Any]) -> Finding | None:
        path, size = one["path"], one["bytes"]
        place = image_of(record, path)
        where = {"path": path, "well": well, "site": None if place is None else place.get("site")}
        where["remedy"] = f"{RERUN} with {'' if well == PLATE else f'--wells {well} '}--exist replace."
        try:
            there = os.stat(self.ledger.output / path).st_size
        except OSError as error:
            lost = f"a stored file of well {well} is gone ({error.strerror})"
            return Finding(code="object-missing", severity=ERROR, message=lost, **where)
        if there != size:
            cut = f"a stored file of well {well} has {there} bytes where {size} were written"
            return Finding(code="object-size", severity=ERROR, message=cut, **where)
        if not self.deep:
            return None
        self.counts.files += 1
        self.counts.bytes += size
        if digest_of(self.ledger.output / path, size) == one["digest"]:
            return None
        chunk = None if place is None else chunk_of(self.ledger.output, place, path)
        told = f"a stored file of well {well} was changed after it was written" + (f": {chunk}" if chunk else "")
        return Finding(code="object-damaged", severity=ERROR, message=told, chunk=chunk, **where)

    def _made_anew(self, well: str, record: Record) -> bool:
        """Return whether a newer record has come since this one was read."""
        latest = self.ledger.places.latest(well)
        return latest is not None and latest.generation > record["generation"]

    def _stands_in(self, well: str, record: Record) -> bool:
        """Return whether a newer well is in place whose commit was cut off before its record."""
        for intent in self.ledger.places.entries("intent", well):
            with contextlib.suppress(OpenHCSError):
                newer = read_entry(self.ledger.places, intent)
                if newer["generation"] > record["generation"]:
                    return all(matches(self.ledger.output, newer, unit) for unit in newer["units"])
        return False

    def _unfinished(self) -> Iterator[Finding]:
        for intent in self.ledger.places.entries("intent"):
            yield Finding(
                code="commit-unfinished",
                severity=WARNING,
                path=self._shown(self.ledger.places.commits / intent.name),
                message=f"the commit of {intent.task} was cut off; the well is as it was before, or new, whole",
                remedy=f"{CLOSE}.",
                well=intent.task,
            )
        for folder in listing(self.ledger.places.staging):
            yield Finding(
                code="staging-left",
                severity=INFO,
                path=self._shown(folder),
                message="a run that was cut off left unfinished work",
                remedy=self._remedy(folder),
            )

    def _noted(self) -> dict[str, str]:
        try:
            return self.ledger.notes.documents()
        except FormatError:
            return {}

    def _documents(self, noted: Mapping[str, str]) -> Iterator[Finding]:
        for path, digest in noted.items():
            data = _read(self.ledger.output / path)
            if data is None:
                yield self._document(path, "document-missing", "a document of the plate is gone")
                continue
            self.counts.files += 1
            self.counts.bytes += len(data)
            if xxhash.xxh3_64_hexdigest(data) != digest:
                said = "a document of the plate is not what was written last; it was changed, or a run was cut off"
                yield self._document(path, "document-changed", said)

    def _document(self, path: str, code: str, said: str) -> Finding:
        well = next((well for unit, well in self._places.items() if path.startswith(f"{unit}/")), None)
        return Finding(code=code, severity=ERROR, path=path, message=said, remedy=f"{CLOSE}.", well=well)

    def _strangers(self, known: set[str]) -> Iterator[Finding]:
        for path in files_of(self.ledger.output, self.ledger.folder):
            if path not in known:
                said = "a file that openhcs did not write, or whose commit record is lost"
                yield Finding(code="stranger", severity=WARNING, path=path, message=said)

    def _vendor(self) -> Iterator[Finding]:
        try:
            told = self.ledger.notes.facts()["plate"]["vendor_files"]
        except (NotFound, FormatError):
            return
        for path, digest in ((one["path"], one["digest"]) for one in told if one["digest"]):
            target = self.ledger.folder / VENDOR / path
            data = _read(target)
            if data is None or xxhash.xxh3_64_hexdigest(data) != digest:
                yield Finding(
                    code="vendor-file",
                    severity=ERROR,
                    path=self._shown(target),
                    message=f"the copy of the microscope's own {path} is {'gone' if data is None else 'damaged'}",
                    remedy="Run the command that made this output again while the plate is at hand.",
                )

    def _remedy(self, staging: Path) -> str:
        if self.ledger.is_orphan(staging):
            return f"{CLOSE}."
        return "If the machine it ran on has stopped working here: openhcs clean OUT."

    def _shown(self, path: Path) -> str:
        return os.path.relpath(path, self.ledger.output)


def _read(path: Path) -> bytes | None:
    try:
        return read_plain(path, limit=LARGEST)
    except OpenHCSError:
        return None
