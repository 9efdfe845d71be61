"""Any folder of images, by a pattern of file names: the user's, or one guessed from common forms."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from openhcs.core.plate import Channel, Plane, Unmatched
from openhcs.core.wells import natural_key
from openhcs.errors import InputError
from openhcs.microscopes.assemble import assemble
from openhcs.microscopes.forms import IMAGE_SUFFIXES, is_image
from openhcs.microscopes.guesses import guess
from openhcs.microscopes.headers import Headers
from openhcs.microscopes.patterns import FIELDS, Pattern, well_of
from openhcs.microscopes.protocol import NotMine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from openhcs.core.plate import Files, FileSource, PlateIndex

ONLY_WELL = "A01"
HELP = 'say how files are named: --pattern "{well}_s{site}_w{channel}.tif"'
_STACKED = ("z", "t", "channel")
"""What the pages of one file are: the first of these that its name does not tell."""
_KINDS = {suffix: number for number, suffix in enumerate(IMAGE_SUFFIXES)}
"""Of two files of one plane the one of the first of these kinds is taken: the other is a preview."""


@dataclass(slots=True)
class _Named:
    """One file and the text of each field in its name."""

    source: FileSource
    values: dict[str, str]


class Generic:
    """Reads a folder by file names alone.

    Parameters
    ----------
    pattern
        such as ``{well}_s{site}_w{channel}_z{z}_t{t}.tif``, see `openhcs.microscopes.patterns`;
        None guesses.

    Raises
    ------
    InvalidValue
        the pattern is none.
    """

    name = "generic"

    def __init__(self, pattern: str | None = None) -> None:
        self._pattern = None if pattern is None else Pattern(pattern)

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the plate, or why the folder is none: it holds no image.

        Raises
        ------
        InputError
            no file is of the user's pattern, or it finds several plates.
        """
        images = [file for file in files.list() if is_image(file.path) and ".zarr/" not in file.path]
        if not images:
            return NotMine("no image is there")
        # A preview beside an image has its name, and would hide what tells images apart.
        names = {file.path.rpartition(".")[0]: file.path for file in images}
        pattern = guess(list(names.values())) if self._pattern is None else self._pattern
        folder = _Folder(files, pattern, guessed=self._pattern is None)
        for file in images:
            folder.take(file)
        return folder.build()


