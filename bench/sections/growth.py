"""From 8 wells to 384 and from 1 GB to 20: time per well or gigabyte, memory and file operations stay the same.

Each plate is converted by a process of its own, durable, two wells at once. Syncs are not counted: how many there are
depends on what else waits to be written. Not part of a run of all sections: it
takes about ten minutes and 35 GB of disk (--quick: to 96 wells and 2 GB).
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from harness import size_of

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Bench

ONCE = """
import json, resource, sys, time
from collections import Counter
from openhcs import GlobalPipelineConfig, convert
from openhcs.io.fsops import FileOps

class Counting(FileOps):
    def __init__(self):
        super().__init__()
        self.counts = Counter()
    def call(self, operation, path, work, *, source=None):
        self.counts[operation] += not operation.startswith("sync")
        return work()

ops, start = Counting(), time.perf_counter()
result = convert(sys.argv[1], sys.argv[2], config=GlobalPipelineConfig(num_workers=2), ops=ops)
wall = time.perf_counter() - start
assert result.ok
used = resource.getrusage(resource.RUSAGE_SELF)
told = {"wells": len(result.done), "wall_s": wall, "cpu_s": used.ru_utime + used.ru_stime}
print(json.dumps(told | {"peak_mb": used.ru_maxrss / 1024, "operations": sum(ops.counts.values())}))
"""
SITES, CHANNELS, SIDE = 9, ("DAPI", "FITC", "Cy3", "Cy5"), 1080
WELL_GB = SITES * len(CHANNELS) * SIDE**2 * 2 / 1e9
OBJECT_MB = len(CHANNELS) * SIDE**2 * 2 / 1e6
"""The largest stored object: all channels of one site."""


def run(bench: Bench) -> None:
    """More wells, then more bytes."""
    wells = (8, 96) if bench.quick else (8, 96, 384)
    small = {
        count: converted(bench, wells=count, sites=2, channels=("DAPI", "FITC"), size=(540, 540)) for count in wells
    }
    for count, told in small.items():
        _tell(bench, f"{count} wells of 2.3 MB", told)
    _flat(bench, "more wells", small, "wells")
    large = {
        size: converted(bench, wells=max(2, round(size / WELL_GB)), sites=SITES, channels=CHANNELS, size=(SIDE, SIDE))
        for size in ((1, 2) if bench.quick else (1, 10, 20))
    }
    for size, told in large.items():
        _tell(bench, f"{size} GB in {told['wells']} wells", told)
    _flat(bench, "more bytes", large, "wells")
    most = 120 + 2.5 * OBJECT_MB * 2
    peak = max(told["peak_mb"] for told in large.values())
    bench.row(f"peak memory, two wells of {OBJECT_MB:.1f} MB objects at once", peak, "MB", most=round(most))


def converted(bench: Bench, **how: Any) -> dict[str, float]:
    """Convert a made-up plate twice in fresh processes and return the second's figures."""
    plate: Path = bench.plate(**how)
    for _ in range(2):
        command = [sys.executable, "-c", ONCE, str(plate), str(bench.out(".zarr"))]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    told: dict[str, float] = json.loads(done.stdout)
    told["gigabytes"] = size_of(plate, "*.[tT][iI][fF]") / 1e9
    bench.forget(plate)
    return told


def _tell(bench: Bench, name: str, told: dict[str, float]) -> None:
    speed = told["gigabytes"] * 1e3 / told["wall_s"]
    cpu, operations = told["cpu_s"] / told["wells"] * 1e3, told["operations"] / told["wells"]
    note = f"{speed:.0f} MB/s, processor {cpu:.0f} ms, {told['peak_mb']:.0f} MB of memory, {operations:.1f} operations"
    bench.row(name, told["wall_s"] / told["wells"] * 1e3, "ms/well", note=note)


def _flat(bench: Bench, name: str, found: dict[int, dict[str, float]], by: str) -> None:
    first, last = found[min(found)], found[max(found)]
    for what, of, most in (
        ("time per well", lambda told: told["wall_s"] / told[by], 1.15),
        ("peak memory", lambda told: told["peak_mb"], 1.15),
        ("file operations per well", lambda told: told["operations"] / told[by], 1.0),
    ):
        bench.row(f"{name}: {what}, {max(found)} ÷ {min(found)}", of(last) / of(first), most=most)
