"""Image files of every kind: what they say, their pixels, and what is refused."""

from __future__ import annotations

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from openhcs.core.plate import COLOURS
from openhcs.errors import FormatError, NotFound, NotGrey
from openhcs.io.images import header, read_plane_into
from openhcs.testing.image_kinds import ENCODERS, jpeg

RNG = np.random.default_rng(3)
SMALL = RNG.integers(0, 256, (37, 53)).astype(np.uint8)
LARGE = RNG.integers(0, 4096, (37, 53)).astype(np.uint16)
SHAPES = [(37, 53), (1, 1), (1, 300), (64, 64), (200, 3)]
DEEP = [suffix for suffix in ENCODERS if suffix not in {".jpg", ".jpeg", ".bmp"}]


def read(path, like, page=0, **data):
    out = np.full(like.shape, 77, like.dtype)
    read_plane_into(path, page, out, **data)
    return out


def written(folder, name, data):
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("suffix", "dtype"), [*((one, "uint8") for one in ENCODERS), *((one, "uint16") for one in DEEP)]
)
def test_every_kind_gives_its_plane_back_and_its_header_says_what_it_is(tmp_path, suffix, dtype, shape):
    plane = np.resize(SMALL if dtype == "uint8" else LARGE, shape)
    path = written(tmp_path, f"a{suffix}", ENCODERS[suffix](plane))
    told = header(path)
    assert (told.shape, told.dtype, told.pages) == (shape, dtype, 1)
    found = read(path, plane)
    if suffix in {".jpg", ".jpeg"}:
        assert np.array_equal(found, np.asarray(Image.open(path)))
        assert abs(found.astype(int) - plane).max() < 16
    else:
        assert np.array_equal(found, plane)
    assert np.array_equal(read(path, plane, data=path.read_bytes()), found)


@pytest.mark.parametrize("suffix", list(ENCODERS))
@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_plane_of_one_value_is_read_whole(tmp_path, suffix, value):
    plane = np.full((40, 24), value, np.uint8)
    assert np.array_equal(read(written(tmp_path, f"a{suffix}", ENCODERS[suffix](plane)), plane), plane)


@pytest.mark.parametrize("suffix", list(ENCODERS))
def test_a_plane_lands_in_part_of_a_stack(tmp_path, suffix):
    plane = np.full((16, 24), 9, np.uint8)
    path = written(tmp_path, f"a{suffix}", ENCODERS[suffix](plane))
    stack = np.zeros((3, 16, 24), np.uint8)
    read_plane_into(path, 0, stack[1])
    assert (stack[1] == 9).all()
    assert not stack[0].any()
    assert not stack[2].any()


@pytest.mark.parametrize("suffix", list(ENCODERS))
def test_what_does_not_fit_or_is_not_there_is_told_with_the_path(tmp_path, suffix):
    path = written(tmp_path, f"a{suffix}", ENCODERS[suffix](SMALL))
    with pytest.raises(FormatError, match=r"is \(37, 53\) uint8, the plate's planes are \(36, 53\)"):
        read(path, SMALL[1:])
    with pytest.raises(FormatError, match=r"is \(37, 53\) uint8, the plate's planes are \(37, 53\) uint16"):
        read(path, LARGE)
    with pytest.raises(FormatError, match="has 1 pages, page 1 was asked for"):
        read(path, SMALL, page=1)
    path.unlink()
    with pytest.raises(NotFound, match=path.name):
        header(path)
    with pytest.raises(NotFound, match=path.name):
        read(path, SMALL)


