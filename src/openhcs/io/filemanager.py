"""One set of verbs for every backend.

The caller names the backend in each call, by its text in any case or an enum with that text;
nothing is inferred. Paths are brought into one normal form first, and below a root they cannot leave it.
Other packages add backends as entry points of the group ``openhcs.backends``: each names a callable
that takes the root (a Path or None) and returns a `openhcs.io.backend.Backend`.
"""

from __future__ import annotations

import threading
from enum import Enum
from fnmatch import fnmatchcase
from importlib import import_module
from typing import TYPE_CHECKING, Any

from openhcs.core.config import VFSConfig, ZarrConfig
from openhcs.core.plugins import plugins
from openhcs.core.wells import natural_key
from openhcs.errors import InvalidPath, InvalidType, InvalidValue, UnknownName, suggest
from openhcs.io.backend import CountsUsage, GivesBack, KeepsForm, MakesDirs, OpensArrays
from openhcs.io.batches import check_batch, check_kinds, check_stores, run_batch
from openhcs.io.blocks import Blocks
from openhcs.io.fsops import FileOps
from openhcs.io.paths import Root, name_of

if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

    from openhcs.io.backend import ArrayHandle, Backend, Usage

    PathText = str | PathLike[str]
    BackendName = str | Enum

GROUP = "openhcs.backends"
TABLE = {
    "memory": "openhcs.io.memory:MemoryBackend",
    "disk": "openhcs.io.disk:DiskBackend",
    "zarr": "openhcs.io.zarr:ZarrBackend",
}
IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".npy")


