"""Screens of the EMBL: folders of wells and positions, everything numbered from 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openhcs.core.wells import parse_well, plate_shape, row_name

if TYPE_CHECKING:
    from pathlib import Path

    from openhcs.testing.scene import Place, Scene, Wanted


def write(plate: Wanted, scene: Scene, root: Path) -> None:
    """Write the plate's files."""
    columns = max(12, plate_shape(plate.wells)[1])
    for place in plate.planes():
        scene.save(root / almf_file(plate.name, place, columns=columns), place)


def almf_file(plate: str, place: Place, *, columns: int = 12, first: int = 1, suffix: str = "ome.tif") -> str:
    """Return the path of an image; ``first`` is what positions, times, z and channels count from."""
    well, site, channel, z, t = place
    row, column = parse_well(well)
    number = f"W{row * columns + column + 1:04d}"
    short = f"{row_name(row)}{column + 1}"
    position = f"P{site - 1 + first:03d}"
    rest = f"T{t - 1 + first:05d}--Z{z - 1 + first:03d}--C{channel - 1 + first:02d}"
    folders = f"{number}--{short}--{short}/{position}--{short}--{short}"
    return f"{folders}/{plate}--{short}--{short}--{number}--{position}--{rest}.{suffix}"
