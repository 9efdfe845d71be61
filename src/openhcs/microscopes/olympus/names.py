"""Names of ScanR's images: ``[<well>]--W<5>--P<5>--Z<5>--T<5>--<channel>.tif``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(
    r"(?P<label>(?:(?!--).)*)--W(?P<number>[0-9]{5})--P(?P<position>[0-9]{5})--Z(?P<z>[0-9]{5})--T(?P<t>[0-9]{5})"
    r"--(?P<channel>.+)\.tiff?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Name:
    """What a file name says; ``label`` is the text before the well's number, which may be empty."""

    label: str
    number: int
    position: int
    z: int
    t: int
    channel: str

    @property
    def place(self) -> tuple[int, int, int, int]:
        """The numbers of well, position, time and z."""
        return (self.number, self.position, self.t, self.z)


def parse_name(name: str) -> Name | None:
    """Return what a file name says, or None when it is of another form.

    >>> parse_name("B2--W00014--P00001--Z00000--T00000--405 nm #1.tif")
    Name(label='B2', number=14, position=1, z=0, t=0, channel='405 nm #1')
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    number, position, z, t = (int(match[key]) for key in ("number", "position", "z", "t"))
    return Name(match["label"], number, position, z, t, match["channel"])
