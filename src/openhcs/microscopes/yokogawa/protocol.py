"""The measurement setting (``*.mes``): how channels are taken, and what a plate was to hold.

A setting lists channels that no action takes, so promises come from the lists of actions alone: the
wells and points of each timeline, times its actions, at the time points that were reached. Where any
well has a channel's planes, its z planes are those; where none has, they are counted from the setting.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from openhcs.core.plate import Channel
from openhcs.errors import FormatError
from openhcs.microscopes.limits import MOST_PLANES, MOST_SITES, check_promise
from openhcs.microscopes.yokogawa.xml import MOST_COLUMNS, MOST_ROWS, Image, parse_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from openhcs.microscopes.yokogawa.xml import Failure, Node, Records

    Well = tuple[int, int]
    Shot = tuple[int, int, str]
    """(action, z, processing): one plane of a channel at one place and time"""

ROOT = "MeasurementSetting"
_BAND = re.compile(r"BP\s*([0-9]+(?:\.[0-9]+)?)\s*/\s*[0-9.]+", re.IGNORECASE)
_COLOR = re.compile(r"#(?:[0-9A-Fa-f]{2})?([0-9A-Fa-f]{6})")


@dataclass(frozen=True, slots=True)
class Action:
    """What is taken at each point: channels, and so many z planes or one that is computed from them."""

    channels: tuple[int, ...]
    slices: int
    processing: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """Wells (row, column) from 1, points (x, y) in µm, y up, or None where they are not told one by one."""

    wells: frozenset[Well]
    points: tuple[tuple[float, float], ...] | None
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a measurement setting tells; a channel's filter stands beside it."""

    timelines: tuple[Timeline, ...]
    channels: Mapping[int, tuple[Channel, str]]


def parse_protocol(data: bytes, path: str) -> Protocol | None:
    """Return what a setting tells, or None when the document is another.

    Raises
    ------
    FormatError
        the document is damaged, or a number is none or absurd.
    """
    root = parse_tree(data, path, ROOT)
    if root is None:
        return None
    lights = {node.told("Name"): node.number("WaveLength") for node in root.all("LightSourceList", "LightSource")}
    channels = {}
    for node in root.all("ChannelList", "Channel"):
        number = node.whole("Ch")
        if number is not None:
            channels[number] = (_channel(number, node, lights), node.told("Acquisition") or "")
    return Protocol(tuple(_timeline(node) for node in root.all("Timelapse", "Timeline")), channels)


def _channel(number: int, node: Node, lights: Mapping[str | None, float | None]) -> Channel:
    shone = {lights.get(light.text.strip()) for light in node.all("LightSourceName")} - {None, 0.0}
    band = _BAND.fullmatch(node.told("Acquisition") or "")
    color = _COLOR.fullmatch(node.told("Color") or "")
    binning = node.whole("Binning")
    kind = node.told("Kind")
    return Channel(
        number=number,
        name=node.told("Target") or node.told("Acquisition") or str(number),
        excitation_nm=shone.pop() if len(shone) == 1 else None,
        emission_nm=float(band[1]) if band else None,
        exposure_ms=node.number("ExposureTime"),
        color=color[1].upper() if color else None,
        kind=kind.lower() if kind else None,
        objective=node.told("Objective"),
        magnification=node.number("Magnification"),
        binning=(binning, binning) if binning else None,
    )


def _timeline(node: Node) -> Timeline:
    wells = set()
    for sequence in node.all("WellSequence"):
        if (sequence.told("IsSelected") or "true").lower() == "true":
            for well in sequence.all("TargetWell"):
                place = (well.whole("Row", 1, MOST_ROWS), well.whole("Column", 1, MOST_COLUMNS))
                if well.text.strip().lower() != "false" and None not in place:
                    wells.add(place)
    points = [(point.number("X"), point.number("Y")) for point in node.all("PointSequence", "FixedPosition", "Point")]
    if len(points) > MOST_SITES:
        raise FormatError(f"{node.path}: {len(points)} points in each well", path=node.path)
    actions = (one for group in node.all("ActionList") for one in group.children if one.name.startswith("Action"))
    return Timeline(
        frozenset(wells),  # type: ignore[arg-type]
        tuple((x or 0.0, y or 0.0) for x, y in points) or None,
        tuple(_action(one) for one in actions),
    )


def _action(node: Node) -> Action:
    channels = tuple(int(ch.text) for ch in node.all("Ch") if ch.text.strip().isdecimal())
    top, bottom, step = node.number("TopDistance"), node.number("BottomDistance"), node.number("SliceLength")
    steps = abs(top - bottom) / abs(step) if top is not None and bottom is not None and step else 0.0
    if steps > MOST_PLANES:
        raise FormatError(f"{node.path}: {node.name} takes {steps:g} planes", path=node.path)
    slices = math.floor(steps + 1e-6) + 1
    return Action(channels, slices, node.told("ImageProcessing") or "")


def named(told: Mapping[int, tuple[Channel, str]], used: Iterable[int]) -> tuple[Channel, ...]:
    """Return the channels of these numbers, each with a name of its own; the number where nobody described one.

    The name is the target; of several with one target it is told with the filter, and with the number where
    that is one too.
    """
    here = [told.get(number, (Channel(number=number, name=str(number)), "")) for number in sorted(set(used))]
    spelt = [(one.name, f"{one.name} {band}".strip(), f"{one.name} {one.number}") for one, band in here]
    names = [first for first, _, _ in spelt]
    for way in (1, 2):
        counts = Counter(names)
        names = [ways[way] if counts[name] > 1 else name for name, ways in zip(names, spelt, strict=True)]
    return tuple(replace(one, name=name) for (one, _), name in zip(here, names, strict=True))


