"""Harmony plates: real ones as their owners describe them, made-up ones with every kind of gap."""

from __future__ import annotations

import csv
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from openhcs.core.plate import FileSource, PlaneState, PlateIndex
from openhcs.errors import FormatError, InputError
from openhcs.io.folder import FolderFiles
from openhcs.microscopes.harmony_files import Name, parse_name
from openhcs.microscopes.opera_phenix import OperaPhenix
from openhcs.microscopes.protocol import NotMine
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

V5, V7 = "opera-phenix-harmonyv5-br00122249-partial", "opera-phenix-harmonyv7-index-only"


def read(folder: Path) -> PlateIndex:
    index = OperaPhenix().index(FolderFiles(folder))
    assert isinstance(index, PlateIndex), index
    return index


def path_of(plane: Any) -> str:
    assert isinstance(plane.source, FileSource)
    return plane.source.path


def oracle(path: Path) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Return the one row of a flattened index, and its facts by the file they are about."""
    (row,) = csv.DictReader(path.read_text("utf-8").splitlines())
    stains = [key.removeprefix("FileName_") for key in row if key.startswith("FileName_")]
    facts = {
        row[f"FileName_{stain}"]: {
            key.removeprefix("Metadata_").removesuffix(f"_{stain}"): value
            for key, value in row.items()
            if key.endswith(f"_{stain}")
        }
        for stain in stains
    }
    return row, facts


@pytest.mark.parametrize(("name", "table"), [(V5, "load_data_version5.csv"), (V7, "load_data_version7.csv")])
def test_an_index_reads_as_its_owners_table_says(data: Callable[[str], Path], name: str, table: str) -> None:
    index = read(data(name))
    row, facts = oracle(data(name) / table)
    assert index.name == row["Metadata_Plate"]
    assert index.wells == (row["Metadata_Well"],)
    assert {path_of(plane) for plane in index.planes} == {f"Images/{file}" for file in facts}
    assert index.plane_shape == (int(row["Metadata_ImageSizeY"]), int(row["Metadata_ImageSizeX"]))
    assert index.pixel_size_um == pytest.approx(
        (float(row["Metadata_ImageResolutionY"]) * 1e6, float(row["Metadata_ImageResolutionX"]) * 1e6)
    )
    where = (float(row["Metadata_PositionX"]) * 1e6, -float(row["Metadata_PositionY"]) * 1e6)
    assert index.positions == {(row["Metadata_Well"], int(row["Metadata_Site"])): pytest.approx(where)}
    for plane in index.planes:
        told = facts[path_of(plane).removeprefix("Images/")]
        channel = index.channel(plane.channel)
        assert (plane.site, plane.t, plane.channel) == (int(row["Metadata_Site"]), 1, int(told["ChannelID"]))
        assert channel.name == told["ChannelName"]
        assert channel.excitation_nm == float(told["MainExcitationWavelength"])
        assert channel.emission_nm == (float(told["MainEmissionWavelength"]) or None)
        assert channel.exposure_ms == pytest.approx(float(told["ExposureTime"]) * 1e3)


def test_a_partial_copy_of_a_384_well_plate_misses_five_planes(data: Callable[[str], Path]) -> None:
    index = read(data(V5))
    assert (index.states[PlaneState.PRESENT], index.states[PlaneState.MISSING]) == (1, 5)
    assert (len(index.rows), len(index.columns), index.dtype) == (16, 24, "uint16")
    assert index.metadata_files == ("Images/Index.idx.xml",)
    assert [one.path for one in index.unmatched] == ["LICENSE.txt", "SOURCE.md", "load_data_version5.csv"]


def test_a_plate_without_one_file_still_indexes(data: Callable[[str], Path]) -> None:
    index = read(data(V7))
    assert index.states[PlaneState.MISSING] == 7
    assert (len(index.rows), len(index.columns), index.dtype) == (8, 12, "uint16")
    assert index.acquisitions[0].start_time == "2024-06-24T11:48:44.5462111-04:00"


def test_an_operetta_plate_keeps_its_layout_and_turns_y_down(data: Callable[[str], Path]) -> None:
    index = read(data("operetta-sonata-2-fields"))
    assert (index.name, index.wells, index.sites("C03")) == ("Test_Sample_BALL", ("C03",), (1, 2))
    assert index.states[PlaneState.PRESENT] == 2
    assert index.positions == {("C03", 1): (-645.814, -645.814), ("C03", 2): (645.814, -645.814)}
    assert index.pixel_size_um == pytest.approx((1.1959521619, 1.1959521619))
    assert index.metadata_files == (
        "operetta_plate/Assaylayout/Unnamed.xml",
        "operetta_plate/Images/Index.idx.xml",
    )
    (channel,) = index.channels
    assert (channel.name, channel.excitation_nm, channel.emission_nm, channel.exposure_ms) == (
        *("Fluorescein (FITC)", 475, 525, 6),
    )


def test_names_alone_give_a_stack_and_nothing_is_missing(data: Callable[[str], Path]) -> None:
    index = read(data("opera-phenix-zstack-names-only"))
    assert (index.wells, index.sites("K06")) == (("K06",), (23,))
    assert index.axes() == ((1,), (1,), (1, 2, 3, 4))
    assert index.states[PlaneState.PRESENT] == len(index.planes) == 4
    assert (index.dtype, index.plane_shape, index.pixel_size_um) == ("uint16", (540, 540), None)
    assert "no Harmony index" in index.warnings[0]


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
    plate = make_plate(tmp_path / "P1", layout="opera_phenix", wells=1, sites=1, size=(16, 20), missing=2)
    index = read(plate)
    assert index.states[PlaneState.MISSING] == 2
    assert (index.plane_shape, index.dtype) == ((16, 20), "uint16")
    edit_index(plate, "MaxIntensity>", "Unheard>")
    assert read(plate).dtype is None
    edit_index(plate, "ImageSizeX>", "Unheard>")
    assert read(plate).plane_shape is None


def test_an_image_on_disk_that_the_index_does_not_name_is_no_plane(tmp_path: Path) -> None:
    plate = make_plate(tmp_path / "P1", layout="opera_phenix", wells=1, sites=1, size=(16, 16))
    shutil.copy(
        plate / "Images" / "r01c01f01p01-ch1sk1fk1fl1.tiff", plate / "Images" / "r01c02f01p01-ch1sk1fk1fl1.tiff"
    )
    index = read(plate)
    assert index.wells == ("A01",)
    assert [(one.path, one.reason) for one in index.unmatched] == [
        ("Images/r01c02f01p01-ch1sk1fk1fl1.tiff", "Images/Index.idx.xml does not name it")
    ]


def edit_index(plate: Path, old: str, new: str, *, count: int = -1) -> Path:
    path = plate / "Images" / "Index.idx.xml"
    text = path.read_text("utf-8-sig")
    assert old in text
    path.write_text(text.replace(old, new, count), "utf-8-sig")
    return path


def test_an_empty_address_was_not_recorded(tmp_path: Path) -> None:
    plate = make_plate(tmp_path / "P1", layout="opera_phenix", wells=1, sites=1, size=(16, 16))
    edit_index(plate, "<URL>r01c01f01p01-ch2sk1fk1fl1.tiff</URL>", "<URL />")
    index = read(plate)
    assert [plane.state for plane in index.planes] == [PlaneState.PRESENT, PlaneState.NOT_RECORDED]
    assert index.planes[1].source is None


@pytest.mark.parametrize("address", ["sub/{}", "sub\\{}", ".\\sub\\{}", "C:\\data\\Images\\{}", "../../Images/{}"])
def test_addresses_are_found_by_folder_or_by_name_and_never_outside(tmp_path: Path, address: str) -> None:
    plate = make_plate(tmp_path / "P1", layout="opera_phenix", wells=1, sites=1, channels=("DAPI",), size=(16, 16))
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
    plate = make_plate(tmp_path / "P1", layout="opera_phenix", wells=1, sites=1, size=(16, 16))
    (plate / "Images" / "Index.idx.xml").rename(plate / "Images" / name)
    assert read(plate / "Images").states[PlaneState.PRESENT] == 2
    (plate / "Images" / name).rename(plate / name)
    above = read(plate)
    assert (above.states[PlaneState.PRESENT], above.states[PlaneState.MISSING]) == (2, 0)
    assert above.metadata_files == (name,)


def test_time_points_are_counted_from_one_whether_they_begin_at_0_or_1(tmp_path: Path) -> None:
    plate = make_plate(tmp_path / "P1", layout="opera_phenix", wells=1, sites=1, t=2, size=(16, 16))
    first = read(plate)
    for number in (1, 0):
        edit_index(plate, f"<TimepointID>{number}<", f"<TimepointID>{number + 1}<")
    assert read(plate).planes[0].t == first.planes[0].t == 1
    assert read(plate).axes() == first.axes() == ((1, 2), (1, 2), (1,))


def test_frames_of_a_fast_series_run_on_in_time(tmp_path: Path) -> None:
    plate = make_plate(tmp_path / "P1", layout="opera_phenix", wells=1, sites=1, channels=("A",), t=2, size=(16, 16))
    (plate / "Images" / "Index.idx.xml").unlink()
    for tiff in list((plate / "Images").iterdir()):
        shutil.copy(tiff, tiff.with_name(tiff.name.replace("fk1", "fk2")))
    index = read(plate)
    assert [path_of(plane)[-15:] for plane in index.planes] == [
        f"ch1sk{t}fk{k}fl1.tiff"[-15:] for t in (1, 2) for k in (1, 2)
    ]
    assert [plane.t for plane in index.planes] == [1, 2, 3, 4]
    assert any("fast series of 2 frames" in warning for warning in index.warnings)


def test_a_second_image_at_one_place_is_told_and_left_out(tmp_path: Path) -> None:
    plate = make_plate(tmp_path / "P1", layout="opera_phenix", wells=1, sites=1, channels=("A",), size=(16, 16))
    (plate / "Images" / "Index.idx.xml").unlink()
    first = plate / "Images" / "r01c01f01p01-ch1sk1fk1fl1.tiff"
    shutil.copy(first, first.with_name("r01c01f01p01-ch1sk1fk1fl2.tiff"))
    index = read(plate)
    assert [path_of(plane) for plane in index.planes] == ["Images/r01c01f01p01-ch1sk1fk1fl1.tiff"]
    assert [one.path for one in index.unmatched] == ["Images/r01c01f01p01-ch1sk1fk1fl2.tiff"]
    assert any("1 images stand at the place of another" in warning for warning in index.warnings)


@pytest.mark.parametrize("indexed", [True, False])
def test_two_plates_in_one_folder_are_refused_by_name(tmp_path: Path, indexed: bool) -> None:
    for name in ("P1", "P2"):
        plate = make_plate(tmp_path / name, layout="opera_phenix", wells=1, sites=1, size=(16, 16))
        if not indexed:
            (plate / "Images" / "Index.idx.xml").unlink()
    with pytest.raises(InputError, match=r"2 Harmony plates: P1, P2\. Name one"):
        OperaPhenix().index(FolderFiles(tmp_path))


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


def test_an_index_larger_than_allowed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plate = make_plate(tmp_path / "P1", layout="opera_phenix", wells=1, sites=1, size=(16, 16))
    monkeypatch.setattr("openhcs.microscopes.opera_phenix.INDEX_LIMIT", 1000)
    with pytest.raises(FormatError, match=r"Index\.idx\.xml has \d+ bytes; such a file has no more than 1000"):
        OperaPhenix().index(FolderFiles(plate))


def test_a_plate_told_smaller_than_its_wells_grows_and_says_so(tmp_path: Path) -> None:
    plate = make_plate(tmp_path / "P1", layout="opera_phenix", wells=["H12"], sites=1, size=(16, 16))
    edit_index(plate, "<PlateRows>8<", "<PlateRows>2<")
    index = read(plate)
    assert (len(index.rows), len(index.columns)) == (8, 12)
    assert index.warnings == ("the index tells 2 x 12 wells and names images in row 8, column 12",)


def test_the_step_in_z_is_seen_across_a_gap_and_downwards(tmp_path: Path) -> None:
    plate = make_plate(tmp_path / "P1", layout="opera_phenix", wells=1, sites=1, channels=("A",), z=3, size=(16, 16))
    assert read(plate).z_step_um == 2
    edit_index(plate, "<PlaneID>2<", "<PlaneID>4<")
    edit_index(plate, "<PlaneID>3<", "<PlaneID>0<")
    edit_index(plate, "<PlaneID>1<", "<PlaneID>7<")
    assert read(plate).z_step_um == pytest.approx(2 / 3)


def test_a_plate_below_a_folder_of_images_is_found_whole(tmp_path: Path) -> None:
    make_plate(tmp_path / "Images" / "P1", layout="opera_phenix", wells=1, sites=1, size=(16, 16))
    (tmp_path / "Images" / "P1" / "Images" / "Index.idx.xml").rename(tmp_path / "Images" / "P1" / "Index.xml")
    assert read(tmp_path).states[PlaneState.PRESENT] == 2
    make_plate(tmp_path / "Images" / "P2", layout="opera_phenix", wells=1, sites=1, size=(16, 16))
    with pytest.raises(InputError, match=r"2 Harmony plates: Images/P1, Images/P2"):
        OperaPhenix().index(FolderFiles(tmp_path))


def test_pixels_may_be_wider_than_high(tmp_path: Path) -> None:
    plate = make_plate(tmp_path / "P1", layout="opera_phenix", wells=1, sites=1, size=(16, 16))
    text = (plate / "Images" / "Index.idx.xml").read_text("utf-8-sig")
    told = text.partition('<ImageResolutionX Unit="m">')[2].partition("<")[0]
    edit_index(plate, f'<ImageResolutionX Unit="m">{told}<', '<ImageResolutionX Unit="m">2E-06<')
    assert read(plate).pixel_size_um == (0.65, 2)


def test_a_size_other_than_the_indexs_is_told(tmp_path: Path) -> None:
    plate = make_plate(tmp_path / "P1", layout="opera_phenix", wells=1, sites=1, size=(16, 16))
    edit_index(plate, "<ImageSizeX>16<", "<ImageSizeX>17<")
    index = read(plate)
    assert index.plane_shape == (16, 16)
    assert index.warnings == ("images are 16 x 16 pixels (x, y) and the index says 17 x 16",)


def test_a_damaged_first_image_is_told_and_the_next_is_asked(tmp_path: Path) -> None:
    plate = make_plate(tmp_path / "P1", layout="opera_phenix", wells=1, sites=1, size=(16, 20))
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
