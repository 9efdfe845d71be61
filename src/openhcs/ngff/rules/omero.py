"""Rules for ``omero``: how the channels of an image are shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs.ngff.rules.faults import Faults

    Json = Mapping[str, Any]
    Kinds = Mapping[str, type]

MOST_CHANNELS = 10_000
COLOR = re.compile(r"[0-9A-Fa-f]{6}")
WINDOW = ("min", "max", "start", "end")
WHOLE: Kinds = {"id": int, "name": str, "version": str}
CHANNEL: Kinds = {"label": str, "family": str, "active": bool, "inverted": bool, "coefficient": float}
RENDERING: Kinds = {"defaultT": int, "defaultZ": int, "model": str, "projection": str}
"""Keys that may be there, and what they hold."""


def check_omero(body: Json, faults: Faults) -> int | None:
    """Note what is wrong with ``omero``; return how many channels it tells of, None without it."""
    if "omero" not in body:
        return None
    told = faults.get(body, "omero", dict, "attributes")
    if told is None:
        return None
    _optional(told, WHOLE, "omero", faults)
    for place, one in faults.entries(told, "channels", "omero", most=MOST_CHANNELS):
        _channel(one, place, faults)
    if "rdefs" in told and (rendering := faults.get(told, "rdefs", dict, "omero", must=False)) is not None:
        _optional(rendering, RENDERING, "omero.rdefs", faults)
    return len(told["channels"]) if isinstance(told.get("channels"), list) else None


def _optional(told: Json, kinds: Kinds, where: str, faults: Faults) -> None:
    for key, kind in kinds.items():
        if key in told:
            faults.get(told, key, kind, where)


def _channel(one: Json, place: str, faults: Faults) -> None:
    if missing := [key for key in ("color", "window") if key not in one]:
        faults.say("omero-part-missing", f"{place} has no {' and no '.join(missing)}")
    if "label" not in one:
        faults.say("omero-label-missing", f"{place} has no label")
    _optional(one, CHANNEL, place, faults)
    if "color" in one and not (isinstance(one["color"], str) and COLOR.fullmatch(one["color"])):
        faults.say("omero-color", f"{place}.color is {one['color']!r:.40}")
    window = faults.get(one, "window", dict, place, must=False) if "window" in one else None
    if window is None:
        return
    found = {key: faults.get(window, key, float, f"{place}.window") for key in WINDOW}
    values = [value for value in found.values() if value is not None]
    if len(values) == len(WINDOW) and (values[0] > values[1] or values[2] > values[3]):
        faults.say("omero-window", f"{place}.window is {found}")
