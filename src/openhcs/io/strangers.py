"""Files of strangers: read only where they are plain, not too large, and inside the folder they belong to.

All is looked at before memory is taken. A pipe is never waited for, a link never followed out of the folder.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, BinaryIO

from openhcs.errors import FormatError, InvalidPath, from_oserror

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STORE = ".zarr"
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_MOST_PARENTS = 10_000


class Fence:
    """A folder, and the promise that nothing is read outside of it: links in it may lead about within."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = os.path.abspath(folder)
        self._real = os.path.realpath(folder)
        self._known: set[str] = set()

    def check(self, path: str | Path) -> None:
        """Refuse a path that links lead out of the folder; folders are looked up once.

        Raises
        ------
        InvalidPath
            it leads out.
        """
        text = os.path.abspath(path)
        parent = os.path.dirname(text)
        if parent not in self._known:
            self._refuse(parent)
            if len(self._known) < _MOST_PARENTS:
                self._known.add(parent)
        if os.path.islink(text):
            self._refuse(text)

    def holds(self, path: str | Path) -> bool:
        """Return whether what lies at a path, all links followed, is inside."""
        real = os.path.realpath(path)
        return real == self._real or real.startswith(self._real.rstrip(os.sep) + os.sep)

    def _refuse(self, path: str) -> None:
        if not self.holds(path):
            raise InvalidPath(
                f"{path} is a link that leads out of {self._folder}; what lies outside is not read. Put the files "
                "themselves there.",
                path=path,
            )


def fence_of(folder: str | Path) -> Fence:
    """Return the fence of an array or group: its outermost store, or the folder itself if it is in none."""
    parts = os.path.abspath(folder).split(os.sep)
    store = next((number for number, part in enumerate(parts, 1) if part.endswith(STORE) and part != STORE), None)
    return Fence(os.sep.join(parts[:store]))


def check_plain(path: str | Path, told: os.stat_result, limit: int | None) -> None:
    """Refuse what is no plain file, or is larger than ``limit`` bytes.

    Raises
    ------
    FormatError
        a pipe, a folder, a device, or too many bytes.
    """
    if not stat.S_ISREG(told.st_mode):
        raise FormatError(f"{path} is no plain file", path=path)
    if limit is not None and told.st_size > limit:
        raise FormatError(f"{path} has {told.st_size} bytes; such a file has no more than {limit}", path=path)


def check_file(path: str | Path) -> None:
    """Refuse a path at which no plain file lies.

    Raises
    ------
    FormatError, NotFound, StorageError
        as `read_plain`.
    """
    with open_plain(path):
        pass


@contextlib.contextmanager
def open_plain(path: str | Path, *, doing: str = "read the file") -> Iterator[BinaryIO]:
    """Open a plain file to read it piece by piece.

    Raises
    ------
    FormatError
        it is no plain file.
    NotFound, StorageError
        it is not there, or cannot be read.
    """
    try:
        handle = os.open(path, _FLAGS)
        try:
            check_plain(path, os.fstat(handle), None)
            with open(handle, "rb", closefd=False) as file:
                yield file
        finally:
            os.close(handle)
    except OSError as error:
        raise from_oserror(error, doing=doing, path=path) from error


def read_plain(path: str | Path, *, limit: int, doing: str = "read the file") -> bytes:
    """Return the bytes of a plain file.

    Raises
    ------
    FormatError
        it is no plain file, or larger than ``limit`` bytes.
    NotFound, StorageError
        it is not there, or cannot be read.
    """
    try:
        handle = os.open(path, _FLAGS)
        try:
            told = os.fstat(handle)
            check_plain(path, told, limit)
            with open(handle, "rb", closefd=False) as file:
                # What is asked for is allocated at once; a file that grows meanwhile is read on.
                data = file.read(told.st_size + 1)
                return data if len(data) <= told.st_size else data + file.read(limit + 1 - len(data))
        finally:
            os.close(handle)
    except OSError as error:
        if isinstance(error, NotADirectoryError):
            error = FileNotFoundError(2, os.strerror(2), os.fspath(path))
        raise from_oserror(error, doing=doing, path=path) from error
