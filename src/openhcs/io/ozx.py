"""A whole OME-Zarr store in one file: a ZIP archive named ``.ozx`` (OME-Zarr RFC 9).

Entries are stored without compression, the root's ``zarr.json`` first, the other documents breadth
first, then everything else; sizes are those of ZIP64. The comment names the version. Written in one
pass, the same bytes for the same store; read through the standard library, which compares checksums.
"""

from __future__ import annotations

import json
import os
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from openhcs.core.plate import FileSource
from openhcs.core.wells import natural_key
from openhcs.errors import FormatError, NotFound, StorageError, from_oserror
from openhcs.io.strangers import check_file, open_plain
from openhcs.io.tree import DOCUMENT_LIMIT, PIECE, Entry, Listing, as_name
from openhcs.io.zarr_objects import Object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from openhcs.core.plate import ImageHeader
    from openhcs.io.fsops import FileOps
    from openhcs.io.tree import Tree

SUFFIX = ".ozx"
ROOT = "zarr.json"
MOST_ENTRIES = 10_000_000
_VERSION = 45
_UTF8 = 0x800
_DATE = 0x21
"""The first day that ZIP knows, so that the same store makes the same bytes."""
_MAX32 = 0xFFFFFFFF
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_END = struct.Struct("<4s4H2IH")


def names_in_order(tree: Tree) -> list[str]:
    """Return the paths of all files of a store in the order in which they are packed.

    Raises
    ------
    FormatError
        the store has no ``zarr.json`` at its root: only Zarr v3 is packed.
    """
    names = list(_all_files(tree, ""))
    if ROOT not in names:
        raise FormatError(f"{tree.root} has no {ROOT} at its root: only OME-Zarr 0.5 and later go into one file")
    return sorted(names, key=_order)


def _order(name: str) -> tuple[bool, int, str]:
    document = name == ROOT or name.endswith(f"/{ROOT}")
    return (not document, name.count("/") if document else 0, name)


def _all_files(tree: Tree, path: str) -> Iterator[str]:
    listing = tree.list(path)
    prefix = f"{path}/" if path else ""
    for file in listing.files:
        yield f"{prefix}{file.name}"
    for name in listing.folders:
        yield from _all_files(tree, f"{prefix}{name}")


def pack(tree: Tree, names: Iterable[str], version: str) -> Iterator[bytes]:
    """Yield the bytes of the archive that holds these files of a store.

    A file is read twice where it is larger than one piece: its checksum stands before its bytes.

    Raises
    ------
    StorageError
        a file changed while it was packed.
    """
    offset = 0
    directory: list[bytes] = []
    for name in names:
        crc, size = _sum(tree.pieces(name))
        encoded = name.encode()
        extra = struct.pack("<2H2Q", 1, 16, size, size)
        head = (b"PK\x03\x04", _VERSION, _UTF8, 0, 0, _DATE, crc, _MAX32, _MAX32, len(encoded), len(extra))
        yield _LOCAL.pack(*head) + encoded + extra
        again, number = 0, 0
        for piece in tree.pieces(name):
            again, number = zlib.crc32(piece, again), number + len(piece)
            yield piece
        if (again, number) != (crc, size):
            raise StorageError(f"{name} changed while it was packed; pack the store again when nobody writes to it")
        directory.append(_central(encoded, crc, size, offset))
        offset += _LOCAL.size + len(encoded) + len(extra) + size
    yield from directory
    yield _ending(len(directory), sum(map(len, directory)), offset, version)


def _sum(pieces: Iterable[bytes]) -> tuple[int, int]:
    crc = size = 0
    for piece in pieces:
        crc, size = zlib.crc32(piece, crc), size + len(piece)
    return crc, size


def _central(name: bytes, crc: int, size: int, offset: int) -> bytes:
    extra = struct.pack("<2H3Q", 1, 24, size, size, offset)
    made_by = 3 << 8 | _VERSION
    head = (b"PK\x01\x02", made_by, _VERSION, _UTF8, 0, 0, _DATE, crc, _MAX32, _MAX32, len(name), len(extra))
    return _CENTRAL.pack(*head, 0, 0, 0, 0o100644 << 16, _MAX32) + name + extra


