"""``metadata.txt`` of Micro-Manager: a summary of what was wanted, and a record of every plane taken.

Records are ``FrameKey-<t>-<c>-<z>`` (1.4, and stacks of 2.0) or ``Coords-<file>`` with ``Metadata-<file>``
(files of 2.0). The text is taken apart record by record, for it may be long, its keys may repeat (all
positions of a file count from FrameKey-0-0-0) and an acquisition that was killed leaves it unfinished.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from openhcs.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

TEXT_LIMIT = 512 * 2**20
MOST_FRAMES, MOST_VALUES, MAX_INDEX, MAX_WANTED = 1_000_000, 200_000, 10**6, 100_000
"""Records of one text, values of one record, the highest index, and the most that a summary wants of an axis."""
_KEY = re.compile(rb'"(?:FrameKey-[0-9-]{1,40}|(?:Coords|Metadata)-[^"\\\n]{1,1000})"\s{0,20}:')
_FRAME = re.compile(r"FrameKey-([0-9]{1,9})-([0-9]{1,9})-([0-9]{1,9})")
_DATE = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?: [A-Za-z]{3})? ([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)"
    r" ?([+-][0-9]{2}):?([0-9]{2})"
)
_STRUCTURE = re.compile(r"[,:{}\[\]]")
_BINNING = re.compile(r"([0-9]{1,2})(?:\s?x\s?([0-9]{1,2}))?")
_OBJECTIVE = re.compile(r".*(?:objective|nosepiece)[^-]*-Label", re.IGNORECASE)
_AXES = {
    "t": ("Frame", "FrameIndex", "time", "t"),
    "c": ("ChannelIndex", "channel", "c"),
    "z": ("Slice", "SliceIndex", "z"),
    "p": ("PositionIndex", "position", "p"),
}
_SIZES = {"time": "Frames", "channel": "Channels", "z": "Slices", "position": "Positions"}
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Frame:
    """One plane that was taken: its indices from 0, its file where told, and what was measured."""

    t: int
    c: int
    z: int
    position: int | None = None
    label: str = ""
    file: str = ""
    channel: str = ""
    elapsed_ms: float | None = None
    exposure_ms: float | None = None
    x: float | None = None
    y: float | None = None
    height: float | None = None
    pixel_um: float | None = None
    binning: tuple[int, int] | None = None
    objective: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What an acquisition was meant to be. ``sizes`` count times, channels, slices and positions where told."""

    channels: tuple[str, ...] = ()
    colors: tuple[str | None, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    positions: tuple[tuple[str, tuple[float, float] | None], ...] = ()
    """(label, (x, y) in µm) of each stage position."""
    pixel_um: float | None = None
    z_step_um: float | None = None
    start_time: str | None = None
    pixel_type: str = ""
    shape: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A whole ``metadata.txt``; ``cut`` where it ends in the midst of a record."""

    summary: Summary
    frames: tuple[Frame, ...]
    cut: bool


def parse_metadata(data: bytes, path: str, summary: Summary | None = None) -> Text | None:
    """Return what a ``metadata.txt`` tells, or None when it is none of Micro-Manager's.

    Where the ``summary`` is known, that of the text is passed over: every position of an acquisition has
    the same, and it lists all positions.

    Raises
    ------
    FormatError
        a record in the midst of it is damaged, a number is none, or there are too many.
    """
    if not data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{"):
        return None
    reader = _Reader(path, summary)
    for key, value in _members(data, path, reader):
        reader.take(key, value)
    if reader.summary is None and not reader.frames:
        return None
    return Text(reader.summary or Summary(), tuple(reader.finished()), reader.cut)


def _members(data: bytes, path: str, reader: _Reader) -> Iterator[tuple[str, Any]]:
    """Yield the members of the outermost object; no more than one record is in memory at a time."""
    starts = [0, *(match.start() for match in _KEY.finditer(data)), len(data)]
    closed = False
    for number in range(1 if reader.summary and len(starts) > 2 else 0, len(starts) - 1):
        part = data[starts[number] : starts[number + 1]]
        if sum(map(part.count, (b",", b"[", b"{"))) > MOST_VALUES:
            raise FormatError(f"{path}: a record of more than {MOST_VALUES} values", path=path)
        text = _decoded(part)
        try:
            closed = yield from _of_part(text)
        except (ValueError, RecursionError) as error:
            last = number == len(starts) - 2
            place = error.pos if isinstance(error, json.JSONDecodeError) else 0
            unfinished = str(error).startswith("Unterminated string") or not _STRUCTURE.search(text, place)
            if last and unfinished:
                reader.cut = True
                return
            line = data.count(b"\n", 0, starts[number]) + text.count("\n", 0, place) + 1
            raise FormatError(f"{path}: line {line}: {error}. The text is damaged.", path=path) from None
    reader.cut = not closed


def _decoded(part: bytes) -> str:
    """Return a text that was written in UTF-8, or in whatever the machine's language was."""
    try:
        return part.decode("utf-8-sig")
    except UnicodeDecodeError:
        return part.decode("latin-1")


def _of_part(text: str) -> Generator[tuple[str, Any], None, bool]:
    """Yield the members that a part of the outermost object holds; return whether it ends there."""
    place = 0
    while True:
        while place < len(text) and text[place] in " \r\n\t,{":
            place += 1
        if place >= len(text) or text[place] == "}":
            return place < len(text)
        key, place = _DECODER.raw_decode(text, place)
        while place < len(text) and text[place] in " \r\n\t":
            place += 1
        if not isinstance(key, str) or text[place : place + 1] != ":":
            raise json.JSONDecodeError("Expecting ':' delimiter", text, place)
        while place + 1 < len(text) and text[place + 1] in " \r\n\t":
            place += 1
        value, place = _DECODER.raw_decode(text, place + 1)
        yield key, value


class _Reader:
    """Collects the records of one text."""

    def __init__(self, path: str, summary: Summary | None) -> None:
        self.path = path
        self.cut = False
        self.summary = summary
        self.frames: list[Frame] = []
        self.placed: dict[str, int] = {}
        """File of a ``Coords`` record → the number of its frame."""

    def take(self, key: str, value: Any) -> None:
        if key == "Summary" and isinstance(value, dict):
            self.summary = self.summary or self._summary(value)
            return
        kind, _, name = key.partition("-")
        if kind not in {"FrameKey", "Coords", "Metadata"} or not isinstance(value, dict):
            return
        if len(self.frames) >= MOST_FRAMES:
            raise self._wrong(f"it holds more than {MOST_FRAMES} records")
        if kind == "FrameKey":
            self._frame(key, value)
        elif kind == "Coords":
            indices = value.get("completeCoords") if isinstance(value.get("completeCoords"), dict) else {}
            told = {**(indices or {}), **value}
            t, c, z, p = (self._index(told, axis, key) or 0 for axis in "tczp")
            self.placed[name] = len(self.frames)
            self.frames.append(Frame(t, c, z, p, file=name))
        elif name in self.placed:
            frame = self.frames[self.placed[name]]
            measured = self._measured(value, Frame(frame.t, frame.c, frame.z, frame.position, file=name))
            self.frames[self.placed[name]] = measured

    def finished(self) -> list[Frame]:
        """Return the frames; channels without a name of their own have that of the summary."""
        names = self.summary.channels if self.summary else ()
        return [
            replace(one, channel=names[one.c]) if not one.channel and one.c < len(names) else one for one in self.frames
        ]

    def _wrong(self, what: str) -> FormatError:
        return FormatError(f"{self.path}: {what}", path=self.path)

    def _frame(self, key: str, value: dict[str, Any]) -> None:
        match = _FRAME.fullmatch(key)
        if match is None:
            raise self._wrong(f"{key!r:.60} is no FrameKey-<time>-<channel>-<slice>")
        t, c, z = (int(number) for number in match.groups())
        if max(t, c, z) > MAX_INDEX:
            raise self._wrong(f"{key} counts beyond {MAX_INDEX}")
        if not self.summary and isinstance(value.get("Summary"), dict):
            self.summary = self._summary(value["Summary"])
        file = value.get("FileName")
        position = self._index(value, "p", key)
        self.frames.append(self._measured(value, Frame(t, c, z, position, file=file if isinstance(file, str) else "")))

    def _measured(self, value: Mapping[str, Any], frame: Frame) -> Frame:
        objective = next((_text(value[key]) for key in value if _OBJECTIVE.fullmatch(key)), "")
        label = _text(value.get("PositionName"))
        return replace(
            frame,
            label=label if label != "null" else "",
            channel=_text(value.get("Channel")) or _text(value.get("ChannelName")),
            elapsed_ms=_number(value.get("ElapsedTime-ms")),
            exposure_ms=_number(value.get("Exposure-ms")),
            x=_number(value.get("XPositionUm")),
            y=_number(value.get("YPositionUm")),
            height=_number(value.get("ZPositionUm")),
            pixel_um=_number(value.get("PixelSizeUm")) or None,
            binning=_binning(value.get("Binning", value.get("Camera-Binning"))),
            objective=objective or None,
        )

    def _index(self, value: Mapping[str, Any], axis: str, where: str) -> int | None:
        for name in _AXES[axis]:
            found = value.get(name)
            if found is not None:
                return self._whole(found, f"{where:.80}: {name}")
        return None

    def _whole(self, value: Any, what: str, high: int = MAX_INDEX) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= high:
            raise self._wrong(f"{what} is {value!r:.40}, not a number from 0 to {high}")
        return value

    def _summary(self, told: Mapping[str, Any]) -> Summary:
        meant = told.get("IntendedDimensions")
        sizes = {}
        for axis, name in _SIZES.items():
            found = meant.get(axis) if isinstance(meant, dict) and axis in meant else told.get(name)
            if found is not None:
                sizes[axis] = max(1, self._whole(found, f"Summary: {name}", MAX_WANTED))
        names, colors = told.get("ChNames"), told.get("ChColors")
        places = told.get("StagePositions") or told.get("InitialPositionList")
        wide, high = told.get("Width"), told.get("Height")
        time = _text(told.get("StartTime")) or _text(told.get("Time"))
        return Summary(
            channels=tuple(_text(name) for name in names) if isinstance(names, list) else (),
            colors=tuple(_color(color) for color in colors) if isinstance(colors, list) else (),
            sizes=sizes,
            positions=tuple(_position(place) for place in places) if isinstance(places, list) else (),
            pixel_um=_number(told.get("PixelSize_um")) or None,
            z_step_um=abs(_number(told.get("z-step_um")) or 0.0) or None,
            start_time=_date(time),
            pixel_type=_text(told.get("PixelType")),
            shape=(self._whole(high, "Height"), self._whole(wide, "Width")) if wide and high else None,
        )


def _plain(value: Any) -> Any:
    """Return the value of a property that some versions wrap together with its type."""
    return value.get("PropVal") if isinstance(value, dict) else value


def _text(value: Any) -> str:
    plain = _plain(value)
    return plain.strip() if isinstance(plain, str) else ""


def _number(value: Any) -> float | None:
    plain = _plain(value)
    if isinstance(plain, bool) or not isinstance(plain, (int, float, str)):
        return None
    try:
        number = float(plain)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _binning(value: Any) -> tuple[int, int] | None:
    plain = _plain(value)
    match = _BINNING.fullmatch(str(plain).strip()) if isinstance(plain, (int, str)) else None
    if match is None or not int(match[1]) or not int(match[2] or match[1]):
        return None
    return int(match[2] or match[1]), int(match[1])


def _color(value: Any) -> str | None:
    """Return the colour of a signed ARGB number; white is what no one chose."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return None if value & 0xFFFFFF == 0xFFFFFF else f"{value & 0xFFFFFF:06X}"


def _date(text: str) -> str | None:
    """Return a moment as ISO 8601 where it is of a form that is known, else as written.

    >>> _date("2011-01-18 Tue 16:52:41 -0800")
    '2011-01-18T16:52:41-08:00'
    """
    match = _DATE.fullmatch(text)
    return f"{match[1]}T{match[2]}{match[3]}:{match[4]}" if match else text or None


def _position(told: Any) -> tuple[str, tuple[float, float] | None]:
    """Return label and place of a stage position: of its XY stage, as versions 1 and 2 write it."""
    if not isinstance(told, dict):
        return "", None
    label = _text(told.get("Label")) or _text(told.get("label"))
    stage = _text(told.get("DefaultXYStage"))
    devices, listed = told.get("DeviceCoordinatesUm"), told.get("DevicePositions")
    found: dict[str, Any] = devices if isinstance(devices, dict) else {}
    if isinstance(listed, list):
        found = {_text(one.get("Device")): one.get("Position_um") for one in listed if isinstance(one, dict)}
    for name in sorted(found, key=lambda name: name != stage):
        numbers = [_number(value) for value in found[name]] if isinstance(found[name], list) else []
        if len(numbers) == 2 and numbers[0] is not None and numbers[1] is not None:
            return label, (numbers[0], numbers[1])
    return label, None
