"""The floor: what one writes by hand when only this plate and this task count.

No commits, no digests, no plan, no documents beyond the arrays' own; `tifffile` reads, `numcodecs` packs chunks, and a
shard is put together by hand and written at once.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numcodecs
import numcodecs.blosc
import numpy as np
import tifffile
from google_crc32c import value as crc32c

from peers.plates import half, sites, stack

if TYPE_CHECKING:
    from pathlib import Path

BLOSC = numcodecs.Blosc("zstd", clevel=1, shuffle=numcodecs.Blosc.BITSHUFFLE)
numcodecs.blosc.use_threads = False
CODECS = [
    {"name": "bytes", "configuration": {"endian": "little"}},
    {
        "name": "blosc",
        "configuration": {"cname": "zstd", "clevel": 1, "shuffle": "bitshuffle", "typesize": 2, "blocksize": 0},
    },
    {"name": "crc32c"},
]


def document(array: np.ndarray) -> bytes:
    """Return the metadata of an array that is one shard."""
    sharding = {
        "chunk_shape": [1, 1, *array.shape[-2:]],
        "codecs": CODECS,
        "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        "index_location": "end",
    }
    return json.dumps(
        {
            "zarr_format": 3,
            "node_type": "array",
            "shape": array.shape,
            "data_type": "uint16",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": array.shape}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": 0,
            "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        }
    ).encode()


def write(folder: str, array: np.ndarray) -> None:
    """Write one array (c, z, y, x) as one shard, a chunk for each plane."""
    index = np.empty((len(array), array.shape[1], 2), "<u8")
    at = 0
    os.makedirs(f"{folder}/c/0/0/0")
    with open(f"{folder}/c/0/0/0/0", "wb", buffering=0) as file:
        for place in np.ndindex(*array.shape[:2]):
            packed = BLOSC.encode(np.ascontiguousarray(array[place]))
            file.write(packed)
            file.write(crc32c(packed).to_bytes(4, "little"))
            index[place] = at, len(packed) + 4
            at += len(packed) + 4
        table = index.tobytes()
        file.write(table + crc32c(table).to_bytes(4, "little"))
    with open(f"{folder}/zarr.json", "wb") as file:
        file.write(document(array))


def write_site(output: Path, key: tuple[str, int], planes: np.ndarray) -> None:
    """Write one site's image (c, z, y, x) with its levels to about 256 pixels."""
    well, site = key
    level, number = planes, 0
    while True:
        write(f"{output}/{well[0]}/{well[1:]}/{site}/{number}", level)
        if max(level.shape[-2:]) <= 256:
            return
        level, number = half(level), number + 1


def convert(plate: Path, output: Path, threads: int = 2) -> None:
    """Convert a plate, sites on several threads."""

    def one(item: tuple[tuple[str, int], list[Path]]) -> None:
        write_site(output, item[0], stack(item[1])[:, None])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, sites(plate).items()))


def pipeline(plate: Path, output: Path, functions: list) -> None:  # type: ignore[type-arg]
    """Run functions on every plane and write the results, one after the other."""
    for key, files in sites(plate).items():
        planes = []
        for path in files:
            plane = tifffile.imread(path)[None]
            for function in functions:
                plane = function(plane)
            planes.append(plane)
        write_site(output, key, np.stack(planes))
