"""Files of strangers: links in stores lead about within, all else is refused, and what is lawful is read."""

from __future__ import annotations

import os
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest

from openhcs import FileManager, ZarrConfig, convert, open_plate
from openhcs.errors import FormatError, InvalidPath, NotFound
from openhcs.io.folder import FolderFiles
from openhcs.io.fsops import FileOps
from openhcs.io.paths import Twins
from openhcs.io.strangers import Fence, fence_of, read_plain
from openhcs.io.zarr_array import open_handle, write_array
from openhcs.io.zarr_spec import make_spec
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "a").write_bytes(b"inside")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_bytes(b"outside")
    return tmp_path / "in"


def test_a_link_may_lead_about_within_a_folder(folder):
    (folder / "file").symlink_to("deep/a")
    (folder / "again").symlink_to("deep")
    for path in ("deep/a", "file", "again/a", "nothing", "deep/nothing"):
        Fence(folder).check(folder / path)


@pytest.mark.parametrize("target", ["../out", "../in2", "/etc", "deep/../../out"])
def test_a_link_may_not_lead_out_of_a_folder(folder, target):
    (folder.parent / "in2").mkdir()
    (folder / "door").symlink_to(target)
    fence = Fence(folder)
    for path in ("door", "door/a"):
        with pytest.raises(InvalidPath, match="leads out of"):
            fence.check(folder / path)


def test_a_folder_that_is_itself_a_link_is_its_target(folder):
    (folder.parent / "name").symlink_to("in")
    Fence(folder.parent / "name").check(folder.parent / "name" / "deep" / "a")


def test_an_array_is_fenced_by_its_outermost_store(tmp_path):
    (tmp_path / "p.zarr" / "A" / "x.zarr").mkdir(parents=True)
    (tmp_path / "p.zarr" / "b").mkdir()
    fence_of(tmp_path / "p.zarr" / "A" / "x.zarr").check(tmp_path / "p.zarr" / "b")
    with pytest.raises(InvalidPath):
        fence_of(tmp_path / "p.zarr" / "A").check(tmp_path / "b")
    with pytest.raises(InvalidPath):
        fence_of(tmp_path / "array").check(tmp_path / "b")


def test_plain_files_are_read_up_to_a_limit(folder):
    assert read_plain(folder / "deep" / "a", limit=6) == b"inside"
    with pytest.raises(FormatError, match="has 6 bytes; such a file has no more than 5"):
        read_plain(folder / "deep" / "a", limit=5)


def test_what_is_no_plain_file_is_refused_at_once(folder):
    os.mkfifo(folder / "pipe")
    for path in ("pipe", "deep"):
        with pytest.raises(FormatError, match="no plain file"):
            read_plain(folder / path, limit=9)
    for path in ("nothing", "deep/a/below"):
        with pytest.raises(NotFound):
            read_plain(folder / path, limit=9)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_chunks_kept_elsewhere_in_the_store_behind_links_are_read(tmp_path, version):
    array = np.arange(64, dtype="uint16").reshape(8, 8)
    folder = tmp_path / "p.zarr" / "a"
    write_array(folder, array, make_spec((8, 8), "uint16", ZarrConfig(ngff_version=version)), FileOps())
    kept = tmp_path / "p.zarr" / ".git" / "annex"
    kept.mkdir(parents=True)
    for number, path in enumerate(sorted(folder.rglob("*"))):
        if path.is_file():
            path.rename(kept / str(number))
            path.symlink_to(kept / str(number))
    np.testing.assert_array_equal(open_handle(folder).read(), array)


def test_images_behind_links_within_a_plate_are_read(tmp_path):
    plate = make_plate(tmp_path / "P1", wells=1, sites=1, channels=("DAPI",), size=(16, 16))
    (image,) = plate.rglob("*.TIF")
    expected = open_plate(plate)["A01"].site(1).read()
    image.rename(plate / ".kept")
    image.symlink_to(plate / ".kept")
    np.testing.assert_array_equal(open_plate(plate)["A01"].site(1).read(), expected)


@pytest.mark.parametrize("layout", ["imagexpress", "opera_phenix", "cellvoyager"])
def test_a_plate_of_links_to_files_elsewhere_is_a_plate(tmp_path, layout):
    kept = make_plate(tmp_path / "kept", name="P1", wells=2, sites=1, size=(16, 16), layout=layout)
    for path in [one for one in kept.rglob("*") if one.is_file()]:
        link = tmp_path / "staged" / path.relative_to(kept)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    assert convert(tmp_path / "staged", tmp_path / "o.zarr").ok
    for well in open_plate(kept).wells:
        np.testing.assert_array_equal(
            open_plate(tmp_path / "o.zarr")[well].site(1).read(), open_plate(kept)[well].site(1).read()
        )


def test_a_path_that_leads_out_of_a_folder_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.xml").write_text("secret")
    for path in ("../secret.xml", str(tmp_path / "secret.xml"), "a/../../secret.xml"):
        with pytest.raises(InvalidPath, match="leads out"):
            FolderFiles(tmp_path / "in").read_bytes(path)


def test_a_name_may_come_back_after_its_twin_is_gone(tmp_path):
    files = FileManager(tmp_path)
    for backend in ("disk", "zarr"):
        files.save(np.zeros(2), "a/One.npy", backend)
        with pytest.raises(InvalidPath, match="only in case"):
            files.save(np.zeros(2), "a/one.npy", backend)
        with pytest.raises(InvalidPath, match="only in case"):
            files.copy("a/One.npy", "A/one.npy", backend, backend)
        files.save(np.ones(2), "a/One.npy", backend, overwrite=True)
        files.delete("a/One.npy", backend)
        files.save(np.ones(2), "a/one.npy", backend)
        assert files.load("a/one.npy", backend).tolist() == [1, 1]


def test_a_folder_is_listed_again_only_when_others_changed_it(tmp_path, monkeypatch):
    listed = []
    real = os.listdir
    monkeypatch.setattr("openhcs.io.paths.os.listdir", lambda path: [listed.append(path), real(path)][1])
    files = FileManager(tmp_path)
    for number in range(20):
        files.save(b"x", f"f/{number}.bin", "disk")
    assert len(listed) <= 2
    (tmp_path / "f" / "Other.bin").write_bytes(b"")
    with pytest.raises(InvalidPath, match=r"differs from 'Other\.bin'"):
        files.save(b"x", "f/other.bin", "disk")


def test_twins_above_are_noticed(tmp_path):
    (tmp_path / "Plate").mkdir()
    with pytest.raises(InvalidPath, match="differs from 'Plate'"):
        Twins().refuse(tmp_path / "plate" / "deep" / "a", "plate/deep/a")


def test_reading_takes_as_much_memory_as_the_file_has_bytes(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 1000)
    tracemalloc.start()
    assert len(read_plain(path, limit=2**31)) == 1000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000
