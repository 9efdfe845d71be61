"""Leica's Matrix Screener: chambers are wells, fields sites, slides plates; documents tell the rest."""

from __future__ import annotations

import pytest

from named_files import fill, places, read
from openhcs.core.plate import PlaneState
from openhcs.errors import FormatError, SeveralPlates
from openhcs.io.folder import FolderFiles
from openhcs.microscopes import detect, limits
from openhcs.microscopes.leica import fields as leica_fields
from openhcs.testing.synthetic import make_plate


def image(u=0, v=0, x=0, y=0, t=0, z=0, c=0, *, job=20, loop=0, slide=0, folder=True) -> str:
    place = f"slide--S{slide:02d}/chamber--U{u:02d}--V{v:02d}/field--X{x:02d}--Y{y:02d}/" if folder else ""
    return (
        f"{place}image--L{loop:02d}--S{slide:02d}--U{u:02d}--V{v:02d}--J{job:02d}--E00--O00--X{x:02d}--Y{y:02d}"
        f"--T{t:02d}--Z{z:02d}--C{c:02d}.ome.tif"
    )


def test_chambers_are_wells_and_fields_are_sites_row_by_row(tmp_path):
    names = [image(u=2, v=1), image(x=1, y=0), image(x=2, y=1, z=3, t=4, c=5), image(x=0, y=1)]
    index = read(fill(tmp_path / "experiment--test", names), "leica_matrix")
    assert places(index) == [("A01", 2, 0, 0, 0), ("A01", 4, 0, 0, 0), ("A01", 6, 5, 3, 4), ("B03", 1, 0, 0, 0)]
    assert index.name == "experiment--test"
    assert not index.warnings
    assert not index.positions


@pytest.mark.parametrize("start", ["slide--S00", "slide--S00/chamber--U00--V00", "."])
def test_the_experiment_names_the_plate_wherever_it_is_opened(tmp_path, start):
    folder = fill(tmp_path / "experiment--7", [image()])
    assert read(folder / start, "leica_matrix").name == "experiment--7"


def test_slides_are_plates(tmp_path):
    fill(tmp_path / "e", [image(), image(slide=1)])
    with pytest.raises(SeveralPlates) as caught:
        detect(FolderFiles(tmp_path / "e"))
    assert caught.value.places == ("slide--S00", "slide--S01")
    assert read(tmp_path / "e" / "slide--S01", "leica_matrix").name == "e--S01"


def test_slides_without_folders_are_counted(tmp_path):
    fill(tmp_path, [image(folder=False), image(slide=1, folder=False)])
    with pytest.raises(SeveralPlates, match="1 of slide 00, 1 of slide 01"):
        detect(FolderFiles(tmp_path))


def test_jobs_are_acquisitions_only_where_images_stand_at_one_place(tmp_path):
    apart = read(fill(tmp_path / "a", [image(job=8), image(job=20, c=1)]), "leica_matrix")
    assert [one.name for one in apart.acquisitions] == ["0"]
    together = read(fill(tmp_path / "b", [image(job=8), image(job=20), image(job=20, c=1)]), "leica_matrix")
    assert [(one.number, one.name) for one in together.acquisitions] == [(0, "J08"), (1, "J20")]
    assert [(plane.acquisition, plane.channel) for plane in together.planes] == [(0, 0), (1, 0), (1, 1)]
    assert together.warnings == (
        "images at one place differ in loop or job and are acquisitions of their own: J08, J20",
    )
    loops = read(fill(tmp_path / "c", [image(), image(loop=1)]), "leica_matrix")
    assert [one.name for one in loops.acquisitions] == ["L00", "L01"]


def test_the_same_image_twice_is_refused_unless_it_is_a_copy(tmp_path):
    fill(tmp_path, [image(), image().replace("field--X00--Y00", "field--X00--Y01")])
    with pytest.raises(FormatError, match="there twice"):
        detect(FolderFiles(tmp_path))


def test_a_file_in_the_folder_of_another_field_is_told(tmp_path):
    index = read(fill(tmp_path, [image().replace("field--X00--Y00", "field--X01--Y00")]), "leica_matrix")
    assert places(index) == [("A01", 1, 0, 0, 0)]
    assert "in a folder of another slide, chamber or field: 1" in index.warnings[0]


@pytest.fixture
def made(tmp_path):
    return make_plate(tmp_path / "E", layout="leica_matrix", wells=("A01", "B03"), sites=4, z=2, t=2, size=(16, 20))


def test_documents_tell_places_times_heights_and_pixels(made):
    index = detect(FolderFiles(made))
    assert index.microscope == "leica_matrix"
    assert index.positions["B03", 4] == pytest.approx((2 * 9000 + 20 * 0.65, 9000 + 16 * 0.65), abs=1e-3)
    assert (index.pixel_size_um, index.z_step_um) == ((0.65, 0.65), 2.0)
    assert index.acquisitions[0].start_time == "2014-11-20T10:22:19.000000"
    assert {(plane.t, plane.time_s) for plane in index.planes} == {(0, 0.0), (1, 60.0)}
    assert {(plane.z, plane.z_um) for plane in index.planes} == {(0, 2.0), (1, 4.0)}
    assert index.instrument == "Leica Microsystems made up"
    assert (index.channels[0].magnification, index.channels[0].numerical_aperture) == (10.0, 0.45)
    assert len(index.metadata_files) == 2 * 4 * 2
    assert not index.warnings


