"""Planes as columns: wells are alike, so what they have in common is told once.

A row stands for the planes of one well that follow each other: its well, then, for each field, the
first value and the number of a column with what changes from plane to plane. Numbers change by their
difference, all in one text; a text by how much it keeps of the one before, from its beginning and its
end, and what is new in between. Heights and times are whole thousandths where they can be, else as they are.
"""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, fields
from itertools import accumulate, groupby, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from openhcs.core.plate import FileSource, Plane, PlaneState, SceneSource, ZarrSource
from openhcs.core.wells import parse_well
from openhcs.errors import FormatError, InvalidValue
from openhcs.plan.typed import misfit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openhcs.core.plate import Source

SOURCES: tuple[type[Source | None], ...] = (type(None), FileSource, ZarrSource, SceneSource)
"""Where planes come from, in the order in which a document numbers them."""
STATES = tuple(PlaneState)
MEASURES = ("z_um", "time_s")
"""What was measured of a plane, or None."""
NUMBERS = tuple(field.name for field in fields(Plane) if field.name not in {"well", "source", "state", *MEASURES})
OWN = tuple((cls, field.name) for cls in (FileSource, ZarrSource, SceneSource) for field in fields(cls))
MOST_EXACT = 1e9
MOST_PLANES = 20_000_000
"""A document that tells of more is damaged, or made to fill the memory."""
LONGEST = 2**12
"""Letters of the longest path."""
MOST_LETTERS = 2**28
"""Letters of the paths of one well."""
_CHANGE = re.compile(r"([0-9]{1,6}) ([0-9]{1,6}) ")


class PlaneTable:
    """Rows of planes while a document is written: each row and each column stands in it once."""

    def __init__(self) -> None:
        self.rows: list[list[Any]] = []
        self.columns: list[str | list[Any]] = []
        self._row_numbers: dict[str, int] = {}
        self._column_numbers: dict[str, int] = {}
        self._seen: dict[tuple[int, ...], int] = {}
        self._kept: list[list[Plane]] = []

    def encode(self, planes: Sequence[Plane]) -> list[int]:
        """Return the numbers of the rows that make up planes, in their order."""
        return [self._row(well, list(group)) for well, group in groupby(planes, attrgetter("well"))]

    def _row(self, well: str, planes: list[Plane]) -> int:
        same = tuple(map(id, planes))
        if same not in self._seen:
            self._kept.append(planes)
            row = [well, len(planes), *(part for values in _values(planes) for part in self._column(values))]
            self._seen[same] = _number(self._row_numbers, self.rows, row)
        return self._seen[same]

    def _column(self, values: list[Any]) -> list[Any]:
        if not values:
            return [None, None]
        if values.count(values[0]) == len(values):
            return [values[0], None]
        return [values[0], _number(self._column_numbers, self.columns, _changes(values))]


def _number(known: dict[str, int], kept: list[Any], value: Any) -> int:
    text = json.dumps(value)
    if text not in known:
        known[text] = len(kept)
        kept.append(value)
    return known[text]


def _values(planes: Sequence[Plane]) -> list[list[Any]]:
    """Return the columns of planes: their numbers, states and kinds of source, and what each kind of source has."""
    sources = [plane.source for plane in planes]
    found = [[getattr(plane, name) for plane in planes] for name in NUMBERS]
    found.append([STATES.index(plane.state) for plane in planes])
    found.append([SOURCES.index(type(source)) for source in sources])
    found += [_thousandths([getattr(plane, name) for plane in planes]) for name in MEASURES]
    for cls, name in OWN:
        own = [getattr(source, name) for source in sources if type(source) is cls]
        found.append([list(value) if isinstance(value, tuple) else value for value in own])
    return found


def _thousandths(values: list[float | None]) -> list[Any]:
    """Return values as whole thousandths, or as they are where one of them is none such."""
    counts = [None if value is None or not abs(value) < MOST_EXACT else round(value * 1000) for value in values]
    exact = all(count is not None and count / 1000 == value for count, value in zip(counts, values, strict=True))
    return counts if exact else [None if value is None else float(value) for value in values]


def _changes(values: list[Any]) -> str | list[Any]:
    if all(type(value) is int for value in values):
        return " ".join(str(after - before) for before, after in pairwise(values))
    if not isinstance(values[0], str):
        return values[1:]
    return [_change(before, after) for before, after in pairwise(values)]


def _change(before: str, after: str) -> str:
    most = min(len(before), len(after))
    front = next((place for place in range(most) if before[place] != after[place]), most)
    most -= front
    back = next((place for place in range(most) if before[-1 - place] != after[-1 - place]), most)
    return f"{front} {back} {after[front : len(after) - back]}"


