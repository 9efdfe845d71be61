"""Rules for collections of images, and for the group ``OME`` in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openhcs.ngff.parse import MOST_ENTRIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs.ngff.rules.faults import Faults

    Json = Mapping[str, Any]

LAYOUT = "bioformats2raw.layout"


def check_layout(body: Json, faults: Faults) -> None:
    """Note a layout that is not the one that exists."""
    if LAYOUT in body and (body[LAYOUT] != 3 or isinstance(body[LAYOUT], bool)):
        faults.say("collection-layout", f"{LAYOUT} is {body[LAYOUT]!r:.40}")


def check_series(body: Json, faults: Faults) -> tuple[str, ...] | None:
    """Return the paths that ``series`` lists; None where there is no such list."""
    if "series" not in body:
        return None
    values = faults.get(body, "series", list, "attributes")
    if values is None:
        return None
    if len(values) > MOST_ENTRIES:
        faults.say("document-too-large", f"series has {len(values)} entries; the first {MOST_ENTRIES} were looked at")
    found: dict[str, None] = {}
    for number, one in enumerate(values[:MOST_ENTRIES]):
        if not isinstance(one, str):
            faults.say("value-wrong", f"series[{number}] is {one!r:.60}, not a text")
        elif one in found:
            faults.say("series-repeated", f"series[{number}] {one!r:.60} is listed before")
        else:
            found[one] = None
    return tuple(found)
