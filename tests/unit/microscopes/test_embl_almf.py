"""EMBL screens: wells by name or number, positions in folders, numbers from 0 or 1."""

from __future__ import annotations

import pytest

from named_files import fill, places, read
from openhcs.errors import SeveralPlates
from openhcs.io.folder import FolderFiles
from openhcs.microscopes import detect
from openhcs.microscopes.embl_almf import EmblAlmf
from openhcs.microscopes.protocol import NotMine
from openhcs.testing.synthetic import make_plate

ONE = "S--A1--A1--W0001--P001--T00001--Z001--C01.ome.tif"
ZERO = "S--B9--empty--W0021--P000--T0000--Z000--C00.ome.tif"


def test_numbers_from_0_and_from_1_are_kept(tmp_path):
    assert places(read(fill(tmp_path / "a", [ONE]), "embl_almf")) == [("A01", 1, 1, 1, 1)]
    index = read(fill(tmp_path / "b", [ZERO]), "embl_almf")
    assert places(index) == [("B09", 0, 0, 0, 0)]
    assert (index.name, len(index.rows), len(index.columns)) == ("S", 8, 12)
    assert index.warnings == ("treatments that names tell are not kept: 1, such as empty",)


@pytest.mark.parametrize("folder", ["", "P001--A1--A1/", "W0001--A1--A1/P001--A1--A1/", "x/W0001/P001/"])
def test_folders_of_wells_and_positions_are_of_one_plate(tmp_path, folder):
    other = folder.replace("P001", "P002") + ONE.replace("P001", "P002")
    index = read(fill(tmp_path, [folder + ONE, other]), "embl_almf")
    assert [plane.site for plane in index.planes] == [1, 2]
    assert not index.warnings


def test_a_file_in_the_folder_of_another_position_is_told(tmp_path):
    index = read(fill(tmp_path, [f"P002--A1--A1/{ONE}"]), "embl_almf")
    assert [plane.site for plane in index.planes] == [1]
    assert index.warnings == (
        f"images in a folder of another well or position: 1, such as P002--A1--A1/{ONE}; the names are taken",
    )


def test_treatments_in_place_of_wells_leave_the_number(tmp_path):
    names = ["D--fsk--0.008--W0001--P001--T0000--C00.tif", "D--H7--5--W0014--P001--T0000--C00.tif"]
    index = read(fill(tmp_path, names), "embl_almf")
    assert places(index) == [("A01", 1, 0, 1, 0), ("B02", 1, 0, 1, 0)]
    assert index.warnings == (
        f"wells are told by their number alone, and taken as those of 8 × 12: {names[1]} is B02",
        "treatments that names tell are not kept: 2, such as H7--5",
    )


def test_a_treatment_named_as_a_well_in_all_wells_is_none(tmp_path):
    names = [f"D--F12--W{number:04d}--P001--C00.tif" for number in range(1, 14)]
    index = read(fill(tmp_path, names), "embl_almf")
    assert index.wells[0] == "A01"
    assert index.wells[-1] == "B01"


def test_one_wrong_name_among_many_is_told_and_taken(tmp_path):
    names = [f"D--A{number}--x--W{number:04d}--P001--C00.tif" for number in range(1, 9)]
    index = read(fill(tmp_path, [*names, "D--C3--x--W0008--P001--C00.tif"]), "embl_almf")
    assert index.wells[-1] == "C03"
    assert "not those of the names: 1, such as D--C3--x--W0008" in index.warnings[0]


def test_wells_counted_from_0_are_seen_from_their_names(tmp_path):
    names = ["D--A2--A2--W0001--P001--C00.tif", "D--B1--B1--W0012--P001--C00.tif"]
    index = read(fill(tmp_path, names), "embl_almf")
    assert index.wells == ("A02", "B01")
    assert not index.warnings
    zero = read(fill(tmp_path / "z", ["D--x--W0000--P001--C00.tif", "D--x--W0013--P001--C00.tif"]), "embl_almf")
    assert zero.wells == ("A01", "B02")


def test_a_number_that_no_plate_has_is_left_out(tmp_path):
    fill(tmp_path, ["D--x--W9999--P001--C00.tif"])
    found = EmblAlmf().index(FolderFiles(tmp_path))
    assert isinstance(found, NotMine)
    assert "no plate has wells" in found.why
    index = read(fill(tmp_path, ["D--x--W0000--P001--C00.tif"]), "embl_almf")
    assert index.wells == ("A01",)
    assert "no plate has 9999 of them" in index.unmatched[0].reason


def test_caches_are_left_out_with_what_they_are(tmp_path):
    index = read(fill(tmp_path, [ONE], Thumbs_db=b"x", plan_csv=b"y"), "embl_almf")
    assert [one.reason for one in index.unmatched] == ["a cache of thumbnails that Windows makes"]
    assert index.metadata_files == ("plan.csv",)
    assert not index.warnings


def test_plates_in_two_folders_and_under_two_names_are_refused(tmp_path):
    fill(tmp_path / "a", [f"one/P001--A1--A1/{ONE}", f"two/P001--A1--A1/{ONE}"])
    with pytest.raises(SeveralPlates) as caught:
        detect(FolderFiles(tmp_path / "a"))
    assert caught.value.places == ("one", "two")
    fill(tmp_path / "b", [ONE, f"Other{ONE}"])
    with pytest.raises(SeveralPlates, match="2 plates in one folder: 1 of OtherS, 1 of S"):
        detect(FolderFiles(tmp_path / "b"))


@pytest.mark.parametrize("wells", [("A01", "B12"), ("A01", "P24")])
def test_a_made_up_plate_is_read_as_it_was_asked_for(tmp_path, wells):
    make_plate(tmp_path / "P", layout="embl_almf", wells=wells, sites=2, z=2, t=2, size=(16, 16), missing=3)
    index = detect(FolderFiles(tmp_path / "P"))
    assert (index.microscope, index.name, index.wells) == ("embl_almf", "P", wells)
    assert len(index.planes) == 2 * 2 * 2 * 2 * 2 - 3
    assert index.axes() == ((1, 2), (1, 2), (1, 2))
    assert not index.warnings
