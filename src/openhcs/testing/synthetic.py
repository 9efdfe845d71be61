"""Plates made up for tests, benchmarks and the demo, in the layouts of vendors: `openhcs.testing.layouts`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.core.wells import parse_well, well_name
from openhcs.errors import InvalidValue
from openhcs.testing.scene import Scene, Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

LAYOUTS = (
    "bioio",
    "cellomics",
    "cellvoyager",
    "embl_almf",
    "imagexpress",
    "imagexpress_database",
    "imagexpress_hcsai",
    "leica_matrix",
    "micro_manager",
    "micro_manager_files",
    "ome_tiff",
    "opera_phenix",
    "opera_phenix_v7",
    "sbs",
    "scanr",
)
"""Modules of `openhcs.testing.layouts`; each has ``write(plate, scene, root)``."""


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
    blank: bool = False,
) -> Path:
    """Write a plate and return its folder, which is ``folder``.

    Parameters
    ----------
    layout
        one of `LAYOUTS`.
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
    blank
        every file holds the same bytes, an image of zeros: quick, for plates of many files.

    Raises
    ------
    InvalidValue
        an unknown layout, or more planes missing than there are.
    """
    root = Path(folder)
    names = _well_names(wells) if isinstance(wells, int) else tuple(wells)
    plate = Wanted(
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
    scene = Scene(plate, compression=compression, blank=blank)
    import_module(f"openhcs.testing.layouts.{layout}").write(plate, scene, root)
    return root


def _well_names(count: int) -> tuple[str, ...]:
    columns = next(c for r, c in ((2, 3), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48)) if r * c >= count)
    return tuple(well_name(number // columns, number % columns) for number in range(count))
