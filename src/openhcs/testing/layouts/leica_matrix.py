"""The Matrix Screener of Leica: slide, chamber and field folders, a document for each field and time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from openhcs.core.wells import parse_well
from openhcs.testing.scene import PIXEL_UM, Z_STEP_UM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openhcs.testing.scene import Place, Scene, Wanted

START = datetime(2014, 11, 20, 10, 22, 19, tzinfo=UTC)
SECONDS = 60
"""From one time point to the next."""


def write(plate: Wanted, scene: Scene, root: Path) -> None:
    """Write the plate's files."""
    across = max(1, round(plate.sites**0.5))
    for place in plate.planes():
        folder, name = leica_place(place, across)
        scene.save(root / folder / f"{name}.ome.tif", place)
    for well in plate.wells:
        for site in range(1, plate.sites + 1):
            for t in range(1, plate.t + 1):
                folder, name = leica_place((well, site, 1, 1, t), across)
                metadata = root / folder / "metadata"
                metadata.mkdir(parents=True, exist_ok=True)
                document = "".join(_document(plate, (well, site, t), across))
                (metadata / f"{name.partition('--Z')[0]}.ome.xml").write_text(document, encoding="utf-8")


def leica_place(place: Place, across: int) -> tuple[str, str]:
    """Return folder and name, without its end, of an image of a grid with ``across`` fields in a row."""
    well, site, channel, z, t = place
    row, column = parse_well(well)
    y, x = divmod(site - 1, across)
    chamber, field = f"U{column:02d}--V{row:02d}", f"X{x:02d}--Y{y:02d}"
    rest = f"T{t - 1:02d}--Z{z - 1:02d}--C{channel - 1:02d}"
    return (
        f"slide--S00/chamber--{chamber}/field--{field}",
        f"image--L00--S00--{chamber}--J08--E00--O00--{field}--{rest}",
    )


def _document(plate: Wanted, field: tuple[str, int, int], across: int) -> Iterator[str]:
    well, site, t = field
    x, y = plate.position(well, site)
    moment = (START + timedelta(seconds=SECONDS * (t - 1))).strftime("%Y-%m-%dT%H:%M:%S.%f")
    size_y, size_x = plate.size
    yield (
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?><OME '
        'xmlns="http://www.openmicroscopy.org/Schemas/OME/2008-09"><Instrument ID="Instrument:0"><Microscope '
        'Manufacturer="Leica Microsystems" Model="made up"/><Objective Model="made up"><LensNA>0.45</LensNA>'
        '<NominalMagnification>10</NominalMagnification></Objective></Instrument><Image ID="Image:0">'
        f'<CreationDate>{moment}</CreationDate><Pixels DimensionOrder="XYZCT" PixelType="uint16" SizeX="{size_x}" '
        f'SizeY="{size_y}" SizeZ="{plate.z}" SizeC="{len(plate.channels)}" SizeT="1" PhysicalSizeX="{PIXEL_UM}" '
        f'PhysicalSizeY="{PIXEL_UM}" PhysicalSizeZ="{Z_STEP_UM if plate.z > 1 else 0.0}">'
    )
    for channel in range(1, len(plate.channels) + 1):
        for z in range(1, plate.z + 1):
            name = leica_place((well, site, channel, z, t), across)[1]
            yield (
                f'<TiffData FirstC="{channel - 1}" FirstZ="{z - 1}"><UUID FileName="{name}.ome.tif">urn:uuid:0'
                "</UUID></TiffData>"
            )
    for z in range(1, plate.z + 1):
        yield (
            f'<Plane TheZ="{z - 1}" TheT="0" TheC="0"><StagePosition PositionX="{x * 1e-6:.12g}" '
            f'PositionY="{y * 1e-6:.12g}" PositionZ="{z * Z_STEP_UM * 1e-6:.12g}"/></Plane>'
        )
    yield "</Pixels></Image></OME>"
