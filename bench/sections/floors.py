"""What this machine gives at most: memory, disk, codec, decoding."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import tifffile

import bare
from harness import size_of

if TYPE_CHECKING:
    from harness import Bench

PLANES = 24


def run(bench: Bench) -> None:
    """Note the floors, in MB/s of pixels unless it says otherwise."""
    plate = bench.plate(wells=16, sites=4, channels=("DAPI", "FITC", "Cy5"), size=(1080, 1080))
    files = sorted(plate.rglob("*.[tT][iI][fF]"))
    planes = [tifffile.imread(path) for path in files[:PLANES]]
    megabytes = sum(plane.nbytes for plane in planes) / 1e6
    room = np.empty_like(planes[0])
    packed = [bare.BLOSC.encode(plane) for plane in planes]
    threads = ThreadPoolExecutor(2)

    def write(*, sync: bool) -> None:
        folder = bench.out()
        folder.mkdir()
        for number, plane in enumerate(planes):
            with open(folder / str(number), "wb", buffering=0) as file:
                file.write(plane.data)
                if sync:
                    os.fsync(file.fileno())

    def copy(*, sync: bool) -> None:
        shutil.copytree(plate, bench.out())
        if sync:
            os.sync()

    turns = bench.turns(
        memcpy=lambda: [np.copyto(room, plane) for plane in planes],
        encode=lambda: [bare.BLOSC.encode(plane) for plane in planes],
        encode2=lambda: list(threads.map(bare.BLOSC.encode, planes)),
        decode=lambda: [bare.BLOSC.decode(one) for one in packed],
        decode2=lambda: list(threads.map(bare.BLOSC.decode, packed)),
        tifffile=lambda: [tifffile.imread(path) for path in files[:PLANES]],
        half=lambda: [bare.half(plane) for plane in planes],
        write=lambda: write(sync=False),
        fsync=lambda: write(sync=True),
    )
    ratio = sum(plane.nbytes for plane in planes) / sum(map(len, packed))
    for way, name in {
        "memcpy": "memcpy",
        "encode": f"blosc zstd-1 bitshuffle, encode, 1 thread (to 1/{ratio:.2f})",
        "encode2": "the same, 2 threads",
        "decode": "the same, decode, 1 thread",
        "decode2": "the same, decode, 2 threads",
        "tifffile": "tifffile, plain TIFF, files in the page cache",
        "half": "2×2 mean by numpy",
        "write": "write to the page cache, a file per plane",
        "fsync": "the same, with fsync",
    }.items():
        bench.row(name, megabytes / turns.wall(way), "MB/s")
    turns = bench.turns(cp=lambda: copy(sync=False), synced=lambda: copy(sync=True))
    total = size_of(plate) / 1e6
    bench.row("cp -r of a plate of TIFFs", total / turns.wall("cp"), "MB/s")
    bench.row("cp -r, with sync", total / turns.wall("synced"), "MB/s")
