"""Any folder of TIFFs, by a pattern of file names: the user's, or one guessed from common forms."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openhcs.core.plate import Channel, FileSource, Plane, PlateIndex, Unmatched, sorted_planes
from openhcs.core.wells import natural_key, plate_shape, row_name
from openhcs.errors import FormatError, InputError
from openhcs.microscopes.guesses import guess
from openhcs.microscopes.patterns import FIELDS, Pattern, well_of
from openhcs.microscopes.protocol import NotMine

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from openhcs.core.plate import Files, ImageHeader

TIFF = (".tif", ".tiff")
OTHER_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".c01", ".dib", ".nd2", ".czi", ".lif")
ONLY_WELL = "A01"
HELP = 'say how files are named: --pattern "{well}_s{site}_w{channel}.tif"'
_STACKED = ("z", "t", "channel")
"""What the pages of one file are: the first of these that its name does not tell."""


@dataclass(slots=True)
class _Named:
    """One file and the text of each field in its name."""

    source: FileSource
    values: dict[str, str]
    header: ImageHeader | None = None


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
        """Return the plate, or why the folder is none: it holds no TIFF.

        Raises
        ------
        InputError
            no file is of the user's pattern, or it finds several plates.
        """
        listed = [file for file in files.list() if not _in_zarr(file.path)]
        images = [file for file in listed if file.path.lower().endswith(TIFF)]
        others = [file for file in listed if file.path.lower().endswith(OTHER_IMAGES)]
        if not images:
            kinds = Counter(file.path.lower().rpartition(".")[2] for file in others)
            seen = ", ".join(f"{count} .{kind}" for kind, count in kinds.items())
            return NotMine(f"no TIFF is there; {seen} files cannot be read" if seen else "no image is there")
        folder = _Folder(files, self._pattern or guess([file.path for file in images]), guessed=self._pattern is None)
        for file in images:
            folder.take(file)
        folder.unmatched += [Unmatched(path=file.path, reason="openhcs reads TIFF; convert it") for file in others]
        return folder.build()


def _in_zarr(path: str) -> bool:
    return ".zarr/" in path


@dataclass(slots=True)
class _Folder:
    """The files of one folder, sorted by a pattern; without one, each image is a site."""

    files: Files
    pattern: Pattern | None
    guessed: bool
    named: list[_Named] = field(default_factory=list)
    unmatched: list[Unmatched] = field(default_factory=list)

    def take(self, file: FileSource) -> None:
        if self.pattern is None:
            self.named.append(_Named(file, {"site": str(len(self.named) + 1)}))
            return
        values = self.pattern.match(file.path)
        if values is None:
            self.unmatched.append(Unmatched(path=file.path, reason=f"the name is not of the form {self.pattern.text}"))
        else:
            self.named.append(_Named(file, values))

    def build(self) -> PlateIndex:
        self._refuse_nothing()
        name = self._name()
        header = self._of_one_kind()
        channels = _channels(self.named)
        planes = list(self._planes({channel.name: channel.number for channel in channels}))
        wells = sorted({plane.well for plane in planes})
        rows, columns = plate_shape(wells)
        numbers = {plane.channel for plane in planes}
        return PlateIndex(
            name=name,
            root=self.files.root,
            microscope=Generic.name,
            rows=tuple(row_name(row) for row in range(rows)),
            columns=tuple(f"{column + 1:02d}" for column in range(columns)),
            planes=sorted_planes(planes),
            channels=channels or tuple(Channel(number=number, name=str(number)) for number in sorted(numbers)),
            dtype=header.dtype if header else None,
            plane_shape=header.shape if header else None,
            unmatched=tuple(self.unmatched),
            warnings=tuple(self._warnings()),
            why=self._why(),
        )

    def _refuse_nothing(self) -> None:
        if self.named or self.pattern is None:
            return
        shown = ", ".join(one.path for one in self.unmatched[:3])
        raise InputError(
            f"none of {len(self.unmatched)} images in {self.files.root} is of the form {self.pattern.text}; they are "
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
        folder = self.files.root.replace("\\", "/").rstrip("/").rpartition("/")[2]
        return plates[0] if plates else folder or "plate"

    def _of_one_kind(self) -> ImageHeader | None:
        """Read headers; keep the files that are like most, tell of the others.

        A damaged file stays: reading it must fail, and name it.
        """
        for one in self.named:
            try:
                one.header = self.files.header(one.source.path)
            except FormatError:
                continue
        kinds = Counter((one.header.dtype, one.header.shape) for one in self.named if one.header)
        if not kinds:
            return None
        most = kinds.most_common(1)[0][0]
        kept = []
        for one in self.named:
            kind = (one.header.dtype, one.header.shape) if one.header else most
            if kind == most:
                kept.append(one)
                continue
            reason = f"{kind[0]} of {kind[1]} pixels where most files are {most[0]} of {most[1]}"
            self.unmatched.append(Unmatched(path=one.source.path, reason=reason))
        self.named = kept
        return next(one.header for one in kept if one.header)

    def _planes(self, numbers: dict[str, int]) -> Iterable[Plane]:
        seen: dict[tuple[object, ...], str] = {}
        for one in self.named:
            for page in range(self._pages(one)):
                plane = self._plane(one, page, numbers)
                first = seen.setdefault((plane.well, plane.key), one.source.path)
                if first == one.source.path:
                    yield plane
                elif page == 0:
                    reason = f"it would be the same plane as {first}: {plane.name}"
                    self.unmatched.append(Unmatched(path=one.source.path, reason=reason))

    def _pages(self, one: _Named) -> int:
        pages = one.header.pages if one.header else 1
        if pages > 1 and self._stacked(one) is None:
            reason = f"it has {pages} pages and its name tells z, t and channel already; the first is read"
            self.unmatched.append(Unmatched(path=one.source.path, reason=reason))
            return 1
        return pages

    def _stacked(self, one: _Named) -> str | None:
        return next((axis for axis in _STACKED if axis not in one.values), None)

    def _plane(self, one: _Named, page: int, numbers: dict[str, int]) -> Plane:
        values = one.values
        places = {axis: int(values.get(axis, 1)) for axis in ("site", "z", "t")}
        places["channel"] = numbers[_channel_name(values["channel"])] if "channel" in values else 1
        if page:
            places[self._stacked(one) or "z"] = page + 1
        source = FileSource(one.source.path, page, one.source.size, one.source.mtime_ns)
        return Plane(
            well=well_of(values) or ONLY_WELL,
            site=places["site"],
            channel=places["channel"],
            z=places["z"],
            t=places["t"],
            source=source,
        )

    def _warnings(self) -> Iterable[str]:
        if self.unmatched:
            first = self.unmatched[0]
            yield f"images left out: {len(self.unmatched)}, such as {first.path}: {first.reason}"
        damaged = [one.source.path for one in self.named if one.header is None]
        if damaged:
            yield f"TIFFs that cannot be read as planes: {len(damaged)}, such as {damaged[0]}"
        if self.guessed:
            yield f"the form of file names was guessed; if it is wrong, {HELP}"

    def _why(self) -> str:
        if self.pattern is None:
            return f"file names are of no common form, so each of {len(self.named)} TIFFs is a site of well {ONLY_WELL}"
        of = f"{len(self.named)} TIFFs are named {self.pattern.text}"
        return f"{of}, the guess that fits most" if self.guessed else of


def _channel_name(text: str) -> str:
    return str(int(text)) if text.isascii() and text.isdigit() else text


def _channels(named: Sequence[_Named]) -> tuple[Channel, ...]:
    """Return channels by the numbers in the names; texts count from 1 in natural order."""
    texts = {_channel_name(one.values["channel"]) for one in named if "channel" in one.values}
    if all(text.isascii() and text.isdigit() for text in texts):
        return tuple(Channel(number=number, name=str(number)) for number in sorted(map(int, texts)))
    ordered = sorted(texts, key=natural_key)
    return tuple(Channel(number=number, name=text) for number, text in enumerate(ordered, start=1))
