"""Plates of HCS.ai: what tables name and do not, units of a run, names alone, folders that are no part of it."""

from __future__ import annotations

import json
import shutil

import pytest

from openhcs.core.plate import PlateIndex
from openhcs.errors import FormatError, InputError, SeveralPlates
from openhcs.io.folder import FolderFiles
from openhcs.microscopes import look
from openhcs.microscopes.imagexpress_hcsai import ImageXpressHCSai
from openhcs.microscopes.protocol import NotMine
from openhcs.testing.synthetic import make_plate

TABLE = "experiment/image_metadata_1.csv"


def made(folder, **more):
    return make_plate(folder, layout="imagexpress_hcsai", size=(16, 16), **{"wells": 1, "sites": 1, **more})


def index_of(folder) -> PlateIndex:
    found = ImageXpressHCSai().index(FolderFiles(folder))
    assert isinstance(found, PlateIndex), found
    return found


def states(index):
    return {state.value: count for state, count in index.states.items() if count}


def change(folder, document="experiment/P.jdce"):
    """Return a document as JSON, and what writes it back."""
    path = folder / document
    told = json.loads(path.read_text(encoding="utf-8"))
    return told["ImageStack"], lambda: path.write_text(json.dumps(told), encoding="utf-8")


def drop(folder, keep, table=TABLE):
    """Keep only those rows of a table that a function likes."""
    head, *rows = (folder / table).read_text(encoding="utf-8").splitlines()
    names = head.split(",")
    kept = [row for row in rows if keep(dict(zip(names, row.split(","), strict=True)))]
    (folder / table).write_text("\n".join([head, *kept]), encoding="utf-8")


def test_files_that_a_table_names_and_that_are_not_there_are_missing(tmp_path):
    index = index_of(made(tmp_path / "P", wells=2, sites=2, z=3, t=2, missing=5))
    assert states(index) == {"present": 2 * 2 * 2 * 3 * 2 - 5, "missing": 5}
    assert index.axes(0) == ((0, 1), (0, 1), (0, 1, 2))
    assert index.sites("A01") == (0, 1)
    assert (index.name, index.z_step_um, index.pixel_size_um) == ("P", 2.0, (0.65, 0.65))
    assert (index.plane_shape, index.dtype) == ((16, 16), "uint16")
    assert [(one.number, one.name, one.exposure_ms, one.binning) for one in index.channels] == [
        (0, "DAPI", 100, (1, 1)),
        (1, "FITC", 100, (1, 1)),
    ]
    first = index.planes[0]
    assert (first.z_um, first.time_s, index.acquisitions[0].start_time) == (1002, 0, "2024-01-31T08:30:00.000+00:00")
    assert index.metadata_files == ("experiment/P.jdce", TABLE, "scan.mxprotocol")
    assert index.warnings == ()


def test_what_the_document_promises_and_no_table_names_is_not_recorded(tmp_path):
    plate = made(tmp_path / "P", sites=2, z=3, t=2)
    drop(plate, lambda row: row["ZIndex"] != "2" or row["Field"] != "1")
    drop(plate, lambda row: row["Timepoint"] == "0")
    for path in plate.glob("experiment/timepoint1/*"):
        path.unlink()
    index = index_of(plate)
    assert states(index) == {"present": 10, "not_recorded": 12 + 2}
    assert any("no table names are left out: 2" in warning for warning in index.warnings)


def test_a_wavelength_of_fewer_time_points_is_of_another_schedule(tmp_path):
    plate = made(tmp_path / "P", t=3)
    drop(plate, lambda row: row["Wavelength"] == "0" or row["Timepoint"] == "0")
    assert states(index_of(plate)) == {"present": 4, "not_acquired": 2}


def test_a_schedule_that_varies_promises_nothing(tmp_path):
    plate = made(tmp_path / "P")
    stack, write = change(plate)
    stack["AutoLeadAcquisitionProtocol"]["PlateMap"]["TimeSchedule"] = {
        "Enabled": True,
        "NumberOfTimepoints": 9,
        "Variable": True,
    }
    write()
    assert states(index_of(plate)) == {"present": 2}


def test_a_wavelength_that_no_table_names_is_promised_once(tmp_path):
    plate = made(tmp_path / "P", z=2)
    drop(plate, lambda row: row["Wavelength"] == "0")
    index = index_of(plate)
    assert states(index) == {"present": 2, "not_recorded": 2}
    assert [one.name for one in index.channels] == ["DAPI", "FITC"]


def test_a_row_without_a_file_was_not_recorded(tmp_path):
    plate = made(tmp_path / "P")
    path = plate / TABLE
    path.write_text(path.read_text(encoding="utf-8").replace("scan_t0_A01_s0_w1_z0.tif", ""), encoding="utf-8")
    assert states(index_of(plate)) == {"present": 1, "not_recorded": 1}


