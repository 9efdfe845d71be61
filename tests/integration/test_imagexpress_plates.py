"""Real ImageXpress plates: what their owners say of them, and what other readers make of the same files."""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, VariableComponents, convert, open_plate
from openhcs.core.plate import PlaneState
from openhcs.io.folder import FolderFiles
from openhcs.microscopes import detect
from openhcs.steps import max_projection
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from openhcs.core.plate import Plane, PlateIndex

    Data = Callable[[str], Path]

EXPORTED = ("imagexpress-9987-plate3434-zmixed", "imagexpress-9987-plate3420-single")
KEPT = ("imagexpress-projection-mix", "imagexpress-single-channel-guid")


def index_of(folder: Path) -> PlateIndex:
    return detect(FolderFiles(folder))


def told(folder: Path, plane: Plane) -> dict[str, object]:
    with tifffile.TiffFile(folder / plane.source.path) as tif:
        return tif.metaseries_metadata["PlaneInfo"]


def reasons(index: PlateIndex) -> Counter[str]:
    return Counter(one.reason.split(" as ")[0].split(" of ")[0] for one in index.unmatched)


def states(index: PlateIndex) -> dict[str, int]:
    return {state.value: count for state, count in index.states.items() if count}


def test_a_mixed_export_is_what_its_owner_says(data: Data) -> None:
    """w1: planes and projection, w2: projection only, w3 one plane, w4 absent; three steps promised, two there."""
    index = index_of(data(EXPORTED[0]))
    assert (index.microscope, index.name) == ("imagexpress", "9987")
    assert index.wells == ("B02", "B03")
    assert {index.sites(well) for well in index.wells} == {(1, 2)}
    assert (len(index.rows), len(index.columns)) == (8, 12)
    assert index.axes(0) == ((1,), (1, 3, 4), (1, 2, 3))
    assert index.axes(1) == ((1,), (1, 2), (1,))
    assert [(one.name, one.projection) for one in index.acquisitions] == [("0", False), ("projection", True)]
    present = Counter((p.acquisition, p.channel, p.z) for p in index.planes if p.state is PlaneState.PRESENT)
    assert present == {(0, 1, 1): 4, (0, 1, 2): 4, (0, 3, 1): 4, (1, 1, 1): 4, (1, 2, 1): 4}
    promised = Counter((p.acquisition, p.channel, p.z) for p in index.planes if p.state is PlaneState.NOT_RECORDED)
    assert promised == {(0, 1, 3): 4, (0, 4, 1): 4}
    assert index.states[PlaneState.MISSING] == 0


def test_a_mixed_export_tells_its_copies(data: Data) -> None:
    index = index_of(data(EXPORTED[0]))
    assert reasons(index) == {"the same image": 16, "no image": 2}
    assert [warning.split(":")[0] for warning in index.warnings] == ["wave 2", "wave 3"]
    assert all("copies left out: 8" in warning for warning in index.warnings)
    assert len(index.metadata_files) == 5
    assert index.metadata_files[0] == "9987_Plate_3434/9987.HTD"


def test_a_mixed_export_tells_how_it_was_taken(data: Data) -> None:
    index = index_of(data(EXPORTED[0]))
    assert [(one.number, one.name, one.emission_nm) for one in index.channels] == [
        (1, "DAPI", 452),
        (2, "FITC", 520),
        (3, "Texas Red", 624),
        (4, "Cy5", None),
    ]
    first = index.channels[0]
    assert (first.exposure_ms, first.binning, first.objective) == (100, (8, 8), "40X Plan Apo Lambda")
    assert (first.magnification, first.numerical_aperture) == (40, 0.95)
    assert (index.pixel_size_um, index.z_step_um) == ((1.3672, 1.3672), 3)
    assert (index.plate_type, index.barcode) == ("PlateType 2", "6f0ba473-d18a-4a31-8db8-e2087bc78145")
    assert index.instrument == "ImageXpress Micro, serial number 5165008"
    assert index.acquisitions[0].start_time == "2024-07-09T13:13:03.006"
    assert "1t-2w-2s-4c-3z mixed; DAPI: 3z + MIP" in index.why


