"""The index of a made-up Harmony plate, element by element as versions 5 and 7 write it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from openhcs.core.wells import parse_well, plate_shape
from openhcs.testing.scene import PIXEL_UM, WAVELENGTHS, Z_STEP_UM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openhcs.testing.scene import Place, Wanted

Child = tuple[str, str, str | None]
"""Name, text and unit of an element."""
CHANNEL_RISE_UM = 1.5
"""Each channel is taken so far above the one before."""
HEIGHT_M = 0.1353
START = datetime(2025, 3, 4, 9, 30, 15, tzinfo=UTC)
EVERY_S, BETWEEN_IMAGES_S = 600, 0.25
ROOTS = {
    5: 'Version="1" xmlns="http://www.perkinelmer.com/PEHH/HarmonyV5"',
    7: 'Version="2" xmlns="43B2A954-E3C3-47E1-B392-6635266B0DD3/HarmonyV7"',
}
XSD = 'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
BEFORE_POSITION = 13
"""Harmony 5 writes so many facts of a channel before an image's position, and the others after it."""
MATRIX = "[[0.985998,0,0,-14.5],[0,-0.985998,0,-30.8],[0,0,1.00,5.671]]"


def file_name(place: Place) -> str:
    """Return the file name of a plane as Harmony writes it."""
    well, site, channel, z, t = place
    row, column = parse_well(well)
    return f"r{row + 1:02d}c{column + 1:02d}f{site:02d}p{z:02d}-ch{channel}sk{t}fk1fl1.tiff"


def is_bright(name: str) -> bool:
    """Return whether a channel is taken in transmitted light."""
    return "bright" in name.lower()


def profile_text(plate: Wanted, number: int) -> str:
    """Return the flat-field profile of a channel: light that falls off to the edges, brightest off the centre."""
    name = plate.channels[number - 1]
    shown = f'"{name}"' if "," in name else name
    if is_bright(name):
        light = "Character: Null, Profile: {Type: Identity}, Quality: 1"
    else:
        y, x = plate.size
        coefficients = f"[[1.1], [{0.02 * number:.4g}, -0.0500], [-0.6, 0.1, -0.6]]"
        light = (
            "Character: NonFlat, Mean: 443.79058, NoiseConst: 1.9380331, NonFlatness: {Corrected: 0.10724404, "
            "Original: 0.51061863, Random: INF}, Profile: {"
            f"Coefficients: {coefficients}, Dims: [{x}, {y}], Origin: [{(x - 1) / 2}, {(y - 1) / 2}], "
            f"Scale: [{1 / x:.8g}, {1 / y:.8g}], Type: Polynomial}}, Quality: 1.0"
        )
    return f"{{Background: {{{light}}}, Channel: {number}, ChannelName: {shown}, Version: Acapella:2013}}"


def index_text(plate: Wanted, version: int) -> Iterator[str]:
    """Yield the document in pieces."""
    rows, columns = plate_shape(plate.wells)
    ids = {well: "".join(f"{place + 1:02d}" for place in parse_well(well)) for well in plate.wells}
    places: dict[str, list[str]] = {well: [] for well in plate.wells}
    for place in plate.planes():
        places[place[0]].append(_image_id(ids[place[0]], place))
    name = escape(plate.name)
    yield (
        f'<?xml version="1.0" encoding="utf-8"?>\n<EvaluationInputData {XSD} {ROOTS[version]}>\n  <User>nobody</User>\n'
        "  <InstrumentType>Phenix</InstrumentType>\n  <Plates>\n    <Plate>\n"
        f"      <PlateID>{name}</PlateID>\n      <MeasurementID>00000000-0000-4000-8000-000000000000</MeasurementID>\n"
        f"      <MeasurementStartTime>{_moment(0)}</MeasurementStartTime>\n"
        f"      <Name>{name}</Name>\n      <PlateTypeName>{rows * columns} made up µClear</PlateTypeName>\n"
        f"      <PlateRows>{rows}</PlateRows>\n      <PlateColumns>{columns}</PlateColumns>\n"
    )
    yield "".join(f'      <Well id="{ids[well]}" />\n' for well in plate.wells)
    yield "    </Plate>\n  </Plates>\n  <Wells>\n"
    for well in plate.wells:
        row, column = parse_well(well)
        yield f"    <Well>\n      <id>{ids[well]}</id>\n      <Row>{row + 1}</Row>\n      <Col>{column + 1}</Col>\n"
        yield "".join(f'      <Image id="{one}" />\n' for one in places[well]) + "    </Well>\n"
    yield "  </Wells>\n  <Maps>\n" + "".join(_maps(plate, version)) + "  </Maps>\n  <Images>\n"
    for number, place in enumerate(plate.planes()):
        yield _image(plate, ids[place[0]], place, number, version)
    yield "  </Images>\n</EvaluationInputData>\n"