def test_an_absurd_promise_is_refused(tmp_path):
    plate = made(tmp_path / "P")
    stack, write = change(plate)
    stack["AutoLeadAcquisitionProtocol"]["PlateMap"]["TimeSchedule"] = {"Enabled": True, "NumberOfTimepoints": 100_000}
    write()
    with pytest.raises(FormatError, match=r"P\.jdce promises 200000 planes and 2 are there"):
        index_of(plate)


def test_autofocus_and_montage_are_no_part_of_the_plate(tmp_path):
    plate = made(tmp_path / "P")
    shutil.copytree(plate / "experiment", plate / "experiment_montage")
    shutil.copytree(plate / "experiment" / "timepoint0", plate / "autofocus", dirs_exist_ok=True)
    index = index_of(plate)
    assert len(index.planes) == 2
    assert "5 files of autofocus or montage are left out" in index.why
    assert {one.reason for one in index.unmatched if one.path.endswith(".tif")} == {
        "of the autofocus or a stitched image, no part of the plate"
    }
    assert len(index_of(plate / "experiment_montage").planes) == 2
    shutil.rmtree(plate / "experiment")
    with pytest.raises(InputError, match="name that folder itself"):
        index_of(plate)


def test_stacks_and_their_projections_are_one_plate(tmp_path):
    plate = made(tmp_path / "P", z=3)
    (plate / "experiment").rename(plate / "experiment_z_stack")
    flat = made(tmp_path / "Q", name="P") / "experiment"
    stack, write = change(tmp_path / "Q")
    for wave in stack["AutoLeadAcquisitionProtocol"]["Wavelengths"]:
        wave |= {"ImagingMode": "3-D", "ZSlice": 3}
    write()
    for path in (flat / "timepoint0").iterdir():
        path.rename(path.with_name(path.name.replace("scan_t", "scan_projection_t")))
    table = flat / "image_metadata_1.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("scan_t", "scan_projection_t"), encoding="utf-8")
    shutil.move(flat, plate / "experiment")
    index = index_of(plate)
    assert [(one.name, one.projection) for one in index.acquisitions] == [("0", False), ("projection", True)]
    assert index.axes(0) == ((0,), (0, 1), (0, 1, 2))
    assert index.axes(1) == ((0,), (0, 1), (0,))
    assert states(index) == {"present": 8}
    assert index.warnings == ()


def test_single_planes_of_stacks_are_kept_with_the_projections_and_others_with_the_planes(tmp_path):
    plate = made(tmp_path / "P", z=3)
    (plate / "experiment").rename(plate / "experiment_z_stack")
    drop(plate, lambda row: row["Wavelength"] == "0", "experiment_z_stack/image_metadata_1.csv")
    for path in plate.glob("experiment_z_stack/*/*_w1_*"):
        path.unlink()
    shutil.move(made(tmp_path / "Q", name="P") / "experiment", plate / "experiment")
    index = index_of(plate)
    assert {(one.acquisition, one.channel, one.z) for one in index.planes} == {
        (0, 0, 0),
        (0, 0, 1),
        (0, 0, 2),
        (0, 1, 0),
        (1, 0, 0),
    }
    assert "kept with the projections: 1" in index.warnings[0]
    assert states(index) == {"present": 5, "not_acquired": 2}


def test_projections_alone_are_projections(tmp_path):
    plate = made(tmp_path / "P")
    stack, write = change(plate)
    for wave in stack["AutoLeadAcquisitionProtocol"]["Wavelengths"]:
        wave |= {"ImagingMode": "Max Intensity Projection", "ZSlice": 11, "ZStep": 3.0}
    write()
    index = index_of(plate)
    assert [one.name for one in index.acquisitions] == ["projection"]
    assert states(index) == {"present": 2}


def test_a_protocol_may_be_called_a_projection_test(tmp_path):
    plate = made(tmp_path / "P")
    for path in (plate / "experiment" / "timepoint0").iterdir():
        path.rename(path.with_name(path.name.replace("scan_t", "a_projection_test_t")))
    path = plate / TABLE
    path.write_text(path.read_text(encoding="utf-8").replace("scan_t", "a_projection_test_t"), encoding="utf-8")
    assert index_of(plate).axes(0) == ((0,), (0, 1), (0,))


def test_several_runs_are_told_apart(tmp_path):
    for name in ("run1", "run2"):
        made(tmp_path / name)
    with pytest.raises(SeveralPlates, match="2 plates: run1, run2"):
        index_of(tmp_path)
    shutil.move(tmp_path / "run2" / "experiment", tmp_path / "run1" / "experiment_z_stack")
    with pytest.raises(SeveralPlates, match="2 plates: experiment, experiment_z_stack"):
        index_of(tmp_path / "run1")


