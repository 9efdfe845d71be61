"""A folder as a microscope sees it: one directory pass, headers and small files on request.

Names are kept byte for byte. Links to folders are not followed, so no loop is walked; a link to a file
is that file, as workflow systems lay plates out, but a document of a Zarr store that leads out of the
folder is refused. Hidden files and unfinished ones are left out.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from openhcs.core.plate import FileSource
from openhcs.core.wells import natural_key
from openhcs.errors import InvalidPath, NotFound, from_oserror
from openhcs.io.strangers import Fence, read_plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openhcs.core.plate import ImageHeader

ZARR_DOCUMENTS = frozenset({"zarr.json", ".zgroup", ".zattrs", ".zarray"})
READ_LIMIT = 256 * 2**20


class FolderFiles:
    """Every file below a folder; satisfies `openhcs.core.plate.Files`.

    Raises
    ------
    NotFound
        there is no such folder.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = os.fspath(root)
        if not os.path.isdir(self._root):
            raise NotFound(f"no folder at {self._root}", path=self._root)
        self._fence = Fence(self._root)
        self._files: tuple[FileSource, ...] | None = None

    @property
    def root(self) -> str:
        """The folder's path, as given."""
        return self._root

    def list(self) -> tuple[FileSource, ...]:
        """Return every file in natural order; the directory is read at the first call only."""
        if self._files is None:
            found = list(self._walk(self._root, ""))
            self._files = tuple(sorted(found, key=lambda file: natural_key(file.path)))
        return self._files

    def _walk(self, folder: str, prefix: str) -> Iterator[FileSource]:
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            raise from_oserror(error, doing="read the folder", path=folder) from error
        for entry in entries:
            if entry.name.startswith(".") and not entry.name.startswith(".z"):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(entry.path, f"{prefix}{entry.name}/")
            elif _is_file(entry):
                told = entry.stat()
                yield FileSource(f"{prefix}{entry.name}", size=told.st_size, mtime_ns=told.st_mtime_ns)

    def read_bytes(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        """Return a file's bytes.

        Raises
        ------
        FormatError
            it is larger than ``limit`` bytes, or no plain file.
        InvalidPath
            the path leads out of the folder.
        NotFound, StorageError
            it is not there, or cannot be read.
        """
        full = os.path.join(self._root, path)
        if os.path.basename(path) in ZARR_DOCUMENTS:
            self._fence.check(full)
        elif os.path.isabs(path) or ".." in path.replace("\\", "/").split("/"):
            raise InvalidPath(f"{path} leads out of {self._root}", path=full)
        return read_plain(full, limit=limit)

    def header(self, path: str) -> ImageHeader:
        """Return what the first page says, without reading pixels."""
        from openhcs.io import images

        return images.header(os.path.join(self._root, path))


class OneFile(FolderFiles):
    """A plate that is one file: the only one listed, whatever lies beside it."""

    def __init__(self, path: str | Path) -> None:
        folder, self._name = os.path.split(os.path.abspath(path))
        super().__init__(folder)
        self._path = os.fspath(path)

    @property
    def root(self) -> str:
        """The file's path, as given."""
        return self._path

    def _walk(self, folder: str, prefix: str) -> Iterator[FileSource]:  # noqa: ARG002 - nothing else is looked at
        told = os.stat(self._path)
        yield FileSource(self._name, size=told.st_size, mtime_ns=told.st_mtime_ns)


def path_of(root: str | Path, path: str) -> str:
    """Return where a source of a plate lies; a plate of one file is that file."""
    return os.fspath(root) if os.path.isfile(root) else os.path.join(root, path)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        # A link that leads to itself is no file.
        return False
