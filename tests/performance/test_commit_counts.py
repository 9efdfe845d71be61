"""What one commit asks of the system, step by step: nothing that was stored is read again, or synced twice."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from counting import CountingOps, asked, bytes_read, counts_reads, steady
from openhcs.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from counting import Asked
    from openhcs.ledger.staging import Staging

STAGE = """
lock    ledger/lock
mkdir   ledger/tmp/WELL-*
mkdir   ledger/tmp/WELL-*/out
create  ledger/tmp/WELL-*/.openhcs-tmp-owner
write   ledger/tmp/WELL-*/.openhcs-tmp-owner
lock    ledger/tmp/WELL-*/.openhcs-tmp-owner
rename  ledger/tmp/WELL-*/owner
rename  ledger/staging/WELL-*
"""
"""Staging appears whole, its owner's lock held."""
SYNC_STAGED = "sync_tree ledger/staging/WELL-*/out"
INTENT = """
create  ledger/tmp/*
write   ledger/tmp/*
sync    ledger/tmp/*
rename  ledger/commits/WELL.1.intent
sync    ledger/commits
"""
NEW_STORE = "mkdir plate.zarr"
NEW_ROW = "mkdir plate.zarr/ROW"
IN_PLACE = "rename plate.zarr/UNIT"
NAMES = """
sync    plate.zarr/ROW
sync    plate.zarr
sync    .
"""
RECORD = """
rename  ledger/commits/WELL.1.json
sync    ledger/commits
"""
SETTLED = "unlink ledger/failures/WELL.json"
"""There may be a note of an earlier failure."""
EXCHANGED = "exchange plate.zarr/UNIT"
OLD_RECORD = "unlink ledger/commits/WELL.1.json"
CLEARED = """
rmdir   ledger/staging/WELL-*/out/ROW
rmdir   ledger/staging/WELL-*/out
unlink  ledger/staging/WELL-*/owner
rmdir   ledger/staging/WELL-*
"""
ASKED = ["ledger/ledger.json", "ledger/commits", "ledger/commits"]
"""Opened and listed: is it the same plan, which generation, and is it still that once the intent is there."""
DOCUMENTS = ("zarr.json", "0/zarr.json", "1/zarr.json")
OBJECTS = ("0/0/c/0", "1/0/c/0")


class Well:
    """A ledger whose operations are counted, and one well at a time that is put in it."""

    def __init__(self, at: Path) -> None:
        self.at = at
        self.ops = CountingOps()
        self.ledger = Ledger(at / "plate.zarr", self.ops)
        self.ledger.prepare('{"plan":"p"}', "p")

    def stored(self, staging: Staging, unit: str) -> None:
        for path in OBJECTS:
            staging.ops.make_dirs((staging.root / unit / path).parent)
            staging.ops.write_new(staging.root / unit / path, b"pixels" * 1000)
        for path in DOCUMENTS:
            staging.write_document(f"{unit}/{path}", b"{}")
        staging.published.append(unit)

    def put(self, well: str) -> tuple[list[str], Asked, list[list[str]]]:
        """Return what changed while a well was committed, what was asked then, and what changed before and after."""
        unit = f"{well[0]}/{well[1:]}"
        start = len(self.ops.trace)
        with self.ledger.stage(well) as staging:
            staged = len(self.ops.trace)
            self.stored(staging, unit)
            begun = len(self.ops.trace)
            with asked(self.at) as files:
                self.ledger.commit(staging, {"plan": "p"})
            done = len(self.ops.trace)
        told = [f"{one} {self.named(path, well)}" for one, path in self.ops.trace]
        return told[begun:done], files, [told[start:staged], told[done:]]

    def named(self, path: str, well: str) -> str:
        """Return a path with everything in it that is not the same for all wells and days replaced."""
        inside = str(path).removeprefix(str(self.at)).lstrip("/") or "."
        inside = inside.replace(".plate.zarr.openhcs", "ledger")
        inside = re.sub(r"-[0-9a-f]{12}\b", "-*", inside).replace(".openhcs-tmp-*", "*")
        inside = inside.replace(f"{well[0]}/{well[1:]}", "UNIT").replace(well, "WELL")
        return re.sub(rf"/{well[0]}$", "/ROW", inside)


