"""Rules for the document of a well."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openhcs.ngff.parse import MOST_ENTRIES
from openhcs.ngff.rules.plate import check_case

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from openhcs.ngff.rules.faults import Faults

    Json = Mapping[str, Any]

PATHS = {
    "0.4": re.compile(r"[A-Za-z0-9]+"),
    "0.5": re.compile(r"[A-Za-z0-9]+"),
    "0.6": re.compile(r"(?!__)(?!\.+$)[A-Za-z0-9_.-]+"),
}
"""Names of images in a well, by version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WellFacts:
    """The images that a well lists, each once, and how many there are of each acquisition."""

    images: tuple[str, ...]
    counts: Counter[int | None]


def check_well(body: Json, acquisitions: Collection[int], faults: Faults) -> WellFacts:
    """Note what is wrong with a well's document; ``acquisitions`` are the plate's."""
    told = faults.get(body, "well", dict, "attributes") or {}
    entries = faults.entries(told, "images", "well", most=MOST_ENTRIES)
    if not entries and isinstance(told.get("images"), list):
        faults.say("well-empty", "well.images is empty")
    found: dict[str, None] = {}
    counts: Counter[int | None] = Counter()
    for where, one in entries:
        acquisition = faults.get(one, "acquisition", int, where, must=False)
        counts[acquisition] += 1
        _acquisition(acquisition, acquisitions, where, faults)
        path = faults.get(one, "path", str, where)
        if path is None:
            continue
        if not PATHS[faults.version].fullmatch(path):
            faults.say("well-image-path", f"{where}.path is {path!r:.60}")
        if path in found:
            faults.say("well-image-path", f"{where}: the image {path!r:.60} is listed before")
        found[path] = None
    check_case(list(found), "well.images", faults)
    return WellFacts(images=tuple(found), counts=counts)


def _acquisition(number: int | None, known: Collection[int], where: str, faults: Faults) -> None:
    if number is None:
        if len(known) > 1:
            faults.say("acquisition-missing", f"{where}.acquisition is missing; the plate has {len(known)}")
    elif known and number not in known:
        faults.say("acquisition-unknown", f"{where}.acquisition is {number}; the plate has no such acquisition")
