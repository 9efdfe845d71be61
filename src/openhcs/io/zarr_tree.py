"""What lies in the folders of a Zarr store: arrays, groups, neither."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.errors import FormatError, InvalidPath, NotFound, from_oserror
from openhcs.io.fsops import TEMPORARY
from openhcs.io.strangers import fence_of, read_plain
from openhcs.io.zarr_document import DOCUMENT_LIMIT, load_json

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIX = ".zarr"
GROUP_FILES = ("zarr.json", ".zattrs", ".zgroup")
ARRAY_FILES = frozenset({"zarr.json", ".zarray"})
LEDGER = ".openhcs"


class Node(Enum):
    """Kinds of folders."""

    ARRAY = "array"
    GROUP = "group"
    NOTHING = "nothing"


def node_of(folder: Path) -> Node:
    """Return what a folder is; one with a document that cannot be read counts as an array, which then says why."""
    if not os.path.isdir(folder):
        return Node.NOTHING
    if os.path.exists(folder / ".zarray"):
        return Node.ARRAY
    path = folder / "zarr.json"
    try:
        fence_of(folder).check(path)
        document = load_json(read_plain(path, limit=DOCUMENT_LIMIT, doing="read the document"), path)
    except NotFound:
        return Node.GROUP
    except (FormatError, InvalidPath):
        return Node.ARRAY
    return Node.ARRAY if document.get("node_type") == "array" else Node.GROUP


def subfolders(folder: Path, *, links: bool = False) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield name and entry of each folder in a folder, without unfinished work and ledgers."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise from_oserror(error, doing="read the folder", path=folder) from error
    for entry in entries:
        if entry.name.startswith(TEMPORARY) or entry.name.endswith(LEDGER):
            continue
        if entry.is_dir() or (links and entry.is_symlink()):
            yield entry.name, entry


def store_usage(folder: Path) -> tuple[int, int]:
    """Return (bytes, arrays) of all Zarr stores below a folder, or of one store."""
    size = items = 0
    for place, _, files in os.walk(folder):
        if folder.suffix != SUFFIX and f"{SUFFIX}{os.sep}" not in f"{place[len(str(folder)) :]}{os.sep}":
            continue
        size += sum(os.path.getsize(os.path.join(place, name)) for name in files)
        items += not ARRAY_FILES.isdisjoint(files) and node_of(Path(place)) is Node.ARRAY
    return size, items
