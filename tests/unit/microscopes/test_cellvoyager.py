"""CellVoyager measurements: real documents against a plain walk, made-up ones with every kind of gap."""

from __future__ import annotations

import posixpath
from collections import Counter
from datetime import datetime
from xml.etree import ElementTree as ET

import pytest

from cellvoyager_documents import MLF, channel, error, image, mes, mrf, put, timeline, write
from openhcs.core.plate import PlaneState, PlateIndex
from openhcs.errors import FormatError, InputError, SeveralPlates
from openhcs.io.folder import FolderFiles
from openhcs.microscopes.cellvoyager import CellVoyager
from openhcs.microscopes.protocol import NotMine

CV8000 = "cv8000-minimal-2c-3w-4s-4z"
CV7000 = "cv7000-timelapse-31z-metadata"
BTS = "{http://www.yokogawa.co.jp/BTS/BTSSchema/1.0}"


def read(folder) -> PlateIndex:
    index = CellVoyager().index(FolderFiles(folder))
    assert isinstance(index, PlateIndex), index
    return index


def keys(index, state=PlaneState.PRESENT):
    return [(plane.well, *plane.key) for plane in index.planes if plane.state is state]


def told(index, words):
    """Return the one warning that begins with these words."""
    (found,) = [warning for warning in index.warnings if warning.startswith(words)]
    return found


def walk(path):
    """Return the attributes and text of every record, by somebody else's parser."""
    records = ET.parse(path).getroot().findall(f"{BTS}MeasurementRecord")
    return [({key.removeprefix(BTS): value for key, value in one.attrib.items()}, one.text) for one in records]


@pytest.mark.parametrize(("name", "folder"), [(CV8000, "CV8000-Minimal-DataSet-2C-3W-4S-FP2-stack"), (CV7000, "")])
def test_planes_are_those_of_the_records(data, name, folder):
    index = read(data(name))
    begin = datetime.fromisoformat(index.acquisitions[0].start_time)
    records = {text: facts for facts, text in walk(data(name) / folder / MLF)}
    assert len(records) == len(index.planes)
    for plane in index.planes:
        facts = records[posixpath.basename(plane.source.path)]
        assert plane.source.path == posixpath.join(folder, posixpath.basename(plane.source.path))
        assert plane.well == f"{chr(64 + int(facts['Row']))}{int(facts['Column']):02d}"
        assert (plane.site, plane.channel, plane.z) == tuple(int(facts[key]) for key in ("FieldIndex", "Ch", "ZIndex"))
        assert plane.z_um == float(facts["Z"])
        after = datetime.fromisoformat(facts["Time"]) - begin
        assert plane.time_s == pytest.approx(after.total_seconds(), abs=0.001)
        x, y = index.positions[plane.well, plane.site]
        assert (x, y) == (float(facts["X"]), -float(facts["Y"]))


def test_a_cv8000_plate_is_whole(data):
    index = read(data(CV8000))
    assert index.name == "CV8000-Minimal-DataSet-2C-3W-4S-FP2-stack"
    assert index.wells == ("D08", "E03", "F08")
    assert (len(index.rows), len(index.columns)) == (8, 12)
    assert index.axes() == ((1,), (1, 2), (1, 2, 3, 4))
    assert {state.value: count for state, count in index.states.items() if count} == {"present": 96}
    assert (index.dtype, index.plane_shape) == ("uint16", (2000, 2000))
    assert (index.pixel_size_um, index.z_step_um) == ((0.325, 0.325), 3.0)
    assert (index.plate_type, index.barcode, index.instrument) == ("Cellvis #P96-1.5H-N", None, "CV8000")
    assert index.acquisitions[0].start_time == "2023-09-18T13:58:39.4014935+02:00"
    assert index.warnings == ()
    first, second = index.channels
    assert (first.name, first.excitation_nm, first.emission_nm, first.exposure_ms) == ("405", 405, 445, 100)
    assert (second.name, second.excitation_nm, second.emission_nm, second.color) == ("488", 488, 525, "00FFA1")
    assert (first.objective, first.magnification, first.binning) == ("20x v2", 20, (1, 1))
    assert (first.kind, first.numerical_aperture, first.z_offset_um) == ("confocalfluorescence", None, 0.0)


