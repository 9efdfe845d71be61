"""Dataclasses as JSON knows them and back, driven by their fields and type hints.

A field at its default is left out. What comes back is equal to what went in; JSON that does not fit
is refused with the place of the misfit, such as ``recipe.steps[2].layer.dtype``.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Union

from openhcs.errors import FormatError, OpenHCSError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

KIND = "kind"
"""Key that tells which class an object is of, where a field may hold several."""
ODD_FLOATS = ("nan", "inf", "-inf")
"""Numbers that JSON has no form for, as texts."""

WANTED = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def misfit(at: str, wanted: str) -> NoReturn:
    """Refuse what stands at a place of the document."""
    raise FormatError(f"the plan is not as openhcs writes it: {at or 'its beginning'} must be {wanted}")


@dataclasses.dataclass(frozen=True, slots=True)
class Own:
    """How values of one type hint are written and read where that is not by their fields."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any, str], Any]


class Codec:
    """Writes and reads values by type hint.

    Parameters
    ----------
    names
        modules or mappings whose names type hints may use.
    own
        hints with a form of their own.
    """

    def __init__(self, names: Iterable[Mapping[str, Any]], own: Mapping[Any, Own]) -> None:
        self._names: dict[str, Any] = {"Mapping": Mapping, "Path": Path}
        for more in names:
            self._names.update({name: value for name, value in more.items() if not name.startswith("_")})
        self._own = own
        self._hints: dict[type, dict[str, Any]] = {}

    def hints(self, cls: type) -> dict[str, Any]:
        """Return the type hints of a class's fields."""
        if cls not in self._hints:
            found = typing.get_type_hints(cls, localns=self._names)
            self._hints[cls] = {field.name: found[field.name] for field in dataclasses.fields(cls)}
        return self._hints[cls]

    def encode(self, hint: Any, value: Any) -> Any:
        """Return a value as JSON knows it."""
        own = self._own.get(hint)
        if own is not None:
            return own.encode(value)
        if value is None:
            return None
        origin = typing.get_origin(hint)
        if origin in {Union, types.UnionType}:
            return self._encode_one_of(typing.get_args(hint), value)
        if origin is tuple:
            return [self.encode(one, item) for one, item in zip(_items(hint, len(value)), value, strict=True)]
        if origin is Mapping:
            return self._encode_mapping(typing.get_args(hint), value)
        if dataclasses.is_dataclass(hint):
            return self.encode_fields(value)
        if isinstance(value, Enum):
            return value.value
        if hint is float and not math.isfinite(value):
            return str(value)
        return str(value) if isinstance(value, Path) else value

    def encode_fields(self, value: Any) -> dict[str, Any]:
        """Return a dataclass by its fields, whatever form of its own it has."""
        cls = type(value)
        hints = self.hints(cls)
        return {
            field.name: self.encode(hints[field.name], getattr(value, field.name))
            for field in dataclasses.fields(cls)
            if not _at_default(field, getattr(value, field.name))
        }

    def _encode_one_of(self, hints: tuple[Any, ...], value: Any) -> Any:
        classes = [hint for hint in hints if dataclasses.is_dataclass(hint)]
        if type(value) in classes and len(classes) > 1:
            fields = self.encode(type(value), value)
            return {KIND: type(value).__name__, **fields} if isinstance(fields, dict) else fields
        fit = next((hint for hint in hints if isinstance(value, typing.get_origin(hint) or hint)), type(value))
        return self.encode(fit, value)

    def _encode_mapping(self, hints: tuple[Any, ...], value: Mapping[Any, Any]) -> Any:
        key, item = hints
        if key in {str, int}:
            return {str(name): self.encode(item, one) for name, one in value.items()}
        return [[self.encode(key, name), self.encode(item, one)] for name, one in value.items()]

    def decode(self, hint: Any, value: Any, at: str = "") -> Any:
        """Return the value that JSON tells of; ``at`` is its place in the document.

        Raises
        ------
        FormatError
            it does not fit.
        """
        own = self._own.get(hint)
        if own is not None:
            return own.decode(value, at)
        origin = typing.get_origin(hint)
        if origin in {Union, types.UnionType}:
            return self._decode_one_of(typing.get_args(hint), value, at)
        if origin is tuple:
            return self._decode_tuple(hint, value, at)
        if origin is Mapping:
            return self._decode_mapping(typing.get_args(hint), value, at)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            return self.decode_fields(hint, value, at)
        if isinstance(hint, type) and issubclass(hint, Enum):
            if not isinstance(value, str) or value not in {one.value for one in hint}:
                misfit(at, f"one of {', '.join(str(one.value) for one in hint)}")
            return hint(value)
        return _plain(hint, value, at)

    def _decode_tuple(self, hint: Any, value: Any, at: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            misfit(at, "a list")
        wanted = _items(hint, len(value))
        if len(wanted) != len(value):
            misfit(at, f"a list of {len(wanted)}")
        return tuple(self.decode(one, value[place], f"{at}[{place}]") for place, one in enumerate(wanted))

    def _decode_mapping(self, hints: tuple[Any, ...], value: Any, at: str) -> dict[Any, Any]:
        key, item = hints
        if key in {str, int}:
            if not isinstance(value, dict):
                misfit(at, "an object")
            return {_key(key, name, at): self.decode(item, one, f"{at}.{name}") for name, one in value.items()}
        pair = types.GenericAlias(tuple, hints)
        pairs = self._decode_tuple(types.GenericAlias(tuple, (pair, ...)), value, at)
        if len(found := dict(pairs)) != len(pairs):
            misfit(at, "a list of pairs, each key once")
        return found

    def decode_fields(self, cls: type, value: Any, at: str) -> Any:
        """Return a dataclass made of its fields, whatever form of its own it has."""
        if not isinstance(value, dict):
            misfit(at, "an object")
        fields = {field.name: field for field in dataclasses.fields(cls)}
        for name in value:
            if name not in fields:
                misfit(f"{at}.{name}" if at else name, f"left out: {cls.__name__} has no such field")
        for name, field in fields.items():
            if name not in value and not _has_default(field):
                misfit(f"{at}.{name}" if at else name, "there")
        hints = self.hints(cls)
        found = {name: self.decode(hints[name], one, f"{at}.{name}" if at else name) for name, one in value.items()}
        try:
            return cls(**found)
        except OpenHCSError as error:
            raise FormatError(f"the plan is not as openhcs writes it: {at}: {error}") from error

    def _decode_one_of(self, hints: tuple[Any, ...], value: Any, at: str) -> Any:
        if value is None and type(None) in hints:
            return None
        hints = tuple(hint for hint in hints if hint is not type(None))
        classes = {hint.__name__: hint for hint in hints if dataclasses.is_dataclass(hint) and isinstance(hint, type)}
        if len(classes) > 1 and isinstance(value, dict):
            if value.get(KIND) not in list(classes):
                misfit(f"{at}.{KIND}", f"one of {', '.join(classes)}")
            return self.decode(classes[value[KIND]], {name: one for name, one in value.items() if name != KIND}, at)
        refused: FormatError | None = None
        for hint in hints:
            try:
                return self.decode(hint, value, at)
            except FormatError as error:
                refused = refused or error
        raise refused or FormatError(f"the plan is not as openhcs writes it: {at}")


def _items(hint: Any, count: int) -> tuple[Any, ...]:
    args = typing.get_args(hint)
    return (args[0],) * count if args[1:] == (...,) else args


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _at_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default_factory is not dataclasses.MISSING:
        return bool(value == field.default_factory())
    return field.default is not dataclasses.MISSING and type(value) is type(field.default) and value == field.default


def _key(hint: type, name: str, at: str) -> Any:
    if hint is str:
        return name
    if not (name.isascii() and name.lstrip("-").isdigit() and str(int(name[:20])) == name):
        misfit(f"{at}.{name}", "named by a number")
    return int(name)


def _plain(hint: Any, value: Any, at: str) -> Any:
    """Return a text, number or truth; a bool is no int."""
    if hint is float and isinstance(value, str) and value in ODD_FLOATS:
        return float(value)
    wanted = WANTED.get(hint, "left out")
    fits = (int, float) if hint is float else hint
    if hint not in WANTED or not isinstance(value, fits) or (isinstance(value, bool) and hint is not bool):
        misfit(at, wanted)
    return float(value) if hint is float and _small(value, at) else value


def _small(value: float, at: str) -> bool:
    if isinstance(value, int) and abs(value) > 2**1000:
        misfit(at, "a number that can be")
    return True
