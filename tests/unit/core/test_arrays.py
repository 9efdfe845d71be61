"""Chunks, shards and levels of the arrays that microscopes make."""

from __future__ import annotations

import pytest

from openhcs.constants.constants import ZarrChunkStrategy
from openhcs.core.arrays import ArraySpec, divide_side, fit_axes, level_shapes, plan_chunks
from openhcs.core.config import ZarrConfig
from openhcs.errors import InvalidValue

SINGLE = ZarrConfig()
AUTO = ZarrConfig(chunk_strategy=ZarrChunkStrategy.AUTO)
V2 = ZarrConfig(ngff_version="0.4")


@pytest.mark.parametrize(
    ("shape", "itemsize", "chunks", "shards"),
    [
        ((3, 1, 1080, 1080), 2, (1, 1, 1080, 1080), (3, 1, 1080, 1080)),
        ((4, 1, 2160, 2160), 2, (1, 1, 1080, 1080), (4, 1, 2160, 2160)),
        ((2, 1, 2048, 2048), 2, (1, 1, 1024, 1024), (2, 1, 2048, 2048)),
        ((540, 540), 2, (540, 540), (540, 540)),
        ((1, 3, 30, 2160, 2160), 2, (1, 1, 1, 1080, 1080), (1, 3, 9, 2160, 2160)),
    ],
)
def test_a_site_is_one_object_while_it_stays_within_the_limit(
    shape: tuple[int, ...], itemsize: int, chunks: tuple[int, ...], shards: tuple[int, ...]
) -> None:
    assert plan_chunks(shape, itemsize, SINGLE) == (chunks, shards)


def test_time_is_split_before_z_and_z_before_channels() -> None:
    _, shards = plan_chunks((40, 2, 2, 2048, 2048), 2, SINGLE)
    assert shards == (8, 2, 2, 2048, 2048)
    _, shards = plan_chunks((2, 2, 40, 2048, 2048), 2, SINGLE)
    assert shards == (1, 2, 16, 2048, 2048)


def test_zarr_v2_has_one_chunk_per_plane() -> None:
    assert plan_chunks((3, 2, 2160, 2160), 2, V2) == ((1, 1, 2160, 2160), None)


def test_auto_makes_smaller_objects() -> None:
    assert plan_chunks((3, 10, 2160, 2160), 2, AUTO)[1] == (3, 2, 2160, 2160)


def test_custom_shapes_are_taken_as_given_with_ones_in_front() -> None:
    config = ZarrConfig(chunk_strategy=ZarrChunkStrategy.CUSTOM, chunk_shape=(256, 256), shard_shape=(512, 512))
    assert plan_chunks((2, 3, 1000, 1000), 2, config) == ((1, 1, 256, 256), (1, 1, 512, 512))


def test_a_custom_object_over_the_limit_is_refused_with_the_numbers() -> None:
    config = ZarrConfig(chunk_strategy=ZarrChunkStrategy.CUSTOM, chunk_shape=(16384, 16384))
    assert plan_chunks((16384, 16384), 1, config)[0] == (16384, 16384)
    with pytest.raises(InvalidValue, match="holds 536870912 bytes, at most 268435456"):
        plan_chunks((16384, 16384), 2, config)


def test_a_shape_with_more_axes_than_the_array_is_refused() -> None:
    with pytest.raises(InvalidValue, match="has 3 axes, the array has 2"):
        fit_axes((1, 2, 3), 2, "chunk_shape")


@pytest.mark.parametrize(("size", "side"), [(1, 1), (300, 300), (1080, 1080), (1104, 552), (2720, 680), (1081, 541)])
def test_a_side_is_cut_evenly_where_it_can_be(size: int, side: int) -> None:
    assert divide_side(size) == side


def test_levels_halve_until_about_256_pixels() -> None:
    assert level_shapes((2160, 2160)) == ((2160, 2160), (1080, 1080), (540, 540), (270, 270), (135, 135))
    assert level_shapes((200, 100)) == ((200, 100),)
    assert level_shapes((1025, 3), 3) == ((1025, 3), (513, 2), (257, 1))


def test_levels_end_at_one_pixel() -> None:
    assert level_shapes((2, 2), 30) == ((2, 2), (1, 1))


def test_a_spec_counts_its_objects() -> None:
    spec = ArraySpec(shape=(3, 5, 1000), dtype="uint16", chunks=(1, 1, 100), shards=(1, 2, 500))
    assert (spec.object_shape, spec.objects) == ((1, 2, 500), 3 * 3 * 2)
