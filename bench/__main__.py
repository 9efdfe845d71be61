"""The benchmark: openhcs beside the floors of this machine and beside its peers, each figure a ratio.

    python bench                          everything, under ten minutes on two cores; 6 GB of disk in TMPDIR
    python bench --quick                  smaller plates and fewer rounds
    python bench --only convert,plates    some sections; growth is run by name alone
    python bench --json F --chart F       also write the figures, and a picture of them (SVG)
    python bench --from F --chart F       draw the picture from figures that were written

Peers are measured where their environments were built (make peers).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import machine
from chart import draw
from harness import ROUNDS, Bench
from sections import convert, floors, growth, memory, peers, pipelines, plans, plates, verbs

SECTIONS = {
    "floors": floors.run,
    "convert": convert.run,
    "pipelines": pipelines.run,
    "verbs": verbs.run,
    "plates": plates.run,
    "plans": plans.run,
    "memory": memory.run,
    "peers": peers.run,
    "growth": growth.run,
}
APART = ("growth",)
"""Sections that are run by name alone."""


def main() -> None:
    """Run sections and tell what was found."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument(
        "--only",
        default=",".join(name for name in SECTIONS if name not in APART),
        help="sections by comma: %(default)s",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="that count; one more is run before them")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    parser.add_argument("--chart", type=Path, help="file to draw the picture to")
    parser.add_argument("--from", type=Path, dest="told", help="file of figures to draw, instead of measuring")
    args = parser.parse_args()
    found = json.loads(args.told.read_text()) if args.told else measured(args)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    if args.chart:
        args.chart.write_text(draw(found))


def measured(args: argparse.Namespace) -> dict[str, object]:
    """Return the machine and all figures."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="openhcs-bench-") as folder:
        about = machine.about(Path(folder))
        print(machine.told(about))
        bench = Bench(Path(folder, "work"), quick=args.quick, rounds=args.rounds)
        for name in args.only.split(","):
            bench.section(name, SECTIONS[name])
        missed = [row for row in bench.rows if row.met is False]
        told = f"{len(bench.rows)} figures in {(time.perf_counter() - start) / 60:.1f} min, {len(missed)} over target"
        print(f"\n{told}{'' if not missed else ':'}", *(f"{row.section}: {row.name}" for row in missed), sep="\n  ")
        return {"machine": about, "quick": args.quick, **bench.to_json()}


if __name__ == "__main__":
    main()
