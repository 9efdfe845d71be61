"""Folders of TIFFs by file names: given patterns, guesses, and what is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from openhcs.core.plate import FileSource, PlateIndex
from openhcs.errors import InputError
from openhcs.io.folder import FolderFiles
from openhcs.microscopes.generic import Generic
from openhcs.microscopes.protocol import NotMine

if TYPE_CHECKING:
    from pathlib import Path

    from openhcs.core.plate import Plane


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
    assert "day/overview.tif" in found.warnings[0]


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
    assert "(4, 4)" in told["A01_s3.tif"]
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
    assert "A01_s2.tif" in found.warnings[0]


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
    (tmp_path / "A01.png").write_bytes(b"")
    found = Generic().index(FolderFiles(tmp_path))
    assert isinstance(found, NotMine)
    assert "1 .png" in found.why
