"""Exact counts: what is asked of the system while a test looks.

Changes pass a layer of files; opens and listings are told by Python's audit events, which tensorstore's own
reads do not raise: those are counted by the bytes that the kernel handed to this process.
"""

from __future__ import annotations

import os
import sys
import tracemalloc
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from openhcs.io import whole_sync
from openhcs.run import execute
from openhcs.testing.fileops import TracingOps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SYNCS = ("sync", "sync_tree")
counts_reads = pytest.mark.skipif(sys.platform != "linux", reason="the bytes that were read are told by /proc")
_noting: Asked | None = None
"""Who looks now: a hook cannot be taken out again, so it is installed once and asks."""


class CountingOps(TracingOps):
    """Notes every change with its bytes; a sync is noted and not done, so that counting is quick."""

    def __init__(self, *, durable: bool = True) -> None:
        super().__init__(durable=durable)
        self.bytes: Counter[str] = Counter()
        """Bytes that were written by the path they were written to."""

    def call(self, operation: str, path: Any, work: Callable[[], Any], *, source: Any = None) -> Any:
        if operation not in SYNCS:
            return super().call(operation, path, work, source=source)
        self.note(operation, path)
        return True

    def write_some(self, path: Any, handle: int, view: memoryview) -> int:
        taken = super().write_some(path, handle, view)
        self.bytes[str(path)] += taken
        return taken


def table(text: str) -> dict[str, Counter[str]]:
    """Return the counts of a table: its first line names the columns, each other a row, its numbers and where from.

    A dot stands for none.
    """
    first, *rows = text.strip().splitlines()
    columns = first.split()
    found = {}
    for row in rows:
        name, *words = row.split()
        numbers, reason = words[: len(columns)], words[len(columns) :]
        assert reason, f"{name}: say where the numbers come from"
        counts = zip(columns, numbers, strict=True)
        found[name] = Counter({column: int(number) for column, number in counts if number != "."})
    return found


def total(*parts: tuple[int, Mapping[str, int]]) -> Counter[str]:
    """Return the sum of counts, each taken so many times; kinds of which there are none are left out."""
    found: Counter[str] = Counter()
    for times, part in parts:
        found.update({kind: times * number for kind, number in part.items()})
    return Counter({kind: number for kind, number in found.items() if number})


def each(told: Mapping[str, Mapping[str, int]], times: Mapping[str, int]) -> Counter[str]:
    """Return what the rows of a table come to one by one, where each column counts so many times."""
    rows = told.items()
    return Counter({name: sum(times[one] * number for one, number in counts.items()) for name, counts in rows})


def kind_of(path: str) -> str:
    """Return what a file or folder is, seen from where a plate ``P`` is converted to ``out.zarr``.

    Of the plate the end of a name, ``P`` for its folders; of the output ``documents``; of its ledger the name, of what
    lies in a folder of it that of the folder, but ``records`` of those.
    """
    top, _, inside = path.partition("/")
    if top == "P":
        return "P" if inside in {"", "TimePoint_1"} else inside.rpartition(".")[2]
    first, _, more = inside.partition("/")
    return "documents" if top == "out.zarr" else "records" if first == "commits" and more else first


def without_syncs(counts: Mapping[str, int]) -> Counter[str]:
    """Return counts but for those of syncs."""
    return Counter({kind: number for kind, number in counts.items() if kind not in SYNCS})


@contextmanager
def steady(*, whole: bool = True) -> Iterator[None]:
    """Hold still what depends on the clock and on other programs.

    Documents are derived after the first well and at the end; a well is synced in one call if ``whole``, else
    file by file.
    """
    suits = mock.patch.object(whole_sync, "suits", return_value=whole)
    with suits, mock.patch.object(execute, "DERIVE_EVERY_S", 1e9):
        yield


@dataclass(slots=True)
class Asked:
    """Paths below a folder and relative to it, in order: even those that are not there.

    ``opened`` to be read, ``listed`` folders, ``both`` together; ``looked`` at with stat or lstat.
    """

    root: str
    opened: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    both: list[str] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)

    def inside(self, path: object) -> str | None:
        """Return a path relative to the folder; None for one outside, or for what is no path."""
        if not isinstance(path, (str, os.PathLike)):
            return None
        text = os.fspath(path)
        below = isinstance(text, str) and (text == self.root or text.startswith(self.root + os.sep))
        return os.path.relpath(text, self.root) if below else None

    def opened_below(self, folder: str) -> Counter[str]:
        """Return how often each file below a folder was opened."""
        return Counter(path for path in self.opened if path.startswith(f"{folder}/"))


@contextmanager
def asked(root: str | Path) -> Iterator[Asked]:
    """Yield what is asked about files below ``root`` by Python; it is filled while the block runs."""
    global _noting  # noqa: PLW0603 - see there
    with ExitStack() as stack:
        found = Asked(os.fspath(root))
        for name in ("stat", "lstat"):
            stack.enter_context(mock.patch.object(os, name, _looking(getattr(os, name), found)))
        _noting = found
        try:
            yield found
        finally:
            _noting = None


def _looking(real: Callable[..., os.stat_result], found: Asked) -> Callable[..., os.stat_result]:
    def look(path: Any, *args: Any, **named: Any) -> os.stat_result:
        if (inside := found.inside(path)) is not None:
            found.looked.append(inside)
        return real(path, *args, **named)

    return look


def _note(event: str, args: tuple[Any, ...]) -> None:
    if _noting is None or event not in {"open", "os.listdir", "os.scandir"}:
        return
    inside = _noting.inside(args[0])
    if inside is None or (event == "open" and args[2] & os.O_ACCMODE != os.O_RDONLY):
        return
    _noting.both.append(inside)
    (_noting.opened if event == "open" else _noting.listed).append(inside)


sys.addaudithook(_note)


def bytes_read(call: Callable[..., object], *, fresh: Callable[[], object] | None = None) -> int:
    """Return the bytes that all reads of this process bring while ``call`` runs, those of libraries too.

    The least of three runs: the process may hear of others meanwhile. ``fresh`` makes what each run is handed.
    """
    found = []
    for _ in range(3):
        given = () if fresh is None else (fresh(),)
        before, own = _brought()
        call(*given)
        found.append(_brought()[0] - before - own)
    return min(found)


def _brought() -> tuple[int, int]:
    """Return the bytes of all reads so far, as the kernel counts them, and those of this look, counted after it."""
    told = Path("/proc/self/io").read_bytes()
    return int(told.split()[1]), len(told)


@contextmanager
def allocated() -> Iterator[list[int]]:
    """Yield a list that then holds the most bytes that Python and numpy held at once, beyond those before."""
    found: list[int] = []
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        yield found
        found.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
