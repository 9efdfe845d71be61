"""The backend of Zarr arrays: its paths, its atomic saves, and the planes of a plate."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from openhcs.core.config import ZarrConfig
from openhcs.errors import AlreadyExists, FormatError, InvalidPath, InvalidType, InvalidValue, NotFound, StorageFull
from openhcs.io.backend import CountsUsage, HoldsArrays, MakesDirs
from openhcs.io.fsops import FileOps
from openhcs.io.zarr import ZarrBackend
from openhcs.io.zarr_array import write_array
from openhcs.io.zarr_document import group_document
from openhcs.io.zarr_spec import make_spec

OPS = FileOps(durable=False)
IMAGE = np.arange(20, dtype="uint16").reshape(4, 5)


@pytest.fixture
def backend(tmp_path):
    return ZarrBackend(tmp_path, ops=OPS)


def listed(backend, path="", **more):
    return sorted(backend.list(path, **more))


def test_it_has_the_capabilities_it_says(backend):
    assert isinstance(backend, HoldsArrays)
    assert isinstance(backend, MakesDirs)
    assert isinstance(backend, CountsUsage)
    assert backend.name == "zarr"


def test_a_plain_path_goes_to_the_store_beside_it(backend, tmp_path):
    backend.save(IMAGE, "out/A01_s1.tif")
    np.testing.assert_array_equal(zarr.open_group(tmp_path / "out" / "images.zarr", mode="r")["A01_s1.tif"][...], IMAGE)
    assert listed(backend, "out") == ["out/A01_s1.tif"]
    assert listed(backend, recursive=True) == ["out", "out/A01_s1.tif"]
    np.testing.assert_array_equal(backend.load("out/A01_s1.tif"), IMAGE)
    np.testing.assert_array_equal(backend.load("out/images.zarr/A01_s1.tif"), IMAGE)


def test_a_path_through_a_store_makes_groups(backend, tmp_path):
    backend.save(IMAGE, "x.zarr/a/b/c")
    root = zarr.open_group(tmp_path / "x.zarr", mode="r")
    np.testing.assert_array_equal(root["a/b/c"][...], IMAGE)
    assert listed(backend) == ["x.zarr"]
    assert listed(backend, "x.zarr", recursive=True) == ["x.zarr/a", "x.zarr/a/b", "x.zarr/a/b/c"]
    assert backend.is_dir("x.zarr/a/b")
    assert not backend.is_dir("x.zarr/a/b/c")
    assert backend.exists("x.zarr/a/b/c")
    assert not backend.exists("x.zarr/a/b/d")


def test_groups_in_the_usual_store_are_listed_beside_its_arrays(backend):
    backend.save(IMAGE, "one")
    backend.save(IMAGE, "images.zarr/g/two")
    assert listed(backend) == ["images.zarr", "one"]
    assert listed(backend, recursive=True) == ["images.zarr", "images.zarr/g", "images.zarr/g/two", "one"]


def test_a_taken_path_is_refused_or_replaced_whole(backend):
    backend.save(IMAGE, "a")
    with pytest.raises(AlreadyExists):
        backend.save(IMAGE + 1, "a")
    backend.save((IMAGE + 1).astype("int32"), "a", overwrite=True)
    np.testing.assert_array_equal(backend.load("a"), IMAGE + 1)
    assert backend.load("a").dtype == np.int32


def test_values_have_no_children_and_folders_are_no_values(backend):
    backend.save(IMAGE, "a")
    backend.save(IMAGE, "d/b")
    for path in ("a/b", "images.zarr/a/b", "d/b/c/e"):
        with pytest.raises(InvalidPath, match="is an array"):
            backend.save(IMAGE, path)
    for overwrite in (False, True):
        with pytest.raises(AlreadyExists, match="folder"):
            backend.save(IMAGE, "d", overwrite=overwrite)
    with pytest.raises(NotFound, match="folder"):
        backend.load("d")


@pytest.mark.parametrize("path", ["x.zarr", "x.zarr/zarr.json", "x.zarr/__a", "../a", "/etc/a", ".openhcs-tmp-1"])
def test_names_that_cannot_be_are_refused(backend, path):
    with pytest.raises(InvalidPath):
        backend.save(IMAGE, path)


@pytest.mark.parametrize(
    "value", [{"a": 1}, [1, 2], "text", np.array([None]), np.array(["a"]), np.array("2020", "M8[s]")]
)
def test_what_zarr_cannot_hold_exactly_is_refused(backend, value):
    with pytest.raises(InvalidType):
        backend.save(value, "a")
    assert not backend.exists("a")


def test_a_failed_save_leaves_what_was_there(tmp_path):
    class Full(FileOps):
        full = False

        def write_new(self, path, data):
            if self.full:
                list(data)
                raise StorageFull("no space")
            return super().write_new(path, data)

    ops = Full(durable=False)
    backend = ZarrBackend(tmp_path, ops=ops)
    backend.save(IMAGE, "a")
    ops.full = True
    for path in ("a", "b"):
        with pytest.raises(StorageFull) as raised:
            backend.save(IMAGE + 1, path, overwrite=True)
        assert raised.value.errno == errno.ENOSPC
    np.testing.assert_array_equal(backend.load("a"), IMAGE)
    assert listed(backend) == ["a"]
    assert not list(tmp_path.rglob(".openhcs-tmp-*"))


def test_delete_takes_what_this_backend_keeps_and_nothing_else(backend, tmp_path):
    backend.save(IMAGE, "d/a")
    backend.save(IMAGE, "d/x.zarr/b")
    (tmp_path / "d" / "notes.txt").write_text("mine")
    with pytest.raises(NotFound):
        backend.delete("d/none")
    with pytest.raises(InvalidValue, match="recursive"):
        backend.delete("d")
    backend.delete("d/a")
    assert listed(backend, "d") == ["d/x.zarr"]
    backend.delete("d", recursive=True)
    assert (tmp_path / "d" / "notes.txt").read_text() == "mine"
    assert listed(backend, "d") == []


def test_delete_does_not_follow_links(backend, tmp_path):
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    write_array(outside, IMAGE, make_spec(IMAGE.shape, "uint16", ZarrConfig()), OPS)
    backend.save(IMAGE, "s.zarr/a")
    (tmp_path / "s.zarr" / "link").symlink_to(outside)
    backend.delete("s.zarr", recursive=True)
    assert (outside / "zarr.json").exists()


def test_a_link_that_leaves_the_root_is_refused(backend, tmp_path):
    outside = tmp_path.parent / f"{tmp_path.name}-beyond"
    ZarrBackend(outside, ops=OPS).save(IMAGE, "s.zarr/a")
    (tmp_path / "d").symlink_to(outside)
    (tmp_path / "t.zarr").symlink_to(outside / "s.zarr")
    for path in ("d/s.zarr/a", "t.zarr/a", "d", "d/b"):
        with pytest.raises(InvalidPath, match="link"):
            backend.load(path)
        with pytest.raises(InvalidPath, match="link"):
            backend.delete(path, recursive=True)
    with pytest.raises(InvalidPath, match="link"):
        backend.save(IMAGE, "d/b")


def test_folders_can_be_made_and_are_empty(backend):
    backend.make_dir("d/e")
    backend.make_dir("y.zarr/g")
    for path in ("d/e", "y.zarr/g"):
        assert backend.is_dir(path)
        assert listed(backend, path) == []
        backend.delete(path)
        assert not backend.exists(path)


def test_an_array_is_filled_through_its_handle(backend):
    config = ZarrConfig(chunk_strategy="custom", chunk_shape=(2, 5))
    handle = backend.create_array("a", make_spec(IMAGE.shape, "uint16", config))
    with pytest.raises(FormatError, match="missing"):
        backend.load("a")
    handle.write((slice(0, 2),), IMAGE[:2])
    handle.write((slice(2, 4),), IMAGE[2:])
    np.testing.assert_array_equal(backend.open_array("a").read((1,)), IMAGE[1])
    with pytest.raises(AlreadyExists):
        backend.create_array("a", handle.spec)
    backend.create_array("a", handle.spec, overwrite=True)


def test_a_store_of_the_other_version_is_never_mixed(tmp_path):
    ZarrBackend(tmp_path, ZarrConfig(ngff_version="0.4"), OPS).save(IMAGE, "a")
    with pytest.raises(InvalidValue, match=r"'0\.4'"):
        ZarrBackend(tmp_path, ops=OPS).save(IMAGE, "b")
    np.testing.assert_array_equal(ZarrBackend(tmp_path).load("a"), IMAGE)


def test_usage_counts_arrays_and_their_bytes(backend, tmp_path):
    backend.save(IMAGE, "a")
    backend.save(IMAGE, "d/x.zarr/b")
    (tmp_path / "big.bin").write_bytes(bytes(10_000))
    usage = backend.usage()
    assert usage.items == 2
    assert 0 < usage.bytes < 10_000


def plate(store: Path, version: str = "0.5", size: int = 64, *, own: bool = True) -> np.ndarray:
    """Write a plate of one well and one image (c, z, y, x) with original numbers 2 and 4, 5, 6, 7."""
    config = ZarrConfig(ngff_version=version)
    pixels = np.random.default_rng(3).integers(0, 4000, (1, 4, size, size)).astype("uint16")
    told = {"well": "B02", "site": 7, "acquisition": 0, "t": [1], "channels": [2], "z": [4, 5, 6, 7]}
    told["gaps"] = [{"t": 1, "c": 2, "z": 6, "state": "missing"}]
    axes = [{"name": "c", "type": "channel"}, *({"name": n, "type": "space"} for n in "zyx")]
    scale = [{"type": "scale", "scale": [1, 1, 1, 1]}]
    wells = [{"path": "B/02", "rowIndex": 0, "columnIndex": 0}]
    bodies = {
        "": {"plate": {"rows": [{"name": "B"}], "columns": [{"name": "02"}], "wells": wells}},
        "B": {},
        "B/02": {"well": {"images": [{"path": "0"}]}},
        "B/02/0": {
            "multiscales": [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}],
            **({"openhcs": told} if own and version == "0.4" else {}),
        },
    }
    for path, body in bodies.items():
        attributes = body
        if version == "0.5":
            attributes = {"ome": {"version": "0.5", **body}} if body else {}
            attributes |= {"openhcs": told} if own and path == "B/02/0" else {}
        OPS.make_dirs(store / path)
        for name, data in group_document(attributes, 2 if version == "0.4" else 3).items():
            OPS.write_new(store / path / name, data)
    write_array(store / "B/02/0/0", pixels, make_spec(pixels.shape, "uint16", config), OPS)
    return pixels


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_planes_of_a_plate_have_names_with_their_original_numbers(backend, tmp_path, version):
    pixels = plate(tmp_path / "images.zarr", version)
    names = [f"B02_s7_c2_z{z}_t1" for z in (4, 5, 7)]
    assert listed(backend, "images.zarr") == [f"images.zarr/{name}" for name in names]
    assert listed(backend) == names
    for path in ("images.zarr/B02_s7_c2_z5_t1", "B02_s7_c2_z5_t1.tif"):
        assert backend.exists(path)
        np.testing.assert_array_equal(backend.load(path), pixels[0, 1])
    np.testing.assert_array_equal(backend.load("images.zarr/B/02/0/0"), pixels)
    handle = backend.open_array("B02_s7_c2_z4_t1")
    assert handle.spec.shape == (64, 64)
    np.testing.assert_array_equal(handle.read((slice(3, 9), 1)), pixels[0, 0, 3:9, 1])
    with pytest.raises(NotFound):
        backend.load("images.zarr/B02_s7_c2_z6_t1")


def test_planes_of_a_foreign_plate_are_counted_from_one(backend, tmp_path):
    pixels = plate(tmp_path / "theirs.zarr", own=False)
    assert listed(backend, "theirs.zarr") == [f"theirs.zarr/B02_s1_c1_z{z}_t1" for z in (1, 2, 3, 4)]
    np.testing.assert_array_equal(backend.load("theirs.zarr/B02_s1_c1_z3_t1"), pixels[0, 2])


def test_a_plane_is_not_saved_into_a_plate_and_no_part_is_deleted(backend, tmp_path):
    plate(tmp_path / "images.zarr")
    for path in ("images.zarr/B02_s7_c2_z4_t1", "images.zarr/B02_s9_c2_z4_t1", "B02_s7_c2_z4_t1.tif"):
        with pytest.raises(InvalidPath, match="whole sites"):
            backend.save(IMAGE, path, overwrite=True)
    with pytest.raises(InvalidPath, match="no part"):
        backend.delete("images.zarr/B02_s7_c2_z4_t1")
    with pytest.raises(InvalidPath, match="no part"):
        backend.delete("images.zarr/B/02/0/0")


def test_a_well_that_comes_later_is_seen(backend, tmp_path):
    plate(tmp_path / "images.zarr")
    root = tmp_path / "images.zarr" / "zarr.json"
    whole = json.loads(root.read_text())
    fewer = json.loads(root.read_text())
    fewer["attributes"]["ome"]["plate"]["wells"] = []
    root.write_text(json.dumps(fewer))
    assert not backend.exists("B02_s7_c2_z4_t1")
    OPS.replace(root, json.dumps(whole).encode())
    assert backend.exists("B02_s7_c2_z4_t1")


def test_a_damaged_document_of_a_plate_names_its_folder(backend, tmp_path):
    plate(tmp_path / "images.zarr")
    (tmp_path / "images.zarr/B/02/zarr.json").write_text('{"attributes": {"ome": {"well": 3}}}')
    with pytest.raises(FormatError, match="B/02"):
        listed(backend)


@pytest.mark.parametrize("overwrite", [False, True])
def test_another_writer_who_comes_first_is_found_there_or_replaced(tmp_path, overwrite):
    first = np.arange(12, dtype="uint16").reshape(3, 4)

    class Overtaken(FileOps):
        def call(self, operation, path, work, *, source=None):
            if operation == "rename" and Path(path).name == "a" and not Path(path).exists():
                ZarrBackend(tmp_path, ops=OPS).save(first, "d/a")
            return work()

    slow = ZarrBackend(tmp_path, ops=Overtaken(durable=False))
    if overwrite:
        slow.save(first + 1, "d/a", overwrite=True)
    else:
        with pytest.raises(AlreadyExists, match="d/a exists; pass overwrite=True"):
            slow.save(first + 1, "d/a")
    np.testing.assert_array_equal(slow.load("d/a"), first + overwrite)
    assert sorted(one.name for one in (tmp_path / "d" / "images.zarr").iterdir()) == ["a", "zarr.json"]
