"""The backend whose values are Zarr arrays.

A path goes through its first part that ends in ``.zarr``; without one, its last part names an array
in the store beside it: ``out/A01_s1.tif`` is the array ``A01_s1.tif`` of ``out/images.zarr``. In a
plate store names such as ``A01_s1_c1_z1_t1`` stand for planes, which can be read, not written.
Saving is whole or not at all: a new array is made aside and put in place in one instant.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openhcs.core.config import ZarrConfig
from openhcs.errors import AlreadyExists, InvalidPath, InvalidType, InvalidValue, NotFound, OpenHCSError
from openhcs.io.blocks import Blocks
from openhcs.io.fsops import TEMPORARY, FileOps
from openhcs.io.paths import Twins, check_length
from openhcs.io.values import array_of
from openhcs.io.zarr_array import create_handle, open_handle, write_array
from openhcs.io.zarr_document import group_document
from openhcs.io.zarr_plate import PlateStore, attributes_of, parse_plane
from openhcs.io.zarr_spec import make_spec
from openhcs.io.zarr_tree import GROUP_FILES, SUFFIX, Node, node_of, store_usage, subfolders
from openhcs.ngff.parse import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from openhcs.core.arrays import ArraySpec
    from openhcs.io.backend import ArrayHandle
    from openhcs.io.zarr_plate import PlacedPlane

NAME = "zarr"


@dataclass(frozen=True, slots=True)
class StoreUsage:
    """Bytes on disk and number of arrays."""

    bytes: int
    items: int


@dataclass(frozen=True, slots=True)
class _Place:
    """A path taken apart: its store, the parts inside, and the plain folder of the same name."""

    path: str
    store: Path
    inside: tuple[str, ...]
    plain: Path | None

    @property
    def folder(self) -> Path:
        return self.store.joinpath(*self.inside)


class ZarrBackend:
    """Arrays in Zarr stores below ``root``, or below the working directory."""

    name = NAME

    def __init__(
        self, root: str | Path | None = None, config: ZarrConfig | None = None, ops: FileOps | None = None
    ) -> None:
        self._root = Path(root) if root is not None else None
        self._real_root = None if root is None else os.path.realpath(root)
        self._config = config or ZarrConfig()
        self._ops = ops or FileOps()
        self._plates: dict[Path, tuple[tuple[int, ...], PlateStore | None]] = {}
        self._stores: set[Path] = set()
        self._twins = Twins()

    def load(self, path: str) -> Any:
        """Return a whole array, or one plane of a plate store; the result is the caller's own."""
        return self.open_array(path).read()

    def open_array(self, path: str) -> ArrayHandle:
        """Open an array without reading pixels; `NotFound` if there is none."""
        place = self._place(path)
        plate = self._plate(place.store)
        if plate is not None and (found := self._plane(plate, place)) is not None:
            return plate.open(found)
        if not place.inside or node_of(place.folder) is not Node.ARRAY:
            what = "is a folder" if self.is_dir(path) else "names no array"
            raise NotFound(f"{path} {what} on the zarr backend", path=path, backend=NAME)
        return open_handle(place.folder) if plate is None else plate.open_array(place.folder)

    def save(self, value: Any, path: str, *, overwrite: bool = False, hand_over: bool = False) -> None:  # noqa: ARG002 - only memory keeps what it is handed
        """Store an array whole.

        Raises
        ------
        AlreadyExists
            the path is taken, and ``overwrite`` is not given or a folder has that name.
        InvalidType
            no array, or a dtype that Zarr cannot hold.
        InvalidPath
            a name that Zarr or a plate keeps for itself, or a path below another value.
        """
        array = _as_array(value)
        spec = make_spec(array.shape, array.dtype.name, self._config)
        place = self._free_place(path, overwrite=overwrite)
        self._make_parents(place)
        aside = _aside(place.store)
        try:
            write_array(aside, array, spec, self._ops)
            self._ops.sync_tree(aside)
            self._put(aside, place, overwrite=overwrite)
            self._ops.sync_dir(place.folder.parent)  # what was replaced goes only when that is sure
        finally:
            if os.path.lexists(aside):
                self._ops.remove_tree(aside)
        self._twins.note(place.folder)

    def create_array(self, path: str, spec: ArraySpec, *, overwrite: bool = False) -> ArrayHandle:
        """Make an array to be filled in whole stored objects; until then reading it is an error."""
        place = self._free_place(path, overwrite=overwrite)
        self._make_parents(place)
        if node_of(place.folder) is Node.ARRAY:
            self._remove(place)
        return create_handle(place.folder, spec, self._ops)

    def exists(self, path: str) -> bool:
        """Return whether `load` or `list` would find something there."""
        return self._is_value(self._place(path)) or self.is_dir(path)

    def is_dir(self, path: str) -> bool:
        """Return whether ``path`` is a folder of stores, a store, or a group in one."""
        place = self._place(path)
        if place.plain is not None:
            return place.plain.is_dir()
        return node_of(place.folder) is Node.GROUP

    def list(self, path: str, *, recursive: bool = False) -> Iterator[str]:
        """Yield the paths in a folder, arrays and folders; in a plate store, its planes."""
        if not self.is_dir(path):
            if path in ("", "."):
                return
            raise NotFound(f"no folder {path} on the zarr backend", path=path, backend=NAME)
        place = self._place(path)
        if place.plain is not None:
            yield from self._list_plain(path, place.plain, recursive=recursive)
        else:
            yield from self._list_group(path, place, recursive=recursive)

    def make_dir(self, path: str) -> None:
        """Make a folder and its parents; below a store, groups."""
        place = self._place(path)
        self._refuse_value_above(place)
        if self._is_value(place):
            raise AlreadyExists(f"{path} is an array", path=path, backend=NAME)
        if place.plain is not None:
            self._ops.make_dirs(place.plain)
        else:
            self._make_groups(place.store, place.inside)

    def delete(self, path: str, *, recursive: bool = False) -> None:
        """Remove an array or a folder; `NotFound` if there is none.

        Of plain folders, only what this backend keeps is removed.
        """
        place = self._place(path)
        if place.inside and self._plate(place.store) is not None and self._is_value(place):
            raise InvalidPath(f"{path} belongs to a plate, from which no part is removed", path=path, backend=NAME)
        if self._is_value(place):
            self._remove(place)
            return
        if not self.is_dir(path):
            raise NotFound(f"nothing to delete at {path} on the zarr backend", path=path, backend=NAME)
        if not recursive and next(self.list(path), None) is not None:
            raise InvalidValue(f"{path} is not empty; pass recursive=True", path=path, backend=NAME)
        if place.plain is None:
            self._remove(place)
        else:
            self._remove_plain(place.plain)

    def store(self, path: str) -> str:
        """Return the store that an array at ``path`` belongs to, by the path alone."""
        return str(self._take_apart(path).store)

    def usage(self) -> StoreUsage:
        """Return bytes on disk and arrays held, below the root or in the stores used so far."""
        found = [store_usage(one) for one in ([self._root] if self._root is not None else self._stores)]
        return StoreUsage(sum(size for size, _ in found), sum(items for _, items in found))

    # paths

    def _place(self, path: str) -> _Place:
        place = self._take_apart(path)
        if self._real_root is not None:
            for folder in (place.folder, place.plain):
                if folder is not None and not Path(os.path.realpath(folder)).is_relative_to(self._real_root):
                    raise InvalidPath(f"{path!r} leaves {self._root} through a link", path=path, backend=NAME)
        return place

    def _take_apart(self, path: str) -> _Place:
        parts = [part for part in str(path).split("/") if part not in ("", ".")]
        if not str(path).isprintable() and _not_utf8(path):
            raise InvalidPath(f"{path!r} holds characters that UTF-8 and so Zarr cannot name", path=path, backend=NAME)
        if ".." in parts:
            raise InvalidPath(f"{path!r} leaves its folder", path=path, backend=NAME)
        base = Path("/") if str(path).startswith("/") else Path()
        if self._root is not None:
            if base.is_absolute():
                raise InvalidPath(f"{path!r} is not below {self._root}", path=path, backend=NAME)
            base = self._root
        for number, part in enumerate(parts):
            if part.endswith(SUFFIX) and part != SUFFIX:
                return _Place(path, base.joinpath(*parts[: number + 1]), tuple(parts[number + 1 :]), None)
        if not parts:
            return _Place(path, base / self._config.store_name, (), base)
        store = base.joinpath(*parts[:-1]) / self._config.store_name
        return _Place(path, store, (parts[-1],), base.joinpath(*parts))

    def _is_value(self, place: _Place) -> bool:
        plate = self._plate(place.store)
        if plate is not None and self._plane(plate, place) is not None:
            return True
        return bool(place.inside) and node_of(place.folder) is Node.ARRAY

    def _plane(self, plate: PlateStore, place: _Place) -> PlacedPlane | None:
        name = parse_plane(place.inside[0]) if len(place.inside) == 1 else None
        return None if name is None else plate.find(name)

    def _plate(self, store: Path) -> PlateStore | None:
        """Return the plate in a store, None for other stores; read again when its root changed."""
        marks = tuple(_mark(store / name) for name in GROUP_FILES)
        known = self._plates.get(store)
        if known is None or known[0] != marks:
            attributes = attributes_of(store) if any(marks) else {}
            known = marks, PlateStore(store, attributes) if kind_of(attributes) == "plate" else None
            self._plates[store] = known
        return known[1]

    # writing

    def _free_place(self, path: str, *, overwrite: bool) -> _Place:
        place = self._place(path)
        check_length(place.folder, path)
        if not place.inside:
            raise InvalidPath(f"{path!r} names a store, not an array in it", path=path, backend=NAME)
        for part in place.inside:
            if part.startswith(("__", TEMPORARY)) or part in {"zarr.json", ".zarray", ".zgroup", ".zattrs"}:
                raise InvalidPath(f"Zarr keeps the name {part!r} for itself", path=path, backend=NAME)
        self._refuse_value_above(place)
        if self._plate(place.store) is not None and parse_plane(place.inside[0]) is not None:
            raise InvalidPath(f"{path} is a plane of a plate: write whole sites", path=path, backend=NAME)
        if self.is_dir(path):
            raise AlreadyExists(f"{path} is a folder", path=path, backend=NAME)
        if not overwrite and self._is_value(place):
            raise AlreadyExists(f"{path} exists; pass overwrite=True to replace it", path=path, backend=NAME)
        self._twins.refuse(place.folder, path)
        return place

    def _refuse_value_above(self, place: _Place) -> None:
        parts = place.path.split("/")
        for number in range(1, len(parts)):
            above = "/".join(parts[:number])
            if above and self._is_value(self._place(above)):
                raise InvalidPath(f"{place.path} cannot be: {above} is an array", path=place.path, backend=NAME)

    def _make_parents(self, place: _Place) -> None:
        self._stores.add(place.store)
        self._make_groups(place.store, place.inside[:-1])

    def _make_groups(self, store: Path, inside: tuple[str, ...]) -> None:
        version = 2 if self._config.ngff_version == "0.4" else 3
        other = ".zgroup" if version == 3 else "zarr.json"
        if (store / other).exists():
            told = "'0.4'" if version == 3 else "'0.5'"
            raise InvalidValue(
                f"{store} is not Zarr v{version}; set ngff_version to {told} to write into it", path=store
            )
        for count in range(len(inside) + 1):
            folder = store.joinpath(*inside[:count])
            self._ops.make_dirs(folder)
            for name, data in group_document({}, version).items():
                if not (folder / name).exists():
                    with contextlib.suppress(AlreadyExists):
                        self._ops.create(folder / name, data)

    def _put(self, aside: Path, place: _Place, *, overwrite: bool) -> None:
        """Put a whole array in its place; of many writers that may not replace, one wins."""
        try:
            self._ops.publish(aside, place.folder)
        except OpenHCSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            if not overwrite:
                raise AlreadyExists(
                    f"{place.path} exists; pass overwrite=True to replace it", path=place.path, backend=NAME
                ) from error
            self._ops.exchange(aside, place.folder)

    def _remove(self, place: _Place) -> None:
        """Remove in one instant, as others see it, then for good; a link is only unlinked."""
        if place.folder.is_symlink():
            self._ops.unlink(place.folder)
        else:
            aside = _aside(place.store)
            self._ops.rename(place.folder, aside)
            self._ops.sync_dir(place.folder.parent)
            self._ops.remove_tree(aside)
        self._ops.sync_dir(place.folder.parent)

    def _remove_plain(self, folder: Path) -> None:
        for name, entry in subfolders(folder, links=True):
            if entry.is_symlink():
                continue
            if name.endswith(SUFFIX):
                self._remove(_Place(name, Path(entry.path), (), None))
            else:
                self._remove_plain(Path(entry.path))
        if folder != self._root and not os.listdir(folder):
            self._ops.remove_dir(folder)

    # listing

    def _list_plain(self, path: str, folder: Path, *, recursive: bool) -> Iterator[str]:
        for name, entry in subfolders(folder):
            if name != self._config.store_name:
                yield _join(path, name)
                if recursive:
                    yield from self.list(_join(path, name), recursive=True)
                continue
            plate = self._plate(Path(entry.path))
            if plate is not None:
                yield from (_join(path, plane) for plane in plate.names())
                continue
            nodes = [(one, node_of(Path(inner.path))) for one, inner in subfolders(Path(entry.path))]
            yield from (_join(path, one) for one, node in nodes if node is Node.ARRAY)
            if any(node is Node.GROUP for _, node in nodes):
                yield _join(path, name)
                groups = [one for one, node in nodes if node is Node.GROUP] if recursive else []
                for one in groups:
                    yield _join(path, name, one)
                    yield from self.list(_join(path, name, one), recursive=True)

    def _list_group(self, path: str, place: _Place, *, recursive: bool) -> Iterator[str]:
        plate = None if place.inside else self._plate(place.store)
        if plate is not None:
            yield from (_join(path, plane) for plane in plate.names())
            return
        for name, entry in subfolders(place.folder):
            yield _join(path, name)
            if recursive and node_of(Path(entry.path)) is Node.GROUP:
                yield from self.list(_join(path, name), recursive=True)


def _as_array(value: Any) -> np.ndarray[Any, np.dtype[Any]]:
    """Return an array, or something whose parts are arrays: the encoder asks for no more."""
    array: Any = value if isinstance(value, Blocks) else array_of(value)
    if array is not None:
        return array  # type: ignore[no-any-return]
    raise InvalidType(
        f"the zarr backend holds arrays, not {type(value).__name__}; save it with the disk or memory backend",
        backend=NAME,
    )


def _aside(store: Path) -> Path:
    """Return a new name beside a store: whatever happens, no stranger lies in it."""
    return store.with_name(f"{TEMPORARY}{secrets.token_hex(6)}")


def _mark(path: Path) -> int:
    try:
        found = path.stat()
    except OSError:
        return 0
    return hash((found.st_mtime_ns, found.st_size, found.st_ino))


def _join(*parts: str) -> str:
    return "/".join(part for part in parts if part not in ("", "."))


def _not_utf8(path: str) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return True
    return False