def _ending(count: int, size: int, offset: int, version: str) -> bytes:
    comment = json.dumps({"ome": {"version": version, "zipFile": {"centralDirectory": {"jsonFirst": True}}}}).encode()
    made_by = 3 << 8 | _VERSION
    end64 = _END64.pack(b"PK\x06\x06", _END64.size - 12, made_by, _VERSION, 0, 0, count, count, size, offset)
    locator = _LOCATOR.pack(b"PK\x06\x07", 0, offset + size, 1)
    few = min(count, 0xFFFF)
    end = _END.pack(b"PK\x05\x06", 0, 0, few, few, min(size, _MAX32), min(offset, _MAX32), len(comment))
    return end64 + locator + end + comment


class OzxTree:
    """The store in an archive; satisfies `openhcs.io.tree.Tree`. Safe in many threads at once.

    Raises
    ------
    NotFound, StorageError
        there is no such file, or it cannot be read.
    FormatError
        it is no archive, its root is no Zarr group, or an entry is compressed, encrypted, named twice,
        leads out of the store or overlaps another.
    """

    def __init__(self, path: str | Path) -> None:
        self._root = str(path)
        check_file(self._root)
        try:
            self._zip = zipfile.ZipFile(self._root)
        except OSError as error:
            raise from_oserror(error, doing="read the archive", path=path) from error
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
            raise FormatError(f"{path} is no {SUFFIX} archive: {error}", path=path) from error
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self._folders: dict[str, Listing] = {}
        self._take_in()

    def _take_in(self) -> None:
        infos = [info for info in self._zip.infolist() if not info.is_dir()]
        if len(infos) > MOST_ENTRIES:
            raise FormatError(f"{self._root} holds {len(infos)} files; no more than {MOST_ENTRIES} are read")
        end, whole = 0, os.path.getsize(self._root)
        for info in sorted(infos, key=lambda info: info.header_offset):
            name = as_name(info.filename)
            if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or info.file_size != info.compress_size:
                how = "compressed or encrypted. Unpack the archive into a folder ending in .zarr"
                raise FormatError(f"{self._root}: {name} is {how}.", path=self._root)
            if info.header_offset < 0 or info.header_offset + info.file_size > whole:
                raise FormatError(f"{self._root}: {name} lies outside of the archive; it is cut off", path=self._root)
            if name in self._entries or info.header_offset < end:
                raise FormatError(f"{self._root}: {name} is there twice, or lies in another file", path=self._root)
            end = info.header_offset + info.file_size
            self._entries[name] = info
        if ROOT not in self._entries:
            raise FormatError(f"{self._root} has no {ROOT} at its root: it is no OME-Zarr in one file", path=self._root)
        self._fill_folders()

    def _fill_folders(self) -> None:
        folders: dict[str, set[str]] = {"": set()}
        files: dict[str, list[Entry]] = {"": []}
        for name, info in self._entries.items():
            *parts, last = name.split("/")
            for depth in range(len(parts)):
                above, folder = "/".join(parts[:depth]), "/".join(parts[: depth + 1])
                folders.setdefault(above, set()).add(parts[depth])
                folders.setdefault(folder, set())
            files.setdefault("/".join(parts), []).append(Entry(last, info.file_size, info.CRC))
        for path, inner in folders.items():
            listed = sorted(files.get(path, ()), key=lambda entry: entry.name)
            self._folders[path] = Listing(tuple(sorted(inner)), tuple(listed))

    @property
    def root(self) -> str:
        """The archive's path."""
        return self._root

    @property
    def comment(self) -> dict[str, Any]:
        """What the archive says of itself under ``ome``; empty if nothing that can be read."""
        try:
            told = json.loads(self._zip.comment.rstrip(b"\0") or b"{}")
        except ValueError:
            return {}
        found = told.get("ome") if isinstance(told, dict) else None
        return found if isinstance(found, dict) else {}

    @property
    def names(self) -> tuple[str, ...]:
        """Paths of all files, in the order of the central directory."""
        return tuple(info.filename for info in self._zip.infolist() if not info.is_dir())

    def list(self, path: str = "") -> Listing:
        """Return what lies in a folder of the store."""
        return self._folders.get(path, Listing((), ()))

    def place(self, path: str) -> OzxPlace:
        """Return where the objects of an array lie."""
        return OzxPlace(self, path)

    def find(self, path: str, most: int) -> Object | None:
        """Return where a file's bytes lie in the archive, as `openhcs.io.zarr_objects.Place.find` does."""
        info = self._entries.get(path)
        if info is None:
            return None
        if info.file_size > most:
            raise FormatError(f"{path} has {info.file_size} bytes; such a file has no more than {most}", path=path)
        with open_plain(self._root) as file:
            file.seek(info.header_offset)
            head = file.read(_LOCAL.size)
        if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
            raise FormatError(f"{self._root}: {path} is damaged: its header is gone", path=path)
        name, extra = _LOCAL.unpack(head)[-2:]
        return Object(self._root, info.header_offset + _LOCAL.size + name + extra, info.file_size)

    def read(self, path: str, *, limit: int = DOCUMENT_LIMIT) -> bytes:
        """Return a file's bytes."""
        info = self._entries.get(path)
        if info is None:
            raise NotFound(f"{self._root} holds no {path}", path=f"{self._root}/{path}")
        if info.file_size > limit:
            raise FormatError(f"{path} has {info.file_size} bytes; such a file has no more than {limit}", path=path)
        return b"".join(self.pieces(path))

    def pieces(self, path: str) -> Iterator[bytes]:
        """Yield a file's bytes in order; `FormatError` at the end if they are not those that were packed."""
        info = self._entries.get(path)
        if info is None:
            raise NotFound(f"{self._root} holds no {path}", path=f"{self._root}/{path}")
        try:
            with self._zip.open(info) as file:
                while piece := file.read(PIECE):
                    yield piece
        except OSError as error:
            raise from_oserror(error, doing="read the archive", path=self._root) from error
        except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, struct.error) as error:
            raise FormatError(f"{self._root}: {path} is damaged: {error}", path=path) from error

    def local(self, path: str, scratch: Path, ops: FileOps) -> Path:
        """Unpack what lies at ``path`` below ``scratch`` and return its folder."""
        folder = scratch / path
        for name in self._entries:
            if name.startswith(f"{path}/"):
                target = scratch / name
                ops.make_dirs(target.parent)
                ops.write_new(target, self.pieces(name))
        return folder

    def close(self) -> None:
        """Let go of the archive."""
        self._zip.close()


