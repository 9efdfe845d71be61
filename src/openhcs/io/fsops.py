"""The only place that changes files.

Every mutation on a local file system is a method of `FileOps`: a test layer put in its place can
fail, kill or record each one. Bytes written are hashed on their way (xxh3, 64 bits), so a commit
record needs no second reading. Errors of the operating system become ours, with the number kept.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

from openhcs.errors import OpenHCSError, from_oserror

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Bytes = bytes | bytearray | memoryview

TEMPORARY = ".openhcs-tmp-"
"""Names of unfinished files begin so; whoever lists a folder leaves them out."""
_AT_FDCWD = -100
_EXCHANGE = 2


@dataclass(frozen=True, slots=True)
class Stored:
    """One file as it was written: path, bytes, xxh3 digest as 16 hexadecimal digits."""

    path: str
    bytes: int
    digest: str


@contextlib.contextmanager
def _told(doing: str, path: object) -> Iterator[None]:
    try:
        yield
    except OpenHCSError:
        raise
    except OSError as error:
        raise from_oserror(error, doing=doing, path=path) from error


class FileOps:
    """Changes to files, each whole or not at all.

    ``durable=False`` leaves syncing to the operating system.
    """

    def __init__(self, *, durable: bool = True) -> None:
        self.durable = durable

    def write_new(self, path: str | Path, data: Bytes | Iterable[Bytes]) -> Stored:
        """Write a file that must not exist yet; not synced (see `sync_tree`).

        Raises
        ------
        AlreadyExists
            the file is there.
        StorageFull, AccessDenied, StorageError
            the system refused; the unfinished file is removed.
        """
        parts = [data] if isinstance(data, (bytes, bytearray, memoryview)) else data
        digest = xxhash.xxh3_64()
        size = 0
        with _told("write the file", path):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
            try:
                for part in parts:
                    view = memoryview(part).cast("B") if memoryview(part).nbytes else memoryview(b"")
                    digest.update(view)
                    size += view.nbytes
                    self._write_all(handle, view)
            except BaseException:
                os.close(handle)
                with contextlib.suppress(OSError):
                    os.unlink(path)
                raise
            os.close(handle)
        return Stored(str(path), size, digest.hexdigest())

    def _write_all(self, handle: int, view: memoryview) -> None:
        while view.nbytes:
            written = os.write(handle, view)
            if written == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            view = view[written:]

    def replace(self, path: str | Path, data: Bytes | Iterable[Bytes]) -> Stored:
        """Put a file in place of what is there, or of nothing, durably and in one instant."""
        target = Path(path)
        temporary = target.with_name(f"{TEMPORARY}{secrets.token_hex(6)}")
        stored = self.write_new(temporary, data)
        try:
            self.sync_file(temporary)
            self.rename(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        self.sync_dir(target.parent)
        return Stored(str(target), stored.bytes, stored.digest)

    def create(self, path: str | Path, data: Bytes | Iterable[Bytes]) -> Stored:
        """Put a whole file where none is, durably; `AlreadyExists` leaves the other one alone."""
        target = Path(path)
        temporary = target.with_name(f"{TEMPORARY}{secrets.token_hex(6)}")
        stored = self.write_new(temporary, data)
        try:
            self.sync_file(temporary)
            self.link(temporary, target)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        self.sync_dir(target.parent)
        return Stored(str(target), stored.bytes, stored.digest)

    def make_dirs(self, path: str | Path) -> None:
        """Make a directory and its parents; no error if it is there."""
        with _told("make the folder", path):
            os.makedirs(path, exist_ok=True)

    def rename(self, source: str | Path, target: str | Path) -> None:
        """Rename a file over another, or a directory to a free name."""
        with _told("rename to", target):
            os.replace(source, target)

    def link(self, source: str | Path, target: str | Path) -> None:
        """Give a file a second name; `AlreadyExists` if the name is taken."""
        with _told("write the file", target):
            os.link(source, target)

    def exchange(self, one: str | Path, other: str | Path) -> None:
        """Swap two files or directories, in one instant where the system can."""
        with _told("exchange", other):
            if not _swap(os.fspath(one), os.fspath(other)):
                aside = Path(other).with_name(f"{TEMPORARY}{secrets.token_hex(6)}")
                os.replace(other, aside)
                os.replace(one, other)
                os.replace(aside, one)

    def unlink(self, path: str | Path) -> None:
        """Remove a file or a link, never what the link names."""
        with _told("remove the file", path):
            os.unlink(path)

    def remove_dir(self, path: str | Path) -> None:
        """Remove an empty directory."""
        with _told("remove the folder", path):
            os.rmdir(path)

    def remove_tree(self, path: str | Path) -> None:
        """Remove a directory and all below it, following no link."""
        with _told("remove the folder", path):
            entries = list(os.scandir(path))
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                self.remove_tree(entry.path)
            else:
                self.unlink(entry.path)
        self.remove_dir(path)

    def sync_file(self, path: str | Path) -> None:
        """Wait until a file's bytes are on the disk."""
        if self.durable:
            self._sync(path, os.O_RDONLY)

    def sync_dir(self, path: str | Path) -> None:
        """Wait until a directory's names are on the disk."""
        if self.durable and os.name != "nt":
            self._sync(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))

    def _sync(self, path: str | Path, flags: int) -> None:
        with _told("sync", path):
            handle = os.open(path, flags)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def sync_tree(self, path: str | Path) -> None:
        """Wait until all files and names below a directory are on the disk."""
        if not self.durable:
            return
        with _told("read the folder", path):
            entries = list(os.scandir(path))
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                self.sync_tree(entry.path)
            elif entry.is_file(follow_symlinks=False):
                self.sync_file(entry.path)
        self.sync_dir(path)


class RecordingOps(FileOps):
    """`FileOps` that keeps what `write_new` wrote, for a task's commit record."""

    def __init__(self, *, durable: bool = True) -> None:
        super().__init__(durable=durable)
        self.written: list[Stored] = []

    def write_new(self, path: str | Path, data: Bytes | Iterable[Bytes]) -> Stored:
        """Write as `FileOps.write_new` does and note the result."""
        stored = super().write_new(path, data)
        self.written.append(stored)
        return stored


def _swap(one: str, other: str) -> bool:
    libc: Any = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and hasattr(libc, "renameat2"):
        done = libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE)
    elif sys.platform == "darwin":
        done = libc.renamex_np(os.fsencode(one), os.fsencode(other), _EXCHANGE)
    else:
        return False
    if done == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), other)
