"""What machine this is, and what it did beside us while something was measured."""

from __future__ import annotations

import os
import platform
import resource
import time
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = ("openhcs", "numpy", "tensorstore", "tifffile", "imagecodecs", "numcodecs", "scipy")


def about(folder: Path) -> dict[str, Any]:
    """Return processor, cores, memory, file system of ``folder``, load and versions."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(_memory() / 1e9, 1),
        "file_system": _file_system(folder),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
        "versions": {name: metadata.version(name) for name in LIBRARIES},
    }


def told(found: dict[str, Any]) -> str:
    """Return `about` in words."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return (
        f"{found['date']}: {found['cores']} cores of {found['processor']}, {found['memory_gb']} GB, files on "
        f"{found['file_system']}, {found['system']}, load {found['load']}\nPython {found['python']}, {versions}"
    )


class Watch:
    """From its making to `stop`: seconds, and the cores that other programs used on average."""

    def __init__(self) -> None:
        self._busy, self._stolen = _busy()
        self._own = _own()
        self._start = time.perf_counter()

    def stop(self) -> dict[str, float]:
        """Return ``seconds``, ``others`` and ``stolen`` (cores that the machine below gave to other machines)."""
        seconds = time.perf_counter() - self._start
        busy, stolen = _busy()
        others = max(0.0, (busy - self._busy - (_own() - self._own)) / seconds)
        return {
            "seconds": round(seconds, 1),
            "others": round(others, 3),
            "stolen": round((stolen - self._stolen) / seconds, 3),
        }


def _own() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _busy() -> tuple[float, float]:
    """Return the seconds that all cores were busy since the start, and those that were stolen."""
    try:
        user, nice, system, _, _, irq, soft, steal = Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
    except OSError:
        return 0.0, 0.0
    ticks = os.sysconf("SC_CLK_TCK")
    return sum(map(int, (user, nice, system, irq, soft))) / ticks, int(steal) / ticks


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n")
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _file_system(folder: Path) -> str:
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return "a file system of unknown kind"
    real = str(folder.resolve())
    over = [(mount[1], mount[2]) for mount in mounts if (real + "/").startswith(mount[1].rstrip("/") + "/")]
    return max(over)[1]