class OzxPlace:
    """The objects of one array in an archive."""

    def __init__(self, tree: OzxTree, path: str) -> None:
        self._tree = tree
        self._path = path

    @property
    def kvstore(self) -> dict[str, Any]:
        """The array's folder in the archive."""
        base = {"driver": "file", "path": os.path.realpath(self._tree.root)}
        return {"driver": "zip", "base": base, "path": f"{self._path}/"}

    def find(self, key: str, most: int) -> Object | None:
        """Return where an object lies."""
        return self._tree.find(f"{self._path}/{key}", most)


class OzxFiles:
    """An archive as a microscope sees it; satisfies `openhcs.core.plate.Files`."""

    def __init__(self, path: str | Path) -> None:
        self.tree = OzxTree(path)

    @property
    def root(self) -> str:
        """The archive's path."""
        return self.tree.root

    def list(self) -> tuple[FileSource, ...]:
        """Return every file, in natural order."""
        names = sorted(self.tree.names, key=natural_key)
        return tuple(FileSource(name) for name in names)

    def read_bytes(self, path: str, *, limit: int = DOCUMENT_LIMIT) -> bytes:
        """Return a file's bytes."""
        return self.tree.read(path, limit=limit)

    def header(self, path: str) -> ImageHeader:
        """Raise: a store holds no TIFFs."""
        raise FormatError(f"{path} in {self.root} is no TIFF", path=path)
