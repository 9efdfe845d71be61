"""Resolution levels: each pixel is made of the 2 × 2 pixels above it, of labels their mode, of images their mean.

Means of integers are rounded half up, exactly, at any width; at a last odd row or column, what is
there counts. Work goes through blocks that fit a processor's cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.errors import InvalidType, InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, np.dtype[Any]]

NARROW = 2**14 - 1
"""Largest value of which four, and 2 to round, still fit 16 bits."""
_WIDER = {"b": {1: np.int16, 2: np.int32, 4: np.int64}, "u": {1: np.uint16, 2: np.uint32, 4: np.uint64}}
_FLOATS = {"float16": np.float32, "float32": np.float64, "complex64": np.complex128}


@dataclass(frozen=True, slots=True)
class Reduce:
    """One way to make a level.

    ``fill`` puts into its second argument what 2 × 2 pixels of its first, of even sides, come to. With blocks of
    ``block_bytes``, what it makes on the way fits a processor's own cache.
    """

    fill: Callable[[Array, Array], None]
    block_bytes: int


def downsample(array: Array) -> Array:
    """Return the next level of an image.

    Parameters
    ----------
    array
        (…, y, x) of bool, integers, floats or complex numbers; not changed.

    Returns
    -------
    array
        (…, ⌈y/2⌉, ⌈x/2⌉), new, of the same dtype in native byte order. Integers: ⌊mean + ½⌋; bool:
        true where half or more are; floats: the mean taken in the next wider format, and in their own
        for float64, where sums above 1.8e308 are infinite.

    Raises
    ------
    InvalidType
        a dtype that has no mean.
    InvalidValue
        fewer than two axes.

    Examples
    --------
    >>> downsample(np.array([[1, 2, 3], [4, 4, 9]], "uint16")).tolist()
    [[3, 6]]
    """
    if array.dtype.kind not in "biufc":
        raise InvalidType(f"an array of {array.dtype} has no mean and cannot have resolution levels")
    return _reduced(array, MEAN)


def downsample_labels(array: Array) -> Array:
    """Return the next level of a label image: the value that most of 2 × 2 pixels have.

    Of values that are equally frequent, the smallest other than 0 is taken, so that small objects last
    and no value appears that was not there.

    Parameters
    ----------
    array
        (…, y, x) of integers; not changed.

    Returns
    -------
    array
        (…, ⌈y/2⌉, ⌈x/2⌉), new, of the same dtype in native byte order.

    Raises
    ------
    InvalidType
        a dtype other than integers.
    InvalidValue
        fewer than two axes.

    Examples
    --------
    >>> downsample_labels(np.array([[5, 5, 0, 7], [5, 2, 0, 7]], "uint16")).tolist()
    [[5, 7]]
    """
    if array.dtype.kind not in "iu":
        raise InvalidType(f"labels are integers, not {array.dtype}")
    return _reduced(array, MODE)


def _reduced(array: Array, reduce: Reduce) -> Array:
    if array.ndim < 2:
        raise InvalidValue(f"a level is made of images (…, y, x), not of an array of shape {array.shape}")
    native = array.dtype.newbyteorder("=")
    y, x = array.shape[-2:]
    out = np.empty((*array.shape[:-2], (y + 1) // 2, (x + 1) // 2), native)
    for place in np.ndindex(*array.shape[:-2]):
        _plane(array[place], out[place], reduce)
    return out


def _plane(plane: Array, out: Array, reduce: Reduce) -> None:
    y = plane.shape[0]
    if y % 2:
        _plane_rows(np.concatenate([plane[-1:], plane[-1:]]), out[-1:], reduce)
    if y > 1:
        _plane_rows(plane[: y - y % 2], out[: y // 2], reduce)


def _plane_rows(plane: Array, out: Array, reduce: Reduce) -> None:
    """Fill ``out`` from an even number of rows."""
    x = plane.shape[1]
    if x % 2:
        # Pixels counted twice leave the mean and the mode of an edge as they are.
        _blocks(np.concatenate([plane[:, -1:], plane[:, -1:]], axis=1), out[:, -1:], reduce)
    if x > 1:
        _blocks(plane[:, : x - x % 2], out[:, : x // 2], reduce)


def _blocks(plane: Array, out: Array, reduce: Reduce) -> None:
    rows = max(2, reduce.block_bytes // (plane.shape[1] * plane.itemsize) // 2 * 2)
    for start in range(0, plane.shape[0], rows):
        block = plane[start : start + rows]
        reduce.fill(
            np.ascontiguousarray(block, out.dtype) if _awkward(block) else block, out[start // 2 : (start + rows) // 2]
        )


def _awkward(block: Array) -> bool:
    """Whether two neighbours in a row cannot be seen as one aligned number in native order."""
    return (
        block.strides[1] != block.itemsize or not block.dtype.isnative or block.strides[0] % (2 * block.itemsize) != 0
    )


def _mean(block: Array, out: Array) -> None:
    kind, size = block.dtype.kind, block.dtype.itemsize
    if kind in "fc":
        with np.errstate(over="ignore", invalid="ignore"):
            _float_mean(block, out)
    elif kind == "u" and size <= 2:
        _small_unsigned_mean(block, out)
    elif size == 8:
        _wide_mean(block, out)
    else:
        _integer_mean(block.view(np.uint8) if kind == "b" else block, out)


def _float_mean(block: Array, out: Array) -> None:
    wide = _FLOATS.get(block.dtype.name, block.dtype)
    rows = np.add(block[0::2], block[1::2], dtype=wide)
    np.multiply(rows[:, 0::2] + rows[:, 1::2], 0.25, out=out, casting="unsafe")


def _small_unsigned_mean(block: Array, out: Array) -> None:
    """Add neighbours as the two halves of one wider number, so that all reads are in order."""
    size = block.dtype.itemsize
    double: Any = np.uint16 if size == 1 else np.uint32
    low = 2 ** (8 * size) - 1
    if size == 2 and block.max(initial=0) <= NARROW:
        rows = (block[0::2] + block[1::2]).view(double)
        summed = rows >> double(16)
        summed += rows  # in the low half: the sum of four
        summed += double(2)
        summed >>= double(2)
        summed &= double(NARROW)
        out[...] = summed
        return
    pairs = block.view(double)
    total = pairs & double(low)
    total += pairs >> double(8 * size)
    summed = total[0::2] + total[1::2]
    summed += double(2)
    summed >>= double(2)
    out[...] = summed


def _integer_mean(block: Array, out: Array) -> None:
    wide = _WIDER["b" if block.dtype.kind == "i" else "u"][block.dtype.itemsize]
    rows = np.add(block[0::2], block[1::2], dtype=wide)
    total = rows[:, 0::2] + rows[:, 1::2]
    total += wide(2)
    total >>= wide(2)
    out[...] = total


def _wide_mean(block: Array, out: Array) -> None:
    """Mean of 64-bit integers, of which four would not fit: quarters and remainders apart."""
    quarters = block >> 2
    rests = block & 3
    total = quarters[0::2, 0::2] + quarters[0::2, 1::2] + quarters[1::2, 0::2] + quarters[1::2, 1::2]
    rest = rests[0::2, 0::2] + rests[0::2, 1::2] + rests[1::2, 0::2] + rests[1::2, 1::2]
    np.add(total, (rest + 2) >> 2, out=out)


def _mode(block: Array, out: Array) -> None:
    """Sort the four pixels by six comparisons; equal ones are then neighbours."""
    a, b, c, d = block[0::2, 0::2], block[0::2, 1::2], block[1::2, 0::2], block[1::2, 1::2]
    if (a == b).all() and (c == d).all() and (a == c).all():
        out[...] = a
        return
    low_ab, high_ab, low_cd, high_cd = np.minimum(a, b), np.maximum(a, b), np.minimum(c, d), np.maximum(c, d)
    first, last = np.minimum(low_ab, low_cd), np.maximum(high_ab, high_cd)
    low, high = np.maximum(low_ab, low_cd), np.minimum(high_ab, high_cd)
    second, third = np.minimum(low, high), np.maximum(low, high)
    pair_low, pair_mid, pair_high = first == second, second == third, third == last
    # Without a middle pair: the upper pair wins over a lower one of zeros, and over none.
    zero = first == 0
    out[...] = np.where(zero, second, first)
    np.copyto(out, first, where=pair_low)
    np.copyto(out, third, where=pair_high & (zero | ~pair_low))
    np.copyto(out, second, where=pair_mid)


MEAN, MODE = Reduce(_mean, 2**19), Reduce(_mode, 2**18)
