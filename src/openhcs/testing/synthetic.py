"""Plates made up for tests, benchmarks and the demo: two vendors' layouts, realistic fluorescence.

Pixels are 12-bit counts in uint16: camera offset, uneven background, blurred nuclei of about 15
pixels, shot and read noise. The same arguments give the same files.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import tifffile

from openhcs.core.wells import parse_well, plate_shape, well_name
from openhcs.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Array = np.ndarray[Any, np.dtype[Any]]

OFFSET, FULL = 100, 4095
NUCLEUS_PX = 15
PIXEL_UM = 0.65
Z_STEP_UM = 2.0
WELL_UM = 9000.0
WAVELENGTHS = {"DAPI": (385, 450), "FITC": (475, 525), "Cy3": (545, 595), "Cy5": (630, 690)}
LAYOUTS = ("imagexpress", "opera_phenix")


@dataclass(frozen=True, kw_only=True)
class _Plate:
    """What is asked for, and the place of every plane."""

    name: str
    wells: tuple[str, ...]
    sites: int
    channels: tuple[str, ...]
    z: int
    t: int
    size: tuple[int, int]
    seed: int
    missing: int
    empty: frozenset[str]

    def planes(self) -> Iterator[tuple[str, int, int, int, int]]:
        """Yield (well, site, channel, z, t), all from 1, of every plane that is promised."""
        for well in self.wells:
            for site in range(1, self.sites + 1):
                for t in range(1, self.t + 1):
                    for channel in range(1, len(self.channels) + 1):
                        for z in range(1, self.z + 1):
                            yield well, site, channel, z, t

    @cached_property
    def left_out(self) -> frozenset[tuple[str, int, int, int, int]]:
        planes = list(self.planes())
        chosen = np.random.default_rng(self.seed).choice(len(planes), size=self.missing, replace=False)
        return frozenset(planes[number] for number in chosen)

    def position(self, well: str, site: int) -> tuple[float, float]:
        """Return where a site lies from the plate's corner, (x, y) in µm, y down."""
        row, column = parse_well(well)
        across = max(1, round(self.sites**0.5))
        place_y, place_x = divmod(site - 1, across)
        y, x = self.size
        return (
            round(column * WELL_UM + place_x * x * PIXEL_UM, 3),
            round(row * WELL_UM + place_y * y * PIXEL_UM, 3),
        )


def make_plate(
    folder: str | Path,
    *,
    layout: str = "imagexpress",
    name: str | None = None,
    wells: int | Sequence[str] = 4,
    sites: int = 2,
    channels: Sequence[str] = ("DAPI", "FITC"),
    z: int = 1,
    t: int = 1,
    size: tuple[int, int] = (256, 256),
    seed: int = 0,
    missing: int = 0,
    empty_wells: Sequence[str] = (),
    compression: str | None = None,
) -> Path:
    """Write a plate and return its folder, which is ``folder``.

    Parameters
    ----------
    layout
        "imagexpress" (exported, with HTD) or "opera_phenix" (Harmony V5 index).
    name
        the plate's name; by default the folder's.
    wells
        names, or how many, row by row on the smallest standard plate.
    size
        (y, x) in pixels.
    missing
        planes that are promised and left out.
    empty_wells
        wells without cells.
    compression
        of the TIFFs: None, "lzw", "deflate", "packbits".

    Raises
    ------
    InvalidValue
        an unknown layout, or more planes missing than there are.
    """
    root = Path(folder)
    names = _well_names(wells) if isinstance(wells, int) else tuple(wells)
    plate = _Plate(
        name=name or root.name,
        wells=tuple(sorted(names, key=parse_well)),
        sites=sites,
        channels=tuple(channels),
        z=z,
        t=t,
        size=size,
        seed=seed,
        missing=missing,
        empty=frozenset(empty_wells),
    )
    if layout not in LAYOUTS:
        raise InvalidValue(f"layout is one of {', '.join(LAYOUTS)}, not {layout!r}")
    if missing > len(list(plate.planes())):
        raise InvalidValue(f"{missing} planes cannot be missing of {len(list(plate.planes()))}")
    root.mkdir(parents=True, exist_ok=True)
    if layout == "imagexpress":
        _write_imagexpress(plate, root, compression)
    else:
        _write_phenix(plate, root, compression)
    return root


