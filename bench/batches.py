"""Batches against the loop: `load_batch` and `save_batch` beside one call after the other.

Usage: python bench/batches.py [FOLDER]. Prints the median of five interleaved rounds of each, and the ratio
batch / loop; a batch should not need more than the loop.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from openhcs import FileManager

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5
CASES = ((64, 256), (512, 64), (2160, 12))
"""(Side of a plane, number of planes)."""
SUFFIXES = {"memory": "", "disk": ".tif", "zarr": ""}


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(files: FileManager, backend: str, side: int, count: int) -> dict[str, tuple[float, float]]:
    """Return (batch, loop) in seconds, medians of interleaved rounds, for load and save."""
    plane = np.random.default_rng(0).poisson(300, (side, side)).astype("uint16")
    planes = [plane] * count
    paths = [f"{side}/{number}{SUFFIXES[backend]}" for number in range(count)]

    def save_loop() -> None:
        for value, path in zip(planes, paths, strict=True):
            files.save(value, path, backend, overwrite=True)

    ways: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "save": (lambda: files.save_batch(planes, paths, backend, overwrite=True), save_loop),
        "load": (lambda: files.load_batch(paths, backend), lambda: [files.load(path, backend) for path in paths]),
    }
    found = {}
    for name, (batch, loop) in ways.items():
        batch()
        rounds = [(seconds(batch), seconds(loop)) for _ in range(ROUNDS)]
        found[name] = (statistics.median(one for one, _ in rounds), statistics.median(two for _, two in rounds))
    return found


def main() -> None:
    """Print one line for each backend, size and verb."""
    folder = Path(tempfile.mkdtemp(dir=sys.argv[1] if len(sys.argv) > 1 else None))
    try:
        for backend in SUFFIXES:
            for side, count in CASES:
                for verb, (batch, loop) in measure(FileManager(folder), backend, side, count).items():
                    print(
                        f"{backend:6} {verb} {count:4} × {side}²  batch {batch * 1e3:8.1f} ms  loop {loop * 1e3:8.1f} "
                        f"ms  ratio {batch / loop:.2f}"
                    )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
