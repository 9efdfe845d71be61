"""Opera Phenix as Harmony 5 exports it: an index and the images in one folder."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from openhcs.core.wells import parse_well, plate_shape
from openhcs.testing.scene import PIXEL_UM, WAVELENGTHS, Z_STEP_UM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openhcs.testing.scene import Scene, Wanted


def write(plate: Wanted, scene: Scene, root: Path) -> None:
    """Write the plate's files."""
    images = root / "Images"
    images.mkdir(parents=True, exist_ok=True)
    for place in plate.planes():
        scene.save(images / phenix_file(*place), place)
    (images / "Index.idx.xml").write_bytes(b"\xef\xbb\xbf" + "".join(_phenix_index(plate)).encode())


def phenix_file(well: str, site: int, channel: int, z: int, t: int) -> str:
    """Return the file name of a plane as Harmony writes it."""
    row, column = parse_well(well)
    return f"r{row + 1:02d}c{column + 1:02d}f{site:02d}p{z:02d}-ch{channel}sk{t}fk1fl1.tiff"


def _phenix_index(plate: Wanted) -> Iterator[str]:
    rows, columns = plate_shape(plate.wells)
    ids = {well: "".join(f"{place + 1:02d}" for place in parse_well(well)) for well in plate.wells}
    yield (
        '<?xml version="1.0" encoding="utf-8"?>\n<EvaluationInputData Version="1" '
        'xmlns="http://www.perkinelmer.com/PEHH/HarmonyV5"><User>nobody</User><InstrumentType>Phenix</InstrumentType>'
        f"<Plates><Plate><PlateID>{escape(plate.name)}</PlateID><Name>{escape(plate.name)}</Name><PlateTypeName>made up"
        f"</PlateTypeName><PlateRows>{rows}</PlateRows><PlateColumns>{columns}</PlateColumns>"
    )
    yield "".join(f'<Well id="{ids[well]}" />' for well in plate.wells) + "</Plate></Plates><Wells>"
    for well in plate.wells:
        row, column = parse_well(well)
        yield f"<Well><id>{ids[well]}</id><Row>{row + 1}</Row><Col>{column + 1}</Col></Well>"
    yield "</Wells><Maps/><Images>"
    for place in plate.planes():
        yield _phenix_image(plate, ids[place[0]], place)
    yield "</Images></EvaluationInputData>"


def _phenix_image(plate: Wanted, well_id: str, place: tuple[str, int, int, int, int]) -> str:
    well, site, channel, z, t = place
    x, y = plate.position(well, site)
    centre_x, centre_y = plate.position(well, 1)
    row, column = parse_well(well)
    name = plate.channels[channel - 1]
    excitation, emission = WAVELENGTHS.get(name, (0, 0))
    size_y, size_x = plate.size
    facts = {
        "id": f"{well_id}K{t}F{site}P{z}R{channel}",
        "State": "Ok",
        "URL": phenix_file(well, site, channel, z, t),
        "Row": row + 1,
        "Col": column + 1,
        "FieldID": site,
        "PlaneID": z,
        "TimepointID": t - 1,
        "ChannelID": channel,
        "FlimID": 1,
        "ChannelName": escape(name),
        "ChannelType": "Fluorescence",
        "ImageSizeX": size_x,
        "ImageSizeY": size_y,
        "MaxIntensity": 65535,
        "MainExcitationWavelength": excitation,
        "MainEmissionWavelength": emission,
    }
    units = {
        "ImageResolutionX": ("m", PIXEL_UM * 1e-6),
        "ImageResolutionY": ("m", PIXEL_UM * 1e-6),
        "PositionX": ("m", (x - centre_x) * 1e-6),
        "PositionY": ("m", (centre_y - y) * 1e-6),
        "PositionZ": ("m", z * Z_STEP_UM * 1e-6),
        "ExposureTime": ("s", 0.1),
    }
    plain = "".join(f"<{key}>{value}</{key}>" for key, value in facts.items())
    measured = "".join(f'<{key} Unit="{unit}">{value:.9g}</{key}>' for key, (unit, value) in units.items())
    return f'<Image Version="1">{plain}{measured}</Image>'
