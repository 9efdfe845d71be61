"""Any part of any layout is what numpy gives for the same index."""

from __future__ import annotations

import tempfile

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from openhcs.core.config import ZarrConfig
from openhcs.io.fsops import FileOps
from openhcs.io.regions import resolve
from openhcs.io.zarr_array import open_handle, write_array
from openhcs.io.zarr_spec import make_spec

SHAPES = st.lists(st.integers(1, 12), min_size=1, max_size=4).map(tuple)


@st.composite
def parts(draw, shape):
    index = draw(npst.basic_indices(shape, allow_newaxis=False))
    index = index if isinstance(index, tuple) else (index,)
    return tuple(slice(p.start, p.stop, abs(p.step or 1)) if isinstance(p, slice) else p for p in index)


@settings(max_examples=60, deadline=None)
@given(st.data(), SHAPES, st.sampled_from(["0.4", "0.5"]))
def test_a_part_of_any_layout_is_the_same_part_of_the_array(data, shape, version):
    chunks = tuple(data.draw(st.integers(1, size + 3)) for size in shape)
    shards = None
    if version == "0.5" and data.draw(st.booleans()):
        shards = tuple(chunk * data.draw(st.integers(1, 3)) for chunk in chunks)
    config = ZarrConfig(ngff_version=version, chunk_strategy="custom", chunk_shape=chunks, shard_shape=shards)
    array = np.arange(np.prod(shape), dtype="int32").reshape(shape)
    index = data.draw(parts(shape))
    with tempfile.TemporaryDirectory() as folder:
        write_array(f"{folder}/a", array, make_spec(shape, "int32", config), FileOps(durable=False))
        np.testing.assert_array_equal(open_handle(f"{folder}/a").read(index), array[index])


@given(st.data(), SHAPES)
def test_a_resolved_part_has_the_shape_numpy_gives(data, shape):
    index = data.draw(parts(shape))
    resolved, shape_of_part = resolve(index, shape)
    assert shape_of_part == np.empty(shape)[index].shape
    assert np.empty(shape)[resolved].shape == shape_of_part
