"""By hand: one chunk per plane, a shard per array, blosc zstd-1 bitshuffle, 2×2 mean by numpy, wells on two
processes, its FusedCodecPipeline (faster, to be asked for).

save and load: planes of one array, a chunk each; its LocalStore with that codec (zarr) or its MemoryStore as it is.
"""

from __future__ import annotations

from functools import partial

import zarr
from zarr.codecs import BloscCodec
from zarr.storage import LocalStore, MemoryStore

from peers.plates import (
    each_plane,
    each_well,
    factors,
    half,
    image_document,
    lines,
    plane,
    plate_document,
    sites,
    stack,
    well_document,
)

BLOSC = BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle")
MEMORY = MemoryStore()
PIPELINE = "zarr.core.codec_pipeline.FusedCodecPipeline"
zarr.config.set({"codec_pipeline.path": PIPELINE, "codec_pipeline.max_workers": 1})


def convert(plate: str, out: str) -> None:
    found = sites(plate)
    root = zarr.open_group(out, mode="w", attributes={"ome": plate_document(found)})
    for row in lines(found)[0]:
        root.create_group(row)
    each_well(found, partial(write, out))


def write(out: str, well: str, files: dict) -> None:
    documents = {"ome": well_document([str(site) for site in files])}
    group = zarr.create_group(f"{out}/{well[0]}/{well[1:]}", attributes=documents)
    for site, paths in files.items():
        level = stack(paths)
        count = 1 + len(factors(max(level.shape)))
        image = group.create_group(str(site), attributes={"ome": image_document(count)})
        for number in range(count):
            level = half(level) if number else level
            how = {"chunks": (1, *level.shape[1:]), "shards": level.shape, "compressors": BLOSC}
            image.create_array(str(number), data=level, dimension_names=["c", "y", "x"], **how)


def save(backend: str, folder: str, side: int, count: int) -> dict:
    pixels = plane(side)
    how = {"shape": (count, side, side), "chunks": (1, side, side), "dtype": pixels.dtype}
    if backend == "memory":
        array = zarr.create_array(MEMORY, compressors=None, overwrite=True, **how)
    else:
        array = zarr.create_array(LocalStore(folder), compressors=BLOSC, **how)
    return each_plane(count, lambda number: array.__setitem__(number, pixels))


def load(backend: str, folder: str, side: int, count: int) -> dict:
    array = zarr.open_array(MEMORY if backend == "memory" else LocalStore(folder), mode="r")
    return each_plane(count, array.__getitem__, plane(side))
