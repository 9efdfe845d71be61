"""The floor: what one writes by hand when only this plate and this task count.

No commits, no digests, no plan, no documents beyond the arrays. Used by `bench/compare.py`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import tensorstore as ts
import tifffile

if TYPE_CHECKING:
    from pathlib import Path

NAME = re.compile(r"_(?P<well>[A-Z]\d\d)_s(?P<site>\d+)_w(?P<wave>\d+)\.")


def sites(plate: Path) -> dict[tuple[str, int], list[Path]]:
    """Return the files of each site, by channel."""
    found: dict[tuple[str, int], list[tuple[int, Path]]] = defaultdict(list)
    for path in plate.rglob("*.[tT][iI][fF]"):
        if (match := NAME.search(path.name)) is not None:
            found[match["well"], int(match["site"])].append((int(match["wave"]), path))
    return {key: [path for _, path in sorted(files)] for key, files in sorted(found.items())}


def half(array: np.ndarray) -> np.ndarray:
    """Return the 2×2 mean of the last two axes, rounded, for even sizes below 14 bits."""
    rows = array[..., 0::2, :] + array[..., 1::2, :]
    return (rows[..., 0::2] + rows[..., 1::2] + 2) >> 2


def write(folder: Path, array: np.ndarray, context: ts.Context) -> None:
    """Write one array as one shard, blosc-zstd with bit shuffle and crc32c."""
    inner = [1, 1, *array.shape[-2:]]
    codec = {
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": inner,
            "codecs": [
                {"name": "bytes", "configuration": {"endian": "little"}},
                {
                    "name": "blosc",
                    "configuration": {"cname": "zstd", "clevel": 1, "shuffle": "bitshuffle", "typesize": 2},
                },
                {"name": "crc32c"},
            ],
            "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        },
    }
    spec = {
        "driver": "zarr3",
        "kvstore": {"driver": "file", "path": str(folder)},
        "metadata": {
            "shape": list(array.shape),
            "data_type": "uint16",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(array.shape)}},
            "codecs": [codec],
        },
        "create": True,
    }
    ts.open(spec, context=context).result().write(array).result()


def write_site(output: Path, key: tuple[str, int], stack: np.ndarray, context: ts.Context) -> None:
    """Write one site's image with its levels to about 256 pixels."""
    well, site = key
    level, number = stack, 0
    while True:
        write(output / well[0] / well[1:] / str(site) / str(number), level, context)
        if max(level.shape[-2:]) <= 256:
            return
        level, number = half(level), number + 1


def context(threads: int) -> ts.Context:
    """Return a tensorstore context without a cache."""
    limits = {"data_copy_concurrency": {"limit": threads}, "file_io_concurrency": {"limit": 2}}
    return ts.Context({"cache_pool": {"total_bytes_limit": 0}, **limits})


def read_stack(files: list[Path]) -> np.ndarray:
    """Return a site's planes as (c, 1, y, x)."""
    return np.stack([tifffile.imread(path) for path in files])[:, None]


def convert(plate: Path, output: Path, threads: int = 2) -> None:
    """Convert a plate, sites on several threads."""
    shared = context(threads)

    def one(item: tuple[tuple[str, int], list[Path]]) -> None:
        write_site(output, item[0], read_stack(item[1]), shared)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, sites(plate).items()))


def pipeline(plate: Path, output: Path, functions: list) -> None:  # type: ignore[type-arg]
    """Run functions on every plane and write the results, one after the other."""
    shared = context(1)
    for key, files in sites(plate).items():
        planes = []
        for path in files:
            plane = tifffile.imread(path)[None]
            for function in functions:
                plane = function(plane)
            planes.append(plane)
        write_site(output, key, np.stack(planes), shared)
