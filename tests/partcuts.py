"""Parts of tables are committed and merged, and values saved, while the power may fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
import zarr

from openhcs import FileManager
from openhcs.ledger.ledger import Ledger
from powercuts import UNSYNCED, Work, left_over, records_in, torn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from openhcs.io.fsops import FileOps
    from openhcs.testing.powercut import State


class MergeTables(Work):
    """Wells commit parts of a table, and the table is merged from the parts that are committed."""

    name = "merge tables"
    merged = "out/tables/counts.csv"

    def lay_out(self, top: Path) -> None:
        ledger = Ledger(top / "out", UNSYNCED)
        ledger.prepare('{"plan": "p"}', "p")
        self.add(ledger, "A01", "A01,1\n")
        self.merge(ledger)

    def add(self, ledger: Ledger, well: str, rows: str) -> None:
        part = f"tables/parts/{well}.csv"
        with ledger.stage(well) as staging:
            staging.ops.make_dirs(staging.root / "tables/parts")
            staging.ops.write_new(staging.root / part, rows.encode())
            staging.published.append(part)
            ledger.commit(staging, {"plan": "p"})

    def merge(self, ledger: Ledger) -> None:
        parts = [record["units"][0] for _, record in sorted(ledger.records().items())]
        rows = b"".join((ledger.output / part).read_bytes() for part in parts)
        ledger.write_derived({"tables/counts.csv": b"well,cells\n" + rows})

    def act(self, top: Path, ops: FileOps) -> None:
        ledger = Ledger(top / "out", ops)
        with ledger.closing():
            pass
        self.add(ledger, "B02", "B02,2\n")
        self.add(ledger, "A01", "A01,3\n")
        with ledger.closing():
            self.merge(ledger)

    def look(self, top: Path, state: State) -> list[str]:
        found = []
        records = records_in(state.tree)
        for well, choices in records.items():
            found += [f"{well}: {one}" for one in min((torn(state.tree, one, "out") for one in choices), key=len)]
        merged = state.tree.get(self.merged)
        if merged not in (b"well,cells\nA01,1\n", b"well,cells\nA01,3\nB02,2\n"):
            found.append(f"the merged table holds {merged!r}")
        return found if "A01" in records else [*found, "A01 was committed and is lost"]

    def go_on(self, top: Path) -> list[str]:
        self.act(top, UNSYNCED)
        merged = (top / self.merged).read_bytes()
        wrong = [] if merged == b"well,cells\nA01,3\nB02,2\n" else [f"after going on the table holds {merged!r}"]
        return wrong + left_over(top)


class Save(Work):
    """A value is saved over an old one, or where none was."""

    def __init__(self, path: str, backend: str, read: Callable[[Path], Any], *, fresh: bool = False) -> None:
        self.name = f"save {path}{' for the first time' if fresh else ''}"
        self._path, self._backend, self._read, self._fresh = path, backend, read, fresh
        self._old, self._new = (np.arange(2000, dtype="uint16").reshape(40, 50) + number for number in (0, 7))

    def lay_out(self, top: Path) -> None:
        if not self._fresh:
            FileManager(top, ops=UNSYNCED).save(self._old, self._path, self._backend)

    def act(self, top: Path, ops: FileOps) -> None:
        FileManager(top, ops=ops).save(self._new, self._path, self._backend, overwrite=True)

    def look(self, top: Path, state: State) -> list[str]:
        there = self._path in state.tree
        if not there:
            return [] if self._fresh else ["the old value is lost"]
        value = self._read(top / self._path)
        choices = [self._new] if self._fresh else [self._old, self._new]
        return [] if any(np.array_equal(value, one) for one in choices) else ["neither the old value nor the new"]

    def go_on(self, top: Path) -> list[str]:
        self.act(top, UNSYNCED)
        right = np.array_equal(self._read(top / self._path), self._new)
        return [] if right else ["saving again does not give the new value"]


def saves() -> list[Save]:
    """Return a save over an old value and one of a new value for each way a file is put in place."""
    readers: dict[tuple[str, str], Callable[[Path], Any]] = {
        ("a.npy", "disk"): np.load,
        ("a.tif", "disk"): tifffile.imread,
        ("s.zarr/g/a", "zarr"): lambda path: zarr.open_array(path, mode="r")[...],
    }
    return [Save(*where, read, fresh=fresh) for where, read in readers.items() for fresh in (False, True)]


WORKS: dict[str, Callable[[], list[Work]]] = {"merge tables": lambda: [MergeTables()], "save": saves}
