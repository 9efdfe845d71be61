"""What a user is told about a CellVoyager plate: short sentences, each with a count and an example."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from openhcs.core.wells import well_name
from openhcs.microscopes.yokogawa.measures import APART_UM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from openhcs.core.plate import Acquisition
    from openhcs.microscopes.yokogawa.files import Facts, Finder
    from openhcs.microscopes.yokogawa.measures import Clock
    from openhcs.microscopes.yokogawa.xml import Image, Records


def of_records(document: str, records: Records, absent: Sequence[Image], finder: Finder, facts: Facts) -> list[str]:
    """Return what is to be told where records and files, or records and the setting, do not agree."""
    told = []
    if records.failures:
        told.append(f"{document} tells of failures: {len(records.failures)}, such as {records.failures[0].why!r:.80}")
    if absent:
        one = absent[0]
        told.append(
            f"planes that were to be taken and were not recorded: {len(absent)}, such as channel {one.channel}, z "
            f"{one.z} of field {one.field} in {well_name(one.row - 1, one.column - 1)}"
        )
    if finder.missing:
        told.append(
            f"images that {document} names and that are not there: {len(finder.missing)}, such as {finder.missing[0]}"
        )
    if finder.otherwise:
        name, path = finder.otherwise[0]
        told.append(
            f"images that {document} names with another extension or spelling: {len(finder.otherwise)}, such as "
            f"{name}, which is {path}"
        )
    if finder.several:
        name, path, other = finder.several[0]
        told.append(
            f"images of which there are several by that name: {len(finder.several)}, such as {name}: {path} is taken, "
            f"{other} is not"
        )
    told += _of_names(document, records.images)
    tiles = {one.tile for one in records.images} - {""}
    if len(tiles) > 1:
        told.append(f"fields are tiles of {len(tiles)} larger areas (PartialTileIndex); each stays a field of its own")
    times = len({one.time for one in records.images})
    if facts.times and facts.times > times:
        told.append(f"time points that were to be taken: {facts.times}, and {times} were")
    return told


def _of_names(document: str, images: Iterable[Image]) -> list[str]:
    told = []
    other = [one for one in images if "_T" in one.file and f"_T{one.time:04d}F" not in one.file]
    if other:
        told.append(
            f"images whose time point in {document} is another than in their name: {len(other)}, such as "
            f"{other[0].file}, which is time point {other[0].time}"
        )
    twice = [(name, count) for name, count in Counter(one.file for one in images).items() if count > 1 and name]
    if twice:
        told.append(f"files that {document} names for several planes: {len(twice)}, such as {twice[0][0]}")
    return told


def of_images(
    images: Sequence[Image],
    facts: Facts,
    clock: Clock,
    acquisitions: Mapping[int, Acquisition],
    *,
    steps: Sequence[float],
    apart: int,
) -> list[str]:
    """Return what is to be told about images that do not agree with one another."""
    told = []
    if len(steps) > 1:
        listed = " and ".join(f"{step:g}" for step in sorted(steps))
        told.append(f"channels differ in the distance of their planes: {listed} µm; {steps[0]:g} is taken")
    used = {one.channel for one in images}
    sizes = {size for channel, size in facts.pixel_sizes.items() if channel in used}
    if len(sizes) > 1:
        listed = " and ".join(f"{y:g} × {x:g}" for y, x in sorted(sizes))
        told.append(f"channels differ in the size of their pixels: {listed} µm (y × x); that of the first is taken")
    if apart:
        told.append(f"fields whose images lie more than {APART_UM:g} µm apart, told where the first lies: {apart}")
    if clock.unread:
        told.append(f"time stamps that cannot be read: {len(clock.unread)}, such as {clock.unread[0]!r:.40}")
    extra = [one.name for number, one in acquisitions.items() if number > 1]
    if extra:
        told.append(
            "channels were taken more than once at one place and time; what came later is an acquisition of its own: "
            + ", ".join(extra)
        )
    return told
