"""The FileManager itself: backends by name, roots, batches, copies in parts."""

from __future__ import annotations

import threading
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from openhcs import Backend, FileManager, MaterializationBackend, VFSConfig, ZarrConfig
from openhcs.errors import AccessDenied, InvalidPath, InvalidType, InvalidValue, NotFound, UnknownName
from openhcs.io.blocks import Blocks
from openhcs.io.fsops import FileOps
from openhcs.io.memory import MemoryBackend
from openhcs.io.zarr import ZarrBackend

IMAGE = np.arange(4 * 64 * 64, dtype="uint16").reshape(4, 64, 64)
OPS = FileOps(durable=False)


class Plain:
    """A backend with nothing but the duty of one."""

    name = "plain"

    def __init__(self, root=None):
        self.root = root
        self.values = {}

    def load(self, path):
        if path not in self.values:
            raise NotFound(f"nothing at {path}", path=path, backend=self.name)
        return self.values[path]

    def save(self, value, path, *, overwrite=False, hand_over=False):
        self.values[path] = np.array(value)

    def exists(self, path):
        return path in self.values

    def list(self, path, *, recursive=False):
        return iter(self.values)

    def is_dir(self, path):
        return path == ""

    def delete(self, path, *, recursive=False):
        del self.values[path]


def test_a_backend_is_named_by_text_or_any_enum_with_that_text(tmp_path):
    files = FileManager(tmp_path)
    for same in ("zarr", Backend.ZARR, MaterializationBackend.ZARR):
        assert files.backend(same) is files.backend("zarr")
    files.save(IMAGE, "a", Backend.MEMORY)
    assert files.exists("a", "memory")
    assert not files.exists("a", MaterializationBackend.ZARR)
    assert not files.exists("a", Backend.DISK)


def test_a_misspelt_backend_is_told_with_the_nearest():
    files = FileManager(backends={"mine": Plain()})
    for near in ("memroy", "MEMROY"):
        with pytest.raises(UnknownName, match=r"did you mean 'memory'\? known: memory, disk, zarr, mine"):
            files.load("a", near)
    for wrong in (None, 3, ["memory"], Backend):
        with pytest.raises(InvalidType, match="named by text or an enum"):
            files.load("a", wrong)


def test_the_case_of_a_backends_name_is_of_no_matter():
    mine, other = Plain(), Plain()
    files = FileManager(backends={"mine": mine, "OTHER": other})
    assert files.backend("MEMORY") is files.backend("Memory") is files.backend("memory")
    assert files.backend("Mine") is mine
    assert files.backend("OTHER") is other


def test_threads_that_meet_at_the_first_use_share_one_backend():
    files = FileManager()
    start = threading.Barrier(8)
    found = []

    def use():
        start.wait()
        found.append(files.backend("memory"))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(one) for one in found}) == 1


def test_settings_reach_their_backends(tmp_path):
    files = FileManager(tmp_path, zarr=ZarrConfig(store_name="mine.zarr"), vfs=VFSConfig(memory_budget=1234))
    assert files.backend("memory").budget == 1234
    files.save(IMAGE, "d/a", "zarr")
    assert (tmp_path / "d" / "mine.zarr" / "a" / "zarr.json").exists()
    FileManager(tmp_path, None, ZarrConfig(store_name="third.zarr")).save(IMAGE, "a", "zarr")
    assert (tmp_path / "third.zarr").is_dir()


def test_a_backend_of_the_callers_own_takes_its_name():
    mine = Plain()
    files = FileManager(backends={"memory": mine, "other": MemoryBackend()})
    files.save([1, 2], "a", Backend.MEMORY)
    np.testing.assert_array_equal(mine.values["a"], [1, 2])
    files.save([1, 2], "a", "other")
    assert files.load("a", "other") == [1, 2]


def test_other_packages_add_backends_by_entry_points(tmp_path, monkeypatch):
    entry = metadata.EntryPoint("plain", f"{__name__}:Plain", "openhcs.backends")
    monkeypatch.setattr(metadata.EntryPoint, "load", lambda _: Plain)
    monkeypatch.setattr("openhcs.io.filemanager.plugins", {"openhcs.backends": (entry,)}.get)
    files = FileManager(tmp_path)
    assert files.backend("plain").root == tmp_path
    files.save(IMAGE, "a", "plain")
    np.testing.assert_array_equal(files.load("a", "plain"), IMAGE)
    with pytest.raises(UnknownName, match="did you mean 'plain'"):
        files.backend("plian")