@pytest.mark.parametrize("suffix", list(ENCODERS))
def test_a_file_cut_off_anywhere_is_told_or_still_whole(tmp_path, suffix):
    whole = ENCODERS[suffix](SMALL)
    good = read(written(tmp_path, f"a{suffix}", whole), SMALL)
    sizes = sorted({*range(0, 80, 3), *range(80, len(whole), max(1, len(whole) // 40)), len(whole) - 1})
    for size in sizes:
        path = written(tmp_path, f"a{suffix}", whole[:size])
        if size > len(whole) - 20 and suffix == ".png":
            assert np.array_equal(read(path, SMALL), good)
            continue
        with pytest.raises(FormatError, match=path.name):
            read(path, SMALL)


def test_a_file_is_what_its_first_bytes_say_whatever_its_name_is(tmp_path):
    for number, encode in enumerate(ENCODERS.values()):
        path = written(tmp_path, f"{number}.dat", encode(SMALL))
        assert header(path).shape == (37, 53)
        assert read(path, SMALL).shape == (37, 53)


@pytest.mark.parametrize(("data", "told"), [(b"", "it is empty"), (b"hello world", "it begins with b'hell'")])
def test_what_is_no_image_is_told_with_what_is_read(tmp_path, data, told):
    for path in (written(tmp_path, "a.png", data), written(tmp_path, "a.c01", data)):
        with pytest.raises(FormatError, match=rf"TIFF, PNG, JPEG, C01, DIB, BMP\): {told}"):
            header(path)
        with pytest.raises(FormatError, match=told):
            read(path, SMALL)


COLOUR = np.stack([SMALL, SMALL // 2, SMALL], axis=-1)
ALIKE = np.stack([SMALL] * 3, axis=-1)
CLEAR = np.dstack([ALIKE, np.full(SMALL.shape, 255, np.uint8)])


def pillow(pixels, kind, **settings):
    buffer = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("rgb.png", pillow(ALIKE, "png")),
        ("rgba.png", pillow(CLEAR, "png")),
        ("la.png", pillow(CLEAR[..., 2:], "png")),
        ("palette.png", pillow(Image.fromarray(SMALL).convert("P"), "png")),
        ("1 bit.png", pillow(Image.fromarray(np.where(SMALL > 127, 255, 0).astype(np.uint8)).convert("1"), "png")),
        ("interlaced.png", imagecodecs.png_encode(SMALL)),
        ("rgb.jpg", pillow(ALIKE, "jpeg", quality=95)),
        ("progressive.jpeg", pillow(SMALL, "jpeg", quality=95, progressive=True)),
    ],
)
def test_equal_colours_are_one_grey_value(tmp_path, name, data):
    path = written(tmp_path, name, data)
    assert header(path).shape == SMALL.shape
    assert np.array_equal(read(path, SMALL), np.asarray(Image.open(path).convert("L")))


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.png", pillow(COLOUR, "png"), "holds colours"),
        ("a.png", pillow(Image.fromarray(COLOUR).convert("P"), "png"), "holds colours"),
        ("a.png", pillow(np.dstack([ALIKE, SMALL]), "png"), "has transparent pixels"),
        ("a.bmp", pillow(COLOUR, "bmp"), "has 24 bits per pixel"),
        ("a.tif", pillow(COLOUR, "tiff"), "one value per pixel"),
    ],
)
def test_colours_that_differ_are_refused_as_no_plane(tmp_path, name, data, told):
    path = written(tmp_path, name, data)
    with pytest.raises(NotGrey, match=told):
        header(path)
    with pytest.raises(NotGrey, match=told):
        read(path, SMALL)


def test_a_jpeg_of_more_bits_is_uint16(tmp_path):
    path = written(tmp_path, "a.jpg", imagecodecs.jpeg8_encode(LARGE, bitspersample=12, level=98))
    assert header(path).dtype == "uint16"
    assert abs(read(path, LARGE).astype(int) - LARGE).max() < 200


def test_what_programs_write_around_a_jpeg_is_stepped_over(tmp_path):
    whole = jpeg(SMALL)
    notes = b"".join(b"\xff\xe1" + struct.pack(">H", 4 + number) + b"\xff" * (2 + number) for number in range(40))
    path = written(tmp_path, "a.jpg", whole[:2] + b"\xff\xff" + notes[1:] + whole[2:] + b"maker's notes")
    assert header(path).shape == SMALL.shape
    assert np.array_equal(read(path, SMALL), imagecodecs.jpeg8_decode(whole))


def png_that_says(y, x, bits=8):
    head = struct.pack(">IIBBBBB", x, y, bits, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 4000)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def jpeg_that_says(y, x):
    whole = bytearray(jpeg(SMALL))
    place = whole.index(b"\xff\xc0")
    whole[place + 5 : place + 9] = struct.pack(">HH", y, x)
    return bytes(whole)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", png_that_says(2**30, 2**30)),
        ("a.png", png_that_says(60_000, 60_000, 1)),
        ("a.png", png_that_says(0, 5)),
        ("a.jpg", jpeg_that_says(65_000, 65_000)),
        ("a.jpg", jpeg_that_says(0, 9)),
        ("a.jpg", b"\xff\xd8" + b"\xff\xe0\x00\x02" * 100_000),
        ("a.jpg", b"\xff\xd8" + b"\xff" * 100_000),
    ],
)
def test_sizes_that_cannot_be_are_refused_before_memory_is_taken(tmp_path, name, data):
    path = written(tmp_path, name, data)
    with pytest.raises(FormatError, match=name):
        header(path)
    with pytest.raises(FormatError, match=name):
        read(path, SMALL)


def brightness(path):
    """Return the brightness of a JPEG as another library decodes it: its first component."""
    with Image.open(path) as image:
        image.draft("L", image.size)
        return np.asarray(image)


def test_of_a_jpeg_in_colours_the_stored_brightness_is_read(tmp_path):
    path = written(tmp_path, "a.jpg", pillow(COLOUR, "jpeg", quality=95))
    assert header(path).tags == {COLOURS: True}
    assert np.array_equal(read(path, SMALL), brightness(path))


def test_the_real_jpegs_are_grey_in_one_channel_and_coloured_in_the_other(data):
    files = sorted(data("embl-almf-jpeg-positions").rglob("*.jpeg"))
    assert len(files) == 8
    for path in files:
        assert (COLOURS in header(path).tags) == ("C01" in path.name)
        assert (header(path).shape, header(path).dtype) == ((2160, 2160), "uint8")
        plane = read(path, np.empty((2160, 2160), np.uint8))
        assert np.array_equal(plane, brightness(path))


def test_the_real_palette_tiffs_give_indices(data):
    files = [*data("bbbc013-sbs-plate-8bit").glob("*.tif"), *data("cellomics-as09047-three-wells").glob("*.TIF")]
    assert len(files) == 19
    for path in files:
        told = header(path)
        assert told.shape == ((640, 640) if "Channel" in path.name else (512, 512))
        assert told.dtype == "uint8"
        with tifffile.TiffFile(path) as tif:
            page = tif.pages[0]
            start, size = page.dataoffsets[0], page.nbytes
            assert page.compression == 1
        with Image.open(path) as image:
            assert image.mode == "P"
            indices = np.asarray(image)
        plane = read(path, np.empty(told.shape, np.uint8))
        assert np.array_equal(plane, indices)
        assert plane.tobytes() == path.read_bytes()[start : start + size]