class FileManager:
    """Values at paths, in the backend that the caller names.

    Parameters
    ----------
    root
        the folder everything lives beneath; None: relative paths start from the working directory
        and absolute ones are allowed.
    backends
        backends of the caller's own by name, in place of or beside the known ones.
    zarr, vfs
        how the zarr backend stores arrays; budget and spill folder of the memory backend.
    ops
        where changes to files pass; for tests.

    Examples
    --------
    >>> files = FileManager()
    >>> files.save([1, 2], "plate/numbers", "memory")
    >>> files.load("plate//numbers", "memory"), files.list("plate", "memory")
    ([1, 2], ['plate/numbers'])
    """

    def __init__(
        self,
        root: PathText | None = None,
        backends: Mapping[str, Backend] | None = None,
        zarr: ZarrConfig | None = None,
        *,
        vfs: VFSConfig | None = None,
        ops: FileOps | None = None,
    ) -> None:
        self._root = Root(root)
        self._zarr = zarr if zarr is not None else ZarrConfig()
        self._vfs = vfs if vfs is not None else VFSConfig()
        self._ops = ops if ops is not None else FileOps()
        self._made: dict[object, Backend] = {}
        self._made.update((backends or {}).items())
        self._making = threading.Lock()
        self._key = self._root.key

    def backend(self, name: BackendName) -> Backend:
        """Return a backend itself, made at its first use.

        Raises
        ------
        UnknownName
            nobody knows it; the nearest is named.
        """
        try:
            return self._made[name]
        except KeyError:
            return self._first_use(name)
        except TypeError:
            raise InvalidType(f"a backend is named by text or an enum, not {name!r}") from None

    def _first_use(self, name: BackendName) -> Backend:
        text = name.value if isinstance(name, Enum) else name
        if not isinstance(text, str):
            raise InvalidType(f"a backend is named by text or an enum, not {name!r}")
        with self._making:
            if text not in self._made and text.lower() in {*TABLE, *self._made}:
                text = text.lower()
            if text not in self._made:
                self._made[text] = self._make(text)
            self._made[name] = self._made[text]
        return self._made[name]

    def _make(self, name: str) -> Backend:
        where = TABLE.get(name)
        if where is None:
            return self._plugged_in(name)
        module, _, attribute = where.partition(":")
        kind = getattr(import_module(module), attribute)
        made: Backend
        if name == "memory":
            made = kind(self._vfs.memory_budget, self._vfs.spill_dir)
        elif name == "disk":
            made = kind(self._root.folder, self._ops)
        else:
            made = kind(self._root.folder, self._zarr, self._ops)
        return made

    def _plugged_in(self, name: str) -> Backend:
        found = {entry.name: entry for entry in plugins(GROUP)}
        if name not in found:
            known = [*TABLE, *found, *(one for one in self._made if isinstance(one, str) and one not in TABLE)]
            raise UnknownName(f"no backend is called {name!r}; {suggest(name.lower(), known)}")
        made: Backend = found[name].load()(self._root.folder)
        return made

    def save(
        self, value: Any, path: PathText, backend: BackendName, *, overwrite: bool = False, hand_over: bool = False
    ) -> None:
        """Store a snapshot of a value, whole or not at all; parents come by themselves.

        Parameters
        ----------
        hand_over
            the caller stops using the value: memory then keeps the array itself, if it owns its
            data, and makes it read-only.

        Raises
        ------
        AlreadyExists
            something is there and ``overwrite`` is not given, or it is a folder.
        InvalidPath
            a path that leaves the root, cannot be stored, or lies below another value.
        InvalidType
            a value that this backend, or the path's suffix, cannot hold exactly.
        """
        self.backend(backend).save(value, self._value_path(path), overwrite=overwrite, hand_over=hand_over)

    def load(self, path: PathText, backend: BackendName) -> Any:
        """Return the whole value; an array from memory is read-only.

        Raises
        ------
        NotFound
            no value is there.
        FormatError
            its bytes are wrong.
        """
        return self.backend(backend).load(self._key(path))

    def exists(self, path: PathText, backend: BackendName) -> bool:
        """Return whether a value or a folder is there.

        Raises
        ------
        InvalidPath
            a path that is not legal: one that cannot be stored, or leaves the root by ``..``, as an
            absolute path, or through a link. All else that hinders looking is answered by False.
        """
        try:
            return self.backend(backend).exists(self._key(path))
        except OSError:
            # What cannot be looked at cannot be loaded.
            return False

    def is_dir(self, path: PathText, backend: BackendName) -> bool:
        """Return whether a folder is there."""
        try:
            return self.backend(backend).is_dir(self._key(path))
        except OSError:
            return False

    def is_file(self, path: PathText, backend: BackendName) -> bool:
        """Return whether a value is there."""
        return self.exists(path, backend) and not self.is_dir(path, backend)

    def delete(self, path: PathText, backend: BackendName, *, recursive: bool = False) -> None:
        """Remove a value or a folder; no link is followed.

        Raises
        ------
        NotFound
            nothing is there.
        InvalidValue
            a folder that is not empty, without ``recursive``.
        """
        self.backend(backend).delete(self._value_path(path), recursive=recursive)

    def list(
        self,
        path: PathText,
        backend: BackendName,
        *,
        pattern: str | None = None,
        extensions: Iterable[str] | None = None,
        recursive: bool = False,
    ) -> builtins.list[str]:
        """Return the paths of values and folders in a folder, as `load` takes them, ``s2`` before ``s10``.

        Parameters
        ----------
        pattern
            for the last part of a path: ``*`` and ``?`` as in a shell.
        extensions
            ends of names, such as ``".tif"``, in any case, with or without the dot.

        Raises
        ------
        NotFound
            no folder is there.
        """
        found: Iterable[str] = self.backend(backend).list(self._key(path), recursive=recursive)
        if pattern is not None:
            found = (one for one in found if fnmatchcase(name_of(one), pattern))
        if extensions is not None:
            ends = _ends(extensions)
            found = (one for one in found if one.lower().endswith(ends))
        return sorted(found, key=natural_key)

    def list_files(
        self,
        path: PathText,
        backend: BackendName,
        *,
        pattern: str | None = None,
        extensions: Iterable[str] | None = None,
        recursive: bool = False,
    ) -> builtins.list[str]:
        """Return what `list` returns, without the folders."""
        found = self.list(path, backend, pattern=pattern, extensions=extensions, recursive=recursive)
        is_dir = self.backend(backend).is_dir
        return [one for one in found if not is_dir(one)]

    def list_image_files(
        self, path: PathText, backend: BackendName, *, pattern: str | None = None, recursive: bool = False
    ) -> builtins.list[str]:
        """Return the values that are images: by suffix, and on the zarr backend all."""
        everything = self.backend(backend).name == "zarr"
        suffixes = None if everything else IMAGE_SUFFIXES
        return self.list_files(path, backend, pattern=pattern, extensions=suffixes, recursive=recursive)

    def list_dir(self, path: PathText, backend: BackendName) -> builtins.list[str]:
        """Return the names in a folder, values and folders, as os.listdir does."""
        return [name_of(one) for one in self.list(path, backend)]

    def ensure_directory(self, path: PathText, backend: BackendName) -> str:
        """Make a folder and its parents where that means something; return its normal path."""
        key = self._key(path)
        where = self.backend(backend)
        if isinstance(where, MakesDirs):
            where.make_dir(key)
        return key

    def load_batch(self, paths: Sequence[PathText], backend: BackendName) -> builtins.list[Any]:
        """Return many values in the order of their paths, read at the same time where that helps.

        Raises
        ------
        InvalidValue
            the paths lie in more than one store; nothing was read.
        InvalidType
            the values are arrays of more than one dtype (up to byte order), or not all arrays.
        """
        where = self.backend(backend)
        keys = [self._key(path) for path in paths]
        check_stores(where, keys)
        values = run_batch(where, [(where.load, (key,), {}) for key in keys], keys)
        check_kinds(values, keys)
        return values

    def save_batch(
        self,
        values: Sequence[Any],
        paths: Sequence[PathText],
        backend: BackendName,
        *,
        overwrite: bool = False,
        hand_over: bool = False,
    ) -> None:
        """Store many values of one dtype, each whole, at the same time where that helps.

        After a failure the others may be stored or not; the error names the item.

        Raises
        ------
        InvalidValue
            before anything is written: as many values as paths are needed, a path comes once, and
            all go to one store.
        InvalidType
            before anything is written: arrays of more than one dtype (up to byte order), or not all
            arrays.
        """
        where = self.backend(backend)
        keys = [self._value_path(path) for path in paths]
        check_batch(where, values, keys)
        flags = {"overwrite": overwrite, "hand_over": hand_over}
        run_batch(where, [(where.save, item, flags) for item in zip(values, keys, strict=True)], keys)

    def copy(
        self,
        src: PathText,
        dst: PathText,
        src_backend: BackendName,
        dst_backend: BackendName | None = None,
        *,
        overwrite: bool = False,
    ) -> None:
        """Copy a value; an array goes in parts where its backend reads parts, so that RAM is bounded.

        On disk, between names of one format, the file is copied byte for byte, with all that is in it.

        Raises
        ------
        InvalidPath
            the source is a folder: copy its values one by one.
        """
        source, target, start, end = self._ends_of(src, dst, src_backend, dst_backend)
        if source is target and isinstance(source, KeepsForm) and source.transfer(start, end, overwrite=overwrite):
            return
        value = _parts_of(source, start) if not isinstance(target, GivesBack) else None
        if value is None:
            # What memory lends stays in memory; what others load belongs to nobody else.
            target.save(source.load(start), end, overwrite=overwrite, hand_over=not isinstance(source, GivesBack))
        else:
            target.save(value, end, overwrite=overwrite)

    def move(
        self,
        src: PathText,
        dst: PathText,
        src_backend: BackendName,
        dst_backend: BackendName | None = None,
        *,
        overwrite: bool = False,
    ) -> None:
        """Copy a value, then delete it where it was; until it is whole at its end, it is whole at its start."""
        source, target, start, end = self._ends_of(src, dst, src_backend, dst_backend)
        if isinstance(source, KeepsForm) and source is target:
            moved = source.transfer(start, end, overwrite=overwrite, move=True)
            if moved:
                return
        self.copy(src, dst, src_backend, dst_backend, overwrite=overwrite)
        self.delete(src, src_backend)

    def _ends_of(
        self, src: PathText, dst: PathText, src_backend: BackendName, dst_backend: BackendName | None
    ) -> tuple[Backend, Backend, str, str]:
        source, target = self.backend(src_backend), self.backend(dst_backend or src_backend)
        start, end = self._key(src), self._value_path(dst)
        if source.is_dir(start):
            raise InvalidPath(f"{start} is a folder; copy or move its values one by one", path=start)
        if source is target and start == end:
            raise InvalidValue(f"{start} cannot be copied or moved onto itself", path=start)
        return source, target, start, end

    def open_array(self, path: PathText, backend: BackendName) -> ArrayHandle:
        """Open an array to read parts of it, without reading pixels yet.

        Raises
        ------
        InvalidType
            a backend that only reads whole values.
        """
        where = self.backend(backend)
        if not isinstance(where, OpensArrays):
            raise InvalidType(f"the {where.name} backend opens no parts of arrays; load {path} whole")
        return where.open_array(self._key(path))

    def usage(self, backend: BackendName) -> Usage:
        """Return ``bytes`` and ``items`` held.

        Raises
        ------
        InvalidType
            a backend that does not count.
        """
        where = self.backend(backend)
        if not isinstance(where, CountsUsage):
            raise InvalidType(f"the {where.name} backend does not count what it holds")
        return where.usage()

    def _value_path(self, path: PathText) -> str:
        key = self._key(path)
        if key in ("", "/"):
            raise InvalidPath(f"{str(path)!r} names the folder everything starts from, not a value in it")
        return key


def _parts_of(backend: Backend, path: str) -> Blocks | None:
    """Return an array to be read in parts, None for another value or where it is in memory anyway."""
    if isinstance(backend, GivesBack) or not isinstance(backend, OpensArrays):
        return None
    try:
        return Blocks(backend.open_array(path))
    except InvalidType:
        return None


def _ends(extensions: Iterable[str]) -> tuple[str, ...]:
    given = [extensions] if isinstance(extensions, str) else extensions
    return tuple(f".{one.lower().removeprefix('.')}" for one in given)
