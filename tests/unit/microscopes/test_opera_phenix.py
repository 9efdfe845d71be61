"""Harmony plates, made up with every kind of gap: what is read of them, and what is told."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from harmony import edit_index, path_of, read, small
from openhcs.core.plate import PlaneState
from openhcs.errors import FormatError, SeveralPlates
from openhcs.io.folder import FolderFiles
from openhcs.microscopes.harmony.files import Name, parse_name
from openhcs.microscopes.opera_phenix import OperaPhenix
from openhcs.microscopes.protocol import NotMine
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from pathlib import Path

FIRST = "r01c01f01p01-ch1sk1fk1fl1.tiff"


def test_a_made_up_plate_reads_as_it_was_made(tmp_path: Path) -> None:
    index = read(make_plate(tmp_path / "P1", layout="opera_phenix", wells=2, sites=2, z=3, t=2, size=(24, 32)))
    assert (index.name, index.wells) == ("P1", ("A01", "A02"))
    assert index.axes() == ((1, 2), (1, 2), (1, 2, 3))
    assert index.states[PlaneState.PRESENT] == len(index.planes) == 2 * 2 * 2 * 3 * 2
    assert (index.plane_shape, index.dtype, index.z_step_um) == ((24, 32), "uint16", 2)
    assert index.pixel_size_um == (0.65, 0.65)
    assert list(index.planes) == sorted(index.planes, key=lambda plane: (plane.well, plane.key))
    for plane in index.planes:
        name = parse_name(path_of(plane).removeprefix("Images/"))
        assert name is not None
        assert (name.field, name.time, name.channel, name.plane) == (plane.site, plane.t, plane.channel, plane.z)


def test_missing_planes_keep_their_place_and_wells_may_be_sparse(tmp_path: Path) -> None:
    plate = make_plate(
        tmp_path / "P1", layout="opera_phenix", wells=["B03", "P24"], sites=2, z=2, size=(16, 16), missing=5
    )
    index = read(plate)
    assert index.wells == ("B03", "P24")
    assert (len(index.rows), len(index.columns)) == (16, 24)
    assert (index.states[PlaneState.PRESENT], index.states[PlaneState.MISSING]) == (11, 5)
    for plane in index.planes:
        assert (plate / path_of(plane)).exists() is (plane.state is PlaneState.PRESENT)
    assert index.states[PlaneState.NOT_ACQUIRED] == 0


def test_a_plate_that_lost_every_file_still_indexes(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1", size=(16, 20), missing=2)
    index = read(plate)
    assert index.states[PlaneState.MISSING] == 2
    assert (index.plane_shape, index.dtype) == ((16, 20), "uint16")
    edit_index(plate, "MaxIntensity>", "Unheard>")
    assert read(plate).dtype is None
    edit_index(plate, "ImageSizeX>", "Unheard>")
    assert read(plate).plane_shape is None


def test_images_on_disk_that_the_index_does_not_name_are_no_planes_and_counted(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1")
    for site in (2, 3):
        shutil.copy(plate / "Images" / FIRST, plate / "Images" / FIRST.replace("f01", f"f0{site}"))
    index = read(plate)
    assert index.sites("A01") == (1,)
    assert [(one.path, one.reason) for one in index.unmatched] == [
        (f"Images/r01c01f0{site}p01-ch1sk1fk1fl1.tiff", "Images/Index.idx.xml does not name it") for site in (2, 3)
    ]
    assert index.warnings == (
        "images that the index does not name are left out: 2, such as Images/r01c01f02p01-ch1sk1fk1fl1.tiff",
    )


def test_images_far_smaller_than_the_others_are_told(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1", wells=2, sites=3, size=(128, 128))
    assert read(plate).warnings == ()
    blank = make_plate(
        tmp_path / "P2", layout="opera_phenix", wells=1, sites=1, size=(128, 128), blank=True, compression="lzw"
    )
    shutil.copy(blank / "Images" / FIRST, plate / "Images" / FIRST)
    (warning,) = read(plate).warnings
    assert warning.startswith(f"images far smaller than the others, blank or cut short: 1, such as Images/{FIRST}: ")
    assert len(read(plate).planes) == 12


def test_an_empty_address_was_not_recorded(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1")
    edit_index(plate, "<URL>r01c01f01p01-ch2sk1fk1fl1.tiff</URL>", "<URL />")
    index = read(plate)
    assert [plane.state for plane in index.planes] == [PlaneState.PRESENT, PlaneState.NOT_RECORDED]
    assert index.planes[1].source is None


@pytest.mark.parametrize("address", ["sub/{}", "sub\\{}", ".\\sub\\{}", "C:\\data\\Images\\{}", "../../Images/{}"])
def test_addresses_are_found_by_folder_or_by_name_and_never_outside(tmp_path: Path, address: str) -> None:
    plate = small(tmp_path / "P1", channels=("DAPI",))
    name = "r01c01f01p01-ch1sk1fk1fl1.tiff"
    edit_index(plate, name, address.format(name))
    if "sub" in address:
        (plate / "Images" / "sub").mkdir()
        (plate / "Images" / name).rename(plate / "Images" / "sub" / name)
    assert [plane.state for plane in read(plate).planes] == [PlaneState.PRESENT]
    for tiff in plate.rglob("*.tiff"):
        tiff.unlink()
    (plane,) = read(plate).planes
    assert plane.state is PlaneState.MISSING
    assert path_of(plane).startswith("Images/")
    assert ".." not in path_of(plane)


@pytest.mark.parametrize("name", ["Index.xml", "Index.idx.xml", "Index.ref.xml"])
def test_the_index_may_lie_above_its_images_or_the_folder_be_images_itself(tmp_path: Path, name: str) -> None:
    plate = small(tmp_path / "P1")
    (plate / "Images" / "Index.idx.xml").rename(plate / "Images" / name)
    assert read(plate / "Images").states[PlaneState.PRESENT] == 2
    (plate / "Images" / name).rename(plate / name)
    above = read(plate)
    assert (above.states[PlaneState.PRESENT], above.states[PlaneState.MISSING]) == (2, 0)
    assert above.metadata_files == (name,)


def test_time_points_are_counted_from_one_whether_they_begin_at_0_or_1(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1", t=2)
    first = read(plate)
    for number in (1, 0):
        edit_index(plate, f"<TimepointID>{number}<", f"<TimepointID>{number + 1}<")
    assert read(plate).planes[0].t == first.planes[0].t == 1
    assert read(plate).axes() == first.axes() == ((1, 2), (1, 2), (1,))


@pytest.mark.parametrize("first", [0, 1, 3])
def test_time_points_of_files_with_other_names_count_from_one(tmp_path: Path, first: int) -> None:
    plate = small(tmp_path / "P1", channels=("A",), t=2)
    for t in (2, 1):
        edit_index(plate, f"<TimepointID>{t - 1}<", f"<TimepointID>{t - 1 + first}<")
        edit_index(plate, FIRST.replace("sk1", f"sk{t}"), f"{t}.tiff")
    assert [(plane.t, path_of(plane)) for plane in read(plate).planes] == [(1, "Images/1.tiff"), (2, "Images/2.tiff")]


@pytest.mark.parametrize("indexed", [True, False])
def test_frames_of_a_fast_series_run_on_in_time(tmp_path: Path, indexed: bool) -> None:
    plate = small(tmp_path / "P1", channels=("A",), t=2)
    images = plate / "Images"
    for tiff in images.glob("*.tiff"):
        shutil.copy(tiff, tiff.with_name(tiff.name.replace("fk1", "fk2")))
    if indexed:
        text = (images / "Index.idx.xml").read_text("utf-8-sig")
        records = text.partition("<Images>")[2].partition("</Images>")[0]
        edit_index(plate, "</Images>", records.replace("fk1", "fk2") + "</Images>")
    else:
        (images / "Index.idx.xml").unlink()
    index = read(plate)
    assert [path_of(plane)[-15:] for plane in index.planes] == [
        f"ch1sk{t}fk{k}fl1.tiff"[-15:] for t in (1, 2) for k in (1, 2)
    ]
    assert [plane.t for plane in index.planes] == [1, 2, 3, 4]
    assert any("fast series of 2 frames" in warning for warning in index.warnings)


@pytest.mark.parametrize("indexed", [True, False])
def test_each_flim_number_at_one_place_is_an_acquisition(tmp_path: Path, indexed: bool) -> None:
    plate = small(tmp_path / "P1")
    images = plate / "Images"
    second = FIRST.replace("fl1", "fl2")
    shutil.copy(images / FIRST.replace("ch1", "ch2"), images / second)
    if indexed:
        record = "<Image>" + (images / "Index.idx.xml").read_text("utf-8-sig").partition('<Image Version="1">')[2]
        record = record.partition("</Image>")[0].replace(FIRST, second) + "</Image>"
        edit_index(plate, "</Images>", record.replace("<FlimID>1<", "<FlimID>2<") + "</Images>")
    else:
        (images / "Index.idx.xml").unlink()
    index = read(plate)
    assert [(one.number, one.name) for one in index.acquisitions] == [(0, "0"), (1, "flim2")]
    assert [(plane.acquisition, plane.channel, path_of(plane)) for plane in index.planes] == [
        (0, 1, f"Images/{FIRST}"),
        (0, 2, f"Images/{FIRST.replace('ch1', 'ch2')}"),
        (1, 1, f"Images/{second}"),
    ]
    assert any("2 FLIM numbers at one place" in warning for warning in index.warnings)


def test_flim_numbers_that_tell_nothing_apart_make_no_acquisitions(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1")
    edit_index(plate, "<FlimID>1<", "<FlimID>0<", count=1)
    index = read(plate)
    assert [one.number for one in index.acquisitions] == [0]
    assert len(index.planes) == 2


def test_a_copy_at_one_place_is_told_and_another_image_there_is_refused(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1", channels=("A",))
    images = plate / "Images"
    twin = FIRST.replace("r01c01", "r01c02")
    shutil.copy(images / FIRST, images / twin)
    record = (images / "Index.idx.xml").read_text("utf-8-sig").partition("<Images>")[2].partition("</Images>")[0]
    edit_index(plate, "</Images>", record.replace(FIRST, twin) + "</Images>")
    index = read(plate)
    assert [path_of(plane) for plane in index.planes] == [f"Images/{FIRST}"]
    assert [(one.path, one.reason) for one in index.unmatched] == [
        (f"Images/{twin}", f"the same bytes as Images/{FIRST}, which is A01_s1_c1_z1_t1")
    ]
    shutil.copy(small(tmp_path / "P2", channels=("A",), seed=7) / "Images" / FIRST, images / twin)
    with pytest.raises(FormatError, match=f"1 planes are there twice, with different pixels: .*{twin}"):
        read(plate)


@pytest.mark.parametrize("indexed", [True, False])
def test_two_plates_in_one_folder_are_refused_by_name(tmp_path: Path, indexed: bool) -> None:
    for name in ("P1", "P2"):
        plate = small(tmp_path / name)
        if not indexed:
            (plate / "Images" / "Index.idx.xml").unlink()
    with pytest.raises(SeveralPlates, match=r"2 plates: P1, P2\. Name one") as caught:
        OperaPhenix().index(FolderFiles(tmp_path))
    assert caught.value.places == ("P1", "P2")


def test_another_vendors_folder_is_not_mine(tmp_path: Path) -> None:
    plate = make_plate(tmp_path / "P1", wells=1, sites=1, size=(16, 16))
    (plate / "Index.xml").write_text("<Catalogue><Image/></Catalogue>")
    answer = OperaPhenix().index(FolderFiles(plate))
    assert isinstance(answer, NotMine)
    assert "r<RR>c<CC>f<FF>" in answer.why


def test_an_index_without_images_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "Index.xml").write_text("<EvaluationInputData><Images/></EvaluationInputData>")
    with pytest.raises(FormatError, match=r"Index\.xml names no image"):
        OperaPhenix().index(FolderFiles(tmp_path))


def test_an_index_larger_than_its_files_explain_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plate = small(tmp_path / "P1")
    monkeypatch.setattr("openhcs.microscopes.opera_phenix.INDEX_LIMIT", 1000)
    assert len(read(plate).planes) == 2
    monkeypatch.setattr("openhcs.microscopes.opera_phenix.PER_FILE", 500)
    with pytest.raises(FormatError, match=r"Index\.idx\.xml has \d+ bytes; such a file has no more than 1500"):
        OperaPhenix().index(FolderFiles(plate))


def test_a_plate_told_smaller_than_its_wells_grows_and_says_so(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1", wells=["H12"])
    edit_index(plate, "<PlateRows>8<", "<PlateRows>2<")
    index = read(plate)
    assert (len(index.rows), len(index.columns)) == (8, 12)
    assert index.warnings == ("the documents tell of 2 × 12 wells, and images are of row 8, column 12",)


def test_the_step_in_z_is_seen_across_a_gap_and_downwards(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1", channels=("A",), z=3)
    assert read(plate).z_step_um == 2
    edit_index(plate, "<PlaneID>2<", "<PlaneID>4<")
    edit_index(plate, "<PlaneID>3<", "<PlaneID>0<")
    edit_index(plate, "<PlaneID>1<", "<PlaneID>7<")
    assert read(plate).z_step_um == pytest.approx(2 / 3)


def test_a_plate_below_a_folder_of_images_is_found_whole(tmp_path: Path) -> None:
    small(tmp_path / "Images" / "P1")
    (tmp_path / "Images" / "P1" / "Images" / "Index.idx.xml").rename(tmp_path / "Images" / "P1" / "Index.xml")
    assert read(tmp_path).states[PlaneState.PRESENT] == 2
    small(tmp_path / "Images" / "P2")
    with pytest.raises(SeveralPlates, match=r"2 plates: Images/P1, Images/P2"):
        OperaPhenix().index(FolderFiles(tmp_path))


def test_pixels_may_be_wider_than_high(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1")
    text = (plate / "Images" / "Index.idx.xml").read_text("utf-8-sig")
    told = text.partition('<ImageResolutionX Unit="m">')[2].partition("<")[0]
    edit_index(plate, f'<ImageResolutionX Unit="m">{told}<', '<ImageResolutionX Unit="m">2E-06<')
    assert read(plate).pixel_size_um == (0.65, 2)


def test_a_size_other_than_the_indexs_is_told(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1")
    edit_index(plate, "<ImageSizeX>16<", "<ImageSizeX>17<")
    index = read(plate)
    assert index.plane_shape == (16, 16)
    assert index.warnings == ("images are 16 × 16 pixels (y × x) and the documents say 16 × 17",)


def test_a_damaged_first_image_is_told_and_the_next_is_asked(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1", size=(16, 20))
    (plate / "Images" / "r01c01f01p01-ch1sk1fk1fl1.tiff").write_bytes(b"")
    index = read(plate)
    assert (index.plane_shape, index.dtype) == ((16, 20), "uint16")
    assert "r01c01f01p01-ch1sk1fk1fl1.tiff" in index.warnings[0]


@pytest.mark.parametrize(
    "name",
    [
        *("r01c01f01p01-ch1sk1fk1.tiff", "r1c1f1p1-ch1sk1fk1fl1.tiff", "r00c01f01p01-ch1sk1fk1fl1.tiff"),
        *("r01c01f01p01-ch1sk1fk1fl1.tiff.bak", "xr01c01f01p01-ch1sk1fk1fl1.tiff", "r٠١c01f01p01-ch1sk1fk1fl1.tiff"),
    ],
)
def test_names_that_are_nearly_harmonys_are_none(name: str) -> None:
    assert parse_name(name) is None


def test_three_digits_of_field_and_plane_are_read() -> None:
    found = parse_name("r16c24f123p1000-ch12sk100fk1fl1.TIF")
    assert found == Name(row=16, column=24, field=123, plane=1000, channel=12, time=100)
