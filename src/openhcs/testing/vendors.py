"""The documents that microscopes write beside their planes, for synthetic plates."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from openhcs.core.wells import parse_well

if TYPE_CHECKING:
    from collections.abc import Sequence

Key = tuple[str, int, int, int, int]
"""well, site, channel, z, t"""
WELL_UM, Z_STEP_UM = 9000, 2


def htd(wells: Sequence[str], shape: tuple[int, int], *, sites: int, channels: Sequence[str], z: int, t: int) -> str:
    """Return the text of an ImageXpress HTD file."""
    rows, columns = shape
    places = {parse_well(well) for well in wells}
    lines = ['"HTSInfoFile", Version 1.0', '"Description", "synthetic"', f'"TimePoints", {t}']
    lines += [f'"ZSeries", {_flag(z > 1)}', f'"ZSteps", {z if z > 1 else 0}', '"ZProjection", FALSE']
    lines += [f'"XWells", {columns}', f'"YWells", {rows}']
    for row in range(rows):
        flags = ", ".join(_flag((row, column) in places) for column in range(columns))
        lines.append(f'"WellsSelection{row + 1}", {flags}')
    lines += ['"Sites", TRUE', f'"XSites", {sites}', '"YSites", 1']
    lines.append(f'"SiteSelection1", {", ".join(["TRUE"] * sites)}')
    lines += ['"Waves", TRUE', f'"NWavelengths", {len(channels)}']
    lines += [f'"WaveName{n}", "{name}"' for n, name in enumerate(channels, 1)]
    lines += [f'"WaveCollect{n}", 1' for n in range(1, len(channels) + 1)]
    return "\r\n".join([*lines, '"EndFile"', ""])


def _flag(value: bool) -> str:  # noqa: FBT001 - the word for a truth value
    return "TRUE" if value else "FALSE"


def metaseries(key: Key, channel: str, size: tuple[int, int], pixel_um: float) -> str:
    """Return the description that MetaXpress writes into a TIFF."""
    well, site, number, z, t = key
    row, column = parse_well(well)
    x = WELL_UM * (column + 0.5) + (site - 1) * size[1] * pixel_um
    y = WELL_UM * (row + 0.5)
    props = {
        "spatial-calibration-state": "on",
        "spatial-calibration-x": pixel_um,
        "spatial-calibration-y": pixel_um,
        "spatial-calibration-units": "um",
        "acquisition-time-local": f"20240101 12:00:{t % 60:02d}.000",
        "stage-position-x": f"{x:g}",
        "stage-position-y": f"{y:g}",
        "stage-label": f"{well} : Site {site}",
        "z-position": 1000 + Z_STEP_UM * z,
        "wavelength": 400 + 60 * number,
        "_IllumSetting_": channel,
    }
    lines = [f'<prop id="{name}" type="string" value={quoteattr(_plain(value))}/>' for name, value in props.items()]
    return "\n".join(["<MetaData>", "<PlaneInfo>", *lines, "</PlaneInfo>", "</MetaData>"])


def _plain(value: object) -> str:
    """Return text a TIFF description may hold: ASCII, the rest as character references."""
    return str(value).encode("ascii", "xmlcharrefreplace").decode()


def harmony_name(key: Key) -> str:
    """Return the file name that Harmony gives a plane."""
    well, site, channel, z, t = key
    row, column = parse_well(well)
    return f"r{row + 1:02d}c{column + 1:02d}f{site:02d}p{z:02d}-ch{channel}sk{t}fk1fl1.tiff"


def harmony_index(
    name: str,
    keys: Sequence[Key],
    channels: Sequence[str],
    size: tuple[int, int],
    *,
    shape: tuple[int, int],
    pixel_um: float,
) -> str:
    """Return the text of a Harmony 5 index."""
    head = (
        '<?xml version="1.0" encoding="utf-8"?>\n<EvaluationInputData Version="1" '
        'xmlns="http://www.perkinelmer.com/PEHH/HarmonyV5">\n<InstrumentType>Phenix</InstrumentType>\n<Plates><Plate>'
        f"<PlateID>{escape(name)}</PlateID><Name>{escape(name)}</Name><PlateRows>{shape[0]}</PlateRows>"
        f"<PlateColumns>{shape[1]}</PlateColumns></Plate></Plates>\n<Images>\n"
    )
    images = "\n".join(_harmony_image(key, channels[key[2] - 1], size, pixel_um) for key in keys)
    return f"{head}{images}\n</Images>\n</EvaluationInputData>\n"


def _harmony_image(key: Key, channel: str, size: tuple[int, int], pixel_um: float) -> str:
    well, site, number, z, t = key
    row, column = parse_well(well)
    told = {
        "id": f"{row + 1:02d}{column + 1:02d}K{t}F{site}P{z}R{number}",
        "State": "Ok",
        "URL": harmony_name(key),
        "Row": row + 1,
        "Col": column + 1,
        "FieldID": site,
        "PlaneID": z,
        "TimepointID": t - 1,
        "ChannelID": number,
        "ChannelName": escape(channel),
        "ChannelType": "Fluorescence",
        "ImageSizeX": size[1],
        "ImageSizeY": size[0],
        "MainExcitationWavelength": 340 + 60 * number,
        "MainEmissionWavelength": 400 + 60 * number,
        "ExposureTime": 0.1,
    }
    metres = {
        "ImageResolutionX": pixel_um * 1e-6,
        "ImageResolutionY": pixel_um * 1e-6,
        "PositionX": (site - 1) * size[1] * pixel_um * 1e-6,
        "PositionY": 0.0,
        "PositionZ": Z_STEP_UM * z * 1e-6,
    }
    parts = [f"<{tag}>{value}</{tag}>" for tag, value in told.items()]
    parts += [f'<{tag} Unit="m">{value!r}</{tag}>' for tag, value in metres.items()]
    return f'<Image Version="1">{"".join(parts)}</Image>'
