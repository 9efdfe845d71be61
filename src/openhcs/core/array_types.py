"""Which array library a function works with, declared on the function itself; nothing said means numpy."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from openhcs.errors import InvalidType, InvalidValue, suggest

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

NUMPY, ARRAY_API = "numpy", "array_api"
LIBRARIES = {
    "numpy": "numpy",
    "torch": "torch",
    "cupy": "cupy",
    "jax": "jax",
    "tensorflow": "tensorflow",
    "pyclesperanto": "pyclesperanto",
    "array_api": "numpy",
}
"""Kind of array → the module that makes it. "array_api" takes whatever is there: any library of the array API."""
_MARK, _SLICEWISE = "__array_type__", "slicewise"


class ArrayType(NamedTuple):
    """What a function takes: the kind of array, and whether each plane of a stack may be given to it alone."""

    kind: str = NUMPY
    slicewise: bool = False


def array_type(kind: str, *, slicewise: bool = False) -> Callable[[F], F]:
    """Declare the kind of array that a function takes as its stack and special inputs.

    Parameters
    ----------
    kind
        "torch", "cupy", "jax", "tensorflow", "pyclesperanto", "numpy", or "array_api" for a function that
        asks its array for its namespace and works with any of them.
    slicewise
        the function treats each plane by itself, so that a stack may be given to it in parts where a GPU
        has no memory for the whole.

    Raises
    ------
    InvalidType, InvalidValue
        what is no function or no kind, with those that are.

    Examples
    --------
    >>> @array_type("torch", slicewise=True)
    ... def double(stack):
    ...     return stack * 2
    >>> array_type_of(double)
    ArrayType(kind='torch', slicewise=True)
    """
    if not isinstance(kind, str):
        raise InvalidType(f'array_type takes a kind, as in @array_type("torch"), not {kind!r}')
    if kind not in LIBRARIES:
        raise InvalidValue(f"array_type {kind!r}: {suggest(kind, LIBRARIES)}")

    def put(function: F) -> F:
        if not callable(function):
            raise InvalidType(f"array_type decorates a function, not {function!r}")
        if getattr(function, "__dict__", {}).get(_MARK):
            raise InvalidType(f"{function!r} takes arrays of {array_type_of(function).kind} already")
        try:
            setattr(function, _MARK, (kind, _SLICEWISE) if slicewise else (kind,))
        except (AttributeError, TypeError):
            raise InvalidType(f"{function!r} cannot carry a declaration; call it in a function of your own") from None
        return function

    return put


def array_type_of(function: Any) -> ArrayType:
    """Return what a function declares that it takes."""
    while isinstance(function, partial):
        function = function.func
    found = getattr(function, _MARK, None)
    if found is None and not isinstance(function, type):
        found = getattr(getattr(type(function), "__call__", None), _MARK, None)  # noqa: B004 - its declaration
    return ArrayType(found[0], _SLICEWISE in found) if found else ArrayType()
