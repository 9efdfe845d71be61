"""Rules for the axes of an image."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openhcs.errors import InvalidValue
from openhcs.ngff.units import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.ngff.rules.faults import Faults

    Json = Mapping[str, Any]

MOST_AXES = 100
_ORDER = {"time": 0, "channel": 1, "space": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisFacts:
    """Name and type of one axis, and whether it says a unit."""

    name: str
    type: str | None
    has_unit: bool

    @property
    def is_channel(self) -> bool:
        """Whether channels lie along it, by its type or, without one, its name."""
        return self.type == "channel" or (self.type is None and self.name.lower() == "c")


def check_axes(told: Json, where: str, faults: Faults) -> tuple[AxisFacts, ...]:
    """Note what is wrong with the list ``axes`` in ``told``, and return what it says."""
    entries = faults.entries(told, "axes", where, most=MOST_AXES)
    axes: list[AxisFacts] = []
    for place, one in entries:
        name = faults.get(one, "name", str, place)
        kind = faults.get(one, "type", str, place, must=False)
        if kind is None:
            faults.say("axis-type-missing", f"{place} ({name}) has no type")
        _unit(one, kind, place, faults)
        axes.append(AxisFacts(name=name or "", type=kind, has_unit=one.get("unit") is not None))
    if isinstance(told.get("axes"), list) and not 2 <= len(told["axes"]) <= 5:
        faults.say("axes-count", f"{where}.axes has {len(told['axes'])} entries")
    for name, count in Counter(axis.name for axis in axes).items():
        if count > 1:
            faults.say("axes-repeated", f"{where}.axes: {count} are called {name!r:.40}")
    if isinstance(told.get("axes"), list) and len(entries) == len(told["axes"]):
        _types(axes, where, faults)
    return tuple(axes)


def _unit(axis: Json, kind: str | None, place: str, faults: Faults) -> None:
    unit = faults.get(axis, "unit", str, place, must=False)
    if unit is None or kind not in ("space", "time"):
        return
    try:
        right = canonical(unit, kind)
    except InvalidValue:
        faults.say("axis-unit", f"{place}.unit is {unit!r:.60}, no unit of {kind}")
        return
    if right != unit:
        faults.say("axis-unit", f"{place}.unit is {unit!r:.60}; its name is {right!r}")


def _types(axes: Sequence[AxisFacts], where: str, faults: Faults) -> None:
    """Check how many axes of each type there are, and their order."""
    if not 2 <= len(axes) <= 5 or all(axis.type == "array" for axis in axes):
        return
    kinds = [axis.type for axis in axes]
    counts = Counter("other" if kind not in ("space", "time") else kind for kind in kinds)
    untyped = kinds.count(None)
    space = counts["space"]
    if space > 3 or space + untyped < 2 or counts["time"] > 1 or counts["other"] > 1 + (untyped if space < 2 else 0):
        shown = ", ".join(f"{axis.name} {axis.type or 'no type'}"[:40] for axis in axes)
        faults.say("axes-types", f"{where}.axes are {shown}")
    places = [_ORDER.get(kind or "", 1) for kind in kinds]
    if places != sorted(places) and not untyped:
        faults.say("axes-order", f"{where}.axes are in the order {', '.join(str(kind)[:20] for kind in kinds)}")
    names = [axis.name.lower() for axis in axes if axis.type == "space"]
    if set(names) <= set("zyx") and names != sorted(names, reverse=True):
        faults.say("axes-zyx", f"{where}.axes: those of space are in the order {', '.join(names)}")