def lines(*parts: str) -> list[str]:
    """Return the lines of parts of a sequence, one space between words."""
    return [" ".join(line.split()) for part in parts for line in part.strip().splitlines()]


@pytest.fixture
def well(tmp_path: Path) -> Iterator[Well]:
    with steady():
        yield Well(tmp_path)


def test_the_first_commit_changes_this_in_this_order(well: Well) -> None:
    changed, _, (before, after) = well.put("A01")
    made = lines(NEW_STORE, NEW_ROW)
    assert changed == lines(SYNC_STAGED, INTENT, *made, IN_PLACE, NAMES, RECORD, SETTLED)
    assert (before, after) == (lines(STAGE), lines(CLEARED))


def test_a_commit_into_a_row_that_is_there_makes_no_folder_and_asks_the_same_however_many_wells_there_are(
    well: Well,
) -> None:
    well.put("A01")
    for number in (2, 3, 20):
        changed, files, (before, after) = well.put(f"A{number:02d}")
        assert changed == lines(SYNC_STAGED, INTENT, IN_PLACE, NAMES, RECORD, SETTLED)
        assert (before, after) == (lines(STAGE), lines(CLEARED))
        assert [well.named(path, "A02") for path in files.both] == ASKED


def test_a_well_that_is_made_again_is_exchanged_and_its_old_record_read_and_removed(well: Well) -> None:
    well.put("A01")
    changed, files, (_, after) = well.put("A01")
    second = [line.replace("WELL.1.", "WELL.2.") for line in lines(INTENT, EXCHANGED, NAMES, RECORD)]
    assert changed == lines(SYNC_STAGED, *second, OLD_RECORD, SETTLED)
    opened = [well.named(path, "A01") for path in files.opened]
    assert opened == ["ledger/ledger.json", "ledger/commits/WELL.1.json"]
    assert len(files.listed) == len(ASKED[1:]) + 1
    removed = Counter(line.split()[0] for line in after)
    assert removed["unlink"] == len(OBJECTS) + len(DOCUMENTS) + 1


def test_what_is_synced_file_by_file_is_synced_once_and_before_the_intent(tmp_path: Path) -> None:
    with steady(whole=False):
        well = Well(tmp_path)
        changed, _, _ = well.put("A01")
    after = lines(INTENT, NEW_STORE, NEW_ROW, IN_PLACE, NAMES, RECORD, SETTLED)
    synced, rest = changed[: -len(after)], changed[-len(after) :]
    assert rest == after
    files = {f"UNIT/{path}" for path in (*OBJECTS, *DOCUMENTS)}
    folders = {"", "ROW", *(f"UNIT{path}" for path in ("", "/0", "/0/0", "/0/0/c", "/1", "/1/0", "/1/0/c"))}
    below = {f"sync ledger/staging/WELL-*/out/{path}".rstrip("/") for path in files | folders}
    assert Counter(synced) == Counter(below)


@pytest.mark.parametrize("whole", [True, False])
def test_nothing_that_was_stored_is_opened_or_looked_at(tmp_path: Path, whole: bool) -> None:
    with steady(whole=whole):
        well = Well(tmp_path)
        for name in ("A01", "A01", "A02"):
            _, files, _ = well.put(name)
            stored = [path for path in files.both + files.looked if path.endswith((*OBJECTS, *DOCUMENTS))]
            assert stored == []


@counts_reads
def test_a_commit_reads_the_bytes_of_the_ledgers_head_and_no_others(well: Well) -> None:
    well.put("A01")
    numbers = iter(range(2, 10))
    with ExitStack() as stack:

        def staged() -> Staging:
            number = next(numbers)
            staging = stack.enter_context(well.ledger.stage(f"A{number:02d}"))
            well.stored(staging, f"A/{number:02d}")
            return staging

        took = bytes_read(lambda staging: well.ledger.commit(staging, {"plan": "p"}), fresh=staged)
    assert took == (well.ledger.folder / "ledger.json").stat().st_size


def test_a_run_that_is_not_durable_does_the_same_without_a_sync(tmp_path: Path) -> None:
    well = Well(tmp_path)
    well.ops.durable = False
    changed, _, _ = well.put("A01")
    durable = lines(INTENT, NEW_STORE, NEW_ROW, IN_PLACE, NAMES, RECORD, SETTLED)
    assert changed == [line for line in durable if not line.startswith("sync")]
