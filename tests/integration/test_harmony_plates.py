"""Real Harmony plates as their owners describe them, field by field against their own tables and a bare XML walk."""

from __future__ import annotations

import csv
import shutil
from datetime import datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from harmony import path_of, read
from openhcs import convert, open_plate
from openhcs.core.plate import PlaneState
from openhcs.core.wells import parse_well
from openhcs.testing.layouts.harmony_index import CHANNEL_RISE_UM
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from openhcs.core.plate import Channel, Plane, PlateIndex

    Data = Callable[[str], Path]

V5, V7 = "opera-phenix-harmonyv5-br00122249-partial", "opera-phenix-harmonyv7-index-only"
TABLES = ((V5, "load_data_version5.csv"), (V7, "load_data_version7.csv"))
NOT_HELD = ("PathName", "AbsPositionZ", "MaxIntensity")
"""A path of the table's own repository; PositionZ together with the height of focus; what stands in for the dtype."""


def test_every_cell_of_the_owners_tables_is_what_is_read(data: Data) -> None:
    for name, table in TABLES:
        index = read(data(name))
        (row,) = csv.DictReader((data(name) / table).read_text("utf-8").splitlines())
        stains = [key.removeprefix("FileName_") for key in row if key.startswith("FileName_")]
        by_stain = {row[f"FileName_{stain}"]: stain for stain in stains}
        planes = {by_stain[path_of(plane).removeprefix("Images/")]: plane for plane in index.planes}
        compared = []
        for key, cell in row.items():
            fact = key.removeprefix("Metadata_")
            stain = next((one for one in stains if fact.endswith(f"_{one}")), None)
            fact = fact.removesuffix(f"_{stain}")
            if fact not in NOT_HELD:
                compared.append(key)
                for plane in [planes[stain]] if stain else planes.values():
                    held = facts(index, plane)[fact]
                    assert held == (pytest.approx(float(cell), abs=1e-9) if isinstance(held, float) else cell), key
        assert len(compared) == len(row) - 2 * len(stains) - 1


def facts(index: PlateIndex, plane: Plane) -> dict[str, Any]:
    """Return what is held of a plane, in the table's words and units: metres, seconds, y up."""
    channel: Channel = index.channel(plane.channel)
    row, column = parse_well(plane.well)
    x, y = index.positions[plane.well, plane.site]
    assert index.pixel_size_um is not None
    assert index.plane_shape is not None
    assert channel.binning is not None
    assert plane.z_um is not None
    assert channel.exposure_ms is not None
    return {
        "Plate": index.name,
        "Well": plane.well,
        "Site": str(plane.site),
        "Row": str(row + 1),
        "Col": str(column + 1),
        "FieldID": str(plane.site),
        "PlaneID": str(plane.z),
        "ChannelID": str(plane.channel),
        "FileName": path_of(plane).removeprefix("Images/"),
        "ChannelName": channel.name,
        "BinningX": str(channel.binning[1]),
        "BinningY": str(channel.binning[0]),
        "ExposureTime": channel.exposure_ms / 1e3,
        "MainExcitationWavelength": channel.excitation_nm or 0.0,
        "MainEmissionWavelength": channel.emission_nm or 0.0,
        "ObjectiveMagnification": channel.magnification,
        "ObjectiveNA": channel.numerical_aperture,
        "ImageResolutionX": index.pixel_size_um[1] / 1e6,
        "ImageResolutionY": index.pixel_size_um[0] / 1e6,
        "ImageSizeX": str(index.plane_shape[1]),
        "ImageSizeY": str(index.plane_shape[0]),
        "PositionX": x / 1e6,
        "PositionY": -y / 1e6,
        "PositionZ": plane.z_um / 1e6,
        "AbsTime": Moment(index.acquisitions[0].start_time or "", plane.time_s or 0.0),
    }


class Moment:
    """A start and seconds after it: equal to a written time of the same moment, to the millisecond."""

    def __init__(self, start: str, seconds: float) -> None:
        self._at = datetime.fromisoformat(start).timestamp() + seconds

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and abs(datetime.fromisoformat(other).timestamp() - self._at) < 1e-3

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("name", [V5, V7, "operetta-sonata-2-fields"])
def test_every_image_of_an_index_is_a_plane(data: Data, name: str) -> None:
    folder = data(name)
    index = read(folder)
    (document,) = folder.rglob("Index*.xml")
    root = ET.parse(document).getroot()
    walked = [
        {child.tag.rpartition("}")[2]: child.text for child in image}
        for image in root.iter()
        if image.tag.endswith("}Image") and len(image)
    ]
    assert len(walked) == len(index.planes)
    planes = {path_of(plane).rpartition("/")[2]: plane for plane in index.planes}
    for told in walked:
        plane = planes[told["URL"] or ""]
        row, column = parse_well(plane.well)
        assert [row + 1, column + 1, plane.site, plane.z, plane.channel] == [
            int(told[key] or "") for key in ("Row", "Col", "FieldID", "PlaneID", "ChannelID")
        ]
        assert plane.z_um == pytest.approx(float(told["PositionZ"] or "") * 1e6)
        assert plane.state is (PlaneState.PRESENT if (folder / path_of(plane)).exists() else PlaneState.MISSING)