def test_images_that_documents_name_and_are_not_there_are_missing(made):
    lost = sorted(made.rglob("*T01--Z01--C01.ome.tif"))[:3]
    for path in lost:
        path.unlink()
    index = detect(FolderFiles(made))
    missing = [plane for plane in index.planes if plane.state is PlaneState.MISSING]
    assert sorted(made / plane.source.path for plane in missing) == lost
    assert not index.warnings


def test_sites_keep_their_numbers_where_the_last_fields_of_all_rows_are_missing(made):
    whole = detect(FolderFiles(made))
    for path in made.rglob("*--X01--Y0*.ome.tif"):
        path.unlink()
    index = detect(FolderFiles(made))
    assert index.states[PlaneState.MISSING] == len(whole.planes) // 2
    assert {(plane.well, plane.key) for plane in index.planes} == {(plane.well, plane.key) for plane in whole.planes}
    assert {plane.site for plane in index.planes if plane.state is PlaneState.MISSING} == {2, 4}
    assert index.positions == whole.positions


def test_a_job_of_which_nothing_is_there_is_an_acquisition_where_documents_name_it(made):
    document = min(made.rglob("*--T00.ome.xml"))
    text = document.read_text()
    start, end = text.index("<TiffData"), text.index("<Plane")
    job = document.with_name(document.name.replace("--J08", "--J20"))
    job.write_text(text[:start] + text[start:end].replace("--J08", "--J20") + text[end:])
    index = detect(FolderFiles(made))
    assert [one.name for one in index.acquisitions] == ["J08", "J20"]
    assert {plane.acquisition for plane in index.planes if plane.state is PlaneState.MISSING} == {1}


def test_a_channel_of_which_no_image_is_there_is_missing(made):
    for path in made.rglob("*--C01.ome.tif"):
        path.unlink()
    index = detect(FolderFiles(made))
    assert index.states[PlaneState.MISSING] == index.states[PlaneState.PRESENT] == 32
    assert len(index.channels) == 2


def test_a_damaged_document_is_told_and_the_others_are_read(made):
    first = min(made.rglob("*.ome.xml"))
    first.write_bytes(first.read_bytes()[:300])
    index = detect(FolderFiles(made))
    assert len(index.positions) == 7
    assert "documents that cannot be read: 1, such as slide--S00" in index.warnings[0]


def test_no_more_documents_than_can_be_are_read(made, monkeypatch):
    monkeypatch.setattr(leica_fields, "MOST_READ", 8)
    index = detect(FolderFiles(made))
    assert len(index.positions) == 8
    assert "documents that are not read, as there are more than 8: 8" in index.warnings


def test_documents_that_promise_far_more_than_is_there_are_refused(made, monkeypatch):
    document = min(made.rglob("*--T00.ome.xml"))
    stem = document.name.removesuffix(".ome.xml")
    named = (f'<TiffData><UUID FileName="{stem}--Z{z:04d}--C00.ome.tif"/></TiffData>' for z in range(9999))
    document.write_text(document.read_text().replace("<Plane", "".join(named) + "<Plane", 1))
    assert detect(FolderFiles(made)).states[PlaneState.MISSING] == 9997
    monkeypatch.setattr(limits, "MOST_PLANES", 1000)
    with pytest.raises(FormatError, match="promises 9997 planes and 64 are there"):
        detect(FolderFiles(made))


def test_the_stitchers_places_stand_where_the_stage_tells_none(made):
    for path in made.rglob("*.ome.xml"):
        text = path.read_text()
        if "U02--V01" in path.name:
            path.write_text(text.replace("<StagePosition", "<Stage"))
    chamber = made / "slide--S00" / "chamber--U02--V01"
    names = [image(u=2, v=1, x=x, y=y, folder=False) for y in (0, 1) for x in (0, 1)]
    planned = "\n".join(f"{name}; ; ({10.0 * number}, 0.0)" for number, name in enumerate(names))
    (chamber / "TileConfiguration.txt").write_text(planned)
    (chamber / "TileConfiguration.registered.txt").write_text(f"dim = 2\n{names[3]}; ; (11.5, 20.25)")
    index = detect(FolderFiles(made))
    assert index.positions["B03", 2] == (6.5, 0.0)
    assert index.positions["B03", 4] == (7.475, 13.162)
    assert index.positions["A01", 4] == pytest.approx((13.0, 10.4))
    assert {path.rpartition("/")[2] for path in index.metadata_files[-2:]} == {
        "TileConfiguration.txt",
        "TileConfiguration.registered.txt",
    }
