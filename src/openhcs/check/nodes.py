"""The groups and arrays of one store, read with limits: what lies in a folder, and what its documents say."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from openhcs.core.documents import parse_json
from openhcs.errors import FormatError, InvalidPath, NotFound, OpenHCSError, from_oserror
from openhcs.io.fsops import TEMPORARY
from openhcs.io.strangers import Fence, read_plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Json = Mapping[str, Any]

DOCUMENT_LIMIT = 2**26
MOST_ENTRIES = 200_000
"""Entries of a folder of groups; more are not looked at."""
V2_FILES = frozenset({".zgroup", ".zarray", ".zattrs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One folder of a store.

    Attributes
    ----------
    path
        below the store, "" for the store itself.
    kind
        "group", "array", "folder" (no document), "absent", or "damaged".
    zarr_format
        2, 3, or 0 where no document says.
    document, attributes
        of an array its document; of v2 its ``.zattrs``.
    file
        name of the document that holds the attributes.
    folders
        names of the folders in it.
    said
        what is wrong with a damaged one.
    both
        whether documents of both Zarr versions are there.
    """

    path: str
    kind: str
    zarr_format: int = 0
    document: Json = field(default_factory=dict)
    attributes: Json = field(default_factory=dict)
    file: str = ""
    folders: frozenset[str] = frozenset()
    said: str = ""
    both: bool = False

    @property
    def shown(self) -> str:
        """The path of its document below the store."""
        return join(self.path, self.file)


class Nodes:
    """Reads the folders of the store at ``top``."""

    def __init__(self, top: Path) -> None:
        self.top = str(top)
        self.fence = Fence(top)
        self.kinds: dict[str, str] = {}
        """What each folder that was read is, by path."""

    def place(self, path: str) -> str:
        """Return where a path of the store lies on disk."""
        return f"{self.top}/{path}" if path else self.top

    def read(self, path: str) -> Node:
        """Return what a folder of the store is; damage and links that lead out are told, never raised."""
        node = self._read(path)
        self.kinds[path] = node.kind
        return node

    def _read(self, path: str) -> Node:
        folder = self.place(path)
        try:
            self.fence.check(f"{folder}/zarr.json")
            files, folders = _names(folder)
        except NotFound:
            return Node(path=path, kind="absent")
        except OpenHCSError as error:
            return Node(path=path, kind="outside" if isinstance(error, InvalidPath) else "damaged", said=error.message)
        both = "zarr.json" in files and not V2_FILES.isdisjoint(files)
        version = 3 if "zarr.json" in files else 2
        name = "zarr.json" if version == 3 else ".zattrs"
        known: dict[str, Any] = {"path": path, "file": name, "folders": frozenset(folders), "both": both}
        if files.isdisjoint({"zarr.json", *V2_FILES}):
            return Node(kind="folder", **known)
        try:
            return self._parsed(folder, files, version, known)
        except OpenHCSError as error:
            outside = isinstance(error, InvalidPath)
            return Node(kind="outside" if outside else "damaged", said=error.message, zarr_format=version, **known)

    def _parsed(self, folder: str, files: frozenset[str], version: int, known: dict[str, Any]) -> Node:
        if version == 3:
            document = self.json(f"{folder}/zarr.json")
            kind = document.get("node_type")
            if document.get("zarr_format") != 3 or kind not in ("group", "array"):
                told = f"zarr_format is {document.get('zarr_format')!r:.40}, node_type {kind!r:.40}"
                raise FormatError(f"{told}; they are 3, and group or array")
            attributes = document.get("attributes", {})
            if not isinstance(attributes, dict):
                raise FormatError(f"attributes are {attributes!r:.40}, not an object")
            return Node(kind=kind, zarr_format=3, document=document, attributes=attributes, **known)
        attributes = self.json(f"{folder}/.zattrs") if ".zattrs" in files else {}
        name = ".zarray" if ".zarray" in files else ".zgroup"
        if name not in files:
            return Node(kind="folder", attributes=attributes, zarr_format=2, **known)
        document = self.json(f"{folder}/{name}")
        if document.get("zarr_format") != 2:
            raise FormatError(f"zarr_format in {name} is {document.get('zarr_format')!r:.40}, not 2")
        kind = "array" if name == ".zarray" else "group"
        return Node(kind=kind, zarr_format=2, document=document, attributes=attributes, **known)

    def json(self, path: str) -> Json:
        """Return the object in a document.

        Raises
        ------
        OpenHCSError
            it is none, or too large, or not inside the store.
        """
        self.fence.check(path)
        found = parse_json(read_plain(path, limit=DOCUMENT_LIMIT, doing="read the document"), path)
        if not isinstance(found, dict):
            raise FormatError(f"the document is a {type(found).__name__}, not an object", path=path)
        return found


def join(*parts: str) -> str:
    """Return one path of several, empty ones left out."""
    return "/".join(part for part in parts if part)


def _names(folder: str) -> tuple[frozenset[str], set[str]]:
    """Return (names of files that may be documents, names of folders) in a folder."""
    files: set[str] = set()
    folders: set[str] = set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name == "zarr.json" or name in V2_FILES:
                    files.add(name)
                elif len(folders) < MOST_ENTRIES and not name.startswith((".", TEMPORARY)) and entry.is_dir():
                    folders.add(name)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"nothing is at {folder}", path=folder) from error
    except OSError as error:
        raise from_oserror(error, doing="read the folder", path=folder) from error
    return frozenset(files), folders
