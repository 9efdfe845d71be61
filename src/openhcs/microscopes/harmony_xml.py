"""The index that Harmony writes beside its images: one record for each, facts of channels, the plate.

Elements are matched by their local name, never by namespace, so every version reads the same. Facts
of a channel stand on each image (Harmony 5) or once in a map (Harmony 7). The document is streamed;
document types, and with them entities, are refused; depth is bounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat

from openhcs.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = "EvaluationInputData"
MAX_DEPTH = 32
MAX_NAMES = 1000
MAX_ROWS, MAX_COLUMNS, MAX_NUMBER = 99, 999, 10**6
_CHANNEL = (
    *("ChannelName", "MainExcitationWavelength", "MainEmissionWavelength", "ExposureTime", "MaxIntensity"),
    *("ImageResolutionX", "ImageResolutionY", "ImageSizeX", "ImageSizeY"),
)
_PLACE = (
    *("id", "URL", "Row", "Col", "FieldID", "PlaneID", "TimepointID", "ChannelID", "FlimID"),
    *("PositionX", "PositionY", "PositionZ"),
)
_PLATE = ("Name", "PlateID", "PlateRows", "PlateColumns", "MeasurementStartTime", "PlateTypeName")
_UNITS = {
    **dict.fromkeys(("PositionX", "PositionY", "PositionZ", "ImageResolutionX", "ImageResolutionY"), "m"),
    **dict.fromkeys(("MainExcitationWavelength", "MainEmissionWavelength"), "nm"),
    "ExposureTime": "s",
}
"""The one unit that Harmony writes each of these in; another would be read wrongly, so it is refused."""
_KEPT_IN = {
    "Image": frozenset(_PLACE + _CHANNEL),
    "Entry": frozenset(_CHANNEL),
    "Plate": frozenset(_PLATE),
    ROOT: frozenset(("InstrumentType",)),
}
"""Children whose text is kept, by the element they stand in."""


@dataclass(frozen=True, slots=True)
class HarmonyImage:
    """One image as the index tells it: the vendor's numbers, positions in metres, y up.

    ``url`` is empty where nothing was recorded.
    """

    url: str
    row: int
    column: int
    field: int
    plane: int
    timepoint: int
    channel: int
    flim: int
    x: float | None
    y: float | None
    z: float | None


@dataclass(frozen=True, slots=True)
class HarmonyChannel:
    """One channel: lengths in metres, wavelengths in nm, exposure in seconds; None is not recorded."""

    name: str
    excitation: float | None
    emission: float | None
    exposure: float | None
    resolution: tuple[float, float] | None
    """(y, x)"""
    size: tuple[int, int] | None
    """(y, x) in pixels"""
    max_intensity: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmonyIndex:
    """A whole index; channels by their number."""

    plate: str
    rows: int | None
    columns: int | None
    start_time: str | None
    instrument: str
    images: tuple[HarmonyImage, ...]
    channels: Mapping[int, HarmonyChannel]


class _OtherDocument(Exception):
    """The document is XML and no Harmony index."""


def parse_harmony(data: bytes, path: str) -> HarmonyIndex | None:
    """Return what an index says, or None when the document is none of Harmony's.

    Raises
    ------
    FormatError
        it is no XML, is cut short, nests too deep, declares entities, or a number is none.
    """
    reader = _Reader(path)
    try:
        reader.parse(data)
    except _OtherDocument:
        return None
    except expat.ExpatError as error:
        raise FormatError(
            f"{path}: line {error.lineno}, column {error.offset}: {expat.ErrorString(error.code)}. The index is "
            "damaged or cut short; copy it from the microscope again.",
            path=path,
        ) from None
    except (LookupError, UnicodeError) as error:
        raise FormatError(f"{path}: cannot be decoded: {error}", path=path) from None
    return reader.done()


@dataclass(slots=True)
class _Reader:
    """Collects records while expat walks the document."""

    path: str
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

    def parse(self, data: bytes) -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        depth = leaf = 0
        record: dict[str, str] = {}
        known: dict[str, str | None] = {}
        parts: list[str] = []

        # Called a million times for a plate of 384 wells, so what is usual comes first and costs little.
        def start(raw: str, attributes: dict[str, str]) -> None:
            nonlocal depth, leaf, record, known
            depth += 1
            parts.clear()
            if depth == leaf and raw in known:
                if attributes and known[raw]:
                    self._check_unit(raw, attributes)
            elif self._open(raw, depth, attributes):
                leaf, record, known = self.records[-1]

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
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.Parse(data, True)

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
                number = self._whole(record, "ChannelID", "a map's entry")
                self.entries.setdefault(number, {}).update(record)
        elif name == "Plate":
            self.plate = self.plate or record
        else:
            self.head = record

    def _check_unit(self, raw: str, attributes: Mapping[str, str]) -> None:
        name = raw.rpartition(":")[2]
        unit = attributes.get("Unit")
        if unit is not None and unit != _UNITS.get(name, unit):
            raise self._wrong(f"{name} is given in {unit!r} where Harmony writes {_UNITS[name]!r}")

    def _refuse_doctype(self, *_: object) -> None:
        raise self._wrong("it declares a document type, and with it entities, which no Harmony index does")

    def _wrong(self, what: str) -> FormatError:
        return FormatError(f"{self.path}: {what}", path=self.path)

    def _image(self, record: dict[str, str]) -> None:
        what = f"image {record.get('id', '').strip() or len(self.images) + 1}"
        channel = self._whole(record, "ChannelID", what)
        self.images.append(
            HarmonyImage(
                record.get("URL", "").strip(),
                self._whole(record, "Row", what, low=1, high=MAX_ROWS),
                self._whole(record, "Col", what, low=1, high=MAX_COLUMNS),
                self._whole(record, "FieldID", what),
                self._whole(record, "PlaneID", what, default=1),
                self._whole(record, "TimepointID", what, default=0),
                channel,
                self._whole(record, "FlimID", what, default=1),
                self._real(record, "PositionX", what),
                self._real(record, "PositionY", what),
                self._real(record, "PositionZ", what),
            )
        )
        if channel not in self.firsts:
            self.firsts[channel] = record

    def _whole(
        self,
        record: Mapping[str, str],
        name: str,
        what: str,
        *,
        default: int | None = None,
        low: int = 0,
        high: int = MAX_NUMBER,
    ) -> int:
        text = record.get(name, "").strip()
        if not text and default is not None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(high))) or not low <= int(text) <= high:
            told = f"is {text[:40]!r}, not a number from {low} to {high}" if text else "is not told"
            raise self._wrong(f"{what}: {name} {told}")
        return int(text)

    def _real(self, record: Mapping[str, str], name: str, what: str) -> float | None:
        text = record.get(name)
        if not text or text.isspace():
            return None
        try:
            value = float(text)
        except ValueError:
            raise self._wrong(f"{what}: {name} is {text[:40]!r}, not a number") from None
        return value if math.isfinite(value) else None

    def done(self) -> HarmonyIndex:
        numbers = sorted({image.channel for image in self.images})
        rows, columns = (
            self._whole(self.plate, name, "the plate", low=1, high=high) if self.plate.get(name) else None
            for name, high in (("PlateRows", MAX_ROWS), ("PlateColumns", MAX_COLUMNS))
        )
        return HarmonyIndex(
            plate=self.plate.get("Name", "").strip() or self.plate.get("PlateID", "").strip(),
            rows=rows,
            columns=columns,
            start_time=self.plate.get("MeasurementStartTime", "").strip() or None,
            instrument=self.head.get("InstrumentType", "").strip(),
            images=tuple(self.images),
            channels={number: self._channel(number) for number in numbers},
        )

    def _channel(self, number: int) -> HarmonyChannel:
        record = {**self.entries.get(number, {}), **self.firsts[number]}
        what = f"channel {number}"
        x, y = (self._real(record, f"ImageResolution{axis}", what) for axis in "XY")
        wide, high = (self._whole(record, f"ImageSize{axis}", what, default=0) for axis in "XY")
        return HarmonyChannel(
            name=record.get("ChannelName", "").strip() or str(number),
            excitation=self._real(record, "MainExcitationWavelength", what) or None,
            emission=self._real(record, "MainEmissionWavelength", what) or None,
            exposure=self._real(record, "ExposureTime", what),
            resolution=(y, x) if x and y and x > 0 and y > 0 else None,
            size=(high, wide) if wide and high else None,
            max_intensity=self._whole(record, "MaxIntensity", what, default=0, high=2**32) or None,
        )
