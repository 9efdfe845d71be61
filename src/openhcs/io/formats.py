"""File formats of the disk backend, by suffix.

A format says whether it can hold a value exactly, turns it into bytes, and reads a file back. What
it cannot hold exactly it refuses: nothing is cast, rounded or pickled. Whatever is wrong with a
file is a `FormatError` that names it, and sizes are held against the file before memory is taken.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import xxhash

from openhcs.errors import (
    FormatError,
    InvalidType,
    InvalidValue,
    OpenHCSError,
    OutOfBudget,
    UnknownName,
    from_oserror,
    suggest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    Buffer = bytes | bytearray | memoryview

NAME = "disk"
NO_SUFFIX = ""
ZARR = ".zarr"
TYPES = ".types"
"""Ending of the hidden file beside a table."""
CERTAIN_ROOM = 64 * 2**20
TEXT_LIMIT = 256 * 2**20
"""Bytes of the largest text document (JSON, CSV) that is read."""
_TABLE = {
    ".tif": "image:TIFF",
    ".tiff": "image:TIFF",
    ".npy": "array:NPY",
    ".npz": "array:NPZ",
    ".png": "image:PNG",
    ".json": "text:JSON",
    ".csv": "table:CSV",
    ".parquet": "table:PARQUET",
    ".txt": "text:TXT",
    ".bin": "text:BIN",
    NO_SUFFIX: "array:NPY",
}
SUFFIXES = tuple(suffix for suffix in _TABLE if suffix)
"""Suffixes the disk backend knows, in small letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One kind of file.

    ``can_hold`` gives None, or the reason why a value would not come back as it was. ``encode`` takes
    a value it can hold. ``beside`` gives what of a value has no place in the file and is kept in a
    file beside it (`types_file`), None where nothing has to be.
    """

    name: str
    can_hold: Callable[[Any], str | None]
    encode: Callable[[Any], Buffer | Iterable[Buffer]]
    decode: Callable[[Path], Any]
    beside: Callable[[Any], bytes | None] | None = None


def suffix_of(path: str | Path) -> str:
    """Return the suffix that decides the format, in small letters; empty if there is none."""
    return os.path.splitext(os.path.basename(path))[1].lower()


def format_of(path: str | Path) -> Format:
    """Return the format of a path.

    Raises
    ------
    UnknownName
        nobody knows the suffix.
    InvalidType
        the suffix belongs to another backend.

    Examples
    --------
    >>> format_of("plate/A01.tif").name
    'TIFF'
    """
    suffix = suffix_of(path)
    if suffix == ZARR:
        raise InvalidType(f"{path}: Zarr stores belong to the 'zarr' backend, not to 'disk'", path=path, backend=NAME)
    if suffix not in _TABLE:
        raise UnknownName(
            f"{path}: the disk backend knows no suffix {suffix!r}; {suggest(suffix, SUFFIXES)}", path=path, backend=NAME
        )
    return _format(suffix)


def format_for(path: str | Path, value: Any) -> Format:
    """Return the format of a path after it agreed to hold ``value`` exactly.

    Raises
    ------
    InvalidType
        it cannot; the message says why and which suffix can.
    UnknownName
        nobody knows the suffix.
    """
    found = format_of(path)
    why = found.can_hold(value)
    if why is None:
        return found
    shown = suffix_of(path) or "a name without suffix"
    raise InvalidType(f"{path}: {shown} cannot hold this: {why}{_remedy(value)}", path=path, backend=NAME)


def _remedy(value: Any) -> str:
    able = [one for one in SUFFIXES if _agrees(one, value)]
    if able:
        return f". Use {' or '.join(able)}"
    return ". No suffix on disk can; keep it on the memory backend, or convert it"


def _agrees(suffix: str, value: Any) -> bool:
    try:
        return _format(suffix).can_hold(value) is None
    except InvalidValue:
        return False


@functools.cache
def _format(suffix: str) -> Format:
    module, _, name = _TABLE[suffix].partition(":")
    found = getattr(importlib.import_module(f"openhcs.io.formats_{module}"), name)
    assert isinstance(found, Format)
    return found


@contextlib.contextmanager
def reading(path: Path, kind: str, broken: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turn what a library raises while it reads ``path`` into our errors."""
    try:
        yield
    except OpenHCSError as error:
        error.backend = error.backend or NAME
        raise
    except broken as error:
        raise FormatError(f"{path} is damaged or no {kind}: {error}", path=path, backend=NAME) from error
    except OSError as error:
        raise from_oserror(error, doing="read the file", path=path, backend=NAME) from error


def check_room(size: int, path: Path) -> None:
    """Raise `OutOfBudget` if ``size`` bytes are more than this machine allows."""
    if size <= CERTAIN_ROOM:
        return
    from openhcs.io.limits import memory_limit

    if size > memory_limit():
        raise OutOfBudget(f"{path}: its {size} bytes are more than this machine allows", path=path, backend=NAME)


def check_expansion(decoded: int, stored: int, ratio: int, path: Path) -> None:
    """Raise `FormatError` if ``stored`` bytes cannot become ``decoded`` ones at ``ratio``, the codec's best."""
    if decoded > stored * ratio + 4096:
        raise FormatError(
            f"{path} is damaged: {stored} stored bytes are said to hold {decoded}", path=path, backend=NAME
        )
    check_room(decoded, path)


def read_text_bytes(path: Path, kind: str) -> bytes:
    """Return the bytes of a text document within `TEXT_LIMIT`."""
    with reading(path, kind, ()), open(path, "rb") as file:
        data = file.read(TEXT_LIMIT + 1)
    if len(data) > TEXT_LIMIT:
        raise FormatError(f"{path} is larger than {TEXT_LIMIT} bytes, the most of a {kind}", path=path, backend=NAME)
    return data


def types_file(path: Path, data: bytes) -> Path:
    """Return where the types of a table of these bytes are kept."""
    return path.with_name(f".{path.name}.{xxhash.xxh3_64_hexdigest(data)}{TYPES}")


def types_files(path: Path) -> list[Path]:
    """Return the files of types beside a table, of whatever bytes."""
    pattern = re.compile(re.escape(f".{path.name}.") + "[0-9a-f]{16}" + re.escape(TYPES))
    if not path.parent.is_dir():
        return []
    return [one for one in path.parent.iterdir() if pattern.fullmatch(one.name)]