def test_a_backend_with_nothing_but_its_duty_serves_every_verb_it_can():
    files = FileManager(backends={"plain": Plain()})
    files.save(IMAGE, "s10", "plain")
    files.save_batch([IMAGE, IMAGE], ["s2", "s1"], "plain")
    assert files.list("", "plain") == ["s1", "s2", "s10"]
    assert files.ensure_directory("d//e", "plain") == "d/e"
    files.copy("s1", "t", "plain", "memory")
    np.testing.assert_array_equal(files.load("t", "memory"), IMAGE)
    for verb in (files.usage, lambda name: files.open_array("s1", name)):
        with pytest.raises(InvalidType, match="plain backend"):
            verb("plain")


def test_without_a_root_paths_are_those_of_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "w").mkdir()
    monkeypatch.chdir(tmp_path / "w")
    files = FileManager()
    files.save(IMAGE, "d/x.zarr/a", "zarr")
    for path in (tmp_path / "w" / "d" / "x.zarr" / "a", "../w/d/x.zarr/a", Path("d") / "x.zarr" / "a"):
        np.testing.assert_array_equal(files.load(path, "zarr"), IMAGE)
    assert files.list(tmp_path / "w" / "d", "zarr") == [(tmp_path / "w" / "d" / "x.zarr").as_posix()]


def test_below_a_root_absolute_paths_are_those_inside_it(tmp_path):
    files = FileManager(tmp_path / "root")
    files.save(IMAGE, tmp_path / "root" / "d" / "a", "memory")
    assert files.list("d", "memory") == ["d/a"]
    with pytest.raises(InvalidPath, match="not below"):
        files.save(IMAGE, tmp_path / "rooted", "memory")


@pytest.mark.parametrize("backend", ["disk", "zarr"])
def test_a_link_that_leaves_the_root_is_refused_by_exists_as_by_load(tmp_path, backend):
    outside = FileManager(tmp_path / "outside", ops=OPS)
    outside.save(IMAGE, "d/a", backend)
    files = FileManager(tmp_path / "root")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside" / "d")
    for verb in (files.exists, files.is_dir, files.load):
        with pytest.raises(InvalidPath, match="link"):
            verb("link/a", backend)


def test_exists_says_no_where_nothing_can_be_looked_at():
    class Closed(Plain):
        def exists(self, path):
            raise AccessDenied("closed", path=path)

        is_dir = exists

    files = FileManager(backends={"closed": Closed()})
    assert not files.exists("a", "closed")
    assert not files.is_file("a", "closed")
    assert not files.is_dir("a", "closed")


def test_a_batch_works_at_the_same_time_where_that_helps():
    class Meeting(Plain):
        def __init__(self):
            super().__init__()
            self.together = threading.Barrier(2, timeout=20)

        def load(self, path):
            time.sleep(0.002) if path in ("a", "b") else self.together.wait()
            return path

        def save(self, value, path, *, overwrite=False, hand_over=False):
            self.load(path)

    files = FileManager(backends={"meeting": Meeting()})
    paths = ["a", "b", "c", "d", "e", "f"]
    assert files.load_batch(paths, "meeting") == paths
    files.save_batch(paths, paths, "meeting")


def test_a_batch_goes_to_one_store(tmp_path):
    files = FileManager(tmp_path, ops=OPS)
    for paths in (["x.zarr/a", "y.zarr/a"], ["d/a", "e/a"]):
        with pytest.raises(InvalidValue, match="a batch has one store"):
            files.save_batch([IMAGE, IMAGE], paths, "zarr")
    assert files.list("", "zarr", recursive=True) == []
    files.save_batch([IMAGE, IMAGE], ["d/a", "d/b"], "zarr")


def test_a_batch_is_loaded_from_one_store(tmp_path):
    files = FileManager(tmp_path, ops=OPS)
    for path in ("x.zarr/a", "x.zarr/b", "y.zarr/a"):
        files.save(IMAGE, path, "zarr")
    with pytest.raises(InvalidValue, match=r"item 2 \(y\.zarr/a\) lies in .*y\.zarr, item 0 in .*x\.zarr"):
        files.load_batch(["x.zarr/a", "x.zarr/b", "y.zarr/a"], "zarr")


