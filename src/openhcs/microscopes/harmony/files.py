"""Names and places of Harmony's files: the grammar of names, the plate's folder, addresses in an index."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from openhcs.core.plate import FileSource, PlaneState
from openhcs.microscopes.by_name import is_below

if TYPE_CHECKING:
    from openhcs.core.plate import Files

INDEX_NAMES = ("index.idx.xml", "index.xml", "index.ref.xml")
"""Names of indexes in lower case; where several lie together, the first is read."""
IMAGES = "images"
SPELT = "r<RR>c<CC>f<FF>p<PP>-ch<C>sk<T>fk<K>fl<L>.tiff"
_NAME = re.compile(
    r"r([0-9]{2})c([0-9]{2})f([0-9]{2,4})p([0-9]{2,4})-ch([0-9]{1,3})sk([0-9]{1,6})fk([0-9]{1,6})fl([0-9]{1,6})\.tiff?",
    re.IGNORECASE,
)


class Name(NamedTuple):
    """What a Harmony file name says; all numbers are the vendor's.

    ``time`` counts the time series, ``kinetic`` the frames of a fast one within each of its points.
    """

    row: int
    column: int
    field: int
    plane: int
    channel: int
    time: int = 1
    kinetic: int = 1
    flim: int = 1


def parse_name(name: str) -> Name | None:
    """Return what a file name says, or None when it is no Harmony name.

    >>> parse_name("r11c06f23p04-ch1sk1fk1fl1.tiff")
    Name(row=11, column=6, field=23, plane=4, channel=1, time=1, kinetic=1, flim=1)
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    found = Name(*(int(number) for number in match.groups()))
    return found if found.row and found.column else None


def format_name(name: Name) -> str:
    """Return the file name that Harmony gives an image; the inverse of `parse_name`."""
    return (
        f"r{name.row:02d}c{name.column:02d}f{name.field:02d}p{name.plane:02d}"
        f"-ch{name.channel}sk{name.time}fk{name.kinetic}fl{name.flim}.tiff"
    )


def plate_of_index(path: str) -> str:
    """Return the folder of the plate an index tells of: where it lies, or above ``Images``.

    >>> plate_of_index("plate/Images/Index.xml"), plate_of_index("plate/Index.xml")
    ('plate', 'plate')
    """
    folder = posixpath.dirname(path)
    return posixpath.dirname(folder) if posixpath.basename(folder).lower() == IMAGES else folder


def plate_of_image(path: str) -> str:
    """Return the folder of the plate an image belongs to: the one that holds ``Images``, else its own.

    >>> plate_of_image("plate/Images/sub/a.tiff"), plate_of_image("plate/a.tiff")
    ('plate', 'plate')
    """
    parts = path.split("/")[:-1]
    for number in reversed(range(len(parts))):
        if parts[number].lower() == IMAGES:
            return "/".join(parts[:number])
    return "/".join(parts)


class Finder:
    """Finds the files that an index names, and never looks outside the plate's folder."""

    def __init__(self, files: Files, index_path: str) -> None:
        self._there = {file.path: file for file in files.list()}
        own = posixpath.dirname(index_path)
        home = plate_of_index(index_path)
        beside = {file.split("/")[len(home.split("/")) if home else 0] for file in self._there if is_below(file, home)}
        images = [posixpath.join(home, name) for name in sorted(beside) if name.lower() == IMAGES]
        self._folders = tuple(dict.fromkeys([own, *images, home]))
        self._usual = own

    def find(self, url: str) -> tuple[FileSource | None, PlaneState]:
        """Return the file of an address and whether it is there; none for an empty address."""
        if not url:
            return None, PlaneState.NOT_RECORDED
        file = self._there.get(posixpath.join(self._usual, url))
        if file is not None:
            return file, PlaneState.PRESENT
        relative = posixpath.normpath(url.replace("\\", "/"))
        base = posixpath.basename(relative)
        outside = relative.startswith(("/", "..")) or ":" in relative
        tails = (base,) if outside else (relative, base)
        for tail in tails:
            for folder in self._folders:
                file = self._there.get(posixpath.join(folder, tail))
                if file is not None:
                    self._usual = folder
                    return file, PlaneState.PRESENT
        return FileSource(posixpath.join(self._usual, tails[0])), PlaneState.MISSING
