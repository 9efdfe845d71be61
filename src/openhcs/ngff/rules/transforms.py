"""Rules for the transformations of a level: lists of scale and translation to 0.5, one of them in 0.6."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openhcs.ngff.keys import is_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.ngff.rules.faults import Faults

    Json = Mapping[str, Any]

STEPS = "coordinateTransformations"
MOST_STEPS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Scale and translation of one level; None where it does not say them rightly."""

    scale: tuple[float, ...] | None = None
    translation: tuple[float, ...] | None = None


def check_steps(told: Json, where: str, axes: int, faults: Faults, *, must: bool = True) -> Steps:
    """Note what is wrong with the transformations of a level, or of all levels, to version 0.5."""
    entries = faults.entries(told, STEPS, where, must=must, most=MOST_STEPS)
    if not must and not entries:
        return Steps()
    return _scale_and_translation(entries, f"{where}.{STEPS}", axes, faults)


def check_step(told: Json, where: str, axes: int, systems: Sequence[str], faults: Faults) -> Steps:
    """Note what is wrong with the one transformation of a level in version 0.6."""
    entries = faults.entries(told, STEPS, where, most=MOST_STEPS)
    if len(entries) != 1:
        if isinstance(told.get(STEPS), list):
            faults.say("transform-type", f"{where}.{STEPS} has {len(entries)} entries, not one")
        return Steps()
    place, step = entries[0]
    _ends(told, step, place, systems, faults)
    kind = step.get("type")
    if kind == "identity":
        return Steps(scale=(1.0,) * axes)
    if kind == "sequence":
        parts = faults.entries(step, "transformations", place, most=MOST_STEPS)
        if [part.get("type") for _, part in parts] != ["scale", "translation"]:
            faults.say("transform-order", f"{place} is no scale with a translation after it")
        return _scale_and_translation(parts, place, axes, faults, quiet=True)
    return _scale_and_translation(entries, f"{where}.{STEPS}", axes, faults)


def _ends(level: Json, step: Json, place: str, systems: Sequence[str], faults: Faults) -> None:
    """Check where the transformation of a level starts and leads to."""
    start = faults.get(step, "input", dict, place)
    end = faults.get(step, "output", dict, place)
    path = None if start is None else faults.get(start, "path", str, f"{place}.input")
    name = None if end is None else faults.get(end, "name", str, f"{place}.output")
    if path is not None and path != level.get("path"):
        faults.say("system-unknown", f"{place}.input.path is {path!r:.60}, the level is {level.get('path')!r:.60}")
    if name is not None and name not in systems:
        faults.say("system-unknown", f"{place}.output.name is {name!r:.60}, no coordinate system of this image")


def _scale_and_translation(
    entries: Sequence[tuple[str, Json]], where: str, axes: int, faults: Faults, *, quiet: bool = False
) -> Steps:
    kinds: list[str] = []
    found: dict[str, tuple[float, ...] | None] = {}
    for place, step in entries:
        kind = faults.get(step, "type", str, place)
        if kind not in ("scale", "translation"):
            faults.say("transform-type", f"{place}.type is {kind!r:.40}") if kind is not None else None
            continue
        kinds.append(kind)
        found[kind] = _vector(step, kind, place, axes, faults)
    if not quiet and kinds.count("scale") != 1:
        faults.say("scale-missing", f"{where} has {kinds.count('scale')} scales, not one")
    if not quiet and (kinds.count("translation") > 1 or kinds[:1] == ["translation"]):
        faults.say("transform-order", f"{where} are {', '.join(kinds)}")
    return Steps(scale=found.get("scale"), translation=found.get("translation"))


def _vector(step: Json, kind: str, place: str, axes: int, faults: Faults) -> tuple[float, ...] | None:
    values = faults.get(step, kind, list, place)
    if values is None:
        return None
    if not all(is_number(value) for value in values):
        faults.say("scale-value", f"{place}.{kind} is {values!r:.80}")
        return None
    if len(values) != axes:
        faults.say("transform-length", f"{place}.{kind} has {len(values)} numbers for {axes} axes")
        return None
    if kind == "scale" and not all(value > 0 for value in values):
        faults.say("scale-value", f"{place}.scale is {values!r:.80}")
        return None
    return tuple(values)
