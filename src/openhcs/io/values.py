"""What counts as an array on its way into storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.errors import InvalidType, OpenHCSError

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

_TABLES = ("__dataframe__", "__arrow_c_stream__")
_REFUSALS = (TypeError, ValueError, RuntimeError, BufferError, AttributeError)


def array_of(value: object) -> Array | None:
    """Return the numpy array that a value is or stands for; None for other objects.

    Anything with ``__array__`` or DLPack stands for an array (torch, cupy, jax), on whatever
    device; tables do not, since their columns' names would be lost. The array may share memory
    with the value.

    Raises
    ------
    InvalidType
        an array that cannot become one of numpy's, or not without losing its mask.
    """
    if type(value) is np.ndarray:
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise InvalidType("a masked array would lose its mask; save value.filled(...), and the mask beside it")
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    kind = type(value)
    if isinstance(value, type) or any(hasattr(kind, name) for name in _TABLES):
        return None
    if hasattr(kind, "__array__") or hasattr(kind, "__dlpack__"):
        return _converted(value)
    return None


def _converted(value: Any) -> Array:
    try:
        near = _near(value)
        if hasattr(type(near), "__array__"):
            return np.asarray(near)
        return np.from_dlpack(near)
    except OpenHCSError:
        raise
    except _REFUSALS as error:
        raise InvalidType(f"{type(value).__name__} cannot become a numpy array: {error}; convert it first") from error


def _near(value: Any) -> Any:
    """Return the value in the machine's own memory: torch's by ``cpu``, cupy's by ``get``."""
    kind = type(value)
    if hasattr(kind, "detach") and hasattr(kind, "cpu"):
        return value.detach().cpu()
    if hasattr(kind, "__cuda_array_interface__") and hasattr(kind, "get"):
        return value.get()
    return value
