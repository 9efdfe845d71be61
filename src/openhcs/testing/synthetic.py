"""Small plates that look real: 12-bit fluorescence in a vendor's own layout, the same for the same seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from openhcs.core.wells import parse_well, plate_shape, well_name
from openhcs.errors import InvalidValue
from openhcs.testing.vendors import harmony_index, harmony_name, htd, metaseries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Array = np.ndarray[Any, np.dtype[Any]]

PIXEL_UM = 0.65
BACKGROUND, FULL = 180, 4095
TEXTURES = 4


def make_plate(
    folder: str | Path,
    *,
    layout: str = "imagexpress",
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
    cells: int = 30,
) -> Path:
    """Write a plate and return its folder.

    Parameters
    ----------
    layout
        "imagexpress" (an export with its HTD) or "opera_phenix" (Harmony 5 with its index).
    wells
        how many, row by row from A01, or their names.
    size
        (y, x) in pixels.
    missing
        planes that are promised and not written.
    empty_wells
        wells that hold background alone.
    cells
        nuclei in each site.
    """
    names = [well_name(n // 12, n % 12) for n in range(wells)] if isinstance(wells, int) else list(wells)
    layouts = {"imagexpress": _imagexpress, "opera_phenix": _opera_phenix}
    if layout not in layouts:
        raise InvalidValue(f"layout {layout!r}; known: {', '.join(layouts)}")
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    keys = [
        (w, s, c, k, n) for w in names for s in _to(sites) for c in _to(len(channels)) for k in _to(z) for n in _to(t)
    ]
    chosen = np.random.default_rng(seed).choice(len(keys), size=min(missing, len(keys)), replace=False)
    lost = {keys[int(n)] for n in chosen}
    drawn = _Pixels(size, seed=seed, cells=cells, empty=set(empty_wells), depth=z)
    for path, key, description in layouts[layout](root, keys, channels, size, (len(names), sites, z, t)):
        if key in lost:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(
            path,
            drawn.plane(key),
            photometric="minisblack",
            description=description,
            metadata=None,
            compression=compression,
        )
    return root


def _to(count: int) -> range:
    return range(1, count + 1)


Key = tuple[str, int, int, int, int]
"""well, site, channel, z, t"""


def _imagexpress(
    root: Path, keys: list[Key], channels: Sequence[str], size: tuple[int, int], counts: tuple[int, ...]
) -> Iterator[tuple[Path, Key, str | None]]:
    _, sites, depth, times = counts
    wells = list(dict.fromkeys(key[0] for key in keys))
    shape = plate_shape(wells)
    text = htd(wells, shape, sites=sites, channels=channels, z=depth, t=times)
    (root / f"{root.name}.HTD").write_bytes(text.encode("latin-1", "replace"))
    for key in keys:
        well, site, channel, z, t = key
        below = root / f"TimePoint_{t}"
        below = below / f"ZStep_{z}" if depth > 1 else below
        name = f"{root.name}_{well}_s{site}_w{channel}.TIF"
        yield below / name, key, metaseries(key, channels[channel - 1], size, PIXEL_UM)


def _opera_phenix(
    root: Path, keys: list[Key], channels: Sequence[str], size: tuple[int, int], _counts: tuple[int, ...]
) -> Iterator[tuple[Path, Key, str | None]]:
    images = root / "Images"
    images.mkdir(exist_ok=True)
    shape = plate_shape([key[0] for key in keys])
    (images / "Index.idx.xml").write_text(
        harmony_index(root.name, keys, channels, size, shape=shape, pixel_um=PIXEL_UM), "utf-8-sig"
    )
    for key in keys:
        yield images / harmony_name(key), key, None


class _Pixels:
    """Planes drawn from a few textures, shifted: nuclei, shot noise, background."""

    def __init__(self, size: tuple[int, int], *, seed: int, cells: int, empty: set[str], depth: int) -> None:
        rng = np.random.default_rng(seed)
        self._size, self._seed, self._empty, self._depth = size, seed, empty, depth
        self._noise = [rng.poisson(BACKGROUND, size).astype(np.float32) for _ in range(TEXTURES)]
        self._cells = [_nuclei(size, cells, rng) for _ in range(TEXTURES)]

    def plane(self, key: Key) -> Array:
        well, site, channel, z, t = key
        row, column = parse_well(well)
        here = np.random.default_rng((self._seed, row, column, site))
        texture, *shift = (int(one) for one in here.integers(0, (TEXTURES, *self._size)))
        grain = np.random.default_rng((self._seed, row, column, site, channel, z, t))
        number, *offset = (int(one) for one in grain.integers(0, (TEXTURES, *self._size)))
        plane: Array = np.roll(self._noise[number], offset, (0, 1))
        if well not in self._empty:
            focus = 1 / (1 + abs(z - (self._depth + 1) / 2))
            plane = plane + np.roll(self._cells[texture], shift, (0, 1)) * np.float32(focus * (0.5 + 0.5 / channel))
        return np.minimum(plane, FULL).astype(np.uint16)


def _nuclei(size: tuple[int, int], cells: int, rng: np.random.Generator) -> Array:
    plane = np.zeros(size, np.float32)
    radius = max(2.0, min(size) / 40)
    reach = int(3 * radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    for _ in range(cells):
        wide = radius * rng.uniform(0.8, 1.2)
        spot = rng.uniform(600, 1800) / (1 + np.exp((np.hypot(y, x * rng.uniform(0.7, 1.3)) - wide) / (0.2 * wide)))
        rows = (np.arange(-reach, reach + 1) + int(rng.integers(size[0]))) % size[0]
        columns = (np.arange(-reach, reach + 1) + int(rng.integers(size[1]))) % size[1]
        np.maximum.at(plane, np.ix_(rows, columns), spot.astype(np.float32))
    return plane
