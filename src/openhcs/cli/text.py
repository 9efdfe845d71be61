"""Numbers, times and plates as text for people. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from openhcs.core.wells import parse_well

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves a terminal's cursor, breaks a line, turns the writing round, or is no character."""
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return a text whose hidden characters are written out; with ``lines`` those between lines stay.

    >>> visible("two\nlines \x1b[31m")
    'two\\nlines \\x1b[31m'
    """
    if lines:
        return "\n".join(visible(line) for line in text.split("\n"))
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def size(count: float) -> str:
    """Return bytes in decimal units, three digits.

    >>> size(0), size(999), size(671_846_400), size(1.5e9)
    ('0 bytes', '999 bytes', '672 MB', '1.50 GB')
    """
    unit = 0
    while count >= 999.5 and unit < len(UNITS) - 1:
        count /= 1000
        unit += 1
    digits = 0 if unit == 0 or count >= 99.95 else 1 if count >= 9.995 else 2
    return f"{count:.{digits}f} {UNITS[unit]}"


def duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> duration(0.42), duration(42), duration(150), duration(7300)
    ('0.4 s', '42 s', '2 min 30 s', '2 h 1 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def count(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> count(1, "well"), count(3, "well")
    ('1 well', '3 wells')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def plate_map(shape: tuple[int, int], rows: Sequence[str], marks: Mapping[str, str], *, empty: str) -> list[str]:
    """Return the lines of a plate with a mark per well.

    Parameters
    ----------
    shape
        rows and columns of the plate.
    rows
        names of the rows.
    marks
        well → one character.
    empty
        the mark of wells that ``marks`` does not have.
    """
    places = {parse_well(well): mark for well, mark in marks.items()}
    width = 3 if shape[1] <= 24 else 2
    label = max([len(name) for name in rows] or [1])
    named = (column if width == 3 or column % 5 == 0 or column == 1 else "" for column in range(1, shape[1] + 1))
    lines = [" " * label + "".join(f"{column:>{width}}" for column in named)]
    for row, name in zip(range(shape[0]), rows, strict=False):
        cells = (f"{places.get((row, column), empty):>{width}}" for column in range(shape[1]))
        lines.append(f"{name:>{label}}" + "".join(cells))
    return lines


def can_show(stream: TextIO, characters: str) -> bool:
    """Return whether a stream's encoding has these characters."""
    try:
        characters.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Return names and values in two columns; a value may have several lines."""
    width = max(len(name) for name, _ in rows)
    lines = []
    for name, value in rows:
        first, *more = value.split("\n")
        lines.append(visible(f"{name:<{width}}  {first}".rstrip()))
        lines += [visible(f"{'':<{width}}  {line}".rstrip()) for line in more]
    return "\n".join(lines)
