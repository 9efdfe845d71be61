"""CellVoyager as a CV8000 writes it: records of images, their setting and the plate beside the images.

Actions come in the order opposite to that of channels, as instruments have it; one timeline holds all.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from openhcs.core.wells import parse_well, plate_shape
from openhcs.microscopes.yokogawa.names import CvName, format_cv
from openhcs.testing.scene import PIXEL_UM, WAVELENGTHS, Z_STEP_UM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openhcs.testing.scene import Place, Scene, Wanted

NAMESPACE = "http://www.yokogawa.co.jp/BTS/BTSSchema/1.0"
START = datetime(2025, 3, 3, 13, 17, 5, tzinfo=timezone(timedelta(hours=1)))
PRODUCT_ID = "1009680002"
PRODUCT = f"{PRODUCT_ID}_Cellvis_#P96-1.5H-N.wpp"
COLORS = ("#FF002FFF", "#FF00FFA1", "#FFFF8200", "#FFFF1B00")
BOM = b"\xef\xbb\xbf"


def write(plate: Wanted, scene: Scene, root: Path) -> None:
    """Write the plate's files."""
    root.mkdir(parents=True, exist_ok=True)
    for place in plate.planes():
        scene.save(root / image_file(plate, place), place)
    (root / "MeasurementData.mlf").write_bytes("".join(_records(plate)).encode())
    documents = {
        "MeasurementDetail.mrf": _detail(plate),
        f"{plate.name}.mes": _setting(plate),
        f"{plate.name}.wpi": _open("WellPlate", _plate_facts(plate) | {"Name": plate.name}, end="/>"),
        PRODUCT: _open(
            "WellPlateProduct",
            _plate_facts(plate) | {"Name": "#P96-1.5H-N", "Manufacturer": "Cellvis", "ColumnPitch": 9, "RowPitch": 9},
            end="/>",
        ),
    }
    for name, text in documents.items():
        (root / name).write_bytes(BOM + text.encode())


def image_file(plate: Wanted, place: Place) -> str:
    """Return the file name of a plane as a CV8000 writes it."""
    well, site, channel, z, t = place
    row, column = parse_well(well)
    return format_cv(
        CvName(
            plate=plate.name,
            row=row,
            column=column,
            time=t,
            field=site,
            timeline=1,
            action=_action(plate, channel),
            z=z,
            channel=channel,
        )
    )


def _action(plate: Wanted, channel: int) -> int:
    return len(plate.channels) + 1 - channel


def _facts(facts: dict[str, object]) -> str:
    return "".join(f" bts:{key}={quoteattr(str(value))}" for key, value in facts.items())


def _open(name: str, facts: dict[str, object], *, end: str = ">") -> str:
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<bts:{name} bts:Version="1.0"{_facts(facts)} '
        f'xmlns:bts="{NAMESPACE}"{end}\n'
    )


def _element(name: str, facts: dict[str, object], inside: str | None = None) -> str:
    close = "/>" if inside is None else f">{inside}</bts:{name}>"
    return f"<bts:{name}{_facts(facts)}{close}\n"


def _plate_facts(plate: Wanted) -> dict[str, object]:
    rows, columns = plate_shape(plate.wells)
    return {"ProductID": PRODUCT_ID, "Columns": columns, "Rows": rows}


def _point(plate: Wanted, site: int) -> tuple[float, float]:
    """Return where a field lies from the first, (x, y) in µm, y up."""
    well = plate.wells[0]
    (x, y), (x0, y0) = plate.position(well, site), plate.position(well, 1)
    return round(x - x0, 1), round(0.0 - (y - y0), 1)


def _records(plate: Wanted) -> Iterator[str]:
    yield _open("MeasurementData", {})
    for number, place in enumerate(plate.planes()):
        well, site, channel, z, t = place
        row, column = parse_well(well)
        x, y = _point(plate, site)
        moment = START + timedelta(seconds=600 * (t - 1), milliseconds=200 * number)
        facts: dict[str, object] = {
            "Type": "IMG",
            "Time": moment.isoformat(timespec="milliseconds"),
            "Column": column + 1,
            "Row": row + 1,
            "TimePoint": t,
            "FieldIndex": site,
            "ZIndex": z,
            "TimelineIndex": 1,
            "ActionIndex": _action(plate, channel),
            "Action": "3D" if plate.z > 1 else "2D",
            "X": x,
            "Y": y,
            "Z": (z - 1) * Z_STEP_UM,
            "Ch": channel,
        }
        yield _element("MeasurementRecord", facts, escape(image_file(plate, place)))
    yield "</bts:MeasurementData>\n"


