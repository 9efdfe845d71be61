"""What the built-in functions share: one plane after the other, and rounding as images have it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.errors import InvalidValue, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, np.dtype[Any]]


def each_plane(stack: Array, function: Callable[[Array], Array], dtype: object = None) -> Array:
    """Return ``function`` of each plane of a stack (n, y, x), in ``dtype`` or the stack's own.

    Raises
    ------
    InvalidValue
        the array has other than three axes.
    """
    if stack.ndim != 3:
        raise InvalidValue(f"a stack has the axes (n, y, x), this array has the shape {stack.shape}")
    out = np.empty(stack.shape, stack.dtype if dtype is None else np.dtype(str(dtype)))
    for plane, result in zip(stack, out, strict=True):
        result[...] = rounded(function(plane), out.dtype)
    return out


def rounded(values: Array, dtype: np.dtype[Any]) -> Array:
    """Return ``values`` in ``dtype``: halves go up and what is out of range to its nearest end."""
    if dtype.kind not in "iu" or values.dtype.kind in "iub":
        return values.astype(dtype, copy=False)
    ends = np.iinfo(dtype)
    return np.clip(np.floor(values + 0.5), ends.min, ends.max).astype(dtype)


def library(name: str) -> Any:
    """Return a module of an optional library.

    Raises
    ------
    UsageError
        it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise UsageError(f"this step needs {package}; install it with: pip install 'openhcs[steps]'") from error
