"""The arithmetic of chunks, shards and levels covers every element once."""

from __future__ import annotations

import math
from itertools import pairwise, product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openhcs.constants.constants import ZarrChunkStrategy
from openhcs.core.arrays import OBJECT_LIMIT, ArraySpec, divide_side, level_shapes, plan_chunks
from openhcs.core.config import ZarrConfig

itemsizes = st.sampled_from([1, 2, 4, 8, 16])
versions = st.sampled_from(["0.4", "0.5"])
strategies = st.sampled_from([ZarrChunkStrategy.SINGLE, ZarrChunkStrategy.AUTO])
shapes = st.one_of(
    st.tuples(st.integers(1, 20000), st.integers(1, 20000)),
    st.tuples(*[st.integers(1, 100)] * 2, *[st.integers(1, 5000)] * 2),
    st.tuples(*[st.integers(1, 40)] * 3, *[st.integers(1, 5000)] * 2),
)


def parts(size: int, step: int) -> list[tuple[int, int]]:
    return [(start, min(size, start + step)) for start in range(0, size, step)]


@given(shapes, itemsizes, strategies, versions)
def test_an_object_is_never_larger_than_the_limit(
    shape: tuple[int, ...], itemsize: int, strategy: ZarrChunkStrategy, version: str
) -> None:
    config = ZarrConfig(chunk_strategy=strategy, ngff_version=version)
    chunks, shards = plan_chunks(shape, itemsize, config)
    assert math.prod(shards or chunks) * itemsize <= OBJECT_LIMIT
    assert (shards is None) is (version == "0.4")


@given(shapes, itemsizes, strategies)
def test_inner_chunks_divide_the_object(shape: tuple[int, ...], itemsize: int, strategy: ZarrChunkStrategy) -> None:
    chunks, shards = plan_chunks(shape, itemsize, ZarrConfig(chunk_strategy=strategy))
    assert shards is not None
    assert all(shard % chunk == 0 for shard, chunk in zip(shards, chunks, strict=True))
    assert all(chunk <= 1080 for chunk in chunks)


@given(shapes, itemsizes)
def test_an_array_within_the_limit_is_one_object(shape: tuple[int, ...], itemsize: int) -> None:
    chunks, shards = plan_chunks(shape, itemsize, ZarrConfig())
    spec = ArraySpec(shape=shape, dtype="uint16", chunks=chunks, shards=shards)
    padded = math.prod(shape[:-2]) * math.prod(
        -(-size // chunk) * chunk for size, chunk in zip(shape[-2:], chunks[-2:], strict=True)
    )
    assert (spec.objects == 1) is (padded * itemsize <= OBJECT_LIMIT)


small = st.lists(st.integers(1, 7), min_size=1, max_size=4)


@given(small, st.data())
def test_every_element_lies_in_exactly_one_object(shape: list[int], data: st.DataObject) -> None:
    chunks = tuple(data.draw(st.integers(1, 9)) for _ in shape)
    spec = ArraySpec(shape=tuple(shape), dtype="uint8", chunks=chunks)
    seen = np.zeros(shape, int)
    regions = list(product(*(parts(size, step) for size, step in zip(shape, spec.object_shape, strict=True))))
    for region in regions:
        seen[tuple(slice(*part) for part in region)] += 1
    assert (seen == 1).all()
    assert spec.objects == len(regions)


@given(st.integers(1, 100_000))
def test_a_side_is_at_most_1080_and_parts_are_near_equal(size: int) -> None:
    side = divide_side(size)
    count = -(-size // side)
    assert 1 <= side <= 1080
    assert size % side == 0 or size - (count - 1) * side > side - count


@given(st.tuples(st.integers(1, 20000), st.integers(1, 20000)), st.none() | st.integers(1, 30))
def test_each_level_halves_the_one_before(plane: tuple[int, int], levels: int | None) -> None:
    shapes = level_shapes(plane, levels)
    assert shapes[0] == plane
    for before, after in pairwise(shapes):
        assert after == tuple(-(-size // 2) for size in before)
        assert after != before
    if levels is None:
        assert max(shapes[-1]) <= 256
        assert all(max(shape) > 256 for shape in shapes[:-1])
    else:
        assert len(shapes) <= levels
