"""Checks that a value is what a field allows, each with the words a user needs."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from openhcs.errors import InvalidType, InvalidValue, UnknownName, suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

E = TypeVar("E", bound=Enum)


def set_field(owner: object, name: str, value: object) -> None:
    """Set a field of a frozen dataclass while it is being made."""
    object.__setattr__(owner, name, value)


def enum(kind: type[E], value: object, name: str) -> E:
    """Return the member of ``kind`` that ``value`` is or names."""
    if isinstance(value, kind):
        return value
    known = [member.value for member in kind]
    if isinstance(value, Enum) and not isinstance(value, kind) and value.value in known:
        return kind(value.value)
    if not isinstance(value, str):
        raise InvalidType(f"{name} takes a {kind.__name__} ({', '.join(known)}), not {value!r}")
    try:
        return kind(value.lower())
    except ValueError:
        raise UnknownName(f"{name}: {value!r} is no {kind.__name__}; {suggest(value, known)}") from None


def boolean(value: object, name: str) -> bool:
    """Return ``value`` if it is True or False."""
    if not isinstance(value, bool):
        raise InvalidType(f"{name} is True or False, not {value!r}")
    return value


def integer(value: object, name: str, *, low: int, high: int | None = None) -> int:
    """Return ``value`` if it is a whole number within ``low`` to ``high``."""
    allowed = f"a whole number from {low} on" if high is None else f"a whole number from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidType(f"{name} is {allowed}, not {value!r}")
    if value < low or (high is not None and value > high):
        raise InvalidValue(f"{name} is {allowed}, not {value}")
    return value


def text(value: object, name: str) -> str:
    """Return ``value`` if it is a non-empty text."""
    if not isinstance(value, str):
        raise InvalidType(f"{name} is a text, not {value!r}")
    if not value:
        raise InvalidValue(f"{name} must not be empty")
    return value


def seconds(value: object, name: str) -> float:
    """Return ``value`` as a number of seconds above 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidType(f"{name} is a number of seconds, not {value!r}")
    if not 0 < value < float("inf"):
        raise InvalidValue(f"{name} is a number of seconds above 0, not {value!r}")
    return float(value)


def one_of(value: object, name: str, allowed: Sequence[str]) -> str:
    """Return ``value`` if it is one of the ``allowed`` words."""
    word = text(value, name)
    if word not in allowed:
        raise InvalidValue(f"{name}: {word!r}; {suggest(word, allowed)}")
    return word


def shape(value: object, name: str) -> tuple[int, ...]:
    """Return ``value`` as a tuple of sizes, each at least 1."""
    if not isinstance(value, (tuple, list)) or not value:
        raise InvalidType(f"{name} is a tuple of sizes such as (1, 540, 540), not {value!r}")
    return tuple(integer(size, f"each size in {name}", low=1) for size in value)


def plain_name(value: object, name: str) -> str:
    """Return ``value`` if it can be the name of one file or folder anywhere."""
    word = text(value, name)
    if problem := name_problem(word):
        raise InvalidValue(f"{name}: {word!r} {problem}")
    return word


RESERVED = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10))}
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def name_problem(part: str) -> str | None:
    """Return why ``part`` cannot name a file or folder on every system, or None."""
    if part in {"", ".", ".."}:
        return "is not a name"
    if "/" in part or "\\" in part:
        return "must be one name without slashes"
    if len(part.encode("utf-8", "surrogatepass")) > 255:
        return "is longer than 255 bytes"
    if any(ord(char) < 32 or ord(char) == 127 or char in BIDI for char in part):
        return "holds control characters"
    if part.split(".", maxsplit=1)[0].lower() in RESERVED:
        return "is reserved on Windows"
    return None


def optional(check: Any, value: Any, name: str, **limits: Any) -> Any:
    """Return None for None, else what ``check`` returns."""
    return None if value is None else check(value, name, **limits)
