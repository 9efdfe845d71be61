"""Copies and moves inside one backend: files keep every byte, moves are renames."""

from __future__ import annotations

import contextlib
import errno
import os

import numpy as np
import pytest
import tifffile

from openhcs import FileManager
from openhcs.errors import AlreadyExists, InvalidType, NotFound, StorageError
from openhcs.io.fsops import FileOps
from openhcs.testing.fileops import FailingOps, TracingOps

IMAGE = np.arange(4 * 32 * 32, dtype="uint16").reshape(4, 32, 32)
OPS = FileOps(durable=False)
FOREIGN = {"compression": "zlib", "metadata": {"axes": "ZYX", "PhysicalSizeX": 0.65}}


@pytest.fixture
def files(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", IMAGE, photometric="minisblack", **FOREIGN)
    return FileManager(tmp_path, ops=OPS)


@pytest.mark.parametrize("verb", ["copy", "move"])
def test_a_tiff_keeps_every_byte_and_so_its_metadata(files, tmp_path, verb):
    before = (tmp_path / "a.ome.tif").read_bytes()
    getattr(files, verb)("a.ome.tif", "d/b.tiff", "disk")
    assert (tmp_path / "d/b.tiff").read_bytes() == before
    with tifffile.TiffFile(tmp_path / "d/b.tiff") as tif:
        assert 'PhysicalSizeX="0.65"' in tif.ome_metadata
    assert files.exists("a.ome.tif", "disk") is (verb == "copy")


def test_a_move_inside_one_disk_is_a_rename(tmp_path):
    ops = TracingOps()
    files = FileManager(tmp_path, ops=ops)
    files.save(IMAGE, "a.npy", "disk")
    place = (tmp_path / "a.npy").stat().st_ino
    ops.trace.clear()
    files.move("a.npy", "d/b.npy", "disk")
    assert (tmp_path / "d/b.npy").stat().st_ino == place
    assert [one for one, _ in ops.trace] == ["mkdir", "rename", "sync", "sync"]
    files.save(IMAGE + 1, "c.npy", "disk")
    files.move("d/b.npy", "c.npy", "disk", overwrite=True)
    np.testing.assert_array_equal(np.load(tmp_path / "c.npy"), IMAGE)
    assert files.usage("disk").items == 1


def test_a_move_to_another_disk_is_a_copy_and_a_delete(tmp_path, files):
    class Two(FileOps):
        def call(self, operation, path, work, *, source=None):
            if operation == "rename" and "openhcs-tmp" not in str(path) and not self.copied(path):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            return work()

        def copied(self, path):
            return any(one.name.startswith(".openhcs-tmp") for one in path.parent.iterdir())

    before = (tmp_path / "a.ome.tif").read_bytes()
    FileManager(tmp_path, ops=Two(durable=False)).move("a.ome.tif", "d/b.tif", "disk")
    assert (tmp_path / "d/b.tif").read_bytes() == before
    assert files.list("", "disk", recursive=True) == ["d", "d/b.tif"]


@pytest.mark.parametrize("verb", ["copy", "move"])
def test_what_a_link_names_is_moved_and_the_link_removed(files, tmp_path, verb):
    (tmp_path / "link.tif").symlink_to("a.ome.tif")
    (tmp_path / "d").mkdir()
    getattr(files, verb)("link.tif", "d/b.tif", "disk")
    assert not (tmp_path / "d/b.tif").is_symlink()
    assert (tmp_path / "d/b.tif").read_bytes() == (tmp_path / "a.ome.tif").read_bytes()
    assert (tmp_path / "link.tif").is_symlink() is (verb == "copy")


def test_two_names_of_one_file_become_one(files, tmp_path):
    os.link(tmp_path / "a.ome.tif", tmp_path / "b.tif")
    files.move("a.ome.tif", "b.tif", "disk", overwrite=True)
    assert files.list("", "disk") == ["b.tif"]
    np.testing.assert_array_equal(files.load("b.tif", "disk"), IMAGE)


@pytest.mark.parametrize("verb", ["copy", "move"])
def test_a_table_takes_its_types_along(files, tmp_path, verb):
    np.testing.assert_array_equal(files.load("a.ome.tif", "disk"), IMAGE)
    table = {"well": ["01", "2"], "cells": [1, 2]}
    files.save(table, "t.csv", "disk")
    getattr(files, verb)("t.csv", "d/u.csv", "disk")
    assert files.load("d/u.csv", "disk") == table
    left = sorted(one.name for one in tmp_path.iterdir() if "t.csv" in one.name)
    assert len(left) == (2 if verb == "copy" else 0)


@pytest.mark.parametrize("verb", ["copy", "move"])
def test_both_ends_stay_where_it_cannot_be(files, tmp_path, verb):
    before = (tmp_path / "a.ome.tif").read_bytes()
    files.save(IMAGE + 1, "b.tif", "disk")
    with pytest.raises(AlreadyExists, match=r"b\.tif exists"):
        getattr(files, verb)("a.ome.tif", "b.tif", "disk")
    with pytest.raises(InvalidType, match=r"\.json cannot hold"):
        getattr(files, verb)("a.ome.tif", "b.json", "disk")
    with pytest.raises(NotFound):
        getattr(files, verb)("none.tif", "c.tif", "disk")
    (tmp_path / "strange").write_text("no array")
    with pytest.raises(ValueError, match="strange"):
        getattr(files, verb)("strange", "stranger", "disk")
    for at in (1, 2, 3):
        failing = FileManager(tmp_path, ops=FailingOps(at, durable=False))
        with contextlib.suppress(StorageError):
            getattr(failing, verb)("a.ome.tif", f"new{at}/b.tif", "disk")
            getattr(failing, verb)(f"new{at}/b.tif", "a.ome.tif", "disk")
    np.testing.assert_array_equal(files.load("b.tif", "disk"), IMAGE + 1)
    kept = [one for one in tmp_path.rglob("*.tif") if one.name != "b.tif" or one.parent != tmp_path]
    assert kept
    assert all(one.read_bytes() == before for one in kept)
