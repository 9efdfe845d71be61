"""Stores in one file, compared with the standard library's zip reader, tensorstore and ngff-zarr."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhcs.errors import FormatError, NotFound, StorageError
from openhcs.io.fsops import FileOps
from openhcs.io.ozx import OzxFiles, OzxTree, names_in_order, pack
from openhcs.io.tree import Entry, FolderTree, Listing

if TYPE_CHECKING:
    from pathlib import Path

PARTS = st.text("abzAZ09_ä", min_size=1, max_size=3)
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
GROUP = b'{"zarr_format":3,"node_type":"group"}'


class Held:
    """A tree of bytes in memory."""

    root = "held"

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def list(self, path: str = "") -> Listing:
        prefix = f"{path}/" if path else ""
        below = [name[len(prefix) :] for name in self.files if name.startswith(prefix)]
        folders = sorted({name.partition("/")[0] for name in below if "/" in name})
        files = tuple(Entry(name, len(self.files[prefix + name]), 0) for name in sorted(below) if "/" not in name)
        return Listing(tuple(folders), files)

    def pieces(self, path: str):
        data = self.files[path]
        yield data[:3]
        yield data[3:]


def packed(files: dict[str, bytes], path: Path, version: str = "0.5") -> Path:
    tree = Held(files)
    path.write_bytes(b"".join(pack(tree, names_in_order(tree), version)))
    return path


@st.composite
def stores(draw: st.DrawFn) -> dict[str, bytes]:
    """Files of a store: no name is a folder of another."""
    names = draw(st.sets(NAMES, max_size=8))
    free = {name for name in names if not any(other.startswith(f"{name}/") for other in names)}
    return {"zarr.json": GROUP, **{name: draw(st.binary(max_size=40)) for name in sorted(free)}}


@settings(max_examples=60, deadline=None)
@given(files=stores())
def test_what_is_packed_is_read_back_by_us_and_by_the_standard_library(files, tmp_path_factory):
    path = packed(files, tmp_path_factory.mktemp("x") / "a.ozx")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
    tree = OzxTree(path)
    assert {name: tree.read(name) for name in tree.names} == files
    assert b"".join(pack(tree, names_in_order(tree), "0.5")) == path.read_bytes()


def test_the_root_document_comes_first_then_documents_breadth_first_then_the_rest(tmp_path):
    names = ["zarr.json", "A/zarr.json", "B/zarr.json", "A/01/zarr.json", "A/01/0/c/0", "a.txt"]
    path = packed(dict.fromkeys(reversed(names), GROUP), tmp_path / "a.ozx")
    assert zipfile.ZipFile(path).namelist() == names
    assert path.read_bytes()[30:39] == b"zarr.json"
    told = {"ome": {"version": "0.5", "zipFile": {"centralDirectory": {"jsonFirst": True}}}}
    assert json.loads(zipfile.ZipFile(path).comment) == told
    assert OzxTree(path).comment == told["ome"]


def test_entries_are_stored_with_zip64_sizes(tmp_path):
    path = packed({"zarr.json": GROUP, "c/0": b"x" * 99}, tmp_path / "a.ozx")
    for info in zipfile.ZipFile(path).infolist():
        assert (info.compress_type, info.flag_bits & 1) == (zipfile.ZIP_STORED, 0)
        assert struct.unpack_from("<H", info.extra) == (1,)
    assert b"PK\x06\x06" in path.read_bytes()


@pytest.mark.crash
def test_an_archive_over_4_gib_is_read_by_the_standard_library(tmp_path):
    zeros = bytes(2**26)

    class Large(Held):
        def pieces(self, path):
            yield from [zeros] * 66 if path == "c/0" else [self.files[path]]

    tree, path = Large({"zarr.json": GROUP, "c/0": b"", "c/1": b"last"}), tmp_path / "large.ozx"
    with path.open("wb") as file:
        for part in pack(tree, names_in_order(tree), "0.5"):
            file.seek(len(part), io.SEEK_CUR) if part is zeros else file.write(part)
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("c/0").file_size == 66 * 2**26
        assert archive.getinfo("c/1").header_offset > 2**32
        assert archive.read("c/1") == b"last"
    assert OzxTree(path).read("c/1") == b"last"


def test_a_store_without_a_root_document_is_not_packed(tmp_path):
    (tmp_path / ".zgroup").write_text("{}")
    with pytest.raises(FormatError, match=r"no zarr\.json at its root"):
        names_in_order(FolderTree(tmp_path))


def test_a_file_that_changes_while_it_is_packed_is_noticed():
    class Shifty(Held):
        def pieces(self, path):
            self.files[path] += b"!"
            yield self.files[path]

    with pytest.raises(StorageError, match="changed while it was packed"):
        b"".join(pack(Shifty({"zarr.json": GROUP}), ["zarr.json"], "0.5"))


def test_a_flipped_bit_is_found_by_the_checksum(tmp_path):
    path = packed({"zarr.json": GROUP, "c/0": b"abcdefgh"}, tmp_path / "a.ozx")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"abcdefgh", b"abcdEfgh"))
    with pytest.raises(FormatError, match="c/0 is damaged"):
        OzxTree(path).read("c/0")


def write_zip(path: Path, names: list[str], how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name in names:
            archive.writestr(name, GROUP * 9)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("names", "how", "why"),
    [
        (["zarr.json", "c/0"], zipfile.ZIP_DEFLATED, "compressed"),
        (["zarr.json", "../x"], zipfile.ZIP_STORED, "no path"),
        (["zarr.json", "/etc/x"], zipfile.ZIP_STORED, "no path"),
        (["zarr.json", "a//b"], zipfile.ZIP_STORED, "no path"),
        (["zarr.json", "a", "a"], zipfile.ZIP_STORED, "twice"),
        (["plate.zarr/zarr.json"], zipfile.ZIP_STORED, r"no zarr\.json at its root"),
    ],
)
def test_archives_that_are_no_store_are_refused(tmp_path, names, how, why):
    with pytest.raises(FormatError, match=why):
        OzxTree(write_zip(tmp_path / "a.ozx", names, how))


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "a.ozx").write_bytes(b"II*\0" + bytes(99))
    for path, error in (("a.ozx", FormatError), ("gone.ozx", NotFound)):
        with pytest.raises(error):
            OzxTree(tmp_path / path)
    (tmp_path / "folder.ozx").mkdir()
    with pytest.raises(FormatError, match="no plain file"):
        OzxTree(tmp_path / "folder.ozx")


def test_every_cut_and_every_flip_of_an_archive_is_an_error_of_ours_or_harmless(tmp_path):
    path = packed({"zarr.json": GROUP, "c/0": b"abcdefgh"}, tmp_path / "a.ozx")
    data = path.read_bytes()
    whole = {"zarr.json": GROUP, "c/0": b"abcdefgh"}
    for place in range(len(data)):
        for broken in (data[:place], data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :]):
            path.write_bytes(broken)
            try:
                tree = OzxTree(path)
                found = {name: tree.read(name) for name in tree.names}
            except (FormatError, NotFound):
                continue
            assert found == whole or set(found) != set(whole)


def test_an_entry_that_lies_in_another_is_refused(tmp_path):
    inner = b"".join(pack(Held({"zarr.json": GROUP}), ["zarr.json"], "0.5"))
    path = packed({"zarr.json": GROUP, "c/0": inner}, tmp_path / "a.ozx")
    data = bytearray(path.read_bytes())
    # The second entry of the directory is made to point into the bytes of the first one's neighbour.
    place = data.rindex(struct.pack("<Q", data.rindex(b"PK\x03\x04", 0, data.index(inner))))
    data[place : place + 8] = struct.pack("<Q", data.index(inner) - 5)
    path.write_bytes(data)
    with pytest.raises(FormatError):
        OzxTree(path).read("c/0")


def test_folders_and_files_are_listed_as_in_a_folder(tmp_path):
    files = {"zarr.json": GROUP, "A/zarr.json": GROUP, "A/01/0/c/0": b"12", "A/notes.txt": b"3"}
    for name, data in files.items():
        (tmp_path / "p.zarr" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p.zarr" / name).write_bytes(data)
    folder = FolderTree(tmp_path / "p.zarr")
    archive = OzxTree(packed(files, tmp_path / "p.ozx"))
    for path in ("", "A", "A/01", "A/01/0/c", "nowhere"):
        here, there = folder.list(path), archive.list(path)
        assert here.folders == there.folders
        assert [(one.name, one.size) for one in here.files] == [(one.name, one.size) for one in there.files]
    unpacked = archive.local("A/01/0", tmp_path / "scratch", FileOps(durable=False))
    assert (unpacked / "c/0").read_bytes() == b"12"
    assert [file.path for file in OzxFiles(archive.root).list()] == [
        "A/01/0/c/0",
        "A/notes.txt",
        "A/zarr.json",
        "zarr.json",
    ]
    assert zlib.crc32(b"12") in {entry.mark for entry in archive.list("A/01/0/c").files}