def test_corrections_of_a_cv8000_plate_are_no_planes_and_documents_are_kept(data):
    index = read(data(CV8000))
    reasons = Counter(one.reason for one in index.unmatched)
    assert reasons == {
        "dark image of a camera, for correction": 2,
        "shading of a channel, for correction": 4,
        "no image": 2,
    }
    assert sorted(posixpath.splitext(path)[1] for path in index.metadata_files) == [
        ".mes", ".mlf", ".mrf", ".wpi", ".wpp", ".xml", ".xml",
    ]  # fmt: skip


def test_a_cv7000_measurement_with_a_timeline_for_each_channel_is_no_time_lapse(data):
    index = read(data(CV7000))
    assert index.axes() == ((1,), (1, 2, 3, 4), tuple(range(1, 32)))
    assert index.states[PlaneState.MISSING] == 1984
    assert Counter((plane.well, plane.channel) for plane in index.planes) == {
        ("C03", 1): 496, ("D03", 2): 496, ("E03", 3): 496, ("F03", 4): 496,
    }  # fmt: skip
    assert index.sites("C03") == tuple(range(1, 17))
    assert (index.dtype, index.plane_shape, index.z_step_um) == ("uint16", (2160, 2560), 1.0)
    assert (index.instrument, index.plate_type) == ("CV7000 FM03", "Cellvis #P96-1.5H-N")
    assert [one.name for one in index.channels] == ["405", "488", "561", "640"]
    assert told(index, "time points are counted").endswith("4 numbers are 1 in time")
    assert told(index, "images that MeasurementData.mlf names and that are not there: 1984")
    snake = [index.positions["C03", site] for site in (1, 4, 5, 8, 16)]
    assert snake == [(-1350, -1350), (1350, -1350), (1350, -450), (-1350, -450), (-1350, 1350)]


def test_a_true_time_lapse_stays_one(tmp_path):
    index = read(write(tmp_path / "P", [image(ch=ch, time=t) for t in (1, 2, 3) for ch in (1, 2)]))
    assert index.axes() == ((1, 2, 3), (1, 2), (1,))
    assert {plane.time_s for plane in index.planes} == {0.0, 1.0, 2.0}
    assert index.acquisitions[0].start_time == "2025-03-03T13:17:01.250+01:00"


def test_a_time_lapse_of_two_timelines_in_turns_is_counted_in_each(tmp_path):
    records = [image(ch=1, time=t) for t in (1, 3)] + [image(ch=2, time=t, timeline=2) for t in (2, 4)]
    index = read(write(tmp_path / "P", records))
    assert index.axes() == ((1, 2), (1, 2), (1,))
    assert index.states[PlaneState.PRESENT] == 4
    assert index.states[PlaneState.NOT_ACQUIRED] == 0


def test_a_failure_of_focus_is_planes_that_were_not_recorded(tmp_path):
    records = [image("F06", field, ch, z) for field in (1, 3) for ch in (1, 2) for z in (1, 2)]
    records.insert(4, error("F06", "AF Error at F06 No. 2 (P1)", field=2))
    index = read(write(tmp_path / "P", records))
    assert keys(index, PlaneState.NOT_RECORDED) == [("F06", 0, 2, 1, ch, z) for ch in (1, 2) for z in (1, 2)]
    assert index.positions["F06", 2] == (-20.0, -25.0)
    assert told(index, "MeasurementData.mlf tells of failures: 1, such as 'AF Error at F06 No. 2 (P1)'")
    assert told(
        index, "planes that were to be taken and were not recorded: 4, such as channel 1, z 1 of field 2 in F06"
    )


def test_a_failure_that_names_no_field_is_the_whole_well(tmp_path):
    records = [image("A01", field, ch) for field in (1, 2) for ch in (1, 2)]
    index = read(write(tmp_path / "P", [*records, error("N09", "AF Error at N09 No. 0", PartialTileIndex="1")]))
    assert keys(index, PlaneState.NOT_RECORDED) == [("N09", 0, field, 1, ch, 1) for field in (1, 2) for ch in (1, 2)]
    assert (len(index.rows), len(index.columns)) == (16, 24)


