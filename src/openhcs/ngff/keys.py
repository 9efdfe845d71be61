"""Take keys out of the JSON objects of strangers: each is of its kind, or the error says where it is not."""

from __future__ import annotations

from typing import Any, TypeVar

from openhcs.errors import FormatError

T = TypeVar("T")
LARGEST = 1e300
"""Numbers are smaller than this, so that arithmetic with them stays finite."""


def take(told: dict[str, Any], key: str, kind: type[T], where: str) -> T:
    """Take a key that must be there out of ``told``; `FormatError` naming ``where`` if it is not."""
    found = maybe(told, key, kind, where)
    if found is None:
        raise FormatError(f"{where} is missing from the OME-Zarr document")
    return found


def maybe(told: dict[str, Any], key: str, kind: type[T], where: str) -> T | None:
    """Take a key out of ``told`` if it is there and no null; `FormatError` if it is of another kind."""
    if told.get(key) is None:
        # A null stays with the unknown keys, so that it is written again.
        return None
    value = told.pop(key)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise FormatError(f"{where} is {value!r:.80}, not a JSON {kind.__name__}")
    return kind(value) if kind in (dict, list) else value  # type: ignore[call-arg]


def as_object(value: Any, where: str) -> dict[str, Any]:
    """Return a copy of a JSON object; `FormatError` if it is none."""
    if not isinstance(value, dict):
        raise FormatError(f"{where} is {value!r:.80}, not a JSON object")
    return dict(value)


def as_text(value: Any, where: str) -> str:
    """Return a text; `FormatError` if it is none."""
    if not isinstance(value, str):
        raise FormatError(f"{where} is {value!r:.80}, not a text")
    return value


def as_numbers(value: Any, count: int, where: str) -> tuple[float, ...]:
    """Return a list of so many finite numbers; `FormatError` if it is none."""
    good = isinstance(value, list) and all(is_number(one) for one in value)
    if not good or len(value) != count:
        raise FormatError(f"{where} is {value!r:.80}, not {count} numbers, one per axis")
    return tuple(value)


def is_number(value: Any) -> bool:
    """Return whether a value is a number that can be calculated with."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST


def given(**values: Any) -> dict[str, Any]:
    """Return those values that are not None."""
    return {name: value for name, value in values.items() if value is not None}
