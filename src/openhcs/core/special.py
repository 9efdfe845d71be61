"""What a function gives beside its image, and what it takes of earlier steps: declared on the function itself.

A function with special outputs returns ``(image, first, second, …)`` in the order declared; one with
special inputs is handed them by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from openhcs.core.checks import name_problem
from openhcs.errors import InvalidType, InvalidValue, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

F = TypeVar("F", bound="Callable[..., Any]")
Materialiser = Callable[[Any, str], "Mapping[str, bytes | str]"]
"""Turns a value into files: (value, stem) → content by file name, each name beginning with the stem."""

LABELS, TABLE, ROI, ARRAY, OBJECT, OWN = "labels", "table", "roi", "array", "object", "own"
KINDS = {
    TABLE: "rows that are merged over the plate into Parquet and CSV, with well, site and channel in front",
    LABELS: "an OME-Zarr label image beneath the image that the function was given",
    ROI: "polygons in ImageJ's form, a zip for each call",
    ARRAY: "an array of numbers, a .npy for each call",
    OBJECT: "what JSON can say, a .json for each call",
}
"""Every kind that can be said, and what becomes of it; a function of one's own is a kind too."""
OUTPUTS, INPUTS = "__special_outputs__", "__special_inputs__"
"""Attributes of a function that carry what it declares."""
_CALL = "__call__"
_NAME = re.compile(r"[A-Za-z0-9_-]([A-Za-z0-9_.-]*[A-Za-z0-9_-])?")
LONGEST = 64


@dataclass(frozen=True, slots=True)
class Output:
    """One declared output: its name, its kind, and what writes it where the kind is `OWN`.

    A kind of None is found out by a probe.
    """

    name: str
    kind: str | None
    materialiser: Materialiser | None = None


def special_outputs(*names: str, **kinds: str | Materialiser) -> Callable[[F], F]:
    """Declare what a function returns beside its image, by name and kind.

    Parameters
    ----------
    names
        outputs whose kind is plain from what comes: a list of dicts, a dict of columns, a DataFrame or
        Arrow table is a table; other dicts, lists, texts and numbers are objects. Arrays must say.
    kinds
        name → kind, in the order returned, after ``names``.

        ========== ==========================================================================
        "table"    a list of dicts, a dict of columns or of single values, a DataFrame, an Arrow table
        "labels"   integers (n, y, x) or (y, x), 0 for background
        "roi"      a list of polygons, each an array (points, 2) of y and x in pixels
        "array"    an array of any shape of numbers
        "object"   dicts, lists, texts, numbers, True, False, None
        a function ``(value, stem)`` → {file name: bytes or text}, each name beginning with ``stem``
        ========== ==========================================================================

    Raises
    ------
    InvalidType
        no name, a name without kind, or a function that cannot carry the declaration or has one.
    InvalidValue
        an unknown kind, or a name that no folder of an output can have.

    Examples
    --------
    >>> @special_outputs(bright="labels")
    ... def find(stack):
    ...     return stack, (stack > 500).astype("uint8")
    >>> [(one.name, one.kind) for one in special_outputs_of(find)]
    [('bright', 'labels')]
    """
    if not names and not kinds:
        raise InvalidType('special_outputs names at least one output, such as "counts" or nuclei="labels"')
    if strange := [name for name in names if not isinstance(name, str)]:
        raise InvalidType(f"special_outputs stands above a function and takes names, not {strange[0]!r}")
    if twice := [name for name in names if name in kinds or names.count(name) > 1]:
        raise InvalidValue(f"special output {twice[0]!r} is named twice")
    declared = (
        *(Output(_named(name), None) for name in names),
        *(_output(name, kind) for name, kind in kinds.items()),
    )
    return _marker(OUTPUTS, declared, "special_outputs", [one.name for one in declared], special_outputs_of)


def special_inputs(*names: str) -> Callable[[F], F]:
    """Declare what a function takes of earlier steps, beside its stack: handed to it by name.

    It gets the values of the calls that it belongs to: those of the same site, time point, channel and z
    plane, as far as both calls have just one. One such value comes as it is, several as a list in the
    order of the plate. Labels come as an array (k, y, x), a plane for each of the stack, those of several
    channels once.

    Parameters
    ----------
    names
        special outputs of earlier steps.

    Raises
    ------
    InvalidType
        no name, or a function that cannot carry the declaration or has one.
    InvalidValue
        a name that no parameter can have, or one that stands twice.

    Examples
    --------
    >>> @special_inputs("background")
    ... def subtract(stack, background):
    ...     return stack - background
    >>> special_inputs_of(subtract)
    ('background',)
    """
    if not names:
        raise InvalidType('special_inputs names at least one output of an earlier step, such as "positions"')
    for name in names:
        if not isinstance(name, str):
            raise InvalidType(f"special_inputs stands above a function and takes names, not {name!r}")
        if not name.isidentifier():
            raise InvalidValue(f"special input {name!r} is handed over by name, and no parameter can be named so")
    if len(set(names)) != len(names):
        raise InvalidValue(f"special_inputs names an input twice: {', '.join(names)}")
    return _marker(INPUTS, names, "special_inputs", list(names), special_inputs_of)


def special_outputs_of(function: Any) -> tuple[Output, ...]:
    """Return what a function declares that it gives, in the order returned."""
    return tuple(_mark_of(function, OUTPUTS))


def special_inputs_of(function: Any) -> tuple[str, ...]:
    """Return what a function declares that it takes."""
    return tuple(_mark_of(function, INPUTS))


def _marker(
    mark: str, declared: tuple[Any, ...], word: str, names: list[str], known: Callable[[Any], tuple[Any, ...]]
) -> Callable[[F], F]:
    def put(function: F) -> F:
        if not callable(function):
            raise InvalidType(f"{word} decorates a function, not {function!r}")
        if known(function):
            raise InvalidType(f"{function!r} has {word} already; name all of them at once, with {', '.join(names)}")
        try:
            setattr(function, mark, declared)
        except (AttributeError, TypeError):
            raise InvalidType(f"{function!r} cannot carry a declaration; call it in a function of your own") from None
        return function

    return put


def _mark_of(function: Any, mark: str) -> Any:
    while isinstance(function, partial):
        function = function.func
    found = getattr(function, mark, None)
    if found is None and not isinstance(function, type):
        found = getattr(getattr(type(function), _CALL, None), mark, None)
    return found or ()


def _named(name: str) -> str:
    plain = len(name) <= LONGEST and not name.startswith("__") and _NAME.fullmatch(name)
    if not plain or name_problem(name):
        raise InvalidValue(
            f"special output {name!r} would be a folder: up to {LONGEST} letters, digits, '_', '-' and '.', with "
            "neither a dot at an end nor '__' in front, and no name that Windows reserves"
        )
    return name


def _output(name: str, kind: object) -> Output:
    _named(name)
    if callable(kind):
        return Output(name, OWN, kind)
    if not isinstance(kind, str):
        known = ", ".join(KINDS)
        raise InvalidType(f"special output {name!r} takes a kind as text ({known}) or a function, not {kind!r}")
    if kind not in KINDS:
        raise InvalidValue(f"special output {name!r} is of kind {kind!r}; {suggest(kind, KINDS)}")
    return Output(name, kind)
