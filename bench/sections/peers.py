"""Converters of other people, each in an environment of its own (make peers), on the same plate of 112 MB."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import bare
from openhcs import GlobalPipelineConfig, convert
from peers.client import Peer, available

if TYPE_CHECKING:
    from harness import Bench


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
    for peer in found.values():
        peer.close()
