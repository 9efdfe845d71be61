"""Rules for the document of a plate, and between a plate and its wells."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openhcs.ngff.parse import MOST_ENTRIES, MOST_LINES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.ngff.rules.faults import Faults

    Json = Mapping[str, Any]

NAME = re.compile(r"[A-Za-z0-9]+")
VESSELS = frozenset(
    {(1, 1), (1, 2), (1, 4), (1, 8), (2, 1), (4, 1), (8, 1), (2, 2), (2, 4), (4, 2), (2, 3), (3, 4), (4, 6), (6, 8)}
    | {(8, 12), (16, 24), (32, 48)}
)
"""Rows and columns of dishes, chamber slides and plates of 6 to 1536 wells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateFacts:
    """What of a plate its wells are compared with."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    wells: tuple[str, ...]
    acquisitions: Mapping[int, int | None]
    """Number → maximumfieldcount."""
    field_count: int | None


def check_plate(body: Json, faults: Faults) -> PlateFacts:
    """Note what is wrong with a plate's document, and return what was understood of it."""
    told = faults.get(body, "plate", dict, "attributes") or {}
    rows, columns = _lines(told, "rows", faults), _lines(told, "columns", faults)
    if rows and columns and (len(rows), len(columns)) not in VESSELS:
        faults.say("plate-size-unusual", f"the plate has {len(rows)} rows and {len(columns)} columns")
    wells = _wells(told, rows, columns, faults)
    if faults.get(told, "name", str, "plate", must=False) is None and "name" not in told:
        faults.say("name-missing", "plate.name is missing")
    return PlateFacts(
        rows=tuple(rows),
        columns=tuple(columns),
        wells=tuple(wells),
        acquisitions=_acquisitions(told, faults),
        field_count=_field_count(told, faults),
    )


def check_counts(facts: PlateFacts, wells: Sequence[Counter[int | None]], faults: Faults) -> None:
    """Compare counts that a plate tells with the images that its wells list, by acquisition."""
    if not wells:
        return
    most = max(sum(counts.values()) for counts in wells)
    # Whether a field that is imaged in two acquisitions counts once or twice is not said.
    least = max(max(counts.values(), default=0) for counts in wells)
    if facts.field_count is not None and facts.field_count < least:
        faults.say("field-count-low", f"plate.field_count is {facts.field_count}, a well lists {most} images")
    elif facts.field_count is not None and facts.field_count > most:
        faults.say("field-count-high", f"plate.field_count is {facts.field_count}, no well lists over {most} images")
    for number, count in facts.acquisitions.items():
        there = max(counts[number] + (counts[None] if len(facts.acquisitions) == 1 else 0) for counts in wells)
        if count is not None and count < there:
            faults.say("acquisition-fields-low", f"acquisition {number} tells {count} fields, a well lists {there}")
        elif count is not None and count > there:
            faults.say(
                "acquisition-fields-high", f"acquisition {number} tells {count} fields, no well lists over {there}"
            )


def _lines(told: Json, key: str, faults: Faults) -> list[str]:
    names: list[str] = []
    for place, one in faults.entries(told, key, "plate", most=MOST_LINES):
        name = faults.get(one, "name", str, place)
        names.append(name or "")
        if name is not None and not NAME.fullmatch(name):
            faults.say("plate-line-name", f"{place}.name is {name!r:.60}; letters and digits only")
    if not names and isinstance(told.get(key), list):
        faults.say("plate-empty", f"plate.{key} is empty")
    for name, count in Counter(names).items():
        if name and count > 1:
            faults.say("plate-line-name", f"{count} {key} are called {name!r:.60}")
    check_case(names, f"plate.{key}", faults)
    if (places := _places(names)) is not None and places != list(range(places[0], places[0] + len(places))):
        faults.say("plate-lines-skipped", f"the {key} are {_few(names)}: not all in between, or out of order")
    elif places is not None and places[0] > 0:
        faults.say("plate-lines-skipped", f"the {key} start at {names[0]!r:.20}, those before are left out")
    return names


def check_case(names: Sequence[str], where: str, faults: Faults) -> None:
    """Note names that are the same where a file system takes upper and lower case for one."""
    for name, count in Counter(one.lower() for one in dict.fromkeys(names)).items():
        if count > 1:
            faults.say("name-clash", f"{where} has {count} names that differ in case only: {name!r:.60}")