@dataclass(slots=True)
class _Folder:
    """The files of one folder, sorted by a pattern; without one, each image is a site."""

    files: Files
    pattern: Pattern | None
    guessed: bool
    named: list[_Named] = field(default_factory=list)
    left_out: list[Unmatched] = field(default_factory=list)

    def take(self, file: FileSource) -> None:
        if self.pattern is None:
            self.named.append(_Named(file, {"site": str(len(self.named) + 1)}))
            return
        values = self.pattern.match(file.path)
        if values is None:
            self.left_out.append(Unmatched(path=file.path, reason=f"the name is not of the form {self.pattern.text}"))
        else:
            self.named.append(_Named(file, values))

    def build(self) -> PlateIndex:
        self._refuse_nothing()
        name = self._name()
        headers = self._headers()
        channels = _channels(self.named)
        numbers = {"": 1} | {channel.name: channel.number for channel in channels}
        planes = list(self._planes(numbers, headers))
        return assemble(
            self.files,
            microscope=Generic.name,
            name=name,
            planes=planes,
            why=self._why(),
            channels=channels,
            left_out=self.left_out,
            warnings=self._warnings(headers),
            headers=headers,
        )

    def _refuse_nothing(self) -> None:
        if self.named or self.pattern is None:
            return
        shown = ", ".join(one.path for one in self.left_out[:3])
        raise InputError(
            f"none of {len(self.left_out)} images in {self.files.root} is of the form {self.pattern.text}; they are "
            f"called {shown}. Fields are {' '.join(f'{{{name}}}' for name in FIELDS)}, and * is anything.",
            path=self.files.root,
        )

    def _name(self) -> str:
        plates = sorted({one.values["plate"] for one in self.named if "plate" in one.values}, key=natural_key)
        if len(plates) > 1:
            raise InputError(
                f"{self.files.root} holds {len(plates)} plates: {', '.join(plates[:5])}. Write the name of one in the "
                "pattern in place of {plate}.",
                path=self.files.root,
            )
        folder = os.path.basename(os.path.abspath(self.files.root))
        return plates[0] if plates else folder or "plate"

    def _headers(self) -> Headers:
        """Read headers of a sample, and of every file where one of them has pages."""
        groups: dict[object, list[FileSource]] = defaultdict(list)
        for one in self.named:
            groups[one.values.get("channel", "")].append(one.source)
        headers = Headers(self.files)
        headers.look(groups)
        if headers.pages:
            headers.look_at_all(groups)
        return headers

    def _planes(self, numbers: dict[str, int], headers: Headers) -> Iterator[Plane]:
        """Yield the planes of each file; of two files of one plane the first of the better kind."""
        first: dict[tuple[object, ...], str] = {}
        for one in sorted(self.named, key=lambda one: _KINDS[_suffix(one.source.path)]):
            pages = self._pages(one, headers)
            for page in range(pages):
                plane = self._plane(one, page, numbers)
                path = first.setdefault((plane.well, plane.key), one.source.path)
                if path == one.source.path:
                    yield plane
                elif page == 0:
                    reason = f"it would be the same plane as {path}: {plane.name}"
                    self.left_out.append(Unmatched(path=one.source.path, reason=reason))

    def _pages(self, one: _Named, headers: Headers) -> int:
        pages = headers.pages.get(one.source.path, 1)
        if pages > 1 and self._stacked(one) is None:
            reason = f"it has {pages} pages and its name tells z, t and channel already; the first is read"
            self.left_out.append(Unmatched(path=one.source.path, reason=reason))
            return 1
        return pages

    def _stacked(self, one: _Named) -> str | None:
        return next((axis for axis in _STACKED if axis not in one.values), None)

    def _plane(self, one: _Named, page: int, numbers: dict[str, int]) -> Plane:
        values = one.values
        stacked = self._stacked(one) if page else None
        return Plane(
            well=well_of(values) or ONLY_WELL,
            site=int(values.get("site", 1)),
            channel=page + 1 if stacked == "channel" else numbers[_channel_name(values.get("channel", ""))],
            z=page + 1 if stacked == "z" else int(values.get("z", 1)),
            t=page + 1 if stacked == "t" else int(values.get("t", 1)),
            source=replace(one.source, page=page) if page else one.source,
        )

    def _warnings(self, headers: Headers) -> Iterable[str]:
        if self.left_out:
            first = self.left_out[0]
            yield f"images left out: {len(self.left_out)}, such as {first.path}: {first.reason}"
        if len(headers) < len(self.named):
            yield (
                f"of {len(self.named)} images the headers of {len(headers)} were looked at: the first, the smallest "
                "and the largest of each channel, and some between"
            )
        if self.guessed:
            yield f"the form of file names was guessed; if it is wrong, {HELP}"

    def _why(self) -> str:
        if self.pattern is None:
            return (
                f"file names are of no common form, so each of {len(self.named)} images is a site of well {ONLY_WELL}"
            )
        of = f"{len(self.named)} images are named {self.pattern.text}"
        return f"{of}, the guess that fits most" if self.guessed else of


def _suffix(path: str) -> str:
    return "." + path.rpartition(".")[2].lower()


def _channel_name(text: str) -> str:
    return str(int(text)) if text.isascii() and text.isdigit() else text


def _channels(named: Sequence[_Named]) -> tuple[Channel, ...]:
    """Return channels by the numbers in the names; texts count from 1 in natural order."""
    texts = {_channel_name(one.values["channel"]) for one in named if "channel" in one.values}
    if all(text.isascii() and text.isdigit() for text in texts):
        return tuple(Channel(number=number, name=str(number)) for number in sorted(map(int, texts)))
    ordered = sorted(texts, key=natural_key)
    return tuple(Channel(number=number, name=text) for number, text in enumerate(ordered, start=1))
