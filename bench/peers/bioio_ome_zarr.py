"""OMEZarrWriter.write_region, one chunk per plane, a shard per array, blosc zstd bitshuffle (its own), wells on two
processes; it writes images only, so the documents of plate and wells are put by hand."""

from __future__ import annotations

from functools import partial

import zarr
from bioio_ome_zarr.writers import OMEZarrWriter

from peers.plates import AXES, each_well, factors, lines, plate_document, sites, stack, well_document


def convert(plate: str, out: str) -> None:
    found = sites(plate)
    root = zarr.open_group(out, mode="w", attributes={"ome": plate_document(found)})
    for row in lines(found)[0]:
        root.create_group(row)
    each_well(found, partial(write, out))


def write(out: str, well: str, files: dict) -> None:
    folder = f"{out}/{well[0]}/{well[1:]}"
    zarr.create_group(folder, attributes={"ome": well_document([str(site) for site in files])})
    for site, paths in files.items():
        pixels = stack(paths)
        count, *sides = pixels.shape
        shapes = [(count, *(-(-side // factor) for side in sides)) for factor in [1, *factors(max(sides))]]
        writer = OMEZarrWriter(
            f"{folder}/{site}",
            shapes,
            pixels.dtype,
            chunk_shape=[(1, *shape[1:]) for shape in shapes],
            shard_shape=shapes,
            axes_names=[axis["name"] for axis in AXES],
            axes_types=[axis["type"] for axis in AXES],
        )
        writer.write_region(pixels, tuple(slice(0, size) for size in pixels.shape))
