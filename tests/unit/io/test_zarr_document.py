"""Array documents from strangers: normalised, or refused before memory is taken."""

from __future__ import annotations

import json
import multiprocessing
import tracemalloc
import zlib

import numpy as np
import pytest
import zarr

from openhcs.constants.constants import ZarrCompressor
from openhcs.core.config import ZarrConfig
from openhcs.errors import FormatError, InvalidValue, OpenHCSError, OutOfBudget
from openhcs.io import ts_context
from openhcs.io.codecs import fill_from_json, fill_json
from openhcs.io.fsops import FileOps
from openhcs.io.zarr_array import open_handle, write_array
from openhcs.io.zarr_document import array_document, array_documents, group_document, parse_document
from openhcs.io.zarr_spec import make_spec

OPS = FileOps(durable=False)
SPEC3 = make_spec((4, 6), "uint16", ZarrConfig(), dimension_names="yx", attributes={"a": 1})
SPEC2 = make_spec((4, 6), "uint16", ZarrConfig(ngff_version="0.4"))


def changed(spec, **changes):
    document = array_document(spec)
    for key, value in changes.items():
        document[key] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize("compressor", ZarrCompressor)
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_document_gives_its_specification_back(version, compressor):
    config = ZarrConfig(ngff_version=version, compressor=compressor, compression_level=3, shuffle=False)
    spec = make_spec((3, 40, 50), "int16", config, dimension_names="zyx", attributes={"a": [1]}, fill_value=-1)
    files = array_documents(spec)
    first = "zarr.json" if version == "0.5" else ".zarray"
    found = parse_document(files[first], path=first, attributes=files.get(".zattrs")).spec
    same = ("shape", "dtype", "chunks", "shards", "zarr_format", "dimension_names", "fill_value", "attributes")
    for name in same:
        assert getattr(found, name) == getattr(spec, name), name


@pytest.mark.parametrize(
    "change",
    [
        {"dimension_names": None},
        {"dimension_names": ["x", "x"]},
        {"dimension_names": [None, "x"]},
        {"attributes": None},
        {"consolidated_metadata": None},
        {"storage_transformers": []},
        {"extra": {"name": "x", "must_understand": False}},
    ],
)
def test_what_tensorstore_does_not_open_is_normalised(tmp_path, change):
    array = np.arange(24, dtype="uint16").reshape(4, 6)
    write_array(tmp_path / "a", array, SPEC3, OPS)
    (tmp_path / "a" / "zarr.json").write_bytes(changed(SPEC3, **change))
    np.testing.assert_array_equal(open_handle(tmp_path / "a").read(), array)


def grid(*shape):
    return {"name": "regular", "configuration": {"chunk_shape": list(shape)}}


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [10**12, 10**12]},
        {"shape": [-1, 6]},
        {"shape": [4.0, 6]},
        {"shape": [True, 6]},
        {"shape": "4,6"},
        {"shape": [1] * 40},
        {"shape": [10**400, 1]},
        {"chunk_grid": grid(0, 6)},
        {"chunk_grid": grid(4)},
        {"chunk_grid": {"name": "irregular"}},
        {"chunk_grid": None},
        {"codecs": "none"},
        {"codecs": [{"name": "numcodecs.pickle"}]},
        {"codecs": [{"name": "sharding_indexed", "configuration": {"chunk_shape": [3, 5], "codecs": []}}]},
        {"data_type": "bfloat16"},
        {"data_type": "string"},
        {"data_type": {"name": "numpy.datetime64"}},
        {"fill_value": "a"},
        {"fill_value": {}},
        {"unknown": 1},
        {"unknown": {"must_understand": True}},
        {"storage_transformers": [{"name": "x"}]},
        {"zarr_format": 4},
        {"node_type": "group"},
    ],
)
def test_a_document_that_cannot_be_true_is_refused(change):
    with pytest.raises(FormatError, match=r"place/zarr\.json"):
        parse_document(changed(SPEC3, **change), path="place/zarr.json")


@pytest.mark.parametrize(
    "change",
    [
        {"chunks": [10**6, 10**6]},
        {"dtype": "|O"},
        {"dtype": [["a", "<i4"]]},
        {"dtype": "<U4"},
        {"dtype": "M8[s]"},
        {"order": "K"},
        {"dimension_separator": "../"},
        {"compressor": {"level": 1}},
    ],
)
def test_a_v2_document_that_cannot_be_true_is_refused(change):
    with pytest.raises(FormatError):
        parse_document(changed(SPEC2, **change), path=".zarray")


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"zarr_format": 3}'])
def test_what_is_no_document_is_refused(data):
    with pytest.raises(FormatError):
        parse_document(data)