class PlaneReader:
    """The planes of a document's rows; each row is made once, so that who tells of the same shares them."""

    def __init__(self, rows: Any, columns: Any) -> None:
        if not isinstance(rows, list):
            misfit("planes", "a list")
        if not isinstance(columns, list):
            misfit("columns", "a list")
        self._rows = rows
        self._columns = columns
        self._made: dict[int, tuple[Plane, ...]] = {}
        self._count = 0

    def decode(self, numbers: Any, at: str) -> tuple[Plane, ...]:
        """Return the planes of rows; `FormatError` where a row, or a column of it, does not fit."""
        if not isinstance(numbers, list):
            misfit(at, "a list of rows of planes")
        for number in numbers:
            if not _is_place(number, self._rows):
                misfit(at, f"numbers of rows below {len(self._rows)}")
        self._count += sum(_length(self._rows[number]) for number in numbers)
        if self._count > MOST_PLANES:
            misfit(at, f"a document of up to {MOST_PLANES} planes")
        return tuple(plane for number in numbers for plane in self._row(number))

    def _row(self, number: int) -> tuple[Plane, ...]:
        if number not in self._made:
            self._made[number] = self._planes(self._rows[number], f"planes[{number}]")
        return self._made[number]

    def _planes(self, row: Any, at: str) -> tuple[Plane, ...]:
        width = 2 + 2 * (len(NUMBERS) + 2 + len(MEASURES) + len(OWN))
        count = _length(row)
        if not isinstance(row, list) or len(row) != width or not isinstance(row[0], str) or count < 1:
            misfit(at, f"a list of {width}: a well, how many, and for each field the first and a column")
        try:
            parse_well(row[0])
        except InvalidValue as error:
            raise FormatError(f"the plan is not as openhcs writes it: {at}: {error}") from error
        cells = [(row[place], row[place + 1]) for place in range(2, width, 2)]
        numbers = [self._values(cell, count, int, at) for cell in cells[: len(NUMBERS)]]
        states = self._values(cells[len(NUMBERS)], count, int, at)
        kinds = self._values(cells[len(NUMBERS) + 1], count, int, at)
        if not all(0 <= one < len(STATES) for one in states) or not all(0 <= one < len(SOURCES) for one in kinds):
            misfit(at, "of known states and sources")
        rest = cells[len(NUMBERS) + 2 :]
        measures = [self._measures(cell, count, at) for cell in rest[: len(MEASURES)]]
        sources = self._sources(kinds, rest[len(MEASURES) :], at)
        names = (*NUMBERS, *MEASURES)
        return tuple(
            Plane(well=row[0], state=STATES[state], source=next(sources[kind]), **dict(zip(names, own, strict=True)))
            for state, kind, *own in zip(states, kinds, *numbers, *measures, strict=True)
        )

    def _measures(self, cell: tuple[Any, Any], count: int, at: str) -> list[float | None]:
        if type(cell[0]) is int:
            try:
                return [value / 1000 for value in self._values(cell, count, int, at)]
            except OverflowError:
                misfit(at, "with measures that are numbers")
        return self._values(cell, count, float, at)

    def _sources(self, kinds: list[int], cells: list[tuple[Any, Any]], at: str) -> list[Any]:
        of_each: list[Any] = [iter([None] * kinds.count(0))]
        own = dict(zip(OWN, cells, strict=True))
        for number, cls in enumerate(SOURCES[1:], start=1):
            many = kinds.count(number)
            names = [name for one, name in OWN if one is cls]
            found = [self._values(own[cls, name], many, _type(cls, name), at) for name in names]  # type: ignore[index]
            of_each.append(iter([_source(cls, names, values) for values in zip(*found, strict=True)]))
        return of_each

    def _values(self, cell: tuple[Any, Any], count: int, kind: type, at: str) -> list[Any]:
        first, place = cell
        if count == 0:
            return []
        _fits(first, kind, at)
        if place is None:
            return [first] * count
        if not _is_place(place, self._columns):
            misfit(at, f"with columns below number {len(self._columns)}")
        values = _undone(first, self._columns[place], kind, f"columns[{place}]")
        return values if len(values) == count else misfit(f"columns[{place}]", f"of {count - 1} changes")


def _type(cls: Any, name: str) -> type:
    """Return the type of a field of a source, as JSON knows it."""
    field = next(one for one in fields(cls) if one.name == name)
    if field.default is MISSING or isinstance(field.default, str):
        return str
    return list if isinstance(field.default, tuple) else int


def _source(cls: Any, names: Sequence[str], values: tuple[Any, ...]) -> Source:
    plain = (tuple(value) if isinstance(value, list) else value for value in values)
    made: Source = cls(**dict(zip(names, plain, strict=True)))
    return made


def _undone(first: Any, column: Any, kind: type, at: str) -> list[Any]:
    """Return the values of a column; the first stands in the row."""
    if kind is int:
        return list(accumulate(_whole_numbers(column, at), initial=first))
    if not isinstance(column, list):
        misfit(at, "a list")
    if kind in {list, float}:
        return [first, *(_fits(value, kind, at) for value in column)]
    values = [first]
    room = MOST_LETTERS
    for change in column:
        values.append(_next(values[-1], change, at))
        room -= len(values[-1])
        if room < 0:
            misfit(at, f"of paths with up to {MOST_LETTERS} letters together")
    return values


def _whole_numbers(column: Any, at: str) -> list[int]:
    try:
        return [int(one) for one in column.split(" ")]
    except (AttributeError, ValueError):
        misfit(at, "a text of whole numbers")


def _next(before: str, change: Any, at: str) -> str:
    found = _CHANGE.match(change) if isinstance(change, str) else None
    if found is None:
        misfit(at, "texts of two lengths and what is new")
    front, back, middle = int(found[1]), int(found[2]), found.string[found.end() :]
    if front + back > len(before) or front + back + len(middle) > LONGEST:
        misfit(at, "of lengths that the path before has")
    return before[:front] + middle + before[len(before) - back :]


def _fits(value: Any, kind: type, at: str) -> Any:
    if kind is float:
        return value if value is None or type(value) is float else misfit(at, "with measures that are numbers or null")
    whole = kind is not list or (isinstance(value, list) and all(type(one) is int for one in value))
    if type(value) is not kind or not whole or (isinstance(value, str) and len(value) > LONGEST):
        misfit(at, "with first values that are numbers, and paths that are texts")
    return value


def _length(row: Any) -> int:
    count = row[1] if isinstance(row, list) and len(row) > 1 else 0
    return count if type(count) is int else 0


def _is_place(number: Any, values: Sequence[Any]) -> bool:
    return type(number) is int and 0 <= number < len(values)
