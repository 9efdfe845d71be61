"""Screens of the EMBL's microscopy facility, and what htmrenamer writes.

Names are ``<plate>--<well>--<treatment>--W<4>--P<3>[--T<4>][--Z<3>]--C<2>.ome.(tif|jpeg)``. W counts wells row by
row; in place of the well a first treatment may stand. Folders are of positions (``P001--A1--A1``), of wells
and positions (``W0001--A1--A1/P001--A1--A1``), or there are none. P, T, Z and C count from 0 or from 1 and keep
their numbers. Treatments are not kept: an index has no place for them. With names alone nothing is missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs.core.plate import Plane, Unmatched
from openhcs.core.wells import parse_well, well_name
from openhcs.microscopes.assemble import assemble
from openhcs.microscopes.by_name import caches, first_pages, folder_name, refuse_plates, sort_names, too_few
from openhcs.microscopes.forms import Form
from openhcs.microscopes.protocol import NotMine
from openhcs.microscopes.well_numbers import contradictions, find_numbering

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openhcs.core.plate import Files, PlateIndex
    from openhcs.microscopes.by_name import Found

TEXT = "<plate>--<well>--<treatment>--W<4>--P<3>[--T<4>][--Z<3>]--C<2>.ome.(tif|jpeg)"
EXAMPLE = "Plate1--B9--empty--W0021--P000--T0000--Z000--C00.ome.tif"
DOCUMENTS = (".csv", ".xml", ".txt")
_NAME = re.compile(
    r"(?P<texts>(?:(?!--W[0-9]{4}--P).)+?)--W(?P<number>[0-9]{4})--P(?P<position>[0-9]{3,4})"
    r"(?:--T(?P<time>[0-9]{4,5}))?(?:--Z(?P<z>[0-9]{3,4}))?--C(?P<channel>[0-9]{2,3})"
    r"(?:\.ome)?\.(?:tiff?|jpe?g|png)",
    re.IGNORECASE | re.DOTALL,
)
_WELL = re.compile(r"(?:A[A-F]|[A-Z])(?:0?[1-9]|[1-3][0-9]|4[0-8])")
_FOLDER = re.compile(r"(?P<kind>[WP])(?P<number>[0-9]{3,4})(?:--.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """What a file name says: ``texts`` stand between plate and number; t and z are 1 where untold."""

    plate: str
    texts: tuple[str, ...]
    number: int
    position: int
    channel: int
    t: int = 1
    z: int = 1

    @property
    def well(self) -> str | None:
        """The well that the first text names, if it names one."""
        named = self.texts and _WELL.fullmatch(self.texts[0])
        return well_name(*parse_well(self.texts[0])) if named else None


def parse_name(name: str) -> Name | None:
    """Return what a file name says, or None when it is of another form.

    >>> parse_name("Screen--B9--empty--W0021--P000--T0000--Z000--C00.ome.tif").well
    'B09'
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    plate, *texts = match["texts"].split("--")
    return Name(
        plate=plate,
        texts=tuple(texts),
        number=int(match["number"]),
        position=int(match["position"]),
        channel=int(match["channel"]),
        t=int(match["time"] or 1),
        z=int(match["z"] or 1),
    )


class EmblAlmf:
    """Reads screens named by treatment, well and position number."""

    name = "embl_almf"
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
        held = sort_names(files, parse_name, _home)
        why = too_few(held, TEXT, EXAMPLE)
        if why is not None:
            return NotMine(why)
        refuse_plates(files, held.found, lambda name: name.plate)
        screen = _Screen(held.found)
        planes, lost = screen.planes()
        if not planes:
            return NotMine(f"no plate has wells of the numbers in the names, such as {held.found[0].file.path}")
        fits = all(screen.numbering.holds(plane.well) for plane in planes)
        pages = first_pages(files, held.found)
        return assemble(
            files,
            microscope=self.name,
            name=held.found[0].name.plate or folder_name(files, held.found[0].home),
            planes=planes,
            why=f"{len(held.found)} files are named {TEXT}",
            shape=screen.numbering.shape if fits else None,
            documents=held.documents(*DOCUMENTS),
            left_out=[*caches(held.others), *lost],
            warnings=[
                *screen.warnings(),
                *([f"images have {pages} pages; the first of each is read"] if pages > 1 else []),
            ],
        )


def _home(folder: str) -> str:
    """Return the folder of the plate: that above folders of wells and positions."""
    parts = folder.split("/")
    while parts and _FOLDER.fullmatch(parts[-1]):
        parts.pop()
    return "/".join(parts)


class _Screen:
    """The images of one plate, and what the first text of their names is: a well or a treatment."""

    def __init__(self, found: Sequence[Found[Name]]) -> None:
        self.found = found
        pairs = {(one.name.number, one.name.well) for one in found}
        firsts = (0,) if any(number == 0 for number, _ in pairs) else (1, 0)
        self.numbering = find_numbering(pairs, firsts=firsts)
        agree = sum(well is not None and self.numbering.well(number) == well for number, well in pairs)
        alike = len(pairs) == len({number for number, _ in pairs}) == len({well for _, well in pairs})
        self.named = all(well for _, well in pairs) and (alike or 2 * agree > len(pairs))
        """Whether the first text is the well: a treatment is not always named like one, or stands in many wells."""
        if not self.named:
            self.numbering = find_numbering(((number, None) for number, _ in pairs), firsts=firsts)

    def well(self, name: Name) -> str | None:
        return name.well if self.named else self.numbering.well(name.number)

    def planes(self) -> tuple[list[Plane], list[Unmatched]]:
        """Return the planes, and the files of wells that no plate has."""
        planes, lost = [], []
        for one in self.found:
            name, well = one.name, self.well(one.name)
            if well is None:
                reason = f"no well is named, and no plate has {name.number} of them"
                lost.append(Unmatched(path=one.file.path, reason=reason))
                continue
            planes.append(
                Plane(well=well, site=name.position, channel=name.channel, z=name.z, t=name.t, source=one.file)
            )
        return planes, lost

    def warnings(self) -> Iterator[str]:
        first = self.found[0]
        if self.named:
            told = [(one.name.number, one.name.well, one.file.path) for one in self.found]
            yield from contradictions(told, self.numbering)
        else:
            rows, columns = self.numbering.shape
            yield (
                f"wells are told by their number alone, and taken as those of {rows} × {columns}: "
                f"{first.file.path} is {self.well(first.name)}"
            )
        elsewhere = [one for one in self.found if _elsewhere(one)]
        if elsewhere:
            yield (
                f"images in a folder of another well or position: {len(elsewhere)}, such as "
                f"{elsewhere[0].file.path}; the names are taken"
            )
        treated = {self._treatment(one.name) for one in self.found} - {()}
        if treated:
            yield f"treatments that names tell are not kept: {len(treated)}, such as {'--'.join(min(treated))}"

    def _treatment(self, name: Name) -> tuple[str, ...]:
        """Return the texts that are no well; the well's own name is often repeated."""
        if not self.named:
            return name.texts
        return tuple(text for text in name.texts[1:] if text != name.texts[0])


def _elsewhere(one: Found[Name]) -> bool:
    """Return whether a folder's number is not that of the file."""
    folders = (_FOLDER.fullmatch(part) for part in one.file.path.split("/")[:-1])
    numbers = {"W": one.name.number, "P": one.name.position}
    return any(int(folder["number"]) != numbers[folder["kind"]] for folder in folders if folder)
