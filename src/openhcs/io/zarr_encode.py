"""Arrays to stored objects: each shard or chunk made whole in memory, then written once.

The layout of a shard is that of the Zarr sharding codec, version 1.0: chunks one after the other,
then an index of (offset, bytes) pairs, little endian, with its own crc32c. All chunks within the
array are stored, also those that hold nothing but the fill value.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.errors import InvalidType, InvalidValue
from openhcs.io import ts_context
from openhcs.io.codecs import checked_dtype, checksum, compressor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openhcs.core.arrays import ArraySpec
    from openhcs.io.codecs import Bytes, Compress

    Array = np.ndarray[Any, np.dtype[Any]]
    Place = tuple[int, ...]

ABSENT = 2**64 - 1
WORTH_THREADS = 2**18
"""Bytes below which handing chunks to other threads costs more than it saves."""


def object_places(spec: ArraySpec) -> Iterator[Place]:
    """Yield the grid position of every stored object, in C order."""
    return _grid(spec.shape, spec.object_shape)


def object_key(place: Place, zarr_format: int) -> str:
    """Return the path of an object inside its array.

    >>> object_key((0, 2), 3), object_key((0, 2), 2), object_key((), 2)
    ('c/0/2', '0/2', '0')
    """
    parts = [str(number) for number in place]
    if zarr_format == 3:
        return "/".join(["c", *parts])
    return "/".join(parts) or "0"


def object_region(spec: ArraySpec, place: Place) -> tuple[slice, ...]:
    """Return the part of the array that an object holds."""
    sides = zip(place, spec.object_shape, spec.shape, strict=True)
    return tuple(slice(at * step, min((at + 1) * step, size)) for at, step, size in sides)


def check_pixels(array: Array, shape: tuple[int, ...], dtype: str) -> None:
    """Refuse an array of another shape or dtype: nothing is broadcast or cast."""
    if array.shape != shape:
        raise InvalidValue(f"an array of shape {array.shape} where {shape} is stored")
    if array.dtype.name != dtype:
        raise InvalidType(f"an array of {array.dtype.name} where {dtype} is stored; convert it with .astype({dtype!r})")


def encode_object(spec: ArraySpec, block: Array) -> Iterator[Bytes]:
    """Yield the bytes of one stored object, in order.

    ``block`` is the object's part of the array, smaller than the object at the array's edge.
    """
    compress = compressor(spec)
    if spec.shards is None:
        yield from _chunk(spec, block, compress)
        return
    grid = tuple(shard // chunk for shard, chunk in zip(spec.shards, spec.chunks, strict=True))
    index = np.full((*grid, 2), ABSENT, "<u8")
    offset = 0
    places = list(_grid(block.shape, spec.chunks))
    blocks = (block[_region(place, spec.chunks)] for place in places)
    for place, parts in zip(places, _each(spec, blocks, compress, block.nbytes), strict=True):
        size = sum(memoryview(part).nbytes for part in parts)
        index[place] = (offset, size)
        offset += size
        yield from parts
    table = index.tobytes()
    yield table + checksum(table)


def _each(spec: ArraySpec, blocks: Iterator[Array], compress: Compress, size: int) -> Iterator[list[Bytes]]:
    """Yield encoded chunks in order, made by the process's threads where that is worth it."""
    threads = ts_context.threads()
    if threads == 1 or size < WORTH_THREADS:
        for block in blocks:
            yield _chunk(spec, block, compress)
        return
    pool = ts_context.pool()
    waiting = [pool.submit(_chunk, spec, block, compress) for block in itertools.islice(blocks, 2 * threads)]
    while waiting:
        done = waiting.pop(0)
        yield done.result()
        waiting.extend(pool.submit(_chunk, spec, block, compress) for block in itertools.islice(blocks, 1))


def _chunk(spec: ArraySpec, block: Array, compress: Compress) -> list[Bytes]:
    data = compress(_padded(spec, block))
    return [data] if spec.zarr_format == 2 else [data, checksum(data)]


def _padded(spec: ArraySpec, block: Array) -> Array:
    dtype = checked_dtype(spec.dtype)
    if block.shape == spec.chunks:
        return np.ascontiguousarray(block, dtype).reshape(spec.chunks)
    full = np.full(spec.chunks, spec.fill_value, dtype)
    full[tuple(slice(size) for size in block.shape)] = block
    return full


def _grid(shape: tuple[int, ...], steps: tuple[int, ...]) -> Iterator[Place]:
    return itertools.product(*(range(-(-size // step)) for size, step in zip(shape, steps, strict=True)))


def _region(place: Place, steps: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(at * step, (at + 1) * step) for at, step in zip(place, steps, strict=True))
