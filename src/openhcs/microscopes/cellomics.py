"""Cellomics ArrayScan plates: ``[<plate>_]<WELL>f<field>d<channel>.(TIF|DIB|C01)``.

Fields and channels count from 0 and keep their numbers. The plate's name may hold underscores, and ends in
the scan's date and number. Overlays that the analysis draws (``o1`` in place of ``d1``) are no planes. The
planes of a `.c01` or `.dib` of several are a stack, numbered from 1. With names alone nothing is missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs.core.plate import FileSource, Plane, Unmatched
from openhcs.core.wells import parse_well, well_name
from openhcs.errors import FormatError
from openhcs.microscopes.assemble import assemble
from openhcs.microscopes.by_name import caches, first_pages, folder_name, refuse_plates, sort_names, too_few
from openhcs.microscopes.forms import Form
from openhcs.microscopes.protocol import NotMine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openhcs.core.plate import Files, PlateIndex
    from openhcs.microscopes.by_name import Found

TEXT, EXAMPLE = "<plate>_<well>f<field>d<channel>.(TIF|DIB|C01)", "AS_09125_050116030001_D03f00d2.TIF"
DOCUMENTS = (".mdb", ".csv", ".xml")
BITMAPS = (".c01", ".dib")
_NAME = re.compile(
    r"(?:(?P<plate>.+)_)?(?P<well>(?:A[A-F]|[A-Z])(?:0?[1-9]|[1-3][0-9]|4[0-8]))"
    r"f(?P<field>[0-9]{1,4})(?P<kind>[do])(?P<channel>[0-9]{1,2})\.(?:tiff?|dib|c01)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """What a Cellomics file name says; ``plate`` is empty where it names none."""

    plate: str
    well: str
    field: int
    channel: int
    overlay: bool = False


def parse_name(name: str) -> Name | None:
    """Return what a file name says, or None when it is of another form.

    >>> parse_name("AS_09125_050116030001_D03f00d2.tif")
    Name(plate='AS_09125_050116030001', well='D03', field=0, channel=2, overlay=False)
    """
    match = _NAME.fullmatch(name)
    if match is None or not match["well"].isupper():
        return None
    return Name(
        plate=match["plate"] or "",
        well=well_name(*parse_well(match["well"])),
        field=int(match["field"]),
        channel=int(match["channel"]),
        overlay=match["kind"].lower() == "o",
    )


class Cellomics:
    """Reads what ArrayScan and CellInsight instruments export."""

    name = "cellomics"
    forms = (Form(TEXT, EXAMPLE, lambda base: parse_name(base) is not None),)

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the plate, or why the folder is none.

        Raises
        ------
        SeveralPlates
            images of several plates lie in the folder.
        FormatError
            two planes of one place differ.
        """
        held = sort_names(files, parse_name, lambda folder: folder)
        planes = [one for one in held.found if not one.name.overlay]
        why = too_few(held, TEXT, EXAMPLE)
        if why is None and not planes:
            why = f"all {len(held.found)} images named {TEXT} are overlays"
        if why is not None:
            return NotMine(why)
        refuse_plates(files, planes, lambda name: name.plate)
        home, plate = planes[0].home, planes[0].name.plate
        pages = first_pages(files, planes)
        stacked = pages > 1 and all(one.file.path.lower().endswith(BITMAPS) for one in planes)
        return assemble(
            files,
            microscope=self.name,
            name=plate or folder_name(files, home),
            planes=_planes(planes, pages if stacked else 1),
            why=f"{len(planes)} files are named {TEXT}",
            documents=held.documents(*DOCUMENTS),
            left_out=[*caches(held.others), *_overlays(held.found)],
            warnings=[] if pages == 1 or stacked else [f"images have {pages} pages; the first of each is read"],
            pixel_size_um=_pixel_size(files, planes),
        )


def _planes(found: Sequence[Found[Name]], pages: int) -> Iterator[Plane]:
    for one in found:
        for page in range(pages):
            source = FileSource(one.file.path, page, one.file.size, one.file.mtime_ns)
            yield Plane(well=one.name.well, site=one.name.field, channel=one.name.channel, z=page + 1, source=source)


def _overlays(found: Sequence[Found[Name]]) -> list[Unmatched]:
    reason = "an overlay that the analysis drew, no plane"
    return [Unmatched(path=one.file.path, reason=reason) for one in found if one.name.overlay]


def _pixel_size(files: Files, found: Sequence[Found[Name]]) -> tuple[float, float] | None:
    """Return what the first bitmap says of its pixels, (y, x) in µm."""
    path = next((one.file.path for one in found if one.file.path.lower().endswith(BITMAPS)), None)
    if path is None:
        return None
    try:
        density = files.header(path).tags.get("pixels_per_metre")
    except FormatError:
        return None
    return (round(1e6 / density[0], 9), round(1e6 / density[1], 9)) if density else None
