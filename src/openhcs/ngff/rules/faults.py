"""What is wrong in one document, gathered while it is looked at: reading goes on after each fault."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from openhcs.ngff.keys import is_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    Json = Mapping[str, Any]

T = TypeVar("T")
MOST = 20
"""Faults of one code that are told of one document; the rest are counted."""
_WORDS = {str: "a text", int: "a whole number", float: "a number", dict: "an object", list: "a list", bool: "a bool"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong: a code of `openhcs.ngff.rules.table.RULES`, and what is wrong in words."""

    code: str
    said: str


@dataclass(slots=True)
class Faults:
    """The faults of one document that follows ``version`` of OME-Zarr."""

    version: str
    _found: list[Fault] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)

    def say(self, code: str, said: str) -> None:
        """Note one fault."""
        number = self._counts[code] = self._counts.get(code, 0) + 1
        if number <= MOST:
            self._found.append(Fault(code=code, said=said))

    def full(self, code: str) -> bool:
        """Return whether more of a code would only be counted."""
        return self._counts.get(code, 0) > MOST

    def told(self) -> list[Fault]:
        """Return the faults, with a count of those that are like others."""
        more = [
            Fault(code=code, said=f"and {number - MOST} more of the same kind in this document")
            for code, number in self._counts.items()
            if number > MOST
        ]
        return [*self._found, *more]

    def get(self, told: Json, key: str, kind: type[T], where: str, *, must: bool = True) -> T | None:
        """Return a value of its kind; None, with a fault, where it is of another or absent against a must."""
        value = told.get(key)
        if value is None:
            if must or key in told:
                self.say("key-missing", f"{where}.{key} is {'null' if key in told else 'missing'}")
            return None
        if not is_kind(value, kind):
            self.say("value-wrong", f"{where}.{key} is {value!r:.60}, not {_WORDS[kind]}")
            return None
        return value  # type: ignore[no-any-return]

    def entries(self, told: Json, key: str, where: str, *, must: bool = True, most: int) -> list[tuple[str, Json]]:
        """Return the objects in a list, each with the words for its place; a fault for whatever is no object."""
        values = self.get(told, key, list, where, must=must)
        if values is None:
            return []
        if len(values) > most:
            self.say("document-too-large", f"{where}.{key} has {len(values)} entries; the first {most} were looked at")
        found: list[tuple[str, Json]] = []
        for number, one in enumerate(values[:most]):
            place = f"{where}.{key}[{number}]"
            if isinstance(one, dict):
                found.append((place, one))
            else:
                self.say("value-wrong", f"{place} is {one!r:.60}, not an object")
        return found


def is_kind(value: Any, kind: type) -> bool:
    """Return whether a JSON value is of a kind: `float` is any number, a bool is no number."""
    if kind is float:
        return is_number(value)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))
