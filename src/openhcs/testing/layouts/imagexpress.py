"""ImageXpress as MetaXpress exports it: folders of time points and planes, an HTD in each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from openhcs.core.wells import plate_shape, well_name
from openhcs.testing.scene import PIXEL_UM, WAVELENGTHS, Z_STEP_UM

if TYPE_CHECKING:
    from pathlib import Path

    from openhcs.testing.scene import Place, Scene, Wanted

START = datetime(2024, 1, 31, 8, 30, tzinfo=UTC)


def write(plate: Wanted, scene: Scene, root: Path) -> None:
    """Write the plate's files."""
    htd = _htd(plate)
    folders = {root}
    for well, site, channel, z, t in plate.planes():
        folder = root / f"TimePoint_{t}" / (f"ZStep_{z}" if plate.z > 1 else "")
        folders.add(root / f"TimePoint_{t}")
        file = folder / f"{plate.name}_{well}_s{site}_w{channel}.TIF"
        scene.save(file, (well, site, channel, z, t), metaseries(plate, (well, site, channel, z, t)))
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{plate.name}.HTD").write_bytes(htd)


def _htd(plate: Wanted) -> bytes:
    rows, columns = plate_shape(plate.wells)
    across = max(1, round(plate.sites**0.5))
    down = -(-plate.sites // across)
    wells = set(plate.wells)
    lines = [
        '"HTSInfoFile", Version 1.0',
        '"Description", "made up"',
        '"PlateType", 2',
        f'"TimePoints", {plate.t}',
        f'"ZSeries", {_flag(plate.z > 1)}',
        f'"ZSteps", {plate.z if plate.z > 1 else 0}',
        '"ZProjection", FALSE',
        f'"XWells", {columns}',
        f'"YWells", {rows}',
    ]
    for row in range(rows):
        flags = ", ".join(_flag(well_name(row, column) in wells) for column in range(columns))
        lines.append(f'"WellsSelection{row + 1}", {flags}')
    lines += ['"Sites", TRUE', f'"XSites", {across}', f'"YSites", {down}']
    for row in range(down):
        flags = ", ".join(_flag(row * across + column < plate.sites) for column in range(across))
        lines.append(f'"SiteSelection{row + 1}", {flags}')
    lines += ['"Waves", TRUE', f'"NWavelengths", {len(plate.channels)}']
    lines += [f'"WaveName{number}", "{name}"' for number, name in enumerate(plate.channels, start=1)]
    lines += [f'"WaveCollect{number}", 1' for number in range(1, len(plate.channels) + 1)]
    return "\r\n".join([*lines, '"EndFile"', ""]).encode("latin-1")


def _flag(value: bool) -> str:  # noqa: FBT001 - one value in, its word out
    return "TRUE" if value else "FALSE"


def metaseries(plate: Wanted, place: Place, *, projection: bool = False) -> str:
    """Return what MetaXpress writes into the TIFF of a plane, or of the projection of its stack."""
    well, site, channel, z, _ = place
    x, y = plate.position(well, site)
    name = plate.channels[channel - 1]
    facts: list[tuple[str, str, object]] = [
        ("spatial-calibration-state", "bool", "on"),
        ("spatial-calibration-x", "float", PIXEL_UM),
        ("spatial-calibration-y", "float", PIXEL_UM),
        ("spatial-calibration-units", "string", "um"),
        ("image-name", "string", name),
        ("acquisition-time-local", "time", taken(plate, place).strftime("%Y%m%d %H:%M:%S.%f")[:-3]),
        ("stage-position-x", "float", x),
        ("stage-position-y", "float", y),
        ("stage-label", "string", f"{well} : Site {site}"),
        ("z-position", "float", 1000 + z * Z_STEP_UM),
        ("wavelength", "float", WAVELENGTHS.get(name, (0, 0))[1]),
        ("camera-binning-x", "int", 1),
        ("camera-binning-y", "int", 1),
        ("_IllumSetting_", "string", name),
        ("_MagSetting_", "string", "10X"),
        ("_MagNA_", "float", 0.45),
    ]
    if projection:
        facts += [("Z Projection Method", "string", "Maximum"), ("Z Projection Step Size", "float", Z_STEP_UM)]
    props = "".join(f'<prop id="{key}" type="{kind}" value={quoteattr(str(value))}/>' for key, kind, value in facts)
    intro = '<prop id="Description" type="string" value="Exposure: 100 ms&#13;&#10;Binning: 1 x 1"/>'
    return f"<MetaData>{intro}<PlaneInfo>{props}</PlaneInfo></MetaData>"


def taken(plate: Wanted, place: Place) -> datetime:
    """Return when a plane was taken: a minute for each time point, a second for each image, 0.1 s for each plane."""
    well, site, channel, z, t = place
    images = plate.wells.index(well) * plate.sites + site - 1
    planes = (channel - 1) * plate.z + z - 1
    return START + timedelta(minutes=t - 1, seconds=images, milliseconds=100 * planes)
