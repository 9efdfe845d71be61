"""Which kind of file system a path lies on, as far as the system tells."""

from __future__ import annotations

import os
from pathlib import Path

NETWORK = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "ceph", "lustre", "9p", "virtiofs"),
        *("gpfs", "beegfs", "panfs", "wekafs", "orangefs", "glusterfs"),
        *("fuse.sshfs", "fuse.s3fs", "fuse.rclone", "fuse.glusterfs", "fuse.ceph", "fuse.juicefs", "fuse.gcsfuse"),
    }
)
"""Kinds whose bytes lie on another machine."""
_TABLE = Path("/proc/self/mountinfo")


def network_kind(path: str | os.PathLike[str], table: str | None = None) -> str | None:
    """Return the kind of a network file system that ``path`` lies on, such as "nfs4"; None for a local one.

    ``table`` as for `kind_of`. Where there is none, every file system counts as local.
    """
    kind = kind_of(path, table)
    return kind if kind in NETWORK else None


def kind_of(path: str | os.PathLike[str], table: str | None = None) -> str:
    """Return the kind of the file system that ``path`` lies on, such as "ext4"; empty where the system does not tell.

    ``table`` is the text of Linux's mountinfo; by default that of this process.
    """
    if table is None:
        try:
            table = _TABLE.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return ""
    return _kind(os.path.realpath(path), table)


def _kind(path: str, table: str) -> str:
    """Return the kind of the mount with the longest name above ``path``; of equals the last, which hides the others."""
    best, found = -1, ""
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = _unescaped(fields[4])
        above = point.rstrip("/") + "/"
        if f"{path}/".startswith(above) and len(above) >= best:
            best, found = len(above), after.split(" ")[0]
    return found


def _unescaped(text: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, char)
    return text
