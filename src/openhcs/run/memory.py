"""Measure the memory that a task takes, how far this process grows while it runs, and that one call takes.

Linux counts the peak anew for each task (``/proc/self/clear_refs``, ``VmHWM``). Elsewhere only the
highest peak of the process is known (``ru_maxrss``), so a task is measured when it sets a new one.
Where tasks share a process at the same time nothing can be told of one.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import tracemalloc
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

_CLEAR, _STATUS = "/proc/self/clear_refs", "/proc/self/status"
_RESET_PEAK = "5"
_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which ``ru_maxrss`` counts."""

_lock = threading.Lock()
_running: set[PeakOfTask] = set()
_idle: int | None = None


def settled() -> None:
    """Take note that this process is ready for tasks: what it holds now is none of theirs.

    Memory that a worker keeps from one task for the next then counts for each of them.
    """
    global _idle  # noqa: PLW0603 - one process, one measure
    _idle = _resident()


class PeakOfTask:
    """The bytes by which this process grows within a ``with`` block; None in `bytes` when nobody can say."""

    def __init__(self) -> None:
        self._alone = False
        self._base: int | None = None
        self._peak_before = 0
        self._exact = False

    def __enter__(self) -> Self:
        with _lock:
            for other in _running:
                other._alone = False
            self._alone = not _running
            _running.add(self)
        now = _resident()
        self._base = now if _idle is None or now is None else min(_idle, now)
        self._exact = self._alone and _reset_peak()
        self._peak_before = _peak() or 0
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with _lock:
            _running.discard(self)

    @property
    def bytes(self) -> int | None:
        """What the task has taken at most up to now."""
        peak = _peak()
        if not self._alone or peak is None or self._base is None:
            return None
        return peak - self._base if self._exact or peak > self._peak_before else None


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

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.bytes = tracemalloc.get_traced_memory()[1] - self._base
        if self._started:
            tracemalloc.stop()


def _reset_peak() -> bool:
    with contextlib.suppress(OSError), open(_CLEAR, "w", encoding="ascii") as file:
        file.write(_RESET_PEAK)
        return True
    return False


def _resident() -> int | None:
    """Return the bytes that this process holds in memory, as near as the system says."""
    told = _status("VmRSS:")
    return _highest() if told is None else told


def _peak() -> int | None:
    """Return the most bytes that this process has held since the last reset, or ever."""
    told = _status("VmHWM:")
    return _highest() if told is None else told


def _status(name: str) -> int | None:
    try:
        with open(_STATUS, encoding="ascii", errors="replace") as file:
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith(name)), None)
    except OSError:
        return None


def _highest() -> int | None:
    if os.name == "nt":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