def test_an_aborted_run_promises_what_its_actions_take_and_no_other_channel(tmp_path):
    wells = [f"{row}{column:02d}" for row in "AB" for column in range(1, 13)]
    setting = mes(
        [timeline(wells, [[2], [1]], points=3, slices=2)],
        [channel(number, f"C{number}", "BP525/50") for number in (1, 2, 3, 4)],
    )
    records = [image(well, field, ch, z) for well in wells[:5] for field in (1, 2, 3) for ch in (1, 2) for z in (1, 2)]
    index = read(write(tmp_path / "P", records[:-2], mes=setting))
    assert index.states[PlaneState.PRESENT] == 5 * 12 - 2
    assert index.states[PlaneState.NOT_RECORDED] == 19 * 12 + 2
    assert index.states[PlaneState.NOT_ACQUIRED] == 0
    assert [one.name for one in index.channels] == ["C1", "C2"]
    assert len(index.wells) == 24
    assert index.positions["B12", 3] == (300.0, -50.0)


def test_planes_of_a_channel_that_no_well_has_are_counted_from_the_setting(tmp_path):
    setting = mes([timeline(["A01"], [[1]], slices=3), timeline(["B01"], [[2]], slices=4)])
    index = read(write(tmp_path / "P", [image(z=z) for z in (1, 2, 3)], mes=setting))
    assert keys(index, PlaneState.NOT_RECORDED) == [("B01", 0, 1, 1, 2, z) for z in (1, 2, 3, 4)]


def test_a_second_timeline_of_the_same_channels_that_was_never_begun_comes_later(tmp_path):
    setting = mes([timeline(["A01"], [[1]]), timeline(["A01"], [[1]])])
    index = read(write(tmp_path / "P", [image(time=1), image(time=2)], mes=setting))
    assert keys(index, PlaneState.NOT_RECORDED) == [("A01", 0, 1, 3, 1, 1)]


def test_a_projection_that_was_promised_is_of_the_projections(tmp_path):
    setting = mes([timeline(["A01", "A02"], [[1]], slices=33, processing="Maximum")])
    index = read(write(tmp_path / "P", [image(ZImageProcessing="Maximum", Z="28")], mes=setting))
    assert [(one.number, one.name, one.projection) for one in index.acquisitions] == [(1, "projection", True)]
    assert keys(index, PlaneState.NOT_RECORDED) == [("A02", 1, 1, 1, 1, 1)]


def test_a_setting_of_another_measurement_promises_nothing(tmp_path):
    for number, (setting, why) in enumerate(
        [
            (mes([timeline(["A01"], [[3]])]), "no action of its timeline 1 takes channel 1"),
            (mes([timeline(["B01"], [[1]])]), "does not go to the well"),
            (mes([timeline(["A01"], [[1]])]), "has 1 points"),
            (mes([]), "has no timeline 1"),
        ]
    ):
        index = read(write(tmp_path / str(number), [image(field=2)], mes=setting))
        assert index.states[PlaneState.NOT_RECORDED] == 0
        assert why in told(index, "P1.mes is of another measurement")


def test_a_promise_beyond_belief_is_refused(tmp_path):
    setting = mes([timeline(["A01"], [[1], [2]], points=10_000, slices=90_000)])
    with pytest.raises(FormatError, match=r"P1.mes promises 900010000 planes and 1 are there"):
        read(write(tmp_path / "P", [image()], mes=setting))


def test_a_channel_without_planes_of_another_has_gaps_that_nobody_promised(tmp_path):
    records = [image(ch=6, z=z, action=2, Action="BF3D") for z in (1, 2, 3)] + [image(ch=1, Action="2D", Z="2.5")]
    setting = mes([timeline(["A01"], [[1], [6]], slices=3)])
    index = read(write(tmp_path / "P", records, mes=setting))
    assert index.states[PlaneState.NOT_RECORDED] == 0
    assert index.states[PlaneState.NOT_ACQUIRED] == 2
    assert [one.z_offset_um for one in index.channels] == [2.5, 0.0]


def test_projections_are_an_acquisition_of_their_own(tmp_path):
    records = [image(z=z) for z in (1, 2)]
    records.append(image(file="Projection\\P1_max.tif", ZImageProcessing="Maximum", ZTop="2", ZBottom="0", Z="1"))
    index = read(write(tmp_path / "P", records))
    assert [(one.number, one.name, one.projection) for one in index.acquisitions] == [
        (0, "0", False),
        (1, "projection", True),
    ]
    assert keys(index) == [("A01", 0, 1, 1, 1, 1), ("A01", 0, 1, 1, 1, 2), ("A01", 1, 1, 1, 1, 1)]
    assert index.z_step_um == 2.0


