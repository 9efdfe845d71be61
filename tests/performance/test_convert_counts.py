"""Exact counts of what a conversion asks of the system, and how they grow: by each well and image alike."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from counting import CountingOps, asked, each, kind_of, steady, table, total, without_syncs
from openhcs import GlobalPipelineConfig, ZarrConfig, convert
from openhcs.core.config import VFSConfig
from openhcs.ledger.ledger import Ledger
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from pathlib import Path

    from counting import Asked

KINDS = ("0.5", "0.4", "tiff")
CHANGES = {
    "0.5": table("""
       files mkdir create write rename sync sync_tree unlink rmdir lock exchange
plate      1    12     12    12     12   23         .      5     3    9        1  see PLATE
row        1     1      1     1      1    2         .      .     .    .        .  its document
well       1     4      3     3      5    6         1      2     3    2        .  see WELL; its document
image      1     1      1     1      .    .         .      .     .    .        .  its document
level      2     5      2     2      .    .         .      .     .    .        .  a shard, its index; zarr.json
chunk      .     .      .     2      .    .         .      .     .    .        .  a plane in a shard; its checksum
again      .     .      1     1      1    2         .      .     .    .        .  an image's document: display windows
closed     .     .      1     1      1    2         .      .     .    .        .  the root's document, for all wells
"""),
    "0.4": table("""
       files mkdir create write rename sync sync_tree unlink rmdir lock exchange
plate      2    12     13    13     13   25         .      5     3    9        1  see PLATE
row        2     1      2     2      2    4         .      .     .    .        .  .zgroup and .zattrs
well       2     4      4     4      5    6         1      2     3    2        .  see WELL; .zgroup and .zattrs
image      2     1      2     2      .    .         .      .     .    .        .  .zgroup and .zattrs
level      2     1      2     2      .    .         .      .     .    .        .  .zarray and .zattrs
chunk      1     3      1     1      .    .         .      .     .    .        .  an object c/z/0/0 for each plane
again      .     .      1     1      1    2         .      .     .    .        .  an image's .zattrs: display windows
closed     .     .      1     1      1    2         .      .     .    .        .  the root's .zattrs, for all wells
"""),
    "tiff": table("""
       files mkdir create write rename sync sync_tree unlink rmdir lock exchange
plate      1    13     11    11     11   22         .      5     3    9        1  see PLATE; plate.json
row        .     1      .     .      .    .         .      .     .    .        .  its folder
well       .     5      2     2      5    6         1      2     4    2        .  see WELL
plane      1     .      1     1      .    .         .      .     .    .        .  an OME-TIFF
closed     .     .      2     2      2    4         .      .     .    .        .  plate.json, documents.json: all wells
"""),
}
"""What is left in the output beside the ledger, and what is changed on the way.

PLATE: six folders of the ledger and two of the microscope's documents, three to probe the file system, the store.
Three files to probe it, the name of who runs; written aside, synced, renamed, the folder synced: plan, head, facts, two
documents of the microscope, documents.json after the first well and at the end, the root's document. Locks: prepare,
run, close; the plan, and documents twice; the run's name; two that are tried.
WELL: staging is two folders and the path of the well in it; its owner's name is written, locked, renamed twice; the
intent is created durably and renamed to the record; the well is renamed into its place. Synced: what is staged, the
intent, its folder twice, the folders from the well's parent up to the store's. A note of failure and what is left of
staging are removed.
"""
OPENED = table("""
               plate row well image plane
TIF                .   .    .     .     2  its header, as of every image of a plate of up to 400; its pixels
HTD                4   .    .     .     .  two documents: for the index, and to be kept word for word
json               4   .    .     .     .  of layouts that are asked first; none is there
zattrs             2   .    .     .     .  the same
ledger.json        6   .    2     .     .  whose output is it? before a well is staged, before it is put in place
plan.json          3   .    .     .     .  compared; read, to be renewed with its wells; compared
facts.json         4   .    .     .     .  compared; for first documents; for tables; for last documents
documents.json     4   .    .     .     .  read and compared, for first and for last documents
vendor             2   .    .     .     .  the microscope's documents: are they kept?
records            1   .    1     .     .  of the first well for first documents, of all for the last ones
documents          3   1    1     1     .  compared with what they should be; the root's and the first row's twice
tmp                1   .    .     .     .  after an exchange, by the probe of the file system
""")
"""Files opened to be read: nothing that was stored is among them."""
LISTED = table("""
               plate row well image plane
P                  2   .    .     .     .  the plate's folder and that of its time point
commits            9   .    2     .     .  recovery takes 3, twice; what is done 1, of 3 who ask; a well's generation 2
staging            2   .    3     .     .  what the dead left, twice; a well's own folders, to be removed
tmp                5   .    .     .     .  what the dead left, twice; three folders of the probe
holders            2   .    .     .     .  the names of the dead, twice
""")
STAGED = re.compile(r"(.*/staging/[^/]+/out)(?:/(.+))?")
"""The tree of one staged well, and a path in it."""


@dataclass(kw_only=True)
class Done:
    """A conversion that was counted: output, changes, what was asked."""

    output: Path
    ops: CountingOps
    files: Asked

    @property
    def counts(self) -> Counter[str]:
        files = [path for path in self.output.rglob("*") if path.is_file() and ".openhcs" not in path.parts]
        return Counter({"files": len(files)}) + self.ops.counts


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A plate's: ``wells`` in each of ``rows``."""

    rows: int = 1
    wells: int = 2
    sites: int = 2
    channels: int = 2
    levels: int = 2

    def times(self) -> dict[str, int]:
        """Return how often each row of a table counts."""
        wells, images = self.rows * self.wells, self.rows * self.wells * self.sites
        times = {"plate": 1, "row": self.rows, "well": wells, "image": images, "plane": images * self.channels}
        times |= {"level": images * self.levels, "chunk": images * self.levels * self.channels}
        return times | ({"again": images, "closed": 1} if wells > 1 else {})


