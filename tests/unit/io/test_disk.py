"""The disk backend: files other programs read, links, names, crashes, damage."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import tifffile

from openhcs.errors import AlreadyExists, InvalidPath, InvalidType, InvalidValue, NotFound, StorageError, UnknownName
from openhcs.io.disk import DiskBackend
from openhcs.io.fsops import TEMPORARY, FileOps
from openhcs.testing.fileops import FailingOps

IMAGE = np.arange(24, dtype="uint16").reshape(2, 3, 4)


@pytest.fixture
def disk(tmp_path):
    return DiskBackend(tmp_path / "root", FileOps(durable=False))


def test_files_are_read_by_other_programs(disk, tmp_path):
    disk.save(IMAGE, "a/x.npy")
    disk.save(IMAGE, "a/x.tif")
    disk.save(IMAGE, "a/plain")
    disk.save({"µ": [1, None]}, "a/x.json")
    folder = tmp_path / "root/a"
    np.testing.assert_array_equal(np.load(folder / "x.npy"), IMAGE)
    np.testing.assert_array_equal(np.load(folder / "plain"), IMAGE)
    np.testing.assert_array_equal(tifffile.imread(folder / "x.tif"), IMAGE)
    assert json.loads((folder / "x.json").read_text()) == {"µ": [1, None]}


def test_a_name_without_suffix_is_an_array_by_its_first_bytes(disk, tmp_path):
    disk.save(IMAGE, "plain")
    (tmp_path / "root/other").write_text("no array")
    assert sorted(disk.list("")) == ["plain"]
    assert disk.exists("plain")
    assert not disk.exists("other")
    with pytest.raises(InvalidType, match=r"without suffix cannot hold.*\.json or \.txt"):
        disk.save("text", "y")


def test_an_unknown_suffix_lists_the_known_and_the_nearest(disk):
    with pytest.raises(UnknownName, match=r"did you mean '\.tiff'.*\.npy.*\.json"):
        disk.save(IMAGE, "x.tifff")
    with pytest.raises(UnknownName, match=r"\.htd"):
        disk.load("x.htd")


def test_zarr_is_sent_to_its_own_backend(disk):
    for verb in (lambda: disk.save(IMAGE, "x.zarr"), lambda: disk.load("x.zarr")):
        with pytest.raises(InvalidType, match="'zarr' backend"):
            verb()


def test_what_a_suffix_cannot_hold_is_refused_with_one_that_can(disk):
    with pytest.raises(InvalidType, match=r"Use \.npy"):
        disk.save(IMAGE[0, 0], "x.tif")
    with pytest.raises(InvalidType, match=r"Use .*\.bin"):
        disk.save(b"123", "x.json")
    with pytest.raises(InvalidType, match="pickle"):
        disk.save(np.array([object()]), "x.npy")
    with pytest.raises(InvalidType, match="No suffix on disk can"):
        disk.save({1, 2}, "x.json")
    assert list(disk.list("")) == []


def test_a_taken_path_keeps_what_it_has(disk):
    disk.save(IMAGE, "x.npy")
    with pytest.raises(AlreadyExists, match="overwrite=True"):
        disk.save(IMAGE + 1, "x.npy")
    np.testing.assert_array_equal(disk.load("x.npy"), IMAGE)
    disk.save(IMAGE + 1, "x.npy", overwrite=True)
    np.testing.assert_array_equal(disk.load("x.npy"), IMAGE + 1)


def test_a_save_that_fails_anywhere_leaves_the_old_value_whole(tmp_path):
    DiskBackend(tmp_path).save(IMAGE, "x.npy")
    for number in range(1, 30):
        ops = FailingOps(number)
        try:
            DiskBackend(tmp_path, ops).save(IMAGE + 1, "x.npy", overwrite=True)
        except StorageError:
            found = np.load(tmp_path / "x.npy")
            assert (found == IMAGE).all() or (found == IMAGE + 1).all()
            assert os.listdir(tmp_path) == ["x.npy"]
        else:
            break
    assert number > 3
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), IMAGE + 1)


def test_unfinished_files_and_the_inside_of_zarr_stores_are_not_listed(disk, tmp_path):
    disk.save(IMAGE, "d/x.npy")
    (tmp_path / "root/d" / f"{TEMPORARY}1").write_bytes(b"")
    (tmp_path / "root/d/s.zarr").mkdir()
    (tmp_path / "root/d/s.zarr/zarr.json").write_text("{}")
    (tmp_path / "root/d/plate.HTD").write_text("")
    assert sorted(disk.list("", recursive=True)) == ["d", "d/s.zarr", "d/x.npy"]
    assert disk.usage().items == 1
    assert disk.usage().bytes == (tmp_path / "root/d/x.npy").stat().st_size


def test_links_that_leave_the_root_are_refused_and_never_followed_by_delete(disk, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    np.save(outside / "x.npy", IMAGE)
    disk.make_dir("d")
    (tmp_path / "root/d/link").symlink_to(outside)
    (tmp_path / "root/d/y.npy").symlink_to(outside / "x.npy")
    for path in ("d/link/x.npy", "d/y.npy"):
        with pytest.raises(InvalidPath, match="link"):
            disk.load(path)
        with pytest.raises(InvalidPath, match="link"):
            disk.save(IMAGE, path, overwrite=True)
    with pytest.raises(InvalidPath, match="link"):
        disk.delete("d/link/x.npy")
    assert list(disk.list("d")) == []
    disk.delete("d/y.npy")
    disk.delete("d", recursive=True)
    assert os.listdir(outside) == ["x.npy"]


def test_a_link_within_the_root_is_read_but_not_entered_by_lists(disk, tmp_path):
    disk.save(IMAGE, "d/x.npy")
    (tmp_path / "root/d/loop").symlink_to(tmp_path / "root")
    assert sorted(disk.list("", recursive=True)) == ["d", "d/loop", "d/x.npy"]
    np.testing.assert_array_equal(disk.load("d/loop/d/x.npy"), IMAGE)


def test_folders_are_kept_unless_told(disk):
    disk.save(IMAGE, "d/x.npy")
    with pytest.raises(InvalidValue, match="recursive=True"):
        disk.delete("d")
    with pytest.raises(NotFound, match="folder"):
        disk.load("d")
    with pytest.raises(InvalidValue, match="root"):
        disk.delete("", recursive=True)
    with pytest.raises(InvalidPath, match="is a file"):
        disk.save(IMAGE, "d/x.npy/y.npy")
    disk.delete("d", recursive=True)
    assert not disk.exists("d")


@pytest.mark.parametrize("suffix", [".npy", ".tif", ""])
@pytest.mark.parametrize("dtype", ["bool", ">u2", "float32", "complex64"])
def test_parts_of_files_are_read_as_numpy_cuts_them(disk, suffix, dtype):
    image = (np.arange(120).reshape(2, 3, 4, 5) % 7).astype(dtype)
    disk.save(image, f"x{suffix}")
    handle = disk.open_array(f"x{suffix}")
    assert handle.spec.shape == image.shape
    part = handle.read((slice(None), 1, slice(0, 4, 2)))
    np.testing.assert_array_equal(part, image[:, 1, 0:4:2])
    out = np.empty((3, 4, 5), part.dtype)
    assert handle.read((1,), out=out) is out
    np.testing.assert_array_equal(out, image[1])
    with pytest.raises(InvalidType, match="whole"):
        handle.write((0,), image[0])


def test_compressed_tiffs_are_read_in_parts_too(disk, tmp_path):
    disk.make_dir("")
    tifffile.imwrite(tmp_path / "root/x.tif", IMAGE, compression="zlib", photometric="minisblack")
    np.testing.assert_array_equal(disk.open_array("x.tif").read((1, 2)), IMAGE[1, 2])
    disk.save([1], "x.json")
    with pytest.raises(InvalidType, match=r"\.npy and \.tif"):
        disk.open_array("x.json")


def test_what_is_no_plain_file_is_no_value(disk, tmp_path):
    disk.make_dir("")
    os.mkfifo(tmp_path / "root/x.npy")
    assert not disk.exists("x.npy")
    with pytest.raises(InvalidType, match="plain file"):
        disk.load("x.npy")


def test_without_a_root_what_was_saved_counts(tmp_path):
    disk = DiskBackend(ops=FileOps(durable=False))
    disk.save(IMAGE, f"{tmp_path}/x.npy")
    assert (disk.usage().items, disk.usage().bytes) == (1, (tmp_path / "x.npy").stat().st_size)


def test_links_in_circles_and_names_too_long_are_nothing(disk, tmp_path):
    disk.make_dir("d")
    (tmp_path / "root/d/a.npy").symlink_to(tmp_path / "root/d/b.npy")
    (tmp_path / "root/d/b.npy").symlink_to(tmp_path / "root/d/a.npy")
    assert list(disk.list("d")) == []
    assert not disk.exists("d/a.npy")
    assert not disk.exists("/".join(["x" * 200] * 30))
    disk.delete("d/a.npy")
