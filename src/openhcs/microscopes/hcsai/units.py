"""The folders of an ImageXpress HCS.ai run: one ``.jdce`` each, its tables, its images.

``experiment`` holds single planes, projections or stacks; where it holds projections of stacks that were
kept too, these lie in ``experiment_z_stack`` beside it. ``experiment_montage`` holds stitched images and
``autofocus`` those of the autofocus: neither is part of the plate.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from openhcs.core.plate import FileSource, PlaneState
from openhcs.errors import FormatError, NotFound
from openhcs.microscopes.forms import Form
from openhcs.microscopes.hcsai.jdce import parse_jdce
from openhcs.microscopes.hcsai.table import Row, parse_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from openhcs.core.plate import Files
    from openhcs.microscopes.hcsai.jdce import Jdce

_NAME = re.compile(
    r"(?P<protocol>.+)_t(?P<t>[0-9]{1,5})_(?P<well>(?:[A-Z]|A[A-F])(?!00)[0-9]{2})_s(?P<site>[0-9]{1,5})"
    r"_w(?P<wave>[0-9]{1,3})_z(?P<z>[0-9]{1,5})\.(?i:tiff?)"
)
_TIME_FOLDER = re.compile(r"(?i:timepoint)[0-9]{1,5}")
STACKS = "experiment_z_stack"
SKIPPED = ("autofocus", "experiment_montage")
"""Folders of a run that are no part of the plate."""
SUFFIX = ".jdce"
TIFFS = (".tif", ".tiff")
SPELT = "<protocol>_t<t>_<well>_s<site>_w<wave>_z<z>.tif"
PROJECTION = "_projection"
"""What the protocol in the name of a projection ends with."""
TABLE_LIMIT = 2**29


class Name(NamedTuple):
    """What a file name says; all numbers count from 0."""

    protocol: str
    t: int
    well: str
    site: int
    wave: int
    z: int


@lru_cache(maxsize=2**10)
def parse_name(name: str) -> Name | None:
    """Return what a file name says, or None.

    >>> parse_name("test_data_t0_C05_s0_w1_z2.tif")
    Name(protocol='test_data', t=0, well='C05', site=0, wave=1, z=2)
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    protocol, t, well, site, wave, z = match.groups()
    return Name(protocol, int(t), well, int(site), int(wave), int(z))


FORMS = (Form(text=SPELT, example="scan_t0_C05_s0_w0_z0.tif", matches=lambda base: parse_name(base) is not None),)


def is_skipped(path: str) -> bool:
    """Return whether a file lies in a folder that is no part of the plate."""
    return _is_skipped(path.rpartition("/")[0])


@lru_cache(maxsize=2**10)
def _is_skipped(folder: str) -> bool:
    return any(part in SKIPPED for part in folder.lower().split("/"))


@lru_cache(maxsize=2**10)
def unit_of(folder: str) -> str:
    """Return the unit that the images of a folder belong to: it, or what is above ``timepoint<t>``."""
    above, _, last = folder.rpartition("/")
    return above if _TIME_FOLDER.fullmatch(last) else folder


def home_of(unit: str) -> str:
    """Return the folder of the run that a unit belongs to.

    >>> home_of("run/experiment_z_stack"), home_of("plate")
    ('run', 'plate')
    """
    above, _, last = unit.rpartition("/")
    return above if last.lower().startswith("experiment") else unit


@dataclass(slots=True)
class Found:
    """The files of a folder, sorted by names alone."""

    documents: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """folder → its ``.jdce`` documents"""
    named: Counter[str] = field(default_factory=Counter)
    """unit → how many images are named as HCS.ai names them"""
    others: int = 0
    """TIFFs that are named otherwise"""
    skipped: list[str] = field(default_factory=list)

    @property
    def only_skipped(self) -> bool:
        """Whether there are documents, and all of them in folders that are no part of a plate."""
        return not self.documents and not self.named and any(path.lower().endswith(SUFFIX) for path in self.skipped)


def sort_files(files: Files) -> Found:
    """Return the documents of a folder, and its images if it has none."""
    found = Found()
    for file in files.list():
        lower = file.path.lower()
        if not lower.endswith((SUFFIX, *TIFFS)):
            continue
        if is_skipped(file.path):
            found.skipped.append(file.path)
        elif lower.endswith(SUFFIX):
            found.documents[file.path.rpartition("/")[0]].append(file.path)
    if found.documents:
        return found
    for file in files.list():
        folder, _, base = file.path.rpartition("/")
        if base.lower().endswith(TIFFS) and not is_skipped(file.path):
            if parse_name(base) is None:
                found.others += 1
            else:
                found.named[unit_of(folder)] += 1
    return found


class Image(NamedTuple):
    """One image: its row, the file, whether it is there."""

    row: Row
    source: FileSource | None
    state: PlaneState
    projection: bool


