"""Files in folders: each value one file, in the format its suffix names.

A save is whole or nothing: the bytes are written beside the target and put in its place in one
instant (see `FileOps.create`). With a root, no path and no link leads out of it. A file of a suffix
that nobody knows is no value: `exists` and `list` pass it over, as they do the inside of Zarr stores.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openhcs.errors import AlreadyExists, InvalidPath, InvalidType, InvalidValue, NotFound, OpenHCSError, from_oserror
from openhcs.io.formats import (
    NAME,
    NO_SUFFIX,
    SUFFIXES,
    TYPES,
    ZARR,
    format_for,
    format_of,
    read_text_bytes,
    reading,
    suffix_of,
    types_file,
    types_files,
)
from openhcs.io.fsops import FileOps, is_temporary
from openhcs.io.paths import Root, Twins, check_length, join, name_of, normal, parent_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openhcs.io.backend import ArrayHandle


PIECE = 2**22
"""Bytes of a file that are copied at a time."""


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """Bytes on disk and number of values."""

    bytes: int
    items: int


class DiskBackend:
    """Values in files below ``root``, or below the working directory."""

    name = NAME

    def __init__(self, root: str | Path | None = None, ops: FileOps | None = None) -> None:
        self._root = Root(root)
        self._ops = ops or FileOps()
        self._saved: set[Path] = set()
        self._twins = Twins()

    def load(self, path: str) -> Any:
        """Return the whole value; an array is the caller's own.

        Raises
        ------
        NotFound
            no file is there.
        UnknownName
            its suffix says nothing.
        FormatError
            the file is damaged, or not what its suffix says.
        """
        return format_of(path).decode(self._file(path))

    def open_array(self, path: str) -> ArrayHandle:
        """Open an array without reading its pixels: ``.npy``, ``.tif``, or a name without suffix."""
        from openhcs.io.disk_array import open_handle

        format_of(path)
        return open_handle(self._file(path))

    def save(self, value: Any, path: str, *, overwrite: bool = False, hand_over: bool = False) -> None:  # noqa: ARG002 - only memory keeps what it is handed
        """Store a value whole, in the format its suffix names.

        Raises
        ------
        AlreadyExists
            the path is taken, and ``overwrite`` is not given or a folder has that name.
        InvalidType
            the format cannot hold the value exactly; the message names one that can.
        UnknownName
            nobody knows the suffix.
        InvalidPath
            the path leaves the root, or goes through a value.
        """
        self._at(path)
        found = format_for(path, value)
        target = self._free(path, overwrite=overwrite)
        data = found.encode(value)
        self._ops.make_dirs(target.parent)
        put = self._ops.replace if overwrite else self._ops.create
        if found.beside is None:
            put(target, data)
        else:
            assert isinstance(data, bytes)
            self._put_table(target, data, found.beside(value), put)
        self._saved.add(target)
        self._twins.note(target)

    def transfer(self, src: str, dst: str, *, overwrite: bool = False, move: bool = False) -> bool:
        """Copy or move a file byte for byte where both names mean one format; else do nothing and return False.

        A move inside one file system is a rename.
        """
        source = self._file(src)
        found = format_of(src)
        if found is not format_of(dst) or not _is_value(source):
            return False
        target = self._free(dst, overwrite=overwrite)
        self._ops.make_dirs(target.parent)
        if move and found.beside is None and self._renamed(source, target, overwrite=overwrite):
            self._saved.discard(source)
        else:
            self._copy(source, target, tabled=found.beside is not None, overwrite=overwrite)
            if move:
                self.delete(src)
        self._saved.add(target)
        self._twins.note(target)
        return True

    def _renamed(self, source: Path, target: Path, *, overwrite: bool) -> bool:
        """Rename a file; False where that would not move it: a link, a second name of one file, another disk."""
        if source.is_symlink() or (os.path.exists(target) and os.path.samefile(source, target)):
            return False
        try:
            (self._ops.rename if overwrite else self._ops.publish)(source, target)
        except OpenHCSError as error:
            if error.errno != errno.EXDEV:
                raise
            return False
        self._ops.sync_dir(target.parent)
        self._ops.sync_dir(source.parent)
        return True

    def _copy(self, source: Path, target: Path, *, tabled: bool, overwrite: bool) -> None:
        put = self._ops.replace if overwrite else self._ops.create
        if not tabled:
            put(target, _pieces(source))
            return
        data = read_text_bytes(source, "table")
        types = types_file(source, data)
        self._put_table(target, data, read_text_bytes(types, "table") if types.is_file() else None, put)

    def _free(self, path: str, *, overwrite: bool) -> Path:
        """Return where a value may be put."""
        target = self._at(path)
        check_length(target, path)
        self._refuse_value_above(path)
        if target.is_dir() and not target.is_symlink():
            raise AlreadyExists(f"{path} is a folder", path=path, backend=NAME)
        if not overwrite and os.path.lexists(target):
            raise AlreadyExists(f"{path} exists; pass overwrite=True to replace it", path=path, backend=NAME)
        self._twins.refuse(target, path)
        return target

    def _put_table(self, target: Path, data: bytes, types: bytes | None, put: Callable[[Path, bytes], object]) -> None:
        """Put types, then the table they belong to by its bytes, then drop those of older tables."""
        kept = None if types is None else types_file(target, data)
        if kept is not None and types is not None:
            self._ops.replace(kept, types)
        try:
            put(target, data)
        except BaseException:
            if not os.path.lexists(target):
                self._drop_types(target)
            raise
        self._drop_types(target, keep=kept)

    def _drop_types(self, target: Path, keep: Path | None = None) -> None:
        for one in types_files(target):
            if one != keep:
                with contextlib.suppress(OpenHCSError):
                    self._ops.unlink(one)

    def exists(self, path: str) -> bool:
        """Return whether `load` would find a value there, or a folder is."""
        at = self._at(path)
        return _is_value(at) or os.path.isdir(at)

    def is_dir(self, path: str) -> bool:
        """Return whether ``path`` is a folder."""
        return os.path.isdir(self._at(path))

    def list(self, path: str, *, recursive: bool = False) -> Iterator[str]:
        """Yield the paths of values and folders; folders that are links, and Zarr stores, are not entered."""
        folder = self._at(path)
        if not folder.is_dir():
            if path in ("", ".") and not os.path.lexists(folder):
                return
            raise NotFound(f"no folder {path} on the disk backend", path=path, backend=NAME)
        yield from self._list(folder, normal(path), recursive=recursive)

    def make_dir(self, path: str) -> None:
        """Make a folder and its parents."""
        at = self._at(path)
        self._refuse_value_above(path)
        if os.path.lexists(at) and not at.is_dir():
            raise AlreadyExists(f"{path} is a value", path=path, backend=NAME)
        self._ops.make_dirs(at)

    def delete(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file or a folder; of a link, only the link itself.

        Raises
        ------
        NotFound
            nothing is there.
        InvalidValue
            a folder is not empty and ``recursive`` is not given, or it is the root.
        """
        at = self._link(path)
        if not os.path.lexists(at):
            raise NotFound(f"nothing to delete at {path} on the disk backend", path=path, backend=NAME)
        if at.is_symlink() or not at.is_dir():
            self._ops.unlink(at)
            self._drop_types(at)
            self._ops.sync_dir(at.parent)
            return
        if path in ("", "."):
            raise InvalidValue(f"{path!r} is the root of this backend; delete what is in it", path=path, backend=NAME)
        if not recursive and any(not _is_hidden(entry.name) for entry in _entries(at)):
            raise InvalidValue(f"{path} is not empty; pass recursive=True", path=path, backend=NAME)
        self._ops.remove_tree(at)
        self._ops.sync_dir(at.parent)

    def usage(self) -> DiskUsage:
        """Return bytes and values held: below the root, or without one, of what was saved so far."""
        sizes = []
        for one in self._values():
            with contextlib.suppress(OSError):
                sizes.append(one.stat().st_size)
        return DiskUsage(sum(sizes), len(sizes))

    def _values(self) -> Iterator[Path]:
        top = self._root.folder
        if top is None:
            yield from sorted(self._saved)
        elif top.is_dir():
            yield from (top / one for one in self._list(top, "", recursive=True) if not (top / one).is_dir())

    # paths

    def _at(self, path: str) -> Path:
        return self._root.resolve(path)

    def _link(self, path: str) -> Path:
        """Return where a path lies; links above it may not lead out, itself it may be any link."""
        name = normal(path)
        return self._at(parent_of(name)) / name_of(name)

    def _file(self, path: str) -> Path:
        at = self._at(path)
        try:
            mode = at.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"nothing at {path} on the disk backend", path=path, backend=NAME) from None
        except OSError as error:
            raise from_oserror(error, doing="read the file", path=path, backend=NAME) from error
        if stat.S_ISDIR(mode):
            raise NotFound(f"{path} is a folder on the disk backend, not a value", path=path, backend=NAME)
        if not stat.S_ISREG(mode):
            raise InvalidType(f"{path} is no plain file", path=path, backend=NAME)
        return at

    def _refuse_value_above(self, path: str) -> None:
        above = normal(path)
        while above not in ("", "/"):
            above = parent_of(above)
            at = self._at(above)
            if os.path.lexists(at):
                if not at.is_dir():
                    raise InvalidPath(f"{path} cannot be: {above} is a file", path=path, backend=NAME)
                return

    # listing

    def _list(self, folder: Path, path: str, *, recursive: bool) -> Iterator[str]:
        for entry in _entries(folder):
            if is_temporary(entry.name) or (entry.is_symlink() and self._leads_out(entry.path)):
                continue
            shown = join(path, entry.name)
            if os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir():
                yield shown
                if recursive and not entry.is_symlink() and suffix_of(entry.name) != ZARR:
                    yield from self._list(Path(entry.path), shown, recursive=True)
            elif _is_value(entry.path, None if entry.is_symlink() else entry.is_file):
                yield shown

    def _leads_out(self, path: str) -> bool:
        top = self._root.folder
        return top is not None and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(top))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise from_oserror(error, doing="read the folder", path=folder, backend=NAME) from error


def _pieces(path: Path) -> Iterator[bytes]:
    with reading(path, "file", ()), open(path, "rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _is_hidden(name: str) -> bool:
    return is_temporary(name) or (name.startswith(".") and name.endswith(TYPES))


def _is_value(path: str | Path, is_file: Callable[[], bool] | None = None) -> bool:
    """Return whether a value lies at ``path``; ``is_file`` knows whether a file does, where a folder was listed."""
    suffix = suffix_of(path)
    if suffix != NO_SUFFIX and suffix not in SUFFIXES:
        return False
    if not (os.path.isfile(path) if is_file is None else is_file()):
        return False
    if suffix == NO_SUFFIX:
        from openhcs.io.formats_array import is_npy

        return is_npy(Path(path))
    return True