def _places(names: Sequence[str]) -> list[int] | None:
    """Return the numbers of rows or columns with usual names, from 0; None where the names are others."""
    if not names or len(set(names)) < len(names):
        return None
    if all(re.fullmatch(r"[0-9]{1,6}", name) for name in names):
        numbers = [int(name) for name in names]
        return numbers if 0 in numbers else [number - 1 for number in numbers]
    if all(re.fullmatch(r"[A-Z]{1,2}|[a-z]{1,2}", name) for name in names):
        return [_letters(name.upper()) for name in names]
    return None


def _letters(name: str) -> int:
    number = 0
    for letter in name:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def _few(names: Sequence[str]) -> str:
    return ", ".join(name[:20] for name in names[:12]) + (" …" if len(names) > 12 else "")


def _wells(told: Json, rows: Sequence[str], columns: Sequence[str], faults: Faults) -> list[str]:
    """Return the paths of the wells that can be looked for, each once."""
    entries = faults.entries(told, "wells", "plate", most=MOST_ENTRIES)
    if not entries and isinstance(told.get("wells"), list):
        faults.say("plate-empty", "plate.wells is empty")
    places = ({name: n for n, name in enumerate(rows)}, {name: n for n, name in enumerate(columns)})
    found: dict[str, None] = {}
    for where, one in entries:
        indices = tuple(_index(one, key, where, faults) for key in ("rowIndex", "columnIndex"))
        path = faults.get(one, "path", str, where)
        if path is None:
            continue
        parts = path.split("/")
        if len(parts) != 2 or not all(NAME.fullmatch(part) for part in parts):
            faults.say("plate-well-path", f"{where}.path is {path!r:.60}, not a row/column")
            continue
        if path in found:
            faults.say("plate-well-repeated", f"{where}: the well {path} is listed before")
        found[path] = None
        _indices(parts, indices, places, (where, path), faults)
    return list(found)


def _index(one: Json, key: str, where: str, faults: Faults) -> int | None:
    index = faults.get(one, key, int, where)
    if index is not None and index < 0:
        faults.say("plate-well-index", f"{where}.{key} is {index}")
        return None
    return index


def _indices(
    parts: Sequence[str],
    indices: Sequence[int | None],
    places: Sequence[Mapping[str, int]],
    shown: tuple[str, str],
    faults: Faults,
) -> None:
    where, path = shown
    for part, index, names, key in zip(parts, indices, places, ("rowIndex", "columnIndex"), strict=True):
        if part not in names:
            kind = "row" if key == "rowIndex" else "column"
            faults.say(
                "plate-well-path", f"{where}: no {kind} of the plate is called {part!r:.40}, as in path {path!r:.60}"
            )
        elif index is not None and index != names[part]:
            faults.say("plate-well-index", f"{where}.{key} is {index}, that of {path!r:.60} is {names[part]}")


def _acquisitions(told: Json, faults: Faults) -> dict[int, int | None]:
    found: dict[int, int | None] = {}
    for where, one in faults.entries(told, "acquisitions", "plate", must=False, most=MOST_ENTRIES):
        number = faults.get(one, "id", int, where)
        for key, kind in (("name", str), ("description", str), ("starttime", int), ("endtime", int)):
            faults.get(one, key, kind, where, must=False) if key in one else None
        count = _positive(one, "maximumfieldcount", where, faults)
        if missing := [key for key in ("name", "maximumfieldcount") if key not in one]:
            faults.say("acquisition-part-missing", f"{where} has no {' and no '.join(missing)}")
        if number is None:
            continue
        if number < 0 or number in found:
            faults.say("acquisition-id", f"{where}.id is {number}" + ("" if number < 0 else ", as of another"))
        found[number] = count
    return found


def _positive(told: Json, key: str, where: str, faults: Faults) -> int | None:
    value = faults.get(told, key, int, where, must=False)
    if value is not None and value < 1:
        faults.say("value-wrong", f"{where}.{key} is {value}, not at least 1")
        return None
    return value


def _field_count(told: Json, faults: Faults) -> int | None:
    if "field_count" not in told:
        faults.say("field-count-missing", "plate.field_count is missing")
    return _positive(told, "field_count", "plate", faults)
