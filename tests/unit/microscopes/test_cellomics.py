"""Cellomics plates by their names: fields and channels from 0, overlays apart, one plate to a folder."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile

from named_files import TIFF, fill, places, read
from openhcs.errors import FormatError, InputError, SeveralPlates
from openhcs.io.folder import FolderFiles
from openhcs.microscopes import detect
from openhcs.microscopes.cellomics import Cellomics
from openhcs.microscopes.protocol import NotMine
from openhcs.testing.image_kinds import c01, cellomics_dib
from openhcs.testing.synthetic import make_plate


def test_fields_and_channels_keep_their_numbers(tmp_path):
    index = read(fill(tmp_path, ["P_1_D03f00d2.TIF", "P_1_D03f11d0.TIF", "P_1_B12f00d2.TIF"]), "cellomics")
    assert index.name == "P_1"
    assert places(index) == [("B12", 0, 2, 1, 1), ("D03", 0, 2, 1, 1), ("D03", 11, 0, 1, 1)]
    assert (len(index.rows), len(index.columns)) == (8, 12)
    assert [channel.number for channel in index.channels] == [0, 2]
    assert not index.warnings


def test_names_without_a_plate_are_of_the_folders_plate(tmp_path):
    assert read(fill(tmp_path / "Plate 7", ["A01f00d0.TIFF", "B12f13d2.TIFF"]), "cellomics").name == "Plate 7"


def test_overlays_documents_and_caches_are_no_planes(tmp_path):
    names = ["P_A01f00d0.TIF", "P_A01f00o1.TIF", "P_A01f00d0_Segmented.png"]
    index = read(fill(tmp_path, names, P_mdb=b"x", Thumbs_db=b"x"), "cellomics")
    assert places(index) == [("A01", 0, 0, 1, 1)]
    assert index.metadata_files == ("P.mdb",)
    assert {one.path: one.reason for one in index.unmatched} == {
        "Thumbs.db": "a cache of thumbnails that Windows makes",
        "P_A01f00o1.TIF": "an overlay that the analysis drew, no plane",
        "P_A01f00d0_Segmented.png": "the name is of no form that openhcs knows",
    }


def test_two_plates_in_folders_are_refused_by_their_places(tmp_path):
    fill(tmp_path, ["a/P_A01f00d0.TIF", "b/P_A01f00d0.TIF"])
    with pytest.raises(SeveralPlates, match="2 plates: a, b") as caught:
        detect(FolderFiles(tmp_path))
    assert caught.value.places == ("a", "b")


def test_two_plates_in_one_folder_are_counted(tmp_path):
    fill(tmp_path, ["P_1_A01f00d0.TIF", "P_2_A01f00d0.TIF", "P_2_A02f00d0.TIF"])
    with pytest.raises(SeveralPlates, match=r"2 plates in one folder: 2 of P_2, 1 of P_1\. Move"):
        detect(FolderFiles(tmp_path))


def test_the_same_place_twice_is_refused_unless_it_is_a_copy(tmp_path):
    fill(tmp_path, ["P_A01f00d0.TIF", "P_A01f0d0.TIF"])
    with pytest.raises(FormatError, match="there twice"):
        detect(FolderFiles(tmp_path))
    (tmp_path / "P_A01f0d0.TIF").write_bytes((tmp_path / "P_A01f00d0.TIF").read_bytes())
    index = read(tmp_path, "cellomics")
    assert len(index.planes) == 1
    assert "kept once: 1" in index.warnings[0]


def test_a_folder_of_other_images_is_not_read_for_one_name(tmp_path):
    fill(tmp_path, ["P_A01f00d0.TIF", "one.tif", "two.tif"])
    assert Cellomics().index(FolderFiles(tmp_path)) == NotMine(
        "1 of 3 images are named <plate>_<well>f<field>d<channel>.(TIF|DIB|C01), the others are not"
    )


def test_overlays_alone_are_no_plate(tmp_path):
    fill(tmp_path, ["P_A01f00o0.TIF"])
    found = Cellomics().index(FolderFiles(tmp_path))
    assert isinstance(found, NotMine)
    assert "overlays" in found.why


def test_images_of_another_microscope_are_refused_and_left_out_when_chosen(tmp_path):
    fill(tmp_path, ["P_A01f00d0.TIF", "Channel1-01-A-01.tif", "Channel2-01-A-01.tif", "Channel1-02-A-02.tif"])
    with pytest.raises(InputError, match=r"different microscopes: 1 are of cellomics; 3 images are named as sbs"):
        detect(FolderFiles(tmp_path))
    assert len(detect(FolderFiles(tmp_path), "cellomics").planes) == 1
    assert len(detect(FolderFiles(tmp_path), "sbs").planes) == 3


@pytest.mark.parametrize(("suffix", "encode"), [("C01", c01), ("DIB", cellomics_dib)])
def test_planes_of_a_bitmap_are_a_stack(tmp_path, suffix, encode):
    stack = np.arange(60, dtype=np.uint16).reshape(3, 4, 5)
    (tmp_path / f"P_A01f00d0.{suffix}").write_bytes(encode(stack))
    index = read(tmp_path, "cellomics")
    assert [(plane.z, plane.source.page) for plane in index.planes] == [(1, 0), (2, 1), (3, 2)]
    assert index.pixel_size_um == (1.0, 1.0)
    assert not index.warnings


def test_pages_of_a_tiff_are_told(tmp_path):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((3, 4, 5), np.uint16), photometric="minisblack")
    (tmp_path / "P_A01f00d0.TIF").write_bytes(buffer.getvalue())
    index = read(tmp_path, "cellomics")
    assert len(index.planes) == 1
    assert index.warnings == ("images have 3 pages; the first of each is read",)


def test_damaged_images_are_told_and_stay(tmp_path):
    (tmp_path / "P_A01f00d0.TIF").write_bytes(TIFF[:20])
    (tmp_path / "P_A01f00d1.C01").write_bytes(b"\x00\x00\x00\x10nothing")
    index = read(tmp_path, "cellomics")
    assert len(index.planes) == 2
    assert "cannot be read: 2" in index.warnings[0]


def test_a_made_up_plate_is_read_as_it_was_asked_for(tmp_path):
    make_plate(tmp_path / "P", layout="cellomics", wells=("B02", "P24"), sites=3, size=(16, 16), missing=2)
    index = detect(FolderFiles(tmp_path / "P"))
    assert (index.microscope, index.name, index.wells) == ("cellomics", "P", ("B02", "P24"))
    assert len(index.planes) == 2 * 3 * 2 - 2
    assert (len(index.rows), len(index.columns)) == (16, 24)
