"""Documents of images made anew: from what they still say, from a sound image of the same shape, from the arrays."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from openhcs.errors import OpenHCSError
from openhcs.ngff import parse
from openhcs.ngff.model import Axis, ChannelView, ImageLabel, ImageModel, Level
from openhcs.ngff.units import canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openhcs.core.arrays import ArraySpec
    from openhcs.repair.disk import Disk, ImageSeen

    Shapes = tuple[tuple[int, ...], ...]

TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
SHARED = "coordinateTransformations"
_COLOR = re.compile(r"[0-9A-Fa-f]{6}")


def model_of(disk: Disk, path: str) -> ImageModel | None:
    """Return the image that a group's document describes; None if it describes none."""
    try:
        return parse.image(disk.attributes(path) or {})
    except OpenHCSError:
        return None


def specs_of(seen: ImageSeen) -> dict[str, ArraySpec]:
    """Return the levels whose documents can be read."""
    return {name: spec for name, spec in seen.levels.items() if spec is not None}


def shapes_of(seen: ImageSeen) -> Shapes:
    """Return the shapes of an image's levels, the largest first."""
    return tuple(sorted((spec.shape for spec in specs_of(seen).values()), key=lambda shape: shape[-2:], reverse=True))


def mended(
    seen: ImageSeen, model: ImageModel | None, sound: ImageModel | None, parent: ImageModel | None = None
) -> ImageModel | None:
    """Return an image's model made of all that is known; None where it has no array.

    Parameters
    ----------
    model
        what its own document says, if anything.
    sound
        an image without findings whose levels have the same shapes, if there is one.
    parent
        the labelled image, where this is a label image.
    """
    specs = specs_of(seen)
    if not specs:
        return None
    names = sorted(specs, key=lambda name: specs[name].shape[-2:], reverse=True)
    first = specs[names[0]].shape
    names = [name for name in names if len(specs[name].shape) == len(first)]
    # What an image says of itself rules where it is lawful; another one fills in the rest.
    own = _lawful(model, len(first))
    base = _of_parent(parent, len(first)) or own or sound or _bare(specs[names[0]])
    place = base if parent is not None else model
    levels = _levels(names, [specs[name].shape for name in names], base, place)
    kept = model or ImageModel(axes=base.axes, levels=levels, name=seen.path.replace("/", " "))
    return replace(
        kept,
        name=kept.name or seen.path.replace("/", " "),
        axes=_axes(base, sound),
        levels=levels,
        channels=kept.channels if parent is not None else _channels(kept, sound, base, first),
        empty_omero=False,
        omero=kept.omero or base.omero,
        systems=base.systems,
        type=kept.type or (sound.type if sound is not None else None),
        metadata=kept.metadata or (sound.metadata if sound is not None else None),
        multiscale={key: value for key, value in kept.multiscale.items() if key != SHARED},
        label=None if parent is None else _label(kept.label, seen.path),
    )


def _axes(base: ImageModel, sound: ImageModel | None) -> tuple[Axis, ...]:
    """Return axes whose units have their lawful names; where one has none, that of a sound image."""
    theirs = {axis.name: axis.unit for axis in sound.axes} if sound is not None else {}
    typed = [replace(axis, type=TYPES.get(axis.name.lower(), axis.type)) for axis in base.axes]
    return tuple(replace(axis, unit=_unit(axis, theirs.get(axis.name))) for axis in typed)


def _unit(axis: Axis, other: str | None) -> str | None:
    if axis.unit is None or axis.type not in ("space", "time"):
        return axis.unit
    try:
        return canonical(axis.unit, axis.type)
    except OpenHCSError:
        return other or axis.unit


def _channels(
    kept: ImageModel, sound: ImageModel | None, base: ImageModel, shape: tuple[int, ...]
) -> tuple[ChannelView, ...]:
    """Return an image's channels: what is wrong of one, or missing, as a sound image has it."""
    count = shape[base.axis_names.index("c")] if "c" in base.axis_names else 1
    theirs = sound.channels if sound is not None and len(sound.channels) == count else ()
    if len(kept.channels) != count:
        return theirs
    return tuple(_channel(one, theirs[number] if theirs else ChannelView()) for number, one in enumerate(kept.channels))


