"""The document of HCS.ai: what it says is read with care, what it lacks is None."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from openhcs.errors import FormatError
from openhcs.microscopes.hcsai.jdce import parse_jdce

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from openhcs.microscopes.hcsai.jdce import Jdce

LEAST: dict[str, Any] = {"ImageStack": {"AutoLeadAcquisitionProtocol": {}}}


def parse(document: Any) -> Jdce:
    return parse_jdce(json.dumps(document, ensure_ascii=False).encode(), "a.jdce")


def protocol(**more: Any) -> Jdce:
    document = copy.deepcopy(LEAST)
    document["ImageStack"]["AutoLeadAcquisitionProtocol"] = more
    return parse(document)


def test_the_least_document_tells_nothing() -> None:
    found = parse(LEAST)
    assert (found.plate, found.rows, found.pixel_size_um, found.wavelengths, found.tables) == ("", None, None, (), ())
    assert found.complete
    assert found.time_points is None


@pytest.mark.parametrize(
    "document",
    [[], 3, None, {}, {"ImageStack": []}, {"ImageStack": {}}, {"ImageStack": {"AutoLeadAcquisitionProtocol": 1}}],
)
def test_other_json_is_no_such_document(document: object) -> None:
    with pytest.raises(FormatError, match=r"a\.jdce is no \.jdce"):
        parse(document)


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"ImageStack": {"a": "\xb5"}}', b"<xml/>", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"]
)
def test_bad_json_and_wrong_encodings_are_told(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"a\.jdce"):
        parse_jdce(data, "a.jdce")


def test_a_byte_order_mark_is_no_part_of_the_document() -> None:
    text = json.dumps({"ImageStack": {"PlateId": "µ", "AutoLeadAcquisitionProtocol": {}}}, ensure_ascii=False)
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert parse_jdce(text.encode(encoding), "a.jdce").plate == "µ"


@pytest.mark.parametrize(
    ("unit", "size"),
    [("µm", (0.25, 0.5)), ("μm", (0.25, 0.5)), ("nm", (0.00025, 0.0005)), ("pixel", None), (None, None)],
)
def test_pixels_have_a_size_in_known_units(unit: str | None, size: tuple[float, float] | None) -> None:
    lens = {"Unit": unit, "PixelWidth": 0.5, "PixelHeight": 0.25}
    assert protocol(ObjectiveCalibration=lens).pixel_size_um == size


@pytest.mark.parametrize("size", [0, -1, "1", True, None, [], 1e300])
def test_sizes_that_cannot_be_are_not_told(size: object) -> None:
    lens = {"Unit": "µm", "PixelWidth": size, "PixelHeight": size}
    found = protocol(
        ObjectiveCalibration=lens,
        Plate={"Rows": size, "Columns": size},
        Camera={"Size": {"Width": size, "Height": size}},
    )
    assert (found.pixel_size_um, found.camera) == (None, None)
    assert found.rows is None


def test_wavelengths_are_numbered_by_their_index() -> None:
    waves = [
        {
            "Index": 2,
            "EmissionFilter": {"Name": "FITC", "Wavelength": 520, "Unit": "nm"},
            "ImagingMode": "3-D",
            "ZSlice": 7,
        },
        {"EmissionFilter": {"Wavelength": 450, "Unit": "cm"}, "ExcitationFilter": {"Name": "TL"}, "ZStep": 0.0},
        {"Index": 2},
        "none",
    ]
    found = protocol(Wavelengths=waves).wavelengths
    assert [(one.number, one.name, one.emission_nm, one.mode, one.slices) for one in found] == [
        (1, "TL", None, "", None),
        (2, "FITC", 520, "3-D", 7),
    ]


@pytest.mark.parametrize(
    ("schedule", "points"),
    [
        ({"Enabled": True, "NumberOfTimepoints": 9, "Variable": False}, 9),
        ({"Enabled": False, "NumberOfTimepoints": 9}, 1),
        ({"Enabled": True, "NumberOfTimepoints": 9, "Variable": True}, None),
        ({"Enabled": True, "NumberOfTimepoints": 10**9}, None),
        ({}, None),
        (None, None),
    ],
)
def test_time_points_are_promised_where_they_are_clear(schedule: object, points: int | None) -> None:
    assert protocol(PlateMap={"TimeSchedule": schedule}).time_points == points


def test_the_step_of_a_wavelength_goes_before_that_of_the_plate() -> None:
    steps = {"ZDimensionParameters": {"Step": 2.0}}
    assert protocol(PlateMap=steps, Wavelengths=[{"Index": 0, "ZStep": 0.0}, {"Index": 1, "ZStep": 3.0}]).z_step_um == 3
    assert protocol(PlateMap=steps, Wavelengths=[{"Index": 0, "ZStep": 0.0}]).z_step_um == 2
    assert protocol(PlateMap={"ZDimensionParameters": {"Step": 0.0}}).z_step_um is None


def test_tables_are_named_with_either_slash_and_never_outside() -> None:
    def tables(*names: object) -> tuple[str, ...]:
        return parse({"ImageStack": {"AutoLeadAcquisitionProtocol": {}, "ImageMetadataFiles": list(names)}}).tables

    assert tables("image_metadata_1.csv", "more\\image_metadata_2.csv", 3, "image_metadata_1.csv") == (
        "image_metadata_1.csv",
        "more/image_metadata_2.csv",
    )
    for name in ("../a.csv", "/etc/passwd", "C:\\a.csv", "..\\a.csv"):
        with pytest.raises(FormatError, match="outside"):
            tables(name)


def test_a_real_document_says_what_its_json_says(data: Callable[[str], Path]) -> None:
    path = data("imagexpress-hcsai-jdce-metadata") / "experiment" / "1w1s1t1c1z_binning4x4.jdce"
    stack = json.loads(path.read_text(encoding="utf-8"))["ImageStack"]
    found = parse_jdce(path.read_bytes(), path.name)
    said = stack["AutoLeadAcquisitionProtocol"]
    assert found.plate == stack["PlateId"]
    assert found.camera == (said["Camera"]["Size"]["Height"], said["Camera"]["Size"]["Width"])
    assert found.product == said["Plate"]["Name"]
    assert (found.rows, found.columns) == (said["Plate"]["Rows"], said["Plate"]["Columns"])
    assert found.objective == said["ObjectiveCalibration"]["ObjectiveName"]
    assert [(one.number, one.name, one.mode, one.slices) for one in found.wavelengths] == [
        (one["Index"], one["EmissionFilter"]["Name"], one["ImagingMode"], one["ZSlice"]) for one in said["Wavelengths"]
    ]
    assert found.tables == tuple(stack["ImageMetadataFiles"])
    assert found.created == "2026-03-02T13:57:52"
