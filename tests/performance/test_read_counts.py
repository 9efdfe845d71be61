"""What one plane takes to be read: the files that hold it opened once, its own bytes, and memory for it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from counting import allocated, asked, bytes_read, counts_reads
from openhcs import FileManager, GlobalPipelineConfig, ZarrConfig, convert, open_plate
from openhcs.io.images import read_plane_into
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from pathlib import Path


SIDE = 512
PLANE = SIDE * SIDE * 2
SMALL = 40_000
"""Bytes of Python's own objects, and of a library's buffers."""
BUFFER = 4096
"""Of a TIFF its first bytes are read as such a piece; pixels among them are read again."""
INDEX = 6 * 16 + 4
"""Of a shard of two channels and three z: place and bytes of each plane, and a checksum."""
HEADER = 16
"""Of a blosc frame: what it claims to hold is looked at before it is decoded."""
KNOWN = INDEX - 4 + HEADER
"""What is not looked at again."""
DOCUMENTS = {
    "0.5": ["zarr.json", "A/02/zarr.json", "A/02/0/zarr.json", "A/02/1/zarr.json", "A/02/0/0/zarr.json"],
    "0.4": [
        *("zarr.json", ".zattrs", "A/02/zarr.json", "A/02/.zattrs", "A/02/0/zarr.json", "A/02/0/.zattrs"),
        *("A/02/1/zarr.json", "A/02/1/.zattrs", "A/02/0/0/zarr.json", "A/02/0/0/.zarray", "A/02/0/0/.zattrs"),
    ],
}
"""For the first plane of a well: the plate's, its own, those of its sites, the array's. In 0.4 the name that 0.5 has is
asked for first."""
OBJECT = {"0.5": "A/02/{site}/0/c/0/0/0/0", "0.4": "A/02/{site}/0/0/{z}/0/0"}
ARRAY = {"0.5": ["zarr.json"], "0.4": ["zarr.json", ".zarray", ".zattrs"]}
VIEW = {
    "0.5": ["A/02/zarr.json", "A/02/0/zarr.json", *["A/02/0/0/zarr.json"] * 2],
    "0.4": ["A/02/.zattrs", "A/02/0/.zattrs", "A/02/0/0/.zarray", *(f"A/02/0/0/{name}" for name in ARRAY["0.4"])],
}
"""For the first plane that `open_plate` reads: well, image and array as they are looked at, the array as it is read."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    return make_plate(folder / "P", wells=["A01", "A02"], sites=2, z=3, size=(SIDE, SIDE))


