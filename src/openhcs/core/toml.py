"""Frozen dataclasses to TOML text and back.

The standard library reads TOML; the few lines that write it are here. Absence is None, an enum is
its value, a nested dataclass is a table. Unknown keys are refused with the nearest known one.
"""

from __future__ import annotations

import dataclasses
import tomllib
from enum import Enum
from pathlib import PurePath
from typing import Any, TypeVar

from openhcs.errors import InvalidType, InvalidValue, UnknownName, suggest

T = TypeVar("T")
LONGEST = 2**16
"""Letters of the longest configuration that is read."""


def dumps(config: Any) -> str:
    """Return ``config`` as TOML text; fields that are None are left out."""
    return "\n".join(_lines(config, prefix="")) + "\n"


def _lines(config: Any, *, prefix: str) -> list[str]:
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    tables = {name: value for name, value in values.items() if dataclasses.is_dataclass(value)}
    plain = {name: value for name, value in values.items() if name not in tables and value is not None}
    lines = [f"{name} = {_value(value)}" for name, value in plain.items()]
    for name, table in tables.items():
        lines += ["", f"[{prefix}{name}]", *_lines(table, prefix=f"{prefix}{name}.")]
    return lines


def _value(value: Any) -> str:
    match value:
        case Enum():
            return _value(value.value)
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str() | PurePath():
            return _quoted(str(value))
        case tuple() | list():
            return "[" + ", ".join(_value(item) for item in value) + "]"
    raise InvalidValue(f"{type(value).__name__} has no TOML form: {value!r}")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    body = "".join(char if char.isprintable() else f"\\U{ord(char):08X}" for char in escaped)
    return f'"{body}"'


def loads(cls: type[T], text: str) -> T:
    """Return a ``cls`` made from TOML text.

    Raises
    ------
    InvalidType
        ``text`` is no text.
    InvalidValue
        the text is not TOML, or a value is not allowed.
    UnknownName
        a key that ``cls`` does not have.
    """
    if not isinstance(text, str):
        raise InvalidType(f"TOML is taken as text, not as {type(text).__name__}; read the file as text first")
    if len(text) > LONGEST:
        raise InvalidValue(f"the TOML has {len(text)} letters; a configuration has no more than {LONGEST}")
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidValue(f"this is not TOML: {error}") from None
    return _build(cls, data, prefix="")


def _build(cls: type[T], data: dict[str, Any], *, prefix: str) -> T:
    known = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in data.items():
        if name not in known:
            raise UnknownName(f"unknown setting {prefix}{name}; {suggest(name, known)}")
        nested = known[name].default_factory
        if isinstance(nested, type) and dataclasses.is_dataclass(nested):
            if not isinstance(value, dict):
                raise InvalidValue(f"{prefix}{name} is a table of settings, not {value!r}")
            values[name] = _build(nested, value, prefix=f"{prefix}{name}.")
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return cls(**values)
