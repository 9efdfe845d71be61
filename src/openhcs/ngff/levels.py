"""Axes and resolution levels in documents: as 0.4 and 0.5 say them, and with the coordinate systems of 0.6.

0.4 and 0.5 list axes, a scale and a translation per level, and may add transformations that hold for all
levels. 0.6 names coordinate systems; each level has one transformation into the intrinsic one. Both come
down to the same numbers. What holds for all levels is multiplied into each for 0.6; what only 0.6 can say
is kept in older documents beneath our own key of the multiscales entry.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from openhcs.errors import FormatError, InvalidValue
from openhcs.ngff.keys import as_numbers, as_object, as_text, given, maybe, take
from openhcs.ngff.model import OWN, Axis, Level, Systems

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs.ngff.model import ImageModel

Json = dict[str, Any]
ENTRY = "multiscales[0]"
STEPS = "coordinateTransformations"
SYSTEMS = "coordinateSystems"
KEPT = f"{ENTRY}.{OWN}.{SYSTEMS}"
_AXIS_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


@dataclass(frozen=True, slots=True)
class Geometry:
    """Axes, levels and coordinate systems of a multiscales entry."""

    axes: tuple[Axis, ...]
    levels: tuple[Level, ...]
    systems: Systems


def parse_geometry(first: Json) -> Geometry:
    """Take axes and levels out of a multiscales entry, whichever version it is of.

    Raises
    ------
    FormatError
        naming the key that is wrong.
    """
    datasets = maybe(first, "datasets", list, f"{ENTRY}.datasets")
    if SYSTEMS in first:
        return _newer(first, _present(datasets))
    if "axes" not in first:
        raise FormatError(f"{ENTRY}.axes is missing: OME-Zarr before 0.3 is not read")
    axes = _axes(take(first, "axes", list, f"{ENTRY}.axes"), f"{ENTRY}.axes")
    levels = tuple(_older_level(one, _where(n), len(axes)) for n, one in enumerate(_present(datasets)))
    kept = _kept(first)
    if kept is None:
        return Geometry(axes, levels, Systems())
    wholes = take(kept, "levels", list, f"{KEPT}.levels")
    told = zip(levels, [*wholes, *[{}] * len(levels)], strict=False)
    return Geometry(axes, tuple(replace(one, whole=as_object(whole, KEPT)) for one, whole in told), _systems(kept))


def _present(datasets: list[Any] | None) -> list[Any]:
    if datasets is None:
        raise FormatError(f"{ENTRY}.datasets is missing from the OME-Zarr document")
    if not datasets:
        raise FormatError(f"{ENTRY}.datasets is empty: the image has no level")
    return datasets


def _where(number: int) -> str:
    return f"{ENTRY}.datasets[{number}]"


def _axes(entries: list[Any], where: str) -> tuple[Axis, ...]:
    axes = []
    for number, one in enumerate(entries):
        at = f"{where}[{number}]"
        if isinstance(one, str):
            axes.append(Axis(name=one, type=_AXIS_TYPES.get(one.lower())))
            continue
        told = as_object(one, at)
        name = take(told, "name", str, f"{at}.name")
        kind = maybe(told, "type", str, f"{at}.type")
        axes.append(Axis(name=name, type=kind, unit=maybe(told, "unit", str, f"{at}.unit"), extra=told))
    return tuple(axes)


def _older_level(value: Any, where: str, axes: int) -> Level:
    told = as_object(value, where)
    path = take(told, "path", str, f"{where}.path")
    steps = maybe(told, STEPS, list, f"{where}.{STEPS}") or []
    scale = translation = None
    others = []
    for number, one in enumerate(steps):
        at = f"{where}.{STEPS}[{number}]"
        step = as_object(one, at)
        kind = step.get("type")
        plain = isinstance(kind, str) and set(step) == {"type", kind}
        if plain and kind == "scale" and scale is None:
            scale = as_numbers(step["scale"], axes, f"{at}.scale")
        elif plain and kind == "translation" and translation is None:
            translation = as_numbers(step["translation"], axes, f"{at}.translation")
        else:
            others.append(step)
    return Level(path=path, scale=scale, translation=translation, others=tuple(others), extra=told)


def _kept(first: Json) -> Json | None:
    """Take out what a document older than 0.6 keeps of coordinate systems beneath our own key."""
    kept = first.get(OWN)
    if not isinstance(kept, dict) or SYSTEMS not in kept:
        return None
    del first[OWN]
    return as_object(kept[SYSTEMS], KEPT)


def _systems(kept: Json) -> Systems:
    return Systems(
        name=as_text(kept.get("name"), f"{KEPT}.name"),
        place=take(kept, "place", int, f"{KEPT}.place"),
        others=tuple(as_object(one, f"{KEPT}.others") for one in take(kept, "others", list, f"{KEPT}.others")),
        between=tuple(as_object(one, f"{KEPT}.between") for one in take(kept, "between", list, f"{KEPT}.between")),
        extra=take(kept, "extra", dict, f"{KEPT}.extra"),
    )


def _newer(first: Json, datasets: list[Any]) -> Geometry:
    found = take(first, SYSTEMS, list, f"{ENTRY}.{SYSTEMS}")
    systems = [as_object(one, f"{ENTRY}.{SYSTEMS}[{number}]") for number, one in enumerate(found)]
    names = [as_text(one.get("name"), f"{ENTRY}.{SYSTEMS}[{number}].name") for number, one in enumerate(systems)]
    name = _output_of(datasets[0])
    if name is None and len(names) == 1:
        name = names[0]
    if name not in names:
        raise FormatError(f"{_where(0)} leads to the coordinate system {name!r:.80}, which {ENTRY} does not describe")
    place = names.index(name)
    own = systems.pop(place)
    del own["name"]
    where = f"{ENTRY}.{SYSTEMS}[{place}].axes"
    axes = _axes(take(own, "axes", list, where), where)
    between = maybe(first, STEPS, list, f"{ENTRY}.{STEPS}") or []
    levels = tuple(_newer_level(one, _where(n), name, len(axes)) for n, one in enumerate(datasets))
    steps = tuple(as_object(one, f"{ENTRY}.{STEPS}[{n}]") for n, one in enumerate(between))
    told = Systems(name=name, place=place, others=tuple(systems), between=steps, extra=own)
    return Geometry(axes, levels, told)


def _output_of(dataset: Any) -> Any:
    """Return the name of the system that a level is mapped to; None where it is not said."""
    steps = dataset.get(STEPS) if isinstance(dataset, dict) else None
    step = steps[0] if isinstance(steps, list) and steps else None
    output = step.get("output") if isinstance(step, dict) else None
    return output.get("name") if isinstance(output, dict) else output


def _newer_level(value: Any, where: str, system: str, axes: int) -> Level:
    told = as_object(value, where)
    path = take(told, "path", str, f"{where}.path")
    steps = maybe(told, STEPS, list, f"{where}.{STEPS}") or []
    if len(steps) != 1:
        raise FormatError(f"{where}.{STEPS} has {len(steps)} entries; OME-Zarr 0.6 has one per level")
    at = f"{where}.{STEPS}[0]"
    whole = as_object(steps[0], at)
    if _output_of(value) not in (system, None):
        raise FormatError(f"{at} leads to {_output_of(value)!r:.80}, other levels to {system!r}")
    kind = whole.pop("type", None)
    inner = whole.pop("transformations", None) if kind == "sequence" else None
    parts = inner if isinstance(inner, list) else [{"type": kind, **({kind: whole.pop(kind)} if kind in whole else {})}]
    scale, translation, others = _parts(parts, axes, at)
    if others:
        return Level(path=path, others=(as_object(steps[0], at),), extra=told)
    for key in ("input", "output"):
        whole.pop(key, None)
    return Level(path=path, scale=scale, translation=translation, whole=whole, extra=told)


def _parts(parts: list[Any], axes: int, where: str) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None, bool]:
    """Return scale, translation, and whether there is anything else."""
    scale: tuple[float, ...] | None = None
    translation: tuple[float, ...] | None = None
    for part in parts:
        told = as_object(part, where)
        kind = told.get("type")
        if kind == "identity" and scale is None and set(told) == {"type"}:
            scale = (1.0,) * axes
        elif kind == "scale" and scale is None and translation is None and set(told) == {"type", "scale"}:
            scale = as_numbers(told["scale"], axes, f"{where}.scale")
        elif kind == "translation" and translation is None and set(told) == {"type", "translation"}:
            translation = as_numbers(told["translation"], axes, f"{where}.translation")
        else:
            return None, None, True
    return scale, translation, scale is None


def render_geometry(image: ImageModel, version: str) -> tuple[Json, Json]:
    """Return the keys of a multiscales entry that say axes and levels, and its unknown keys.

    Raises
    ------
    InvalidValue
        the image has a transformation that the version has no words for.
    """
    rest = dict(image.multiscale)
    if version == "0.6":
        return _render_newer(image, rest), rest
    axes = [_axis(axis) for axis in image.axes]
    datasets = [_render_older(level, version) for level in image.levels]
    if image.systems != Systems() or any(level.whole for level in image.levels):
        rest[OWN] = {SYSTEMS: _keep(image)}
    return {"axes": axes, "datasets": datasets}, rest


def _axis(axis: Axis) -> Json:
    return {**given(name=axis.name, type=axis.type, unit=axis.unit), **axis.extra}


def _render_older(level: Level, version: str) -> Json:
    steps: list[Json] = []
    if level.scale is not None:
        steps.append({"type": "scale", "scale": list(level.scale)})
    if level.translation is not None:
        steps.append({"type": "translation", "translation": list(level.translation)})
    for other in level.others:
        if isinstance(other.get("output"), dict):
            raise InvalidValue(f"level {level.path}: OME-Zarr {version} has no {other.get('type')!r} transformation")
        steps.append(dict(other))
    return {"path": level.path, **({STEPS: steps} if steps else {}), **level.extra}


def _keep(image: ImageModel) -> Json:
    systems = image.systems
    return {
        "name": systems.name,
        "place": systems.place,
        "others": [dict(one) for one in systems.others],
        "between": [dict(one) for one in systems.between],
        "extra": dict(systems.extra),
        "levels": [dict(level.whole) for level in image.levels],
    }


def _render_newer(image: ImageModel, rest: Json) -> Json:
    systems = image.systems
    shared = rest.pop(STEPS, None)
    levels = [_with_shared(level, shared, len(image.axes)) for level in image.levels]
    listed = [dict(one) for one in systems.others]
    axes = [_axis(axis) for axis in image.axes]
    listed.insert(systems.place, {"name": systems.name, "axes": axes, **systems.extra})
    told: Json = {SYSTEMS: listed, "datasets": [_render_newer_level(level, systems.name) for level in levels]}
    return told | ({STEPS: [dict(one) for one in systems.between]} if systems.between else {})


def _with_shared(level: Level, shared: Any, axes: int) -> Level:
    """Return a level with the transformations that 0.5 has for all levels applied after its own."""
    for number, one in enumerate(shared if isinstance(shared, list) else []):
        step = as_object(one, f"{ENTRY}.{STEPS}[{number}]")
        kind = step.get("type")
        if kind not in ("scale", "translation", "identity") or (kind != "identity" and kind not in step):
            raise InvalidValue(f"the transformation {kind!r} of all levels cannot be said in OME-Zarr 0.6")
        if kind == "identity":
            continue
        values = as_numbers(step[kind], axes, f"{ENTRY}.{STEPS}[{number}].{kind}")
        scale, shift = level.scale or (1.0,) * axes, level.translation
        if kind == "scale":
            scale = tuple(a * b for a, b in zip(scale, values, strict=True))
            shift = shift and tuple(a * b for a, b in zip(shift, values, strict=True))
        else:
            shift = tuple(a + b for a, b in zip(shift or (0.0,) * axes, values, strict=True))
        level = replace(level, scale=scale, translation=shift)
    return level


def _render_newer_level(level: Level, system: str) -> Json:
    return {"path": level.path, STEPS: [_one_step(level, system)], **level.extra}


def _one_step(level: Level, system: str) -> Mapping[str, Any]:
    if level.others:
        whole = level.others[0]
        if len(level.others) > 1 or level.scale or not isinstance(whole.get("output"), dict):
            raise InvalidValue(
                f"level {level.path}: OME-Zarr 0.6 has no {whole.get('type')!r} transformation of levels"
            )
        return dict(whole)
    ends = {"input": {"path": level.path}, "output": {"name": system}}
    scale = {"type": "scale", "scale": list(level.scale)} if level.scale else None
    if level.translation is None:
        return {**(scale or {"type": "identity"}), **ends, **level.whole}
    ones = {"type": "scale", "scale": [1.0] * len(level.translation)}
    shift = {"type": "translation", "translation": list(level.translation)}
    return {"type": "sequence", "transformations": [scale or ones, shift], **ends, **level.whole}