SMALL = Shape(rows=2, wells=1)
GROWING = [
    *(Shape(wells=wells, sites=1) for wells in (1, 2, 4, 8)),
    *(Shape(rows=2, wells=3, sites=sites, levels=1) for sites in (1, 2, 5)),
    Shape(channels=3, levels=3),
]


def converted(
    at: Path, kind: str, shape: Shape, *, durable: bool = True, whole: bool = True, blank: bool = False
) -> Done:
    """Convert a plate and count; ``whole`` as in `steady`."""
    names = [f"{row}{column + 1:02d}" for row in "ABCDEFGH"[: shape.rows] for column in range(shape.wells)]
    channels = ("DAPI", "FITC", "Cy5")[: shape.channels]
    make_plate(at / "P", wells=names, sites=shape.sites, channels=channels, size=(32, 32), blank=blank)
    if kind == "tiff":
        output, kept = at / "out", {"vfs": VFSConfig(materialization_backend="disk")}
    else:
        output, kept = at / "out.zarr", {"zarr": ZarrConfig(ngff_version=kind, levels=shape.levels)}
    config = GlobalPipelineConfig(num_workers=1, durability="full" if durable else "fast", **kept)
    ops = CountingOps(durable=durable)
    with steady(whole=whole), asked(at) as files:
        assert convert(at / "P", output, config=config, ops=ops).ok
    return Done(output=output, ops=ops, files=files)


def expected(told: dict[str, Counter[str]], shape: Shape) -> Counter[str]:
    """Return what the rows of a table come to for a plate."""
    times = shape.times()
    return total(*((times.get(name, 0), counts) for name, counts in told.items()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_plate_takes_so_many_changes(tmp_path: Path, kind: str) -> None:
    assert converted(tmp_path, kind, SMALL).counts == expected(CHANGES[kind], SMALL)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", GROWING, ids=lambda one: f"{one.rows}x{one.wells} wells, {one.sites} sites")
def test_each_well_and_each_image_takes_as_many_changes_as_any_other(tmp_path: Path, kind: str, shape: Shape) -> None:
    assert converted(tmp_path, kind, shape).counts == expected(CHANGES[kind], shape)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_not_durable_changes_the_same_and_syncs_nothing(tmp_path: Path, kind: str) -> None:
    assert converted(tmp_path, kind, SMALL, durable=False).counts == without_syncs(expected(CHANGES[kind], SMALL))


@pytest.mark.parametrize("kind", KINDS)
def test_where_a_well_is_not_synced_in_one_call_each_file_and_folder_of_it_is_synced_once(
    tmp_path: Path, kind: str
) -> None:
    done = converted(tmp_path, kind, SMALL, whole=False)
    assert without_syncs(done.counts) == without_syncs(expected(CHANGES[kind], SMALL))
    made = Counter(path for one, path in done.ops.trace if one in {"create", "mkdir"} and STAGED.match(path))
    tops = {STAGED.match(path)[1] for path in made}
    assert len(tops) == SMALL.times()["well"]
    assert Counter(path for one, path in done.ops.trace if one == "sync" and STAGED.match(path)) == made + Counter(tops)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stored_object_is_written_once_and_no_more_bytes_than_it_has(tmp_path: Path, kind: str) -> None:
    done = converted(tmp_path, kind, SMALL)
    staged = Counter(found[2] for one, path in done.ops.trace if one == "create" and (found := STAGED.match(path)))
    taken = {found[2]: size for path, size in done.ops.bytes.items() if (found := STAGED.match(path))}
    objects = [one for record in Ledger(done.output).records().values() for one in record["objects"]]
    for one in objects:
        assert staged[one["path"]] == 1
        assert taken[one["path"]] == one["bytes"] == (done.output / one["path"]).stat().st_size
    documents = {path for path in staged if path.rpartition("/")[2] in {"zarr.json", ".zattrs", ".zgroup"}}
    assert staged.keys() - documents <= {one["path"] for one in objects}


@pytest.mark.parametrize("kind", KINDS)
def test_documents_of_images_are_written_once_where_every_well_has_the_same_display_windows(
    tmp_path: Path, kind: str
) -> None:
    once = {name: counts for name, counts in CHANGES[kind].items() if name != "again"}
    assert converted(tmp_path, kind, SMALL, blank=True).counts == expected(once, SMALL)


@pytest.mark.parametrize("shape", [SMALL, *GROWING], ids=str)
def test_each_source_is_opened_for_its_header_and_for_its_pixels_and_folders_are_listed_once(
    tmp_path: Path, shape: Shape
) -> None:
    files = converted(tmp_path, "0.5", shape).files
    times = shape.times()
    for found, told in ((files.opened, OPENED), (files.listed, LISTED)):
        assert Counter(map(kind_of, found)) == each(told, times)
    sources = Counter(path for path in files.opened if path.endswith(".TIF"))
    assert (set(sources.values()), len(sources)) == ({2}, times["plane"])
