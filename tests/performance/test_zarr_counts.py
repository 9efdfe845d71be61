"""Exact counts of what storing and reading arrays costs in files and bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from counting import CountingOps, bytes_read, counts_reads
from openhcs.core.config import ZarrConfig
from openhcs.io.fsops import FileOps
from openhcs.io.zarr_array import open_handle, write_array
from openhcs.io.zarr_spec import make_spec

SHAPE = (3, 2, 512, 512)
STORED = {"mkdir": 5, "create": 2, "write": 14}
"""The array's folder, four of the shard's key; shard, document; six chunks, their checksums, index, document."""


@pytest.fixture
def array():
    return np.random.default_rng(0).integers(0, 4000, SHAPE).astype("uint16")


def test_an_image_of_one_shard_is_two_files_and_one_walk_of_folders(tmp_path, array):
    ops = CountingOps(durable=False)
    stored = write_array(tmp_path / "a", array, make_spec(SHAPE, "uint16", ZarrConfig()), ops)
    assert ops.counts == STORED
    assert [Path(one.path).name for one in stored] == ["0", "zarr.json"]
    assert sum(one.bytes for one in stored) == sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())


@counts_reads
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_opening_reads_the_document_and_reading_takes_each_stored_byte_once(tmp_path, array, version):
    config = ZarrConfig(ngff_version=version)
    stored = write_array(tmp_path / "a", array, make_spec(SHAPE, "uint16", config), FileOps(durable=False))
    pixels = sum(one.bytes for one in stored if Path(one.path).name.isdigit())
    documents = sum(one.bytes for one in stored) - pixels
    open_handle(tmp_path / "a").read((0, 0, 0))
    assert bytes_read(lambda: open_handle(tmp_path / "a")) == documents
    took = bytes_read(lambda handle: handle.read(), fresh=lambda: open_handle(tmp_path / "a"))
    assert pixels <= took <= pixels + 1000