@dataclass(slots=True)
class Unit:
    """One unit: what its document says, and its images."""

    folder: str
    document: str | None = None
    jdce: Jdce | None = None
    tables: list[str] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def stacks(self) -> bool:
        """Whether it holds the stacks whose projections lie in another unit."""
        return self.folder.rpartition("/")[2].lower() == STACKS

    def inside(self, path: str) -> str:
        """Return a path relative to the unit as one relative to the plate."""
        return f"{self.folder}/{path}" if self.folder else path


class Listing:
    """The files of a folder by their path, also where only the case of letters differs."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.there = {file.path: file for file in files.list()}
        self._folded: dict[str, FileSource] | None = None
        self.other_case: list[str] = []

    def find(self, path: str) -> FileSource | None:
        """Return the file at a path, None if there is none."""
        file = self.there.get(path)
        if file is None:
            if self._folded is None:
                self._folded = {path.casefold(): file for path, file in self.there.items()}
            file = self._folded.get(path.casefold())
            if file is not None:
                self.other_case.append(path)
        return file


def read_unit(listing: Listing, folder: str, documents: Sequence[str]) -> Unit:
    """Return a unit by its document and the tables that this lists; names are read where a table is not there.

    Raises
    ------
    FormatError
        the document or a table is damaged, or there are several documents that differ.
    """
    unit = Unit(folder)
    if not documents:
        unit.images = _by_names(listing, unit, set())
        return unit
    data = [listing.files.read_bytes(path) for path in documents]
    if len(set(data)) > 1:
        raise FormatError(
            f"{listing.files.root}/{folder} holds {len(documents)} .jdce documents: {', '.join(documents[:3])}. Leave "
            "the one that belongs to these images.",
            path=listing.files.root,
        )
    unit.document, unit.jdce = documents[0], parse_jdce(data[0], documents[0])
    lost = _read_tables(listing, unit)
    if lost or not unit.tables:
        named = {image.source.path for image in unit.images if image.source}
        unit.images += _by_names(listing, unit, named)
        what = f"tables of images are not there: {', '.join(lost[:3])}" if lost else f"{unit.document} lists no tables"
        unit.warnings.append(f"{what}; images are read by their names, without positions and times")
    return unit


def _read_tables(listing: Listing, unit: Unit) -> list[str]:
    """Read the tables that the document lists; return those that are not there."""
    lost = []
    for name in unit.jdce.tables if unit.jdce else ():
        file = listing.find(unit.inside(name))
        try:
            if file is None:
                raise NotFound(name)
            rows = parse_table(listing.files.read_bytes(file.path, limit=TABLE_LIMIT), file.path)
        except NotFound:
            lost.append(name)
            continue
        unit.tables.append(file.path)
        projected = _projected(unit)
        unit.images += [_image(listing, unit, row, projected) for row in rows]
    return lost


def _image(listing: Listing, unit: Unit, row: Row, projected: set[int]) -> Image:
    projection = row.wave in projected or _is_projection(row.path)
    if not row.path:
        return Image(row, None, PlaneState.NOT_RECORDED, projection)
    path = unit.inside(row.path)
    file = listing.there.get(path)
    if file is not None and not _leads_out(row.path):
        return Image(row, file, PlaneState.PRESENT, projection)
    base = row.path.rpartition("/")[2]
    if _leads_out(row.path):
        path = unit.inside(f"timepoint{row.t}/{base}")
    file = listing.find(path) or listing.find(unit.inside(base))
    if file is None:
        return Image(row, FileSource(path), PlaneState.MISSING, projection)
    return Image(row, file, PlaneState.PRESENT, projection)


def _is_projection(path: str) -> bool:
    if PROJECTION not in path:
        return False
    name = parse_name(path.rpartition("/")[2])
    return name is not None and name.protocol.endswith(PROJECTION)


def _leads_out(path: str) -> bool:
    return ":" in path or not {"", ".."}.isdisjoint(path.split("/"))


def _projected(unit: Unit) -> set[int]:
    """Return the wavelengths whose images are projections, as the document says."""
    return {one.number for one in unit.jdce.wavelengths if one.projection} if unit.jdce else set()


def _by_names(listing: Listing, unit: Unit, known: Iterable[str]) -> list[Image]:
    known, projected = set(known), _projected(unit)
    found = []
    for path, file in listing.there.items():
        folder, _, base = path.rpartition("/")
        if path in known or is_skipped(path) or unit_of(folder) != unit.folder:
            continue
        name = parse_name(base)
        if name is not None:
            row = Row(name.well, name.site, name.wave, name.t, name.z, path, *[None] * 7)
            projection = name.wave in projected or name.protocol.endswith(PROJECTION)
            found.append(Image(row, file, PlaneState.PRESENT, projection))
    return found
