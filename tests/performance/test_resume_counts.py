"""What going on asks of the system: nothing of what is done is read or made again, however much that is."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from counting import CountingOps, asked, each, kind_of, steady, table, total
from openhcs import GlobalPipelineConfig, ZarrConfig, convert
from openhcs.core.config import VFSConfig
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from pathlib import Path

    from counting import Asked

SITES, CHANNELS = 2, 2
KINDS = ("0.5", "0.4", "tiff")
DONE = table("""
      mkdir create write rename sync sync_tree unlink rmdir lock
all       .      1     1      1    3         .      1     .    6  see DONE
""")
"""Nothing to do: folders above the ledger are synced; the name of who runs is written, locked, renamed and removed;
locked are output (to prepare, run, close), plan and documents."""
MISSING = {
    "0.5": table("""
      mkdir create write rename sync sync_tree unlink rmdir lock
well     16      9    17     5    6         1      2     3    3  as converting it, two images of one level each
image     .      1     1     1    2         .      .     .    .  of the whole plate: its display windows are others
plate     .      4     4     4    8         .      .     .    .  plan.json; the root's document; documents.json twice
"""),
    "0.4": table("""
      mkdir create write rename sync sync_tree unlink rmdir lock
well     20     16    16     5    6         1      2     3    3  as converting it, two images of one level each
image     .      1     1     1    2         .      .     .    .  of the whole plate: its display windows are others
plate     .      4     4     4    8         .      .     .    .  plan.json; the root's .zattrs; documents.json twice
"""),
    "tiff": table("""
      mkdir create write rename sync sync_tree unlink rmdir lock
well      5      6     6     5    6         1      2     4    3  as converting it, four planes
plate     .      3     3     3    6         .      .     .    .  plan.json; plate.json; documents.json
"""),
}
"""On top, for a well that is not done; one lock more than converting it, for documents are derived after it."""
OPENED = table("""
               plate well image plane
TIF                .    .     .     1  its header: the plate is indexed to see whether its images are those of before
HTD                4    .     .     .  two documents: for the index, and to be compared with those kept
json               4    .     .     .  of layouts that are asked first; none is there
zattrs             2    .     .     .  the same
ledger.json        7    .     .     .  whose output is it?
plan.json          2    .     .     .  to be renewed with its wells; compared
facts.json         3    .     .     .  compared; for tables; for documents
documents.json     2    .     .     .  read and compared
vendor             2    .     .     .  the microscope's documents: are they as they were?
records            .    3     .     .  what it took, of up to 15 wells; is it done? for documents
documents          2    1     1     .  compared: the root's, the row's, and those of wells and images
""")
"""Opened to be read where nothing is to be done."""
LISTED = table("""
               plate well image plane
P                  2    .     .     .  the plate's folder and that of its time point
commits            9    .     .     .  recovery takes 3, twice; who asks what is done 1, of 3
staging            2    .     .     .  what the dead left, twice
tmp                2    .     .     .  the same
holders            2    .     .     .  the same
""")


def run(at: Path, kind: str, wells: str | None = None) -> tuple[CountingOps, Asked]:
    """Convert the plate, or some wells of it, and count."""
    if kind == "tiff":
        output, kept = at / "out", {"vfs": VFSConfig(materialization_backend="disk")}
    else:
        output, kept = at / "out.zarr", {"zarr": ZarrConfig(ngff_version=kind)}
    ops = CountingOps()
    config = GlobalPipelineConfig(num_workers=1, **kept)
    with steady(), asked(at) as files:
        assert convert(at / "P", output, config=config, ops=ops, wells=wells).ok
    return ops, files


def plate(at: Path, wells: int) -> Counter[str]:
    """Make a plate of one row and return how often each column of a table counts."""
    names = [f"A{number:02d}" for number in range(1, wells + 1)]
    make_plate(at / "P", wells=names, sites=SITES, size=(32, 32))
    return Counter(plate=1, well=wells, image=wells * SITES, plane=wells * SITES * CHANNELS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wells", [1, 2, 5])
def test_a_finished_run_changes_as_much_whatever_its_size(tmp_path: Path, kind: str, wells: int) -> None:
    plate(tmp_path, wells)
    run(tmp_path, kind)
    ops, _ = run(tmp_path, kind)
    assert ops.counts == DONE["all"]


@pytest.mark.parametrize("wells", [1, 2, 8, 15])
def test_a_finished_run_opens_no_pixels_and_no_object_and_each_document_once(tmp_path: Path, wells: int) -> None:
    times = plate(tmp_path, wells)
    run(tmp_path, "0.5")
    _, files = run(tmp_path, "0.5")
    assert Counter(map(kind_of, files.opened)) == each(OPENED, times)
    assert Counter(map(kind_of, files.listed)) == each(LISTED, times)
    assert not [path for path in files.opened if "/c/" in path]
    images = [path for path in files.opened if path.startswith("P/TimePoint_1/") and path.endswith(".TIF")]
    assert len(images) == len(set(images))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wells", [3, 6])
def test_a_well_that_is_missing_is_all_that_is_made(tmp_path: Path, kind: str, wells: int) -> None:
    times = plate(tmp_path, wells)
    times["well"] = 1
    run(tmp_path, kind, ",".join(f"A{number:02d}" for number in range(1, wells + 1) if number != 2))
    ops, files = run(tmp_path, kind)
    assert ops.counts == total((1, DONE["all"]), *((times[name], counts) for name, counts in MISSING[kind].items()))
    opened = Counter(path for path in files.opened if path.endswith(".TIF"))
    again = [path for path in opened if path.startswith("P/TimePoint_1/P_A02_")]
    assert opened == Counter(dict.fromkeys(opened, 1)) + Counter(again)
    assert (len(opened), len(again)) == (wells * SITES * CHANNELS, SITES * CHANNELS)
    assert not [path for path in files.opened if "/A/01/" in path and path.endswith(("/0", ".tif"))]
