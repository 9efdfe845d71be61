"""Where the time goes: a conversion and a pipeline under a sampling profiler (py-spy), by part and by function.

    python bench/where.py [convert] [pipeline] [--svg FOLDER]

A sample is one thread at work or waiting for the interpreter; threads that sleep are left out. With --svg a flame
graph of each is written too.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from openhcs.testing.synthetic import make_plate

CONVERT = """
import sys
from openhcs import GlobalPipelineConfig, convert
for number in range(3):
    assert convert(sys.argv[1], f"{sys.argv[2]}/{number}.zarr", config=GlobalPipelineConfig(num_workers=2)).ok
"""
PIPELINE = """
import sys
import scipy.ndimage
from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator
def smooth(stack):
    return scipy.ndimage.gaussian_filter(stack, (0, 1.5, 1.5))
config = GlobalPipelineConfig(num_workers=2, use_threading=True)
for number in range(3):
    steps = [FunctionStep(smooth, "smooth", [], out="same", out_dtype="uint16")]
    one = PipelineOrchestrator(sys.argv[1], output=f"{sys.argv[2]}/{number}", global_config=config)
    assert one.run(steps).ok
"""
PROGRAMS = {"convert": CONVERT, "pipeline": PIPELINE}
PARTS = {
    "import": ("_find_and_load (",),
    "index the plate": ("outline_plate (",),
    "compile the plan": ("compile_plan (", "compile_pipelines ("),
    "functions of the user": ("call_chain (",),
    "decode TIFF": ("PlaneReader.read_into (",),
    "encode chunks": ("_chunk (openhcs/io/zarr_encode",),
    "resolution levels": ("downsample (",),
    "display windows": ("ZarrSink._count (",),
    "write bytes": ("FileOps.write_some (",),
    "sync": ("FileOps._sync (", "FileOps.sync_tree (", "_begin_write_out ("),
    "make folders": ("FileOps.make_dirs (",),
    "documents of arrays": ("_Writer.documents (",),
    "open, close and digest files": ("FileOps.write_new (",),
    "commit": ("Ledger.commit (",),
    "stage": ("Ledger.stage (", "open_staging ("),
    "records and documents of wells": ("TaskRun._record (",),
    "close the plate": ("close (openhcs/run/close",),
}
"""What each sample counts for: the first part of which a frame is in its stack."""
TOP = 15


def main() -> None:
    """Profile what was asked for and print two tables of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=list(PROGRAMS), help="convert, pipeline")
    parser.add_argument("--svg", type=Path, help="folder for flame graphs")
    parser.add_argument("--wells", type=int, default=16)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="openhcs-profile-") as folder:
        how = {"sites": 4, "channels": ("DAPI", "FITC", "Cy5"), "size": (1080, 1080)}
        plate = make_plate(Path(folder, "plate"), wells=args.wells, **how)
        for what in args.what:
            stacks = sampled(what, plate, Path(folder, what))
            print(f"\n{what}: {sum(stacks.values())} samples")
            tell(by_part(stacks))
            print()
            tell(Counter(dict(by_function(stacks).most_common(TOP))), of=sum(stacks.values()))
            if args.svg:
                args.svg.mkdir(parents=True, exist_ok=True)
                record(what, plate, Path(folder, f"{what}-svg"), args.svg / f"{what}.svg", "flamegraph")


def sampled(what: str, plate: Path, work: Path) -> Counter[tuple[str, ...]]:
    """Return how often each stack, outermost function first, was seen."""
    raw = work.with_suffix(".txt")
    record(what, plate, work, raw, "raw")
    found: Counter[tuple[str, ...]] = Counter()
    for line in raw.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        frames = tuple(re.sub(r":\d+\)$", ")", frame) for frame in stack.split(";"))
        if not any("Condition.wait (" in frame or "_worker (concurrent" in frames[-1] for frame in frames):
            found[frames] += int(count)
    return found


def record(what: str, plate: Path, work: Path, target: Path, form: str) -> None:
    """Run a program under the profiler."""
    work.mkdir()
    spy = Path(sys.executable).with_name("py-spy")
    command = [spy, "record", "-r", "250", "-f", form, "-o", target, "--", sys.executable, "-c", PROGRAMS[what]]
    subprocess.run([*map(str, command), str(plate), str(work)], check=True, capture_output=True)


def by_part(stacks: Counter[tuple[str, ...]]) -> Counter[str]:
    """Return the samples of each part."""
    found: Counter[str] = Counter()
    for frames, count in stacks.items():
        part = next((name for name, marks in PARTS.items() if any(m in f for f in frames for m in marks)), "the rest")
        found[part] += count
    return found


def by_function(stacks: Counter[tuple[str, ...]]) -> Counter[str]:
    """Return the samples that each function itself was at work in."""
    found: Counter[str] = Counter()
    for frames, count in stacks.items():
        found[frames[-1]] += count
    return found


def tell(found: Counter[str], of: int | None = None) -> None:
    """Print shares, largest first."""
    total = of or sum(found.values())
    for name, count in found.most_common():
        print(f"  {100 * count / total:5.1f} %  {name}")


if __name__ == "__main__":
    main()
