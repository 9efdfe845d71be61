"""What a made-up plate shows: where its planes are, and their pixels.

Pixels are 12-bit counts in uint16: camera offset, uneven background, blurred nuclei of about 15
pixels, shot and read noise. The same arguments give the same files.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from openhcs.core.wells import parse_well

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Array = np.ndarray[Any, np.dtype[Any]]

OFFSET, FULL = 100, 4095
NUCLEUS_PX = 15
PIXEL_UM = 0.65
Z_STEP_UM = 2.0
WELL_UM = 9000.0
WAVELENGTHS = {"DAPI": (385, 450), "FITC": (475, 525), "Cy3": (545, 595), "Cy5": (630, 690)}


Place = tuple[str, int, int, int, int]
"""(well, site, channel, z, t), numbers from 1."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
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

    def planes(self) -> Iterator[Place]:
        """Yield (well, site, channel, z, t), all from 1, of every plane that is promised."""
        for well in self.wells:
            for site in range(1, self.sites + 1):
                for t in range(1, self.t + 1):
                    for channel in range(1, len(self.channels) + 1):
                        for z in range(1, self.z + 1):
                            yield well, site, channel, z, t

    @cached_property
    def left_out(self) -> frozenset[Place]:
        """The planes that are promised and not written."""
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


class Scene:
    """Pixels of planes: a few large textures, cut at places that depend on the plane.

    Parameters
    ----------
    compression
        of files that are saved: None, "lzw", "deflate", "packbits".
    blank
        every file holds the same bytes: an image of zeros, without a description.
    """

    def __init__(self, plate: Wanted, *, compression: str | None = None, blank: bool = False) -> None:
        self._plate = plate
        self._compression = compression
        self._blank = encode_tiff(np.zeros(plate.size, np.uint16), None, compression) if blank else None
        self._folders: set[str] = set()
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

    def projection(self, well: str, site: int, channel: int, t: int) -> Array:
        """Return the brightest of a stack's planes at each pixel (y, x), uint16."""
        planes = [self.plane(well, site, channel, z, t) for z in range(1, self._plate.z + 1)]
        brightest: Array = np.max(planes, axis=0)
        return brightest

    def save(self, path: Path, place: Place, description: str | None = None) -> None:
        """Write the TIFF of a plane, unless it is to be left out; folders are made."""
        self._make_folder(path)
        if place not in self._plate.left_out:
            self._write(path, lambda: self.plane(*place), description)

    def save_projection(self, path: Path, place: Place, description: str | None = None) -> None:
        """Write the TIFF of the projection of a plane's stack."""
        well, site, channel, _, t = place
        self._make_folder(path)
        self._write(path, lambda: self.projection(well, site, channel, t), description)

    def save_thumbnail(self, path: Path, place: Place, description: str | None = None) -> None:
        """Write every eighth pixel of a plane as a TIFF."""
        self._make_folder(path)
        self._write(path, lambda: self.plane(*place)[::8, ::8], description)

    def _make_folder(self, path: Path) -> None:
        folder = os.path.dirname(path)
        if folder not in self._folders:
            os.makedirs(folder, exist_ok=True)
            self._folders.add(folder)

    def _write(self, path: Path, pixels: Callable[[], Array], description: str | None) -> None:
        data = self._blank or encode_tiff(np.ascontiguousarray(pixels()), description, self._compression)
        with open(path, "wb") as file:
            file.write(data)

    def save_stack(self, path: Path, places: Sequence[Place], description: str) -> None:
        """Write one TIFF with a page for each place that is not left out, and none where all are."""
        kept = [place for place in places if place not in self._plate.left_out]
        os.makedirs(path.parent, exist_ok=True)
        if not kept:
            return
        with tifffile.TiffWriter(path) as tiff:
            for number, place in enumerate(kept):
                pixels = np.zeros(self._plate.size, np.uint16) if self._blank else self.plane(*place)
                tiff.write(
                    pixels,
                    # Bytes, for OME-XML is UTF-8; tifffile takes texts of ASCII alone.
                    description=None if number else description.encode(),
                    metadata=None,
                    compression=self._compression,
                    photometric="minisblack",
                    software=False,
                )

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


def encode_tiff(plane: Array, description: str | None = None, compression: str | None = None) -> bytes:
    """Return one plane (y, x) as the bytes of a plain TIFF."""
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        plane,
        description=description,
        metadata=None,
        compression=compression,
        photometric="minisblack",
        software=False,
    )
    return buffer.getvalue()
