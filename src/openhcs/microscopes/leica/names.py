"""Names of the Matrix Screener: letters with numbers from 0, of images and of the documents of fields."""

from __future__ import annotations

import re
from dataclasses import dataclass

from openhcs.core.wells import well_name

LETTERS = "LJEO"
"""Letters of how an image came to be taken: its loop, its job, and two that no source explains."""
MOST_ROWS, MOST_COLUMNS = 32, 48
_NAME = re.compile(
    r"(?:image|I)" + "".join(rf"--{letter}(?P<{letter}>[0-9]{{2,4}})" for letter in "LSUVJEOXYT")
    + r"(?:--Z(?P<Z>[0-9]{2,4})--C(?P<C>[0-9]{2,4})(?:\.ome)?\.(?:tiff?|png)|\.ome\.xml)"
)  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """What a file name says; ``passes`` are the numbers of `LETTERS`, z and c are None for a field's document."""

    slide: int
    u: int
    v: int
    x: int
    y: int
    t: int
    passes: tuple[int, int, int, int]
    z: int | None = None
    c: int | None = None

    @property
    def well(self) -> str:
        """The well: V is its row, U its column."""
        return well_name(self.v, self.u)

    @property
    def document(self) -> Name:
        """The name of the field's document that tells of this image."""
        return Name(self.slide, self.u, self.v, self.x, self.y, self.t, self.passes)


def parse_name(name: str) -> Name | None:
    """Return what the name of an image or document says, or None when it is of another form.

    >>> parse_name("image--L00--S00--U02--V01--J20--E00--O00--X00--Y01--T00--Z00--C01.ome.tif").well
    'B03'
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    numbers = {letter: int(text) for letter, text in match.groupdict().items() if text}
    if numbers["V"] >= MOST_ROWS or numbers["U"] >= MOST_COLUMNS:
        return None
    slide, u, v, x, y, t = (numbers[letter] for letter in "SUVXYT")
    loop, job, e, o = (numbers[letter] for letter in LETTERS)
    return Name(slide, u, v, x, y, t, (loop, job, e, o), numbers.get("Z"), numbers.get("C"))


def parse_image(name: str) -> Name | None:
    """Return what the name of an image says, None where it is of another form or a document's."""
    found = parse_name(name)
    return found if found is not None and found.c is not None else None
