"""Its tensorstore implementation, one chunk per plane, blosc zstd-1 bitshuffle (both its own), a shard per array,
compute_pyramid over y and x by mean, wells on two threads."""

from __future__ import annotations

from functools import partial

from iohub.ngff import open_ome_zarr

from peers.plates import each_well, factors, sites, stack


def convert(plate: str, out: str) -> None:
    found = sites(plate)
    names = [f"channel {number}" for number, _ in enumerate(next(iter(found.values())), 1)]
    how = {"layout": "hcs", "mode": "w-", "version": "0.5", "implementation": "tensorstore"}
    with open_ome_zarr(out, channel_names=names, **how) as store:
        made = store.create_positions([(well[0], well[1:], str(site)) for well, site in found])
        each_well(found, partial(write, dict(zip(found, made, strict=True))))


def write(positions: dict, well: str, files: dict) -> None:
    for site, paths in files.items():
        pixels = stack(paths)[None, :, None]
        position = positions[well, site]
        position.create_image("0", pixels, shards_ratio=(1, pixels.shape[1], 1, 1, 1))
        position.compute_pyramid(1 + len(factors(max(pixels.shape))), dims={"y", "x"})