def test_names_alone_make_a_plate_in_which_nothing_is_missing(tmp_path):
    plate = made(tmp_path / "P", wells=2, z=2, missing=1)
    for path in ("experiment/P.jdce", TABLE):
        (plate / path).unlink()
    for place in (plate, plate / "experiment", plate / "experiment" / "timepoint0"):
        index = index_of(place)
        assert (index.name, index.warnings) == ("scan", ())
        assert states(index) == {"present": 7, "not_acquired": 1}
        assert index.axes(0) == ((0,), (0, 1), (0, 1))


def test_names_fill_in_for_a_table_that_is_not_there(tmp_path):
    plate = made(tmp_path / "P")
    (plate / TABLE).unlink()
    index = index_of(plate)
    assert states(index) == {"present": 2}
    assert [one.name for one in index.channels] == ["DAPI", "FITC"]
    assert index.positions == {}
    assert "tables of images are not there: image_metadata_1.csv" in index.warnings[0]


def test_other_tables_files_and_letters_are_told(tmp_path):
    plate = made(tmp_path / "P")
    folder = plate / "experiment" / "timepoint0"
    shutil.copy(plate / TABLE, plate / "experiment" / "image_metadata_2.csv")
    (folder / "scan_t0_A01_s0_w0_z0.tif").rename(folder / "SCAN_t0_A01_s0_w0_z0.TIF")
    shutil.copy(folder / "scan_t0_A01_s0_w1_z0.tif", folder / "scan_t0_A02_s0_w1_z0.tif")
    stack, write = change(plate)
    stack["AutoLeadAcquisitionProtocol"]["CollectionComplete"] = False
    write()
    index = index_of(plate)
    assert states(index) == {"present": 2}
    assert [warning.split(":")[0] for warning in index.warnings] == [
        "images that no table names are left out",
        "files are there in another case of letters",
        "experiment/P.jdce says that the collection was not completed",
        "tables that no document lists are not read",
    ]


def test_two_documents_that_differ_are_refused_and_equal_ones_are_one(tmp_path):
    plate = made(tmp_path / "P")
    shutil.copy(plate / "experiment/P.jdce", plate / "experiment/Q.jdce")
    assert len(index_of(plate).planes) == 2
    (plate / "experiment/Q.jdce").write_text("{}", encoding="utf-8")
    with pytest.raises(FormatError, match=r"holds 2 \.jdce documents: experiment/P\.jdce, experiment/Q\.jdce"):
        index_of(plate)


def test_a_table_never_leads_outside(tmp_path):
    made(tmp_path / "Q", name="P")
    plate = made(tmp_path / "P")
    path = plate / TABLE
    text = path.read_text(encoding="utf-8").replace(
        "timepoint0,scan_t0_A01_s0_w0", "../../Q/experiment/timepoint0,scan_t0_A01_s0_w0"
    )
    path.write_text(text.replace("scan_t0_A01_s0_w1", "/etc/scan_t0_A01_s0_w1"), encoding="utf-8")
    index = index_of(plate)
    assert {one.source.path for one in index.planes} == {
        f"experiment/timepoint0/scan_t0_A01_s0_w{wave}_z0.tif" for wave in (0, 1)
    }


def test_a_document_whose_tables_name_nothing_is_refused(tmp_path):
    plate = made(tmp_path / "P")
    drop(plate, lambda row: False)
    with pytest.raises(FormatError, match=r"P\.jdce and its tables name no image"):
        index_of(plate)


def test_damage_is_told_and_no_other_layout_is_tried(tmp_path):
    plate = made(tmp_path / "P")
    (plate / "experiment/P.jdce").write_text('{"ImageStack": ', encoding="utf-8")
    with pytest.raises(FormatError, match=r"P\.jdce is no JSON document"):
        look(FolderFiles(plate))


def test_folders_of_others_are_not_its_own(tmp_path):
    plate = make_plate(tmp_path / "P", wells=1, sites=1, size=(16, 16))
    found = ImageXpressHCSai().index(FolderFiles(plate))
    assert isinstance(found, NotMine)
    assert "scan_t0_C05_s0_w0_z0.tif" in found.why
    shutil.copy(next(plate.rglob("*_w1.TIF")), plate / "scan_t0_C05_s0_w0_z0.tif")
    found = ImageXpressHCSai().index(FolderFiles(plate))
    assert isinstance(found, NotMine)
    assert "1 of 3 TIFFs" in found.why


def test_it_is_found_before_names_are_asked_about(tmp_path):
    assert look(FolderFiles(made(tmp_path / "P"))).microscope == "imagexpress_hcsai"
