"""What CellVoyager's time points and repeated actions mean: time points of a series, passes over the plate.

``TimePoint`` numbers what a measurement did, over all its timelines. A measurement with one timeline for
each channel therefore tells of as many time points as channels, and is no time lapse.

The rule for time points:

1. Timelines that took the same channel of the same well are one series.
2. Where no two series share a time point, each counts its own: 1, 2, … in their order.
3. Otherwise the numbers are of one clock, and are kept; so they are where there is one series.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from openhcs.core.plate import Acquisition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from openhcs.microscopes.yokogawa.xml import Image

PLANES, PROJECTIONS = 0, 1


def count_times(taken: Iterable[tuple[int, int, tuple[int, ...]]]) -> dict[tuple[int, int], int] | None:
    """Return (timeline, time point) → time point of its series, or None where the numbers are kept.

    Parameters
    ----------
    taken
        (timeline, time point, what was taken: row, column and channel).

    Examples
    --------
    >>> count_times([(1, 1, (0, 0, 1)), (2, 2, (0, 0, 2)), (2, 4, (0, 0, 2))])
    {(1, 1): 1, (2, 2): 1, (2, 4): 2}
    >>> count_times([(1, 1, (0, 0, 1)), (2, 2, (0, 0, 1))])  # the same channel again
    """
    times: dict[int, set[int]] = defaultdict(set)
    owners: dict[tuple[int, ...], int] = {}
    heads: dict[int, int] = {}

    def head(timeline: int) -> int:
        while heads.setdefault(timeline, timeline) != timeline:
            timeline = heads[timeline]
        return timeline

    for timeline, time, place in dict.fromkeys(taken):
        times[timeline].add(time)
        heads[head(timeline)] = head(owners.setdefault(place, timeline))
    series: dict[int, set[int]] = defaultdict(set)
    for timeline, found in times.items():
        series[head(timeline)] |= found
    if len(series) < 2 or sum(len(found) for found in series.values()) > len(set().union(*series.values())):
        return None
    ranks = {number: {time: t for t, time in enumerate(sorted(found), start=1)} for number, found in series.items()}
    return {(timeline, time): ranks[head(timeline)][time] for timeline in times for time in sorted(times[timeline])}


def count_timelines(images: Iterable[Image]) -> tuple[Mapping[tuple[int, int], int], list[str]]:
    """Return the time points to use where they are not the vendor's numbers, and what to tell about it."""
    taken = {(one.timeline, one.time, (one.row, one.column, one.channel)) for one in images}
    counted = count_times(taken)
    if counted is None:
        return {}, []
    if all(time == t for (_, time), t in counted.items()):
        return {}, []
    timelines = len({timeline for timeline, _ in counted})
    told = (
        f"time points are counted within each of {timelines} timelines, which took different channels or wells: "
        f"{len(counted)} numbers are {max(counted.values())} in time"
    )
    return counted, [told]


def passes(images: Sequence[Image], t_of: Mapping[tuple[int, int], int]) -> tuple[list[int], dict[int, Acquisition]]:
    """Return the acquisition of each image, and all acquisitions by number.

    Planes are acquisition 0, what was computed over z is 1. Where two actions, or two ways of computing, took a
    channel at one place and time, the later one is an acquisition of its own, from 2 on.
    """
    owners: dict[tuple[int, ...], tuple[int, int, str]] = {}
    again: dict[tuple[int, int, tuple[int, int, str]], None] = {}
    numbers = []
    for one in images:
        kind = PROJECTIONS if one.processing else PLANES
        numbers.append(kind)
        t = t_of.get((one.timeline, one.time), one.time)
        source = (one.timeline, one.action, one.processing)
        if owners.setdefault((kind, one.row, one.column, one.field, t, one.channel, one.z), source) != source:
            again[kind, one.channel, source] = None
    found = {PLANES: Acquisition(number=PLANES, name="0")}
    found[PROJECTIONS] = Acquisition(number=PROJECTIONS, name="projection", projection=True)
    if again:
        extra: dict[tuple[int, tuple[int, int, str]], int] = {}
        for kind, _, source in again:
            if (kind, source) not in extra:
                extra[kind, source] = number = 2 + len(extra)
                found[number] = _named(number, kind, source, {one.name for one in found.values()})
        for index, one in enumerate(images):
            source = (one.timeline, one.action, one.processing)
            if (numbers[index], one.channel, source) in again:
                numbers[index] = extra[numbers[index], source]
    used = set(numbers)
    return numbers, {number: one for number, one in found.items() if number in used}


def _named(number: int, kind: int, source: tuple[int, int, str], known: set[str]) -> Acquisition:
    timeline, action, processing = source
    name = f"projection {processing.lower()}" if kind == PROJECTIONS else f"action {action}"
    if name in known:
        name = f"timeline {timeline} action {action} {processing.lower()}".strip()
    return Acquisition(number=number, name=name, projection=kind == PROJECTIONS)