def _detail(plate: Wanted) -> str:
    rows, columns = plate_shape(plate.wells)
    height, width = plate.size
    head: dict[str, object] = {
        "Title": plate.name,
        "BeginTime": START.isoformat(),
        "MeasurementSettingFileName": f"{plate.name}.mes",
        "ColumnCount": columns,
        "RowCount": rows,
        "TimePointCount": plate.t,
        "FieldCount": plate.sites,
        "ZCount": plate.z,
        "TargetSystem": "CV8000",
    }
    label: dict[str, object] = {
        "Name": plate.name,
        "WellPlateFileName": f"{plate.name}.wpi",
        "WellPlateProductFileName": PRODUCT,
    }
    channels = "".join(
        _element(
            "MeasurementChannel",
            {
                "Ch": number,
                "HorizontalPixelDimension": PIXEL_UM,
                "VerticalPixelDimension": PIXEL_UM,
                "InputBitDepth": 16,
                "HorizontalPixels": width,
                "VerticalPixels": height,
            },
        )
        for number in range(1, len(plate.channels) + 1)
    )
    return (
        _open("MeasurementDetail", head)
        + _element("MeasurementSamplePlate", label)
        + channels
        + "</bts:MeasurementDetail>\n"
    )


def _setting(plate: Wanted) -> str:
    wells = "".join(
        _element("TargetWell", {"Column": column + 1, "Row": row + 1}, "true")
        for row, column in map(parse_well, plate.wells)
    )
    points = "".join(
        _element("Point", dict(zip("XY", _point(plate, site), strict=True))) for site in range(1, plate.sites + 1)
    )
    stack: dict[str, object] = {"XOffset": 0, "YOffset": 0}
    if plate.z > 1:
        stack |= {"AFShiftBase": 0, "BottomDistance": 0, "TopDistance": (plate.z - 1) * Z_STEP_UM}
        stack |= {"SliceLength": Z_STEP_UM}
    actions = "".join(
        _element("ActionAcquire3D" if plate.z > 1 else "ActionAcquire", stack, _element("Ch", {}, str(channel)))
        for channel in range(len(plate.channels), 0, -1)
    )
    lights, channels = zip(*(_channel(plate, number) for number in range(1, len(plate.channels) + 1)), strict=True)
    timeline = (
        _element("WellSequence", {"IsSelected": "true"}, wells)
        + _element("PointSequence", {"Method": "FixedPosition"}, _element("FixedPosition", {}, points))
        + _element("ActionList", {"RunMode": "sequential"}, actions)
    )
    period: dict[str, object] = {"Name": "Time Line 1", "InitialTime": 0, "Period": 600 * plate.t, "Interval": 600}
    return (
        _open("MeasurementSetting", _plate_facts(plate))
        + _element("Timelapse", {}, _element("Timeline", period, timeline))
        + _element("LightSourceList", {}, "".join(lights))
        + _element("ChannelList", {}, "".join(channels))
        + "</bts:MeasurementSetting>\n"
    )


def _channel(plate: Wanted, number: int) -> tuple[str, str]:
    """Return the light source and the description of a channel."""
    name = plate.channels[number - 1]
    excitation, emission = WAVELENGTHS.get(name, (0, 0))
    light = f"{excitation}nm" if excitation else "Lamp"
    facts: dict[str, object] = {
        "Ch": number,
        "Target": name,
        "Objective": "20x v2",
        "Magnification": 20,
        "Acquisition": f"BP{emission}/50" if emission else "",
        "ExposureTime": 100,
        "Binning": 1,
        "Color": COLORS[(number - 1) % len(COLORS)],
        "Kind": "ConfocalFluorescence" if emission else "Brightfield",
    }
    source = _element("LightSource", {"Name": light, "Type": "Laser", "WaveLength": excitation})
    return source, _element("Channel", facts, _element("LightSourceName", {}, light))
