"""Micro-Manager's separate files, as version 2.0 saves them: a folder with ``metadata.txt`` for each position.

A plane that is left out has a record and no file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from openhcs.microscopes.micromanager.names import METADATA, PlaneName, format_plane
from openhcs.testing.layouts.micro_manager import measured, positions, summary
from openhcs.testing.layouts.ome_tiff import places

if TYPE_CHECKING:
    from pathlib import Path

    from openhcs.testing.scene import Scene, Wanted


def write(plate: Wanted, scene: Scene, root: Path, *, version: int = 2) -> None:
    """Write the plate's files; version 1 names them as 1.4 does."""
    for number, (label, site) in enumerate(positions(plate)):
        records: dict[str, Any] = {"Summary": summary(plate)}
        for place in places(plate, *site):
            _, _, channel, z, t = place
            told = measured(plate, label, place)
            if version == 1:
                name = format_plane(PlaneName(t=t - 1, z=z - 1, channel=plate.channels[channel - 1]))
                records[f"FrameKey-{t - 1}-{channel - 1}-{z - 1}"] = {**told, "PositionIndex": number}
            else:
                name = format_plane(PlaneName(t=t - 1, c=channel - 1, z=z - 1, position=number))
                indices = {"Frame": t - 1, "ChannelIndex": channel - 1, "Slice": z - 1, "PositionIndex": number}
                records[f"Coords-{label}/{name}"] = indices
                records[f"Metadata-{label}/{name}"] = told
            scene.save(root / label / name, place)
        text = json.dumps(records, indent=2, ensure_ascii=False)
        (root / label / METADATA).write_text(text, encoding="utf-8")