def test_a_channel_that_two_actions_took_is_kept_twice(tmp_path):
    records = [image(z=z) for z in (1, 2)] + [image(action=2)]
    index = read(write(tmp_path / "P", records))
    assert index.states[PlaneState.PRESENT] == 3
    assert told(index, "channels were taken more than once").endswith("acquisition of its own: action 2")


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("P1_a.tif", "P1_a.TIF"),
        ("P1_a.tif", "P1_a.tiff"),
        ("P1_a.tif", "p1_A.tif"),
        ("µClear 10/a.tif", "μClear 10/a.tif"),
        ("Image\\a.tif", "Image/a.TIF"),
        ("C:\\data\\P1\\a.tif", "a.tif"),
        ("../../P1_a.tif", "P1_a.tif"),
    ],
)
def test_an_image_is_found_without_regard_of_its_extension_or_spelling(tmp_path, name, there):
    folder = write(tmp_path / "P", [image(file=name)], files=False)
    put(folder / there)
    index = read(folder)
    assert keys(index) == [("A01", 0, 1, 1, 1, 1)]
    assert index.planes[0].source.path == there
    assert there in told(index, "images that MeasurementData.mlf names with another extension or spelling: 1")


def test_of_several_images_by_a_name_the_one_beside_is_taken_and_told(tmp_path):
    folder = write(tmp_path / "P", [image(file="a.tif")], files=False)
    for path in ("copies/a.tif", "a.tiff"):
        put(folder / path)
    index = read(folder)
    assert index.planes[0].source.path == "a.tiff"
    assert told(index, "images of which there are several").endswith("a.tif: a.tiff is taken, copies/a.tif is not")
    assert [one.path for one in index.unmatched] == ["copies/a.tif"]


def test_a_record_never_leads_out_of_the_folder(tmp_path):
    put(tmp_path / "secret.tif")
    index = read(write(tmp_path / "P", [image(file="../secret.tif")], files=False))
    assert index.states[PlaneState.MISSING] == 1
    assert index.planes[0].source.path == "secret.tif"


def test_images_that_are_absent_and_images_that_no_record_names_are_told_with_counts(tmp_path):
    folder = write(tmp_path / "P", [image(field=field) for field in (1, 2, 3)])
    for field in (1, 2):
        (folder / image(field=field)[1]).unlink()
    put(folder / image(field=4)[1])
    put(folder / "SC_BP525-50_20x_M01_CH02.tif")
    index = read(folder)
    assert (index.states[PlaneState.MISSING], index.states[PlaneState.PRESENT]) == (2, 1)
    assert told(index, "images that MeasurementData.mlf names and that are not there: 2, such as P1_A01_T0001F001")
    assert told(index, "images that MeasurementData.mlf does not name are left out: 1, such as P1_A01_T0001F004")
    assert {one.path: one.reason for one in index.unmatched} == {
        image(field=4)[1]: "MeasurementData.mlf does not name it",
        "SC_BP525-50_20x_M01_CH02.tif": "shading of a channel, for correction",
    }


def test_what_records_say_goes_before_names(tmp_path):
    index = read(write(tmp_path / "P", [image(time=2, file=image()[1])]))
    assert keys(index) == [("A01", 0, 1, 2, 1, 1)]
    assert told(index, "images whose time point in MeasurementData.mlf is another than in their name: 1")


def test_oddities_are_told(tmp_path):
    records = [
        image(X="100", PartialTileIndex="1"),
        image(ch=2, X="500", file=image()[1], PartialTileIndex="2", Time="yesterday"),
    ]
    detail = mrf(
        TimePointCount=3,
        label="1009-µ",
        channels="".join(
            f'<bts:MeasurementChannel bts:Ch="{ch}" bts:HorizontalPixelDimension="{size}" '
            f'bts:VerticalPixelDimension="{size}" />'
            for ch, size in ((1, 0.325), (2, 0.65))
        ),
    )
    index = read(write(tmp_path / "P", records, mrf=detail))
    assert told(index, "files that MeasurementData.mlf names for several planes: 1")
    assert told(index, "fields are tiles of 2 larger areas (PartialTileIndex)")
    assert told(index, "fields whose images lie more than 10 µm apart, told where the first lies: 1")
    assert told(index, "time stamps that cannot be read: 1, such as 'yesterday'")
    assert told(index, "time points that were to be taken: 3, and 1 were")
    assert told(index, "channels differ in the size of their pixels: 0.325 × 0.325 and 0.65 × 0.65 µm")
    assert (index.name, index.barcode) == ("P1", "1009-µ")
    assert [plane.time_s for plane in index.planes] == [1.25, None]


