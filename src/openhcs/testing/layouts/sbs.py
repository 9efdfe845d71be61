"""The SBS and Broad benchmark sets: channel, running number, row and column, and a table of treatments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openhcs.core.wells import parse_well, plate_shape, row_name
from openhcs.errors import InvalidValue

if TYPE_CHECKING:
    from pathlib import Path

    from openhcs.testing.scene import Scene, Wanted


def write(plate: Wanted, scene: Scene, root: Path) -> None:
    """Write the plate's files.

    Raises
    ------
    InvalidValue
        z planes or time points are asked for, which the names have no place for.
    """
    if plate.z > 1 or plate.t > 1:
        raise InvalidValue("names of SBS sets tell no z and no time; ask for one of each")
    columns = max(12, plate_shape(plate.wells)[1])
    for well, site, channel, z, t in plate.planes():
        name = sbs_file(well, channel, site - 1 if plate.sites > 1 else None, columns=columns)
        scene.save(root / name, (well, site, channel, z, t))
    places = [parse_well(well) for well in plate.wells]
    rows = [f"{number},{column + 1:02d},{row_name(row)}" for number, (row, column) in enumerate(places, start=1)]
    (root / "Metadata.csv").write_text("\n".join(["ImageNumber,Column,Row", *rows, ""]))


def sbs_file(well: str, channel: int, site: int | None = None, *, columns: int = 12) -> str:
    """Return the name of an image; ``site`` counts from 0."""
    row, column = parse_well(well)
    tail = "" if site is None else f"-{site:02d}"
    return f"Channel{channel}-{row * columns + column + 1:02d}-{row_name(row)}-{column + 1:02d}{tail}.tif"
