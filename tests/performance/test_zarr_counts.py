"""Exact counts of what storing and reading arrays costs in files and bytes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from openhcs.core.config import ZarrConfig
from openhcs.io.fsops import FileOps
from openhcs.io.zarr_array import open_handle, write_array
from openhcs.io.zarr_spec import make_spec

SHAPE = (3, 2, 512, 512)


class Counting(FileOps):
    """Notes each operation by its name."""

    def __init__(self):
        super().__init__(durable=False)
        self.calls = []

    def write_new(self, path, data):
        self.calls.append("write_new")
        return super().write_new(path, data)

    def make_dirs(self, path):
        self.calls.append("make_dirs")
        super().make_dirs(path)


def bytes_read():
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("rchar")).split()[1])


@pytest.fixture
def array():
    return np.random.default_rng(0).integers(0, 4000, SHAPE).astype("uint16")


def test_an_image_of_one_shard_is_two_files_and_one_walk_of_folders(tmp_path, array):
    ops = Counting()
    stored = write_array(tmp_path / "a", array, make_spec(SHAPE, "uint16", ZarrConfig()), ops)
    assert ops.calls.count("write_new") == 2
    assert ops.calls.count("make_dirs") == 1
    assert [Path(one.path).name for one in stored] == ["0", "zarr.json"]
    assert sum(one.bytes for one in stored) == sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())


@pytest.mark.skipif(sys.platform != "linux", reason="counts reads through /proc")
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_opening_reads_the_document_and_reading_takes_each_stored_byte_once(tmp_path, array, version):
    config = ZarrConfig(ngff_version=version)
    stored = write_array(tmp_path / "a", array, make_spec(SHAPE, "uint16", config), FileOps(durable=False))
    pixels = sum(one.bytes for one in stored if Path(one.path).name.isdigit())
    documents = sum(one.bytes for one in stored) - pixels
    open_handle(tmp_path / "a").read((0, 0, 0))
    own = -(bytes_read() - bytes_read())
    before = bytes_read()
    handle = open_handle(tmp_path / "a")
    opened = bytes_read() - before - own
    assert opened == documents
    before = bytes_read()
    handle.read()
    took = bytes_read() - before - own
    assert pixels <= took <= pixels + 1000
