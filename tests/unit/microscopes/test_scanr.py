"""ScanR plates: wells by name and number, channels as texts, documents above and beside the images."""

from __future__ import annotations

import pytest

from named_files import fill, places, read
from openhcs.core.plate import PlaneState
from openhcs.errors import FormatError, SeveralPlates
from openhcs.io.folder import FolderFiles
from openhcs.microscopes import detect
from openhcs.microscopes.protocol import NotMine
from openhcs.microscopes.scanr import ScanR
from openhcs.testing.synthetic import make_plate


def image(label="B2", number=14, position=1, z=0, t=0, channel="GFP") -> str:
    return f"data/{label}--W{number:05d}--P{position:05d}--Z{z:05d}--T{t:05d}--{channel}.tif"


def descriptor(rows: int, columns: int, more: str = "") -> bytes:
    return (
        f"<LVData><C><Name>format typedef</Name><I><Name>Rows</Name><Val>{rows}</Val></I><I><Name>Columns</Name>"
        f"<Val>{columns}</Val></I></C>{more}</LVData>"
    ).encode()


def test_names_tell_wells_numbers_and_channels(tmp_path):
    names = [image(channel="405 nm #1"), image(channel="a--b (x)"), image(position=2, z=1, t=3, channel="405 nm #1")]
    index = read(fill(tmp_path / "Plate 9", names), "scanr")
    assert places(index) == [("B02", 1, 1, 0, 0), ("B02", 1, 2, 0, 0), ("B02", 2, 1, 1, 3)]
    assert [(one.number, one.name) for one in index.channels] == [(1, "405 nm #1"), (2, "a--b (x)")]
    assert (index.name, len(index.rows), len(index.columns)) == ("Plate 9", 8, 12)
    assert not index.warnings


@pytest.mark.parametrize("start", [".", "data"])
def test_the_plates_folder_names_it_wherever_it_is_opened(tmp_path, start):
    folder = fill(tmp_path / "Plate 9", [image()])
    assert read(folder / start, "scanr").name == "Plate 9"


def test_wells_without_a_name_are_those_of_96_and_told(tmp_path):
    index = read(fill(tmp_path, [image("", 14), image("", 96)]), "scanr")
    assert index.wells == ("B02", "H12")
    assert index.warnings == (
        "wells told by their number alone are those of 8 × 12: 2 images, such as W00014, which is B02",
    )
    larger = read(fill(tmp_path / "more", [image("", 14), image("", 97)]), "scanr")
    assert (larger.wells, len(larger.columns)) == (("A14", "E01"), 24)


def test_one_named_well_tells_the_columns_of_the_others(tmp_path):
    index = read(fill(tmp_path, [image("B2", 26), image("", 27)]), "scanr")
    assert (index.wells, len(index.rows), len(index.columns)) == (("B02", "B03"), 16, 24)
    assert len(index.warnings) == 1


def test_the_descriptor_tells_the_plate(tmp_path):
    folder = fill(tmp_path, [image("", 26)])
    (folder / "experiment_descriptor.xml").write_bytes(descriptor(16, 24))
    index = read(folder, "scanr")
    assert (index.wells, len(index.rows), len(index.columns)) == (("B02",), 16, 24)
    assert index.metadata_files == ("experiment_descriptor.xml",)
    assert not index.warnings


def test_the_descriptor_names_wells_and_those_without_images_are_told(tmp_path):
    rows = "".join(f"<S><Name></Name><Val>{value}</Val></S>" for value in (1, "C3", "gene", 2, "C4", "gene"))
    table = f"<Array><Name>well selection table + cDNA</Name>{rows}</Array>"
    folder = fill(tmp_path, [image("", 1)])
    (folder / "experiment_descriptor.xml").write_bytes(descriptor(8, 12, table))
    index = read(folder, "scanr")
    assert index.wells == ("C03",)
    assert [warning.partition(":")[0] for warning in index.warnings] == [
        "well numbers that are not those of the names",
        "wells that the experiment selects and that have no image",
    ]
    assert index.warnings[1].endswith("1, such as C04")


def test_names_that_contradict_numbers_are_told_and_taken(tmp_path):
    index = read(fill(tmp_path, [image("A1", 1), image("A2", 2), image("B3", 99)]), "scanr")
    assert index.wells == ("A01", "A02", "B03")
    assert "not those of the names: 1, such as data/B3--W00099" in index.warnings[0]


def test_texts_that_are_no_wells_are_told_and_the_number_is_taken(tmp_path):
    index = read(fill(tmp_path, [image("control", 13)]), "scanr")
    assert index.wells == ("B01",)
    assert index.warnings[0].startswith("texts in place of wells that name none: 1, such as data/control--")


def test_a_number_that_no_plate_has_is_left_out(tmp_path):
    fill(tmp_path, [image("", 9999)])
    found = ScanR().index(FolderFiles(tmp_path))
    assert isinstance(found, NotMine)
    index = read(fill(tmp_path, [image("A1", 1)]), "scanr")
    assert index.wells == ("A01",)
    assert "no plate has 9999 of them" in index.unmatched[0].reason


