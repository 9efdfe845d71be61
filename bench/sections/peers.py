"""Converters of other people, each in an environment of its own (make peers), on the same plate of 112 MB."""

from __future__ import annotations

import shutil
import statistics
import time
from typing import TYPE_CHECKING

import numpy as np

import bare
from openhcs import FileManager, GlobalPipelineConfig, convert
from peers.client import Peer, available

if TYPE_CHECKING:
    from harness import Bench

SERVE_VERBS = ("polystore", "zarr")
SUFFIXES = {"memory": "", "disk": ".tif", "zarr": ""}
SIDE, PLANES = 512, 40


def run(bench: Bench) -> None:
    """Convert in turn; each is asked once before it counts."""
    plate = bench.plate(wells=4, sites=4, channels=("DAPI", "FITC", "Cy5"), size=(1080, 1080))
    found = {name: Peer(name, env) for name, env in available().items()}
    config = {durability: GlobalPipelineConfig(num_workers=2, durability=durability) for durability in ("fast", "full")}
    ways = {
        "openhcs": lambda: convert(plate, bench.out(".zarr"), config=config["fast"]),
        "openhcs, durable": lambda: convert(plate, bench.out(".zarr"), config=config["full"]),
        "bare script": lambda: bare.convert(plate, bench.out()),
        "cp -r": lambda: shutil.copytree(plate, bench.out()),
    }
    for name, peer in found.items():
        ways[name] = lambda peer=peer: peer.ask(do="convert", plate=plate, out=bench.out(".zarr"))
    turns = bench.turns(rounds=2 if bench.quick else 3, **ways)
    for name in sorted(ways, key=turns.wall):
        bench.row(name, turns.wall(name), "s", note=f"processor {turns.cpu(name):.2f} s")
    if found:
        fastest = min(found, key=turns.wall)
        bench.row("fastest peer ÷ openhcs", turns.ratio(fastest, "openhcs"), least=7, note=fastest)
    else:
        print("  no peer is installed: make peers")
    verbs(bench, {name: peer for name, peer in found.items() if name in SERVE_VERBS})
    for peer in found.values():
        peer.close()


def verbs(bench: Bench, found: dict[str, Peer]) -> None:
    """Save and load planes one by one; ours is durable on disk and in zarr, the others are not."""
    for backend in SUFFIXES:
        spent = {"openhcs": own_verbs(bench, backend)}
        for name, peer in found.items():
            if backend == "disk" and name == "zarr":  # it has arrays alone
                continue
            for number in range(2):
                asked = {"folder": str(bench.folder / "verbs" / f"{backend}-{name}-{number}"), "backend": backend}
                told = {do: peer.ask(do=do, side=SIDE, count=PLANES, **asked)["us"] for do in ("save", "load")}
            spent[name] = {do: statistics.median(each) for do, each in told.items()}
        for name, told in spent.items():
            note = f"save {told['save']:.0f} µs, load {told['load']:.0f} µs a plane of {SIDE} × {SIDE}"
            bench.row(f"{backend}, save + load: {name}", told["save"] + told["load"], "µs", note=note)


def own_verbs(bench: Bench, backend: str) -> dict[str, float]:
    """Return the median µs of our save and load."""
    plane = np.random.default_rng(0).poisson(300, (SIDE, SIDE)).astype("uint16")
    files = FileManager(bench.folder / "verbs" / backend)
    spent: dict[str, list[float]] = {"save": [], "load": []}
    for number in range(2 * PLANES):
        path = f"p/{number}{SUFFIXES[backend]}"
        start = time.perf_counter()
        files.save(plane, path, backend)
        between = time.perf_counter()
        files.load(path, backend)
        spent["save"].append(between - start)
        spent["load"].append(time.perf_counter() - between)
    return {do: statistics.median(each[PLANES:]) * 1e6 for do, each in spent.items()}
