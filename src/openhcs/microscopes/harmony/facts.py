"""From what a Harmony index says to what a `PlateIndex` tells: µm, nm, ms, y down; pure."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

from openhcs.core.plate import Channel
from openhcs.core.wells import well_name
from openhcs.errors import FormatError
from openhcs.microscopes.harmony.flatfield import read_flat_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from openhcs.core.plate import FlatField
    from openhcs.microscopes.harmony.model import HarmonyImage, HarmonyIndex

SAME_UM = 0.001
"""Heights that differ by no more are one: Harmony writes them to the nanometre."""


def channels_of(index: HarmonyIndex) -> tuple[Channel, ...]:
    """Return the channels, each with its height above the lowest of them."""
    offsets = offsets_of(index.images)
    return tuple(
        Channel(
            number=number,
            name=told.name,
            excitation_nm=told.excitation,
            emission_nm=told.emission,
            exposure_ms=None if told.exposure is None else round(told.exposure * 1e3, 6),
            kind=None if told.kind is None else told.kind.lower(),
            magnification=told.magnification,
            numerical_aperture=told.aperture,
            binning=told.binning,
            z_offset_um=offsets.get(number),
        )
        for number, told in index.channels.items()
    )


def flat_fields_of(profiles: Mapping[int, str]) -> tuple[dict[int, FlatField], list[str]]:
    """Return the Background profiles that are polynomials, and what is wrong with those that cannot be read."""
    found: dict[int, FlatField] = {}
    wrong = []
    for number, text in sorted(profiles.items()):
        try:
            field = read_flat_field(text)
        except FormatError as error:
            wrong.append(f"channel {number}: {error}")
        else:
            if field is not None:
                found[number] = field
    return found, wrong


def positions_of(images: Iterable[HarmonyImage]) -> dict[tuple[str, int], tuple[float, float]]:
    """Return the place of every site in µm from the centre of its well; Harmony's y points up."""
    places: dict[tuple[int, int, int], tuple[float, float]] = {}
    for image in images:
        key = (image.row, image.column, image.field)
        if key not in places and image.x is not None and image.y is not None:
            places[key] = (round(image.x * 1e6, 6), round(0.0 - image.y * 1e6, 6))
    return {(well_name(row - 1, column - 1), site): place for (row, column, site), place in places.items()}


def z_step_of(images: Iterable[HarmonyImage]) -> float | None:
    """Return the distance of planes in µm, seen on one stack: heights differ from channel to channel."""
    stacks: dict[tuple[int, ...], HarmonyImage] = {}
    for image in images:
        if image.z is None:
            continue
        key = (image.row, image.column, image.field, image.timepoint, image.channel)
        other = stacks.setdefault(key, image)
        if other.plane != image.plane and other.z is not None and other.z != image.z:
            return round(abs((image.z - other.z) * 1e6 / (image.plane - other.plane)), 6)
    return None


def offsets_of(images: Iterable[HarmonyImage]) -> dict[int, float]:
    """Return the height of channels in µm above the lowest, seen wherever several stand at one place.

    A channel whose height against the others is not the same over the plate has none.
    """
    stacks: dict[tuple[int, ...], dict[int, float]] = {}
    for row, column, field, plane, timepoint, channel, _, _, _, z, *_ in images:
        if z is not None:
            stacks.setdefault((row, column, field, plane, timepoint), {})[channel] = z * 1e6
    if not stacks:
        return {}
    common = Counter(channel for heights in stacks.values() for channel in heights).most_common(1)[0][0]
    ranges: dict[int, tuple[float, float]] = {}
    for heights in stacks.values():
        if len(heights) > 1 and (base := heights.get(common)) is not None:
            for channel, height in heights.items():
                low, high = ranges.get(channel, (height - base, height - base))
                ranges[channel] = (min(low, height - base), max(high, height - base))
    steady = {channel: low for channel, (low, high) in ranges.items() if high - low <= SAME_UM}
    lowest = min(steady.values(), default=0.0)
    return {channel: round(height - lowest, 3) for channel, height in steady.items()}


def seconds_of(start: str | None) -> Callable[[HarmonyImage], float | None]:
    """Return a function that tells when an image was taken, in seconds from the start of the measurement.

    That is its own time of day less the start's; where either is not told, Harmony's MeasurementTimeOffset.
    """
    began = _moment(start or "")

    def seconds(image: HarmonyImage) -> float | None:
        moment = _moment(image.time) if began is not None else None
        if began is None or moment is None or (moment.tzinfo is None) is not (began.tzinfo is None):
            return None if image.offset is None else round(image.offset, 3)
        return round((moment - began).total_seconds(), 3)

    return seconds


def _moment(text: str) -> datetime | None:
    """Return a moment written in ISO 8601; fractions of a second may have any number of digits."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def pixel_size_of(index: HarmonyIndex) -> tuple[float, float] | None:
    """Return the size of a pixel in µm (y, x)."""
    metres = next((told.resolution for told in index.channels.values() if told.resolution), None)
    return None if metres is None else (round(metres[0] * 1e6, 9), round(metres[1] * 1e6, 9))


def pixels_of(index: HarmonyIndex) -> tuple[str | None, tuple[int, int] | None]:
    """Return dtype and shape (y, x) that the index promises for most of its channels."""
    deepest = max((told.max_intensity or 0 for told in index.channels.values()), default=0)
    dtype = None if not deepest else "uint8" if deepest <= 256 else "uint16" if deepest <= 65536 else None
    sizes = Counter(told.size for told in index.channels.values() if told.size)
    return dtype, sizes.most_common(1)[0][0] if sizes else None


def oddities_of(index: HarmonyIndex) -> list[str]:
    """Return what the index says of its own images that a user should know."""
    told = []
    sizes = {channel.name: channel.size for channel in index.channels.values() if channel.size}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name} {size[0]} × {size[1]}" for name, size in sizes.items())
        told.append(f"channels differ in size: {listed} pixels (y × x)")
    bad = [image for image in index.images if image.state not in {"", "Ok"}]
    if bad:
        first = bad[0]
        told.append(
            f"images whose state is not Ok: {len(bad)}, such as {first.url or 'one unnamed'}: {first.state:.40}"
        )
    return told
