"""Formats on disk: other readers agree, and damage and false sizes are told of, naming the file."""

from __future__ import annotations

import csv
import io
import struct
import sys
import tracemalloc
import zipfile
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tifffile
from PIL import Image

from openhcs.errors import FormatError, InvalidType, InvalidValue, OutOfBudget
from openhcs.io.disk import DiskBackend
from openhcs.io.formats import SUFFIXES, TYPES
from openhcs.io.fsops import FileOps

IMAGE = np.random.default_rng(0).integers(0, 4096, (20, 30), dtype="uint16")
ROWS = [
    {"well": "A01", "cells": 3, "area": 1.5, "note": None},
    {"well": "1", "cells": 0, "area": 2.0, "note": 'a "b", c\n'},
]
COLUMNS = {"area": np.array([1.5, 2.5], "float32"), "label": np.array([1, 2], "uint16"), "well": ["A01", None]}
VALUES = {
    ".tif": IMAGE, ".tiff": IMAGE, ".npy": IMAGE, ".npz": {"a": IMAGE, "b": IMAGE[0]}, ".png": IMAGE,
    ".json": {"a": [1, 2.5]}, ".csv": ROWS, ".parquet": ROWS, ".txt": "µ", ".bin": b"123",
}  # fmt: skip
CHECKED = (".npz", ".png", ".parquet")
"""Formats whose files carry checksums."""


@pytest.fixture
def disk(tmp_path):
    return DiskBackend(tmp_path, FileOps(durable=False))


def test_every_suffix_has_a_value_in_these_tests():
    assert set(VALUES) == set(SUFFIXES)