def _maps(plate: Wanted, version: int) -> Iterator[str]:
    numbers = range(1, len(plate.channels) + 1)
    entries = [_entry(number, [("FlatfieldProfile", profile_text(plate, number), None)]) for number in numbers]
    yield "    <Map>\n" + "".join(entries) + "    </Map>\n"
    if version == 7:
        told = [
            *(("ExcitationPower", "20", "Percent"), ("OrientationMatrix", MATRIX, None)),
            ("CropArea", "[[0,0],[2160,2160],[2160,2160]]", None),
        ]
        entries = [_entry(number, [*_taken(plate, number), *told]) for number in numbers]
        yield "    <Map>\n" + "".join(entries) + "    </Map>\n"


def _entry(number: int, told: list[Child]) -> str:
    return f'      <Entry ChannelID="{number}">\n{_children(told, 8)}      </Entry>\n'


def _image(plate: Wanted, well_id: str, place: Place, number: int, version: int) -> str:
    well, site, channel, z, t = place
    x, y = plate.position(well, site)
    centre_x, centre_y = plate.position(well, 1)
    row, column = parse_well(well)
    height = (z * Z_STEP_UM + (channel - 1) * CHANNEL_RISE_UM) * 1e-6
    facts = {
        "id": _image_id(well_id, place),
        "State": "Ok",
        "URL": file_name(place),
        "Row": row + 1,
        "Col": column + 1,
        "FieldID": site,
        "PlaneID": z,
        "TimepointID": t - 1 if version == 5 else t,
        **({} if version == 5 else {"SequenceID": 1, "GroupID": 1}),
        "ChannelID": channel,
        "FlimID": 1,
    }
    when = (t - 1) * EVERY_S
    measured = [
        *(("PositionX", f"{(x - centre_x) * 1e-6:.9g}", "m"), ("PositionY", f"{(centre_y - y) * 1e-6:.9g}", "m")),
        *(("PositionZ", f"{height:.9g}", "m"), ("AbsPositionZ", f"{HEIGHT_M + height:.9f}", "m")),
        ("MeasurementTimeOffset", f"{when}", "s"),
        ("AbsTime", _moment(when + BETWEEN_IMAGES_S * (1 + number % 1000)), None),
    ]
    taken = _taken(plate, channel) if version == 5 else []
    told: list[Child] = [(name, str(value), None) for name, value in facts.items()]
    if version == 5:
        told += [*taken[:BEFORE_POSITION], *measured, *taken[BEFORE_POSITION:], ("OrientationMatrix", MATRIX, None)]
    else:
        told += measured
    return f'    <Image Version="1">\n{_children(told, 6)}    </Image>\n'


def _taken(plate: Wanted, number: int) -> list[Child]:
    """Return what is told of a channel, in Harmony's order."""
    name = plate.channels[number - 1]
    excitation, emission = WAVELENGTHS.get(name, (740, 0))
    bright = is_bright(name)
    size_y, size_x = plate.size
    return [
        ("ChannelName", name, None),
        ("ImageType", "Signal", None),
        ("AcquisitionType", "NipkowConfocal", None),
        ("IlluminationType", "Transmitted" if bright else "Epifluorescence", None),
        ("ChannelType", "Brightfield" if bright else "Fluorescence", None),
        *((f"ImageResolution{axis}", f"{PIXEL_UM * 1e-6:.9g}", "m") for axis in "XY"),
        *(("ImageSizeX", str(size_x), None), ("ImageSizeY", str(size_y), None)),
        *(("BinningX", "2", None), ("BinningY", "2", None)),
        ("MaxIntensity", "65535", None),
        ("CameraType", "AndorZylaCam", None),
        ("MainExcitationWavelength", str(excitation), "nm"),
        ("MainEmissionWavelength", str(emission), "nm"),
        *(("ObjectiveMagnification", "20", ""), ("ObjectiveNA", "0.8", "")),
        ("ExposureTime", "0.1", "s"),
    ]


def _children(told: list[Child], indent: int) -> str:
    space = " " * indent
    units = {name: "" if unit is None else f' Unit="{unit}"' for name, _, unit in told}
    return "".join(f"{space}<{name}{units[name]}>{escape(value)}</{name}>\n" for name, value, _ in told)


def _image_id(well_id: str, place: Place) -> str:
    _, site, channel, z, t = place
    return f"{well_id}K{t}F{site}P{z}R{channel}"


def _moment(seconds: float) -> str:
    """Return a moment as Harmony writes it: seven digits of a second, the offset from UTC."""
    moment = START + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}1+00:00"