def test_stacks_of_different_steps_are_told(tmp_path):
    records = [image(ch=1, z=z, Z=z * 5.0) for z in (1, 2)] + [image(ch=c, z=z) for c in (2, 3) for z in (1, 2, 3)]
    index = read(write(tmp_path / "P", records))
    assert index.z_step_um == 2.0
    assert told(index, "channels differ in the distance of their planes: 2 and 5 µm; 2 is taken")


def test_a_plate_without_a_label_has_no_barcode(tmp_path):
    index = read(write(tmp_path / "P", [image()], mrf=mrf(label="NoPlateID", Title="20251201T134840_MIP_Only")))
    assert (index.name, index.barcode) == ("20251201T134840_MIP_Only", None)


def test_a_measurement_that_names_no_image_is_refused(tmp_path):
    with pytest.raises(FormatError, match=r"names no image.*tells of 1 failures"):
        read(write(tmp_path / "P", [error("A01", "AF Error")]))


def test_images_without_records_are_read_by_their_names(tmp_path):
    folder = write(tmp_path / "P", [image("C03", 2, 3, 4, action=5), image("D03", 2, 3, 4)], mrf=mrf())
    (folder / MLF).unlink()
    put(folder / "DC_DCAM#1_CAM3.tif")
    index = read(folder)
    assert keys(index) == [("C03", 0, 2, 1, 3, 4), ("D03", 0, 2, 1, 3, 4)]
    assert (index.name, len(index.rows), len(index.columns)) == ("P1", 8, 12)
    assert told(index, "no MeasurementData.mlf")
    assert [one.reason for one in index.unmatched] == ["dark image of a camera, for correction"]
    assert index.states[PlaneState.MISSING] == 0


def test_names_alone_count_time_within_timelines_as_records_do(tmp_path):
    for timeline_number in (1, 2):
        name = image(ch=timeline_number, time=timeline_number, timeline=timeline_number)[1]
        put(tmp_path / "P" / name)
    assert read(tmp_path / "P").axes() == ((1,), (1, 2), (1,))


def test_a_plate_of_the_cq1_is_read_by_its_records_and_by_its_names(tmp_path):
    records = [image("C05", z=z, file=f"Image/W0029F0001T0001Z00{z}C1.tif") for z in (1, 2)]
    records.append(image("C05", file="Projection\\W0029F0001T0001Z000C1.tif", ZImageProcessing="Maximum"))
    folder = write(tmp_path / "P", records, mrf=mrf(label="NoPlateID"))
    expected = [("C05", 0, 1, 1, 1, 1), ("C05", 0, 1, 1, 1, 2)]
    assert keys(read(folder)) == [*expected, ("C05", 1, 1, 1, 1, 1)]
    (folder / MLF).unlink()
    by_name = read(folder)
    assert keys(by_name) == [*expected, ("C05", 1, 1, 1, 1, 0)]
    assert [one.projection for one in by_name.acquisitions] == [False, True]
    (folder / "MeasurementDetail.mrf").unlink()
    alone = read(folder)
    assert (alone.wells, len(alone.columns)) == (("C05",), 12)
    assert told(alone, "no document tells the size of the plate: wells are numbered up to W0029")


def test_images_of_one_plate_in_several_folders_are_one_plate(tmp_path):
    for ch in (1, 2):
        put(tmp_path / "P" / f"C{ch}" / image(ch=ch)[1])
    assert len(keys(read(tmp_path / "P"))) == 2


def test_several_plates_are_refused(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / name, [image()])
    with pytest.raises(SeveralPlates) as caught:
        read(tmp_path)
    assert caught.value.places == ("one", "two")
    (tmp_path / "two" / MLF).unlink()
    with pytest.raises(SeveralPlates):
        read(tmp_path)
    (tmp_path / "one" / MLF).unlink()
    with pytest.raises(SeveralPlates):
        read(tmp_path)
    put(tmp_path / "two" / image()[1].replace("P1_", "P2_"))
    with pytest.raises(InputError, match="images of 2 plates: P1, P2"):
        read(tmp_path / "two")


def test_a_folder_of_others_is_none_of_cellvoyagers(tmp_path):
    put(tmp_path / "P1_A01_s1_w1.TIF")
    (tmp_path / MLF).write_text("<Other/>")
    found = CellVoyager().index(FolderFiles(tmp_path))
    assert isinstance(found, NotMine)
    assert "MeasurementData.mlf" in found.why
