"""Have all that waits in a file system written to its disk at once: a well's files cost one wait, not a hundred.

Done where three things are sure: the file system keeps this call's word as it keeps that of a sync of one file, the
kernel tells of writes that failed, and little waits that others wrote, for it would be waited for too.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from openhcs.io.libc import libc
from openhcs.io.mounts import kind_of

KINDS = frozenset({"ext4", "xfs", "btrfs", "f2fs"})
"""File systems of one machine whose syncfs(2) waits for data, names and the disk's own cache."""
SINCE = (5, 8)
"""The first Linux whose syncfs(2) fails when a write did (man page syncfs(2), "VERSIONS")."""
MOST_WAITING = 2**28
"""Bytes, of all programs, that may wait to be written."""
_WAITING = re.compile(rb"^(?:Dirty|Writeback):\s+(\d+) kB$", re.MULTILINE)
_MEMINFO = Path("/proc/meminfo")
_trusted: dict[int, bool] = {}
"""What is known of each device."""


def suits(path: str | Path) -> bool:
    """Return whether the file system of ``path`` is to be synced whole."""
    device = os.stat(path).st_dev
    if device not in _trusted:
        _trusted[device] = _kernel() >= SINCE and kind_of(path) in KINDS and hasattr(libc(), "syncfs")
    return _trusted[device] and waiting() <= MOST_WAITING


def sync(path: str | Path) -> bool:
    """Wait until all below ``path`` is on the disk; False where the system refuses, also for another's failed write."""
    handle = os.open(path, os.O_RDONLY)
    try:
        return bool(libc().syncfs(handle) == 0)
    finally:
        os.close(handle)


def waiting() -> int:
    """Return the bytes that wait to be written on this machine; too many where it does not tell."""
    try:
        return sum(int(found) * 1024 for found in _WAITING.findall(_MEMINFO.read_bytes()))
    except OSError:
        return MOST_WAITING + 1


def _kernel() -> tuple[int, int]:
    """Return the version of Linux; (0, 0) elsewhere."""
    told = os.uname() if hasattr(os, "uname") else None
    found = re.match(r"(\d+)\.(\d+)", told.release) if told is not None and told.sysname == "Linux" else None
    return (int(found[1]), int(found[2])) if found else (0, 0)
