"""Folders of TIFFs by file names: given patterns, guesses, and what is left out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from openhcs.core.plate import FileSource, PlateIndex
from openhcs.errors import InputError
from openhcs.io.folder import FolderFiles
from openhcs.microscopes import detect
from openhcs.microscopes.generic import Generic
from openhcs.microscopes.headers import LOOKED_AT
from openhcs.microscopes.protocol import NotMine
from openhcs.run.pixels import PlaneReader
from openhcs.testing.image_kinds import ENCODERS

if TYPE_CHECKING:
    from pathlib import Path

    from openhcs.core.plate import ImageHeader, Plane


def fill(folder: Path, *names: str, shape: tuple[int, ...] = (8, 9), dtype: str = "uint16") -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, np.zeros(shape, dtype), photometric="minisblack")
    return folder


def index(folder: Path, pattern: str | None = None) -> PlateIndex:
    found = Generic(pattern).index(FolderFiles(folder))
    assert isinstance(found, PlateIndex)
    return found


def names(found: PlateIndex) -> list[str]:
    return [plane.name for plane in found.planes]


def path_of(plane: Plane) -> str:
    assert isinstance(plane.source, FileSource)
    return plane.source.path


def test_a_pattern_gives_the_planes_and_the_rest_is_told_of(tmp_path: Path) -> None:
    fill(tmp_path, "day/B03_s2_w1.tif", "day/B03_s10_w1.tif", "day/overview.tif")
    found = index(tmp_path, "{well}_s{site}_w{channel}.tif")
    assert names(found) == ["B03_s2_c1_z1_t1", "B03_s10_c1_z1_t1"]
    assert [path_of(plane) for plane in found.planes] == ["day/B03_s2_w1.tif", "day/B03_s10_w1.tif"]
    assert [one.path for one in found.unmatched] == ["day/overview.tif"]
    assert (found.dtype, found.plane_shape, found.rows) == ("uint16", (8, 9), ("A", "B"))
    assert "day/overview.tif: the name is not of the form" in found.warnings[0]


def test_channels_with_names_are_numbered_in_natural_order(tmp_path: Path) -> None:
    fill(tmp_path, "A1_Cy10.tif", "A1_Cy5.tif", "A1_µ #1 (x).tif")
    found = index(tmp_path, "{well}_{channel}.tif")
    assert [(one.number, one.name) for one in found.channels] == [(1, "Cy5"), (2, "Cy10"), (3, "µ #1 (x)")]
    assert {path_of(plane): plane.channel for plane in found.planes} == {
        "A1_Cy5.tif": 1,
        "A1_Cy10.tif": 2,
        "A1_µ #1 (x).tif": 3,
    }


def test_channel_numbers_stay_as_they_are(tmp_path: Path) -> None:
    fill(tmp_path, "A01_w04.tif", "A01_w01.tif")
    assert [one.number for one in index(tmp_path, "{well}_w{channel}.tif").channels] == [1, 4]


def test_without_wells_the_folder_is_one_well_and_its_name_the_plates(tmp_path: Path) -> None:
    found = index(fill(tmp_path / "Embryo 4", "t1_z1.tif", "t1_z2.tif"), "t{t}_z{z}.tif")
    assert (found.name, found.wells) == ("Embryo 4", ("A01",))
    assert [(plane.t, plane.z) for plane in found.planes] == [(1, 1), (1, 2)]


@pytest.mark.parametrize(
    ("files", "first"),
    [
        (("P_A01_s1_w1.tif", "P_A01_s1_w2.tif"), "A01_s1_c1_z1_t1"),
        (("B02_f1_c3.tif", "B02_f2_c3.tif"), "B02_s1_c3_z1_t1"),
        (("Plate_C03_T0001F001L01A02Z05C04.tif", "Plate_C03_T0001F002L01A02Z05C04.tif"), "C03_s1_c4_z5_t1"),
        (("C04_DAPI.tif", "C04_GFP.tif"), "C04_s1_c1_z1_t1"),
        (("stack_z1.tif", "stack_z2.tif"), "A01_s1_c1_z1_t1"),
        (("some image.tif", "another.tif"), "A01_s1_c1_z1_t1"),
    ],
)
def test_common_names_are_guessed_and_the_guess_is_told(tmp_path: Path, files: tuple[str, ...], first: str) -> None:
    found = index(fill(tmp_path, *files))
    assert names(found)[0] == first
    assert len(found.planes) == len(files)
    assert not found.unmatched
    assert "guess" in found.why or "no common form" in found.why


def test_images_of_another_size_and_second_copies_are_told_of(tmp_path: Path) -> None:
    fill(tmp_path, "A01_s1.tif", "A01_s2.tif", "x/A01_s1.tif")
    fill(tmp_path, "A01_s3.tif", shape=(4, 4))
    found = index(tmp_path, "{well}_s{site}.tif")
    assert len(found.planes) == 2
    told = {one.path: one.reason for one in found.unmatched}
    assert told["A01_s3.tif"] == "uint16 of 4 × 4 pixels where most are uint16 of 8 × 9 pixels"
    assert "the same plane as A01_s1.tif" in told["x/A01_s1.tif"]


def test_pages_of_a_stack_are_z_planes(tmp_path: Path) -> None:
    fill(tmp_path, "A01_s1.tif", shape=(3, 8, 9))
    planes = index(tmp_path, "{well}_s{site}.tif").planes
    assert [(plane.z, plane.source.page) for plane in planes if isinstance(plane.source, FileSource)] == [
        (1, 0),
        (2, 1),
        (3, 2),
    ]


def test_a_damaged_tiff_stays_a_plane_so_that_reading_it_fails(tmp_path: Path) -> None:
    fill(tmp_path, "A01_s1.tif")
    (tmp_path / "A01_s2.tif").write_bytes(b"II*\0broken")
    found = index(tmp_path, "{well}_s{site}.tif")
    assert len(found.planes) == 2
    assert any("cannot be read: 1, such as A01_s2.tif: " in one for one in found.warnings)


def test_a_pattern_that_fits_nothing_is_refused_with_names_from_the_folder(tmp_path: Path) -> None:
    fill(tmp_path, "img-7.tif")
    with pytest.raises(InputError, match=r"none of 1 images .* called img-7.tif"):
        Generic("{well}.tif").index(FolderFiles(tmp_path))


def test_several_plates_are_refused_by_name(tmp_path: Path) -> None:
    fill(tmp_path, "P1_A01.tif", "P2_A01.tif")
    with pytest.raises(InputError, match="2 plates: P1, P2"):
        Generic("{plate}_{well}.tif").index(FolderFiles(tmp_path))


def test_a_folder_without_tiffs_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    assert Generic().index(FolderFiles(tmp_path)) == NotMine("no image is there")


def put(folder: Path, name: str, value: int = 0, shape: tuple[int, int] = (8, 9)) -> None:
    suffix = name[name.rindex(".") :]
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(ENCODERS[suffix](np.full(shape, value, np.uint8)))


@pytest.mark.parametrize("suffix", list(ENCODERS))
def test_a_folder_of_any_kind_of_image_is_a_plate(tmp_path: Path, suffix: str) -> None:
    for site in (1, 2):
        put(tmp_path, f"A01_s{site}{suffix}", site)
    found = index(tmp_path)
    assert names(found) == ["A01_s1_c1_z1_t1", "A01_s2_c1_z1_t1"]
    assert (found.dtype, found.plane_shape) == ("uint8", (8, 9))
    with PlaneReader(found) as reader:
        out = np.empty((8, 9), np.uint8)
        reader.read_into(found.planes[1], out)
    assert (out == 2).all()


def test_previews_beside_the_images_are_told_and_not_taken(tmp_path: Path) -> None:
    for site in (1, 2):
        put(tmp_path, f"A01_s{site}.jpg")
        put(tmp_path, f"A01_s{site}.tif")
    found = index(tmp_path)
    assert [path_of(plane) for plane in found.planes] == ["A01_s1.tif", "A01_s2.tif"]
    assert [(one.path, one.reason) for one in found.unmatched] == [
        (f"A01_s{site}.jpg", f"it would be the same plane as A01_s{site}.tif: A01_s{site}_c1_z1_t1") for site in (1, 2)
    ]


def test_what_is_no_image_is_told_and_a_store_in_the_folder_once(tmp_path: Path) -> None:
    put(tmp_path, "A01_s1.tif")
    put(tmp_path, "out.zarr/A/1/0/c/x.tif")
    put(tmp_path, "out.zarr/A/1/0/c/y.tif")
    (tmp_path / "notes.txt").write_text("x")
    found = index(tmp_path)
    assert len(found.planes) == 1
    assert {one.path: one.reason for one in found.unmatched} == {"notes.txt": "no image", "out.zarr": "a Zarr store"}


class Counting(FolderFiles):
    """Counts the headers that are read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.headers = 0

    def header(self, path: str) -> ImageHeader:
        self.headers += 1
        return super().header(path)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of 1,920 images: 24 wells, 20 sites, 4 channels."""
    folder = tmp_path_factory.mktemp("large")
    data = ENCODERS[".tif"](np.zeros((8, 9), np.uint16))
    for well in (f"{row}{column:02d}" for row in "ABCD" for column in range(1, 7)):
        for site, channel in ((s, c) for s in range(1, 21) for c in range(1, 5)):
            (folder / f"{well}_s{site}_w{channel}.tif").write_bytes(data)
    return folder


def test_a_large_folder_is_listed_once_and_a_sample_of_headers_is_read(large: Path, monkeypatch) -> None:
    scans: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: (scans.append(str(path)), scandir(path))[1])
    found = detect(FolderFiles(large))
    assert scans == [str(large)]
    assert (found.microscope, len(found.planes)) == ("generic", 1920)
    files = Counting(large)
    found = index_of(files)
    assert files.headers <= LOOKED_AT + 3 * 4
    told = f"of 1920 images the headers of {files.headers} were looked at: the first, the smallest and the largest"
    assert any(told in one for one in found.warnings)


def index_of(files: FolderFiles) -> PlateIndex:
    found = Generic().index(files)
    assert isinstance(found, PlateIndex)
    return found


@pytest.mark.parametrize("odd", ["B03_s7_w2.tif", "D06_s20_w4.tif"])
def test_one_image_of_another_size_in_a_large_folder_is_found_and_told(large: Path, odd: str) -> None:
    good = (large / odd).read_bytes()
    put(large, odd, shape=(40, 41))
    try:
        files = Counting(large)
        found = index_of(files)
    finally:
        (large / odd).write_bytes(good)
    assert files.headers == 1920
    assert [one.path for one in found.unmatched] == [odd]
    assert any(f"left out: 1, such as {odd}: uint8 of 40 × 41 pixels" in one for one in found.warnings)


def test_one_file_of_several_pages_in_a_large_folder_is_found(large: Path) -> None:
    odd = large / "C02_s3_w1.tif"
    good = odd.read_bytes()
    tifffile.imwrite(odd, np.zeros((3, 8, 9), np.uint16), photometric="minisblack")
    try:
        found = detect(FolderFiles(large))
    finally:
        odd.write_bytes(good)
    assert len(found.planes) == 1922
