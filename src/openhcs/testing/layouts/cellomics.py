"""Cellomics: one folder of images named by well, field and channel, which count from 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
        raise InvalidValue("names of Cellomics tell no z and no time; ask for one of each")
    for well, site, channel, z, t in plate.planes():
        scene.save(root / cellomics_file(plate.name, well, site - 1, channel - 1), (well, site, channel, z, t))


def cellomics_file(plate: str, well: str, field: int, channel: int, suffix: str = "TIF") -> str:
    """Return the name of an image; field and channel count from 0."""
    return f"{plate}_{well}f{field:02d}d{channel}.{suffix}"