def why_other(records: Records, protocol: Protocol) -> str | None:
    """Return why a setting cannot be that of the records, or None."""
    channels = [{c for action in one.actions for c in action.channels} for one in protocol.timelines]
    for image in records.images:
        if not 1 <= image.timeline <= len(protocol.timelines):
            return f"it has no timeline {image.timeline}, of which is {image.file}"
        timeline = protocol.timelines[image.timeline - 1]
        if image.channel not in channels[image.timeline - 1]:
            return f"no action of its timeline {image.timeline} takes channel {image.channel}, of which is {image.file}"
        if (image.row, image.column) not in timeline.wells:
            return f"its timeline {image.timeline} does not go to the well of {image.file}"
        if timeline.points is not None and not 1 <= image.field <= len(timeline.points):
            return f"its timeline {image.timeline} has {len(timeline.points)} points, and {image.file} is of another"
    return None


class _Seen:
    """What was recorded, by timeline."""

    def __init__(self, records: Records) -> None:
        self.shots: dict[tuple[int, int], set[Shot]] = defaultdict(set)
        self.times: dict[int, set[int]] = defaultdict(set)
        self.fields: dict[int, dict[int, tuple[float | None, float | None]]] = defaultdict(dict)
        self.places = set()
        for one in records.images:
            shot = (one.action, one.z, one.processing)
            self.shots[one.timeline, one.channel].add(shot)
            self.times[one.timeline].add(one.time)
            self.fields[one.timeline].setdefault(one.field, (one.x, one.y))
            self.places.add((one.timeline, one.row, one.column, one.field, one.time, one.channel, shot))
        for failure in records.failures:
            self.times[failure.timeline].add(failure.time)

    def next_times(self, timelines: int) -> dict[int, set[int]]:
        """Return the time points of every timeline; one that was never begun gets the next number.

        Where timelines share numbers these are of one clock, and it gets the first.
        """
        times = {number: set(found) for number, found in self.times.items() if found}
        shared = sum(len(found) for found in times.values()) > len(set().union(*times.values()))
        for number in range(1, timelines + 1):
            if number not in times:
                known = set().union(*times.values())
                times[number] = {min(known) if shared else max(known) + 1}
        return times


def not_recorded(records: Records, protocol: Protocol | None, path: str) -> list[Image]:
    """Return the planes that were promised and not recorded, as images without a file.

    Parameters
    ----------
    protocol
        the setting of these records; without one only what failures name is promised: the planes that other
        fields of their timeline have.
    path
        of the document that promises.

    Raises
    ------
    FormatError
        far more is promised than recorded.
    """
    seen = _Seen(records)
    if protocol is None:
        lists = [_of_failure(seen, failure) for failure in records.failures]
    else:
        times = seen.next_times(len(protocol.timelines))
        lists = [
            _of_timeline(seen, number, timeline, times[number])
            for number, timeline in enumerate(protocol.timelines, start=1)
        ]
    check_promise(sum(one.count for one in lists), len(records.images), path)
    return list(dict.fromkeys(image for one in lists for image in one.absent(seen)))


@dataclass(frozen=True, slots=True)
class _Promise:
    """Every well at every field and time point, with the shots of every channel."""

    timeline: int
    wells: tuple[Well, ...]
    fields: tuple[tuple[int, tuple[float | None, float | None]], ...]
    times: tuple[int, ...]
    shots: tuple[tuple[int, tuple[Shot, ...]], ...]

    @property
    def count(self) -> int:
        return len(self.wells) * len(self.fields) * len(self.times) * sum(len(shots) for _, shots in self.shots)

    def absent(self, seen: _Seen) -> Iterator[Image]:
        places = seen.places
        for row, column in self.wells:
            for field, (x, y) in self.fields:
                for time in self.times:
                    for channel, shots in self.shots:
                        for shot in shots:
                            if (self.timeline, row, column, field, time, channel, shot) not in places:
                                action, z, processing = shot
                                yield Image(
                                    "", row, column, field, time, self.timeline, action, z, channel,
                                    x, y, None, "", processing, "",
                                )  # fmt: skip


def _of_timeline(seen: _Seen, number: int, timeline: Timeline, times: set[int]) -> _Promise:
    shots: dict[int, tuple[Shot, ...]] = {}
    for index, action in enumerate(timeline.actions, start=1):
        planned: list[Shot] = [(index, z, "") for z in range(1, action.slices + 1)]
        if action.processing:
            planned = [(index, 1, action.processing)]
        for channel in action.channels:
            found = seen.shots.get((number, channel))
            shots[channel] = tuple(sorted(found)) if found else (*shots.get(channel, ()), *planned)
    points = timeline.points
    fields = seen.fields[number] if points is None else dict(enumerate(points, start=1))
    return _Promise(
        number, tuple(sorted(timeline.wells)), tuple(sorted(fields.items())), tuple(sorted(times)), tuple(shots.items())
    )


def _of_failure(seen: _Seen, failure: Failure) -> _Promise:
    fields = seen.fields[failure.timeline]
    if failure.field is not None:
        fields = {failure.field: (failure.x, failure.y)}
    shots = tuple(
        (channel, tuple(sorted(found)))
        for (timeline, channel), found in sorted(seen.shots.items())
        if timeline == failure.timeline
    )
    well = (failure.row, failure.column)
    return _Promise(failure.timeline, (well,), tuple(sorted(fields.items())), (failure.time,), shots)