def test_chunks_beyond_a_cap_are_refused_in_both_versions():
    with pytest.raises(FormatError, match="over 2 GiB"):
        parse_document(changed(SPEC3, codecs=[{"name": "bytes"}], chunk_grid=grid(10**5, 10**5)))
    inner = {"chunk_shape": [1, 1], "codecs": [], "index_codecs": []}
    sharded = [{"name": "sharding_indexed", "configuration": inner}]
    with pytest.raises(FormatError, match="index"):
        parse_document(changed(SPEC3, codecs=sharded, chunk_grid=grid(10**5, 10**5)))


def test_reading_an_immense_array_at_once_is_refused_and_a_part_is_read(tmp_path):
    zarr.create_array(tmp_path / "a", shape=(10**12,), chunks=(1000,), dtype="uint16", fill_value=7)
    handle = open_handle(tmp_path / "a")
    with pytest.raises(OutOfBudget):
        handle.read()
    np.testing.assert_array_equal(handle.read((slice(-3, None),)), [7, 7, 7])


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_v3_chunk_that_expands_beyond_its_document_is_an_error(tmp_path, kind):
    from numcodecs import Zstd

    made = {"gzip": zlib.compress(bytes(2**26), 9, 31), "zstd": Zstd(1).encode(bytes(2**26))}
    codecs = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": kind, "configuration": {"level": 1}}]
    write_array(tmp_path / "a", np.zeros((4, 6), "uint16"), SPEC3, OPS)
    (tmp_path / "a" / "zarr.json").write_bytes(changed(SPEC3, codecs=codecs))
    (tmp_path / "a/c/0/0").write_bytes(made[kind])
    with pytest.raises(FormatError):
        open_handle(tmp_path / "a").read()


def test_group_documents_are_read_by_zarr_python(tmp_path):
    for number, zarr_format in enumerate((2, 3)):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, data in group_document({"a": {"µ": 1}}, zarr_format).items():
            (folder / name).write_bytes(data)
        group = zarr.open_group(folder, mode="r", zarr_format=zarr_format)
        assert dict(group.attrs) == {"a": {"µ": 1}}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_fill_values_as_bits_are_understood(dtype):
    bits = "0x" + np.array(-1.5, np.dtype(dtype).newbyteorder(">")).tobytes().hex()
    assert fill_from_json(bits, dtype) == -1.5
    assert fill_json(float("-inf"), dtype) == "-Infinity"


def test_a_fill_value_that_the_dtype_cannot_hold_is_refused():
    with pytest.raises(InvalidValue):
        fill_json(1.5, "uint8")


def test_encoding_holds_no_more_than_a_few_chunks(tmp_path):
    array = np.random.default_rng(0).integers(0, 2**16, (16, 512, 512), dtype="uint16")
    before = ts_context.threads()
    ts_context.configure(1)
    spec = make_spec(array.shape, "uint16", ZarrConfig(compressor="none"))
    write_array(tmp_path / "warm", array[:1], make_spec((1, 512, 512), "uint16", ZarrConfig(compressor="none")), OPS)
    tracemalloc.start()
    try:
        write_array(tmp_path / "a", array, spec, OPS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        ts_context.configure(before)
    assert peak < 3 * array[0].nbytes


def _child(folder, answers):
    try:
        open_handle(folder).read()
    except OpenHCSError as error:
        answers.put(str(error))
    else:
        answers.put("read")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_after_use_is_refused_in_words(tmp_path):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system does not fork")
    write_array(tmp_path / "a", np.zeros((4, 6), "uint16"), SPEC3, OPS)
    open_handle(tmp_path / "a").read()
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_child, args=(tmp_path / "a", answers))
    child.start()
    assert "forked" in answers.get(timeout=20)
    child.join(20)


def test_threads_are_at_least_one():
    with pytest.raises(InvalidValue):
        ts_context.configure(0)


def test_arrays_that_only_compare_equal_have_documents_of_their_own():
    """True is 1 and -0.0 is 0.0 to Python, not to who reads the document."""
    told = [
        array_documents(make_spec((4, 4), "float32", ZarrConfig(), attributes={"a": value}, fill_value=fill))
        for value, fill in ((1, 0.0), (True, 0.0), (1.0, 0.0), (1, -0.0))
    ]
    assert len({files["zarr.json"] for files in told}) == 4
