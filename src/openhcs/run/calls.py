"""Call a user's functions on a stack, and hold what they return to its form.

A stack is (n, y, x). A 2-D result counts as one plane. Whatever a function raises becomes a
`StepError` that keeps its traceback.
"""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from openhcs.core.steps import DTYPES
from openhcs.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openhcs.core.steps import Call, Chain

    Array = np.ndarray[Any, np.dtype[Any]]


class Made(NamedTuple):
    """What a chain made: planes (m, y, x), and label planes (k, y, x) by name."""

    planes: Array
    labels: Mapping[str, Array]


def call_chain(
    chain: Chain, stack: Array, *, step: str, well: str, where: str, label_planes: int | None = None
) -> Made:
    """Return what a chain of functions makes of a stack (n, y, x).

    The functions may change ``stack``; the planes are the caller's own: an array that somebody else
    still holds, such as a buffer that a function uses again, is copied. Labels are to be stored before
    another function is called. ``where`` names the group in messages; ``label_planes`` is how many
    planes labels of this stack have, by default n.

    Raises
    ------
    StepError
        a function raised, or returned what is no stack of planes or no labels of them.
    """
    shape = (len(stack) if label_planes is None else label_planes, *stack.shape[1:])
    labels: dict[str, Array] = {}
    for number, call in enumerate(chain, start=1):
        try:
            stack, made = _call(call, stack, shape)
        except _BadResultError as bad:
            raise StepError(f"step {step}: {call.name} on {where} returned {bad}", well=well, step=step) from None
        except (Exception, SystemExit) as error:  # the worker's edge: anything a user's function raises
            last = f"{type(error).__name__}: {error}"
            failed = StepError(f"step {step}: {call.name} raised on {where}: {last}", well=well, step=step)
            failed.add_note(traceback.format_exc())
            raise failed from error
        # The next function may change what it is given, and labels may share it.
        labels |= made if number == len(chain) else {name: array.copy() for name, array in made.items()}
    return Made(stack, labels)


class _BadResultError(Exception):
    """What is wrong with what a function returned."""


def _call(call: Call, stack: Array, label_shape: tuple[int, ...]) -> tuple[Array, dict[str, Array]]:
    result, holders = _take(call, stack)
    several = isinstance(result, tuple)
    if problem := _form_problem(result, call.outputs):
        raise _BadResultError(problem)
    image, *more = result if several else (result,)
    if problem := _problem(image):
        raise _BadResultError(problem)
    labels = {name: _labels(name, value, label_shape) for name, value in zip(call.outputs, more, strict=True)}
    array = np.asarray(image)
    held = holders > FRESH[several, array.base is not None]
    if image is not stack and array.base is not stack and held:
        array = array.copy()
    return (array[None] if array.ndim == 2 else array), labels


def _take(call: Callable[[Array], Any], stack: Array) -> tuple[Any, int]:
    """Return what a function returns, and how many references hold its image's memory."""
    result = call(stack)
    return result, _holders(result[0] if isinstance(result, tuple) and result else result)


def _holders(image: Any) -> int:
    owner = image
    if isinstance(image, np.ndarray) and image.base is not None:
        owner = image.base
    return sys.getrefcount(owner)


_ONE = np.zeros((1, 1, 1))
_KINDS: Mapping[tuple[bool, bool], Callable[[Array], Any]] = {
    (False, False): lambda stack: stack + 1,
    (False, True): lambda stack: (stack + 1)[:1],
    (True, False): lambda stack: (stack + 1, None),
    (True, True): lambda stack: ((stack + 1)[:1], None),
}
FRESH = {kind: _take(make, _ONE)[1] for kind, make in _KINDS.items()}
"""References to memory that nobody but the caller holds: (in a tuple, of a view). Measured, since
interpreters count differently."""


def _form_problem(result: object, declared: tuple[str, ...]) -> str | None:
    """Return what is wrong with how many things a function returned, or None."""
    if not declared:
        if not isinstance(result, tuple):
            return None
        return (
            "a tuple; a step returns one array (n, y, x) or (y, x); what else it returns is declared, as in "
            '@special_outputs(nuclei="labels")'
        )
    wanted = f"it declares ({', '.join(('image', *declared))})"
    if not isinstance(result, tuple):
        return f"{type(result).__name__} alone; {wanted}"
    return None if len(result) == 1 + len(declared) else f"{len(result)} things; {wanted}"


def _problem(result: object) -> str | None:
    """Return what is wrong with an image, or None."""
    if result is None:
        return "None; did it forget to return its array?"
    array = np.asarray(result)
    if array.dtype.name not in DTYPES:
        return f"an array of {array.dtype}; what can be kept: {', '.join(DTYPES)}"
    if array.ndim not in (2, 3) or 0 in array.shape:
        return f"an array of shape {array.shape}; a step returns (n, y, x) or (y, x)"
    return None


def _labels(name: str, value: object, shape: tuple[int, ...]) -> Array:
    """Return labels (k, y, x) if they are integers from 0 on, of the stack that went in."""
    if value is None:
        raise _BadResultError(f"None for the labels {name!r}")
    array = np.asarray(value)
    if array.dtype.name not in DTYPES or array.dtype.kind not in "iu":
        raise _BadResultError(
            f"an array of {array.dtype} for the labels {name!r}; labels are integers, 0 for background and a number "
            "for each object (scipy.ndimage.label gives them)"
        )
    full = array[None] if array.ndim == 2 else array
    if full.shape != shape:
        raise _BadResultError(
            f"an array of shape {array.shape} for the labels {name!r}; labels of this stack are {shape}: a plane per "
            "plane that went in, those of several channels counted once. Labels of a projection belong into the step "
            "after it."
        )
    if array.dtype.kind == "i" and array.min() < 0:
        raise _BadResultError(f"negative numbers for the labels {name!r}; labels count from 0, the background, on")
    return full
