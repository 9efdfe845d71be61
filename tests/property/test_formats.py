"""Whatever a format accepts comes back as it was, through our reader and through another's."""

from __future__ import annotations

import csv
import json

import imagecodecs
import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from openhcs.errors import InvalidType
from openhcs.io.disk import DiskBackend
from openhcs.io.fsops import FileOps

NUMBERS = st.one_of(
    nps.boolean_dtypes(), nps.integer_dtypes(), nps.unsigned_integer_dtypes(),
    nps.floating_dtypes(sizes=(16, 32, 64)), nps.complex_number_dtypes(sizes=(64, 128)),
)  # fmt: skip
ANY = st.one_of(NUMBERS, nps.unicode_string_dtypes(), nps.byte_string_dtypes(), nps.datetime64_dtypes())
TEXT = st.text(st.characters(codec="utf-8"))
CELLS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    return DiskBackend(tmp_path_factory.mktemp("formats"), FileOps(durable=False))


def kept(disk, value, name):
    disk.save(value, name, overwrite=True)
    return disk.load(name), disk._at(name)


def same(found, array):
    assert found.shape == array.shape
    assert found.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found, array)


@given(nps.arrays(ANY, nps.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5)), st.booleans())
def test_npy(disk, array, turned):
    array = array.T if turned else array
    for name in ("x.npy", "plain"):
        found, path = kept(disk, array, name)
        same(found, array)
        same(np.load(path, allow_pickle=False), array)
        assert found.flags.writeable
        same(disk.open_array(name).read() if array.dtype.kind in "biufc" else found, array)


@given(st.dictionaries(TEXT.filter(lambda name: not set(name) & set("\0\\")), nps.arrays(ANY, nps.array_shapes())))
def test_npz(disk, arrays):
    found, path = kept(disk, arrays, "x.npz")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        same(found[name], array)
    with np.load(path, allow_pickle=False) as theirs:
        assert len(theirs.files) == len(arrays)


@settings(max_examples=60)
@given(nps.arrays(NUMBERS, nps.array_shapes(min_dims=2, max_dims=5, max_side=5)))
def test_tiff(disk, array):
    found, path = kept(disk, array, "x.tif")
    same(found, array)
    same(tifffile.imread(path).reshape(array.shape), array)


@settings(max_examples=60)
@given(
    nps.arrays(
        st.sampled_from(["uint8", "uint16", ">u2"]),
        st.one_of(
            nps.array_shapes(min_dims=2, max_dims=2),
            st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(2, 4)),
        ),
    )
)
def test_png(disk, array):
    found, path = kept(disk, array, "x.png")
    same(found, array)
    same(imagecodecs.png_decode(path.read_bytes()), array)


@given(JSON)
def test_json(disk, value):
    found, path = kept(disk, value, "x.json")
    assert repr(found) == repr(value)
    assert json.loads(path.read_bytes()) == value


@given(TEXT, st.binary())
def test_text_and_bytes(disk, text, data):
    found, path = kept(disk, text, "x.txt")
    assert found == text == path.read_bytes().decode()
    found, path = kept(disk, data, "x.bin")
    assert found == data == path.read_bytes()


def columns(cells):
    return st.integers(0, 4).flatmap(
        lambda size: st.dictionaries(
            TEXT,
            st.one_of(
                st.lists(cells, min_size=size, max_size=size),
                nps.arrays(
                    st.one_of(nps.boolean_dtypes(), nps.integer_dtypes(), nps.unsigned_integer_dtypes(),
                              nps.floating_dtypes(sizes=(16, 32, 64))),
                    size,
                ),
            ),
            min_size=1, max_size=4,
        )
    )  # fmt: skip


def rows(cells):
    return st.lists(TEXT, min_size=1, max_size=4, unique=True).flatmap(
        lambda names: st.lists(st.fixed_dictionaries(dict.fromkeys(names, cells)), min_size=1, max_size=4)
    )


def same_table(found, value):
    assert type(found) is type(value)
    if isinstance(value, list):
        assert [repr(sorted(row.items(), key=repr)) for row in found] == [
            repr(sorted(row.items(), key=repr)) for row in value
        ]
        return
    assert list(found) == list(value)
    for name, column in value.items():
        assert type(found[name]) is type(column)
        if isinstance(column, list):
            assert repr(found[name]) == repr(column)
        else:
            same(found[name], column)


@given(st.one_of(rows(CELLS), columns(CELLS)))
def test_csv(disk, table):
    found, path = kept(disk, table, "x.csv")
    same_table(found, table)
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    assert lines[0] == list(table if isinstance(table, dict) else table[0])
    if isinstance(table, list) and len(table[0]) > 1:
        assert len(lines) == len(table) + 1


@settings(max_examples=60)
@given(st.one_of(rows(CELLS), columns(CELLS)))
def test_parquet(disk, table):
    try:
        found, path = kept(disk, table, "x.parquet")
    except InvalidType as error:
        told = str(error)
    else:
        told = ""
    if told:
        assert "mixes" in told or "64 bits" in told
        return
    same_table(found, table)
    theirs = pq.read_table(path)
    assert theirs.column_names == list(table if isinstance(table, dict) else table[0])
