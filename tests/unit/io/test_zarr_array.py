"""Arrays as we store them, read by zarr-python, and arrays of zarr-python read by us."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import zarr
import zarr.codecs as v3
from numcodecs import BZ2, LZ4, LZMA, Blosc, Delta, GZip, Zlib, Zstd

from openhcs.constants.constants import ZarrChunkStrategy, ZarrCompressor
from openhcs.core.config import ZarrConfig
from openhcs.errors import (
    AccessDenied,
    AlreadyExists,
    FormatError,
    InvalidType,
    InvalidValue,
    NotFound,
    StorageError,
    StorageFull,
)
from openhcs.io import ts_context
from openhcs.io.codecs import DTYPES, notes
from openhcs.io.fsops import FileOps
from openhcs.io.zarr_array import create_handle, open_handle, write_array
from openhcs.io.zarr_document import group_document
from openhcs.io.zarr_spec import make_spec

VERSIONS = ("0.4", "0.5")
LAYOUTS = {
    "single": {},
    "auto": {"chunk_strategy": ZarrChunkStrategy.AUTO},
    "chunks": {"chunk_strategy": ZarrChunkStrategy.CUSTOM, "chunk_shape": (2, 5, 4)},
    "shards": {
        "chunk_strategy": ZarrChunkStrategy.CUSTOM,
        "chunk_shape": (1, 5, 4),
        "shard_shape": (2, 10, 8),
    },
}
OPS = FileOps(durable=False)


def sample(shape, dtype):
    values = np.random.default_rng(7).normal(0, 90, shape)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(values) if np.dtype(dtype).kind == "u" else values).astype(dtype)


def stored(folder, array, config=None, **more):
    spec = make_spec(array.shape, array.dtype.name, config or ZarrConfig(), **more)
    write_array(folder, array, spec, OPS)
    return folder


def files(folder):
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and path.name not in {"zarr.json", ".zarray", ".zattrs"}
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("compressor", ZarrCompressor)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_dtype_is_read_by_zarr_python_as_it_was_written(tmp_path, version, compressor, layout):
    if version == "0.4" and layout == "shards":
        pytest.skip("Zarr v2 has no shards")
    for dtype, shuffle in itertools.product(DTYPES, (True, False)):
        config = ZarrConfig(
            ngff_version=version,
            compressor=compressor,
            shuffle=shuffle,
            **LAYOUTS[layout],
        )
        array = sample((3, 2, 13, 9), dtype)
        folder = stored(tmp_path / f"{dtype}-{shuffle}", array, config, dimension_names="czyx")
        theirs = zarr.open_array(folder, mode="r")
        assert theirs.dtype == array.dtype
        np.testing.assert_array_equal(theirs[...], array)
        ours = open_handle(folder)
        np.testing.assert_array_equal(ours.read(), array)
        assert ours.spec.dimension_names == tuple("czyx")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_every_dtype_of_zarr_python_is_read_by_us(tmp_path, zarr_format, dtype):
    kinds = {
        2: [None, Zstd(3), Zlib(1), Blosc("lz4"), Blosc("zstd", 1, 2), LZ4()],
        3: [
            None,
            v3.ZstdCodec(),
            v3.GzipCodec(),
            v3.BloscCodec(cname="zstd"),
            (v3.BloscCodec(), v3.Crc32cCodec()),
        ],
    }
    array = sample((2, 21, 9), dtype)
    for number, compressor in enumerate(kinds[zarr_format]):
        folder = tmp_path / str(number)
        made = zarr.create_array(
            folder,
            shape=array.shape,
            chunks=(1, 8, 4),
            dtype=dtype,
            compressors=compressor,
            zarr_format=zarr_format,
        )
        made[...] = array
        np.testing.assert_array_equal(open_handle(folder).read(), array)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (0, 4), (1, 1200, 7), (1, 2, 3, 4, 5)])
def test_arrays_of_any_number_of_axes_come_back(tmp_path, version, shape):
    array = sample(shape, "float32")
    folder = stored(tmp_path / "a", array, ZarrConfig(ngff_version=version))
    np.testing.assert_array_equal(open_handle(folder).read(), array)
    np.testing.assert_array_equal(zarr.open_array(folder, mode="r")[...], array)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_part_is_what_numpy_gives_for_the_same_index(tmp_path, version):
    array = sample((3, 4, 23, 19), "uint16")
    config = ZarrConfig(ngff_version=version, **LAYOUTS["chunks"])
    handle = open_handle(stored(tmp_path / "a", array, config))
    for region in [
        (),
        (-1,),
        (slice(None), 2),
        (..., slice(3, 20, 4)),
        (1, 1, slice(-5, None), 0),
        (0, 0, 0, 0),
        (slice(5, 9),),
        (slice(2, 1), ..., 3),
    ]:
        np.testing.assert_array_equal(handle.read(region), array[region])
    out = np.empty((23, 19), "uint16")
    assert handle.read((1, 2), out=out) is out
    np.testing.assert_array_equal(out, array[1, 2])
    strided = np.zeros((46, 38), "uint16")
    handle.read((1, 2), out=strided[::2, ::2])
    np.testing.assert_array_equal(strided[::2, ::2], array[1, 2])


@pytest.mark.parametrize("version", VERSIONS)
def test_pixels_land_in_any_array_that_is_given(tmp_path, version):
    array = sample((3, 23, 19), "uint16")
    handle = open_handle(stored(tmp_path / "a", array, ZarrConfig(ngff_version=version)))
    rooms = [np.zeros((19, 23, 3), "uint16").T, np.zeros((3, 23, 19), "uint16")[::-1, :, ::-1]]
    rooms += [np.zeros((3, 23, 19), ">u2"), np.zeros((6, 23, 19), "uint16")[::2]]
    for room in rooms:
        np.testing.assert_array_equal(handle.read(out=room), array)
        np.testing.assert_array_equal(room, array)
    locked = np.zeros((3, 23, 19), "uint16")
    locked.flags.writeable = False
    with pytest.raises(InvalidValue, match="read-only"):
        handle.read(out=locked)


@pytest.mark.parametrize("name", ["a b", "a#b?c%20", "µm–é", "a..b", "-", "x" * 200])
def test_a_folder_may_have_any_name(tmp_path, name):
    array = sample((5, 5), "uint8")
    folder = stored(tmp_path / name / name, array)
    np.testing.assert_array_equal(open_handle(folder).read(), array)
    np.testing.assert_array_equal(open_handle(f"{tmp_path}/{name}/..//{name}/{name}/").read(), array)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("RESOURCE_EXHAUSTED: x [os_error_code='28']", StorageFull),
        ("PERMISSION_DENIED: x [os_error_code='13']", AccessDenied),
        ("x [os_error_code='24']", StorageError),
        ("DATA_LOSS: x", FormatError),
        ("NOT_FOUND: x", FormatError),
        ("FAILED_PRECONDITION: x", FormatError),
    ],
)
def test_errors_of_tensorstore_become_ours(tmp_path, text, kind):
    from openhcs.io.zarr_v3 import mapped

    assert type(mapped(ValueError(text), tmp_path)) is kind
    assert str(tmp_path) in str(mapped(ValueError(text), tmp_path))


@pytest.mark.parametrize("region", [(3,), (0, 0, 0, 0), (slice(None, None, -1),), (True,), (..., ...)])
def test_a_region_outside_the_array_is_refused(tmp_path, region):
    handle = open_handle(stored(tmp_path / "a", sample((3, 4, 5), "uint8")))
    with pytest.raises(InvalidValue):
        handle.read(region)


def test_an_array_of_another_shape_or_dtype_is_never_broadcast_or_cast(tmp_path):
    spec = make_spec((2, 4, 4), "uint16", ZarrConfig())
    for wrong in [
        np.uint16(1),
        np.zeros((4, 4), "uint16"),
        np.zeros((1, 4, 4), "uint16"),
    ]:
        with pytest.raises(InvalidValue):
            write_array(tmp_path / "a", np.asarray(wrong), spec, OPS)
    with pytest.raises(InvalidType):
        write_array(tmp_path / "a", np.zeros((2, 4, 4), "int16"), spec, OPS)
    handle = open_handle(stored(tmp_path / "b", np.zeros((2, 4, 4), "uint16")))
    with pytest.raises(InvalidType):
        handle.read(out=np.zeros((2, 4, 4), "float32"))
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("version", VERSIONS)
def test_zeros_are_stored_and_a_lost_object_is_an_error(tmp_path, version):
    folder = stored(
        tmp_path / "a",
        np.zeros((2, 8, 8), "uint16"),
        ZarrConfig(ngff_version=version),
    )
    assert len(files(folder)) == (2 if version == "0.4" else 1)
    assert not open_handle(folder).read().any()
    files(folder)[0].unlink()
    with pytest.raises(FormatError, match="missing"):
        open_handle(folder).read()
    assert not open_handle(folder, absent="fill").read().any()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_chunks_that_others_left_out_hold_the_fill_value(tmp_path, zarr_format):
    made = zarr.create_array(
        tmp_path / "a", shape=(4, 8), chunks=(2, 8), dtype="int16", fill_value=9, zarr_format=zarr_format
    )
    made[:2] = 5
    np.testing.assert_array_equal(open_handle(tmp_path / "a").read()[:, 0], [5, 5, 9, 9])
    with pytest.raises(FormatError, match="missing"):
        open_handle(tmp_path / "a", absent="error").read()


CHECKED = [("0.5", kind) for kind in ZarrCompressor] + [("0.4", ZarrCompressor.ZSTD), ("0.4", ZarrCompressor.ZLIB)]


@pytest.mark.parametrize(("version", "compressor"), CHECKED)
@pytest.mark.parametrize("shuffle", [True, False])
def test_a_flipped_bit_is_an_error_wherever_there_is_a_checksum(tmp_path, version, compressor, shuffle):
    config = ZarrConfig(ngff_version=version, compressor=compressor, shuffle=shuffle)
    array = sample((1, 30, 30), "uint16")
    folder = stored(tmp_path / "a", array, config)
    (path,) = files(folder)
    whole = path.read_bytes()
    places = np.random.default_rng(1).integers(0, 8 * len(whole), 60)
    for place in {0, 8 * len(whole) - 1, *places.tolist()}:
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            read = open_handle(folder).read()
        except FormatError as error:
            assert str(folder) in str(error)  # noqa: PT017 - most flips raise, none may change a pixel
        else:
            # Some bits of a zlib or zstd header mean nothing to the pixels.
            assert version == "0.4"
            np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("compressor", ZarrCompressor)
def test_a_truncated_object_is_an_error(tmp_path, version, compressor):
    config = ZarrConfig(ngff_version=version, compressor=compressor)
    folder = stored(tmp_path / "a", sample((1, 30, 30), "uint16"), config)
    (path,) = files(folder)
    whole = path.read_bytes()
    for size in (0, 1, 7, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(FormatError):
            open_handle(folder).read()


def test_a_chunk_that_expands_beyond_its_document_is_refused_before_memory_is_taken(tmp_path):
    import zlib

    folder = stored(
        tmp_path / "a",
        np.zeros((4, 4), "uint8"),
        ZarrConfig(ngff_version="0.4", compressor="zlib"),
    )
    files(folder)[0].write_bytes(zlib.compress(bytes(2**26)))
    with pytest.raises(FormatError, match="17 bytes where 16 belong"):
        open_handle(folder).read()
    folder = stored(tmp_path / "b", np.zeros((4, 4), "uint8"), ZarrConfig(ngff_version="0.4"))
    files(folder)[0].write_bytes(Zstd(1).encode(bytes(2**26)))
    with pytest.raises(FormatError, match="is damaged"):
        open_handle(folder).read()


@pytest.mark.parametrize("codec", [BZ2(), GZip(), LZMA(), Zlib()])
def test_streams_of_v2_are_read_no_further_than_a_chunk_goes(tmp_path, codec):
    array = np.arange(16, dtype="uint8").reshape(4, 4)
    made = zarr.create_array(
        tmp_path / "a", shape=(4, 4), chunks=(4, 4), dtype="uint8", compressors=codec, zarr_format=2
    )
    made[...] = array
    np.testing.assert_array_equal(open_handle(tmp_path / "a").read(), array)
    (path,) = files(tmp_path / "a")
    path.write_bytes(codec.encode(bytes(2**24)))
    with pytest.raises(FormatError, match="17 bytes where 16 belong"):
        open_handle(tmp_path / "a").read()
    path.write_bytes(codec.encode(array.tobytes())[:-3])
    with pytest.raises(FormatError):
        open_handle(tmp_path / "a").read()


def test_filters_of_v2_are_undone_and_codecs_that_run_code_are_refused(tmp_path):
    array = np.arange(40, dtype="int32").reshape(5, 8)
    made = zarr.create_array(
        tmp_path / "a",
        shape=array.shape,
        chunks=(2, 8),
        dtype="int32",
        filters=[Delta("int32")],
        compressors=LZ4(),
        zarr_format=2,
    )
    made[...] = array
    np.testing.assert_array_equal(open_handle(tmp_path / "a").read(), array)
    document = json.loads((tmp_path / "a" / ".zarray").read_text())
    for codec in ("pickle", "unheard-of"):
        document["compressor"] = {"id": codec}
        (tmp_path / "a" / ".zarray").write_text(json.dumps(document))
        with pytest.raises(FormatError, match=codec):
            open_handle(tmp_path / "a").read()


def test_v2_in_fortran_order_and_big_endian_is_read(tmp_path):
    array = sample((6, 7), "float64")
    made = zarr.create_array(
        tmp_path / "a",
        shape=(6, 7),
        chunks=(4, 3),
        dtype=">f8",
        order="F",
        zarr_format=2,
    )
    made[...] = array
    np.testing.assert_array_equal(open_handle(tmp_path / "a").read(), array)


def test_any_strides_and_byte_order_are_written_as_they_look(tmp_path):
    array = sample((12, 10), ">u2")
    for number, view in enumerate([array.T, array[::-2, ::3], np.asfortranarray(array)]):
        folder = stored(tmp_path / str(number), view)
        np.testing.assert_array_equal(open_handle(folder).read(), view)


def test_writing_over_an_array_is_refused(tmp_path):
    folder = stored(tmp_path / "a", np.zeros((4, 4), "uint8"))
    with pytest.raises(AlreadyExists):
        stored(folder, np.ones((4, 4), "uint8"))
    assert not open_handle(folder).read().any()


def test_a_handle_takes_whole_objects_only(tmp_path):
    config = ZarrConfig(**LAYOUTS["shards"])
    spec = make_spec((4, 13, 9), "int16", config)
    array = sample((4, 13, 9), "int16")
    handle = create_handle(tmp_path / "a", spec, OPS)
    with pytest.raises(InvalidValue, match="cuts through"):
        handle.write((0,), array[0])
    with pytest.raises(InvalidValue, match="where"):
        handle.write((slice(0, 2),), array[:1])
    with pytest.raises(FormatError, match="missing"):
        handle.read()
    for start in (0, 2):
        handle.write((slice(start, start + 2),), array[start : start + 2])
    np.testing.assert_array_equal(handle.read(), array)
    with pytest.raises(InvalidType, match="opened for reading"):
        open_handle(tmp_path / "a").write((), array)


def test_nothing_there_and_no_array_there_are_told_apart(tmp_path):
    with pytest.raises(NotFound, match="neither"):
        open_handle(tmp_path / "none")
    (tmp_path / "zarr.json").write_bytes(group_document({"a": 1}, 3)["zarr.json"])
    with pytest.raises(FormatError, match="group"):
        open_handle(tmp_path)


def test_fill_values_are_written_as_each_version_spells_them(tmp_path):
    for number, (version, dtype, fill) in enumerate(
        itertools.product(VERSIONS, ("float32", "complex64"), (0, np.nan, np.inf))
    ):
        array = sample((3, 3), dtype)
        folder = stored(
            tmp_path / str(number),
            array,
            ZarrConfig(ngff_version=version),
            fill_value=fill,
        )
        np.testing.assert_array_equal(zarr.open_array(folder, mode="r").fill_value, np.dtype(dtype).type(fill))
        np.testing.assert_array_equal(open_handle(folder).spec.fill_value, np.dtype(dtype).type(fill))


def test_objects_are_refused_with_the_reason(tmp_path):
    with pytest.raises(InvalidType, match="pickled"):
        make_spec((3,), "object", ZarrConfig())


def test_what_has_no_checksum_is_said():
    for kind in ZarrCompressor:
        assert not notes(make_spec((4, 4), "uint8", ZarrConfig(compressor=kind)))
    told = {
        kind: notes(make_spec((4, 4), "uint8", ZarrConfig(compressor=kind, ngff_version="0.4")))
        for kind in ZarrCompressor
    }
    assert "no checksums" in told[ZarrCompressor.LZ4][0]
    assert "shuffle is not applied" in told[ZarrCompressor.ZSTD][0]
    assert not told[ZarrCompressor.ZLIB]


def test_more_than_one_object_under_single_is_said():
    large = make_spec((600, 1, 1080, 1080), "uint16", ZarrConfig())
    assert "over 256 MiB" in notes(large, ZarrChunkStrategy.SINGLE)[0]
    planes = make_spec((3, 8, 8), "uint16", ZarrConfig(ngff_version="0.4", compressor="zlib"))
    assert notes(planes, ZarrChunkStrategy.SINGLE) == (
        "an array of (3, 8, 8) is stored as 3 objects: Zarr v2 has no shards",
    )
    assert not notes(planes)


@pytest.fixture
def threads():
    before = ts_context.threads()
    yield
    ts_context.configure(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("version", VERSIONS)
def test_the_number_of_threads_changes_no_byte(tmp_path, version):
    array = sample((5, 400, 400), "uint16")
    made = {}
    for number in (1, 3):
        ts_context.configure(number)
        folder = stored(tmp_path / str(number), array, ZarrConfig(ngff_version=version))
        made[number] = [path.read_bytes() for path in files(folder)]
        np.testing.assert_array_equal(open_handle(folder).read(), array)
    assert made[1] == made[3]
