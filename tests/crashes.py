"""Kill a commit at every change to the file system, in children of one process; print what broke.

Run as a program: ``python crashes.py FOLDER MODE``. It forks, so it must not be imported where
threads run.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from openhcs.io import fsops
from openhcs.ledger.ledger import Ledger
from openhcs.testing.fileops import KillingOps, TracingOps

UNITS = ("images.zarr/A/01", "steps/1_blur.zarr/A/01")
TORN_LIMIT = 400


def prepared(output: Path, *, old: bool) -> None:
    ledger = Ledger(output, durable=False)
    ledger.prepare('{"plan": "p"}', "p")
    put(ledger, "B02", b"other", units=("images.zarr/B/02",))
    if old:
        put(ledger, "A01", b"old")


def put(ledger: Ledger, well: str, content: bytes, units: tuple[str, ...] = UNITS) -> None:
    with ledger.stage(well) as staging:
        for unit in units:
            staging.ops.make_dirs(staging.root / unit / "0" / "c")
            staging.ops.write_new(staging.root / unit / "0" / "zarr.json", b"{}")
            staging.ops.write_new(staging.root / unit / "0" / "c" / "0", content * 100)
            staging.write_document(f"{unit}/zarr.json", content)
        staging.published.extend(units)
        ledger.commit(staging, {"plan": "p"})


def complaints(output: Path, *, old: bool, finished: bool) -> list[str]:
    """Return what is wrong with an output after recovery."""
    found = []
    ledger = Ledger(output, durable=False)
    records = ledger.records()
    contents = {unit: read(output / unit / "0" / "c" / "0") for unit in UNITS}
    documents = {unit: read(output / unit / "zarr.json") for unit in UNITS}
    seen = {*contents.values(), *documents.values()}
    if seen not in ([{"old"}, {"new"}] if old else [{None}, {"new"}]):
        found.append(f"torn: {contents} {documents}")
    if finished and seen != {"new"}:
        found.append(f"committed, but {seen}")
    if ("A01" in records) != (None not in seen):
        found.append(f"records {sorted(records)} but {seen}")
    found += [f"{well} differs from its record: {bad}" for well in records if (bad := ledger.verify(well))]
    if "B02" not in records:
        found.append("another well was lost")
    left = [path for name in ("staging", "tmp") for path in (ledger.folder / name).iterdir()]
    left += list(ledger.places.commits.glob("*.intent"))
    left += [path for path in output.rglob("*") if fsops.is_temporary(path.name)]
    return found + [f"left over: {path}" for path in left]


def read(path: Path) -> str | None:
    content = path.read_bytes().decode() if path.exists() else None
    return content[:3] if content else None


def in_child(work: object) -> int:
    """Do ``work()`` in a child and return its exit status; 9 means it was killed."""
    child = os.fork()
    if child == 0:
        try:
            work()  # type: ignore[operator]
        except BaseException as error:
            print("child:", type(error), error)
            sys.stdout.flush()
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] & 0x7F


def recovered(output: Path, at: int | None) -> None:
    """Close the output, killed at operation ``at``."""
    ops = TracingOps(durable=False) if at is None else KillingOps(at, durable=False)
    with Ledger(output, ops).closing():
        pass


def explore(folder: Path, *, old: bool, durable: bool, nested: int) -> int:
    """Kill at 1, 2, … until the commit ends by itself; return the number of states looked at."""
    seed = folder / "seed"
    prepared(seed, old=old)
    states = 0
    for at in range(1, TORN_LIMIT):
        crashed = folder / f"crashed{at}"
        shutil.copytree(seed, crashed)
        killer = Ledger(crashed, KillingOps(at, durable=durable))
        killed = in_child(lambda ledger=killer: put(ledger, "A01", b"new"))
        begun = any(crashed.glob(".openhcs/commits/*.intent"))
        for again in range(nested + 1 if begun else 1):
            output = folder / f"crashed{at}_{again}"
            shutil.copytree(crashed, output)
            if again and not in_child(lambda out=output, n=again: recovered(out, n)):
                shutil.rmtree(output)
                break
            recovered(output, None)
            states += 1
            for complaint in complaints(output, old=old, finished=not killed):
                print(f"killed at {at}, recovery killed at {again}: {complaint}")
            put(Ledger(output, durable=False), "A01", b"new")
            for complaint in complaints(output, old=old, finished=True):
                print(f"killed at {at}, {again}, then done again: {complaint}")
            shutil.rmtree(output)
        shutil.rmtree(crashed)
        if not killed:
            return states
    raise AssertionError("the commit never ended")


def main() -> None:
    """Explore one mode: words among ``old``, ``durable``, ``noswap``, ``nested``."""
    folder, words = Path(sys.argv[1]), sys.argv[2].split("+")
    if "noswap" in words:
        fsops._rename = lambda *_: False
    states = explore(folder, old="old" in words, durable="durable" in words, nested=60 if "nested" in words else 0)
    print("states", states)


if __name__ == "__main__":
    main()
