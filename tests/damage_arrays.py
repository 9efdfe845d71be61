"""Damage to the documents of arrays, and to stored objects."""

from __future__ import annotations

import json

from damage import ABSENT, IMAGE
from damage_table import LOST, NEWER, OBJECT, SIZE, STRANGER, kind

# Arrays


@kind("level-dtype", SIZE)
def a_level_says_another_dtype(store):
    with store.array(f"{IMAGE}/1") as array:
        array["dtype" if store.v2 else "data_type"] = "<f4" if store.v2 else "float32"


@kind("array-dtype", SIZE)
def a_dtype_is_none_there_is(store):
    with store.array() as array:
        array["dtype" if store.v2 else "data_type"] = "<u3" if store.v2 else "uint24"


@kind("level-scale", SIZE)
def a_level_says_another_shape(store):
    with store.array(f"{IMAGE}/1") as array:
        array["shape"][-1] += 100


@kind("level-axes", SIZE)
def an_array_has_a_dimension_too_few(store):
    with store.array(f"{IMAGE}/1") as array:
        array["shape"].pop(0)
        (array["chunks"] if store.v2 else array["chunk_grid"]["configuration"]["chunk_shape"]).pop(0)
        if not store.v2:
            array["codecs"][0]["configuration"]["chunk_shape"].pop(0)
            array["dimension_names"].pop(0)


@kind("array-chunks", SIZE)
def chunks_have_no_size(store):
    with store.array() as array:
        (array["chunks"] if store.v2 else array["chunk_grid"]["configuration"]["chunk_shape"])[-1] = 0


@kind("array-chunks", SIZE, versions=NEWER)
def shards_are_no_multiple_of_chunks(store):
    with store.array() as array:
        array["codecs"][0]["configuration"]["chunk_shape"][-1] = 7


@kind("array-fill-value", SIZE)
def the_fill_value_is_none_of_the_dtype(store):
    with store.array() as array:
        array["fill_value"] = -1.5


@kind("array-codecs", SIZE)
def codecs_make_no_bytes(store):
    with store.array() as array:
        if store.v2:
            array["filters"] = 5
        else:
            array["codecs"] = [{"name": "crc32c"}]


@kind("chunk-huge", SIZE)
def a_chunk_is_over_two_gigabytes(store):
    with store.array() as array:
        if store.v2:
            array["chunks"] = [1, 1, 2**16, 2**16]
        else:
            array["chunk_grid"]["configuration"]["chunk_shape"] = [2, 2, 2**16, 2**16]
            array["codecs"][0]["configuration"]["chunk_shape"] = [1, 1, 2**16, 2**16]


@kind("array-unread", SIZE)
def a_codec_is_unknown(store):
    with store.array() as array:
        if store.v2:
            array["compressor"]["id"] = "zip9"
        else:
            array["codecs"][0]["configuration"]["codecs"][1]["name"] = "zip9"


@kind("dimension-names-differ", SIZE, versions=NEWER)
def dimension_names_are_not_those_of_the_axes(store):
    with store.array() as array:
        array["dimension_names"] = ["c", "y", "z", "x"]


@kind("dimension-names-missing", SIZE, versions=NEWER)
def dimension_names_are_missing(store):
    with store.array() as array:
        del array["dimension_names"]


@kind("zarr-versions-mixed", LOST)
def a_level_is_of_another_zarr_version(store):
    store.drop(f"{IMAGE}/1")
    array = {"shape": [2, 2, 300, 150], "fill_value": 0}
    if store.v2:
        array |= {"zarr_format": 3, "node_type": "array", "data_type": "uint16", "codecs": [{"name": "bytes"}]}
        array["chunk_grid"] = {"name": "regular", "configuration": {"chunk_shape": [2, 2, 300, 150]}}
        array["chunk_key_encoding"] = {"name": "default"}
        array["dimension_names"] = ["c", "z", "y", "x"]
        store.put(f"{IMAGE}/1/zarr.json", json.dumps(array).encode())
        return
    array |= {"zarr_format": 2, "chunks": [2, 2, 300, 150], "dtype": "<u2", "order": "C", "filters": None}
    store.put(f"{IMAGE}/1/.zarray", json.dumps(array | {"compressor": None, "dimension_separator": "/"}).encode())


