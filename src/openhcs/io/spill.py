"""A private folder for arrays that memory has no room for.

Each array is one file of raw bytes; shape and dtype stay with the owner. The folder is made at the
first array, is readable by nobody else, and goes with its owner. An owner that is killed leaves it;
a lock that ends with the process tells so, and the next who spills beside it removes it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.errors import FormatError, OpenHCSError, from_oserror
from openhcs.io.fsops import FileOps

if TYPE_CHECKING:
    from openhcs.io.locks import Lock

    Array = np.ndarray[Any, np.dtype[Any]]


PREFIX = "openhcs-spill-"
OWNER = "owner"
"""Name of the file in a folder that its process holds locked."""


class SpillFolder:
    """Arrays on a local disk, for this process only.

    Parameters
    ----------
    parent
        where the private folder is made; None: the system's place for temporary files.
    """

    def __init__(self, parent: str | Path | None = None, ops: FileOps | None = None) -> None:
        self._parent = parent
        self._ops = ops or FileOps(durable=False)
        self._folder: Path | None = None
        self._owner = 0
        self._lock: Lock | None = None

    def write(self, array: Array) -> str:
        """Store an array and return the file it is in.

        Raises
        ------
        StorageFull, AccessDenied, StorageError
            the system refused; nothing is left.
        """
        path = str(self._own_folder() / secrets.token_hex(8))
        # Some dtypes, such as dates, have no buffer of their own: bytes always do.
        self._ops.write_new(path, np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return path

    def read(self, path: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return an array stored before, the caller's own and writable."""
        array = np.empty(shape, dtype)
        room = array.reshape(-1).view(np.uint8).data
        try:
            with open(path, "rb", buffering=0) as file:
                done = 0
                while done < len(room) and (count := file.readinto(room[done:])):
                    done += count
        except OSError as error:
            raise from_oserror(error, doing="bring back an array from", path=path, backend="memory") from error
        if done < len(room):
            raise FormatError(f"{path} was cut to {done} of {len(room)} bytes by somebody else", path=path)
        return array

    def remove(self, path: str) -> None:
        """Remove a file of this folder; one that is gone already is no error."""
        if self._folder is not None and self._owner == os.getpid() and Path(path).parent == self._folder:
            with contextlib.suppress(OpenHCSError):
                self._ops.unlink(path)

    def close(self) -> None:
        """Remove the folder and all in it; a forked child leaves its parent's alone."""
        folder, self._folder = self._folder, None
        if folder is not None and self._owner == os.getpid():
            with contextlib.suppress(OpenHCSError):
                self._ops.remove_tree(folder)
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _own_folder(self) -> Path:
        if self._folder is None or self._owner != os.getpid():
            parent = Path(self._parent if self._parent is not None else tempfile.gettempdir())
            folder = parent / f"{PREFIX}{secrets.token_hex(8)}"
            self._ops.make_dirs(parent)
            self._remove_abandoned(parent)
            self._ops.make_private_dir(folder)
            self._lock = self._claimed(folder)
            self._folder, self._owner = folder, os.getpid()
        return self._folder

    def _claimed(self, folder: Path) -> Lock | None:
        """Return the lock that says whose folder it is; None where files cannot be locked."""
        if sys.platform == "win32":
            return None
        from openhcs.io.locks import claim

        try:
            return claim(folder / OWNER, self._ops)
        except OpenHCSError as error:
            # An unlocked claim would look like that of a dead process.
            with contextlib.suppress(OpenHCSError):
                self._ops.remove_tree(folder)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            self._ops.make_private_dir(folder)
            return None

    def _remove_abandoned(self, parent: Path) -> None:
        """Remove the folders of processes of this user that ended without removing them."""
        if sys.platform == "win32":
            return
        from openhcs.io.locks import holder

        with contextlib.suppress(OSError), os.scandir(parent) as entries:
            for entry in entries:
                if not (entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False)):
                    continue
                owner = Path(entry.path) / OWNER
                mine = entry.stat(follow_symlinks=False).st_uid == os.getuid()
                if mine and owner.is_file() and holder(owner) is None:
                    with contextlib.suppress(OpenHCSError):
                        self._ops.remove_tree(entry.path)
