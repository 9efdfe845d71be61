"""Plates named by channel, running number, row and column."""

from __future__ import annotations

import pytest

from named_files import fill, places, read
from openhcs.errors import InvalidValue, SeveralPlates
from openhcs.io.folder import FolderFiles
from openhcs.microscopes import detect
from openhcs.testing.synthetic import make_plate


def test_channels_and_sites_keep_their_numbers(tmp_path):
    names = ["Channel 1-12-A-12-00.tif", "Channel 2-12-A-12-00.tif", "Channel 1-12-A-12-01.tif"]
    index = read(fill(tmp_path / "BBBC", names), "sbs")
    assert places(index) == [("A12", 0, 1, 1, 1), ("A12", 0, 2, 1, 1), ("A12", 1, 1, 1, 1)]
    assert (index.name, len(index.rows), len(index.columns)) == ("BBBC", 8, 12)
    assert not index.warnings


def test_a_plate_of_384_wells_is_seen_from_its_numbers(tmp_path):
    index = read(fill(tmp_path, ["Channel1-26-B-02.tif", "Channel1-24-A-24.tif"]), "sbs")
    assert (len(index.rows), len(index.columns)) == (16, 24)
    assert not index.warnings


@pytest.mark.parametrize(("name", "shape"), [("Channel1-26-B-02.tif", (16, 24)), ("Channel1-14-B-02.tif", (8, 12))])
def test_one_number_tells_the_plate(tmp_path, name, shape):
    index = read(fill(tmp_path, [name]), "sbs")
    assert (index.wells, (len(index.rows), len(index.columns))) == (("B02",), shape)


def test_numbers_that_contradict_row_and_column_are_told(tmp_path):
    index = read(fill(tmp_path, ["Channel1-01-A-01.tif", "Channel1-02-A-02.tif", "Channel1-99-B-01.tif"]), "sbs")
    assert index.wells == ("A01", "A02", "B01")
    assert len(index.warnings) == 1
    assert "not those of the names: 1, such as Channel1-99-B-01.tif: B01" in index.warnings[0]


def test_the_table_beside_is_kept(tmp_path):
    index = read(fill(tmp_path, ["Channel1-01-A-01.tif"], layout_csv=b"Column,Row\n", notes_md=b"x"), "sbs")
    assert index.metadata_files == ("layout.csv",)
    assert [(one.path, one.reason) for one in index.unmatched] == [("notes.md", "no image")]


def test_folders_are_plates(tmp_path):
    fill(tmp_path, ["p1/Channel1-01-A-01.tif", "p2/Channel1-02-A-02.tif", "Channel1-03-A-03.tif"])
    with pytest.raises(SeveralPlates) as caught:
        detect(FolderFiles(tmp_path))
    assert caught.value.places == ("", "p1", "p2")


def test_a_made_up_plate_is_read_as_it_was_asked_for(tmp_path):
    make_plate(tmp_path / "P", layout="sbs", wells=("A01", "H12"), sites=2, size=(16, 16))
    index = detect(FolderFiles(tmp_path / "P"))
    assert index.microscope == "sbs"
    assert len(index.planes) == 2 * 2 * 2
    assert index.metadata_files == ("Metadata.csv",)
    assert not index.warnings


@pytest.mark.parametrize("layout", ["sbs", "cellomics"])
def test_names_without_z_and_time_hold_no_stacks(tmp_path, layout):
    with pytest.raises(InvalidValue, match="no z and no time"):
        make_plate(tmp_path / "P", layout=layout, z=2)
