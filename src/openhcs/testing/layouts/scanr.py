"""ScanR: images in ``data`` with their OME-XML, the experiment's descriptor and the stage's log above."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from openhcs.core.wells import parse_well, plate_shape, row_name
from openhcs.testing.scene import PIXEL_UM, WAVELENGTHS, Z_STEP_UM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openhcs.testing.scene import Place, Scene, Wanted

SECONDS = 60.0
"""From one time point to the next."""


def write(plate: Wanted, scene: Scene, root: Path) -> None:
    """Write the plate's files."""
    data = root / "data"
    data.mkdir(parents=True, exist_ok=True)
    shape = max(plate_shape(plate.wells), (8, 12))
    for place in plate.planes():
        scene.save(data / scanr_file(place, plate.channels[place[2] - 1], columns=shape[1]), place)
    (data / "metadata.ome.xml").write_text("".join(_metadata(plate, shape[1])), encoding="utf-8")
    (root / "experiment_descriptor.xml").write_text("".join(_descriptor(plate, shape)), encoding="utf-8")
    (root / "AcquisitionLog.dat").write_text("".join(_log(plate, shape[1])), encoding="utf-8")


def scanr_file(place: Place, channel: str, *, columns: int = 12, named: bool = True) -> str:
    """Return the name of an image; without ``named`` its well is told by number alone."""
    well, site, _, z, t = place
    row, column = parse_well(well)
    label = f"{row_name(row)}{column + 1}" if named else ""
    return f"{label}--W{_number(well, columns):05d}--P{site:05d}--Z{z - 1:05d}--T{t - 1:05d}--{channel}.tif"


def _number(well: str, columns: int) -> int:
    row, column = parse_well(well)
    return row * columns + column + 1


def _metadata(plate: Wanted, columns: int) -> Iterator[str]:
    size_y, size_x = plate.size
    yield (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2013-06">'
        '<Instrument ID="Instrument:0"><Microscope Manufacturer="Olympus" Model="made up"/>'
        '<Objective ID="Objective:0" Model="made up" LensNA="0.75" NominalMagnification="20"/></Instrument>'
    )
    sites: dict[tuple[str, int], list[Place]] = defaultdict(list)
    for place in plate.planes():
        sites[place[:2]].append(place)
    for (well, site), places in sites.items():
        ident = f"W{_number(well, columns)}P{site}"
        x, y = plate.position(well, site)
        yield (
            f'<Image ID="Image:{ident}" Name={quoteattr(ident)}><AcquisitionDate>2013-06-01T12:00:00'
            '</AcquisitionDate><ObjectiveSettings ID="Objective:0"/><Pixels ID="Pixels:0" DimensionOrder="XYCZT" '
            f'Type="uint16" SizeX="{size_x}" SizeY="{size_y}" SizeZ="{plate.z}" SizeC="{len(plate.channels)}" '
            f'SizeT="{plate.t}" PhysicalSizeX="{PIXEL_UM}" PhysicalSizeY="{PIXEL_UM}" '
            f'PhysicalSizeZ="{Z_STEP_UM}">'
        )
        for number, name in enumerate(plate.channels):
            excitation, emission = WAVELENGTHS.get(name, (0, 0))
            waves = f' ExcitationWavelength="{excitation}" EmissionWavelength="{emission}"' if emission else ""
            yield f'<Channel ID="Channel:{number}" Name={quoteattr(name)} SamplesPerPixel="1"{waves}/>'
        for _, _, c, z, t in places:
            base = scanr_file((well, site, c, z, t), plate.channels[c - 1], columns=columns)
            yield (
                f'<TiffData IFD="0" FirstZ="{z - 1}" FirstC="{c - 1}" FirstT="{t - 1}" PlaneCount="1">'
                f"<UUID FileName={quoteattr(base)}>urn:uuid:0</UUID></TiffData>"
            )
        for _, _, c, z, t in places:
            yield (
                f'<Plane TheZ="{z - 1}" TheC="{c - 1}" TheT="{t - 1}" DeltaT="{SECONDS * (t - 1)}" '
                f'ExposureTime="0.1" PositionX="{x}" PositionY="{-y}" PositionZ="{z * Z_STEP_UM}"/>'
            )
        yield "</Pixels></Image>"
    yield "</OME>"


def _descriptor(plate: Wanted, shape: tuple[int, int]) -> Iterator[str]:
    yield '<?xml version="1.0"?>\n<LVData><Cluster><Name>experiment</Name>'
    yield _item("plate name", plate.name)
    yield f"<Cluster><Name>format typedef</Name>{_item('Rows', shape[0])}{_item('Columns', shape[1])}</Cluster>"
    yield _item("conversion factor um/pixel", PIXEL_UM) + _item("slices distance", Z_STEP_UM)
    for name in plate.channels:
        items = _item("name", name) + _item("exposure time", 100) + _item("idle", 0)
        yield f"<Cluster><Name>channel</Name>{items}</Cluster>"
    yield "<Array><Name>well selection table + cDNA</Name><Dimsize>0</Dimsize>"
    for well in plate.wells:
        row, column = parse_well(well)
        yield _item("", _number(well, shape[1])) + _item("", f"{row_name(row)}{column + 1}")
    yield "</Array></Cluster></LVData>"


def _item(name: str, value: object) -> str:
    return f"<String><Name>{name}</Name><Val>{escape(str(value))}</Val></String>"


def _log(plate: Wanted, columns: int) -> Iterator[str]:
    yield "STARTACQUISITION\r\n"
    for well, site, channel, z, t in plate.planes():
        if channel == 1:
            x, y = plate.position(well, site)
            yield (
                f"IMAGEPOS\tW={_number(well, columns)}\tP={site}\tT={t - 1}\tZ={z - 1}\tIMAGEX={x}\tIMAGEY={-y}\t"
                f"IMAGEZ={z * Z_STEP_UM}\tTIME={SECONDS * (t - 1)}\r\n"
            )
    yield "ENDACQUISITION\r\n"
