"""The verbs of FileManager: memory, disk and zarr, beside the libraries that do the work, and batches beside loops."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorstore as ts
import tifffile

from openhcs import FileManager
from openhcs.io import ts_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness import Bench

SIDE, PLANES = 1080, 24
SUFFIXES = {"memory": "", "disk": ".tif", "zarr": ""}
CASES = ((64, 256), (512, 64))
"""(Side of a plane, number of planes) of a batch."""


def run(bench: Bench) -> None:
    """Each backend against what it stands on."""
    memory(bench)
    disk(bench)
    zarr(bench)
    batches(bench)


def planes_of(count: int, side: int) -> list[np.ndarray]:
    """Return planes of light with noise, of uint16."""
    dice = np.random.default_rng(0)
    return [dice.poisson(300, (side, side)).astype("uint16") for _ in range(count)]


def memory(bench: Bench) -> None:
    """Put and get of arrays that are handed over; the median of single calls."""
    files = FileManager()
    for side in (64, 2160):
        arrays, spent = [np.empty((side, side), np.uint16) for _ in range(100)], []
        for number, array in enumerate(arrays):
            start = time.perf_counter()
            files.save(array, f"a/{side}/{number}", "memory", hand_over=True)
            files.load(f"a/{side}/{number}", "memory")
            spent.append(time.perf_counter() - start)
        bench.row(f"memory, put + get handed over, {side} × {side}", statistics.median(spent) * 1e6, "µs", most=10)


def disk(bench: Bench) -> None:
    """TIFF beside tifffile, npy beside numpy; files in the page cache."""
    planes = planes_of(PLANES, SIDE)
    for suffix, write, read in ((".tif", tifffile.imwrite, tifffile.imread), (".npy", _numpy_save, np.load)):
        kept: dict[str, Any] = {}

        def alone(suffix: str = suffix, write: Callable[..., Any] = write, kept: dict[str, Any] = kept) -> None:
            kept["alone"] = bench.folder / "out" / f"alone{suffix}-{time.monotonic_ns()}"
            kept["alone"].mkdir()
            for number, plane in enumerate(planes):
                write(kept["alone"] / f"{number}{suffix}", plane)

        def ours(suffix: str = suffix, kept: dict[str, Any] = kept) -> None:
            kept["ours"] = FileManager(bench.out())
            for number, plane in enumerate(planes):
                kept["ours"].save(plane, f"p/{number}{suffix}", "disk")

        saved = bench.turns(ours=ours, alone=alone)
        bench.tidy()
        ours()
        alone()
        loaded = bench.turns(
            keep=True,
            ours=lambda suffix=suffix, kept=kept: [kept["ours"].load(f"p/{n}{suffix}", "disk") for n in range(PLANES)],
            alone=lambda suffix=suffix, kept=kept, read=read: [
                read(kept["alone"] / f"{n}{suffix}") for n in range(PLANES)
            ],
        )
        library = {".tif": "tifffile", ".npy": "numpy"}[suffix]
        bench.row(f"disk, save {suffix} ÷ {library} alone (ours is durable)", saved.ratio("ours", "alone"))
        bench.row(f"disk, load {suffix} ÷ {library} alone", loaded.ratio("ours", "alone"), most=1.1)


def _numpy_save(path: Any, plane: np.ndarray) -> None:
    np.save(path, plane)


def zarr(bench: Bench) -> None:
    """An array of one shard, read whole, beside tensorstore with the same settings."""
    folder = bench.folder / "zarr"
    files = FileManager(folder)
    array = np.stack(planes_of(6, SIDE))
    files.save(array, "a.zarr/image", "zarr")
    context = ts.Context({"cache_pool": {"total_bytes_limit": 0}, "data_copy_concurrency": {"limit": 2}})
    ts_context.configure(2)
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(folder / "a.zarr/image")}}
    opened = ts.open(spec, context=context).result()
    assert np.array_equal(opened.read().result(), array)
    turns = bench.turns(rounds=9, ours=lambda: files.load("a.zarr/image", "zarr"), alone=lambda: opened.read().result())
    bench.row("zarr, whole array, speed ÷ tensorstore alone", 1 / turns.ratio("ours", "alone"), least=0.9)


def batches(bench: Bench) -> None:
    """`load_batch` and `save_batch` beside one call after the other."""
    for backend, suffix in SUFFIXES.items():
        for side, count in CASES:
            planes, paths = planes_of(1, side) * count, [f"{side}/{number}{suffix}" for number in range(count)]
            files = FileManager(bench.folder / f"batches-{backend}")

            def loop(
                files: FileManager = files, paths: list[str] = paths, planes: Any = planes, backend: str = backend
            ) -> None:
                for plane, path in zip(planes, paths, strict=True):
                    files.save(plane, path, backend, overwrite=True)

            def batch(
                files: FileManager = files, paths: list[str] = paths, planes: Any = planes, backend: str = backend
            ) -> None:
                files.save_batch(planes, paths, backend, overwrite=True)

            saved = bench.turns(rounds=3, batch=batch, loop=loop)
            loaded = bench.turns(
                rounds=3,
                batch=lambda files=files, paths=paths, backend=backend: files.load_batch(paths, backend),
                loop=lambda files=files, paths=paths, backend=backend: [files.load(path, backend) for path in paths],
            )
            told = f"save {saved.ratio('batch', 'loop'):.2f}, load {loaded.ratio('batch', 'loop'):.2f}"
            worst = max(saved.ratio("batch", "loop"), loaded.ratio("batch", "loop"))
            most = None if backend == "memory" else 1.1  # there a batch is its checks
            bench.row(f"{backend}, {count} × {side}², batch ÷ loop", worst, most=most, note=told)
