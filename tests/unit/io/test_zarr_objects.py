"""What the stored objects of an array say of themselves is looked at where it is about to be decoded."""

from __future__ import annotations

import json

import numcodecs
import numpy as np
import pytest

from openhcs.core.config import ZarrConfig
from openhcs.errors import FormatError
from openhcs.io.fsops import FileOps
from openhcs.io.zarr_array import open_handle, write_array
from openhcs.io.zarr_spec import make_spec

SHAPE = (4, 6, 16, 16)
LIES = (1, 2)
"""The plane whose chunk says that it holds 2 GB."""
SHARDS = {"one shard": SHAPE, "four shards": (2, 3, 16, 16)}
OTHERS = [(0,), (1, 1), (slice(None), 3), (slice(0, 4, 2), 2), (slice(1, 4, 2), slice(0, 6, 5)), (slice(2, 4),)]
TOUCHING = [LIES, (1,), (slice(None), 2), (slice(1, 2), slice(0, 3, 2), 5, slice(3, 9)), ()]


@pytest.fixture(params=SHARDS)
def lying(request, tmp_path):
    array = np.random.default_rng(0).integers(0, 4000, SHAPE).astype("uint16")
    chunked = {"chunk_strategy": "custom", "chunk_shape": (1, 1, 16, 16)}
    config = ZarrConfig(shard_shape=SHARDS[request.param], **chunked)
    folder = tmp_path / "a"
    write_array(folder, array, make_spec(SHAPE, "uint16", config), FileOps(durable=False))
    inside = SHARDS[request.param][:2]
    count = inside[0] * inside[1]
    place = [at // side for at, side in zip(LIES, inside, strict=True)]
    shard = folder / "c" / str(place[0]) / str(place[1]) / "0" / "0"
    data = bytearray(shard.read_bytes())
    index = np.frombuffer(data[-(16 * count + 4) : -4], "<u8").reshape(*inside, 2)
    start = int(index[LIES[0] % inside[0], LIES[1] % inside[1], 0])
    data[start + 4 : start + 8] = (2**31 - 17).to_bytes(4, "little")
    shard.write_bytes(data)
    return folder, array


def test_a_chunk_that_lies_hinders_nobody_who_reads_others(lying):
    folder, array = lying
    handle = open_handle(folder)
    for region in OTHERS * 2:
        np.testing.assert_array_equal(handle.read(region), array[region])


@pytest.mark.parametrize("region", TOUCHING, ids=str)
def test_a_chunk_that_lies_is_refused_before_it_is_decoded_whatever_was_read_before(lying, region):
    folder, _ = lying
    handle = open_handle(folder)
    for before in (OTHERS[0], OTHERS[1], region, OTHERS[2]):
        if before != region:
            handle.read(before)
            continue
        for _ in range(2):
            with pytest.raises(FormatError, match="2147483631 bytes where 512 belong"):
                handle.read(region)


@pytest.mark.parametrize("codec", [numcodecs.Zstd(), numcodecs.Blosc(), numcodecs.LZ4(), numcodecs.Zlib()], ids=repr)
@pytest.mark.parametrize("size", [0, 15, 17, 2**20])
def test_a_chunk_of_v2_that_holds_more_or_less_than_it_should_is_refused_whole_and_in_part(tmp_path, codec, size):
    array = np.arange(16, dtype="uint8").reshape(4, 4)
    spec = make_spec((4, 4), "uint8", ZarrConfig(ngff_version="0.4"))
    write_array(tmp_path / "a", array, spec, FileOps(durable=False))
    document = json.loads((tmp_path / "a/.zarray").read_text())
    document["compressor"] = codec.get_config()
    (tmp_path / "a/.zarray").write_text(json.dumps(document))
    (tmp_path / "a/0/0").write_bytes(codec.encode(array))
    np.testing.assert_array_equal(open_handle(tmp_path / "a").read(), array)
    np.testing.assert_array_equal(open_handle(tmp_path / "a").read((slice(1, 3),)), array[1:3])
    (tmp_path / "a/0/0").write_bytes(codec.encode(bytes(size)))
    for region in ((), (slice(1, 3),)):
        with pytest.raises(FormatError, match="0/0 is damaged"):
            open_handle(tmp_path / "a").read(region)
