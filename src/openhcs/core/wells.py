"""Well names and filters: ``A01``, ``AF48``, ``A01:B06``, ``row:A``, ``col:01-06``, ``12``.

Rows and columns count from 0. A name that is not a well raises `InvalidValue`; a filter that
matches nothing raises `UnknownName`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from openhcs.constants.constants import WellFilterMode
from openhcs.errors import InvalidValue, UnknownName, suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

_WELL = re.compile(r"([A-Za-z]{1,2})[ -]{0,3}([0-9]{1,3})")
_SPLIT = re.compile(r"([0-9]+)").split
MOST_LETTERS = 0xD7FF
"""Digits of the longest number whose length sorts."""
MOST_DIGITS = 9
"""A longer number is more than all wells."""
PLATE_SHAPES = ((2, 3), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48))


def row_name(row: int) -> str:
    """Return the letters of a row: 0 is A, 25 is Z, 26 is AA.

    >>> row_name(0), row_name(31)
    ('A', 'AF')
    """
    return chr(65 + row) if row < 26 else chr(64 + row // 26) + chr(65 + row % 26)


def row_index(letters: str) -> int:
    """Return the row that ``letters`` name; the inverse of `row_name`."""
    index = 0
    for letter in letters.upper():
        index = index * 26 + ord(letter) - 64
    return index - 1


def well_name(row: int, column: int) -> str:
    """Return the name of a well, such as ``A01``, from its row and column counted from 0."""
    return f"{row_name(row)}{column + 1:02d}"


def parse_well(name: str) -> tuple[int, int]:
    """Return (row, column), both from 0, of a well's name.

    >>> parse_well("B03"), parse_well("c - 5")
    ((1, 2), (2, 4))
    """
    place = _place(name)
    if place is None:
        raise InvalidValue(f"{name!r} is not a well; a well is a row and a column, such as A01 or P24")
    return place


@lru_cache(maxsize=2**12)
def _place(name: str) -> tuple[int, int] | None:
    match = _WELL.fullmatch(name.strip())
    if match is None or int(match[2]) == 0:
        return None
    return row_index(match[1]), int(match[2]) - 1


def natural_key(text: str) -> tuple[str, ...]:
    """Return a sort key in which ``s2`` comes before ``s10``, however many digits there are."""
    parts = _SPLIT(text)
    parts[1::2] = map(_number_key, parts[1::2])
    return tuple(parts)


@lru_cache(maxsize=2**14)
def _number_key(part: str) -> str:
    """Return a text that sorts as the number does, and behind it as it is written."""
    digits = part.lstrip("0")
    return f"{chr(min(len(digits), MOST_LETTERS))}{digits} {part}"


def well_key(name: str) -> tuple[int, int]:
    """Return a sort key that runs row by row."""
    return parse_well(name)


def plate_shape(wells: Sequence[str]) -> tuple[int, int]:
    """Return the rows and columns of the smallest standard plate that holds ``wells``."""
    places = [parse_well(well) for well in wells] or [(0, 0)]
    rows = max(row for row, _ in places) + 1
    columns = max(column for _, column in places) + 1
    fitting = [shape for shape in PLATE_SHAPES if shape[0] >= rows and shape[1] >= columns]
    return fitting[0] if fitting else (rows, columns)


def select_wells(
    wells: Sequence[str], spec: str | None, mode: WellFilterMode = WellFilterMode.INCLUDE
) -> tuple[str, ...]:
    """Return the ``wells`` that a filter keeps, in their order.

    Parameters
    ----------
    spec
        wells and ranges joined by commas: ``A01``, ``A01:B06`` (a rectangle), ``row:A``,
        ``row:A-C``, ``col:01-06``, or one number for the first so many. None keeps all.
    mode
        whether ``spec`` names the wells to keep or to leave out.

    Raises
    ------
    InvalidValue
        the text is not a filter.
    UnknownName
        a part of it matches no well of the plate.

    Examples
    --------
    >>> select_wells(["A01", "A02", "B01"], "row:A")
    ('A01', 'A02')
    """
    if spec is None:
        return tuple(wells)
    chosen: set[str] = set()
    for part in spec.split(","):
        found = _matching(wells, part.strip())
        if not found:
            raise UnknownName(f"no well matches {part.strip()!r}; {suggest(part.strip(), wells)}")
        chosen |= found
    include = mode is WellFilterMode.INCLUDE
    return tuple(well for well in wells if (well in chosen) is include)


def _matching(wells: Sequence[str], part: str) -> set[str]:
    if part.isascii() and part.isdigit():
        return set(wells[: int(part)] if len(part) <= MOST_DIGITS else wells)
    kind, colon, rest = part.partition(":")
    if colon and kind.lower() in {"row", "rows"}:
        low, high = _span(rest, part, to_index=lambda text: parse_well(f"{text}1")[0])
        return {well for well in wells if low <= parse_well(well)[0] <= high}
    if colon and kind.lower() in {"col", "cols", "column", "columns"}:
        low, high = _span(rest, part, to_index=lambda text: parse_well(f"A{text}")[1])
        return {well for well in wells if low <= parse_well(well)[1] <= high}
    first, last = parse_well(kind), parse_well(rest) if colon else parse_well(kind)
    rows, columns = sorted((first[0], last[0])), sorted((first[1], last[1]))
    inside = ((well, parse_well(well)) for well in wells)
    return {well for well, (r, c) in inside if rows[0] <= r <= rows[1] and columns[0] <= c <= columns[1]}


def _span(text: str, part: str, *, to_index: object) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    try:
        ends = [to_index(end.strip()) for end in ((low, high) if dash else (low, low))]  # type: ignore[operator]
    except InvalidValue:
        raise InvalidValue(f"{part!r} is not a well filter; write row:A, row:A-C, col:3 or col:01-06") from None
    return min(ends), max(ends)