def test_a_plate_of_one_plane(data: Data) -> None:
    index = index_of(data(EXPORTED[1]))
    assert [plane.name for plane in index.planes] == ["B02_s1_c1_z1_t1"]
    assert (index.dtype, index.plane_shape, index.pixel_size_um) == ("uint16", (256, 256), (1.3672, 1.3672))
    assert (index.z_step_um, len(index.rows), len(index.columns)) == (None, 8, 12)
    assert [one.name for one in index.channels] == ["DAPI"]
    assert states(index) == {"present": 1}
    assert index.warnings == ()


def test_the_database_keeps_projections_above_the_steps(data: Data) -> None:
    """w1: ten planes and a projection, w3: a projection only, w4: one plane; w2 was left out."""
    index = index_of(data(KEPT[0]))
    assert (index.name, index.wells, index.sites("E07")) == ("Projection-Mix", ("E07",), (1,))
    assert index.axes(0) == ((1,), (1, 4), tuple(range(1, 11)))
    assert index.axes(1) == ((1,), (1, 3), (1,))
    assert states(index) == {"present": 13, "not_acquired": 9}
    assert Counter((p.acquisition, p.channel) for p in index.planes) == {(0, 1): 10, (0, 4): 1, (1, 1): 1, (1, 3): 1}
    assert [(one.number, one.name) for one in index.channels] == [(1, "FITC_05"), (3, "FITC_05-3"), (4, "FITC_05-4")]
    assert (index.pixel_size_um, index.z_step_um, index.plane_shape) == ((1.3668, 1.3668), 5, (512, 512))
    assert index.positions == {("E07", 1): (79813.4, 41385.4)}
    assert (index.barcode, index.plate_type) == ("1334", None)
    assert reasons(index) == {"a thumbnail": 13, "no image": 2}
    assert "13 thumbnails" in index.why
    assert index.warnings == ()


def test_one_wave_in_the_database_has_no_wave_in_its_names(data: Data) -> None:
    index = index_of(data(KEPT[1]))
    assert index.wells == ("E07", "E08")
    assert index.axes(0) == ((1,), (1,), (1, 2))
    assert index.axes(1) == ((1,), (1,), (1,))
    assert states(index) == {"present": 6}
    assert reasons(index) == {"a thumbnail": 7, "no image": 2}
    assert index.positions == {("E07", 1): (79813.4, 41385.4), ("E08", 1): (88813.4, 41385.4)}


@pytest.mark.parametrize("name", [*EXPORTED, *KEPT])
def test_heights_places_and_times_are_those_that_tifffile_reads(data: Data, name: str) -> None:
    folder = data(name)
    index = index_of(folder)
    start = datetime.fromisoformat(index.acquisitions[0].start_time)
    for plane in index.planes:
        if plane.source is None:
            continue
        facts = told(folder, plane)
        assert facts["stage-label"] == f"{plane.well} : Site {plane.site}"
        assert plane.z_um == pytest.approx(facts["z-position"], abs=1e-3)
        assert index.positions[plane.well, plane.site] == (facts["stage-position-x"], facts["stage-position-y"])
        assert ("Z Projection Method" in facts) is (plane.acquisition == 1)
        assert plane.acquisition == 1 or facts.get("Z Step", 1) == plane.z
        taken = datetime.fromisoformat(str(facts["acquisition-time-local"]))
        assert plane.time_s == pytest.approx((taken - start).total_seconds(), abs=1e-3)


def test_y_of_the_stage_grows_with_the_row(data: Data) -> None:
    """The HCS.ai document says where A01 is from the plate's upper edge; C05 lies lower and further right."""
    folder = data("imagexpress-hcsai-jdce-metadata") / "experiment"
    plate = json.loads((folder / "1w1s1t1c1z_binning4x4.jdce").read_text())["ImageStack"]["AutoLeadAcquisitionProtocol"]
    corner, pitch = plate["Plate"]["TopLeftWellCenterOffset"], plate["Plate"]["WellSpacing"]
    (row,) = csv.DictReader((folder / "image_metadata_1.csv").read_text().splitlines())
    x, y = index_of(folder).positions["C05", 0]
    # The document calls these µm; they are mm.
    centre = [(corner[axis] + place * pitch[axis]) * 1000 for axis, place in (("Horizontal", 4), ("Vertical", 2))]
    assert x == pytest.approx(centre[0] + float(row["FieldOffsetPointX"]), abs=0.1)
    assert y == pytest.approx(centre[1] + float(row["FieldOffsetPointY"]), abs=0.1)


