"""Convert: beside the script with hand-made shards, beside `cp -r` with sync, and what each promise costs."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import bare
from harness import size_of
from openhcs import GlobalPipelineConfig, ZarrConfig, convert

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness import Bench

CHANNELS = ("DAPI", "FITC", "Cy5")


def run(bench: Bench) -> None:
    """Plain TIFF of 1.3 GB, then smaller plates of packed ones and of Zarr v2."""
    plate = bench.plate(wells=8 if bench.quick else 46, sites=4, channels=CHANNELS, size=(1080, 1080))
    plain(bench, plate)
    small = bench.plate(wells=4 if bench.quick else 12, sites=4, channels=CHANNELS, size=(1080, 1080))
    versions(bench, small)
    for packing in ("lzw", "deflate"):
        packed(bench, packing)


def ours(bench: Bench, plate: Path, durability: str = "fast", *, version: str = "0.5", verify: bool = False):
    """Return a way that converts with openhcs."""
    zarr = ZarrConfig(ngff_version=version)
    config = GlobalPipelineConfig(num_workers=2, durability=durability, verify=verify, zarr=zarr)

    def way() -> None:
        assert convert(plate, bench.out(".zarr"), config=config).ok

    return way


def by_hand(bench: Bench, plate: Path) -> Callable[[], None]:
    """Return a way that converts with the bare script."""
    return lambda: bare.convert(plate, bench.out())


def plain(bench: Bench, plate: Path) -> None:
    """Wall and processor time against the bare script and `cp -r`, on one plate."""
    megabytes = size_of(plate, "*.[tT][iI][fF]") / 1e6

    def copy() -> None:
        shutil.copytree(plate, bench.out())
        os.sync()

    def bare_synced() -> None:
        bare.convert(plate, bench.out())
        os.sync()

    turns = bench.turns(
        bare=by_hand(bench, plate),
        fast=ours(bench, plate),
        durable=ours(bench, plate, "full"),
        verified=ours(bench, plate, "full", verify=True),
        bare_synced=bare_synced,
        copied=copy,
    )
    size = f"{megabytes / 1000:.1f} GB"
    speeds = ", ".join(f"{way} {megabytes / turns.wall(way):.0f}" for way in ("fast", "durable", "bare", "copied"))
    bench.row(f"{size}, wall ÷ bare script", turns.ratio("fast", "bare"), most=1.1, note=f"MB/s: {speeds}", turns=turns)
    bench.row(f"{size}, processor time ÷ bare script", turns.ratio("fast", "bare", cpu=True), most=1.1)
    bench.row(f"{size}, durable ÷ (cp -r + sync)", turns.ratio("durable", "copied"), most=1.35)
    bench.row(f"{size}, (bare script + sync) ÷ (cp -r + sync)", turns.ratio("bare_synced", "copied"))
    bench.row(f"{size}, durable ÷ fast", turns.ratio("durable", "fast"), most=1.3)
    bench.row(f"{size}, --verify ÷ without, durable", turns.ratio("verified", "durable"), most=1.5)


def versions(bench: Bench, plate: Path) -> None:
    """OME-Zarr 0.4, which has a file for each plane, beside 0.5."""
    turns = bench.turns(old=ours(bench, plate, version="0.4"), new=ours(bench, plate), bare=by_hand(bench, plate))
    bench.row("OME-Zarr 0.4, wall ÷ bare script (that writes 0.5)", turns.ratio("old", "bare"), turns=turns)
    bench.row("OME-Zarr 0.4, wall ÷ 0.5", turns.ratio("old", "new"))


def packed(bench: Bench, packing: str) -> None:
    """Compressed TIFFs; the bare script decodes with tifffile."""
    how = {"sites": 4, "channels": CHANNELS, "size": (1080, 1080), "compression": packing}
    plate = bench.plate(wells=2 if bench.quick else 8, **how)
    megabytes = len(list(plate.rglob("*.[tT][iI][fF]"))) * 1080 * 1080 * 2 / 1e6
    turns = bench.turns(ours=ours(bench, plate), bare=by_hand(bench, plate))
    told = f"{megabytes / turns.wall('ours'):.0f} MB/s of pixels"
    bench.row(f"{packing} TIFF, wall ÷ bare script", turns.ratio("ours", "bare"), most=1.1, note=told, turns=turns)
