"""Leica Matrix Screener experiments: slides of chambers of fields, one image for each channel and height.

Images are ``image--L<2>--S<2>--U<2>--V<2>--J<2>--E<2>--O<2>--X<2>--Y<2>--T<2>--Z<2>--C<2>.ome.tif`` in
``slide--S/chamber--U--V/field--X--Y``; all numbers count from 0. S is the slide, and each slide is a plate.
U and V are column and row of the well, X and Y those of the field: sites count from 1, row by row over the
widest grid of fields of the slide. T, Z and C keep their numbers. L, J, E and O (loop, job and how it ran)
make acquisitions of their own only where images would else stand at one place. Positions are those of the
stage, or the stitcher's (``TileConfiguration``), which are from the corner of the well.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from openhcs.core.plate import Acquisition, Channel, FileSource, Plane, PlaneState
from openhcs.errors import FormatError
from openhcs.microscopes.assemble import assemble
from openhcs.microscopes.by_name import caches, first_pages, folder_name, refuse_plates, sort_names, too_few
from openhcs.microscopes.forms import Form
from openhcs.microscopes.leica.fields import DOCUMENT_LIMIT, Fields, documents_of
from openhcs.microscopes.leica.names import LETTERS, parse_image
from openhcs.microscopes.leica.xml import parse_tiles
from openhcs.microscopes.protocol import NotMine

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from openhcs.core.plate import Files, PlateIndex
    from openhcs.microscopes.by_name import Found, Sorted
    from openhcs.microscopes.leica.names import Name

TEXT = "image--L<2>--S<2>--U<2>--V<2>--J<2>--E<2>--O<2>--X<2>--Y<2>--T<2>--Z<2>--C<2>.ome.tif"
EXAMPLE = "image--L00--S00--U00--V00--J20--E00--O00--X00--Y01--T00--Z00--C01.ome.tif"
PASSES = ("", "J", "L", "LJ", LETTERS)
"""Letters that tell acquisitions apart, the fewest first."""
DOCUMENTS = (".xml", ".lrp")
TILES = ("tileconfiguration.txt", "tileconfiguration.registered.txt")
"""Names of a stitcher's documents: planned places, measured ones."""
_FOLDER = re.compile(r"(?P<kind>slide--S|chamber--U|field--X)(?P<number>[0-9]{2,4})(?:--[VY](?P<second>[0-9]{2,4}))?")
INNER = r"(?:slide|chamber|field)--.*|metadata"


