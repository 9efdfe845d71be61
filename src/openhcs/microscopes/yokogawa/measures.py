"""What CellVoyager's records measure: where fields lie, how high planes are, when they were taken."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openhcs.microscopes.yokogawa.xml import Image

    Field = tuple[int, int, int]
    """Row, column and number of a field."""

APART_UM = 10.0
"""A field whose images lie further apart is told: it is not one place."""
FIELDS_COMPARED = 50


def field_places(images: Iterable[Image]) -> tuple[dict[Field, tuple[float, float]], int]:
    """Return where each field lies from the centre of its well, (x, y) in µm, y down, and how many are not one place.

    The first image of a field tells. The records' y points up.
    """
    raw: dict[Field, tuple[float, float]] = {}
    apart = set()
    for one in images:
        if one.x is None or one.y is None:
            continue
        key = (one.row, one.column, one.field)
        x, y = raw.setdefault(key, (one.x, one.y))
        if max(abs(x - one.x), abs(y - one.y)) > APART_UM:
            apart.add(key)
    return {key: (round(x, 6), round(0.0 - y, 6)) for key, (x, y) in raw.items()}, len(apart)


def z_steps(images: Iterable[Image]) -> list[float]:
    """Return the distances of planes in µm that channels have, the most common first; a stack of each tells."""
    stacks: dict[int, dict[object, dict[int, float]]] = defaultdict(dict)
    for one in images:
        if one.height is None or one.processing:
            continue
        known = stacks[one.channel]
        place = (one.row, one.column, one.field, one.time, one.timeline, one.action)
        if place in known or len(known) < FIELDS_COMPARED:
            known.setdefault(place, {})[one.z] = one.height
    steps: Counter[float] = Counter()
    for known in stacks.values():
        heights = sorted(max(known.values(), key=len).items())
        if len(heights) > 1:
            (low, first), (high, last) = heights[0], heights[-1]
            steps[round(abs(last - first) / (high - low), 3)] += 1
    return [step for step, _ in steps.most_common() if step]


def z_offsets(images: Iterable[Image]) -> dict[int, float]:
    """Return the height in µm of each channel above the lowest one of the same plane, as most fields have it."""
    fields: set[Field] = set()
    heights: dict[tuple[Field, int], dict[int, float]] = defaultdict(dict)
    for one in images:
        field = (one.row, one.column, one.field)
        if one.height is None or one.processing or (field not in fields and len(fields) == FIELDS_COMPARED):
            continue
        fields.add(field)
        heights[field, one.z].setdefault(one.channel, one.height)
    told: dict[int, Counter[float]] = defaultdict(Counter)
    for plane in heights.values():
        if len(plane) > 1:
            lowest = min(plane.values())
            for channel, height in plane.items():
                told[channel][round(height - lowest, 3)] += 1
    return {channel: counts.most_common(1)[0][0] for channel, counts in told.items()}


class Clock:
    """Seconds since a measurement began; without its beginning, since its first image."""

    def __init__(self, start: str | None, images: Iterable[Image]) -> None:
        self.start = start if start and _moment(start) else None
        if self.start is None:
            moments = ((_moment(one.stamp), one.stamp) for one in images)
            told = ((moment.timestamp(), stamp) for moment, stamp in moments if moment)
            self.start = min(told, default=(0.0, None))[1]
        self._zero = _moment(self.start or "")
        self.unread: list[str] = []

    def seconds(self, stamp: str) -> float | None:
        """Return the seconds of a time stamp, to 0.001; None where it cannot be read, which is noted."""
        moment = _moment(stamp) if stamp else None
        if moment is None or self._zero is None or (moment.tzinfo is None) != (self._zero.tzinfo is None):
            if stamp:
                self.unread.append(stamp)
            return None
        return round((moment - self._zero).total_seconds(), 3)


def _moment(stamp: str) -> datetime | None:
    try:
        return datetime.fromisoformat(stamp)
    except ValueError:
        return None
