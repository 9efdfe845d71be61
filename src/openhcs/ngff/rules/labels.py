"""Rules for lists of labels, for label images, and between a label and its image."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from openhcs.ngff.parse import MOST_ENTRIES
from openhcs.ngff.rules.faults import is_kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.ngff.rules.arrays import ArrayFacts
    from openhcs.ngff.rules.faults import Faults
    from openhcs.ngff.rules.image import ImageFacts, LevelFacts

    Json = Mapping[str, Any]
    Levels = Sequence[tuple[LevelFacts, ArrayFacts]]

MOST_COLORS = 1_000_000
CLOSE = 1e-6


def check_labels(body: Json, faults: Faults) -> tuple[str, ...]:
    """Return the paths that a group of labels lists."""
    values = faults.get(body, "labels", list, "attributes") or []
    if len(values) > MOST_ENTRIES:
        faults.say("document-too-large", f"labels has {len(values)} entries; the first {MOST_ENTRIES} were looked at")
    names = []
    for number, one in enumerate(values[:MOST_ENTRIES]):
        if isinstance(one, str):
            names.append(one)
        else:
            faults.say("value-wrong", f"labels[{number}] is {one!r:.60}, not a text")
    return tuple(dict.fromkeys(names))


def check_image_label(body: Json, faults: Faults) -> str | None:
    """Note what is wrong with ``image-label``; return the path of the label's source, where it names one."""
    if "image-label" not in body:
        faults.say("image-label-missing", "image-label is missing")
        return None
    told = faults.get(body, "image-label", dict, "attributes")
    if told is None:
        return None
    if "colors" not in told:
        faults.say("label-colors-missing", "image-label.colors is missing")
    for key in ("colors", "properties"):
        entries = faults.entries(told, key, "image-label", must=False, most=MOST_COLORS) if key in told else []
        _values(entries, key, faults)
        if told.get(key) == []:
            faults.say("value-wrong", f"image-label.{key} is an empty list")
        for place, one in entries if key == "colors" else ():
            _color(one, place, faults)
    source = faults.get(told, "source", dict, "image-label", must=False) if "source" in told else None
    if source is None or "image" not in source:
        return None
    return faults.get(source, "image", str, "image-label.source")


def _values(entries: Sequence[tuple[str, Json]], key: str, faults: Faults) -> None:
    counts: Counter[int] = Counter()
    for place, one in entries:
        value = one.get("label-value")
        if is_kind(value, int) or (isinstance(value, float) and value.is_integer()):
            counts[int(value)] += 1  # type: ignore[arg-type]
        elif not faults.full("label-value"):
            faults.say("label-value", f"{place}.label-value is {value!r:.40}")
    for number, count in counts.items():
        if count > 1:
            faults.say("label-value", f"image-label.{key} tells of the value {number} {count} times")


def _color(one: Json, place: str, faults: Faults) -> None:
    if "rgba" not in one or faults.full("label-value"):
        return
    rgba = one["rgba"]
    if (
        not isinstance(rgba, list)
        or len(rgba) != 4
        or not all(is_kind(part, int) and 0 <= part <= 255 for part in rgba)
    ):
        faults.say("label-value", f"{place}.rgba is {rgba!r:.60}")


def check_pixels(levels: Levels, faults: Faults) -> None:
    """Note levels of a label that hold no whole numbers."""
    for level, array in levels:
        if not array.dtype.startswith(("int", "uint")):
            faults.say("label-dtype", f"level {level.path!r:.60} of the label is {array.dtype or 'of another type'}")


def compare(image: ImageFacts, levels: Levels, label: ImageFacts, label_levels: Levels, faults: Faults) -> None:
    """Compare a label with the image that it lies beneath."""
    if len(image.levels) != len(label.levels):
        faults.say("label-levels", f"the label has {len(label.levels)} levels, its image {len(image.levels)}")
    names = {axis.name.lower(): number for number, axis in enumerate(image.axes)}
    for (_, array), (told, mask) in zip(levels, label_levels, strict=False):
        if len(mask.shape) != len(label.axes) or len(array.shape) != len(image.axes):
            continue
        for number, axis in enumerate(label.axes):
            there = names.get(axis.name.lower())
            if there is None or mask.shape[number] in (1, array.shape[there]):
                continue
            said = (
                f"level {told.path!r:.60} is {mask.shape[number]} along {axis.name:.20}, its image {array.shape[there]}"
            )
            faults.say("label-shape", said)
    if levels and label_levels:
        _scales(image, levels[0][0], label, label_levels[0][0], faults)


def _scales(image: ImageFacts, level: LevelFacts, label: ImageFacts, told: LevelFacts, faults: Faults) -> None:
    """Compare where the first levels of an image and a label lie, along axes of space that both have."""
    names = {axis.name.lower(): number for number, axis in enumerate(image.axes)}
    for number, axis in enumerate(label.axes):
        there = names.get(axis.name.lower())
        if there is None or axis.type != "space" or level.steps.scale is None or told.steps.scale is None:
            continue
        scales = level.steps.scale[there], told.steps.scale[number]
        starts = [
            (steps.translation or (0.0,) * (at + 1))[at] for steps, at in ((level.steps, there), (told.steps, number))
        ]
        if abs(scales[0] - scales[1]) > CLOSE * scales[0]:
            faults.say(
                "label-scale", f"the scale of {axis.name:.20} is {scales[1]:.6g}, that of the image {scales[0]:.6g}"
            )
        elif abs(starts[0] - starts[1]) > scales[0]:
            faults.say(
                "label-scale", f"{axis.name:.20} starts at {starts[1]:.6g}, that of the image at {starts[0]:.6g}"
            )