def test_a_partial_copy_of_a_384_well_plate_misses_five_of_six_planes(data: Data) -> None:
    index = read(data(V5))
    assert (index.states[PlaneState.PRESENT], index.states[PlaneState.MISSING]) == (1, 5)
    assert (index.wells, index.sites("A01"), len(index.channels)) == (("A01",), (1,), 6)
    assert (len(index.rows), len(index.columns), index.dtype, index.plane_shape) == (16, 24, "uint16", (1080, 1080))
    assert index.metadata_files == ("Images/Index.idx.xml",)
    assert [one.path for one in index.unmatched] == ["LICENSE.txt", "SOURCE.md", "load_data_version5.csv"]
    assert (index.plate_type, index.barcode, index.instrument) == (
        *("384 PerkinElmer CellCarrier Ultra", "BR00122249", "Phenix"),
    )
    assert index.acquisitions[0].start_time == "2023-03-23T14:50:32.6252176-04:00"
    assert [channel.kind for channel in index.channels] == ["phase", "brightfield", *["fluorescence"] * 4]
    assert [channel.emission_nm for channel in index.channels[:2]] == [None, None]
    assert [channel.z_offset_um for channel in index.channels] == [2.984, 0, 2, 3, 3, 6]
    assert [plane.z_um for plane in index.planes] == [-3.016, -6, -4, -3, -3, 0]
    assert sorted(index.flat_fields) == [3, 4, 5, 6]
    assert index.warnings == ()


def test_an_index_without_one_file_still_indexes(data: Data) -> None:
    index = read(data(V7))
    assert (index.states[PlaneState.PRESENT], index.states[PlaneState.MISSING]) == (0, 7)
    assert (len(index.rows), len(index.columns), index.dtype, index.plane_shape) == (8, 12, "uint16", (2160, 2160))
    assert index.channel("405ex, 570-630-em)").number == 4
    assert (index.plate_type, index.barcode) == (
        *("96 PerkinElmer CellCarrier Ultra", "240624_WES_Perturbs_n_densities_1.1"),
    )
    assert [channel.z_offset_um for channel in index.channels] == [0, 0, 0, 0, 0, 1, 5]
    assert sorted(index.flat_fields) == [1, 3, 6]
    assert [plane.time_s for plane in index.planes] == [10.969, 10.984, 11.406, 11.530, 11.530, 11.889, 12.217]


def test_an_operetta_plate_is_complete_and_its_y_points_down(data: Data) -> None:
    index = read(data("operetta-sonata-2-fields"))
    assert (index.name, index.wells, index.sites("C03")) == ("Test_Sample_BALL", ("C03",), (1, 2))
    assert (index.states[PlaneState.PRESENT], len(index.planes)) == (2, 2)
    assert index.positions == {("C03", 1): (-645.814, -645.814), ("C03", 2): (645.814, -645.814)}
    assert index.metadata_files == ("operetta_plate/Assaylayout/Unnamed.xml", "operetta_plate/Images/Index.idx.xml")
    (channel,) = index.channels
    assert (channel.name, channel.excitation_nm, channel.emission_nm, channel.exposure_ms, channel.z_offset_um) == (
        *("Fluorescein (FITC)", 475, 525, 6, None),
    )
    assert (channel.magnification, channel.numerical_aperture, channel.binning) == (10, 0.3, (2, 2))
    assert (index.plate_type, index.instrument, index.warnings) == ("384 Greiner µClear", "Sonata", ())


def test_names_alone_give_a_stack_and_nothing_is_missing(data: Data) -> None:
    index = read(data("opera-phenix-zstack-names-only"))
    assert (index.wells, index.sites("K06")) == (("K06",), (23,))
    assert index.axes() == ((1,), (1,), (1, 2, 3, 4))
    assert index.states[PlaneState.PRESENT] == len(index.planes) == 4
    assert (index.dtype, index.plane_shape, index.pixel_size_um) == ("uint16", (540, 540), None)
    assert "no Harmony index" in index.warnings[0]


