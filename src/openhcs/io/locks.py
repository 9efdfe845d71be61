"""Locks between processes: flock on a file that is never removed while it may be locked.

A lock ends with its holder, however that ends, so nothing is ever left locked. A holder that has a
name (`claim`) can be told to whoever is refused.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import stat
import time
from typing import TYPE_CHECKING, Any

from openhcs.errors import StorageError, from_oserror
from openhcs.io.fsops import TEMPORARY

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from openhcs.io.fsops import FileOps

_PAUSE_S = 0.02
_MOST = 4096
_NOBODY = (errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.ELOOP)
"""No file to be asked: gone, or a socket, or a link to itself."""
_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)


class Lock:
    """A lock that is held; released once, by `release` or at the end of a ``with`` block."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    def release(self) -> None:
        """Give the lock up."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def take(path: Path, ops: FileOps, *, exclusive: bool, wait_s: float = 0.0) -> Lock | None:
    """Return the lock, or None if others still hold it after ``wait_s`` seconds.

    Raises
    ------
    StorageError
        the file system does not lock files.
    """
    handle = ops.open_lock(path)
    until = time.monotonic() + wait_s
    try:
        while not _try(handle, path, exclusive=exclusive):
            if time.monotonic() >= until:
                os.close(handle)
                return None
            time.sleep(_PAUSE_S)
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(handle)
        raise
    return Lock(handle)


def _try(handle: int, path: Path, *, exclusive: bool) -> bool:
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        if error.errno in _UNSUPPORTED:
            raise StorageError(
                f"the file system of {path} does not lock files, so two runs could write one output. Choose an "
                "output on a local disk.",
                path=path,
            ) from error
        raise from_oserror(error, doing="lock", path=path) from error
    return True


def claim(path: Path, ops: FileOps, **facts: Any) -> Lock:
    """Make a file that names this process and return it locked; it appears under its name locked.

    ``facts`` are written beside pid and host.
    """
    unfinished = path.with_name(TEMPORARY + path.name)
    ops.write_new(unfinished, json.dumps(whoami() | facts).encode())
    lock = take(unfinished, ops, exclusive=True, wait_s=1.0)
    if lock is None:
        raise StorageError(f"could not lock {unfinished}, made just now", path=unfinished)
    try:
        ops.rename(unfinished, path)
    except BaseException:
        lock.release()
        raise
    return lock


def whoami() -> dict[str, Any]:
    """Return pid and host of this process."""
    return {"pid": os.getpid(), "host": socket.gethostname()}


def holder(path: Path) -> dict[str, Any] | None:
    """Return who holds a claimed file; None if nobody does any more.

    On another host than ours a holder counts as alive: its locks may not reach us.

    Raises
    ------
    StorageError
        the system refused to tell.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _NOBODY:
            return None
        # Who cannot be asked must not be taken for dead.
        raise from_oserror(error, doing="read who holds", path=path) from error
    try:
        facts = json.loads(os.read(handle, _MOST)) if stat.S_ISREG(os.fstat(handle).st_mode) else None
        if not isinstance(facts, dict) or not isinstance(facts.get("host"), str) or "pid" not in facts:
            return None
        if facts["host"] == socket.gethostname():
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
    except (ValueError, RecursionError):
        return None
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return facts
        raise from_oserror(error, doing="read who holds", path=path) from error
    finally:
        os.close(handle)
    return facts
