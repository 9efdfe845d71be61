"""Parts of arrays: numpy's basic indexing, resolved against a shape."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from openhcs.errors import InvalidType, InvalidValue

if TYPE_CHECKING:
    Part = int | slice


def resolve(region: Any, shape: tuple[int, ...]) -> tuple[tuple[Part, ...], tuple[int, ...]]:
    """Return one integer or (start, stop, step) slice for each axis, and the shape of the part.

    Negative numbers count from the end, as in numpy; a slice is cut to the array and never has a
    stop before its start.

    Raises
    ------
    InvalidValue
        an index outside the array, too many of them, or a step below 1.
    InvalidType
        anything but integers, slices and one ellipsis.

    Examples
    --------
    >>> resolve((-1, slice(1, 9, 2)), (3, 4, 5))
    ((2, slice(1, 4, 2), slice(0, 5, 1)), (2, 5))
    """
    given = region if isinstance(region, tuple) else (region,)
    parts = tuple(
        _slice(one, size, axis) if isinstance(one, slice) else _index(one, size, axis)
        for axis, (one, size) in enumerate(zip(_expand(given, len(shape)), shape, strict=True))
    )
    return parts, tuple(len(range(part.start, part.stop, part.step)) for part in parts if isinstance(part, slice))


def _expand(given: tuple[Any, ...], axes: int) -> tuple[Any, ...]:
    dots = [place for place, one in enumerate(given) if one is Ellipsis]
    if len(dots) > 1 or len(given) - len(dots) > axes:
        raise InvalidValue(f"the region {given} has too many parts for an array of {axes} axes")
    place = dots[0] if dots else len(given)
    rest = (slice(None),) * (axes - len(given) + len(dots))
    return given[:place] + rest + given[place + len(dots) :]


def _slice(one: slice, size: int, axis: int) -> slice:
    try:
        start, stop, step = one.indices(size)
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"{one} on axis {axis}: {error}") from error
    if step < 1:
        raise InvalidValue(f"{one} on axis {axis}: steps are 1 or more")
    return slice(start, max(start, stop), step)


def _index(one: Any, size: int, axis: int) -> int:
    try:
        number = operator.index(one)
    except TypeError:
        raise InvalidType(f"{one!r} on axis {axis}: a region is made of integers, slices and '...'") from None
    if isinstance(one, bool) or not -size <= number < size:
        raise InvalidValue(f"{one!r} is outside axis {axis}, which has {size}")
    return number % size
