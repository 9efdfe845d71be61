"""Pages and tags of TIFFs as most microscopes write them, parsed without tifffile.

Every reach is held against the file's size. What is not as the specification (TIFF 6.0, BigTIFF) has it is
`Unusual`, never guessed. Where the pages of the last few files lie is kept, since only their chain tells it.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import threading
import time
from array import array
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.errors import FormatError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TypeAlias

    Array = np.ndarray[Any, np.dtype[Any]]
    Tag: TypeAlias = tuple[int, int, bytes]
    Tags: TypeAlias = dict[int, Tag]
    Offsets: TypeAlias = "array[int]"
    Key: TypeAlias = tuple[str, int, int, int]

DESCRIPTION, SOFTWARE = 270, 305
STRANGE = frozenset(
    {*range(322, 326), 338, 347, *range(512, 522), 530, 32997, 32998, *range(33628, 33632), 34412, 42113, 65420}
)
"""Tiles, kinds of pixels, old JPEG, depth; what MetaMorph, LSM and NDPI have beside pages; what stands for no data."""
SIZES = {3: 2, 4: 4, 16: 8}
"""Bytes of SHORT, LONG and LONG8."""
ASCII = 2
UNSAID_FLOATS = "IndicaLabs"
"""Software whose pixels of 32 bits are floats without a word."""
WINDOW = 4096
"""Bytes read at once: header and tags of most files."""
MOST_TAGS = 4096
TURNS_SEEN = 100
"""Pages within which tifffile finds that a chain leads back."""
SETTLED_NS = 3 * 10**9
"""A file younger than this may change unseen by its times, so its pages are not kept."""
KEPT_FILES = 16
_kept: OrderedDict[Key, tuple[_Kind, Offsets]] = OrderedDict()
_lock = threading.Lock()


class Unusual(Exception):
    """Tifffile reads it, or tells what is wrong."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """How numbers lie: byte order, bytes of a count of tags and of an offset, a tag."""

    order: str
    count: int
    offset: int
    tag: struct.Struct

    def number(self, raw: bytes) -> int:
        return int.from_bytes(raw, "little" if self.order == "<" else "big")


KINDS = {
    mark: _Kind(mark_order, count, offset, struct.Struct(f"{mark_order}HH{form}{offset}s"))
    for mark, mark_order, count, offset, form in (
        (b"II*\0", "<", 2, 4, "I"), (b"MM\0*", ">", 2, 4, "I"), (b"II+\0", "<", 8, 8, "Q"), (b"MM\0+", ">", 8, 8, "Q")
    )
}  # fmt: skip


class Tiff:
    """A TIFF that is open, or its bytes.

    Raises
    ------
    Unusual
        so do all methods.
    FormatError
        the pages lead in a circle, which tifffile would follow for good.
    """

    def __init__(self, file: io.FileIO | io.BytesIO, path: str | Path) -> None:
        self._file = file
        self._path = os.fspath(path)
        self._start, self._window = 0, b""
        key = None
        if isinstance(file, io.BytesIO):
            self.size = file.seek(0, os.SEEK_END)
        else:
            told = os.fstat(file.fileno())
            self.size = told.st_size
            key = (self._path, told.st_ino, told.st_size, told.st_mtime_ns)
        kept = _kept.get(key) if key else None
        if kept:
            self._kind, self._offsets = kept
            return
        self._kind, first = self._begin()
        self._offsets = self._chain(first)
        if self.pages > 1:
            self._check_first()
            if key and time.time_ns() - key[3] > SETTLED_NS:
                _keep(key, self._kind, self._offsets)

    @property
    def order(self) -> str:
        """Byte order, as numpy writes it."""
        return self._kind.order

    @property
    def pages(self) -> int:
        """How many pages the chain has."""
        return len(self._offsets)

    def tags(self, page: int) -> Tags:
        """Return a page's tags: type, count, and their bytes or where those lie."""
        offset = self._offsets[page]
        start, end = offset + self._kind.count, self._end_of_tags(offset)
        found = list(self._kind.tag.iter_unpack(self._at(start, end - start)))
        tags = {code: (kind, count, raw) for code, kind, count, raw in found}
        if len(tags) < len(found) or not STRANGE.isdisjoint(tags):
            raise Unusual
        return tags

    def number(self, tags: Tags, code: int, default: int | None = None) -> int:
        """Return a tag's one number."""
        if code not in tags and default is not None:
            return default
        kind, count, raw = tags[code]
        if count != 1 or SIZES[kind] > len(raw):
            raise Unusual
        return self._kind.number(raw[: SIZES[kind]])

    def numbers(self, tags: Tags, code: int, wanted: int) -> Array:
        """Return a tag's numbers, of which there are as many as wanted."""
        kind, count, raw = tags[code]
        if count != wanted:
            raise Unusual
        size = SIZES[kind]
        return np.frombuffer(self._value(count * size, raw), f"{self.order}u{size}").astype(np.int64)

    def text(self, tags: Tags, code: int) -> str:
        """Return a tag's text as tifffile decodes it; one that is not there, or cannot be decoded, is empty."""
        if code not in tags:
            return ""
        kind, count, raw = tags[code]
        if kind != ASCII:
            raise Unusual
        raw = self._value(count, raw).rstrip(b"\0")
        if b"\0" in raw:
            raise Unusual
        for encoding in ("utf-8", "cp1252"):
            with contextlib.suppress(UnicodeDecodeError):
                return raw.decode(encoding).strip()
        return ""

    def read(self, offset: int, count: int) -> bytes:
        """Return bytes of the file, of which the caller has seen that they are there."""
        if count < 0:
            raise Unusual
        self._file.seek(offset)
        return self._file.read(count) or b""

    def fill(self, offset: int, view: memoryview) -> None:
        """Read bytes of the file into place."""
        self._file.seek(offset)
        while view:
            done = self._file.readinto(view)
            if not done:
                raise Unusual
            view = view[done:]

    def _begin(self) -> tuple[_Kind, int]:
        kind = KINDS.get(self._at(0, 4))
        if kind is None or self._path.lower().endswith(".ndpi"):
            raise Unusual
        if kind.offset == 8 and self._at(4, 4) != struct.pack(f"{kind.order}HH", 8, 0):
            raise Unusual
        return kind, kind.number(self._at(kind.offset, kind.offset))

    def _chain(self, first: int) -> Offsets:
        """Return where each page's tags lie; a circle is found as Brent does (1980), at no memory."""
        offsets = array("Q")
        offset, mark, turn = first, 0, 1
        while offset:
            if offset < 8:
                raise Unusual
            offsets.append(offset)
            if offset == mark:
                self._refuse_circle(offsets)
            if len(offsets) == turn:
                mark, turn = offset, turn * 2
            offset = self._kind.number(self._at(self._end_of_tags(offset), self._kind.offset))
        return offsets

    def _end_of_tags(self, offset: int) -> int:
        count = self._kind.number(self._at(offset, self._kind.count))
        if not 0 < count <= MOST_TAGS:
            raise Unusual
        return offset + self._kind.count + count * self._kind.tag.size

    def _refuse_circle(self, offsets: Offsets) -> None:
        if len(set(offsets[:TURNS_SEEN])) < min(TURNS_SEEN, len(offsets)):
            raise Unusual
        raise FormatError(f"{self._path} is damaged: its pages lead in a circle", path=self._path)

    def _check_first(self) -> None:
        """See that the first page is none whose software makes tifffile guess the others."""
        tags = self.tags(0)
        said, software = self.text(tags, DESCRIPTION), self.text(tags, SOFTWARE)
        if software.startswith(("SI.", UNSAID_FLOATS)) or said.startswith("state.") or "scanimage.SI" in said[-256:]:
            raise Unusual

    def _value(self, size: int, raw: bytes) -> bytes:
        """Return a tag's bytes, which lie in the tag itself where they are few."""
        return raw[:size] if size <= len(raw) else self._at(self._kind.number(raw), size)

    def _at(self, offset: int, count: int) -> bytes:
        begin = offset - self._start
        if begin < 0 or begin + count > len(self._window):
            self._window = self.read(offset, min(max(count, WINDOW), self.size - offset))
            self._start, begin = offset, 0
        found = self._window[begin : begin + count]
        if len(found) != count:
            raise Unusual
        return found


def _keep(key: Key, kind: _Kind, offsets: Offsets) -> None:
    with _lock:
        _kept[key] = kind, offsets
        if len(_kept) > KEPT_FILES:
            _kept.popitem(last=False)
