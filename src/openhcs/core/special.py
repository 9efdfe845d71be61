"""What a function gives beside its image: names and kinds, declared on the function itself.

A function with special outputs returns ``(image, first, second, …)`` in the order declared.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from openhcs.core.checks import name_problem
from openhcs.errors import InvalidType, InvalidValue, suggest

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

LABELS = "labels"
KINDS = {LABELS: "an OME-Zarr label image beneath the image that the function was given"}
"""Every kind of special output, and what becomes of it."""
_MARK = "__special_outputs__"
_CALL = "__call__"
_NAME = re.compile(r"[A-Za-z0-9_-]([A-Za-z0-9_.-]*[A-Za-z0-9_-])?")
LONGEST = 64


def special_outputs(*names: str, **kinds: str) -> Callable[[F], F]:
    """Declare what a function returns beside its image, by name and kind.

    Parameters
    ----------
    kinds
        name → kind, in the order returned. "labels": integers (n, y, x) or (y, x), 0 for background,
        stored as OME-Zarr labels beneath the image.

    Raises
    ------
    InvalidType
        no name, a name without kind, or a function that cannot carry the declaration or has one.
    InvalidValue
        an unknown kind, or a name that no group of a store can have.

    Examples
    --------
    >>> @special_outputs(bright="labels")
    ... def find(stack):
    ...     return stack, (stack > 500).astype("uint8")
    >>> special_outputs_of(find)
    (('bright', 'labels'),)
    """
    if names:
        name = names[0] if isinstance(names[0], str) else "nuclei"
        raise InvalidType(f'say the kind too: @special_outputs({name}="labels"); kinds: {", ".join(KINDS)}')
    if not kinds:
        raise InvalidType('special_outputs names at least one output, such as nuclei="labels"')
    declared = tuple((_named(name), _kind(name, kind)) for name, kind in kinds.items())

    def mark(function: F) -> F:
        if not callable(function):
            raise InvalidType(f"special_outputs decorates a function, not {function!r}")
        if known := special_outputs_of(function):
            raise InvalidType(f"{function!r} declares {known[0][0]!r} already; name all its outputs at once")
        try:
            setattr(function, _MARK, declared)
        except (AttributeError, TypeError):
            raise InvalidType(f"{function!r} cannot carry a declaration; call it in a function of your own") from None
        return function

    return mark


def special_outputs_of(function: Any) -> tuple[tuple[str, str], ...]:
    """Return what a function declares: (name, kind) in the order returned."""
    while isinstance(function, partial):
        function = function.func
    found = getattr(function, _MARK, None)
    if found is None and not isinstance(function, type):
        found = getattr(getattr(type(function), _CALL, None), _MARK, None)
    return found or ()


def _named(name: str) -> str:
    plain = len(name) <= LONGEST and not name.startswith("__") and _NAME.fullmatch(name)
    if not plain or name_problem(name):
        raise InvalidValue(
            f"special output {name!r} would be a folder: up to {LONGEST} letters, digits, '_', '-' and '.', with "
            "neither a dot at an end nor '__' in front, and no name that Windows reserves"
        )
    return name


def _kind(name: str, kind: object) -> str:
    if not isinstance(kind, str):
        raise InvalidType(f"special output {name!r} takes a kind as text ({', '.join(KINDS)}), not {kind!r}")
    if kind not in KINDS:
        raise InvalidValue(f"special output {name!r} is of kind {kind!r}; {suggest(kind, KINDS)}")
    return kind
