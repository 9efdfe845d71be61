"""Bitmaps of Cellomics and Windows: which way up, which bytes, and what cannot be."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from openhcs.errors import FormatError, NotGrey
from openhcs.io.images import header, read_plane_into
from openhcs.testing.image_kinds import bmp, c01, cellomics_dib, windows_dib

RNG = np.random.default_rng(5)
SMALL = RNG.integers(0, 256, (21, 30)).astype(np.uint8)
LARGE = RNG.integers(0, 65536, (21, 30)).astype(np.uint16)


def read(path, like, page=0):
    out = np.full(like.shape, 77, like.dtype)
    read_plane_into(path, page, out)
    return out


def written(folder, name, data):
    (folder / name).write_bytes(data)
    return folder / name


def test_the_real_c01_is_what_zlib_and_numpy_make_of_it(data):
    path = data("cellomics-c01-file") / "iamac01file.c01"
    raw = zlib.decompress(path.read_bytes()[4:])
    told = header(path)
    assert (told.shape, told.dtype, told.pages) == ((512, 512), "uint16", 1)
    assert told.tags["pixels_per_metre"] == (775193, 775193)
    plane = read(path, np.empty((512, 512), np.uint16))
    assert np.array_equal(plane, np.frombuffer(raw, "<u2", offset=52).reshape(512, 512))
    assert (plane.min(), plane.max()) == (526, 1788)


@pytest.mark.parametrize("encode", [c01, cellomics_dib])
@pytest.mark.parametrize("plane", [SMALL, LARGE])
def test_planes_of_one_file_are_its_pages(tmp_path, encode, plane):
    stack = np.stack([plane, plane + 1, plane + 2])
    path = written(tmp_path, "a.dib", encode(stack))
    assert header(path).pages == 3
    for page in range(3):
        assert np.array_equal(read(path, plane, page), stack[page])
    with pytest.raises(FormatError, match="has 3 pages, page 3 was asked for"):
        read(path, plane, 3)


@pytest.mark.parametrize("downwards", [False, True])
def test_a_palette_gives_its_indices_and_rows_run_as_the_height_says(tmp_path, downwards):
    palette = RNG.integers(0, 256, (200, 3)).astype(np.uint8)
    plane = SMALL % 200
    path = written(tmp_path, "a.dib", windows_dib(plane, palette, downwards=downwards))
    assert np.array_equal(read(path, plane), plane)
    assert np.array_equal(
        read(written(tmp_path, "a.c01", b"\0\0\0\x10" + zlib.compress(path.read_bytes())), plane), plane
    )


def test_a_bmp_is_read_as_another_program_writes_it_and_ours_as_another_reads_it(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(SMALL).save(buffer, "bmp")
    assert np.array_equal(read(written(tmp_path, "a.bmp", buffer.getvalue()), SMALL), SMALL)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(bmp(SMALL)))), SMALL)


def changed(data, **fields):
    names = ("size", "x", "y", "planes", "bits", "packed", "bytes", "dots_x", "dots_y", "used", "important")
    layout = struct.Struct("<IiiHHIIiiII")
    told = dict(zip(names, layout.unpack(data[:40]), strict=True)) | fields
    return layout.pack(*told.values()) + data[40:]


ABSURD = [
    {"x": 0},
    {"x": -5},
    {"y": 0},
    {"x": 2**31 - 1, "y": 2**31 - 1},
    {"x": 30_000, "y": -30_000},
    {"y": -(2**31)},
    {"planes": 65535},
    {"planes": 0},
    {"bits": 1},
    {"bits": 0},
    {"bits": 65535},
    {"packed": 1},
    {"used": 2**32 - 1},
    {"size": 12},
    {"size": 2**32 - 1},
]


@pytest.mark.parametrize("fields", ABSURD)
def test_a_header_that_cannot_be_is_refused(tmp_path, fields):
    raw = changed(cellomics_dib(LARGE), **fields)
    for path in (written(tmp_path, "a.c01", b"\0\0\0\x10" + zlib.compress(raw)), written(tmp_path, "a.dib", raw)):
        with pytest.raises(FormatError, match=path.name):
            header(path)
        with pytest.raises(FormatError, match=path.name):
            read(path, LARGE)


def test_colours_are_no_plane(tmp_path):
    path = written(tmp_path, "a.dib", changed(cellomics_dib(LARGE), bits=24))
    with pytest.raises(NotGrey, match="24 bits per pixel"):
        header(path)
    sixteen = b"BM" + struct.pack("<IHHI", 0, 0, 0, 54) + cellomics_dib(LARGE)
    with pytest.raises(NotGrey, match="16 bits per pixel, which are colours"):
        read(written(tmp_path, "a.bmp", sixteen), LARGE)


def test_a_stream_that_unpacks_to_far_more_than_its_header_says_takes_no_memory(tmp_path):
    bomb = cellomics_dib(LARGE) + b"\0" * 2**28
    path = written(tmp_path, "a.c01", b"\0\0\0\x10" + zlib.compress(bomb))
    tracemalloc.start()
    start = time.monotonic()
    with pytest.raises(FormatError, match="holds more than its header says"):
        read(path, LARGE)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    assert time.monotonic() - start < 5
    tracemalloc.stop()


def test_a_few_bytes_after_the_pixels_are_stepped_over(tmp_path):
    path = written(tmp_path, "a.c01", b"\0\0\0\x10" + zlib.compress(cellomics_dib(LARGE) + b"tail"))
    assert np.array_equal(read(path, LARGE), LARGE)


def test_a_flipped_bit_in_a_c01_is_never_pixels(tmp_path):
    whole = c01(LARGE)
    for place in range(4, len(whole), 7):
        data = bytearray(whole)
        data[place] ^= 0x10
        with pytest.raises(FormatError, match=r"a\.c01"):
            read(written(tmp_path, "a.c01", bytes(data)), LARGE)


def test_a_bmp_whose_pixels_lie_elsewhere_is_refused(tmp_path):
    for start in (0, 20, 2**31):
        data = bytearray(bmp(SMALL))
        data[10:14] = struct.pack("<I", start)
        with pytest.raises(FormatError, match=r"a\.bmp"):
            read(written(tmp_path, "a.bmp", bytes(data)), SMALL)
