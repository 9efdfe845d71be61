"""How long a plate takes to be indexed, and how much memory: each in a process of its own, files all there.

    python bench/index.py [--quick] [--layouts opera_phenix opera_phenix_v7] [--wells 384] [--sites 9]

Plates are made up with blank images. Wall time depends on what else the machine does; processor time hardly.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from openhcs.testing.synthetic import make_plate

CHANNELS = ("DAPI", "FITC", "Cy3", "Cy5", "Brightfield", "Alexa 488 650", "405ex, 570-630-em)", "Brightfield high")
ONCE = """
import json, resource, sys, time, tracemalloc
from openhcs.run.plates import index_plate
traced = sys.argv[2] == "traced"
if traced:
    tracemalloc.start()
before = time.process_time()
start = time.perf_counter()
index = index_plate(sys.argv[1])
told = {
    "planes": len(index.planes),
    "wall_s": time.perf_counter() - start,
    "cpu_s": time.process_time() - before,
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "traced_mb": tracemalloc.get_traced_memory()[1] / 2**20 if traced else None,
}
print(json.dumps(told))
"""
TIMES = 5


def main() -> None:
    """Make the plates, index them, print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layouts", nargs="+", default=["opera_phenix", "opera_phenix_v7"])
    parser.add_argument("--wells", type=int, default=384)
    parser.add_argument("--sites", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="plates of 24 wells")
    args = parser.parse_args()
    wells = min(args.wells, 24) if args.quick else args.wells
    with tempfile.TemporaryDirectory() as folder:
        for layout in args.layouts:
            plate = make_plate(
                Path(folder, layout),
                layout=layout,
                wells=wells,
                sites=args.sites,
                channels=CHANNELS,
                size=(16, 16),
                blank=True,
            )
            runs = [indexed(plate) for _ in range(TIMES)]
            best = {key: min(run[key] for run in runs) for key in ("wall_s", "cpu_s", "peak_mb")}
            print(
                f"{layout}: {runs[0]['planes']} planes, wall {best['wall_s']:.2f} s, processor {best['cpu_s']:.2f} s "
                f"(best of {TIMES}), peak {best['peak_mb']:.0f} MiB resident, "
                f"{indexed(plate, traced=True)['traced_mb']:.0f} MiB of Python objects",
                flush=True,
            )


def indexed(plate: Path, *, traced: bool = False) -> dict[str, float]:
    """Index a plate in a fresh process."""
    command = [sys.executable, "-c", ONCE, str(plate), "traced" if traced else "plain"]
    told: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return told


if __name__ == "__main__":
    main()
