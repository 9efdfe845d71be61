"""Shapes, regions, and the arithmetic of chunks, shards and pyramids.

All of it is counting: no array is made here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from openhcs.constants.constants import ZarrChunkStrategy, ZarrCompressor
from openhcs.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.core.config import ZarrConfig

OBJECT_LIMIT = 256 * 2**20
"""Bytes of raw pixels that one stored object may hold."""
INNER_SIDES = range(1080, 511, -1)
SMALLEST_LEVEL = 256
SPLIT_ORDER = {5: (0, 2, 1), 4: (1, 0)}
"""Axes to split first, by number of axes: t, then z, then c of (t, c, z, y, x)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySpec:
    """Everything needed to make a stored array.

    ``shape``, ``chunks`` and ``shards`` follow the same axes; ``shards`` is None when each chunk is
    an object of its own. ``dtype`` is a numpy name such as "uint16".
    """

    shape: tuple[int, ...]
    dtype: str
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None = None
    compressor: ZarrCompressor = ZarrCompressor.ZSTD
    level: int = 1
    shuffle: bool = True
    zarr_format: int = 3
    dimension_names: tuple[str, ...] | None = None
    fill_value: Any = 0
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def object_shape(self) -> tuple[int, ...]:
        """Shape of one stored object: a shard, or a chunk where there are no shards."""
        return self.shards or self.chunks

    @property
    def objects(self) -> int:
        """Number of stored objects."""
        return math.prod(-(-size // step) for size, step in zip(self.shape, self.object_shape, strict=True))


def divide_side(size: int) -> int:
    """Return the largest side of at most 1080 that cuts ``size`` evenly, else into near equal parts.

    >>> divide_side(1080), divide_side(2160), divide_side(2048), divide_side(300)
    (1080, 1080, 1024, 300)
    """
    if size <= INNER_SIDES.start:
        return size
    for side in INNER_SIDES:
        if size % side == 0:
            return side
    return math.ceil(size / math.ceil(size / INNER_SIDES.start))


def plan_chunks(
    shape: Sequence[int], itemsize: int, config: ZarrConfig
) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """Return (chunks, shards) for an array whose last two axes are y and x.

    SINGLE gives one object while it stays within `OBJECT_LIMIT`, else the array is split along its
    first axes. AUTO aims at objects of about 64 MiB. In Zarr v2 each plane is a chunk.

    Raises
    ------
    InvalidValue
        a custom shape with more axes than the array, or of more bytes than an object may hold.
    """
    shape = tuple(int(size) for size in shape)
    if config.chunk_strategy is ZarrChunkStrategy.CUSTOM and config.chunk_shape is not None:
        chunks = fit_axes(config.chunk_shape, len(shape), "chunk_shape")
        shards = fit_axes(config.shard_shape, len(shape), "shard_shape") if config.shard_shape else None
        _check_object(shards or chunks, itemsize)
        return chunks, shards
    plane = tuple(shape[-2:])
    lead = (1,) * (len(shape) - len(plane))
    inner = tuple(max(1, divide_side(size)) for size in plane)
    if config.ngff_version == "0.4":
        sides = plane if math.prod(plane) * itemsize <= OBJECT_LIMIT else inner
        return (*lead, *(max(1, size) for size in sides)), None
    limit = OBJECT_LIMIT if config.chunk_strategy is ZarrChunkStrategy.SINGLE else OBJECT_LIMIT // 4
    return (*lead, *inner), _shards(shape, inner, itemsize, limit)


def _check_object(shape: tuple[int, ...], itemsize: int) -> None:
    size = math.prod(shape) * itemsize
    if size > OBJECT_LIMIT:
        raise InvalidValue(f"a stored object of shape {shape} holds {size} bytes, at most {OBJECT_LIMIT} are allowed")


def _shards(shape: tuple[int, ...], inner: tuple[int, ...], itemsize: int, limit: int) -> tuple[int, ...]:
    sides = [-(-size // chunk) * chunk for size, chunk in zip(shape[-2:], inner, strict=True)]
    shards = [max(1, size) for size in shape[:-2]] + [max(1, side) for side in sides]
    for axis in SPLIT_ORDER.get(len(shards), range(len(shards) - 2)):
        rest = math.prod(shards[:axis]) * math.prod(shards[axis + 1 :]) * itemsize
        shards[axis] = max(1, min(shards[axis], limit // max(1, rest)))
    for axis, chunk in zip((-2, -1), inner, strict=False):
        while len(shards) >= 2 and math.prod(shards) * itemsize > limit and shards[axis] > chunk:
            shards[axis] = max(chunk, (shards[axis] // 2 // chunk) * chunk)
    return tuple(shards)


def fit_axes(given: Sequence[int], axes: int, name: str) -> tuple[int, ...]:
    """Return ``given`` with ones in front so that it has as many axes as the array."""
    if len(given) > axes:
        raise InvalidValue(f"{name} {tuple(given)} has {len(given)} axes, the array has {axes}")
    return (1,) * (axes - len(given)) + tuple(given)


def level_shapes(plane: tuple[int, int], levels: int | None = None) -> tuple[tuple[int, int], ...]:
    """Return (y, x) of each resolution level, halved with odd edges rounded up.

    Without ``levels``, halving stops once the longer side is at most 256 pixels.

    >>> level_shapes((1080, 1080))
    ((1080, 1080), (540, 540), (270, 270), (135, 135))
    """
    shapes = [plane]
    while max(shapes[-1]) > SMALLEST_LEVEL if levels is None else len(shapes) < levels:
        y, x = shapes[-1]
        if (y, x) == (1, 1):
            break
        shapes.append(((y + 1) // 2, (x + 1) // 2))
    return tuple(shapes)
