"""ImageXpress as its database keeps a plate: names with a GUID, a thumbnail of each image, no HTD.

The top folder holds the projections of stacks, or the images where there are no stacks.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from openhcs.testing.layouts.imagexpress import START, metaseries

if TYPE_CHECKING:
    from pathlib import Path

    from openhcs.testing.scene import Place, Scene, Wanted

PLATE_ID = 1334
THUMBNAIL = "_thumb"


def write(plate: Wanted, scene: Scene, root: Path) -> None:
    """Write the plate's files."""
    home = root / f"{START:%Y-%m-%d}" / str(PLATE_ID)
    for place in plate.planes():
        _, _, _, z, t = place
        top = home / (f"TimePoint_{t}" if plate.t > 1 else "")
        folder = top / (f"ZStep_{z}" if plate.z > 1 else "")
        scene.save(folder / name_of(plate, place, f"z{z}"), place, metaseries(plate, place))
        scene.save_thumbnail(folder / name_of(plate, place, f"z{z}", THUMBNAIL), place)
        if plate.z > 1 and z == 1:
            told = metaseries(plate, place, projection=True)
            scene.save_projection(top / name_of(plate, place, "top"), place, told)
            scene.save_thumbnail(top / name_of(plate, place, "top", THUMBNAIL), place)


def name_of(plate: Wanted, place: Place, depth: str, ending: str = "") -> str:
    """Return the name of an image; a plate of one site or one wave does not name it."""
    well, site, channel, _, t = place
    parts = (f"_s{site}" if plate.sites > 1 else "", f"_w{channel}" if len(plate.channels) > 1 else "", ending)
    told = f"{plate.name}_{well}{''.join(parts)}"
    return f"{told}{str(uuid.uuid5(uuid.NAMESPACE_OID, f'{plate.seed} {told} {depth} {t}')).upper()}.tif"
