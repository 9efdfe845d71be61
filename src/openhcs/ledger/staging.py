"""Where a task writes before anything is published: a folder of its own, locked by its process.

A staging folder holds ``owner`` (locked, names pid and host), ``out/`` (the tree as it will lie in
the output) and, after a well was replaced, the old well in the new one's place. One whose owner is
gone is an orphan.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openhcs.errors import InvalidPath
from openhcs.io import locks
from openhcs.io.fsops import RecordingOps

if TYPE_CHECKING:
    from pathlib import Path

    from openhcs.io.fsops import FileOps
    from openhcs.io.locks import Lock

OWNER = "owner"
OUT = "out"


@dataclass(slots=True, kw_only=True, eq=False)
class Staging:
    """One task's folder.

    Attributes
    ----------
    root
        mirrors the output: write to ``root / "images.zarr/A/01/…"``.
    ops
        what to write objects with; they are listed in the commit record with their digests.
    scratch
        what to write with that nobody needs when the task has ended.
    published
        folders or files, relative to ``root``, that are put in place as units.
    documents
        files written by `write_document`: they carry no digest, since closing replaces them.
    """

    task: str
    folder: Path
    root: Path
    ops: RecordingOps
    scratch: FileOps
    plain: FileOps
    lock: Lock
    published: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    settled: bool = True

    def write_document(self, path: str, data: bytes) -> None:
        """Write a derived document at its place in the tree."""
        target = self.root / checked(path)
        self.plain.make_dirs(target.parent)
        self.plain.write_new(target, data)
        self.documents.append(path)


def open_staging(task: str, *, staging: Path, made_in: Path, ops: FileOps) -> Staging:
    """Make a staging folder; it appears in ``staging`` with its owner's lock already held."""
    name = f"{task}-{secrets.token_hex(6)}"
    unfinished = made_in / name
    ops.make_dirs(unfinished / OUT)
    lock = locks.claim(unfinished / OWNER, ops, task=task)
    try:
        ops.rename(unfinished, staging / name)
    except BaseException:
        lock.release()
        raise
    folder = staging / name
    return Staging(
        task=task,
        folder=folder,
        root=folder / OUT,
        ops=RecordingOps(over=ops),
        scratch=RecordingOps(over=ops, durable=False),
        plain=ops,
        lock=lock,
    )


def checked(path: str) -> str:
    """Return a path relative to the output if it stays below it and is plain."""
    parts = path.split("/")
    if os.path.isabs(path) or "\\" in path or any(part in {"", ".", ".."} for part in parts):
        raise InvalidPath(f"{path!r} is no plain path below an output, such as images.zarr/A/01", path=path)
    return path