class LeicaMatrix:
    """Reads what the Matrix Screener of LAS AF and LAS X exports."""

    name = "leica_matrix"
    forms = (Form(TEXT, EXAMPLE, lambda base: parse_image(base) is not None),)

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the plate, or why the folder is none.

        Raises
        ------
        SeveralPlates
            images of several slides or experiments lie in the folder.
        FormatError
            two planes of one place differ, or documents name far more images than there are.
        """
        held = sort_names(files, parse_image, _slide_folder)
        why = too_few(held, TEXT, EXAMPLE)
        if why is not None:
            return NotMine(why)
        refuse_plates(files, held.found, lambda name: f"slide {name.slide:02d}")
        return _Slide(files, held).build()


def _slide_folder(folder: str) -> str:
    """Return the folder of the slide, or that above chambers and fields."""
    parts = folder.split("/")
    for number, part in enumerate(parts):
        if part.startswith("slide--"):
            return "/".join(parts[: number + 1])
        if part.startswith(("chamber--", "field--")):
            return "/".join(parts[:number])
    return folder


class _Slide:
    """Builds the index of one slide."""

    def __init__(self, files: Files, held: Sorted[Name]) -> None:
        self.files = files
        self.held = held
        self.found = held.found
        self.home = held.found[0].home
        self.names = {one.name for one in held.found}
        self.fields = Fields(files, documents_of(files, self.home), self.names)
        self.missing = self.fields.absent
        every = self.names | self.missing.keys()
        self.width = max(name.x for name in every) + 1
        self.letters = _letters(every)
        self.passes = {values: number for number, values in enumerate(sorted({self._pass(name) for name in every}))}
        self.untiled: dict[str, str] = {}

    def build(self) -> PlateIndex:
        slide = self.found[0].name.slide
        planes = [self._plane(one.name, one.file, PlaneState.PRESENT) for one in self.found]
        planes += [self._plane(name, FileSource(path), PlaneState.MISSING) for name, path in self.missing.items()]
        positions = self._positions()
        return assemble(
            self.files,
            microscope=LeicaMatrix.name,
            name=folder_name(self.files, self.home, inner=INNER) + (f"--S{slide:02d}" if slide else ""),
            planes=planes,
            why=f"{len(self.found)} files are named {TEXT}",
            channels=self._channels(),
            acquisitions=tuple(
                Acquisition(number=number, name=self._label(one) or "0", start_time=self.fields.start_time)
                for one, number in self.passes.items()
            ),
            documents=[*self.held.documents(*DOCUMENTS), *self._tile_documents()],
            left_out=caches(self.held.others),
            warnings=[*self.fields.warnings(), *self._warnings()],
            instrument=self.fields.first.instrument,
            pixel_size_um=self.fields.first.pixel_um,
            z_step_um=self.fields.first.z_step_um,
            positions=positions,
        )

    def _site(self, name: Name) -> int:
        return name.y * self.width + name.x + 1

    def _pass(self, name: Name) -> tuple[int, ...]:
        return _picked(name, self.letters)

    def _label(self, values: tuple[int, ...]) -> str:
        return " ".join(f"{letter}{value:02d}" for letter, value in zip(self.letters, values, strict=True))

    def _plane(self, name: Name, source: FileSource, state: PlaneState) -> Plane:
        height, seconds = self.fields.height_and_time(name)
        return Plane(
            well=name.well,
            site=self._site(name),
            channel=name.c or 0,
            z=name.z or 0,
            t=name.t,
            acquisition=self.passes[self._pass(name)],
            source=source,
            state=state,
            z_um=height,
            time_s=seconds,
        )

    def _channels(self) -> Iterator[Channel]:
        first = self.fields.first
        for number in {name.c or 0 for name in self.names | self.missing.keys()}:
            yield Channel(
                number=number,
                name=str(number),
                color=self.fields.colors.get(number),
                objective=first.model,
                magnification=first.magnification,
                numerical_aperture=first.aperture,
            )

    def _positions(self) -> dict[tuple[str, int], tuple[float, float]]:
        """Return where sites are: on the stage if all of a well are told, else as the stitcher has them."""
        wells: dict[str, dict[int, Name]] = defaultdict(dict)
        for name in self.names | self.missing.keys():
            site = self._site(name)
            first = wells[name.well].setdefault(site, name)
            if name.t < first.t:
                wells[name.well][site] = name
        positions: dict[tuple[str, int], tuple[float, float]] = {}
        tiles = self._tiles()
        for well, sites in wells.items():
            staged = {site: place for site, name in sites.items() if (place := self.fields.place(name))}
            stitched = {site: tiles[well, site] for site in sites if (well, site) in tiles}
            chosen = staged if len(staged) == len(sites) or not stitched else stitched
            positions |= {(well, site): place for site, place in chosen.items()}
        return positions

    def _tile_documents(self) -> list[str]:
        return [file.path for file in self.held.others if file.path.rpartition("/")[2].lower() in TILES]

    def _tiles(self) -> dict[tuple[str, int], tuple[float, float]]:
        """Return where the stitcher put sites, in µm; nothing where pixels have no known size."""
        pixel = self.fields.first.pixel_um
        found: dict[tuple[str, int], tuple[float, float]] = {}
        if pixel is None:
            return found
        # The measured places come last, and so stand.
        for path in sorted(self._tile_documents(), key=lambda path: TILES.index(path.rpartition("/")[2].lower())):
            try:
                told = parse_tiles(self.files.read_bytes(path, limit=DOCUMENT_LIMIT))
            except FormatError as error:
                self.untiled[path] = str(error)
                continue
            for base, (x, y) in told.items():
                name = parse_image(base)
                if name is not None:
                    found[name.well, self._site(name)] = (round(x * pixel[1], 3), round(y * pixel[0], 3))
        return found

    def _warnings(self) -> Iterator[str]:
        if len(self.passes) > 1:
            labels = ", ".join([self._label(one) for one in self.passes][:5])
            yield f"images at one place differ in loop or job and are acquisitions of their own: {labels}"
        elsewhere = [one.file.path for one in self.found if _elsewhere(one)]
        if elsewhere:
            yield (
                f"images in a folder of another slide, chamber or field: {len(elsewhere)}, such as {elsewhere[0]}; the "
                "names are taken"
            )
        if self.untiled:
            yield f"documents of tiles that cannot be read: {len(self.untiled)}, such as {next(iter(self.untiled))}"
        pages = first_pages(self.files, self.found)
        if pages > 1:
            yield f"images have {pages} pages; the first of each is read"


def _picked(name: Name, letters: str) -> tuple[int, ...]:
    if not letters:
        return ()
    return tuple(value for letter, value in zip(LETTERS, name.passes, strict=True) if letter in letters)


def _letters(names: Collection[Name]) -> str:
    """Return the fewest letters of `PASSES` by which no two different images stand at one place."""
    for letters in PASSES:
        places = {(n.u, n.v, n.x, n.y, n.t, n.z, n.c, _picked(n, letters)) for n in names}
        if len(places) == len(names):
            return letters
    return PASSES[-1]


def _elsewhere(one: Found[Name]) -> bool:
    """Return whether a folder's numbers are not those of the file."""
    name = one.name
    numbers = {"slide--S": (name.slide, None), "chamber--U": (name.u, name.v), "field--X": (name.x, name.y)}
    for part in one.file.path.split("/")[:-1]:
        match = _FOLDER.fullmatch(part)
        if match is None:
            continue
        told = (int(match["number"]), int(match["second"]) if match["second"] else None)
        if told != numbers[match["kind"]]:
            return True
    return False
