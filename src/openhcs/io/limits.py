"""How much memory this process may use: the machine's, or less where a container says so."""

from __future__ import annotations

import os
from pathlib import Path

PART = 0.6
_ROOT, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def memory_limit() -> int:
    """Return the bytes of memory that the machine has or its cgroups (v1 or v2) allow."""
    return min([_machine(), *cgroup_limits(_ROOT, _OWN)])


def cgroup_limits(root: Path, own: Path) -> list[int]:
    """Return the bytes that this process's cgroup and each one above it allow, where they say so.

    A container sees its own cgroup as ``root``; a job of a scheduler such as SLURM runs far below it.

    Parameters
    ----------
    root
        where cgroups are mounted, ``/sys/fs/cgroup``.
    own
        the list of this process's cgroups, ``/proc/self/cgroup``.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        lines = []
    files = {root / "memory.max", root / "memory/memory.limit_in_bytes"}.union(*(_files(root, line) for line in lines))
    return [limit for file in sorted(files) if (limit := _cgroup(file)) is not None]


def default_budget() -> int:
    """Return the bytes a memory backend may hold when nobody says: 60 % of `memory_limit`."""
    return int(PART * memory_limit())


def _files(root: Path, line: str) -> set[Path]:
    """Return the files that may limit the cgroup of one line ``number:kinds:path``; version 2 names no kinds."""
    _, kinds, path = (*line.split(":", 2), "", "", "")[:3]
    if "memory" in kinds.split(","):
        base, name = root / "memory", "memory.limit_in_bytes"
    elif not kinds:
        base, name = root, "memory.max"
    else:
        return set()
    at = base / path.lstrip("/")
    return {folder / name for folder in (at, *at.parents) if folder.is_relative_to(base)}


def _machine() -> int:
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return _windows()


def _windows() -> int:
    import ctypes

    class Status(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *(
                (name, ctypes.c_ulonglong)
                for name in ("total", "free", "page", "page_free", "virtual", "unused", "more")
            ),
        )

    status = Status(length=ctypes.sizeof(Status))
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return int(status.total)


def _cgroup(path: Path) -> int | None:
    try:
        told = path.read_text().strip()
    except OSError:
        return None
    return int(told) if told.isdigit() else None
