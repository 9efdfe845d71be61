"""TIFF planes: equal with tifffile for every kind met, and refused in words when damaged."""

from __future__ import annotations

import io
import struct
import time

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from openhcs.errors import FormatError, InvalidType, NotFound, NotGrey, OpenHCSError
from openhcs.io.tiff import OME_TYPES, encode_ome_tiff, read_header, read_plane_into

PLANE = np.random.default_rng(0).integers(0, 4000, (37, 53)).astype(np.uint16)


def read(path, like, page=0):
    out = np.full(like.shape, 77, like.dtype)
    read_plane_into(path, page, out)
    return out


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("compression", [None, "lzw", "packbits", "adobe_deflate", "deflate", "zstd"])
def test_every_compression_byte_order_and_dtype_reads_as_tifffile_reads_it(tmp_path, byteorder, dtype, compression):
    plane = PLANE.astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", plane, byteorder=byteorder, compression=compression, metadata=None)
    assert np.array_equal(read(tmp_path / "a.tif", plane), tifffile.imread(tmp_path / "a.tif"))


@pytest.mark.parametrize(
    "layout", [{"rowsperstrip": 5}, {"tile": (16, 16)}, {"bigtiff": True}, {"predictor": True, "compression": "lzw"}]
)
def test_strips_tiles_and_predictors_read_as_tifffile_reads_them(tmp_path, layout):
    tifffile.imwrite(tmp_path / "a.tif", PLANE, metadata=None, **layout)
    assert np.array_equal(read(tmp_path / "a.tif", PLANE), PLANE)


def test_a_palette_image_gives_its_indices(tmp_path):
    plane = (PLANE % 256).astype(np.uint8)
    table = np.arange(768, dtype=np.uint16).reshape(3, 256)
    tifffile.imwrite(tmp_path / "a.tif", plane, photometric="palette", colormap=table, metadata=None)
    assert np.array_equal(read(tmp_path / "a.tif", plane), plane)


def test_any_page_can_be_read_and_a_page_too_far_is_told(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([PLANE, PLANE + 1]), metadata=None)
    assert np.array_equal(read(tmp_path / "a.tif", PLANE, page=1), PLANE + 1)
    with pytest.raises(FormatError, match="has 2 pages, page 2"):
        read(tmp_path / "a.tif", PLANE, page=2)


def test_a_plane_lands_in_part_of_a_stack(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PLANE, metadata=None)
    stack = np.zeros((3, *PLANE.shape), np.uint16)
    read_plane_into(tmp_path / "a.tif", 0, stack[1])
    assert np.array_equal(stack[1], PLANE)
    assert not stack[0].any()
    assert not stack[2].any()


@pytest.mark.parametrize("like", [np.zeros((36, 53), np.uint16), np.zeros((37, 53), np.uint8)])
def test_another_shape_or_dtype_is_refused(tmp_path, like):
    tifffile.imwrite(tmp_path / "a.tif", PLANE, metadata=None)
    with pytest.raises(FormatError, match=r"a.tif is \(37, 53\) uint16, the plate's planes are"):
        read(tmp_path / "a.tif", like)


def test_colour_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 6, 3), np.uint8), photometric="rgb", metadata=None)
    with pytest.raises(NotGrey, match="one value per pixel"):
        read_header(tmp_path / "a.tif")


