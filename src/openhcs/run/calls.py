"""Call a user's functions on a stack, and hold what they return to its form.

A stack is (n, y, x). A 2-D result counts as one plane. Whatever a function raises becomes a
`StepError` that keeps its traceback.
"""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.core.steps import DTYPES
from openhcs.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable

    from openhcs.core.steps import Call, Chain

    Array = np.ndarray[Any, np.dtype[Any]]


def call_chain(chain: Chain, stack: Array, *, step: str, well: str, where: str) -> Array:
    """Return the planes (m, y, x) that a chain of functions makes of a stack (n, y, x).

    The functions may change ``stack``; the result is the caller's own: an array that somebody else
    still holds, such as a buffer that a function uses again, is copied. ``where`` names the group
    in messages.

    Raises
    ------
    StepError
        a function raised, or returned what is no stack of planes.
    """
    for call in chain:
        stack = _call(call, stack, step=step, well=well, where=where)
    return stack


def _call(call: Call, stack: Array, *, step: str, well: str, where: str) -> Array:
    try:
        result, holders = _take(call, stack)
    except (Exception, SystemExit) as error:  # the worker's edge: anything a user's function raises
        last = f"{type(error).__name__}: {error}"
        failed = StepError(f"step {step}: {call.name} raised on {where}: {last}", well=well, step=step)
        failed.add_note(traceback.format_exc())
        raise failed from error
    if problem := _problem(result):
        raise StepError(f"step {step}: {call.name} on {where} returned {problem}", well=well, step=step)
    array = np.asarray(result)
    if result is not stack and array.base is not stack and holders > FRESH[array.base is not None]:
        array = array.copy()
    return array[None] if array.ndim == 2 else array


def _take(call: Callable[[Array], Any], stack: Array) -> tuple[Any, int]:
    """Return what a function returns, and how many references hold its memory."""
    result = call(stack)
    owner = result
    if isinstance(result, np.ndarray) and result.base is not None:
        owner = result.base
    return result, sys.getrefcount(owner)


_ONE = np.zeros((1, 1, 1))
FRESH = (_take(lambda stack: stack + 1, _ONE)[1], _take(lambda stack: (stack + 1)[:1], _ONE)[1])
"""References to memory that nobody but the caller holds: of an array, of a view. Measured, since
interpreters count differently."""


def _problem(result: object) -> str | None:
    """Return what is wrong with a result, or None."""
    if isinstance(result, tuple):
        return "a tuple; a step returns one array (n, y, x) or (y, x)"
    if result is None:
        return "None; did it forget to return its array?"
    array = np.asarray(result)
    if array.dtype.name not in DTYPES:
        return f"an array of {array.dtype}; what can be kept: {', '.join(DTYPES)}"
    if array.ndim not in (2, 3) or 0 in array.shape:
        return f"an array of shape {array.shape}; a step returns (n, y, x) or (y, x)"
    return None
