"""What the images of a plate say of themselves: of a small plate every header is read, of a large one a sample.

Where the sample shows two kinds of images every header is read, so that each odd one can be told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openhcs.core.plate import COLOURS
from openhcs.errors import FormatError, NotGrey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from openhcs.core.plate import Files, FileSource

    Kind = tuple[str, tuple[int, int]]
    """dtype and shape (y, x)"""

LOOKED_AT = 400
"""Of up to so many files every header is read; of more, about as many, the extremes of size of each channel first."""


class Headers:
    """The headers that were read: kinds and pages by path, and why others are no plane.

    Parameters
    ----------
    files
        the plate's folder.

    Attributes
    ----------
    kinds
        dtype and shape (y, x) by path.
    pages
        of files with more than one.
    damaged, coloured
        what is said of images that cannot be read, and of those of colours.
    brightness
        images in colours of which the brightness is read.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self.kinds: dict[str, Kind] = {}
        self.pages: dict[str, int] = {}
        self.damaged: dict[str, str] = {}
        self.coloured: dict[str, str] = {}
        self.brightness: list[str] = []

    def __len__(self) -> int:
        return len(self.kinds) + len(self.damaged) + len(self.coloured)

    @property
    def alike(self) -> bool:
        """Whether all images looked at are of one kind."""
        return len(set(self.kinds.values())) <= 1 and not (self.kinds and self.coloured)

    def look(self, groups: Mapping[object, Sequence[FileSource]]) -> None:
        """Read a sample of the headers of files in groups, such as channels; all of them where two kinds are found."""
        self._read(_sample(groups))
        if not self.alike:
            self.look_at_all(groups)

    def look_at_all(self, groups: Mapping[object, Sequence[FileSource]]) -> None:
        """Read every header that has not been read."""
        self._read(file.path for group in groups.values() for file in group)

    def _read(self, paths: Iterable[str]) -> None:
        for path in paths:
            if path in self.kinds or path in self.damaged or path in self.coloured:
                continue
            try:
                header = self._files.header(path)
            except NotGrey as error:
                self.coloured[path] = str(error)
            except FormatError as error:
                self.damaged[path] = str(error)
            else:
                self.kinds[path] = (header.dtype, header.shape)
                if COLOURS in header.tags:
                    self.brightness.append(path)
                if header.pages > 1:
                    self.pages[path] = header.pages


def size_text(shape: tuple[int, int]) -> str:
    """Return a size (y, x) for people."""
    return f"{shape[0]} × {shape[1]}"


def kind_text(kind: Kind) -> str:
    """Return dtype and shape for people."""
    return f"{kind[0]} of {size_text(kind[1])} pixels"


def _sample(groups: Mapping[object, Sequence[FileSource]]) -> Iterator[str]:
    """Yield all of few paths, else of each group the first, the extremes of size and an even part."""
    many = sum(map(len, groups.values())) > LOOKED_AT
    each = max(4, LOOKED_AT // max(1, len(groups)))
    for group in groups.values():
        if not many:
            yield from (file.path for file in group)
            continue
        by_size = sorted(group, key=lambda file: file.size)
        step = -(-len(by_size) // each)
        yield from dict.fromkeys(file.path for file in (group[0], by_size[0], by_size[-1], *by_size[::step]))