def _well_names(count: int) -> tuple[str, ...]:
    columns = next(c for r, c in ((2, 3), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48)) if r * c >= count)
    return tuple(well_name(number // columns, number % columns) for number in range(count))


class _Scene:
    """Pixels of planes: a few large textures, cut at places that depend on the plane."""

    def __init__(self, plate: _Plate) -> None:
        self._plate = plate
        y, x = plate.size
        rng = np.random.default_rng(plate.seed + 1)
        self._shape = (y + 256, x + 256)
        self._noise = rng.normal(0, 8, self._shape).astype(np.float32)
        self._background = _blurred(rng.random(self._shape, np.float32), 60)
        self._background = 60 * self._background / max(float(self._background.max()), 1e-6)

    def plane(self, well: str, site: int, channel: int, z: int, t: int) -> Array:
        """Return one plane (y, x), uint16."""
        y, x = self._plate.size
        rng = np.random.default_rng([self._plate.seed, *well.encode(), site, channel, z, t])
        top, left = (int(value) for value in rng.integers(0, 256, 2))
        window = np.s_[top : top + y, left : left + x]
        focus = 1.0 / (1.0 + abs(z - (self._plate.z + 1) / 2) / 2)
        light = OFFSET + self._background[window].copy()
        if well not in self._plate.empty:
            self._add_cells(light, np.random.default_rng([self._plate.seed, *well.encode(), site]), channel, focus)
        light += self._noise[window] * np.sqrt(light / OFFSET)
        counts: Array = np.clip(np.rint(light), 0, FULL).astype(np.uint16)
        return counts

    def _add_cells(self, light: Array, rng: np.random.Generator, channel: int, focus: float) -> None:
        y, x = light.shape
        count = max(1, y * x // 12_000)
        reach = 2 * NUCLEUS_PX
        grid = np.arange(-reach, reach + 1, dtype=np.float32)
        for _ in range(count):
            cy, cx = int(rng.integers(0, y)), int(rng.integers(0, x))
            radius, bright = rng.uniform(0.7, 1.3) * NUCLEUS_PX, rng.uniform(600, 2400) / channel**0.5 * focus
            ry, rx = grid / (radius * rng.uniform(0.7, 1.0)), grid / radius
            spot = bright / (1 + np.exp(np.minimum(6 * (ry[:, None] ** 2 + rx[None, :] ** 2 - 0.7), 50)))
            y0, y1, x0, x1 = max(cy - reach, 0), min(cy + reach + 1, y), max(cx - reach, 0), min(cx + reach + 1, x)
            part = spot[y0 - cy + reach : y1 - cy + reach, x0 - cx + reach : x1 - cx + reach]
            np.maximum(light[y0:y1, x0:x1], OFFSET + part, out=light[y0:y1, x0:x1])


def _blurred(texture: Array, width: int) -> Array:
    """Return a texture averaged over boxes of ``width``, rows then columns."""
    for axis in (0, 1):
        total = np.cumsum(texture, axis=axis, dtype=np.float64)
        texture = ((np.roll(total, -width, axis) - total) / width).astype(np.float32)
        texture = np.clip(texture, 0, None)
    return texture


def _write_tiff(path: Path, plane: Array, description: str | None, compression: str | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(
        path,
        plane,
        description=description,
        metadata=None,
        compression=compression,
        photometric="minisblack",
        software=False,
    )


def _write_imagexpress(plate: _Plate, root: Path, compression: str | None) -> None:
    htd = _htd(plate)
    scene = _Scene(plate)
    folders = {root}
    for well, site, channel, z, t in plate.planes():
        folder = root / f"TimePoint_{t}" / (f"ZStep_{z}" if plate.z > 1 else "")
        folders.add(root / f"TimePoint_{t}")
        if (well, site, channel, z, t) in plate.left_out:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{plate.name}_{well}_s{site}_w{channel}.TIF"
        pixels = scene.plane(well, site, channel, z, t)
        _write_tiff(file, pixels, _metaseries(plate, well, site, channel, z), compression)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{plate.name}.HTD").write_bytes(htd)


def _htd(plate: _Plate) -> bytes:
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


def _metaseries(plate: _Plate, well: str, site: int, channel: int, z: int) -> str:
    x, y = plate.position(well, site)
    name = plate.channels[channel - 1]
    facts = (
        ("spatial-calibration-state", "bool", "on"),
        ("spatial-calibration-x", "float", PIXEL_UM),
        ("spatial-calibration-y", "float", PIXEL_UM),
        ("spatial-calibration-units", "string", "um"),
        ("stage-position-x", "float", x),
        ("stage-position-y", "float", y),
        ("stage-label", "string", f"{well} : Site {site}"),
        ("z-position", "float", 1000 + z * Z_STEP_UM),
        ("wavelength", "float", WAVELENGTHS.get(name, (0, 0))[1]),
        ("_IllumSetting_", "string", name),
        ("_MagSetting_", "string", "10X"),
        ("_MagNA_", "float", 0.45),
    )
    props = "".join(f'<prop id="{key}" type="{kind}" value={quoteattr(str(value))}/>' for key, kind, value in facts)
    intro = '<prop id="Description" type="string" value="Exposure: 100 ms&#13;&#10;Binning: 1 x 1"/>'
    return f"<MetaData>{intro}<PlaneInfo>{props}</PlaneInfo></MetaData>"


def _write_phenix(plate: _Plate, root: Path, compression: str | None) -> None:
    scene = _Scene(plate)
    images = root / "Images"
    images.mkdir(parents=True, exist_ok=True)
    for well, site, channel, z, t in plate.planes():
        if (well, site, channel, z, t) not in plate.left_out:
            file = images / phenix_file(well, site, channel, z, t)
            _write_tiff(file, scene.plane(well, site, channel, z, t), None, compression)
    (images / "Index.idx.xml").write_bytes(b"\xef\xbb\xbf" + "".join(_phenix_index(plate)).encode())


def phenix_file(well: str, site: int, channel: int, z: int, t: int) -> str:
    """Return the file name of a plane as Harmony writes it."""
    row, column = parse_well(well)
    return f"r{row + 1:02d}c{column + 1:02d}f{site:02d}p{z:02d}-ch{channel}sk{t}fk1fl1.tiff"


def _phenix_index(plate: _Plate) -> Iterator[str]:
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


def _phenix_image(plate: _Plate, well_id: str, place: tuple[str, int, int, int, int]) -> str:
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