def test_png_is_read_by_pillow_and_what_pillow_writes_is_read(disk, tmp_path):
    colours = np.random.default_rng(1).integers(0, 256, (5, 6, 3), dtype="uint8")
    disk.save(IMAGE, "grey.png")
    disk.save(colours, "colour.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "grey.png")), IMAGE)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "colour.png")), colours)
    Image.fromarray(colours[..., 0]).save(tmp_path / "theirs.png")
    np.testing.assert_array_equal(disk.load("theirs.png"), colours[..., 0])


def test_npz_is_read_by_numpy_and_what_numpy_packs_is_read(disk, tmp_path):
    disk.save(VALUES[".npz"], "x.npz")
    with np.load(tmp_path / "x.npz", allow_pickle=False) as found:
        assert sorted(found) == ["a", "b"]
        np.testing.assert_array_equal(found["a"], IMAGE)
    np.savez_compressed(tmp_path / "theirs.npz", a=IMAGE, zeros=np.zeros((1000, 1000)))
    assert disk.load("theirs.npz")["zeros"].shape == (1000, 1000)


def test_csv_is_read_by_the_csv_module_and_what_others_write_is_read_by_its_cells(disk, tmp_path):
    disk.save(ROWS, "x.csv")
    with (tmp_path / "x.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert found[1] == {"well": "1", "cells": "0", "area": "2.0", "note": 'a "b", c\n'}
    assert disk.load("x.csv") == ROWS
    (tmp_path / "theirs.csv").write_bytes(b"\xef\xbb\xbfwell,n,plate,x\r\nA01,3,007,1.5\r\nB02,,1E05,nan?\r\n")
    assert disk.load("theirs.csv") == [
        {"well": "A01", "n": 3, "plate": "007", "x": 1.5},
        {"well": "B02", "n": None, "plate": "1E05", "x": "nan?"},
    ]


def test_the_types_beside_a_csv_belong_to_its_bytes(disk, tmp_path):
    disk.save(COLUMNS, "x.csv")
    found = disk.load("x.csv")
    assert list(found) == list(COLUMNS)
    assert found["area"].dtype == "float32"
    assert found["label"].dtype == "uint16"
    assert found["well"] == ["A01", None]
    assert list(disk.list("")) == ["x.csv"]
    (tmp_path / "x.csv").write_text('"area"\n9.5\n')
    assert disk.load("x.csv") == [{"area": 9.5}]
    disk.save({"area": [1]}, "x.csv", overwrite=True)
    assert disk.load("x.csv") == {"area": [1]}
    assert sum(one.name.endswith(TYPES) for one in tmp_path.iterdir()) == 1
    disk.save(ROWS, "x.csv", overwrite=True)
    assert [one.name for one in tmp_path.iterdir()] == ["x.csv"]
    disk.save(COLUMNS, "x.csv", overwrite=True)
    disk.delete("x.csv")
    assert list(tmp_path.iterdir()) == []


def test_parquet_is_read_by_pyarrow_and_what_others_write_is_read_as_columns(disk, tmp_path):
    disk.save(COLUMNS, "x.parquet")
    table = pq.read_table(tmp_path / "x.parquet")
    assert [str(column.type) for column in table.columns] == ["float", "uint16", "string"]
    assert table.column("well").to_pylist() == ["A01", None]
    pq.write_table(pa.table({"n": [1, 2], "s": ["a", None]}), tmp_path / "theirs.parquet")
    found = disk.load("theirs.parquet")
    np.testing.assert_array_equal(found["n"], [1, 2])
    assert found["s"] == ["a", None]


def test_parquet_without_pyarrow_names_the_extra(disk, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidValue, match=r"openhcs\[tables\]"):
        disk.save(ROWS, "x.parquet")


def test_tiffs_of_other_programs_are_read(disk, tmp_path):
    stack = np.arange(60, dtype="uint16").reshape(3, 4, 5)
    for name, options in {
        "imagej": {"imagej": True, "metadata": {"axes": "ZYX"}},
        "ome.ome": {"metadata": {"axes": "ZYX"}},
        "big": {"bigtiff": True, "byteorder": ">"},
        "tiled": {"tile": (16, 16), "compression": "lzw"},
        "plain": {"metadata": None},
    }.items():
        tifffile.imwrite(tmp_path / f"{name}.tif", stack, photometric="minisblack", **options)
        np.testing.assert_array_equal(disk.load(f"{name}.tif"), stack)


def test_a_tiff_of_several_images_is_refused_not_read_in_part(disk, tmp_path):
    with tifffile.TiffWriter(tmp_path / "x.tif") as tif:
        tif.write(np.zeros((4, 5), "uint8"))
        tif.write(np.zeros((6, 7), "uint8"))
    with pytest.raises(FormatError, match=r"x\.tif holds 2 images"):
        disk.load("x.tif")


@pytest.mark.parametrize(
    ("value", "suffix", "why"),
    [
        (np.zeros((2, 2), "complex64"), ".png", "uint8 and uint16"),
        (np.zeros((2, 2, 2, 2), "uint8"), ".png", "one plane"),
        (np.zeros(3), ".tif", "two axes"),
        (np.zeros((0, 3)), ".tif", "no pixels"),
        (np.zeros((2, 2), "longdouble"), ".npy", "every machine"),
        (np.ma.zeros((2, 2)), ".npy", "mask"),
        (np.array([{}]), ".npz", "not a dict"),
        ({"a": np.array([{}])}, ".npz", "pickle"),
        ({"a": 1}, ".npz", "not an array"),
        ({"a": (1, 2)}, ".json", "tuple"),
        ({1: 2}, ".json", "no text"),
        ([float("nan")], ".json", "nan"),
        ([np.float32(1)], ".json", "float32"),
        ([10**5000], ".json", "digits"),
        ([{"a": 1}, {"b": 1}], ".csv", "same names"),
        ([], ".csv", "empty list"),
        ({"a": [1], "b": []}, ".csv", "cells"),
        ({"a": [[1]]}, ".csv", "list"),
        ({"a": [1, "x"]}, ".parquet", "mixes int and str"),
        ({"a": [2**64]}, ".parquet", "64 bits"),
        ("\ud800", ".txt", "half of a pair"),
        (1, ".bin", "not bytes"),
    ],
)  # fmt: skip
def test_what_would_not_come_back_as_it_was_is_refused(disk, value, suffix, why):
    with pytest.raises(InvalidType, match=why):
        disk.save(value, f"x{suffix}")
    assert list(disk.list("")) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_cut_off_anywhere_are_named_or_read_whole(disk, tmp_path, suffix):
    disk.save(VALUES[suffix], f"x{suffix}")
    whole = (tmp_path / f"x{suffix}").read_bytes()
    refused = 0
    for size in sorted({0, 1, 5, len(whole) // 2, len(whole) - 1, *range(0, len(whole), max(1, len(whole) // 12))}):
        (tmp_path / f"x{suffix}").write_bytes(whole[:size])
        try:
            disk.load(f"x{suffix}")
        except FormatError as error:
            refused += f"x{suffix}" in str(error)
    assert refused >= 5 or suffix in {".txt", ".bin"} or (suffix == ".csv" and refused)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_flipped_bits_end_in_our_errors_and_are_found_where_there_is_a_checksum(disk, tmp_path, suffix):
    value = VALUES[suffix]
    disk.save(value, f"x{suffix}")
    whole = (tmp_path / f"x{suffix}").read_bytes()
    random = np.random.default_rng(3)
    told = []
    for _ in range(60):
        data = bytearray(whole)
        data[random.integers(len(data))] ^= 1 << random.integers(8)
        (tmp_path / f"x{suffix}").write_bytes(data)
        try:
            disk.load(f"x{suffix}")
        except (FormatError, OutOfBudget) as error:
            told.append(str(error))
    assert all(f"x{suffix}" in one for one in told)
    assert told or suffix not in CHECKED


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_noise_is_no_file_of_any_kind(disk, tmp_path, suffix):
    (tmp_path / f"x{suffix}").write_bytes(b"\xff\x00\xfe" + np.random.default_rng(4).bytes(3000))
    if suffix == ".bin":
        assert len(disk.load("x.bin")) == 3003
        return
    with pytest.raises(FormatError, match=rf"x\{suffix}"):
        disk.load(f"x{suffix}")


def _png(y, x):
    def part(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = part(b"IHDR", struct.pack(">IIBBBBB", x, y, 16, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + part(b"IDAT", zlib.compress(bytes(10**5))) + part(b"IEND", b"")


def _npy(shape):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return buffer.getvalue() + bytes(100)


def _npz(shape):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", _npy(shape))
    return buffer.getvalue()


def _tiff(shape, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((16, 16), "uint8"), metadata=None, photometric="minisblack", **options)
    data = bytearray(buffer.getvalue())
    with tifffile.TiffFile(io.BytesIO(data)) as tif:
        tags = {name: tif.pages[0].tags[name] for name in ("ImageWidth", "ImageLength")}
        spots = [(tags["ImageLength"], shape[0]), (tags["ImageWidth"], shape[1])]
    for tag, size in spots:
        struct.pack_into("<HI", data, tag.offset + 2, 4, 1)
        struct.pack_into("<I", data, tag.offset + 8, size)
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.png", _png(60_000, 60_000)),
        ("x.png", _png(5_000, 6_000)),
        ("x.npy", _npy((10**8,))),
        ("x.npz", _npz((10**8,))),
        ("x.tif", _tiff((20_000, 20_000))),
        ("x.tif", _tiff((20_000, 20_000), compression="zlib")),
        ("x.npy", _npy((2**40,))),
        ("x.npy", _npy((2**62, 2**62))),
        ("x.npz", _npz((2**40,))),
        ("x.tif", _tiff((200_000, 200_000))),
        ("x.tif", _tiff((200_000, 200_000), compression="zlib")),
        ("x.tif", _tiff((200_000, 200_000), compression="zstd", rowsperstrip=16)),
    ],
)
def test_false_sizes_are_refused_before_memory_is_taken(disk, tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises((FormatError, OutOfBudget), match=name):
            disk.load(name)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_pickles_in_arrays_are_never_loaded(disk, tmp_path):
    np.save(tmp_path / "x.npy", np.array([{1: 2}]), allow_pickle=True)
    np.savez(tmp_path / "x.npz", a=np.array([{1: 2}]))
    for name in ("x.npy", "x.npz"):
        with pytest.raises(FormatError, match="pickle"):
            disk.load(name)
    with pytest.raises(FormatError, match="pickle"):
        disk.open_array("x.npy")


def test_deep_json_is_refused_both_ways(disk, tmp_path):
    deep = []
    for _ in range(300):
        deep = [deep]
    with pytest.raises(InvalidType, match="levels deep"):
        disk.save(deep, "x.json")
    (tmp_path / "x.json").write_text("[" * 200_000)
    with pytest.raises(FormatError, match=r"x\.json"):
        disk.load("x.json")


def test_heavy_libraries_wait_until_they_are_used():
    import subprocess

    code = "import sys, openhcs.io.disk; print({'tifffile', 'imagecodecs', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