def test_an_array_goes_from_store_to_store_in_parts(tmp_path, monkeypatch):
    config = ZarrConfig(chunk_strategy="custom", chunk_shape=(1, 64, 64))
    files = FileManager(tmp_path, zarr=config, ops=OPS)
    files.save(IMAGE, "x.zarr/a", "zarr")
    parts = []
    plain = Blocks.__getitem__

    def noted(self, region):
        part = plain(self, region)
        parts.append(part.shape)
        return part

    monkeypatch.setattr(Blocks, "__getitem__", noted)
    files.copy("x.zarr/a", "y.zarr/b", "zarr")
    np.testing.assert_array_equal(ZarrBackend(tmp_path).load("y.zarr/b"), IMAGE)
    assert parts == [(1, 64, 64)] * 4


def test_a_copy_that_fails_half_way_leaves_both_ends_whole(tmp_path, monkeypatch):
    config = ZarrConfig(chunk_strategy="custom", chunk_shape=(1, 64, 64))
    files = FileManager(tmp_path, zarr=config, ops=OPS)
    files.save(IMAGE, "x.zarr/a", "zarr")
    files.save(IMAGE + 1, "x.zarr/b", "zarr")
    plain = Blocks.__getitem__

    def failing(self, region):
        if region[0].start == 2:
            raise AccessDenied("the disk is gone")
        return plain(self, region)

    monkeypatch.setattr(Blocks, "__getitem__", failing)
    with pytest.raises(AccessDenied):
        files.move("x.zarr/a", "x.zarr/b", "zarr", overwrite=True)
    np.testing.assert_array_equal(files.load("x.zarr/a", "zarr"), IMAGE)
    np.testing.assert_array_equal(files.load("x.zarr/b", "zarr"), IMAGE + 1)
    assert files.list("x.zarr", "zarr") == ["x.zarr/a", "x.zarr/b"]


def test_objects_are_copied_between_paths_of_memory_by_reference():
    files = FileManager()
    table = {"cells": [1, 2]}
    files.save(table, "t", "memory")
    files.move("t", "u", "memory")
    assert files.load("u", "memory") is table
    assert not files.exists("t", "memory")


def test_names_without_arguments_start_from_the_root():
    files = FileManager()
    files.save(1, "d/s10", "memory")
    files.save(1, "d/s9", "memory")
    assert files.list_dir("d", "memory") == ["s9", "s10"]
    assert files.list_dir("", "memory") == ["d"]


def test_image_files_are_known_by_their_suffix():
    files = FileManager()
    for path in ("a.tif", "b.TIFF", "c.png", "d.npy", "e.json", "f.csv", "tif"):
        files.save(1, f"p/{path}", "memory")
    files.ensure_directory("p/g.tif", "memory")
    assert files.list_image_files("p", "memory") == ["p/a.tif", "p/b.TIFF", "p/c.png", "p/d.npy"]
    assert files.list_files("p", "memory", extensions=".json") == ["p/e.json"]


@pytest.mark.parametrize("dtype", ["U3", "S4", "<u2,(2,)f4", "M8[ns]", ">f8", "?"])
def test_arrays_that_have_no_parts_are_copied_whole(tmp_path, dtype):
    files = FileManager(tmp_path, ops=OPS)
    array = np.zeros(5, dtype)
    array[1:3] = np.ones(2, "u1").astype(dtype) if array.dtype.kind not in "VM" else array[1:3]
    files.save(array, "a.npy", "disk")
    files.copy("a.npy", "b", "disk", "memory")
    files.copy("b", "c", "memory", "disk")
    files.move("c", "d/e.npy", "disk")
    for path in ("b", "d/e.npy"):
        found = files.load(path, "memory" if path == "b" else "disk")
        assert found.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found, array)
    if array.dtype.kind in "USVM":
        with pytest.raises(InvalidType):
            files.copy("a.npy", "x.zarr/a", "disk", "zarr")
        assert not files.exists("x.zarr/a", "zarr")
