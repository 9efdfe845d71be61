"""The documents that CellVoyager writes beside its images, as they are: records of images, and trees of facts.

Facts are attributes of one namespace, matched by their local names. ``MeasurementData.mlf`` can hold a
million records and is streamed; the others are small, and are refused where they are not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from openhcs.errors import FormatError
from openhcs.microscopes.xml_reader import parse_xml

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS, RECORD = "MeasurementData", "MeasurementRecord"
MOST_ROWS, MOST_COLUMNS, MOST = 702, 999, 10**6
MOST_ELEMENTS, MOST_TEXT = 200_000, 4096
"""Elements of a small document; characters of one element's text, of which no more are kept."""


class Image(NamedTuple):
    """One image as the records tell it: the vendor's numbers from 1, µm, y up; None or "" is not told."""

    file: str
    row: int
    column: int
    field: int
    time: int
    timeline: int
    action: int
    z: int
    channel: int
    x: float | None
    y: float | None
    height: float | None
    stamp: str
    processing: str
    tile: str


class Failure(NamedTuple):
    """A record of what could not be taken; no field: all of the well."""

    why: str
    row: int
    column: int
    field: int | None
    time: int
    timeline: int
    x: float | None
    y: float | None


@dataclass(frozen=True, slots=True)
class Records:
    """All that ``MeasurementData.mlf`` tells, in its order, which is that of time."""

    images: list[Image]
    failures: list[Failure]


class _OtherDocument(Exception):
    """The document is XML, and none of CellVoyager's of this kind."""


def parse_records(data: bytes, path: str) -> Records | None:
    """Return what the records tell, or None when the document is another.

    Raises
    ------
    FormatError
        it is no XML, is cut short, cannot be decoded, a number is none or a record lacks its place.
    """
    found = Records([], [])
    facts: dict[str, str] = {}
    parts: list[str] = []
    inside = False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal facts, inside
        if name == RECORD and inside:
            facts = attributes
            parts.clear()
        elif not inside:
            if name != RECORDS:
                raise _OtherDocument
            inside = True

    def end(name: str) -> None:
        if name == RECORD:
            _add(found, facts, "".join(parts).strip(), path)

    try:
        parse_xml(data, path, start, end, parts.append)
    except _OtherDocument:
        return None
    return found


def _add(found: Records, facts: dict[str, str], text: str, path: str) -> None:
    try:
        row, column = _whole(facts["Row"], 1, MOST_ROWS), _whole(facts["Column"], 1, MOST_COLUMNS)
        time, timeline = _whole(facts.get("TimePoint", "1")), _whole(facts.get("TimelineIndex", "1"))
        x, y = _length(facts, "X"), _length(facts, "Y")
        if facts.get("Type") == "IMG":
            found.images.append(
                Image(
                    text,
                    row,
                    column,
                    _whole(facts["FieldIndex"]),
                    time,
                    timeline,
                    _whole(facts.get("ActionIndex", "1")),
                    _whole(facts.get("ZIndex", "1")),
                    _whole(facts["Ch"]),
                    x,
                    y,
                    _length(facts, "Z"),
                    facts.get("Time", ""),
                    facts.get("ZImageProcessing", ""),
                    facts.get("PartialTileIndex", ""),
                )
            )
        else:
            told = facts.get("FieldIndex")
            site = None if told is None else _whole(told)
            found.failures.append(Failure(text, row, column, site, time, timeline, x, y))
    except KeyError as error:
        raise FormatError(f"{path}: the record {text!r:.80} does not tell its {error.args[0]}", path=path) from None
    except ValueError as error:
        raise FormatError(f"{path}: the record {text!r:.80} is damaged: {error}", path=path) from None


def _whole(text: str, low: int = 0, high: int = MOST) -> int:
    number = int(text)
    if not low <= number <= high:
        raise ValueError(f"{number} is not from {low} to {high}")
    return number


def _length(facts: dict[str, str], key: str) -> float | None:
    text = facts.get(key)
    if text is None:
        return None
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{key} is {text}")
    return number


@dataclass(slots=True)
class Node:
    """One element of a small document: its facts, its text, what is below it."""

    name: str
    facts: dict[str, str]
    path: str
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def all(self, *names: str) -> Iterator[Node]:
        """Yield the elements that a path of names leads to."""
        if not names:
            yield self
            return
        for child in self.children:
            if child.name == names[0]:
                yield from child.all(*names[1:])

    def told(self, key: str) -> str | None:
        """Return a fact, or None where it is empty or absent."""
        return self.facts.get(key, "").strip() or None

    def number(self, key: str) -> float | None:
        """Return a fact that is a finite number, or None where it is not told; `FormatError` for any other."""
        text = self.told(key)
        try:
            number = None if text is None else float(text)
        except ValueError:
            number = math.nan
        if number is not None and not math.isfinite(number):
            raise FormatError(f"{self.path}: {key} of {self.name} is no number: {text!r:.40}", path=self.path)
        return number

    def whole(self, key: str, low: int = 0, high: int = MOST) -> int | None:
        """Return a fact that is a whole number, or None where it is not told; `FormatError` for any other."""
        number = self.number(key)
        if number is None:
            return None
        if number != int(number) or not low <= number <= high:
            raise FormatError(
                f"{self.path}: {key} of {self.name} is {number:g}, and should be a whole number from {low} to {high}",
                path=self.path,
            )
        return int(number)


def parse_tree(data: bytes, path: str, root: str) -> Node | None:
    """Return the root of a small document, or None when it has another name.

    Raises
    ------
    FormatError
        it is no XML, is cut short, cannot be decoded, or is not small.
    """
    top: list[Node] = []
    stack: list[Node] = []
    count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MOST_ELEMENTS:
            raise FormatError(f"{path}: more than {MOST_ELEMENTS} elements", path=path)
        if not stack and name != root:
            raise _OtherDocument
        node = Node(name, attributes, path)
        (stack[-1].children if stack else top).append(node)
        stack.append(node)

    def end(_: str) -> None:
        stack.pop()

    def text(piece: str) -> None:
        if stack and len(stack[-1].text) < MOST_TEXT:
            stack[-1].text += piece[:MOST_TEXT]

    try:
        parse_xml(data, path, start, end, text)
    except _OtherDocument:
        return None
    return top[0]
