"""The documents of a Matrix Screener's fields, read as far as they tell of planes and positions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from posixpath import dirname
from typing import TYPE_CHECKING

from openhcs.errors import FormatError
from openhcs.microscopes.leica.names import parse_image, parse_name
from openhcs.microscopes.leica.xml import FieldDocument, parse_field
from openhcs.microscopes.limits import check_promise

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from openhcs.core.plate import Files
    from openhcs.microscopes.leica.names import Name

MOST_READ = 10_000
"""Documents that are read; those of the first time come first."""
DOCUMENT_LIMIT = 32 * 2**20


@dataclass(frozen=True, slots=True)
class _Field:
    """One field at one time: its moment in seconds, its place, and the height of each z, in µm."""

    moment: float | None
    place: tuple[float, float] | None
    heights: Mapping[int, float]


class Fields:
    """What the documents of a slide tell.

    Parameters
    ----------
    documents
        their paths by what their names say.
    there
        names of all images that are there.

    Raises
    ------
    FormatError
        documents name far more images than there are.
    """

    def __init__(self, files: Files, documents: Mapping[Name, str], there: Collection[Name]) -> None:
        self.first = FieldDocument()
        self.start_time: str | None = None
        self.absent: dict[Name, str] = {}
        """Images that documents name and that are not there, with their paths."""
        self.colors: dict[int, str] = {}
        self._start: float | None = None
        self._told: dict[Name, _Field] = {}
        self._damaged: dict[str, str] = {}
        self._sizes: set[tuple[float, float]] = set()
        self._unread = max(0, len(documents) - MOST_READ)
        for name in sorted(documents, key=lambda name: (name.t, name))[:MOST_READ]:
            path = documents[name]
            try:
                data = files.read_bytes(path, limit=DOCUMENT_LIMIT)
                told = parse_field(data, path, settings=not self._told)
            except FormatError as error:
                self._damaged[path] = str(error)
                continue
            if told is not None:
                self._take(name, told, dirname(dirname(path)), there)
                check_promise(len(self.absent), len(there), path)

    def place(self, name: Name) -> tuple[float, float] | None:
        """Return where the stage was, (x, y) in µm."""
        found = self._of(name)
        return found.place if found else None

    def height_and_time(self, name: Name) -> tuple[float | None, float | None]:
        """Return the height of an image in µm, and the seconds from the first image to it."""
        found = self._of(name)
        if found is None:
            return None, None
        height = found.heights.get(name.z or 0)
        if found.moment is None or self._start is None:
            return height, None
        return height, round(found.moment - self._start, 3)

    def _of(self, name: Name) -> _Field | None:
        return self._told.get(name.document) if self._told else None

    def warnings(self) -> Iterator[str]:
        """Yield what is odd about the documents."""
        if self._damaged:
            path, why = next(iter(self._damaged.items()))
            yield f"documents that cannot be read: {len(self._damaged)}, such as {path}: {why}"
        if self._unread:
            yield f"documents that are not read, as there are more than {MOST_READ}: {self._unread}"
        if len(self._sizes) > 1:
            told = ", ".join(f"{y:g} × {x:g}" for y, x in sorted(self._sizes)[:3])
            yield f"pixels are of {len(self._sizes)} sizes (y × x, µm): {told}; that of the first field is taken"

    def _take(self, name: Name, told: FieldDocument, folder: str, there: Collection[Name]) -> None:
        moment = _moment(told.created)
        if moment is not None and (self._start is None or moment < self._start):
            self._start, self.start_time = moment, told.created
        if told.pixel_um is not None:
            self._sizes.add(told.pixel_um)
        heights = {}
        for base, (c, z) in told.files.items():
            image = parse_image(base)
            if image is None or image.z is None or image.c is None:
                continue
            if z in told.heights:
                heights[image.z] = told.heights[z]
            color = told.colors[c] if c < len(told.colors) else None
            if color is not None:
                self.colors.setdefault(image.c, color)
            if image not in there and image.document == name:
                self.absent.setdefault(image, f"{folder}/{base}" if folder else base)
        if not self._told:
            self.first = told
        self._told[name] = _Field(moment, told.place_um, heights)


def documents_of(files: Files, slide: str) -> dict[Name, str]:
    """Return the paths of the fields' documents below the folder of a slide, by what their names say."""
    found: dict[Name, str] = {}
    for file in files.list():
        base = file.path.rpartition("/")[2]
        if base.endswith(".ome.xml") and (not slide or file.path.startswith(f"{slide}/")):
            name = parse_name(base)
            if name is not None:
                found.setdefault(name, file.path)
    return found


def _moment(text: str | None) -> float | None:
    """Return a moment as seconds; one without a zone is taken as of Greenwich, for differences alone."""
    try:
        told = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    if told is None:
        return None
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
