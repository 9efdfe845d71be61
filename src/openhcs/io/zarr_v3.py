"""Reading Zarr v3 arrays through tensorstore.

Opened with the document at hand, so that opening touches no disk. An absent object is an error
unless the array may leave out chunks of zeros.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from openhcs.errors import FormatError, from_oserror
from openhcs.io import ts_context
from openhcs.io.zarr_objects import FolderPlace, Objects
from openhcs.io.zarr_spec import RESTORE, chunk_words

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from openhcs.core.arrays import ArraySpec
    from openhcs.errors import OpenHCSError
    from openhcs.io.zarr_document import ArrayDocument
    from openhcs.io.zarr_objects import Place

    Array = np.ndarray[Any, np.dtype[Any]]

_OBJECT = re.compile(r'local file "((?:[^"\\]|\\.)*)"')
_ARCHIVED = re.compile(r' in "((?:[^"\\]|\\.)*)" in local file')
_ENTRY = re.compile(r"shard entry \{([\d, ]*)\}/\{([\d, ]*)\}")
_OS_ERROR = re.compile(r"os_error_code='(\d+)'")


class Reader:
    """The pixels of one v3 array."""

    def __init__(self, folder: Path, document: ArrayDocument, *, fill: bool, place: Place | None = None) -> None:
        import tensorstore as ts

        self._folder = folder
        self._spec = document.spec
        place = FolderPlace(folder) if place is None else place
        self._objects = Objects(place, document)
        spec = {
            "driver": "zarr3",
            "kvstore": place.kvstore,
            "metadata": document.metadata,
            "open": True,
            "assume_metadata": True,
            "fill_missing_data_reads": fill,
        }
        try:
            self._store = ts.open(spec, context=ts_context.context()).result()
        except ValueError as error:
            raise mapped(error, folder) from error
        except (OverflowError, RuntimeError) as error:
            # Numbers beyond 64 bits, or a path that is not UTF-8.
            raise FormatError(f"{folder}: the array cannot be opened: {str(error)[:80]}", path=folder) from error

    def read_into(self, parts: tuple[int | slice, ...], out: Array) -> None:
        """Decode a resolved region into ``out``, of the region's shape and writable."""
        import tensorstore as ts

        # A forked child must be refused before it touches what its parent opened.
        context = ts_context.context()
        self._objects.check(parts)
        view = self._store[parts] if parts else self._store
        try:
            if out.ndim and out.dtype.isnative:
                ts.array(out, context=context).write(view[ts.d[:].translate_to[0]]).result()
            else:
                out[...] = view.read().result()
        except ValueError as error:
            raise mapped(error, self._folder, self._spec) from error


def mapped(error: ValueError, folder: Path, spec: ArraySpec | None = None) -> OpenHCSError:
    """Return our error for one of tensorstore's: nearly all of them are ValueError."""
    text = str(error)
    key = _key(text, folder)
    path = folder / key
    if (found := _OS_ERROR.search(text)) is not None:
        number = int(found[1])
        return from_oserror(OSError(number, os.strerror(number)), doing="read the array", path=path)
    if spec is None or not key:
        first = text.split(" [", maxsplit=1)[0]
        return FormatError(f"{folder}: the array cannot be read by its document: {first}", path=folder)
    return FormatError(f"{folder}: {_told(text, path, key, spec)}. {RESTORE}.", path=path)


def _key(text: str, folder: Path) -> str:
    """Return the path of the object that a message is about, relative to its array; empty if there is none."""
    archived = _ARCHIVED.search(text)
    if archived is not None:
        parts = archived[1].split("/")
        inner = [n for n in range(len(parts)) if folder.as_posix().endswith("/" + "/".join(parts[:n]))]
        return "/".join(parts[max(inner, default=0) :])
    found = _OBJECT.search(text)
    if found is None:
        return ""
    above = folder.resolve().as_posix().count("/") + 1
    return "/".join(found[1].split("/")[above:])


def _told(text: str, path: Path, key: str, spec: ArraySpec) -> str:
    if "shard index" in text or "shard has size" in text:
        return f"the index at the end of the shard {key} is damaged, or the file is cut off"
    place = tuple(int(number) for number in re.findall(r"\d+", key))
    entries = _ENTRY.findall(text)
    if len(entries) == 1:
        inside, grid = ([int(number) for number in part.split(",") if number.strip()] for part in entries[0])
        place = tuple(at * count + one for at, count, one in zip(place, grid, inside, strict=False))
    chunk = f"{chunk_words(spec, place)} in {key}" if len(entries) < 2 else f"a chunk in {key}"
    if text.startswith("NOT_FOUND"):
        return f"{chunk} is missing" if path.exists() else f"{chunk} is missing, with the whole file"
    return f"{chunk} is damaged: {'its checksum differs' if 'Digest mismatch' in text else 'it cannot be decoded'}"
