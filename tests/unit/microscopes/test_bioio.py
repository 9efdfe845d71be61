"""Files of other programs' formats: whose folder it is, which well a name tells, what is missing."""

from __future__ import annotations

import pytest

from openhcs.core.plate import FileSource
from openhcs.core.wells import well_name
from openhcs.errors import InputError
from openhcs.microscopes import bioio, detect
from openhcs.microscopes.bioio import Bioio, well_in
from openhcs.microscopes.bioio_image import PLUGINS, how_to_install, suffix_of
from openhcs.microscopes.protocol import NotMine
from openhcs.testing.scene import encode_tiff

np = pytest.importorskip("numpy")


class Listed:
    """Files of names and sizes."""

    root = "/nowhere/plate"

    def __init__(self, **sizes):
        self.files = tuple(FileSource(name.replace("__", "."), size=size) for name, size in sizes.items())

    def list(self):
        return self.files


@pytest.mark.parametrize(
    ("text", "well"),
    [
        ("A01", "A01"),
        ("B2", "B02"),
        ("P1-D4", "D04"),
        ("A/1/R1", "A01"),
        ("AF/48", "AF48"),
        ("P24", "P24"),
        ("Plate 2, Well B03, Field 1", "B03"),
        ("well_p1", "P01"),
        ("WellC12_ChannelDAPI_Seq0001.nd2", "C12"),
        ("20250101_exp_H12_20x.czi", "H12"),
        ("P1", None),
        ("R7", None),
        ("Position 1", None),
        ("Series001", None),
        ("Image:0", None),
        ("A01 and B02", None),
        ("TR3-S1", None),
        ("H2B-GFP", None),
        ("", None),
    ],
)
def test_a_well_is_told_by_what_looks_like_one_and_by_nothing_else(text, well):
    assert well_in(text) == well


def test_every_well_of_a_large_plate_is_read_as_it_is_written():
    for row, column in ((row, column) for row in range(16) for column in range(24)):
        name = well_name(row, column)
        assert well_in(f"scene {name} of many") == name
        assert well_in(f"Well {name}") == name


def test_a_folder_without_such_files_is_not_read():
    assert Bioio().index(Listed(a__tif=5)) == NotMine("no file is of a format that bioio reads")


def test_previews_beside_the_files_do_not_decide_whose_folder_it_is(monkeypatch):
    monkeypatch.setattr(bioio, "find_spec", lambda _: None)
    found = Bioio().index(Listed(a__nd2=10, b__tif=100))
    assert found == NotMine("most bytes are of images, not of files such as a.nd2")
    with pytest.raises(InputError, match=r'files such as a\.nd2.*pip install "openhcs\[formats\]"'):
        Bioio().index(Listed(a__nd2=100, a__jpg=10))


@pytest.mark.parametrize("suffix", list(PLUGINS))
def test_what_is_to_be_installed_is_told_for_every_format(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(bioio, "find_spec", lambda _: None)
    (tmp_path / f"A01{suffix.upper()}").write_bytes(b"x")
    with pytest.raises(InputError) as caught:
        detect_folder(tmp_path)
    assert 'pip install "openhcs[formats]"' in str(caught.value)
    assert str(caught.value).endswith("bioio-czi") is (suffix == ".czi")
    assert suffix_of(f"some/folder/A01{suffix.upper()}") == suffix


def detect_folder(folder):
    from openhcs.io.folder import FolderFiles

    return detect(FolderFiles(folder))


def test_tiffs_beside_one_such_file_are_the_plate(tmp_path):
    for site in (1, 2):
        (tmp_path / f"A01_s{site}.tif").write_bytes(encode_tiff(np.zeros((64, 64), np.uint16)))
    (tmp_path / "overview.czi").write_bytes(b"x" * 50)
    found = detect_folder(tmp_path)
    assert (found.microscope, len(found.planes)) == ("generic", 2)
    assert [one.path for one in found.unmatched] == ["overview.czi"]


def test_a_format_that_is_not_in_the_extra_is_told_with_its_plugin():
    assert how_to_install("a.czi") == 'pip install "openhcs[formats]" bioio-czi'
    assert how_to_install("a.nd2") == 'pip install "openhcs[formats]"'