# Stored objects


@kind("chunk-lost", LOST)
def an_object_is_deleted(store):
    store.drop(store.objects()[0])


@kind("chunk-key", LOST)
def objects_are_named_by_another_encoding(store):
    first = store.objects()[0]
    store.move(first, f"{IMAGE}/0/0.0.0.0" if store.v2 else f"{IMAGE}/0/0/0/0/0")


@kind("chunk-key", SIZE)
def the_document_tells_another_encoding(store):
    with store.array() as array:
        if store.v2:
            array["dimension_separator"] = "."
        else:
            array["chunk_key_encoding"] = {"name": "v2", "configuration": {"separator": "/"}}


@kind("chunk-outside", STRANGER)
def an_object_lies_outside_the_grid(store):
    first = store.objects()[0]
    store.put(f"{IMAGE}/0/{'0/0/0/9' if store.v2 else 'c/0/0/0/9'}", store.read(first))


@kind("chunk-empty", SIZE, versions=("0.4",))
def an_object_has_no_bytes(store):
    store.put(store.objects()[0], b"")


@kind("shard-short", SIZE, versions=NEWER)
def a_shard_has_no_bytes(store):
    store.put(store.objects()[0], b"")


@kind("shard-index", SIZE, versions=NEWER)
def a_shard_is_truncated(store):
    first = store.objects()[0]
    store.put(first, store.read(first)[:-1000])


@kind("chunk-unreadable", SIZE, deep=True, versions=("0.4",))
def an_object_is_truncated(store):
    first = store.objects()[0]
    store.put(first, store.read(first)[:-1000])


@kind("chunk-unreadable", OBJECT, deep=True)
def a_bit_of_a_chunk_is_flipped(store):
    first = store.objects()[0]
    data = bytearray(store.read(first))
    data[len(data) // 3] ^= 1
    store.put(first, bytes(data))


@kind("shard-index", OBJECT, deep=True, versions=NEWER)
def a_bit_of_a_shard_index_is_flipped(store):
    first = store.objects()[0]
    data = bytearray(store.read(first))
    data[-30] ^= 1
    store.put(first, bytes(data))


@kind("shard-index", OBJECT, deep=True, versions=NEWER)
def a_shard_is_all_zero_bytes(store):
    first = store.objects()[0]
    store.put(first, bytes(len(store.read(first))))


@kind("chunk-unreadable", OBJECT, deep=True, versions=("0.4",))
def an_object_is_all_zero_bytes(store):
    first = store.objects()[0]
    store.put(first, bytes(len(store.read(first))))


@kind("shard-hole", OBJECT, deep=True, versions=NEWER)
def an_entry_of_an_index_says_absent(store):
    first = store.objects()[0]
    chunks, table = store.index(first)
    table[1] = ABSENT
    store.put_index(first, chunks, table)


@kind("shard-entry", OBJECT, deep=True, versions=NEWER)
def entries_of_an_index_overlap(store):
    first = store.objects()[0]
    chunks, table = store.index(first)
    table[1] = table[0]
    store.put_index(first, chunks, table)


@kind("shard-entry", OBJECT, deep=True, versions=NEWER)
def an_entry_of_an_index_leads_out_of_the_shard(store):
    first = store.objects()[0]
    chunks, table = store.index(first)
    table[3, 1] += 5000
    store.put_index(first, chunks, table)


@kind("pixels-differ", SIZE, deep=True)
def objects_of_two_images_are_swapped(store):
    one, other = store.objects()[0], store.objects("B/03/1/0")[0]
    data = store.read(one), store.read(other)
    store.put(one, data[1])
    store.put(other, data[0])


@kind("pixels-differ", SIZE, deep=True)
def an_object_holds_the_fill_value_where_pixels_were(store):
    import numpy as np

    from openhcs.io.zarr_array import open_handle
    from openhcs.io.zarr_encode import encode_object

    spec = open_handle(store.path / IMAGE / "0").spec
    store.put(store.objects()[0], b"".join(encode_object(spec, np.zeros(spec.object_shape, spec.dtype))))
