"""Micro-Manager's image stacks: one for each position, the first holds the OME-XML of all, a text beside each.

A plane that is left out was never taken: no page, no record, and the summary wants it all the same.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from openhcs.microscopes.position_names import format_position
from openhcs.testing.layouts.ome_tiff import NAMESPACE, places
from openhcs.testing.scene import PIXEL_UM, Z_STEP_UM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openhcs.testing.scene import Place, Scene, Wanted


def write(plate: Wanted, scene: Scene, root: Path) -> None:
    """Write the plate's files."""
    listed = positions(plate)
    first = next((label for label, site in listed if kept(plate, site)), listed[0][0])
    master = f"{plate.name}_MMStack_{first}.ome.tif"
    pointer = f'<BinaryOnly MetadataFile={quoteattr(master)} UUID="urn:uuid:{_uuid(master)}"/>'
    images = "".join("".join(_image(plate, number, label, site)) for number, (label, site) in enumerate(listed))
    for label, site in listed:
        stack = f"{plate.name}_MMStack_{label}"
        told = images if f"{stack}.ome.tif" == master else pointer
        scene.save_stack(root / f"{stack}.ome.tif", kept(plate, site), _document(f"{stack}.ome.tif", told))
        records = {
            f"FrameKey-{t - 1}-{channel - 1}-{z - 1}": {
                **measured(plate, label, (well, number, channel, z, t)),
                "FileName": f"{stack}.ome.tif",
            }
            for well, number, channel, z, t in kept(plate, site)
        }
        text = json.dumps({"Summary": summary(plate), **records}, indent=2, ensure_ascii=False)
        (root / f"{stack}_metadata.txt").write_text(text, encoding="utf-8")


def positions(plate: Wanted) -> list[tuple[str, tuple[str, int]]]:
    """Return (label, (well, site)) of each position."""
    sites = [(well, site) for well in plate.wells for site in range(1, plate.sites + 1)]
    return [(format_position(well, site - 1), (well, site)) for well, site in sites]


def kept(plate: Wanted, site: tuple[str, int]) -> list[Place]:
    """Return the planes of a position that were taken."""
    return [place for place in places(plate, *site) if place not in plate.left_out]


def summary(plate: Wanted) -> dict[str, Any]:
    """Return the summary that stands at the beginning of each text."""
    return {
        "Prefix": plate.name,
        "ChNames": list(plate.channels),
        "ChColors": [-16776961, -16711936, -65536, -1][: len(plate.channels)],
        "IntendedDimensions": {
            "channel": len(plate.channels),
            "z": plate.z,
            "time": plate.t,
            "position": len(plate.wells) * plate.sites,
        },
        "StagePositions": [
            {
                "Label": label,
                "DefaultXYStage": "XY",
                "DevicePositions": [{"Device": "XY", "Position_um": list(plate.position(*site))}],
            }
            for label, site in positions(plate)
        ],
        "z-step_um": Z_STEP_UM,
        "Interval_ms": 60_000,
        "StartTime": "2024-07-09 13:13:03.000 +0200",
        "PixelType": "GRAY16",
        "MicroManagerVersion": "2.0.3",
    }


def measured(plate: Wanted, label: str, place: Place) -> dict[str, Any]:
    """Return what the record of a plane tells."""
    well, site, channel, z, t = place
    x, y = plate.position(well, site)
    return {
        "Channel": plate.channels[channel - 1],
        "PositionName": label,
        "ElapsedTime-ms": (t - 1) * 60_000 + 7.5,
        "Exposure-ms": 100,
        "Binning": "2",
        "PixelSizeUm": PIXEL_UM,
        "XPositionUm": x,
        "YPositionUm": y,
        "ZPositionUm": z * Z_STEP_UM,
        "TIObjective-Label": "10x/0.45",
        "Camera-Name": "µ",
    }


def _image(plate: Wanted, number: int, label: str, site: tuple[str, int]) -> Iterator[str]:
    y, x = plate.size
    stack = f"{plate.name}_MMStack_{label}"
    file = f"{stack}.ome.tif"
    yield (
        f'<Image ID="Image:{number}" Name={quoteattr(stack)}><StageLabel Name={quoteattr(label)}/>'
        f'<Pixels ID="Pixels:{number}" DimensionOrder="XYCZT" Type="uint16" SizeX="{x}" SizeY="{y}" '
        f'SizeC="{len(plate.channels)}" SizeZ="{plate.z}" SizeT="{plate.t}" PhysicalSizeX="{PIXEL_UM}" '
        f'PhysicalSizeXUnit="µm" PhysicalSizeY="{PIXEL_UM}" PhysicalSizeYUnit="µm" PhysicalSizeZ="{Z_STEP_UM}">'
    )
    for place, name in enumerate(plate.channels):
        yield f'<Channel ID="Channel:{number}:{place}" Name={quoteattr(name)} SamplesPerPixel="1"/>'
    for page, (_, _, channel, z, t) in enumerate(kept(plate, site)):
        yield (
            f'<TiffData FirstC="{channel - 1}" FirstT="{t - 1}" FirstZ="{z - 1}" IFD="{page}" PlaneCount="1">'
            f"<UUID FileName={quoteattr(file)}>urn:uuid:{_uuid(file)}</UUID></TiffData>"
        )
    yield "</Pixels></Image>"


def _document(name: str, inner: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{NAMESPACE}" UUID="urn:uuid:{_uuid(name)}">{inner}</OME>'


def _uuid(name: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, name)
