"""Call a user's functions on a stack, and hold what they return to its form.

A stack is (n, y, x). A 2-D result counts as one plane. Whatever a function raises becomes a
`StepError` that keeps its traceback.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from openhcs.core.array_types import NUMPY
from openhcs.core.special import LABELS, OBJECT
from openhcs.core.steps import DTYPES
from openhcs.errors import StepError
from openhcs.run import note
from openhcs.run.arrays import bytes_of, converted, kind_of, own, shape_problem, to_numpy, version_of
from openhcs.run.devices import in_parts, slot
from openhcs.run.values import NoSuchValueError, plain_kind, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from openhcs.core.special import Output
    from openhcs.core.steps import Call, Chain

    Array = np.ndarray[Any, np.dtype[Any]]


class Made(NamedTuple):
    """What a chain made: planes (m, y, x), label planes (k, y, x) by name, and other special outputs by name.

    ``same`` says that the planes are the very array that came in.
    """

    planes: Array
    labels: Mapping[str, Array]
    values: Mapping[str, Any]
    same: bool = False


class Place(NamedTuple):
    """Where a chain is called, for messages: step, well, and the group in words."""

    step: str
    well: str
    where: str


def call_chain(
    chain: Chain,
    stack: Array,
    place: Place,
    *,
    given: Mapping[str, Any] | None = None,
    label_planes: int | None = None,
) -> Made:
    """Return what a chain of functions makes of a stack (n, y, x).

    The functions may change ``stack``; the planes are the caller's own: an array that somebody else
    still holds, such as a buffer that a function uses again, is copied. Labels are to be stored before
    another function is called.

    Parameters
    ----------
    given
        special outputs of earlier steps by name; a function gets those it declares, and those that an
        earlier one of the chain made.
    label_planes
        how many planes labels of this stack have, by default n.

    Raises
    ------
    StepError
        a function raised, or returned what is no stack of planes, no labels of them, or no value of the
        kind declared.
    """
    first = at = stack
    shape = (len(stack) if label_planes is None else label_planes, *stack.shape[1:])
    known = dict(given or {})
    labels: dict[str, Array] = {}
    values: dict[str, Any] = {}
    for number, call in enumerate(chain, start=1):
        with told(call, place):
            at, more = _call(call, at, known)
            made = _sorted_out(call.outputs, more, shape)
        # The next function may change what it is given, and labels may share it.
        last = number == len(chain)
        labels |= {name: array if last else array.copy() for name, array in made.labels.items()}
        values |= made.values
        known |= {name: read_only(array) for name, array in labels.items()} | made.values
    planes = to_numpy(at)
    return Made(planes, labels, values, planes is first)


def call_over_wells(chain: Chain, place: Place, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return, by name, what a chain makes of special inputs alone.

    Raises
    ------
    StepError
        as `call_chain`.
    """
    known = dict(given)
    values: dict[str, Any] = {}
    for call in chain:
        with told(call, place):
            result = call(**{name: known[name] for name in call.inputs})
            several = result if len(call.outputs) > 1 else (result,)
            if not isinstance(several, tuple) or len(several) != len(call.outputs):
                raise BadResultError(f"{_count(result)}; it declares ({', '.join(one.name for one in call.outputs)})")
            values |= _sorted_out(call.outputs, several, ()).values
        known |= values
    return values


@contextlib.contextmanager
def told(call: Call, place: Place) -> Iterator[None]:
    """Turn what a function raises, or is told about its result, into a `StepError` that says where."""
    note.write(f"step {place.step}: {call.name} on {place.where}")
    try:
        yield
    except BadResultError as bad:
        text = f"step {place.step}: {call.name} on {place.where} returned {bad}"
        raise StepError(text, well=place.well, step=place.step) from None
    except (Exception, SystemExit) as error:  # the worker's edge: anything a user's function raises
        last = f"{type(error).__name__}: {error}"
        text = f"step {place.step}: {call.name} raised on {place.where}: {last}"
        failed = StepError(text, well=place.well, step=place.step)
        failed.add_note(traceback.format_exc())
        raise failed from error


class BadResultError(Exception):
    """What is wrong with what a function returned."""


def read_only(array: Array) -> Array:
    """Return a view that cannot be written through."""
    view = array.view()
    view.flags.writeable = False
    return view


def _call(call: Call, stack: Any, known: Mapping[str, Any]) -> tuple[Any, tuple[Any, ...]]:
    """Return the planes (m, y, x) that a call makes, of any kind of array, and what it returns beside them."""
    if call.array_type.kind != NUMPY or kind_of(stack) != NUMPY:
        return call_elsewhere(call, stack, known)
    result, holders = _take(partial(call, **{name: known[name] for name in call.inputs}), stack)
    several = isinstance(result, tuple)
    if problem := _form_problem(result, [one.name for one in call.outputs]):
        raise BadResultError(problem)
    image, *more = result if several else (result,)
    if kind_of(image) not in {NUMPY, None}:
        return image_of_any_kind(image), tuple(map(plain_value, more))
    if problem := _problem(image):
        raise BadResultError(problem)
    array = np.asarray(image)
    held = holders > FRESH[several, array.base is not None]
    if image is not stack and array.base is not stack and held:
        array = array.copy()
    return (array[None] if array.ndim == 2 else array), tuple(map(plain_value, more))


