"""The life of one worker process: get a job, do tasks until told to stop, never outlive the parent."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from multiprocessing import parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from openhcs.run.cores import share

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

READY = "ready"
PRELOAD = ("openhcs.run.preload",)
FOR_THE_RUN = (signal.SIGINT, signal.SIGTERM)
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_KEEP = 256 * 2**20


def main(connection: Connection[Any, Any], job_bytes: bytes, threads: int, doing: Any) -> None:
    """Serve tasks that come through ``connection`` with the job in ``job_bytes``; ``doing`` tells what it calls.

    The first answer is `READY`; each later one is a `Report` or the error that stopped the task.
    """
    outlive_signals()
    _leave_with_parent()
    share(threads)
    keep_freed_memory()
    import cloudpickle

    from openhcs.run import note
    from openhcs.run.attempt import attempt, configure
    from openhcs.run.memory import settled

    configure(threads)
    note.keep(doing)
    job = cloudpickle.loads(job_bytes)
    settled()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send(READY)
        while (task := connection.recv()) is not None:
            note.write("")
            connection.send(attempt(job, task))


def outlive_signals() -> None:
    """Go on when the whole process group is told to end: the parent was told too and says when it is time.

    A handler, not SIG_IGN, which programs that a step starts would inherit. Until here the signals are held
    back by the one who starts this process.
    """
    for number in FOR_THE_RUN:
        signal.signal(number, _go_on)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FOR_THE_RUN)


def _go_on(_number: int, _frame: object) -> None:
    pass


def _leave_with_parent() -> None:
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="openhcs-parent-watch").start()


def keep_freed_memory() -> None:
    """Ask glibc to keep freed blocks of image size: giving them back and taking them again costs page faults.

    All threads share them, else those that one thread freed could not be used by another.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        import ctypes

        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_MMAP_THRESHOLD, _KEEP)
        libc.mallopt(_TRIM_THRESHOLD, _KEEP)
        libc.mallopt(_ARENA_MAX, 1)
