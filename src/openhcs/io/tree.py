"""The files of one Zarr store, wherever they lie: in a folder, or in a single file.

Nothing is read outside of the store, and only what is plain.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from openhcs.errors import FormatError, InvalidPath, NotFound, from_oserror
from openhcs.io.fsops import TEMPORARY
from openhcs.io.strangers import Fence, check_plain, open_plain, read_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openhcs.io.fsops import FileOps

LEDGER = ".openhcs"
DOCUMENTS = frozenset({"zarr.json", ".zgroup", ".zattrs", ".zarray", ".zmetadata"})
DOCUMENT_LIMIT = 64 * 2**20
PIECE = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a store: its name, bytes, and a mark that changes when the file does."""

    name: str
    size: int
    mark: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies in one folder of a store, by name."""

    folders: tuple[str, ...]
    files: tuple[Entry, ...]

    def __contains__(self, name: str) -> bool:
        """Return whether a file of that name is there."""
        return any(one.name == name for one in self.files)


class Tree(Protocol):
    """The files of a store; paths are relative to it, with forward slashes."""

    @property
    def root(self) -> str:
        """Where the store lies."""

    def list(self, path: str = "") -> Listing:
        """Return what lies in a folder; empty if there is no such folder."""

    def read(self, path: str, *, limit: int = DOCUMENT_LIMIT) -> bytes:
        """Return a file's bytes; `NotFound`, or `FormatError` when it is larger than ``limit``."""

    def pieces(self, path: str) -> Iterator[bytes]:
        """Yield a file's bytes in order."""

    def local(self, path: str, scratch: Path, ops: FileOps) -> Path:
        """Return a folder on disk that holds what lies at ``path``, made in ``scratch`` if it must be."""


class FolderTree:
    """A store in a folder."""

    def __init__(self, root: str | Path) -> None:
        self._root = os.fspath(root)
        self._fence = Fence(self._root)
        if not os.path.isdir(self._root):
            raise NotFound(f"no folder at {self._root}", path=self._root)

    @property
    def root(self) -> str:
        """The folder."""
        return self._root

    def list(self, path: str = "") -> Listing:
        """Return what lies in a folder, in order of names, without unfinished work and ledgers.

        Raises
        ------
        InvalidPath
            a link leads out of the store.
        FormatError
            something that is neither a file nor a folder lies there.
        """
        full = self._full(path)
        try:
            found = sorted(os.scandir(full), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return Listing((), ())
        except OSError as error:
            raise from_oserror(error, doing="read the folder", path=full) from error
        folders, files = [], []
        for entry in found:
            if entry.name.startswith(TEMPORARY) or entry.name.endswith(LEDGER):
                continue
            if entry.is_symlink() and not self._fence.holds(entry.path):
                raise InvalidPath(f"{entry.path} is a link that leads out of {self._root}", path=entry.path)
            if entry.is_dir():
                folders.append(entry.name)
            else:
                told = os.stat(entry.path)
                check_plain(entry.path, told, None)
                files.append(Entry(entry.name, told.st_size, told.st_mtime_ns))
        return Listing(tuple(folders), tuple(files))

    def read(self, path: str, *, limit: int = DOCUMENT_LIMIT) -> bytes:
        """Return a file's bytes."""
        full = self._full(path)
        self._fence.check(full)
        return read_plain(full, limit=limit)

    def pieces(self, path: str) -> Iterator[bytes]:
        """Yield a file's bytes in order."""
        full = self._full(path)
        self._fence.check(full)
        with open_plain(full) as file:
            while piece := file.read(PIECE):
                yield piece

    def local(self, path: str, scratch: Path, ops: FileOps) -> Path:  # noqa: ARG002 - all lies on disk already
        """Return the folder itself."""
        return Path(self._full(path))

    def _full(self, path: str) -> str:
        if not inside(path):
            raise InvalidPath(f"{path!r} leads out of {self._root}", path=self._root)
        return os.path.join(self._root, path)


def inside(path: str) -> bool:
    """Return whether a path is relative, plain, and stays where it starts.

    >>> inside("A/01/0"), inside("A/../../x"), inside("/A")
    (True, False, False)
    """
    return not path.startswith("/") and "\\" not in path and ".." not in path.split("/") and "\0" not in path


def as_name(path: str) -> str:
    """Return a file's name in a store; `FormatError` if it leads out of it."""
    if not inside(path) or not path or any(part in ("", ".") for part in path.split("/")):
        raise FormatError(f"{path!r:.200} is no path of a file inside a store", path=path)
    return path
