"""What the commit records of an output say of its files, for readers: which bytes each must have.

A record is read when a file of its well is first asked about. A plate without a ledger, such as a
store that was moved alone, or a file that no record names is taken as it is.
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

from openhcs.core.plate import FileSource, Plane, PlaneState, sorted_planes
from openhcs.errors import NotFound
from openhcs.io.zarr_array import open_handle
from openhcs.ledger.commit import read_entry
from openhcs.ledger.ledger import Ledger

if TYPE_CHECKING:
    from openhcs.core.plate import PlateIndex
    from openhcs.io.zarr_array import ZarrHandle

    Record = dict[str, Any]
    Known = dict[str, set[tuple[int, str]]]

_DEEPEST = 2
"""Folders between an output and the images of a plate in it."""


def ledger_above(root: str | os.PathLike[str]) -> tuple[Ledger, str] | None:
    """Return the ledger of the output that a plate at ``root`` is in, and the plate's path in the output."""
    folder = Path(os.path.realpath(root))
    for output in (folder, *folder.parents[:_DEEPEST]):
        ledger = Ledger(output)
        if (ledger.folder / "ledger.json").is_file():
            inside = folder.relative_to(output).as_posix()
            return ledger, "" if inside == "." else f"{inside}/"
    return None


def with_lost_files(index: PlateIndex) -> PlateIndex:
    """Return a plate of our TIFFs with the planes that a commit record names and whose file is gone.

    Such a plate is known by its file names alone; a lost file would leave no gap.
    """
    found = ledger_above(index.root)
    if found is None:
        return index
    ledger, inside = found
    here = {(plane.well, plane.key) for plane in index.planes if plane.source is not None}
    lost = {
        (plane.well, plane.key): plane
        for record in ledger.records().values()
        for row in record.get("images", ())
        if row["path"].startswith(inside) and "z" in row and ((plane := _lost(row, inside)).well, plane.key) not in here
    }
    known = [plane for plane in index.planes if (plane.well, plane.key) not in lost]
    return replace(index, planes=sorted_planes((*known, *lost.values()))) if lost else index


def _lost(row: Record, inside: str) -> Plane:
    source = FileSource(row["path"].removeprefix(inside))
    numbers = {name: row[name] for name in ("site", "acquisition", "t", "z")}
    return Plane(well=row["well"], channel=row["c"], **numbers, source=source, state=PlaneState.MISSING)


class Digests:
    """Compares files of one plate of ours with the commit records; safe in many threads at once.

    Parameters
    ----------
    root
        the plate's folder or store.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._found: tuple[Ledger, str] | None = None
        self._looked = False
        self._known: dict[str, Known] = {}

    def commits(self, well: str, path: str) -> bool:
        """Return whether a record names the file at ``path``, relative to the plate, or files below it."""
        known, inside = self._of(well)
        return any(f"{one}/".startswith(f"{inside}{path}/") for one in known)

    def why(self, well: str, path: str, data: bytes | None) -> str:
        """Return what is wrong with the bytes of a file (None: it is not there); empty if nothing is known to be.

        Raises
        ------
        FormatError
            the well's record is damaged.
        """
        return self.why_not(well, path, None if data is None else _mark(data))

    def why_not(self, well: str, path: str, mark: tuple[int, str] | None) -> str:
        """Return what `why` does for a file of which bytes and xxh3 digest are known."""
        for again in (False, True):
            known, inside = self._of(well, again=again)
            meant = known.get(f"{inside}{path}")
            # A file that is not there and that nobody named is not missed.
            if meant is None and (again or mark is None):
                return ""
            # A well may have been committed anew since its record was read.
            if meant is not None and mark in meant:
                return ""
        return "it is gone" if mark is None else "it is not what the commit record tells"

    def open(self, well: str, path: str, folder: Path | None = None) -> ZarrHandle:
        """Open an array of the plate; where a record names it, what it is read from is compared with that.

        Parameters
        ----------
        path
            of the array, relative to the plate.
        folder
            where it lies, if not there.
        """
        folder = Path(self._root, path) if folder is None else folder
        if not self.commits(well, path):
            return open_handle(folder)

        def check(file: Path, data: bytes | None) -> str:
            return self.why(well, f"{path}/{file.relative_to(folder).as_posix()}", data)

        return open_handle(folder, absent="error", check=check)

    def _of(self, well: str, *, again: bool = False) -> tuple[Known, str]:
        with self._lock:
            if not self._looked:
                self._found, self._looked = ledger_above(self._root), True
            if self._found is None:
                return {}, ""
            ledger, inside = self._found
            if again or well not in self._known:
                self._known[well] = _objects(ledger, well)
            return self._known[well], inside


def _mark(data: bytes) -> tuple[int, str]:
    return len(data), xxhash.xxh3_64_hexdigest(data)


def _objects(ledger: Ledger, well: str) -> Known:
    """Return the size and digest that each file of a well may have: by its record or a commit under way."""
    known: Known = {}
    latest = ledger.places.entries("json", well)[-1:]
    for entry in (*latest, *ledger.places.entries("intent", well)):
        try:
            record = read_entry(ledger.places, entry)
        except NotFound:
            continue  # a newer one took its place; it is found when the files are compared
        for one in record["objects"]:
            known.setdefault(one["path"], set()).add((one["bytes"], one["digest"]))
    return known
