"""One peer, warm: imports what it needs once, then does what it is asked, line by line.

    python -P bench/peers/serve.py iohub

A request is one JSON object per line, ``{"do": "convert", "plate": …, "out": …}``: a function of `bench/peers/NAME.py`
and its arguments. The answer is one line with what the function returned, its ``wall_s``, its ``cpu_s`` (the process
and its children) and ``peak_mb`` (resident, the process and what children are alive at the end). What libraries print
goes to stderr; an error ends the process there. With ``-P`` and this folder's parent last on the path, no file here
hides a library that has its name.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import resource
import sys
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def children(pid: int | str = "self") -> list[int]:
    """Return the processes below one, as far as the system tells (Linux)."""
    found = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, tasks.read_text().split()):
            found += [child, *children(child)]
    return found


def cpu_seconds() -> float:
    """Return what this process, its ended children and its living ones have used."""
    spent = sum(os.times()[:4])
    for pid in children():
        spent += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15])) / TICKS
    return spent


def forget_peak() -> None:
    """Let the peak begin anew at what is resident now (Linux)."""
    if Path("/proc/self/clear_refs").exists():
        for pid in ("self", *children()):
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_mb() -> float:
    """Return the most that was resident; where the system does not tell, since the process began."""
    if not Path("/proc/self/status").exists():
        scale = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6
    lines = [line for pid in ("self", *children()) for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")) / 1e6


def answer(peer, do: str, **arguments) -> dict:
    """Do one request and say what it cost."""
    forget_peak()
    cpu, wall = cpu_seconds(), time.perf_counter()
    facts = getattr(peer, do)(**arguments) or {}
    cost = {"wall_s": time.perf_counter() - wall, "cpu_s": cpu_seconds() - cpu, "peak_mb": peak_mb()}
    return cost | facts


def main(name: str) -> None:
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    sys.path.append(str(Path(__file__).parents[1]))
    peer = importlib.import_module(f"peers.{name.replace('-', '_')}")
    about = {"version": importlib.metadata.version(name), "settings": " ".join(peer.__doc__.split())}
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(about if request["do"] == "about" else answer(peer, **request)), file=out)


if __name__ == "__main__":
    main(sys.argv[1])
