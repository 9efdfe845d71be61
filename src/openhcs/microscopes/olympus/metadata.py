"""``metadata.ome.xml`` of ScanR: OME-XML that names every image, with a well and position number as image ID."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openhcs.microscopes.olympus.names import parse_name
from openhcs.microscopes.ome.xml import parse_ome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openhcs.microscopes.olympus.names import Name
    from openhcs.microscopes.ome.model import OmeChannel, OmeDocument, OmeImage, OmeObjective

_IMAGE = re.compile(r"(?:.*[^0-9A-Za-z])?W(?P<number>[0-9]{1,5})P(?P<position>[0-9]{1,5})", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What is told of one image: µm with y as the stage counts, seconds, and its channel, which counts from 0."""

    path: str
    channel: int
    wave: OmeChannel | None
    place: tuple[float, float] | None
    height: float | None
    seconds: float | None
    exposure_s: float | None


@dataclass(slots=True, kw_only=True)
class Metadata:
    """What the metadata tells: images by their names, and the plate's facts; empty where there is none."""

    path: str = ""
    images: dict[Name, Image] = field(default_factory=dict)
    elsewhere: int = 0
    """Images whose well or position is another in their image's ID."""
    pixel_um: tuple[float, float] | None = None
    z_um: float | None = None
    start_time: str | None = None
    instrument: str | None = None
    objective: OmeObjective | None = None


def parse_metadata(data: bytes, path: str) -> Metadata:
    """Return what a document tells.

    Raises
    ------
    FormatError
        it is no XML, is cut short, or a number is none.
    """
    document = parse_ome(data, path)
    found = Metadata(path=path)
    if document is None:
        return found
    images = document.images
    found.pixel_um = next((image.pixel_um for image in images if image.pixel_um), None)
    found.z_um = next((image.z_um for image in images if image.z_um and image.sizes[0] > 1), None)
    found.start_time = min((image.acquired for image in images if image.acquired), default=None)
    found.instrument = document.instrument
    found.objective = _objective(document)
    for image in images:
        told = _IMAGE.fullmatch(image.id) or _IMAGE.fullmatch(image.name)
        for name, one in _named(image, path.rpartition("/")[0]):
            found.elsewhere += told is not None and (int(told["number"]), int(told["position"])) != name.place[:2]
            found.images.setdefault(name, one)
    return found


def _objective(document: OmeDocument) -> OmeObjective | None:
    told = (document.objectives.get(image.objective) for image in document.images)
    return next((one for one in told if one is not None), None)


def _named(image: OmeImage, folder: str) -> Iterator[tuple[Name, Image]]:
    facts = {(plane.z, plane.c, plane.t): plane for plane in image.planes}
    for block in image.blocks:
        base = re.split(r"[/\\]", block.file)[-1]
        name = parse_name(base)
        if name is None:
            continue
        fact = facts.get((block.z, block.c, block.t))
        x, y = (fact.x, fact.y) if fact else (None, None)
        yield (
            name,
            Image(
                path=f"{folder}/{base}" if folder else base,
                channel=block.c,
                wave=image.channels[block.c] if block.c < len(image.channels) else None,
                place=image.stage_um if x is None or y is None else (x, y),
                height=fact.height if fact else None,
                seconds=fact.delta_s if fact else None,
                exposure_s=fact.exposure_s if fact else None,
            ),
        )