@pytest.fixture(scope="module", params=["0.5", "0.4"])
def plate(request: pytest.FixtureRequest, source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return an OME-Zarr plate, and its version."""
    root = tmp_path_factory.mktemp("plate") / "out.zarr"
    kept = ZarrConfig(ngff_version=request.param)
    config = GlobalPipelineConfig(num_workers=1, durability="fast", zarr=kept)
    assert convert(source, root, config=config).ok
    open_plate(root)["A01"].site(1).read()  # what is imported late is not counted
    return root, request.param


def stored(root: Path, version: str, site: int, z: int) -> int:
    """Return the bytes that are read of a plane of the first channel."""
    data = (root / OBJECT[version].format(site=site - 1, z=z - 1)).read_bytes()
    if version == "0.4":
        return len(data)
    index = np.frombuffer(data[-INDEX:-4], "<u8").reshape(2, 3, 2)
    return KNOWN + INDEX + int(index[0, z - 1, 1])  # the index is read to be looked at, and to find the chunk


@pytest.mark.parametrize("name", ["a.npy", "a.tif", "a"])
def test_a_plane_in_a_file_takes_one_open_its_bytes_and_itself(tmp_path: Path, name: str) -> None:
    files = FileManager(tmp_path)
    plane = np.random.default_rng(0).integers(0, 4000, (SIDE, SIDE)).astype("uint16")
    files.save(plane, name, "disk")
    files.load(name, "disk")
    with asked(tmp_path) as looked:
        loaded = files.load(name, "disk")
    np.testing.assert_array_equal(loaded, plane)
    assert looked.both == [name]
    assert looked.looked == [".", name, name]  # is it below the root, is it a plain file
    del loaded
    with allocated() as most:
        files.load(name, "disk")
    assert PLANE <= most[0] < PLANE + SMALL


@counts_reads
@pytest.mark.parametrize(("name", "more"), [("a.npy", 0), ("a.tif", BUFFER), ("a", 0)])
def test_the_bytes_of_a_file_are_read_once(tmp_path: Path, name: str, more: int) -> None:
    files = FileManager(tmp_path)
    files.save(np.arange(SIDE * SIDE, dtype="uint16").reshape(SIDE, SIDE), name, "disk")
    size = (tmp_path / name).stat().st_size
    assert size <= bytes_read(lambda: files.load(name, "disk")) <= size + more


@counts_reads
def test_a_plane_of_a_microscope_is_read_into_place_from_one_open(source: Path) -> None:
    path = next(source.rglob("*.TIF"))
    room = np.empty((SIDE, SIDE), "uint16")
    read_plane_into(path, 0, room)
    with asked(source) as files, allocated() as most:
        read_plane_into(path, 0, room)
    assert files.both == [str(path.relative_to(source))]
    assert files.looked == []
    assert most[0] < SMALL
    assert bytes_read(lambda: read_plane_into(path, 0, room)) <= path.stat().st_size + BUFFER


def test_a_plane_of_an_opened_plate_of_files_opens_its_file_alone(source: Path) -> None:
    plate = open_plate(source)
    for site in (1, 2):
        with asked(source) as files, allocated() as most:
            plate["A02"].site(site).channel("DAPI").z(2).read()
        assert files.both == [f"TimePoint_1/ZStep_2/P_A02_s{site}_w1.TIF"]
        assert most[0] < PLANE + SMALL


def test_the_first_plane_of_a_well_takes_each_document_once_the_next_ones_their_object(plate: tuple[Path, str]) -> None:
    root, version = plate
    files = FileManager(root.parent)
    with asked(root) as first:
        files.load("out.zarr/A02_s1_c1_z2_t1", "zarr")
    assert first.both == [*DOCUMENTS[version], OBJECT[version].format(site=0, z=1)]
    with asked(root) as second:
        files.load("out.zarr/A02_s1_c1_z3_t1", "zarr")
    assert second.both == [OBJECT[version].format(site=0, z=2)]
    with asked(root) as other:
        files.load("out.zarr/A02_s2_c1_z3_t1", "zarr")
    assert other.both == [*(f"A/02/1/0/{name}" for name in ARRAY[version]), OBJECT[version].format(site=1, z=2)]


def test_the_first_plane_that_is_looked_at_takes_three_documents_and_is_compared_with_its_record(
    plate: tuple[Path, str],
) -> None:
    root, version = plate
    opened = open_plate(root)
    with asked(root.parent) as first:
        opened["A02"].site(1).channel("DAPI").z(2).read()
    documents = [f"out.zarr/{path}" for path in (*VIEW[version], OBJECT[version].format(site=0, z=1))]
    record = ".out.zarr.openhcs/commits/A02.1.json"
    assert [path for path in first.opened if path != record] == documents
    assert first.opened.count(record) == 1
    with asked(root.parent) as second:
        opened["A02"].site(1).channel("DAPI").z(3).read()
    assert second.both == [f"out.zarr/{OBJECT[version].format(site=0, z=2)}"]


@counts_reads
def test_of_a_stored_image_the_index_and_the_chunk_of_a_plane_are_read(plate: tuple[Path, str]) -> None:
    root, version = plate
    files = FileManager(root.parent)
    files.load("out.zarr/A02_s1_c2_z1_t1", "zarr")
    files.load("out.zarr/A02_s1_c1_z3_t1", "zarr")
    again = bytes_read(lambda: files.load("out.zarr/A02_s1_c1_z3_t1", "zarr"))
    assert again == stored(root, version, 1, 3) - (KNOWN if version == "0.5" else 0)


@counts_reads
def test_of_a_stored_image_nobody_looked_at_no_more_is_read(plate: tuple[Path, str]) -> None:
    root, version = plate

    def opened() -> FileManager:
        files = FileManager(root.parent)
        files.open_array("out.zarr/A02_s2_c1_z1_t1", "zarr")
        return files

    took = bytes_read(lambda files: files.load("out.zarr/A02_s2_c1_z2_t1", "zarr"), fresh=opened)
    assert took == stored(root, version, 2, 2)


def test_a_plane_of_a_stored_image_takes_memory_for_itself_and_for_its_stored_bytes(plate: tuple[Path, str]) -> None:
    root, version = plate
    encoded = stored(root, version, 1, 2) if version == "0.4" else 0  # tensorstore's own are not Python's
    handle = FileManager(root.parent).open_array("out.zarr/A02_s1_c1_z2_t1", "zarr")
    room = handle.read()
    for call, itself in ((handle.read, PLANE), (lambda: handle.read(out=room), 0)):
        with allocated() as most:
            call()
        assert itself + encoded <= most[0] < itself + encoded + SMALL


@pytest.mark.parametrize("name", ["memory", "disk"])
def test_a_plane_that_is_read_into_a_place_takes_no_memory(tmp_path: Path, name: str) -> None:
    files = FileManager(tmp_path)
    plane = np.arange(SIDE * SIDE, dtype="uint16").reshape(SIDE, SIDE)
    files.save(plane, "a.npy", name, hand_over=True)
    handle = files.open_array("a.npy", name)
    room = np.empty_like(plane)
    handle.read(out=room)
    for call, itself in ((lambda: handle.read(out=room), 0), (handle.read, PLANE)):
        with allocated() as most:
            call()
        assert itself <= most[0] < itself + SMALL
    np.testing.assert_array_equal(room, plane)
