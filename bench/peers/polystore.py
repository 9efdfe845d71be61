"""FileManager: load_batch of a well from disk, save_batch to zarr (0.4, a chunk per site, zstd 1; no levels below the
first: it writes none), wells on two processes. Its default, zlib 3, is slower; what its Blosc writes is not valid:
``"shuffle": true``, which tensorstore refuses.

save and load: its FileManager, one call per plane; zarr with that codec, TIFF on disk, memory.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import zarr
from polystore import DiskBackend, FileManager, MemoryBackend
from polystore.config import ZarrCompressor, ZarrConfig
from polystore.zarr import ZarrStorageBackend
from polystore.zarr_batch import ZarrBatchAxis, ZarrBatchAxisRole, ZarrBatchLayout

from peers.plates import each_plane, each_well, lines, plane, sites

CONFIG = ZarrConfig(compressor=ZarrCompressor.ZSTD, compression_level=1)
FILES = FileManager({"disk": DiskBackend(), "memory": MemoryBackend(), "zarr": ZarrStorageBackend(CONFIG)})


def convert(plate: str, out: str) -> None:
    found = sites(plate)
    root = zarr.open_group(out, mode="w", zarr_format=2)
    for row in lines(found)[0]:  # it makes a row for the first well, and two at a time would both
        root.create_group(row)
    each_well(found, partial(write, Path(out)))


def write(out: Path, well: str, files: dict) -> None:
    paths = [path for paths in files.values() for path in paths]
    channels = len(paths) // len(files)
    axes = (
        ZarrBatchAxis("site", tuple(map(str, files)), ZarrBatchAxisRole.HCS_IMAGE),
        ZarrBatchAxis("c", tuple(map(str, range(channels)))),
    )
    layout = ZarrBatchLayout(axes, tuple((site, c) for site in range(len(files)) for c in range(channels)))
    names = [out / path.name for path in paths]
    how = {"chunk_name": well, "batch_layout": layout, "row": well[0], "col": well[1:]}
    FILES.save_batch(FILES.load_batch(paths, "disk"), names, "zarr", **how)


def save(backend: str, folder: str, side: int, count: int) -> dict:
    pixels = plane(side)
    if backend == "memory" and FILES.exists(folder, "memory"):
        FILES.delete_all(folder, "memory")
    FILES.ensure_directory(folder, backend)
    return each_plane(count, lambda number: FILES.save(pixels, f"{folder}/p{number}.tif", backend))


def load(backend: str, folder: str, side: int, count: int) -> dict:
    return each_plane(count, lambda number: FILES.load(f"{folder}/p{number}.tif", backend), plane(side))
