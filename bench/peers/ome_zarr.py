"""One chunk per site (its default), blosc zstd-1 bitshuffle, Methods.LOCAL_MEAN, wells on two processes.

Its defaults are slower: zstd, and Methods.RESIZE with anti-aliasing.
"""

from __future__ import annotations

from functools import partial

import zarr
from ome_zarr.format import FormatV05
from ome_zarr.scale import Methods
from ome_zarr.writer import write_image, write_plate_metadata, write_well_metadata
from zarr.codecs import BloscCodec

from peers.plates import each_well, factors, lines, sites, stack


def convert(plate: str, out: str) -> None:
    found = sites(plate)
    root = zarr.open_group(out, mode="w", zarr_format=3)
    write_plate_metadata(root, *lines(found), fmt=FormatV05())
    for row in lines(found)[0]:
        root.create_group(row)
    each_well(found, partial(write, root))


def write(root: zarr.Group, well: str, files: dict) -> None:
    group = root.create_group(f"{well[0]}/{well[1:]}")
    write_well_metadata(group, [str(site) for site in files], fmt=FormatV05())
    for site, paths in files.items():
        pixels = stack(paths)
        write_image(
            pixels,
            group.create_group(str(site)),
            axes="cyx",
            fmt=FormatV05(),
            scale_factors=factors(max(pixels.shape)),
            method=Methods.LOCAL_MEAN,
            storage_options={"compressors": BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle")},
        )
