"""Documents of a Zarr store, read as small files: attributes of groups, shape and dtype of arrays."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from posixpath import normpath
from typing import TYPE_CHECKING, Any

from openhcs.core.documents import parse_json
from openhcs.errors import FormatError, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openhcs.core.plate import Files

DOCUMENT_LIMIT = 64 * 2**20
_V2_DTYPE = re.compile(r"[<>|=](?P<kind>[biufc])(?P<bytes>[0-9]{1,2})")
_KINDS = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex"}


@dataclass(frozen=True, slots=True)
class _Version:
    """Names of a group's and an array's document, and the key of an array's data type."""

    group: str
    array: str
    dtype: str


_V3 = _Version("zarr.json", "zarr.json", "data_type")
_V2 = _Version(".zattrs", ".zarray", "dtype")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayFacts:
    """What an array's document says: shape, dtype as numpy names it."""

    shape: tuple[int, ...]
    dtype: str


class Store:
    """The documents of one store, at ``prefix`` below a folder; `None` where there is none.

    Whichever version of Zarr the first document found is of is asked for first from then on.
    """

    def __init__(self, files: Files, prefix: str = "") -> None:
        self._files = files
        self._prefix = f"{prefix}/" if prefix else ""
        self._versions: tuple[_Version, ...] = (_V3, _V2)
        self._sure = False

    @property
    def document(self) -> str:
        """The name of the document of a group."""
        return self._versions[0].group

    def attributes(self, group: str = "") -> dict[str, Any] | None:
        """Return the attributes of a group, whichever version of Zarr it is.

        Raises
        ------
        FormatError
            the document is no JSON object.
        """
        for version in self._versions:
            told = self._json(join(group, version.group))
            if told is None:
                continue
            if not self._sure:
                self._versions, self._sure = (version, _V2 if version is _V3 else _V3), True
            if version is _V2:
                return told
            found = told.get("attributes", {})
            return found if told.get("node_type") == "group" and isinstance(found, dict) else None
        return None

    def array(self, path: str) -> ArrayFacts | None:
        """Return what an array's document says.

        Raises
        ------
        FormatError
            the document is damaged or is of a group.
        """
        for version in self._versions:
            told = self._json(join(path, version.array))
            if told is None:
                continue
            with placed(join(path, version.array)):
                shape, dtype = told.get("shape"), told.get(version.dtype)
                if not isinstance(shape, list) or not all(isinstance(n, int) and n >= 0 for n in shape):
                    raise FormatError(f"no array is described: shape is {shape!r:.80}")
                return ArrayFacts(shape=tuple(shape), dtype=_numpy_name(dtype))
        return None

    def _json(self, path: str) -> dict[str, Any] | None:
        try:
            data = self._files.read_bytes(self._prefix + path, limit=DOCUMENT_LIMIT)
        except NotFound:
            return None
        told = parse_json(data, self._prefix + path)
        if not isinstance(told, dict):
            raise FormatError(f"{self._prefix}{path} holds a {type(told).__name__}, not a JSON object", path=path)
        return told


@contextmanager
def placed(path: str) -> Iterator[None]:
    """Name the document in errors that do not know where they came from."""
    try:
        yield
    except FormatError as error:
        if error.path is not None:
            raise
        raise FormatError(f"{path}: {error}", path=path) from None


def join(*parts: str) -> str:
    """Return one path of several, empty ones left out."""
    return "/".join(part for part in parts if part)


def inside(folder: str, path: str) -> str:
    """Return ``path`` below ``folder``.

    Raises
    ------
    FormatError
        it leaves the folder.
    """
    inner = normpath(path) if path else "."
    if inner.startswith("/") or inner.split("/")[0] == "..":
        raise FormatError(f"{folder or 'the store'}: the path {path!r} leads out of it", path=folder)
    return join(folder, "" if inner == "." else inner)


def _numpy_name(dtype: Any) -> str:
    """Return numpy's name of a data type of Zarr v2 or v3."""
    match = _V2_DTYPE.fullmatch(dtype) if isinstance(dtype, str) else None
    if match is not None:
        bits = int(match["bytes"]) * 8
        return "bool" if match["kind"] == "b" else f"{_KINDS[match['kind']]}{bits}"
    if not isinstance(dtype, str):
        raise FormatError(f"an array of data type {dtype!r:.80} is not read")
    return dtype
