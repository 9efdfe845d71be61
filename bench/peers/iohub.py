"""create_empty_plate, its tensorstore implementation, one chunk per plane, a shard per array, blosc zstd-1 bitshuffle
(its own), compute_pyramid over y and x by mean, wells on two processes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from iohub.ngff import open_ome_zarr
from iohub.ngff.utils import create_empty_plate

from peers.plates import each_well, factors, sites, stack


def convert(plate: str, out: str) -> None:
    found = sites(plate)
    files = next(iter(found.values()))
    first = stack(files[:1])
    create_empty_plate(
        Path(out),
        [(well[0], well[1:], str(site)) for well, site in found],
        [f"channel {number}" for number, _ in enumerate(files, 1)],
        shape=(1, len(files), 1, *first.shape[1:]),
        chunks=(1, 1, 1, *first.shape[1:]),
        shards_ratio=(1, len(files), 1, 1, 1),
        dtype=first.dtype,
    )
    each_well(found, partial(write, out))


def write(out: str, well: str, files: dict) -> None:
    for site, paths in files.items():
        pixels = stack(paths)[None, :, None]
        folder = f"{out}/{well[0]}/{well[1:]}/{site}"
        with open_ome_zarr(folder, mode="r+", implementation="tensorstore") as position:
            position["0"][:] = pixels
            position.compute_pyramid(1 + len(factors(max(pixels.shape))), dims={"y", "x"})
