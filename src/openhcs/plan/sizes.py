"""How many objects and bytes stored images take: counting, from shapes and the configuration alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from openhcs.core.arrays import level_shapes, plan_chunks
from openhcs.core.steps import DTYPES
from openhcs.plan.parts import Target

if TYPE_CHECKING:
    from openhcs.core.config import GlobalPipelineConfig, ZarrConfig
    from openhcs.plan.parts import LabelTarget, Layer

ZARR = "zarr"
DISK = "disk"
ITEMSIZE = dict(zip(DTYPES, (1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8, 8, 16), strict=True))


SHARE_STORED = 0.5
"""Stored bytes per raw byte, on the safe side of what 12-bit images compress to."""
SHARE_OF_LABELS = 0.05
"""The same for label images, whose pixels mostly are as their neighbours."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One site image with all its levels: how many levels, objects, and bytes of raw pixels."""

    levels: int
    objects: int
    raw_bytes: int


def stored_share(kept: Target | LabelTarget, config: GlobalPipelineConfig) -> float:
    """Return the stored bytes per raw byte that are to be expected of images or labels; TIFFs are not compressed."""
    if isinstance(kept, Target):
        plain = kept.backend == DISK or config.zarr.compressor.value == "none"
        return 1.0 if plain else SHARE_STORED
    return 1.0 if config.zarr.compressor.value == "none" else SHARE_OF_LABELS


def plane_bytes(layer: Layer) -> int:
    """Return the bytes of one plane."""
    return math.prod(layer.plane_shape) * ITEMSIZE[layer.dtype]


def lead_of(layer: Layer, acquisition: int | None = None, *, without_channels: bool = False) -> tuple[int, ...]:
    """Return the sizes of the axes before y and x, (t?, c, z) or (t?, z), of a site image; by default of the first."""
    _, ts, channels, zs = layer.axes[min(layer.axes) if acquisition is None else acquisition]
    times = (len(ts),) if len(ts) > 1 else ()
    return (*times, len(zs)) if without_channels else (*times, len(channels), len(zs))


def stored(
    layer: Layer, config: ZarrConfig, acquisition: int | None = None, *, without_channels: bool = False
) -> Stored:
    """Return what one site image of a layer takes as OME-Zarr, by default one of the first acquisition."""
    lead = lead_of(layer, acquisition, without_channels=without_channels)
    config = label_config(config) if without_channels else config
    shapes = level_shapes(layer.plane_shape, config.levels)
    objects = raw = 0
    for shape in shapes:
        full = (*lead, *shape)
        chunks, shards = plan_chunks(full, ITEMSIZE[layer.dtype], config)
        objects += math.prod(-(-size // step) for size, step in zip(full, shards or chunks, strict=True))
        raw += math.prod(full) * ITEMSIZE[layer.dtype]
    return Stored(len(shapes), objects, raw)


def label_config(config: ZarrConfig) -> ZarrConfig:
    """Return the configuration for labels: chunks that were chosen for (t, c, z, y, x), without c."""
    return replace(
        config, chunk_shape=_without_channel(config.chunk_shape), shard_shape=_without_channel(config.shard_shape)
    )


def _without_channel(shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
    return shape and (*shape[:-4], *shape[-3:])


def zarr_target(after: int, path: str, layer: Layer, config: GlobalPipelineConfig) -> Target:
    """Return images kept as OME-Zarr after a step."""
    size = stored(layer, config.zarr)
    return Target(
        after=after,
        backend=ZARR,
        path=path,
        layer=layer,
        levels=size.levels,
        objects=size.objects,
        raw_bytes=size.raw_bytes,
    )
