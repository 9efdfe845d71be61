"""The index that Harmony writes beside its images: one record for each, facts of channels, the plate.

Elements are matched by their local name, never by namespace, so every version reads the same. Facts
of a channel stand on each image (Harmony 5) or once in a map (Harmony 7). The document is streamed;
document types, and with them entities, are refused; depth is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openhcs.errors import FormatError
from openhcs.microscopes.harmony.model import (
    MAX_COLUMNS,
    MAX_ROWS,
    REALS,
    TEXTS,
    UNITS,
    WHOLES,
    HarmonyIndex,
    Record,
)
from openhcs.microscopes.harmony.records import CLOSING, LIST, Patterns, is_utf8
from openhcs.microscopes.xml_reader import MAX_DEPTH, new_parser, parse_xml, telling

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.parsers import expat

    from openhcs.microscopes.harmony.model import HarmonyImage

ROOT = "EvaluationInputData"
MAX_NAMES = 1000
_CHANNEL = (
    *("ChannelName", "ChannelType", "MainExcitationWavelength", "MainEmissionWavelength", "ExposureTime"),
    *("ObjectiveMagnification", "ObjectiveNA", "BinningX", "BinningY", "MaxIntensity"),
    *("ImageResolutionX", "ImageResolutionY", "ImageSizeX", "ImageSizeY"),
)
_PLATE = ("Name", "PlateID", "PlateRows", "PlateColumns", "MeasurementStartTime", "PlateTypeName")
_KEPT_IN = {
    "Image": frozenset(("id", *WHOLES, *REALS, *TEXTS, *_CHANNEL)),
    "Entry": frozenset(("FlatfieldProfile", *_CHANNEL)),
    "Plate": frozenset(_PLATE),
    ROOT: frozenset(("InstrumentType",)),
}
"""Children whose text is kept, by the element they stand in."""


class _OtherDocument(Exception):
    """The document is XML and no Harmony index."""


class _Enough(Exception):
    """An image was found, and no more is asked for."""


def parse_harmony(data: bytes, path: str, *, by_pattern: bool = True) -> HarmonyIndex | None:
    """Return what an index says, or None when the document is none of Harmony's.

    Parameters
    ----------
    by_pattern
        read records that are alike by pattern; the answer is the same without, and takes four times as long.

    Raises
    ------
    FormatError
        it is no XML, is cut short, nests too deep, declares entities, or a number is none.
    """
    reader = _Reader(path)
    try:
        reader.parse(data, Patterns() if by_pattern and is_utf8(data) else None)
    except _OtherDocument:
        return None
    return reader.done()


def names_images(data: bytes, path: str) -> bool:
    """Return whether a document is a Harmony index and names an image; it is read up to the first.

    Raises
    ------
    FormatError
        it is damaged before that.
    """
    reader = _Reader(path, first_only=True)
    try:
        reader.parse(data, None)
    except _OtherDocument:
        return False
    except _Enough:
        return True
    return False


def profile_texts(data: bytes, path: str) -> dict[int, str]:
    """Return the texts of flat-field profiles by channel, of a document of whatever root.

    Raises
    ------
    FormatError
        it is damaged, or a channel is no number.
    """
    found: dict[int, str] = {}
    parts: list[str] = []
    channel: list[Record] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        parts.clear()
        if name == "Entry":
            channel[:] = [Record(attributes, "a map's entry", path)]

    def end(name: str) -> None:
        if name == "FlatfieldProfile" and channel:
            found.setdefault(channel[0].whole("ChannelID"), "".join(parts).strip())

    parse_xml(data, path, start, end, parts.append)
    return found


@dataclass(slots=True)
class _Reader:
    """Collects records while a parser walks the document."""

    path: str
    first_only: bool = False
    plate: dict[str, str] = field(default_factory=dict)
    head: dict[str, str] = field(default_factory=dict)
    entries: dict[int, dict[str, str]] = field(default_factory=dict)
    firsts: dict[int, dict[str, str]] = field(default_factory=dict)
    images: list[HarmonyImage] = field(default_factory=list)
    records: list[tuple[int, dict[str, str], dict[str, str | None]]] = field(default_factory=list)
    """Open records: depth of their children, what was read, tags met in them → the name kept or None."""
    names: list[str] = field(default_factory=list)
    """The element of each open record."""
    above: list[str] = field(default_factory=list)
    seen: dict[str, dict[str, str | None]] = field(default_factory=lambda: {name: {} for name in _KEPT_IN})
    began: int = 0
    """Where the last image's record begins, in bytes."""

    def parse(self, data: bytes, patterns: Patterns | None) -> None:
        parser = new_parser(self.path)
        self._listen(parser)
        with telling(self.path):
            rest = 0 if patterns is None else self._alike(parser, data, patterns)
            parser.Parse(memoryview(data)[rest:], True)

    def _alike(self, parser: expat.XMLParserType, data: bytes, patterns: Patterns) -> int:
        """Read record after record, those like one before by pattern; return where that ended.

        The parser is handed every byte, for what is read by pattern without being listened to: the records
        are whole elements, so it comes out where it went in.
        """
        listing = LIST.search(data)
        if listing is None:
            return 0
        view = memoryview(data)
        done, at = 0, listing.end()
        while (closing := CLOSING.search(data, at)) is not None:
            known = len(self.images)
            parser.Parse(view[done : closing.end()])
            done = closing.end()
            if len(self.images) == known:
                break
            images, at = patterns.read(data, self.began, done, self.firsts)
            self.images += images
            handlers = parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler
            parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
            parser.Parse(view[done:at])
            parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = handlers
            done = at
        return done

    def _listen(self, parser: expat.XMLParserType) -> None:
        depth = leaf = 0
        record: dict[str, str] = {}
        known: dict[str, str | None] = {}
        parts: list[str] = []

        # Called a million times for a plate of 384 wells whose records differ, so what is usual comes first.
        def start(raw: str, attributes: dict[str, str]) -> None:
            nonlocal depth, leaf, record, known
            depth += 1
            parts.clear()
            if depth == leaf and raw in known:
                if attributes and known[raw]:
                    self._check_unit(raw, attributes)
            elif self._open(raw, depth, attributes):
                leaf, record, known = self.records[-1]
                self.began = parser.CurrentByteIndex

        def end(raw: str) -> None:
            nonlocal depth, leaf, record, known
            if depth == leaf:
                name = known.get(raw)
                if name:
                    record[name] = "".join(parts)
            elif depth == leaf - 1:
                self._close()
                leaf, record, known = self.records[-1] if self.records else (0, {}, {})
            depth -= 1

        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = parts.append

    def _open(self, raw: str, depth: int, attributes: dict[str, str]) -> bool:
        """Take note of an element that is new here; say whether a record begins with it.

        ``Image`` is a record within ``Images`` and a mere reference within ``Well``.
        """
        name = raw.rpartition(":")[2]
        if depth == 1 and name != ROOT:
            raise _OtherDocument
        if depth > MAX_DEPTH:
            raise self._wrong(f"elements nest deeper than {MAX_DEPTH}")
        del self.above[depth - 1 :]
        self.above.append(name)
        if self.records and depth == self.records[-1][0]:
            known = self.records[-1][2]
            if name in _KEPT_IN[self.names[-1]]:
                known[raw] = name
                self._check_unit(raw, attributes)
                return False
            if name not in _KEPT_IN and self.names[-1] != ROOT and len(known) < MAX_NAMES:
                known[raw] = None
        if name not in _KEPT_IN or (name == "Image" and self.above[-2:-1] != ["Images"]):
            return False
        self.records.append((depth + 1, dict(attributes) if name == "Entry" else {}, self.seen[name]))
        self.names.append(name)
        return True

    def _close(self) -> None:
        _, record, _ = self.records.pop()
        name = self.names.pop()
        if name == "Image":
            self._image(record)
        elif name == "Entry":
            if "ChannelID" in record:
                number = Record(record, "a map's entry", self.path).whole("ChannelID")
                self.entries.setdefault(number, {}).update(record)
        elif name == "Plate":
            self.plate = self.plate or record
        else:
            self.head = record

    def _image(self, record: dict[str, str]) -> None:
        what = f"image {record.get('id', '').strip() or len(self.images) + 1}"
        image = Record(record, what, self.path).image()
        if self.first_only:
            raise _Enough
        self.images.append(image)
        if image.channel not in self.firsts:
            self.firsts[image.channel] = record

    def _check_unit(self, raw: str, attributes: Mapping[str, str]) -> None:
        name = raw.rpartition(":")[2]
        unit = attributes.get("Unit")
        if unit is not None and unit != UNITS.get(name, unit):
            raise self._wrong(f"{name} is given in {unit!r} where Harmony writes {UNITS[name]!r}")

    def _wrong(self, what: str) -> FormatError:
        return FormatError(f"{self.path}: {what}", path=self.path)

    def done(self) -> HarmonyIndex:
        plate = Record(self.plate, "the plate", self.path)
        rows, columns = (
            plate.whole(name, low=1, high=high) if plate.text(name) else None
            for name, high in (("PlateRows", MAX_ROWS), ("PlateColumns", MAX_COLUMNS))
        )
        told = {number: {**self.entries.get(number, {}), **first} for number, first in sorted(self.firsts.items())}
        profiles = {number: entry.get("FlatfieldProfile", "").strip() for number, entry in self.entries.items()}
        return HarmonyIndex(
            plate=plate.text("Name") or plate.text("PlateID"),
            plate_id=plate.text("PlateID") or None,
            plate_type=plate.text("PlateTypeName") or None,
            rows=rows,
            columns=columns,
            start_time=plate.text("MeasurementStartTime") or None,
            instrument=Record(self.head, "the head", self.path).text("InstrumentType") or None,
            images=tuple(self.images),
            channels={
                number: Record(record, f"channel {number}", self.path).channel(number)
                for number, record in told.items()
            },
            profiles={number: text for number, text in profiles.items() if text and number in told},
        )
