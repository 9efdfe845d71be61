"""The stored objects of one array, by their names and sizes, and the index of each shard: nothing is decoded."""

from __future__ import annotations

import itertools
import math
import os
import re
import stat
from typing import TYPE_CHECKING

import numpy as np

from openhcs.check.nodes import V2_FILES, join
from openhcs.io.codecs import checksum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openhcs.check.look import Look
    from openhcs.check.nodes import Node
    from openhcs.ngff.rules.arrays import ArrayFacts

ABSENT = 2**64 - 1
CHECKSUM = 4
MOST_TOLD = 20
MOST_GRID = 10_000_000
_KEY = re.compile(r"(?:c[./])?[0-9]+(?:[./][0-9]+)*|c")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


class _Objects:
    """Looks at the objects of one array, and counts."""

    def __init__(self, look: Look, node: Node, facts: ArrayFacts, well: str | None) -> None:
        self._look = look
        self._node = node
        self._facts = facts
        self._well = well
        self._said: dict[str, int] = {}
        self._index = 16 * facts.chunks_per_shard + CHECKSUM * facts.checked if facts.index else 0
        self.places: set[tuple[int, ...]] = set()

    def say(self, code: str, key: str, said: str) -> None:
        number = self._said[code] = self._said.get(code, 0) + 1
        if number <= MOST_TOLD:
            self._look.say(code, join(self._node.path, key), said, well=self._well)
        elif number == MOST_TOLD + 1:
            self._look.say(code, self._node.path, "and more objects of this array", well=self._well)

    def object(self, key: str, entry: os.DirEntry[str]) -> None:
        """Look at one file below the array."""
        place = self._place(key)
        if place is None:
            if _KEY.fullmatch(key):
                self.say("chunk-key", key, "this object is not called as the array's document says")
            return
        if any(at >= size for at, size in zip(place, self._facts.grid, strict=True)):
            self.say("chunk-outside", key, f"this object lies outside the grid of {self._facts.grid} objects")
            return
        self.places.add(place)
        size = self._size(key, entry)
        if size is None:
            return
        if size == 0 and not self._index:
            self.say("chunk-empty", key, "this object has no bytes")
        elif self._index and size < self._index:
            self.say("shard-short", key, f"this shard has {size} bytes, its index alone {self._index}")
        elif self._index:
            self._shard(key, entry, size, place)

    def _size(self, key: str, entry: os.DirEntry[str]) -> int | None:
        """Return the bytes of an object; None, with a finding, where it is no plain file of the store."""
        if entry.is_symlink() and not self._look.nodes.fence.holds(entry.path):
            self.say("path-leads-out", key, "this object is a link that leads out of the store")
            return None
        try:
            told = entry.stat()
        except OSError as error:
            self.say("chunk-unreadable", key, f"this object cannot be looked at: {error.strerror}")
            return None
        if not stat.S_ISREG(told.st_mode):
            self.say("chunk-unreadable", key, "this object is no plain file")
            return None
        return told.st_size

    def _place(self, key: str) -> tuple[int, ...] | None:
        facts = self._facts
        if not facts.shape:
            return () if key == (facts.prefix or "0") else None
        parts = key.split(facts.separator)
        if facts.prefix and parts.pop(0) != facts.prefix:
            return None
        if len(parts) != len(facts.shape) or not all(map(_NUMBER.fullmatch, parts)):
            return None
        return tuple(map(int, parts))

    def _shard(self, key: str, entry: os.DirEntry[str], size: int, place: tuple[int, ...]) -> None:
        start = 0 if self._facts.index == "start" else size - self._index
        try:
            with open(entry.path, "rb", buffering=0) as file:
                file.seek(start)
                data = file.read(self._index)
        except OSError as error:
            self.say("document-unreadable", key, f"the index of the shard cannot be read: {error.strerror}")
            return
        table = data[: 16 * self._facts.chunks_per_shard]
        if self._facts.checked and data[len(table) :] != checksum(table):
            self.say("shard-index", key, "the index of this shard does not agree with its checksum")
            return
        self._entries(key, table, size, place)

    def _entries(self, key: str, table: bytes, size: int, place: tuple[int, ...]) -> None:
        pairs = np.frombuffer(table, "<u8").reshape(-1, 2)
        there = pairs[~(pairs == ABSENT).all(axis=1)]
        first = self._index if self._facts.index == "start" else 0
        last = size if self._facts.index == "start" else size - self._index
        fits = (there[:, 1] <= last) & (there[:, 0] >= first) & (there[:, 0] <= last - np.minimum(there[:, 1], last))
        if not fits.all():
            self.say("shard-entry", key, f"{int((~fits).sum())} entries of the index lead out of the shard")
            return
        if len(there) > 1:
            ordered = there[np.argsort(there[:, 0], kind="stable")]
            clash = int((ordered[1:, 0] < ordered[:-1, 0] + ordered[:-1, 1]).sum())
            if clash:
                self.say("shard-entry", key, f"{clash} entries of the index overlap others")
                return
        inside = self._inside(place)
        if self._facts.complete and len(there) < inside:
            self.say("shard-hole", key, f"{inside - len(there)} of {inside} chunks are absent from this shard")

    def _inside(self, place: tuple[int, ...]) -> int:
        """Return how many chunks of a shard lie in the array."""
        facts = self._facts
        sides = zip(place, facts.sides, facts.inner or facts.sides, facts.shape, strict=True)
        return math.prod(-(-(min((at + 1) * side, size) - at * side) // step) for at, side, step, size in sides)


def check_objects(look: Look, node: Node, facts: ArrayFacts, well: str | None) -> tuple[int, int]:
    """Look at the names and sizes of an array's objects; return how many are stored, and how many are not."""
    objects = _Objects(look, node, facts, well)
    for key, entry in _files(look.nodes.place(node.path), "", len(facts.shape) + 2):
        objects.object(key, entry)
    total = math.prod(facts.grid)
    absent = total - len(objects.places)
    if facts.complete and absent:
        if total <= MOST_GRID:
            _lost(facts, objects)
        else:
            objects.say("chunk-lost", "", f"{absent} objects were written, and are gone")
        absent = 0
    return len(objects.places), absent


def _lost(facts: ArrayFacts, objects: _Objects) -> None:
    """Tell which objects are gone from an array that was written whole."""
    for place in itertools.product(*map(range, facts.grid)):
        if place not in objects.places:
            numbers = [facts.prefix, *map(str, place)] if facts.prefix else list(map(str, place))
            objects.say("chunk-lost", facts.separator.join(numbers) or "0", "this object was written, and is gone")


def _files(folder: str, key: str, depth: int) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield key and entry of each file below an array, but its documents."""
    try:
        entries = os.scandir(folder)
    except OSError:
        return
    folders = []
    with entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif not key and (entry.name in V2_FILES or entry.name == "zarr.json"):
                continue
            else:
                yield f"{key}{entry.name}", entry
    if depth:
        for name in sorted(folders):
            yield from _files(f"{folder}/{name}", f"{key}{name}/", depth - 1)
