"""The only place that changes files.

Every mutation on a local file system is a method of `FileOps`, and each single call to the system
passes `FileOps.call` (a write passes `FileOps.write_some`): a layer that overrides those can fail,
kill, count or record every one (see `openhcs.testing.fileops`). Bytes written are hashed on their
way (xxh3, 64 bits), so a commit record needs no second reading. Errors of the operating system
become ours, with the number kept.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import secrets
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import xxhash

from openhcs.errors import OpenHCSError, from_oserror
from openhcs.io import whole_sync
from openhcs.io.libc import libc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Bytes = bytes | bytearray | memoryview

Result = TypeVar("Result")

TEMPORARY = ".openhcs-tmp-"
"""Names of unfinished files begin so; whoever lists a folder leaves them out."""
_AT_FDCWD = -100
_NO_REPLACE = {"linux": 1, "darwin": 4}
_EXCHANGE = {"linux": 2, "darwin": 2}
_START_WRITING = 2
"""SYNC_FILE_RANGE_WRITE of sync_file_range(2)."""
_CANNOT = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
_NO_LINKS = (*_CANNOT, errno.EPERM, errno.EMLINK, errno.EXDEV)


def is_temporary(name: str) -> bool:
    """Return whether a file or folder name is that of an unfinished write."""
    return name.startswith(TEMPORARY)


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

    def call(  # what is not used here is for layers
        self,
        operation: str,  # noqa: ARG002
        path: str | Path,  # noqa: ARG002
        work: Callable[[], Result],
        *,
        source: str | Path | None = None,  # noqa: ARG002
    ) -> Result:
        """Make one call to the system that changes or syncs ``path``, and return what it returns.

        ``source`` is the other name that a rename, an exchange or a link is about. A result of False
        says that the system knows no such call and nothing was done.
        """
        return work()

    def write_some(self, path: str | Path, handle: int, view: memoryview) -> int:  # noqa: ARG002 - for layers
        """Write the beginning of ``view`` to the end of the open file, return how many bytes were taken."""
        return os.write(handle, view)

    def write_new(self, path: str | Path, data: Bytes | Iterable[Bytes]) -> Stored:
        """Write a file that must not exist yet; not synced (see `sync_tree`), but on its way to the disk if durable.

        Raises
        ------
        AlreadyExists
            the file is there.
        StorageFull, AccessDenied, StorageError
            the system refused; the unfinished file is removed.
        """
        parts = [data] if isinstance(data, (bytes, bytearray, memoryview)) else data
        with _told("write the file", path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            handle = self.call("create", path, lambda: os.open(path, flags, 0o666))
            try:
                try:
                    size, digest = self._write_parts(path, handle, parts)
                    if self.durable:
                        _begin_write_out(handle)
                finally:
                    os.close(handle)
            except BaseException:
                self._forget(path)
                raise
        return Stored(str(path), size, digest)

    def _write_parts(self, path: str | Path, handle: int, parts: Iterable[Bytes]) -> tuple[int, str]:
        digest = xxhash.xxh3_64()
        size = 0
        for part in parts:
            view = memoryview(part)
            view = view.cast("B") if view.nbytes else memoryview(b"")
            digest.update(view)
            size += view.nbytes
            while view.nbytes:
                written = self.write_some(path, handle, view)
                if written == 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                view = view[written:]
        return size, digest.hexdigest()

    def _forget(self, path: str | Path) -> None:
        with contextlib.suppress(OSError):
            self.call("unlink", path, lambda: os.unlink(path))

    def replace(self, path: str | Path, data: Bytes | Iterable[Bytes], *, via: str | Path | None = None) -> Stored:
        """Put a file in place of what is there, or of nothing, durably and in one instant.

        ``via`` is the folder of the unfinished file, on the same file system; the target's own if None.
        """
        target = Path(path)
        temporary = self._write_temporary(target, data, via)
        try:
            self.rename(temporary.path, target)
        except BaseException:
            self._forget(temporary.path)
            raise
        self.sync_dir(target.parent)
        return Stored(str(target), temporary.bytes, temporary.digest)

    def create(self, path: str | Path, data: Bytes | Iterable[Bytes], *, via: str | Path | None = None) -> Stored:
        """Put a whole file where none is, durably; `AlreadyExists` leaves the other one alone."""
        target = Path(path)
        temporary = self._write_temporary(target, data, via)
        try:
            self.publish(temporary.path, target)
        except BaseException:
            self._forget(temporary.path)
            raise
        self.sync_dir(target.parent)
        return Stored(str(target), temporary.bytes, temporary.digest)

    def _write_temporary(self, target: Path, data: Bytes | Iterable[Bytes], via: str | Path | None) -> Stored:
        folder = target.parent if via is None else Path(via)
        stored = self.write_new(folder / f"{TEMPORARY}{secrets.token_hex(6)}", data)
        try:
            self.sync_file(stored.path)
        except BaseException:
            self._forget(stored.path)
            raise
        return stored

    def make_dirs(self, path: str | Path) -> None:
        """Make a directory and its parents; no error if it is there."""
        missing = []
        at = os.path.abspath(path)
        while not os.path.lexists(at):
            missing.append(at)
            at = os.path.dirname(at)
        with _told("make the folder", path):
            for folder in reversed(missing):
                with contextlib.suppress(FileExistsError):
                    self.call("mkdir", folder, functools.partial(os.mkdir, folder))
            if not os.path.isdir(path):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fspath(path))

    def make_private_dir(self, path: str | Path) -> None:
        """Make a directory that only this user can enter; `AlreadyExists` if the name is taken."""
        with _told("make the folder", path):
            self.call("mkdir", path, lambda: os.mkdir(path, 0o700))

    def rename(self, source: str | Path, target: str | Path) -> None:
        """Rename a file over another, or a directory to a free name."""
        with _told("rename to", target):
            self.call("rename", target, lambda: os.replace(source, target), source=source)

    def publish(self, source: str | Path, target: str | Path) -> None:
        """Rename a file or directory to a name that must be free; `AlreadyExists` if it is taken.

        Where neither such a rename nor a hard link exists, another writer in the same instant is
        not noticed.
        """
        with _told("write the file", target):
            if self.call("rename", target, lambda: _rename(source, target, _NO_REPLACE), source=source):
                return
        try:
            self.link(source, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if os.path.lexists(target):
                taken = FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
                raise from_oserror(taken, doing="write the file", path=target) from error
            self.rename(source, target)
        else:
            self._forget(source)

    def link(self, source: str | Path, target: str | Path) -> None:
        """Give a file a second name; `AlreadyExists` if the name is taken."""
        with _told("write the file", target):
            self.call("link", target, lambda: os.link(source, target), source=source)

    def exchange(self, one: str | Path, other: str | Path) -> bool:
        """Swap two files or directories; return whether that took one instant.

        Where the system cannot, ``other`` is moved to `aside` of ``one`` first, and is missing until
        ``one`` has its place.
        """
        with _told("exchange", other):
            if self.call("exchange", other, lambda: _rename(one, other, _EXCHANGE), source=one):
                return True
        kept = aside(one)
        self.rename(other, kept)
        try:
            self.rename(one, other)
        except BaseException:
            with contextlib.suppress(OpenHCSError):
                self.rename(kept, other)
            raise
        self.rename(kept, one)
        return False

    def open_lock(self, path: str | Path) -> int:
        """Return a handle of a file to lock, made if missing and never emptied."""
        with _told("open the lock", path):
            return self.call("lock", path, lambda: os.open(path, os.O_RDWR | os.O_CREAT, 0o666))

    def unlink(self, path: str | Path) -> None:
        """Remove a file or a link, never what the link names."""
        with _told("remove the file", path):
            self.call("unlink", path, lambda: os.unlink(path))

    def remove_dir(self, path: str | Path) -> None:
        """Remove an empty directory."""
        with _told("remove the folder", path):
            self.call("rmdir", path, lambda: os.rmdir(path))

    def remove_tree(self, path: str | Path) -> None:
        """Remove a directory and all below it, following no link."""
        if os.path.islink(path):
            self.unlink(path)
            return
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
            self.call("sync", path, lambda: _fsync(path, flags))

    def sync_tree(self, path: str | Path) -> None:
        """Wait until all files and names below a directory are on the disk."""
        if not self.durable:
            return
        with _told("sync", path):
            whole = whole_sync.suits(path) and self.call("sync_tree", path, lambda: whole_sync.sync(path))
        if not whole:
            self._sync_each(path)

    def _sync_each(self, path: str | Path) -> None:
        with _told("read the folder", path):
            entries = list(os.scandir(path))
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                self._sync_each(entry.path)
            elif entry.is_file(follow_symlinks=False):
                self.sync_file(entry.path)
        self.sync_dir(path)


def aside(path: str | Path) -> Path:
    """Return where `FileOps.exchange` keeps the other side for an instant, if it cannot swap."""
    return Path(path).with_name(f"{TEMPORARY}swap-{Path(path).name}")


class RecordingOps(FileOps):
    """`FileOps` that keeps what was written under its final name, for a task's commit record.

    ``over`` is another layer whose `call` and `write_some` stay in force.
    """

    def __init__(self, *, durable: bool = True, over: FileOps | None = None) -> None:
        super().__init__(durable=durable and (over is None or over.durable))
        self._over = over
        self._stored: dict[str, Stored] = {}
        self._lock = threading.Lock()

    @property
    def written(self) -> list[Stored]:
        """Files written and still there, in the order of writing."""
        with self._lock:
            return list(self._stored.values())

    def call(
        self, operation: str, path: str | Path, work: Callable[[], Result], *, source: str | Path | None = None
    ) -> Result:
        """Make the call through the layer below."""
        return work() if self._over is None else self._over.call(operation, path, work, source=source)

    def write_some(self, path: str | Path, handle: int, view: memoryview) -> int:
        """Write through the layer below."""
        if self._over is None:
            return super().write_some(path, handle, view)
        return self._over.write_some(path, handle, view)

    def write_new(self, path: str | Path, data: Bytes | Iterable[Bytes]) -> Stored:
        """Write as `FileOps.write_new` does and note the result."""
        stored = super().write_new(path, data)
        with self._lock:
            self._stored[stored.path] = stored
        return stored

    def rename(self, source: str | Path, target: str | Path) -> None:
        """Rename and note the new name."""
        super().rename(source, target)
        self._moved(str(source), str(target))

    def publish(self, source: str | Path, target: str | Path) -> None:
        """Rename to a free name and note the new name."""
        super().publish(source, target)
        self._moved(str(source), str(target))

    def unlink(self, path: str | Path) -> None:
        """Remove and forget."""
        super().unlink(path)
        with self._lock:
            self._stored.pop(str(path), None)

    def _moved(self, source: str, target: str) -> None:
        with self._lock:
            stored = self._stored.pop(source, None)
            if stored is not None:
                self._stored[target] = Stored(target, stored.bytes, stored.digest)


def _fsync(path: str | Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _begin_write_out(handle: int) -> None:
    """Have the system start to write a file's bytes, so that a later sync waits for less; it may know no such call."""
    begin = getattr(libc(), "sync_file_range", None)
    if begin is not None:
        begin(handle, ctypes.c_int64(0), ctypes.c_int64(0), _START_WRITING)


def _rename(source: str | Path, target: str | Path, flags: dict[str, int]) -> bool:
    """Rename with a flag of the system's; False where system or file system do not know it."""
    library, one, other = libc(), os.fsencode(source), os.fsencode(target)
    if sys.platform == "linux" and hasattr(library, "renameat2"):
        done = library.renameat2(_AT_FDCWD, one, _AT_FDCWD, other, flags["linux"])
    elif sys.platform == "darwin":
        done = library.renamex_np(one, other, flags["darwin"])
    else:
        return False
    if done == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), os.fspath(target))
