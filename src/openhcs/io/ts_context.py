"""One tensorstore context and one pool of threads for each process.

The settings keep memory flat: no cache, and as many threads as the process was given. Neither
survives a fork after its first use, so a forked child is refused in words instead of aborted.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openhcs.errors import InvalidValue, OpenHCSError

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_THREADS = 4


@dataclass(slots=True)
class _State:
    """What this process has made so far."""

    threads: int
    context: Any = None
    pool: ThreadPoolExecutor | None = None
    owner: int = 0


_lock = threading.Lock()
_state = _State(threads=min(4, os.cpu_count() or 1))


def configure(threads: int) -> None:
    """Set how many threads encode and decode chunks in this process.

    What was opened before keeps its setting.
    """
    if threads < 1:
        raise InvalidValue(f"threads for arrays must be at least 1, not {threads}")
    with _lock:
        if threads != _state.threads:
            _state.threads, _state.context, old, _state.pool = threads, None, _state.pool, None
            if old is not None and _state.owner == os.getpid():
                old.shutdown(wait=False)


@contextmanager
def configured(threads: int) -> Iterator[None]:
    """Use so many threads for a while, and then as many as before."""
    before = _state.threads
    configure(threads)
    try:
        yield
    finally:
        configure(before)


def threads() -> int:
    """Return how many threads encode and decode chunks."""
    return _state.threads


def context() -> Any:
    """Return the process's tensorstore context, made at the first call."""
    with _lock:
        _own()
        if _state.context is None:
            import tensorstore as ts

            _state.context = ts.Context(
                {
                    "cache_pool": {"total_bytes_limit": 0},
                    "data_copy_concurrency": {"limit": _state.threads},
                    "file_io_concurrency": {"limit": FILE_THREADS},
                }
            )
        return _state.context


def pool() -> ThreadPoolExecutor:
    """Return the process's threads for chunks; they are joined when the process ends."""
    with _lock:
        _own()
        if _state.pool is None:
            _state.pool = ThreadPoolExecutor(_state.threads, thread_name_prefix="openhcs-chunks")
        return _state.pool


def _own() -> None:
    if _state.context is None and _state.pool is None:
        _state.owner = os.getpid()
    elif _state.owner != os.getpid():
        raise OpenHCSError(
            "this process was forked from one that had read or written Zarr arrays, which the libraries "
            "below do not survive. Start processes with the 'spawn' or 'forkserver' method."
        )
