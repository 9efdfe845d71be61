"""Plates in one file: made from any plate, read where they lie, opened by other people's tools."""

from __future__ import annotations

import os
import shutil
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr

from carrying import document, in_version, pixels_of, rich_plate, tree_of
from openhcs import PipelineOrchestrator, convert, open_plate
from openhcs.cli import main
from openhcs.core.steps import FunctionStep
from openhcs.errors import FormatError, InvalidValue, OutputExists, StorageFull
from openhcs.io.fsops import FileOps
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return make_plate(tmp_path_factory.mktemp("raw") / "P1", wells=("A01", "B03"), sites=2, z=3, size=(301, 400))


@pytest.fixture(scope="module")
def plate(source, tmp_path_factory) -> Path:
    return rich_plate(source, tmp_path_factory.mktemp("plates") / "p.zarr", "0.5")


@pytest.fixture(scope="module")
def archive(plate, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("archive") / "p.ozx"
    assert convert(plate, target).ok
    return target


def test_packed_and_unpacked_a_plate_is_the_same(plate, archive, tmp_path):
    assert convert(archive, tmp_path / "q.zarr").ok
    assert convert(plate, tmp_path / "r.zarr").ok
    assert tree_of(tmp_path / "q.zarr") == tree_of(tmp_path / "r.zarr")
    assert pixels_of(tmp_path / "q.zarr") == pixels_of(plate)
    assert os.listdir(archive.parent) == ["p.ozx"]


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_an_archive_becomes_a_plate_of_any_version(plate, archive, tmp_path, version):
    assert convert(archive, tmp_path / "q.zarr", config=in_version(version)).ok
    assert pixels_of(tmp_path / "q.zarr") == pixels_of(plate)
    assert document(tmp_path / "q.zarr/A/01/0/labels")["labels"] == ["cells"]


def test_raw_plates_become_one_file_of_0_5_or_0_6_but_not_0_4(source, tmp_path):
    for version in ("0.5", "0.6"):
        assert convert(source, tmp_path / f"{version}.ozx", config=in_version(version)).ok
        said = zipfile.ZipFile(tmp_path / f"{version}.ozx").comment.decode()
        assert f'"version": "{version}"' in said
    with pytest.raises(InvalidValue, match=r"0\.5 and later"):
        convert(source, tmp_path / "old.ozx", config=in_version("0.4"))
    assert sorted(os.listdir(tmp_path)) == ["0.5.ozx", "0.6.ozx"]


def test_zarr_python_tensorstore_and_ngff_zarr_read_it(plate, archive):
    import ngff_zarr
    import tensorstore as ts

    expected = zarr.open_array(plate / "B/03/1/0", mode="r")[...]
    store = zarr.storage.ZipStore(archive, mode="r")
    np.testing.assert_array_equal(zarr.open_array(store, path="B/03/1/0", mode="r")[...], expected)
    place = {"driver": "zip", "base": f"file://{archive}", "path": "B/03/1/0/"}
    np.testing.assert_array_equal(ts.open({"driver": "zarr3", "kvstore": place}).result().read().result(), expected)
    assert [one.path for one in ngff_zarr.from_hcs_zarr(str(archive), validate=True).metadata.wells] == ["A/01", "B/03"]


def test_planes_are_read_where_they_lie_and_a_pipeline_runs_on_it(plate, archive, tmp_path):
    found = open_plate(archive)
    expected = zarr.open_array(plate / "B/03/1/0", mode="r")[...]
    np.testing.assert_array_equal(found["B03"].site(2).read(), expected)
    run = PipelineOrchestrator(archive, output=tmp_path / "out", global_config=in_version("0.5"))
    assert run.run([FunctionStep(np.negative, "negative")]).ok
    np.testing.assert_array_equal(open_plate(tmp_path / "out")["B03"].site(2).read(), -expected)


def test_the_commands_take_it(archive, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["info", str(archive)]) == 0
    assert main(["scan", str(archive), "--json"]) == 0
    assert main(["convert", str(archive), "q.ozx", "--ngff", "0.6"]) == 0
    told = capsys.readouterr()
    assert "wrote  q.ozx" in told.out
    assert "openhcs info q.ozx" in told.out


def test_a_file_that_is_there_is_left_alone_unless_it_is_to_be_replaced(plate, tmp_path):
    (tmp_path / "q.ozx").write_text("mine")
    with pytest.raises(OutputExists, match="--exist replace"):
        convert(plate, tmp_path / "q.ozx")
    assert (tmp_path / "q.ozx").read_text() == "mine"
    assert convert(plate, tmp_path / "q.ozx", exist="replace").ok
    assert zipfile.is_zipfile(tmp_path / "q.ozx")


def test_while_packing_fails_no_file_is_there_and_the_next_run_packs_what_was_made(plate, tmp_path, monkeypatch):
    replace = FileOps.replace

    def full(ops, path, data, **more):
        if str(path).endswith(".ozx"):
            raise StorageFull("no space is left", path=path)
        return replace(ops, path, data, **more)

    monkeypatch.setattr(FileOps, "replace", full)
    for version in ("0.5", "0.6"):  # packed where it lies, and made beside the file first
        with pytest.raises(StorageFull):
            convert(plate, tmp_path / f"{version}.ozx", config=in_version(version))
        assert not (tmp_path / f"{version}.ozx").exists()
    monkeypatch.undo()
    assert convert(plate, tmp_path / "0.5.ozx").done == ("A01", "B03")
    assert convert(plate, tmp_path / "0.6.ozx", config=in_version("0.6")).skipped == ("A01", "B03")
    assert sorted(os.listdir(tmp_path)) == ["0.5.ozx", "0.6.ozx"]


def test_a_plate_of_the_same_version_is_packed_without_another_copy(plate, tmp_path, monkeypatch):
    written = []
    write_new = FileOps.write_new
    monkeypatch.setattr(
        FileOps, "write_new", lambda ops, path, data: written.append(path) or write_new(ops, path, data)
    )
    assert convert(plate, tmp_path / "q.ozx").ok
    assert not any("/c/" in str(path) for path in written)
    with zipfile.ZipFile(tmp_path / "q.ozx") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == tree_of(plate)


def test_a_damaged_plate_is_not_packed(plate, tmp_path):
    shutil.copytree(plate, tmp_path / "p.zarr")
    shard = max((path for path in (tmp_path / "p.zarr/B/03").rglob("*") if path.is_file()), key=os.path.getsize)
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    result = convert(tmp_path / "p.zarr", tmp_path / "q.ozx")
    assert [failed.well for failed in result.failed] == ["B03"]
    assert not (tmp_path / "q.ozx").exists()


def test_a_flipped_bit_is_an_error_that_names_the_well(archive, tmp_path):
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as entries:
        start = entries.getinfo("B/03/1/0/c/0/0/0/0").header_offset
    data[start + 500] ^= 8
    broken = tmp_path / "broken.ozx"
    broken.write_bytes(data)
    result = convert(broken, tmp_path / "q.zarr")
    assert (result.done, [failed.well for failed in result.failed]) == (("A01",), ["B03"])
    with pytest.raises(FormatError, match="damaged"):
        open_plate(broken)["B03"].site(2).read()
