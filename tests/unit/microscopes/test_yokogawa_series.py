"""Time points and passes: one timeline for each channel is no time lapse, a time lapse stays one."""

from __future__ import annotations

import pytest

from openhcs.microscopes.yokogawa.series import count_timelines, count_times, passes
from openhcs.microscopes.yokogawa.xml import Image

A, B = (1, 1), (2, 1)


def taken(timeline, times, wells, channels):
    return [(timeline, time, (*well, channel)) for time in times for well in wells for channel in channels]


def times_of(counted):
    """Return the time points of each timeline as counted, in the order of its own."""
    found = {}
    for (timeline, _), t in sorted(counted.items()):
        found.setdefault(timeline, []).append(t)
    return found


def image(*, timeline=1, time=1, well=A, field=1, channel=1, z=1, action=1, processing=""):
    return Image(
        "", *well, field, time, timeline, action, z, channel, None, None, None, "", processing, ""
    )  # fmt: skip


COUNTED = {
    "one timeline for each channel, each in a well of its own": (
        [*taken(1, [1], [A], [1]), *taken(2, [2], [B], [2])],
        {1: [1], 2: [1]},
    ),
    "one timeline for each channel of the same wells": (
        [*taken(1, [1], [A, B], [1]), *taken(2, [2], [A, B], [2]), *taken(3, [3], [A, B], [3])],
        {1: [1], 2: [1], 3: [1]},
    ),
    "a time lapse, one timeline for each channel, taken in turns": (
        [*taken(1, [1, 3, 5], [A], [1]), *taken(2, [2, 4, 6], [A], [2])],
        {1: [1, 2, 3], 2: [1, 2, 3]},
    ),
    "a time lapse of some wells, one look at others": (
        [*taken(1, [1, 2, 3], [A], [1, 2]), *taken(2, [4], [B], [1, 2])],
        {1: [1, 2, 3], 2: [1]},
    ),
    "before and after, and a channel that was taken once": (
        [*taken(1, [1, 2], [A], [1]), *taken(2, [3, 4], [A], [1]), *taken(3, [5], [A], [2])],
        {1: [1, 2], 2: [3, 4], 3: [1]},
    ),
}
KEPT = {
    "one timeline, once": taken(1, [1], [A, B], [1, 2]),
    "one timeline that says it is time point 2": taken(1, [2], [A, B], [1, 2]),
    "a time lapse in one timeline": taken(1, [1, 2, 3], [A, B], [1, 2]),
    "a time lapse in one timeline, its third time point lost": taken(1, [1, 2, 4], [A], [1]),
    "before and after: two timelines with the same channels and wells": [
        *taken(1, [1, 2, 3], [A, B], [1, 2]),
        *taken(2, [4, 5, 6], [A, B], [1, 2]),
    ],
    "timelines of one clock, one for each channel": [
        *taken(1, [1, 2, 3], [A], [1]),
        *taken(2, [1, 2, 3], [A], [2]),
    ],
    "timelines of one clock, of which one is taken less often": [
        *taken(1, [1, 2, 3, 4], [A], [1]),
        *taken(2, [1, 3], [A], [2]),
    ],
    "three timelines in a row that share a channel two by two": [
        *taken(1, [1], [A], [1, 2]),
        *taken(2, [2], [A], [2, 3]),
        *taken(3, [3], [A], [3, 4]),
    ],
}


@pytest.mark.parametrize("name", COUNTED)
def test_time_points_are_counted_within(name):
    images, expected = COUNTED[name]
    counted = count_times(images)
    assert counted is not None
    assert times_of(counted) == expected
    assert count_times(reversed(images)) == counted


@pytest.mark.parametrize("name", KEPT)
def test_numbers_are_kept(name):
    assert count_times(KEPT[name]) is None
    assert count_times(reversed(KEPT[name])) is None


def test_counting_is_told_and_numbers_that_stay_are_not():
    counted, told = count_timelines([image(), image(timeline=2, time=2, channel=2)])
    assert counted == {(1, 1): 1, (2, 2): 1}
    assert [one.partition(":")[2] for one in told] == [" 2 numbers are 1 in time"]
    assert count_timelines([image(), image(time=2)]) == ({}, [])


def test_a_channel_that_two_actions_take_is_an_acquisition_of_its_own():
    stack = [image(z=z) for z in (1, 2, 3)]
    again = [image(action=2), image(action=2, field=2)]
    other = [image(action=2, channel=2)]
    numbers, found = passes([*stack, *again, *other], {})
    assert numbers == [0, 0, 0, 2, 2, 0]
    assert [(one.number, one.name, one.projection) for one in found.values()] == [
        (0, "0", False),
        (2, "action 2", False),
    ]


def test_projections_are_an_acquisition_and_a_second_way_of_computing_another():
    images = [
        image(),
        image(processing="Maximum"),
        image(channel=2, processing="Minimum"),
        image(channel=3, processing="Maximum"),
        image(channel=3, processing="Minimum"),
    ]
    numbers, found = passes(images, {})
    assert numbers == [0, 1, 1, 1, 2]
    assert [(one.number, one.name, one.projection) for one in found.values()] == [
        (0, "0", False),
        (1, "projection", True),
        (2, "projection minimum", True),
    ]


def test_projections_alone_are_acquisition_1():
    numbers, found = passes([image(processing="Maximum")], {})
    assert numbers == [1]
    assert list(found) == [1]


def test_one_action_of_two_timelines_at_one_time_has_two_names():
    images = [image(), image(timeline=2), image(timeline=3)]
    numbers, found = passes(images, {})
    assert numbers == [0, 2, 3]
    assert [one.name for one in found.values()] == ["0", "action 1", "timeline 3 action 1"]
