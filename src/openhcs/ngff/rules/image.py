"""Rules for the document of an image: axes or coordinate systems, levels, channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openhcs.ngff.rules.axes import check_axes
from openhcs.ngff.rules.omero import check_omero
from openhcs.ngff.rules.transforms import STEPS, check_step, check_steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.ngff.rules.axes import AxisFacts
    from openhcs.ngff.rules.faults import Faults
    from openhcs.ngff.rules.transforms import Steps

    Json = Mapping[str, Any]

MOST_LEVELS = 200
MOST_SYSTEMS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelFacts:
    """One level of an image as its document tells."""

    path: str
    steps: Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What of an image its arrays and labels are compared with; ``channels`` is None without ``omero``."""

    axes: tuple[AxisFacts, ...]
    levels: tuple[LevelFacts, ...]
    channels: int | None


def check_image(body: Json, faults: Faults) -> tuple[ImageFacts, ...]:
    """Note what is wrong with an image's document; return the facts of each multiscales entry, the first one first."""
    entries = faults.entries(body, "multiscales", "attributes", most=MOST_LEVELS)
    if not entries and isinstance(body.get("multiscales"), list):
        faults.say("multiscales-empty", "multiscales is empty")
    values = [one for _, one in entries]
    if any(one in values[:number] for number, one in enumerate(values)):
        faults.say("value-wrong", "multiscales has the same entry twice")
    channels = check_omero(body, faults)
    return tuple(
        _entry(one, f"multiscales{place.partition('multiscales')[2]}", channels, faults) for place, one in entries
    )


def _entry(told: Json, where: str, channels: int | None, faults: Faults) -> ImageFacts:
    for key, kind in (("name", str), ("type", str), ("metadata", dict)):
        faults.get(told, key, kind, where, must=False) if key in told else None
    if "name" not in told:
        faults.say("name-missing", f"{where}.name is missing")
    axes, systems = _systems(told, where, faults)
    levels: dict[str, LevelFacts] = {}
    datasets = faults.entries(told, "datasets", where, most=MOST_LEVELS)
    if not datasets and isinstance(told.get("datasets"), list):
        faults.say("multiscales-empty", f"{where}.datasets is empty")
    if len(datasets) > 1 and (missing := [key for key in ("type", "metadata") if key not in told]):
        faults.say("level-method-missing", f"{where} has no {' and no '.join(missing)}")
    for place, one in datasets:
        path = faults.get(one, "path", str, place)
        if systems is None:
            steps = check_steps(one, place, len(axes), faults)
        else:
            steps = check_step(one, place, len(axes), systems, faults)
        if path is None:
            continue
        if path in levels:
            faults.say("level-repeated", f"{place}.path {path!r:.60} is listed before")
        levels.setdefault(path, LevelFacts(path=path, steps=steps))
    if systems is not None:
        _one_system(datasets, faults)
    else:
        check_steps(told, where, len(axes), faults, must=False)
    return ImageFacts(axes=axes, levels=tuple(levels.values()), channels=channels)


def _systems(told: Json, where: str, faults: Faults) -> tuple[tuple[AxisFacts, ...], tuple[str, ...] | None]:
    """Return the axes of the image and, in 0.6, the names of its coordinate systems."""
    if faults.version != "0.6":
        return check_axes(told, where, faults), None
    names: list[str] = []
    axes: dict[str, tuple[AxisFacts, ...]] = {}
    for place, one in faults.entries(told, "coordinateSystems", where, most=MOST_SYSTEMS):
        name = faults.get(one, "name", str, place)
        if not name or name in names:
            faults.say("system-name", f"{place}.name is {name!r:.60}" + (", as of another" if name else ""))
        names.append(name or "")
        axes.setdefault(name or "", check_axes(one, place, faults))
    if not names and isinstance(told.get("coordinateSystems"), list):
        faults.say("system-name", f"{where}.coordinateSystems is empty")
    intrinsic = _intrinsic(told)
    for place, step in faults.entries(told, STEPS, where, must=False, most=MOST_SYSTEMS):
        for end in ("input", "output"):
            _end(step, end, place, names, faults)
        start = step.get("input")
        if isinstance(start, dict) and start.get("name") in names and start.get("name") != intrinsic:
            faults.say("system-differs", f"{place}.input.name is {start.get('name')!r:.60}, not {intrinsic!r:.60}")
    return axes.get(intrinsic, next(iter(axes.values()), ())), tuple(names)


def _end(step: Json, end: str, place: str, names: Sequence[str], faults: Faults) -> None:
    """Check one end of a transformation between systems; one with a path names a system of another group."""
    told = faults.get(step, end, dict, place)
    name = None if told is None else faults.get(told, "name", str, f"{place}.{end}")
    if told is not None and name is not None and not told.get("path") and name not in names:
        faults.say("system-unknown", f"{place}.{end}.name is {name!r:.60}, no coordinate system of this image")


def _intrinsic(told: Json) -> str:
    """Return the name of the system that the first level is mapped to."""
    datasets = told.get("datasets")
    return _output(datasets[0]) if isinstance(datasets, list) and datasets else ""


def _output(level: Any) -> str:
    found: Any = level
    for key in (STEPS, 0, "output", "name"):
        fits = isinstance(found, dict) if isinstance(key, str) else isinstance(found, list) and bool(found)
        found = (found.get(key) if isinstance(key, str) else found[key]) if fits else None
    return found if isinstance(found, str) else ""


def _one_system(datasets: Sequence[tuple[str, Json]], faults: Faults) -> None:
    """Note levels that lead to another coordinate system than the first."""
    names = [_output(one) for _, one in datasets]
    for (place, _), name in zip(datasets, names, strict=True):
        if name and names[0] and name != names[0]:
            faults.say("system-differs", f"{place} leads to {name!r:.60}, the first level to {names[0]!r:.60}")
