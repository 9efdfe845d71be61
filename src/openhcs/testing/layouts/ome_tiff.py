"""OME-TIFF with a companion document: the plate and all planes in one, a file of pages for each site.

A plane that is left out has no page, and no ``TiffData`` names it.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from openhcs.core.wells import parse_well, plate_shape
from openhcs.testing.scene import PIXEL_UM, WAVELENGTHS, Z_STEP_UM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openhcs.testing.scene import Place, Scene, Wanted

NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
START = "2024-07-09T13:13:03"


def write(plate: Wanted, scene: Scene, root: Path) -> None:
    """Write the plate's files."""
    name = f"{plate.name}.companion.ome"
    (root / name).write_text("".join(companion(plate)), encoding="utf-8")
    pointer = f'<BinaryOnly MetadataFile={quoteattr(name)} UUID="urn:uuid:{_uuid(name)}"/>'
    for well, site in _sites(plate):
        path = root / ome_file(plate, well, site)
        scene.save_stack(path, list(places(plate, well, site)), _document(path.name, pointer))


def ome_file(plate: Wanted, well: str, site: int) -> str:
    """Return the name of the file that holds a site."""
    return f"{plate.name}_{well}_s{site}.ome.tif"


def places(plate: Wanted, well: str, site: int) -> Iterator[Place]:
    """Yield the planes of a site in the order of its pages: channel fastest, then z, then t."""
    for t in range(1, plate.t + 1):
        for z in range(1, plate.z + 1):
            for channel in range(1, len(plate.channels) + 1):
                yield well, site, channel, z, t


def companion(plate: Wanted) -> Iterator[str]:
    """Yield the text of the companion document."""
    rows, columns = plate_shape(plate.wells)
    yield (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<OME xmlns="{NAMESPACE}" '
        f'UUID="urn:uuid:{_uuid(f"{plate.name}.companion.ome")}"><Plate ID="Plate:0" Name={quoteattr(plate.name)} '
        f'Rows="{rows}" Columns="{columns}" RowNamingConvention="letter" ColumnNamingConvention="number">'
    )
    numbers = {place: number for number, place in enumerate(_sites(plate))}
    for well in plate.wells:
        row, column = parse_well(well)
        yield f'<Well ID="Well:{row}:{column}" Row="{row}" Column="{column}">'
        for site in range(1, plate.sites + 1):
            number = numbers[well, site]
            yield f'<WellSample ID="WellSample:{number}" Index="{number}"><ImageRef ID="Image:{number}"/></WellSample>'
        yield "</Well>"
    yield f'<PlateAcquisition ID="PlateAcquisition:0" Name="first" StartTime="{START}">'
    yield "".join(f'<WellSampleRef ID="WellSample:{number}"/>' for number in numbers.values())
    yield (
        '</PlateAcquisition></Plate><Instrument ID="Instrument:0"><Microscope Manufacturer="made" Model="up"/>'
        '<Objective ID="Objective:0" Model="Plan 10x" NominalMagnification="10.0" LensNA="0.45"/></Instrument>'
    )
    for (well, site), number in numbers.items():
        yield from _image(plate, well, site, number)
    yield "</OME>"


def _image(plate: Wanted, well: str, site: int, number: int) -> Iterator[str]:
    y, x = plate.size
    yield (
        f'<Image ID="Image:{number}" Name="{well} {site}"><AcquisitionDate>{START}</AcquisitionDate>'
        f'<ObjectiveSettings ID="Objective:0"/><Pixels ID="Pixels:{number}" DimensionOrder="XYCZT" Type="uint16" '
        f'SizeX="{x}" SizeY="{y}" SizeC="{len(plate.channels)}" SizeZ="{plate.z}" SizeT="{plate.t}" '
        f'PhysicalSizeX="{PIXEL_UM * 1000}" PhysicalSizeXUnit="nm" PhysicalSizeY="{PIXEL_UM * 1000}" '
        f'PhysicalSizeYUnit="nm" PhysicalSizeZ="{Z_STEP_UM}">'
    )
    for place, name in enumerate(plate.channels):
        excitation, emission = WAVELENGTHS.get(name, (0, 0))
        waves = f' ExcitationWavelength="{excitation}" EmissionWavelength="{emission}"' if excitation else ""
        yield (
            f'<Channel ID="Channel:{number}:{place}" Name={quoteattr(name)} SamplesPerPixel="1"{waves}>'
            '<DetectorSettings ID="Detector:0" Binning="2x2"/></Channel>'
        )
    file = ome_file(plate, well, site)
    left, top = plate.position(well, site)
    kept = [place for place in places(plate, well, site) if place not in plate.left_out]
    for page, (_, _, channel, z, t) in enumerate(kept):
        yield (
            f'<TiffData IFD="{page}" FirstC="{channel - 1}" FirstZ="{z - 1}" FirstT="{t - 1}" PlaneCount="1">'
            f"<UUID FileName={quoteattr(file)}>urn:uuid:{_uuid(file)}</UUID></TiffData>"
        )
    for _, _, channel, z, t in kept:
        yield (
            f'<Plane TheC="{channel - 1}" TheZ="{z - 1}" TheT="{t - 1}" DeltaT="{(t - 1) * 60}" ExposureTime="0.1" '
            f'PositionX="{left}" PositionXUnit="µm" PositionY="{top}" PositionYUnit="µm" '
            f'PositionZ="{z * Z_STEP_UM}" PositionZUnit="µm"/>'
        )
    yield "</Pixels></Image>"


def _document(name: str, inner: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{NAMESPACE}" UUID="urn:uuid:{_uuid(name)}">{inner}</OME>'


def _sites(plate: Wanted) -> Iterator[tuple[str, int]]:
    for well in plate.wells:
        for site in range(1, plate.sites + 1):
            yield well, site


def _uuid(name: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, name)
