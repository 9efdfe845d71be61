"""Measure the memory that a task takes, how far this process grows while it runs, and that one call takes.

Linux counts the peak anew for each task (``/proc/self/clear_refs``, ``VmHWM``). Elsewhere only the
highest peak of the process is known (``ru_maxrss``), so a task is measured when it sets a new one.
Pages of program files are left out: they are shared and the system takes them back when it needs to.
Nothing is told of tasks that share a process at the same time, nor in a process that did other things
before: what it keeps for later use hides what a task takes.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import tracemalloc
from dataclasses import dataclass
from typing import Self

_CLEAR, _STATUS = "/proc/self/clear_refs", "/proc/self/status"
_RESET_PEAK = b"5"
_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which ``ru_maxrss`` counts."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What this process holds: bytes now and at most, and bytes of program files among them."""

    now: int
    peak: int
    files: int


_lock = threading.Lock()
_running: set[PeakOfTask] = set()
_idle: _Held | None = None


def settled() -> None:
    """Take note that this process is ready for tasks and does nothing else: what it holds now is none of theirs.

    Memory that a worker keeps from one task for the next then counts for each of them.
    """
    global _idle  # noqa: PLW0603 - one process, one measure
    _idle = _held()


class PeakOfTask:
    """The bytes by which this process grows within a ``with`` block; `bytes` is None when nobody can say."""

    def __init__(self) -> None:
        self._alone = False
        self._exact = False
        self._before: _Held | None = None

    def __enter__(self) -> Self:
        with _lock:
            for other in _running:
                other._alone = False
            self._alone = not _running
            _running.add(self)
        self._exact = self._alone and _reset_peak()
        self._before = _held()
        return self

    def __exit__(self, *_: object) -> None:
        with _lock:
            _running.discard(self)

    @property
    def bytes(self) -> int | None:
        """What the task has taken at most up to now."""
        now, before = _held(), self._before
        if not self._alone or _idle is None or now is None or before is None:
            return None
        if not self._exact and now.peak <= before.peak:
            return None
        base = before if before.now < _idle.now else _idle
        return max(0, now.peak - base.now - max(0, now.files - base.files))


class TracedPeak:
    """The bytes that Python and numpy allocate within a ``with`` block at most, beyond what they had before.

    Memory that a library takes by itself, such as a GPU's, is not seen.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._base = 0
        self._started = False

    def __enter__(self) -> Self:
        self._started = not tracemalloc.is_tracing()
        if self._started:
            tracemalloc.start()
        tracemalloc.reset_peak()
        self._base = tracemalloc.get_traced_memory()[0]
        return self

    def __exit__(self, *_: object) -> None:
        self.bytes = tracemalloc.get_traced_memory()[1] - self._base
        if self._started:
            tracemalloc.stop()


def _reset_peak() -> bool:
    try:
        handle = os.open(_CLEAR, os.O_WRONLY)
    except OSError:
        return False
    try:
        os.write(handle, _RESET_PEAK)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _held() -> _Held | None:
    """Return what this process holds, as near as the system says; None where it says nothing."""
    with contextlib.suppress(OSError, KeyError, ValueError), open(_STATUS, encoding="ascii", errors="replace") as file:
        told = dict(line.split(":", 1) for line in file)
        return _Held(_bytes(told["VmRSS"]), _bytes(told["VmHWM"]), _bytes(told["RssFile"]))
    if os.name == "nt":
        return None
    import resource

    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
    return _Held(highest, highest, 0)


def _bytes(told: str) -> int:
    return int(told.removesuffix("kB\n")) * 1024
