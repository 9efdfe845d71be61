"""Hostile Zarr arrays, made by hand."""

from __future__ import annotations

import struct

import hostile_parts as p
from hostile_cases import DEEP, Case, array, fifo, folder_instead, linked, v2, v3

ARRAYS = {
    "a v3 chunk that is a gzip bomb": Case(
        v3(lambda: p.deflate_bomb(31), codecs=[p.BYTES, {"name": "gzip", "configuration": {"level": 1}}]),
        "victim.zarr/a",
    ),
    "a v3 chunk that is a zstd bomb": Case(
        v3(
            lambda: p.zstd_bomb(sized=True),
            codecs=[p.BYTES, {"name": "zstd", "configuration": {"level": 1, "checksum": False}}],
        ),
        "victim.zarr/a",
    ),
    "a v3 chunk that is a zstd bomb of untold size": Case(
        v3(
            lambda: p.zstd_bomb(sized=False),
            codecs=[p.BYTES, {"name": "zstd", "configuration": {"level": 1, "checksum": False}}],
        ),
        "victim.zarr/a",
    ),
    "a v3 chunk that is a blosc bomb": Case(v3(p.blosc_bomb, codecs=[p.BYTES, p.BLOSC]), "victim.zarr/a"),
    "a v3 chunk that claims 2 GB": Case(
        v3(lambda: p.blosc_claim(2**31 - 17), codecs=[p.BYTES, p.BLOSC]), "victim.zarr/a"
    ),
    "a blosc bomb in a shard": Case(
        v3(
            lambda: p.shard([(0, len(p.blosc_bomb())), *[p.NONE] * 3], p.blosc_bomb()),
            codecs=[p.sharding(codecs=[p.BYTES, p.BLOSC])],
        ),
        "victim.zarr/a",
    ),
    "a blosc bomb in a shard whose index comes first": Case(
        v3(lambda: p.shard_first(p.blosc_bomb()), codecs=[p.sharding(codecs=[p.BYTES, p.BLOSC], location="start")]),
        "victim.zarr/a",
    ),
    "a shard whose entries lie past the end": Case(
        v3(lambda: p.shard([(10**6, 128)] * 4, bytes(512)), codecs=[p.sharding()]), "victim.zarr/a"
    ),
    "a shard whose entries overflow": Case(
        v3(lambda: p.shard([(2**64 - 100, 128)] * 4, bytes(512)), codecs=[p.sharding()]), "victim.zarr/a"
    ),
    "a shard with an entry of 2**62 bytes": Case(
        v3(lambda: p.shard([(0, 2**62)] * 4, bytes(512)), codecs=[p.sharding()]), "victim.zarr/a"
    ),
    "a shard whose entries overlap": Case(
        v3(lambda: p.shard([(0, 128)] * 4, bytes(512)), codecs=[p.sharding()]), lawful=True
    ),
    "a shard whose entries are too long": Case(
        v3(lambda: p.shard([(0, 512)] * 4, bytes(512)), codecs=[p.sharding()]), "victim.zarr/a"
    ),
    "a shard whose index is its own pixels": Case(
        v3(lambda: p.shard([(512, 128)] * 4, bytes(512))[:-4], codecs=[p.sharding(index=[p.BYTES])]),
        "victim.zarr/a",
        lawful=True,
    ),
    "a shard shorter than its index": Case(v3(lambda: b"abc", codecs=[p.sharding()]), "victim.zarr/a"),
    "an empty shard": Case(v3(lambda: b"", codecs=[p.sharding()]), "victim.zarr/a"),
    "a shard whose index is compressed": Case(
        v3(lambda: b"abc", codecs=[p.sharding(index=[p.BYTES, {"name": "gzip", "configuration": {"level": 1}}])]),
        "victim.zarr/a",
    ),
    "a shard of 2**40 chunks": Case(
        v3(
            lambda: b"abc",
            shape=[2**20, 2**20],
            chunk_grid={"name": "regular", "configuration": {"chunk_shape": [2**20, 2**20]}},
            codecs=[p.sharding((1, 1))],
        ),
        "zarr.json",
    ),
    "shards in shards, 50 deep": Case(v3(lambda: b"abc", codecs=[p.nested(50)]), "victim.zarr/a"),
    "shards in shards, 300 deep": Case(v3(lambda: b"abc", codecs=[p.nested(300)]), "victim.zarr/a"),
    "a v3 array of 10**12 by 10**12": Case(v3(shape=[10**12, 10**12]), "zarr.json"),
    "a v3 array of 10**12 pixels in chunks of 2 MB": Case(
        v3(shape=[10**6, 10**6], chunk_grid={"name": "regular", "configuration": {"chunk_shape": [1000, 1000]}}),
        "victim.zarr/a",
    ),
    **{
        f"v3 chunks of {side!r}": Case(
            v3(chunk_grid={"name": "regular", "configuration": {"chunk_shape": [side, 16]}}), "zarr.json"
        )
        for side in (0, -1, 1.5, True, 2**63, 10**400, None, "16")
    },
    **{
        f"a v3 shape of {side!r}": Case(v3(shape=[side, 16]), "zarr.json")
        for side in (-1, 1.5, True, 2**63, None, [16])
    },
    "v3 axes that do not fit": Case(v3(shape=[16]), "zarr.json"),
    "v3 axes by the thousand": Case(
        v3(shape=[1] * 5000, chunk_grid={"name": "regular", "configuration": {"chunk_shape": [1] * 5000}}), "zarr.json"
    ),
    "a v3 codec that runs code": Case(v3(codecs=[{"name": "numcodecs.pickle", "configuration": {}}]), "zarr.json"),
    "a v3 codec without a name": Case(v3(codecs=[{}, 5, None]), "zarr.json"),
    "a v3 transposition that is none": Case(
        v3(lambda: b"abc", codecs=[{"name": "transpose", "configuration": {"order": [0, 0]}}, p.BYTES]), "victim.zarr/a"
    ),
    "v3 chunk names that lead out": Case(
        v3(chunk_key_encoding={"name": "default", "configuration": {"separator": "/../../../outside/"}}),
        "victim.zarr/a",
    ),
    "a v3 fill value of a thousand digits": Case(v3(fill_value=10**1000), "zarr.json"),
    "a v3 fill value that is an object": Case(v3(fill_value={"a": []}), "zarr.json"),
    "a v3 type that is a list": Case(v3(data_type=["uint16"]), "zarr.json"),
    "a v3 type with a thousand million bits": Case(v3(data_type="r1000000000"), "zarr.json"),
    "a v3 chunk that is cut off": Case(v3(lambda: b"abc"), "victim.zarr/a"),
    "a v3 document 100,000 deep": Case(array(lambda at: p.written(p.v3(at), "zarr.json", b"[" * DEEP)), "zarr.json"),
    "a v3 document of a million empty lists": Case(
        array(lambda at: p.written(p.v3(at), "zarr.json", b'{"a": [' + b"[]," * (5 * p.MB) + b"[]]}")), "zarr.json"
    ),
    "a v3 document of 300 MB": Case(
        array(lambda at: p.changed(p.v3(at), "zarr.json", lambda one: p.sparse(one, 300 * p.MB, b"{"))), "zarr.json"
    ),
    "a v3 document that is a pipe": Case(array(lambda at: p.changed(p.v3(at), "zarr.json", fifo)), "victim.zarr/a"),
    "a v3 document that is a folder": Case(
        array(lambda at: p.changed(p.v3(at), "zarr.json", folder_instead)), "victim.zarr/a"
    ),
    "a v3 document outside": Case(
        array(lambda at: p.changed(p.v3(at), "zarr.json", linked("../../../outside/array/zarr.json"))), "victim.zarr/a"
    ),
    "a v3 chunk that is a pipe": Case(array(lambda at: p.changed(p.v3(at, b""), "c/0/0", fifo)), "victim.zarr/a"),
    "a v3 chunk that is a folder": Case(
        array(lambda at: p.changed(p.v3(at, b""), "c/0/0", folder_instead)), "victim.zarr/a"
    ),
    "a v3 chunk outside": Case(
        array(
            lambda at: p.changed(
                p.v3(at, b"", codecs=[p.BYTES, p.CRC]), "c/0/0", linked("../../../../../outside/array/c/0/0")
            )
        ),
        "victim.zarr/a",
    ),
    "v3 chunks in a folder outside": Case(
        array(lambda at: p.changed(p.v3(at, b"", codecs=[p.BYTES, p.CRC]), "c", linked("../../../outside/array/c"))),
        "victim.zarr/a",
    ),
    "a v3 array outside": Case(
        array(lambda at: p.changed(p.v3(at, b""), "", linked("../../outside/array"))), "victim.zarr/a"
    ),
    "a v2 chunk that is a zlib bomb": Case(
        v2(lambda: p.deflate_bomb(15), compressor={"id": "zlib", "level": 1}), "0.0"
    ),
    "a v2 chunk that is a gzip bomb": Case(
        v2(lambda: p.deflate_bomb(31), compressor={"id": "gzip", "level": 1}), "0.0"
    ),
    "a v2 chunk that is a bz2 bomb": Case(v2(p.bz2_bomb, compressor={"id": "bz2", "level": 1}), "0.0"),
    "a v2 chunk that is an lzma bomb": Case(v2(p.lzma_bomb, compressor={"id": "lzma"}), "0.0"),
    "a v2 chunk that is a zstd bomb": Case(
        v2(lambda: p.zstd_bomb(sized=True), compressor={"id": "zstd", "level": 1}), "0.0"
    ),
    "a v2 chunk that is a zstd bomb of untold size": Case(
        v2(lambda: p.zstd_bomb(sized=False), compressor={"id": "zstd", "level": 1}), "0.0"
    ),
    "a v2 chunk of a small zstd frame before a bomb": Case(
        v2(lambda: p.small_zstd() + p.zstd_bomb(sized=False), compressor={"id": "zstd", "level": 1}), "0.0"
    ),
    "a v2 chunk of a zstd bomb after a frame to skip": Case(
        v2(
            lambda: struct.pack("<II", 0x184D2A50, 4) + b"skip" + p.zstd_bomb(sized=True),
            compressor={"id": "zstd", "level": 1},
        ),
        "0.0",
    ),
    "a v2 chunk that is a blosc bomb": Case(
        v2(p.blosc_bomb, compressor={"id": "blosc", "cname": "zstd", "clevel": 1, "shuffle": 0}), "0.0"
    ),
    "a v2 chunk that claims 2 GB of blosc": Case(
        v2(lambda: p.blosc_claim(2**31 - 17), compressor={"id": "blosc", "cname": "lz4", "clevel": 1, "shuffle": 0}),
        "0.0",
    ),
    "a v2 chunk that claims 2 GB of lz4": Case(
        v2(lambda: struct.pack("<I", 2**31 - 1) + bytes(99), compressor={"id": "lz4"}), "0.0"
    ),
    "a v2 chunk that claims less than nothing of lz4": Case(
        v2(lambda: struct.pack("<i", -1) + bytes(99), compressor={"id": "lz4"}), "0.0"
    ),
    "a v2 chunk of 4 GB": Case(array(lambda at: p.changed(p.v2(at), "0.0", lambda one: p.sparse(one, 2**32))), "0.0"),
    "a v2 filter of pickles": Case(
        v2(lambda: b"cos\nsystem\n(S'touch ran'\ntR.", filters=[{"id": "pickle"}]), "victim.zarr/a"
    ),
    "a v2 filter to objects": Case(
        v2(lambda: bytes(512), filters=[{"id": "astype", "encode_dtype": "|O", "decode_dtype": "|O"}]), "victim.zarr/a"
    ),
    "a v2 filter to records of 1 GB": Case(
        v2(lambda: bytes(512), filters=[{"id": "astype", "encode_dtype": "|u1", "decode_dtype": "|S1000000"}]),
        "victim.zarr/a",
    ),
    "v2 filters by the thousand": Case(
        v2(lambda: p.deflate_bomb(15)[:100], filters=[{"id": "zlib", "level": 1}] * 5000), "victim.zarr/a"
    ),
    "a v2 filter that is a number": Case(v2(lambda: bytes(512), filters=[5]), "victim.zarr/a"),
    "v2 filters that are a number": Case(v2(lambda: bytes(512), filters=5), ".zarray"),
    "a v2 type of objects": Case(v2(dtype="|O"), ".zarray"),
    "a v2 type that is a list": Case(v2(dtype=[["a", "<u2"]]), ".zarray"),
    "v2 chunk names that lead out": Case(v2(dimension_separator="/../../../outside/"), ".zarray"),
    "v2 chunks of no size": Case(v2(chunks=[0, 0]), ".zarray"),
    "v2 chunks of 2**40 bytes": Case(v2(chunks=[2**20, 2**20]), ".zarray"),
    "v2 attributes 100,000 deep": Case(
        array(lambda at: p.written(p.v2(at, bytes(512)), ".zattrs", b"[" * DEEP)), ".zattrs"
    ),
    "a v2 chunk that is a folder": Case(array(lambda at: p.changed(p.v2(at, b""), "0.0", folder_instead)), "0.0"),
    "a v2 chunk that is a pipe": Case(array(lambda at: p.changed(p.v2(at, b""), "0.0", fifo)), "0.0"),
    "a v2 chunk outside": Case(
        array(lambda at: p.changed(p.v2(at, b""), "0.0", linked("../../../outside/array/c/0/0"))), "0.0"
    ),
}