def test_a_real_plate_keeps_its_documents_word_for_word(data: Data, tmp_path: Path) -> None:
    folder = data("operetta-sonata-2-fields") / "operetta_plate"
    convert(folder, tmp_path / "out")
    (kept,) = (tmp_path / "out").rglob("Index.idx.xml")
    assert kept.read_bytes() == (folder / "Images" / "Index.idx.xml").read_bytes()


@pytest.mark.parametrize(("layout", "document"), [("opera_phenix", "Index.idx.xml"), ("opera_phenix_v7", "Index.xml")])
def test_a_made_up_plate_of_either_version_tells_the_same(tmp_path: Path, layout: str, document: str) -> None:
    wanted = {"wells": 2, "sites": 2, "z": 2, "t": 2, "size": (24, 32), "channels": ("DAPI", "Brightfield", "Cy5, far")}
    plate = make_plate(tmp_path / "P1", layout=layout, **wanted)
    index = read(plate)
    assert index.metadata_files == (f"Images/{document}",)
    assert index.states[PlaneState.PRESENT] == len(index.planes) == 2 * 2 * 2 * 2 * 3
    assert index.axes() == ((1, 2), (1, 2, 3), (1, 2))
    assert (index.z_step_um, index.pixel_size_um, index.plane_shape) == (2, (0.65, 0.65), (24, 32))
    assert (index.plate_type, index.barcode, index.instrument) == ("6 made up µClear", "P1", "Phenix")
    assert [channel.z_offset_um for channel in index.channels] == [0, CHANNEL_RISE_UM, 2 * CHANNEL_RISE_UM]
    assert [channel.kind for channel in index.channels] == ["fluorescence", "brightfield", "fluorescence"]
    assert sorted(index.flat_fields) == [1, 3]
    first, later = (
        next(plane for plane in index.planes if plane.t == t and plane.channel == 1 and plane.z == 2) for t in (1, 2)
    )
    assert (first.z_um, later.z_um) == (4, 4)
    assert first.time_s is not None
    assert later.time_s is not None
    assert 590 < later.time_s - first.time_s < 610
    assert index.warnings == ()


def test_where_channels_are_told_makes_no_difference(tmp_path: Path) -> None:
    five, seven = (
        read(make_plate(tmp_path / layout / "P1", layout=layout, wells=2, sites=2, size=(16, 16)))
        for layout in ("opera_phenix", "opera_phenix_v7")
    )
    assert five.channels == seven.channels
    assert five.flat_fields == seven.flat_fields
    assert five.positions == seven.positions
    assert [(plane.key, plane.z_um, plane.time_s) for plane in five.planes] == [
        (plane.key, plane.z_um, plane.time_s) for plane in seven.planes
    ]


def test_an_index_above_its_images_with_addresses_below_is_read(tmp_path: Path) -> None:
    plate = make_plate(tmp_path / "P1", layout="opera_phenix_v7", wells=2, sites=1, size=(16, 16))
    text = (plate / "Images" / "Index.xml").read_text("utf-8")
    (plate / "Images" / "Index.xml").unlink()
    (plate / "Images" / "A").mkdir()
    for tiff in (plate / "Images").glob("*.tiff"):
        shutil.move(tiff, plate / "Images" / "A" / tiff.name)
    (plate / "Index.xml").write_text(text.replace("<URL>", "<URL>Images\\A\\"), "utf-8")
    index = read(plate)
    assert (index.states[PlaneState.PRESENT], index.states[PlaneState.MISSING]) == (4, 0)
    assert index.metadata_files == ("Index.xml",)


def test_the_light_of_a_real_channel_is_its_polynomial(data: Data) -> None:
    light = open_plate(data(V5)).flat_field("Alexa 488")
    assert (light.shape, light.dtype) == ((1080, 1080), np.float32)
    assert light.mean() == pytest.approx(1, abs=1e-6)
    coefficients = [
        *([1.3126], [-0.1028, -0.2536], [-1.5559, 0.124, -2.1909], [0.2389, -0.0135, 0.1361, 0.1179]),
        [-1.1207, -0.1935, 0.739, 0.0465, 0.678],
    ]
    for row, column in ((0, 0), (0, 1079), (540, 540), (1079, 3), (700, 250)):
        x, y = (column - 539.5) * 0.00092592593, (row - 539.5) * 0.00092592593
        expected = sum(
            value * x ** (degree - power) * y**power
            for degree, values in enumerate(coefficients)
            for power, value in enumerate(values)
        )
        assert light[row, column] == pytest.approx(expected, rel=1e-4)