def test_an_hcsai_document_without_pixels(data: Data) -> None:
    """Well C05, site 0, wavelength 0, z 0, time 0, 576 x 576, binning 4 x 4; the image is not there."""
    index = index_of(data("imagexpress-hcsai-jdce-metadata"))
    assert index.microscope == "imagexpress_hcsai"
    assert index.name == "1w1s1t1c1z_binning4x4 2026-03-02, 13:57:52"
    assert [plane.name for plane in index.planes] == ["C05_s0_c0_z0_t0"]
    assert states(index) == {"missing": 1}
    assert index.planes[0].source.path == "experiment/timepoint0/test_data_t0_C05_s0_w0_z0.tif"
    assert index.planes[0].z_um == 18444.72
    assert (index.plane_shape, index.pixel_size_um, index.z_step_um) == ((576, 576), (1.294, 1.294), None)
    assert (len(index.rows), len(index.columns)) == (8, 12)
    assert index.positions == {("C05", 0): (50027.34, 30045.34)}
    (channel,) = index.channels
    assert (channel.number, channel.name, channel.emission_nm, channel.exposure_ms) == (0, "DAPI", 440, 10)
    assert (channel.objective, channel.magnification, channel.binning) == ("20X Plan Apo Lambda D", 20, (4, 4))
    assert (index.plate_type, index.barcode) == ("Ibidi µ-Plate 96 Well Square 89626", None)
    assert index.instrument == "MetaXpress Acquire 2025.2.0.5237"
    assert index.acquisitions[0].start_time == "2026-03-02T12:57:52.450+00:00"
    assert index.metadata_files == ("experiment/1w1s1t1c1z_binning4x4.jdce", "experiment/image_metadata_1.csv")


@pytest.mark.parametrize("layout", ["imagexpress", "imagexpress_database", "imagexpress_hcsai"])
def test_made_plates_come_back_pixel_by_pixel_with_their_own_numbers(tmp_path: Path, layout: str) -> None:
    made = make_plate(tmp_path / "P1", layout=layout, wells=2, z=2, t=2, size=(24, 40), missing=1)
    index = index_of(made)
    done = convert(made, tmp_path / "out.zarr", config=GlobalPipelineConfig(missing="fill", num_workers=1))
    assert done.ok
    found = index_of(tmp_path / "out.zarr")
    assert found.acquisitions == index.acquisitions
    assert {acquisition.number: found.axes(acquisition.number) for acquisition in found.acquisitions} == {
        acquisition.number: index.axes(acquisition.number) for acquisition in index.acquisitions
    }
    there = {(plane.well, plane.key): plane for plane in index.planes if plane.state is PlaneState.PRESENT}
    assert len(there) == 2 * 2 * 2 * 2 * 2 - 1 + (16 if layout == "imagexpress_database" else 0)
    plate = open_plate(tmp_path / "out.zarr")
    for (well, (acquisition, site, t, channel, z)), plane in there.items():
        pixels = plate[well].site(site, acquisition=acquisition).channel(channel).z(z).t(t).read()
        assert np.array_equal(pixels.squeeze(), tifffile.imread(made / plane.source.path))


def test_a_pipeline_runs_on_numbers_that_start_at_0(tmp_path: Path) -> None:
    made = make_plate(tmp_path / "P1", layout="imagexpress_hcsai", wells=1, sites=1, z=3, size=(24, 40))
    step = FunctionStep(max_projection, variable_components=[VariableComponents.Z_INDEX], out="one")
    assert PipelineOrchestrator(made, output=tmp_path / "out").run([step]).ok
    found = index_of(tmp_path / "out" / "images.zarr")
    assert found.axes(0) == ((0,), (0, 1), (0,))
    for channel in (0, 1):
        stack = [tifffile.imread(path) for path in sorted(made.glob(f"experiment/timepoint0/*_w{channel}_z?.tif"))]
        pixels = open_plate(tmp_path / "out" / "images.zarr")["A01"].site(0).channel(channel).read()
        assert len(stack) == 3
        assert np.array_equal(pixels.squeeze(), np.max(stack, axis=0))
