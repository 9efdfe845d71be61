"""How much memory this process may use: the machine's, or less where a container says so."""

from __future__ import annotations

import os
from pathlib import Path

PART = 0.6
_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_limit() -> int:
    """Return the bytes of memory that the machine has or its cgroup (v1 or v2) allows."""
    return min([_machine(), *(limit for path in _CGROUPS if (limit := _cgroup(Path(path))) is not None)])


def default_budget() -> int:
    """Return the bytes a memory backend may hold when nobody says: 60 % of `memory_limit`."""
    return int(PART * memory_limit())


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