def test_plates_in_two_folders_are_refused(tmp_path):
    fill(tmp_path, [f"one/{image()}", f"two/{image()}"])
    with pytest.raises(SeveralPlates) as caught:
        detect(FolderFiles(tmp_path))
    assert caught.value.places == ("one", "two")


@pytest.fixture
def made(tmp_path):
    return make_plate(tmp_path / "P", layout="scanr", wells=("A01", "B03"), sites=4, z=2, t=2, size=(16, 20))


def test_documents_tell_places_times_waves_and_pixels(made):
    index = detect(FolderFiles(made))
    assert (index.microscope, index.name, index.instrument) == ("scanr", "P", "Olympus made up")
    assert index.positions["B03", 4] == pytest.approx((2 * 9000 + 20 * 0.65, 9000 + 16 * 0.65))
    assert (index.pixel_size_um, index.z_step_um) == ((0.65, 0.65), 2.0)
    assert index.acquisitions[0].start_time == "2013-06-01T12:00:00"
    assert {(plane.t, plane.time_s) for plane in index.planes} == {(0, 0.0), (1, 60.0)}
    assert {(plane.z, plane.z_um) for plane in index.planes} == {(0, 2.0), (1, 4.0)}
    first = index.channels[0]
    assert (first.name, first.excitation_nm, first.emission_nm, first.exposure_ms) == ("DAPI", 385.0, 450.0, 100.0)
    assert (first.objective, first.magnification, first.numerical_aperture) == ("made up", 20.0, 0.75)
    assert set(index.metadata_files) == {"data/metadata.ome.xml", "experiment_descriptor.xml", "AcquisitionLog.dat"}
    assert not index.warnings
    assert not index.unmatched


def test_channels_are_in_the_order_of_the_documents(tmp_path):
    make_plate(tmp_path / "P", layout="scanr", wells=1, sites=1, channels=("Cy5", "405 nm", "µ #1"), size=(16, 20))
    assert [one.name for one in detect(FolderFiles(tmp_path / "P")).channels] == ["Cy5", "405 nm", "µ #1"]
    (tmp_path / "P" / "data" / "metadata.ome.xml").unlink()
    assert [one.name for one in detect(FolderFiles(tmp_path / "P")).channels] == ["Cy5", "405 nm", "µ #1"]
    (tmp_path / "P" / "experiment_descriptor.xml").unlink()
    assert [one.name for one in detect(FolderFiles(tmp_path / "P")).channels] == ["405 nm", "Cy5", "µ #1"]


def test_without_metadata_the_descriptor_and_the_log_tell(made):
    whole = detect(FolderFiles(made))
    (made / "data" / "metadata.ome.xml").unlink()
    index = detect(FolderFiles(made))
    assert index.positions == whole.positions
    assert (index.pixel_size_um, index.z_step_um) == (whole.pixel_size_um, whole.z_step_um)
    assert [one.exposure_ms for one in index.channels] == [100.0, 100.0]
    assert {(plane.t, plane.time_s) for plane in index.planes} == {(0, 0.0), (1, 60.0)}


def test_images_that_the_metadata_names_and_are_not_there_are_missing(made):
    lost = sorted(made.rglob("*T00001--FITC.tif"))[:3]
    for path in lost:
        path.unlink()
    index = detect(FolderFiles(made))
    missing = [plane for plane in index.planes if plane.state is PlaneState.MISSING]
    assert sorted(made / plane.source.path for plane in missing) == lost


def test_images_that_the_metadata_does_not_name_are_told(made):
    names = image("A5", 5).removeprefix("data/")
    first = min(made.rglob("*.tif"))
    (made / "data" / names).write_bytes(first.read_bytes())
    index = detect(FolderFiles(made))
    assert index.wells == ("A01", "A05", "B03")
    assert index.warnings == ("images that data/metadata.ome.xml does not name: 1",)


def test_a_well_that_is_another_in_the_metadata_is_told(made):
    path = made / "data" / "metadata.ome.xml"
    path.write_text(path.read_text(encoding="utf-8").replace("Image:W15P1", "Image:W16P1"), encoding="utf-8")
    index = detect(FolderFiles(made))
    assert index.wells == ("A01", "B03")
    assert index.warnings == (
        "images whose well or position is another in data/metadata.ome.xml: 8; the names are taken",
    )


def test_a_damaged_document_is_refused_with_its_line(made):
    for path, told in ((made / "data" / "metadata.ome.xml", "metadata"), (made / "experiment_descriptor.xml", "descr")):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(FormatError, match=rf"{told}.*line [0-9]+, column"):
            detect(FolderFiles(made))
        path.write_bytes(whole)


def test_metadata_that_promises_far_more_than_is_there_is_refused(made, monkeypatch):
    from openhcs.microscopes import limits

    monkeypatch.setattr(limits, "MOST_PLANES", 20)
    images = sorted(made.rglob("*.tif"))
    for path in images[2:]:
        path.unlink()
    with pytest.raises(FormatError, match="promises 62 planes and 2 are there"):
        detect(FolderFiles(made))
