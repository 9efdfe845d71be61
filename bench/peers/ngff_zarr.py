"""One chunk per site (its default for channels), blosc zstd-1 bitshuffle, ITKWASM_BIN_SHRINK, wells on two processes.

Its defaults are slower: chunks of 256, zstd and a Gaussian. The first call compiles WebAssembly.
"""

from __future__ import annotations

from functools import partial

import ngff_zarr as nz
from ngff_zarr.hcs import HCSPlateWriter

from peers.plates import each_well, factors, lines, sites, stack

BLOSC = {"cname": "zstd", "clevel": 1, "shuffle": "bitshuffle", "typesize": 2, "blocksize": 0}


def convert(plate: str, out: str) -> None:
    found = sites(plate)
    rows, columns, wells = lines(found)
    listed = [nz.PlateWell(path=p, rowIndex=rows.index(p[0]), columnIndex=columns.index(p[2:])) for p in wells]
    document = nz.Plate(
        rows=[nz.PlateRow(name=name) for name in rows],
        columns=[nz.PlateColumn(name=name) for name in columns],
        wells=listed,
        acquisitions=[nz.PlateAcquisition(id=0)],
        version="0.5",
    )
    with HCSPlateWriter(out, document) as writer:
        each_well(found, partial(write, writer))


def write(writer: HCSPlateWriter, well: str, files: dict) -> None:
    """Write a well's sites in their order: the well lists them as they come."""
    for number, paths in enumerate(files.values()):
        pixels = stack(paths)
        levels = nz.to_multiscales(
            nz.to_ngff_image(pixels, dims=["c", "y", "x"]),
            scale_factors=factors(max(pixels.shape)),
            method=nz.Methods.ITKWASM_BIN_SHRINK,
            chunks=pixels.shape,
            cache=False,
        )
        codecs = [{"name": "blosc", "configuration": BLOSC}]
        writer.write_well_image(levels, well[0], well[1:], field_index=number, compressors=codecs)