def call_elsewhere(call: Call, stack: Any, known: Mapping[str, Any]) -> tuple[Any, tuple[Any, ...]]:
    """Return what a call makes of a stack in the memory of another library, or coming from one."""
    kind, slicewise = call.array_type
    with slot(kind, bytes_of(stack)) as device:
        planes = int(stack.shape[0])

        def once(part: slice) -> tuple[Any, ...]:
            mine, cut = stack, range(*part.indices(planes))
            if slicewise:
                # What a call wrote into before it ran out of memory must not be seen by the next try.
                mine = to_numpy(stack)[part].copy()
            given = {
                name: _handed_over(_part_of(known[name], part, planes, len(cut)), kind, device) for name in call.inputs
            }
            handed = converted(mine, kind, device)
            version = version_of(handed)
            result, holders = _take(partial(call, **given), handed)
            several = isinstance(result, tuple)
            if problem := _form_problem(result, [one.name for one in call.outputs]):
                raise BadResultError(problem)
            image, *more = result if several else (result,)
            if image is handed and version is not None and version == version_of(handed):
                image = mine
            elif holders > FRESH[several, False] or getattr(image, "_base", None) is not None:
                image = own(image)
            return (image_of_any_kind(image), *map(plain_value, more))

        if not slicewise:
            image, *more = once(slice(None))
        else:
            image, *more = in_parts(once, planes, joined=partial(_joined, call))
    return image, tuple(more)


def _part_of(value: Any, part: slice, planes: int, count: int) -> Any:
    """Return the planes of a special input that go with a part of a stack; one that has no planes of it, whole."""
    if isinstance(value, list):
        return [_part_of(one, part, planes, count) for one in value]
    plane_wise = count < planes and kind_of(value) is not None and len(value.shape) == 3 and len(value) == planes
    return value[part] if plane_wise else value


def _handed_over(value: Any, kind: str, device: Any) -> Any:
    """Return a special input as a function of another library takes it: arrays converted, all else as it is."""
    if isinstance(value, list):
        return [_handed_over(one, kind, device) for one in value]
    if kind_of(value) is None:
        return value
    return converted(value, kind, device, numbers=value.dtype.kind in "iu")


def _joined(call: Call, parts: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return the results of parts of a stack as one."""
    if others := [one.name for one in call.outputs if one.kind != LABELS]:
        raise BadResultError(
            f"{others[0]!r} of parts of its stack; a slice-wise function gives images and labels alone"
        )
    return tuple(np.concatenate([to_numpy(one) for one in same]) for same in zip(*parts, strict=True))


def image_of_any_kind(image: Any) -> Any:
    """Return an image as planes (m, y, x), of the kind it is."""
    kind = kind_of(image)
    if kind in {NUMPY, None}:
        if problem := _problem(image):
            raise BadResultError(problem)
        image = np.asarray(image)
    elif problem := shape_problem(image):
        raise BadResultError(problem)
    return image[None, ...] if len(image.shape) == 2 else image


def plain_value(value: Any) -> Any:
    """Return a special output as numpy where it is an array of another library."""
    return value if kind_of(value) in {NUMPY, None} else to_numpy(value)


class _SortedOut(NamedTuple):
    labels: dict[str, Array]
    values: dict[str, Any]


def _sorted_out(outputs: tuple[Output, ...], more: Sequence[Any], label_shape: tuple[int, ...]) -> _SortedOut:
    """Return special outputs by name, labels apart, each held to its kind."""
    found = _SortedOut({}, {})
    for output, value in zip(outputs, more, strict=True):
        if output.kind == LABELS:
            found.labels[output.name] = _labels(output.name, value, label_shape)
            continue
        kind = output.kind or plain_kind(value)
        if kind is None:
            raise BadResultError(
                f"{_count(value)} for {output.name!r}, whose kind is not plain; say it, as in "
                f'@special_outputs({output.name}="array")'
            )
        if value is None and kind != OBJECT:
            raise BadResultError(f"None for the {kind} {output.name!r}")
        try:
            found.values[output.name] = settled(kind, value)
        except NoSuchValueError as error:
            raise BadResultError(f"{error}, for the {kind} {output.name!r}") from None
    return found


def _count(value: object) -> str:
    """Return in words what a value is, as far as its form goes."""
    if isinstance(value, tuple):
        return f"{len(value)} things"
    return "None" if value is None else f"{type(value).__name__} alone"


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


def _form_problem(result: object, declared: list[str]) -> str | None:
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
        raise BadResultError(f"None for the labels {name!r}")
    array = np.asarray(value)
    if array.dtype.name not in DTYPES or array.dtype.kind not in "iu":
        raise BadResultError(
            f"an array of {array.dtype} for the labels {name!r}; labels are integers, 0 for background and a number "
            "for each object (scipy.ndimage.label gives them)"
        )
    full = array[None] if array.ndim == 2 else array
    if full.shape != shape:
        raise BadResultError(
            f"an array of shape {array.shape} for the labels {name!r}; labels of this stack are {shape}: a plane per "
            "plane that went in, those of several channels counted once. Labels of a projection belong into the step "
            "after it."
        )
    if array.dtype.kind == "i" and array.min() < 0:
        raise BadResultError(f"negative numbers for the labels {name!r}; labels count from 0, the background, on")
    return full
