"""Plates of the SBS and Broad benchmark sets: ``Channel<c>-<nn>-<row>-<col>[-<site>].tif``.

The running number counts wells row by row; row and column are taken, and numbers that contradict them are
told. Channels and sites keep their numbers; without a site it is 1. A folder is a plate: nothing in the
names tells it. With names alone nothing is missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs.core.plate import Plane
from openhcs.core.wells import row_index, well_name
from openhcs.microscopes.assemble import assemble
from openhcs.microscopes.by_name import caches, first_pages, folder_name, refuse_plates, sort_names, too_few
from openhcs.microscopes.forms import Form
from openhcs.microscopes.protocol import NotMine
from openhcs.microscopes.well_numbers import contradictions, find_numbering

if TYPE_CHECKING:
    from openhcs.core.plate import Files, PlateIndex

TEXT, EXAMPLE = "Channel<c>-<nn>-<row>-<col>[-<site>].tif", "Channel1-37-D-01.tif"
DOCUMENTS = (".csv",)
_NAME = re.compile(
    r"Channel ?(?P<channel>[0-9]{1,2})-(?P<number>[0-9]{2,4})-(?P<row>[A-Z]|A[A-F])-(?P<column>[0-9]{2})"
    r"(?:-(?P<site>[0-9]{2,4}))?\.(?:tiff?|bmp|dib|png|jpe?g)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """What a file name says; ``number`` is the running number of the well."""

    channel: int
    number: int
    well: str
    site: int = 1


def parse_name(name: str) -> Name | None:
    """Return what a file name says, or None when it is of another form.

    >>> parse_name("Channel 1-12-A-12-00.tif")
    Name(channel=1, number=12, well='A12', site=0)
    """
    match = _NAME.fullmatch(name)
    if match is None or not match["row"].isupper() or not 1 <= int(match["column"]) <= 48:
        return None
    return Name(
        channel=int(match["channel"]),
        number=int(match["number"]),
        well=well_name(row_index(match["row"]), int(match["column"]) - 1),
        site=int(match["site"] or 1),
    )


class Sbs:
    """Reads plates named by channel, running number, row and column."""

    name = "sbs"
    forms = (Form(TEXT, EXAMPLE, lambda base: parse_name(base) is not None),)

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the plate, or why the folder is none.

        Raises
        ------
        SeveralPlates
            images lie in several folders.
        FormatError
            two planes of one place differ.
        """
        held = sort_names(files, parse_name, lambda folder: folder)
        why = too_few(held, TEXT, EXAMPLE)
        if why is not None:
            return NotMine(why)
        refuse_plates(files, held.found, lambda _: "")
        numbering = find_numbering((one.name.number, one.name.well) for one in held.found)
        warnings = contradictions([(one.name.number, one.name.well, one.file.path) for one in held.found], numbering)
        fits = not warnings and all(numbering.holds(one.name.well) for one in held.found)
        pages = first_pages(files, held.found)
        return assemble(
            files,
            microscope=self.name,
            name=folder_name(files, held.found[0].home),
            planes=[
                Plane(well=one.name.well, site=one.name.site, channel=one.name.channel, source=one.file)
                for one in held.found
            ],
            why=f"{len(held.found)} files are named {TEXT}",
            shape=numbering.shape if fits else None,
            documents=held.documents(*DOCUMENTS),
            left_out=caches(held.others),
            warnings=[*warnings, *([f"images have {pages} pages; the first of each is read"] if pages > 1 else [])],
        )
