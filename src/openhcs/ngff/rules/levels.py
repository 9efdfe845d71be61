"""Rules between an image's document and its arrays, and between the arrays of its levels."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openhcs.ngff.rules.arrays import ArrayFacts
    from openhcs.ngff.rules.faults import Faults
    from openhcs.ngff.rules.image import ImageFacts, LevelFacts

    Level = tuple[LevelFacts, ArrayFacts]

SLACK = 1.01
"""Pixels by which a level may differ from its size over its factor: sizes are rounded up or down."""
CLOSE = 0.02
"""Part of a pixel by which a translation may differ from where it belongs."""


def check_array_in_image(image: ImageFacts, path: str, array: ArrayFacts, faults: Faults) -> None:
    """Compare one array with the axes and channels of its image."""
    if len(array.shape) != len(image.axes):
        if image.axes:
            faults.say("level-axes", f"level {path!r:.60} has shape {array.shape} for {len(image.axes)} axes"[:200])
        return
    names = tuple(axis.name for axis in image.axes)
    if array.names is None:
        if array.zarr_format == 3:
            faults.say("dimension-names-missing", f"level {path!r:.60} does not name its dimensions")
    elif array.names != names and (array.zarr_format == 3 or len(array.names) != len(names)):
        faults.say(
            "dimension-names-differ", f"dimension_names of level {path!r:.60} are {array.names}, axes {names}"[:200]
        )


def check_channels(image: ImageFacts, array: ArrayFacts, faults: Faults) -> None:
    """Compare the number of channels in ``omero`` with the first level."""
    if image.channels is None or len(array.shape) != len(image.axes):
        return
    sizes = [size for axis, size in zip(image.axes, array.shape, strict=True) if axis.is_channel]
    there = sizes[0] if sizes else 1
    if len(sizes) <= 1 and image.channels != there:
        faults.say("omero-channels", f"omero has {image.channels} channels, the array {there}")


def check_units(image: ImageFacts, array: ArrayFacts, faults: Faults) -> None:
    """Note axes of more than one pixel whose scale has no unit."""
    for axis, size in zip(image.axes, array.shape, strict=False):
        if size > 1 and axis.type in ("space", "time") and not axis.has_unit:
            faults.say("axis-unit-missing", f"axis {axis.name!r:.40} has no unit")


def check_levels(image: ImageFacts, levels: Sequence[Level], faults: Faults) -> None:
    """Compare sizes, data types, scales and translations of the levels that are there, large ones first."""
    levels = [one for one in levels if len(one[1].shape) == len(image.axes)]
    for before, after in itertools.pairwise(levels):
        _sizes(before, after, faults)
    for level in levels[1:]:
        if level[1].dtype != levels[0][1].dtype:
            faults.say(
                "level-dtype",
                f"level {level[0].path!r:.60} is {level[1].dtype or 'of another type'}, the first {levels[0][1].dtype}",
            )
        _scale(image, levels[0], level, faults)


def _sizes(before: Level, after: Level, faults: Faults) -> None:
    pairs = list(zip(before[1].shape, after[1].shape, strict=True))
    told = f"level {after[0].path!r:.60} has shape {after[1].shape}, the one before {before[1].shape}"[:240]
    if any(small > large for large, small in pairs):
        faults.say("levels-order", told)
    elif all(small == large for large, small in pairs):
        faults.say("levels-equal", told)


def _scale(image: ImageFacts, first: Level, level: Level, faults: Faults) -> None:
    scales = (first[0].steps.scale, level[0].steps.scale)
    if scales[0] is None or scales[1] is None:
        return
    for number, axis in enumerate(image.axes):
        sizes = (first[1].shape[number], level[1].shape[number])
        factor = scales[1][number] / scales[0][number]
        if factor <= 0 or abs(sizes[0] / factor - sizes[1]) >= SLACK:
            told = f"{scales[1][number]:.6g} against {scales[0][number]:.6g} for {sizes[0]} and {sizes[1]} pixels"
            faults.say("level-scale", f"level {level[0].path!r:.60}: the scale of {axis.name} is {told}"[:240])
    _translation(image, first, level, faults)


def _translation(image: ImageFacts, first: Level, level: Level, faults: Faults) -> None:
    scales = (first[0].steps.scale or (), level[0].steps.scale or ())
    zeros = (0.0,) * len(scales[0])
    starts = (first[0].steps.translation or zeros, level[0].steps.translation or zeros)
    for number, axis in enumerate(image.axes):
        shift = starts[1][number] - starts[0][number]
        half = (scales[1][number] - scales[0][number]) / 2
        near = CLOSE * max(scales[0][number], abs(starts[0][number]) * 1e-6)
        if abs(shift) > near and abs(shift - half) > near:
            faults.say(
                "level-translation",
                f"level {level[0].path!r:.60}: {axis.name} is shifted by {shift:.6g}, half a pixel is {half:.6g}"[:240],
            )
