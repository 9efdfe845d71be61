"""From a shape, a dtype and the user's choices to the specification of a stored array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openhcs.constants.constants import ZarrChunkStrategy
from openhcs.core.arrays import ArraySpec, plan_chunks
from openhcs.io.codecs import checked_dtype

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from openhcs.core.config import ZarrConfig

    Check = Callable[[Path, bytes | None], str]
    """Says what is wrong with the bytes of a file (None: it is not there); empty if nothing is known to be."""

LINE_CHUNK = 2**22
"""Bytes of one chunk of an array of a single axis."""
MARK = "openhcs"
WHOLE = {"complete": True}
"""Our attribute of an array of which every object is stored: an absent one is a loss, not zeros."""
RESTORE = "Restore that file, or make its well again (--exist replace)"


def make_spec(
    shape: Sequence[int],
    dtype: str,
    config: ZarrConfig,
    *,
    dimension_names: Sequence[str] | None = None,
    attributes: Mapping[str, Any] | None = None,
    fill_value: Any = 0,
) -> ArraySpec:
    """Return how an array of this shape and dtype is stored under these choices.

    The last two axes are y and x. ``attributes`` gain our mark, which tells readers that every
    object is stored.

    Raises
    ------
    InvalidType
        a dtype that Zarr cannot hold.
    InvalidValue
        a chunk shape that does not fit the array.
    """
    size = checked_dtype(dtype).itemsize
    chunks, shards = _chunks(tuple(int(side) for side in shape), size, config)
    own = {**WHOLE, **dict((attributes or {}).get(MARK, {}))}
    return ArraySpec(
        shape=tuple(int(side) for side in shape),
        dtype=dtype,
        chunks=chunks,
        shards=shards,
        compressor=config.compressor,
        level=config.compression_level,
        shuffle=config.shuffle,
        zarr_format=2 if config.ngff_version == "0.4" else 3,
        dimension_names=None if dimension_names is None else tuple(dimension_names),
        fill_value=fill_value,
        attributes={**(attributes or {}), MARK: own},
    )


def _chunks(shape: tuple[int, ...], size: int, config: ZarrConfig) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    if config.chunk_strategy is not ZarrChunkStrategy.CUSTOM and len(shape) < 2:
        return tuple(max(1, min(side, LINE_CHUNK // size)) for side in shape), None
    return plan_chunks(shape, size, config)


def chunk_words(spec: ArraySpec, place: Sequence[int]) -> str:
    """Return a chunk by its place in the grid and, where the axes have names, by what it holds.

    >>> from openhcs.core.config import ZarrConfig
    >>> spec = make_spec((2, 40, 30), "uint8", ZarrConfig(), dimension_names=("c", "y", "x"))
    >>> chunk_words(spec, (1, 0, 0))
    'chunk (1, 0, 0) (c 1, y 0 to 39, x 0 to 29)'
    """
    told = f"chunk ({', '.join(map(str, place))})"
    if spec.dimension_names is None or len(place) != len(spec.shape):
        return told
    sides = zip(spec.dimension_names, place, spec.chunks, spec.shape, strict=True)
    held = [(name, at * step, min((at + 1) * step, size) - 1) for name, at, step, size in sides]
    return f"{told} ({', '.join(f'{name} {a}' if a == b else f'{name} {a} to {b}' for name, a, b in held)})"
