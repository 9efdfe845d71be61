"""What an image of MetaXpress says about itself, in its description or in the tags of a stack."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest
import tifffile

from openhcs.core.plate import ImageHeader
from openhcs.microscopes.metaxpress.metaseries import (
    Facts,
    facts_of,
    magnification_of,
    parse_metaseries,
    parse_stack,
    parse_time,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def described(**props: object) -> str:
    items = "".join(f'<prop id="{key.replace("_", "-")}" type="x" value="{value}"/>' for key, value in props.items())
    return f"<MetaData>{items}</MetaData>"


def test_a_projection_says_how_it_was_made() -> None:
    found = parse_metaseries(
        '<MetaData><custom-prop id="Z Projection Method" type="string" value="Maximum"/>'
        '<custom-prop id="Z Projection Step Size" type="float" value="5"/></MetaData>'
    )
    assert (found.projection, found.z_step_um) == ("Maximum", 5)


def test_entities_are_read_and_other_units_are_no_pixel_size() -> None:
    size = {"spatial_calibration_x": 0.5, "spatial_calibration_y": 0.25}
    assert parse_metaseries(described(**size, spatial_calibration_units="&#181;m")).pixel_size_um == (0.25, 0.5)
    assert parse_metaseries(described(**size, spatial_calibration_units="pixel")).pixel_size_um is None
    off = described(**size, spatial_calibration_units="um", spatial_calibration_state="off")
    assert parse_metaseries(off).pixel_size_um is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20240709 13:13:03.006", datetime(2024, 7, 9, 13, 13, 3, 6000)),  # noqa: DTZ001
        ("2010-03-05T12:08:52", datetime(2010, 3, 5, 12, 8, 52)),  # noqa: DTZ001
        ("20241399 13:13:03.006", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_moments_are_read_or_not_told(text: str, moment: datetime | None) -> None:
    assert parse_time(text) == moment


@pytest.mark.parametrize(
    ("name", "power"),
    [("40X Plan Apo Lambda", 40), ("20x Plan Fluor ELWD", 20), ("2.5 X", 2.5), ("Plan 40X", None), (None, None)],
)
def test_an_objective_begins_with_its_power(name: str | None, power: float | None) -> None:
    assert magnification_of(name) == power


@pytest.mark.parametrize("text", ["", "no description", "<MetaData>", '<prop id="wavelength" type="float" value="x"/>'])
def test_what_is_not_said_is_none(text: str) -> None:
    assert parse_metaseries(text) == Facts()


@pytest.mark.parametrize("value", ["nan", "inf", "1e400", "-1e13", "1 2", ""])
def test_numbers_that_cannot_be_are_not_told(value: str) -> None:
    found = parse_metaseries(described(stage_position_x=value, stage_position_y="1", z_position=value))
    assert (found.position_um, found.z_um) == (None, None)


def test_a_stack_of_metamorph_says_in_its_tags_what_tifffile_reads(data: Callable[[str], Path]) -> None:
    with tifffile.TiffFile(data("cellomics-c01-file") / "MetamorphImage.tif") as tif:
        told = {name: getattr(value, "tolist", lambda v=value: v)() for name, value in tif.stk_metadata.items()}
        found = parse_stack(tif.pages[0].description, told)
    assert found == Facts(
        pixel_size_um=(0.645, 0.645),
        position_um=(115815.18, 242997.32),
        z_um=11702.6,
        illumination="Cy5",
        image_name="Cy5",
        emission_nm=675,
        exposure_ms=300,
        objective="20x Plan Fluor ELWD",
        magnification=20,
        numerical_aperture=0.45,
        binning=(2, 2),
        instrument="ImageXpress Micro",
        barcode="BR00021380",
        acquired=datetime(2010, 3, 5, 12, 8, 52, 203000),  # noqa: DTZ001
    )


@pytest.mark.parametrize(
    "tags",
    [
        {"StagePosition": [[1]], "AbsoluteZ": [None], "PlaneProperty": [3, None], "CameraBin": 2, "CreateTime": "x"},
        {"StagePosition": "12", "AbsoluteZ": 3.5, "PlaneProperty": {"name": 1}, "SpatialCalibration": 1},
        {"XCalibration": -1, "YCalibration": 0, "SpatialCalibration": 1, "CalibrationUnits": "um"},
    ],
)
def test_tags_of_another_kind_tell_nothing(tags: dict[str, object]) -> None:
    assert facts_of(ImageHeader(shape=(1, 1), dtype="uint8", pages=1, description="", tags=tags)) == Facts()