def _channel(one: ChannelView, other: ChannelView) -> ChannelView:
    color = one.color if one.color is not None and _COLOR.fullmatch(one.color) else other.color or one.color
    told = one.window
    fits = told is not None and told.min <= told.start <= told.end <= told.max and told.min < told.max
    window, label = (told if fits else other.window or told), one.label or other.label
    given = {"color": color, "window": window, "label": label}
    extra = {key: value for key, value in one.extra.items() if given.get(key) is None}
    return replace(one, color=color, window=window, label=label, extra=extra)


def _label(label: ImageLabel | None, path: str) -> ImageLabel:
    """Return what makes an image a label: colours that are four numbers, properties by whole numbers, its source."""
    source = {"image": "../" * (2 + _depth(path))}
    if label is None:
        return ImageLabel(source=source)
    colors = {one.value: one for one in label.colors if one.rgba is not None and "rgba" not in one.extra}
    properties = tuple(one for one in label.properties if type(one.get("label-value")) is int)
    return replace(label, colors=tuple(colors.values()), properties=properties, source=source)


def _of_parent(parent: ImageModel | None, count: int) -> ImageModel | None:
    """Return the axes and scale of a labelled image as its labels have them: with its channels, or without."""
    if parent is None or len(parent.axes) == count:
        return parent and replace(parent, channels=())
    held = [number for number, name in enumerate(parent.axis_names) if name != "c"]
    if len(held) != count:
        return None
    first = parent.levels[0]
    level = replace(
        first,
        scale=first.scale and tuple(first.scale[number] for number in held),
        translation=first.translation and tuple(first.translation[number] for number in held),
    )
    return replace(parent, axes=tuple(parent.axes[number] for number in held), levels=(level,), channels=())


def _lawful(model: ImageModel | None, count: int) -> ImageModel | None:
    """Return a model whose axes and scale are lawful for so many dimensions."""
    if model is None or len(model.axes) != count:
        return None
    names = list(model.axis_names)
    known = len(set(names)) == count and all(name in TYPES for name in names) and names == _ordered(names)
    scale = model.levels[0].scale
    return model if known and scale is not None and all(size > 0 for size in scale) else None


def _depth(path: str) -> int:
    return path.rpartition("labels/")[2].count("/")


def _bare(spec: ArraySpec) -> ImageModel:
    """Return a model of axes and scale alone: how large a pixel is, is not known."""
    count = len(spec.shape)
    said = [name.lower() for name in spec.dimension_names or ()]
    lawful = len(set(said)) == len(said) == count and all(name in TYPES for name in said) and said == _ordered(said)
    names = said if lawful else list("tczyx")[-count:]
    axes = tuple(Axis(name=name, type=TYPES[name]) for name in names)
    return ImageModel(axes=axes, levels=(Level(path="0", scale=(1.0,) * count),))


def _ordered(names: list[str]) -> list[str]:
    return sorted(names, key="tczyx".index)


def _levels(
    names: list[str], shapes: Sequence[tuple[int, ...]], base: ImageModel, model: ImageModel | None
) -> tuple[Level, ...]:
    count = len(shapes[0])
    scale = base.levels[0].scale or (1.0,) * count
    # Another image's stage position is not this one's.
    place = (0.0,) * count if base.levels[0].translation is not None else None
    if model is not None and len(model.levels[0].translation or ()) == count:
        place = model.levels[0].translation
    known = {level.path: level for level in model.levels} if model is not None else {}
    levels = []
    for name, shape in zip(names, shapes, strict=True):
        factors = [max(1, round(a / b)) if b else 1 for a, b in zip(shapes[0], shape, strict=True)]
        sizes = tuple(size * factor for size, factor in zip(scale, factors, strict=True))
        shift = None
        if place is not None:
            shift = tuple(at + size * (factor - 1) / 2 for at, size, factor in zip(place, scale, factors, strict=True))
        extra = known[name].extra if name in known else {}
        levels.append(Level(path=name, scale=sizes, translation=shift, extra=extra))
    return tuple(levels)
