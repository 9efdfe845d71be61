"""One Micro-Manager acquisition, whichever way it was saved: positions, planes taken, what was wanted."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from openhcs.core.plate import PlaneState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from openhcs.core.plate import FileSource
    from openhcs.microscopes.micromanager.text import Frame, Summary


@dataclass(frozen=True, slots=True)
class Shot:
    """One plane of a position: what was recorded of it, where it is, and whether that is there."""

    frame: Frame
    source: FileSource | None
    state: PlaneState = PlaneState.PRESENT


@dataclass(slots=True)
class Position:
    """One stage position: its number from 0, its label, its planes."""

    number: int
    label: str
    shots: list[Shot] = field(default_factory=list)
    place_um: tuple[float, float] | None = None


@dataclass(slots=True, kw_only=True)
class Acquired:
    """One acquisition. ``whole`` where all its positions are in sight, so that one that lacks was not recorded."""

    name: str
    summary: Summary
    positions: list[Position]
    documents: list[str]
    why: str
    whole: bool = True
    reasons: dict[str, str] = field(default_factory=dict)
    """Images that are no plane, and why."""
    warnings: list[str] = field(default_factory=list)
    pixel_um: tuple[float, float] | None = None
    z_um: float | None = None
    kind: dict[str, Any] = field(default_factory=dict)
    """dtype and plane_shape, where told"""


def numbered(positions: Iterable[tuple[int | None, str, list[Shot]]]) -> list[Position]:
    """Return positions with a number each: their own where these differ, else their order."""
    listed = list(positions)
    numbers = [number for number, _, _ in listed]
    sure = None not in numbers and len(set(numbers)) == len(numbers)
    return [
        Position(number if sure and number is not None else order, label, shots)
        for order, (number, label, shots) in enumerate(listed)
    ]


def unvisited(acquired: Acquired) -> list[Position]:
    """Return the positions that an acquisition was to visit and of which nothing was recorded."""
    if not acquired.whole:
        return []
    known = {one.label for one in acquired.positions if one.label}
    taken = {one.number for one in acquired.positions}
    listed = acquired.summary.positions
    if listed and acquired.summary.sizes.get("position", len(listed)) == len(listed):
        return [
            Position(number, label, [], place)
            for number, (label, place) in enumerate(listed)
            if number not in taken and label not in known
        ]
    count = acquired.summary.sizes.get("position", 1)
    free = (number for number in range(count + len(taken)) if number not in taken)
    return [Position(next(free), "") for _ in range(max(0, count - len(taken)))]


def wanted(sizes: Mapping[str, int], shots: Iterable[Frame]) -> dict[int, tuple[range | tuple[int, ...], range]]:
    """Return the slices and times that each channel was to have.

    A channel of one slice, the middle one, among channels of stacks was not to be stacked; one whose
    times are all multiples of a number was to skip frames. Both are settings of the acquisition.
    """
    if not sizes:
        return {}
    zs: dict[int, set[int]] = defaultdict(set)
    ts: dict[int, set[int]] = defaultdict(set)
    for shot in shots:
        zs[shot.c].add(shot.z)
        ts[shot.c].add(shot.t)
    slices, times, channels = (sizes.get(axis, 1) for axis in ("z", "time", "channel"))
    stacked = any(len(seen) > 1 for seen in zs.values())
    last = max((max(seen) for seen in ts.values()), default=0)
    found: dict[int, tuple[range | tuple[int, ...], range]] = {}
    for channel in range(channels):
        single = stacked and len(zs[channel]) == 1 and max(zs[channel]) > 0
        # What was passed over while others went on; what is behind the last may only not have come to it.
        skipped = ts[channel] and len(ts[channel] - {last}) < last
        step = (math.gcd(*ts[channel]) or times) if skipped else 1
        found[channel] = (tuple(zs[channel]) if single else range(slices), range(0, times, step))
    return found


def not_recorded(acquired: Acquired) -> tuple[int, Sequence[Position]]:
    """Return how many planes an acquisition was to have beyond those taken, and its positions without any."""
    absent = unvisited(acquired)
    plan = wanted(acquired.summary.sizes, (shot.frame for one in acquired.positions for shot in one.shots))
    each = sum(len(zs) * len(ts) for zs, ts in plan.values())
    return each * (len(acquired.positions) + len(absent)), absent


def with_promises(acquired: Acquired, frame: Frame, absent: Sequence[Position]) -> None:
    """Add the planes that were wanted and not taken, without a file."""
    plan = wanted(acquired.summary.sizes, (shot.frame for one in acquired.positions for shot in one.shots))
    places = [(t, c, z) for c, (zs, ts) in plan.items() for t in ts for z in zs]
    names = acquired.summary.channels
    for position in (*acquired.positions, *absent):
        seen = {(shot.frame.t, shot.frame.c, shot.frame.z) for shot in position.shots}
        for t, c, z in places:
            if (t, c, z) not in seen:
                lost = replace(frame, t=t, c=c, z=z, channel=names[c] if c < len(names) else "")
                position.shots.append(Shot(lost, None, PlaneState.NOT_RECORDED))
    acquired.positions += absent