def test_the_header_says_shape_dtype_pages_and_description(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([PLANE, PLANE]), description="hello", metadata=None)
    header = read_header(tmp_path / "a.tif")
    assert (header.shape, header.dtype, header.pages, header.description) == ((37, 53), "uint16", 2, "hello")


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(NotFound, match=r"a\.tif"):
        read_header(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", [None, "lzw", "adobe_deflate"])
def test_a_file_cut_off_is_told(tmp_path, compression):
    tifffile.imwrite(tmp_path / "a.tif", PLANE, metadata=None, compression=compression)
    whole = (tmp_path / "a.tif").read_bytes()
    for size in (0, 3, 8, 60, len(whole) // 2, len(whole) - 1):
        (tmp_path / "a.tif").write_bytes(whole[:size])
        with pytest.raises(FormatError, match=r"a\.tif"):
            read(tmp_path / "a.tif", PLANE)


def test_a_header_that_promises_too_much_takes_no_memory_and_no_time(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PLANE, metadata=None)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        places = [tif.pages[0].tags[name].valueoffset for name in ("ImageWidth", "ImageLength")]
    for place in places:
        data[place : place + 4] = struct.pack("<I", 2_000_000)
    (tmp_path / "a.tif").write_bytes(data)
    start = time.monotonic()
    with pytest.raises(FormatError):
        read(tmp_path / "a.tif", PLANE)
    assert time.monotonic() - start < 2


@settings(max_examples=150)
@given(data=st.data(), compression=st.sampled_from([None, "lzw", "adobe_deflate"]))
def test_garbage_in_a_file_ends_in_our_error_or_in_pixels(tmp_path_factory, data, compression):
    path = tmp_path_factory.mktemp("t") / "a.tif"
    tifffile.imwrite(path, PLANE, metadata=None, compression=compression)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, min(len(raw), 600) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    told = str(path)
    try:
        read(path, PLANE)
    except OpenHCSError as error:
        told = str(error)
    assert str(path) in told


@pytest.mark.parametrize("dtype", list(OME_TYPES))
def test_an_ome_tiff_gives_its_plane_back_and_names_what_it_is(tmp_path, dtype):
    plane = (PLANE > 2000) if dtype == "bool" else PLANE.astype(dtype)
    data = encode_ome_tiff(plane, channel_name='DAPI "x" <µ>', pixel_size_um=(0.5, 0.25), z_step_um=2.0)
    (tmp_path / "a.ome.tif").write_bytes(data)
    assert np.array_equal(tifffile.imread(tmp_path / "a.ome.tif"), plane)
    assert np.array_equal(read(tmp_path / "a.ome.tif", plane), plane)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tif:
        said = tifffile.xml2dict(tif.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (said["Type"], said["PhysicalSizeY"], said["PhysicalSizeX"]) == (OME_TYPES[dtype], 0.5, 0.25)
    assert said["Channel"]["Name"] == 'DAPI "x" <µ>'


def test_the_same_plane_gives_the_same_bytes():
    assert encode_ome_tiff(PLANE) == encode_ome_tiff(PLANE.copy())


def test_a_dtype_without_a_name_in_ome_is_refused():
    with pytest.raises(InvalidType, match=r"holds no int64.*keep Zarr"):
        encode_ome_tiff(PLANE.astype(np.int64))


def stack_of(planes, *, count=None, compression=None):
    """Return a MetaMorph stack: one page, its tag UIC2 with six numbers per plane, the planes one after another."""
    buffer = io.BytesIO()
    told = {33628: (0, 1), 33629: (1,) * (6 * len(planes))}
    tags = [(code, 4, len(values), values, True) for code, values in told.items()]
    settings = {"byteorder": "<", "metadata": None, "extratags": tags, "rowsperstrip": 5}
    tifffile.imwrite(buffer, planes[0], compression=compression, **settings)
    data = bytearray(buffer.getvalue() + b"".join(plane.tobytes() for plane in planes[1:]))
    for code, kind, many in ((33628, 4, 1), (33629, 5, count or len(planes))):
        entry = data.index(struct.pack("<HHI", code, 4, len(told[code])))
        data[entry : entry + 8] = struct.pack("<HHI", code, kind, many)
    return bytes(data)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_the_planes_of_a_metamorph_stack_are_its_pages(tmp_path, dtype):
    planes = np.stack([PLANE, PLANE + 1, PLANE * 2]).astype(dtype)
    (tmp_path / "a.stk").write_bytes(stack_of(planes))
    assert np.array_equal(tifffile.imread(tmp_path / "a.stk"), planes)
    assert read_header(tmp_path / "a.stk").pages == 3
    for page in range(3):
        assert np.array_equal(read(tmp_path / "a.stk", planes[0], page), planes[page])
    with pytest.raises(FormatError, match="has 3 pages, page 3"):
        read(tmp_path / "a.stk", planes[0], 3)


def test_a_stack_that_is_cut_off_or_promises_too_much_is_refused(tmp_path):
    whole = stack_of(np.stack([PLANE] * 4))
    (tmp_path / "a.stk").write_bytes(whole[: -PLANE.nbytes // 2])
    assert np.array_equal(read(tmp_path / "a.stk", PLANE, 2), PLANE)
    with pytest.raises(FormatError, match="cut off"):
        read(tmp_path / "a.stk", PLANE, 3)
    (tmp_path / "a.stk").write_bytes(stack_of(np.stack([PLANE] * 4), count=20))
    with pytest.raises(FormatError, match=r"a\.stk"):
        read_header(tmp_path / "a.stk")


def test_of_a_stack_that_is_compressed_the_first_plane_is_read_and_no_other_guessed(tmp_path):
    (tmp_path / "a.stk").write_bytes(stack_of(np.stack([PLANE, PLANE + 1]), compression="zlib"))
    assert np.array_equal(read(tmp_path / "a.stk", PLANE), PLANE)
    with pytest.raises(FormatError, match="planes are compressed"):
        read(tmp_path / "a.stk", PLANE, 1)


def test_the_real_metamorph_image_has_one_plane(data):
    path = data("cellomics-c01-file") / "MetamorphImage.tif"
    assert (read_header(path).shape, read_header(path).pages) == ((520, 696), 1)
    plane = read(path, np.empty((520, 696), np.uint16))
    assert np.array_equal(plane, tifffile.imread(path))
