"""File layers for tests: count, record, fail or kill at the Nth change to the file system.

Each stands in for `openhcs.io.fsops.FileOps`. Operations are numbered from 1 in the order in which
they reach the system; a write counts each time bytes are handed over.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections import Counter
from typing import TYPE_CHECKING

from openhcs.io.fsops import FileOps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from openhcs.io.fsops import Result


class TracingOps(FileOps):
    """Keeps the sequence of operations as (operation, path).

    Examples
    --------
    >>> ops = TracingOps()
    >>> ops.make_dirs("/")
    >>> ops.trace
    []
    """

    def __init__(self, *, durable: bool = True) -> None:
        super().__init__(durable=durable)
        self.trace: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    @property
    def counts(self) -> Counter[str]:
        """How often each operation was done."""
        return Counter(operation for operation, _ in self.trace)

    def call(
        self, operation: str, path: str | Path, work: Callable[[], Result], *, source: str | Path | None = None
    ) -> Result:
        """Note the operation and do it."""
        self.note(operation, path)
        return super().call(operation, path, work, source=source)

    def note(self, operation: str, path: str | Path) -> None:
        """Note an operation that is about to be done."""
        with self._lock:
            self.trace.append((operation, str(path)))
            number = len(self.trace)
        self.reached(number)

    def write_some(self, path: str | Path, handle: int, view: memoryview) -> int:
        """Note the write and do it."""
        with self._lock:
            self.trace.append(("write", str(path)))
            number = len(self.trace)
        self.reached(number)
        return self.write_part(number, handle, view)

    def reached(self, number: int) -> None:
        """Do nothing; called before operation ``number``."""

    def write_part(self, number: int, handle: int, view: memoryview) -> int:  # noqa: ARG002 - for layers
        """Write the beginning of ``view``; ``number`` is that of the operation."""
        return os.write(handle, view)


class FailingOps(TracingOps):
    """Fails at operation ``at`` with ``number`` (an errno), and at all later ones if ``forever``."""

    def __init__(self, at: int, number: int = errno.EIO, *, forever: bool = False, durable: bool = True) -> None:
        super().__init__(durable=durable)
        self._at = at
        self._number = number
        self._forever = forever

    def reached(self, number: int) -> None:
        """Fail when it is time."""
        if number == self._at or (self._forever and number > self._at):
            raise OSError(self._number, os.strerror(self._number))


class ShortWriteOps(TracingOps):
    """Takes half the bytes at operation ``at``, if that is a write, and none of the next: the disk is full."""

    def __init__(self, at: int, *, durable: bool = True) -> None:
        super().__init__(durable=durable)
        self._at = at

    def write_part(self, number: int, handle: int, view: memoryview) -> int:
        """Write half, then nothing."""
        if number == self._at:
            return super().write_part(number, handle, view[: max(1, len(view) // 2)])
        return 0 if number == self._at + 1 else super().write_part(number, handle, view)


class KillingOps(TracingOps):
    """Kills this process (SIGKILL) before operation ``at``; a write is cut in half first."""

    def __init__(self, at: int, *, durable: bool = True) -> None:
        super().__init__(durable=durable)
        self._at = at

    def note(self, operation: str, path: str | Path) -> None:
        """Die when it is time."""
        super().note(operation, path)
        if len(self.trace) == self._at:
            os.kill(os.getpid(), signal.SIGKILL)

    def write_part(self, number: int, handle: int, view: memoryview) -> int:
        """Write half and die when it is time."""
        if number == self._at:
            super().write_part(number, handle, view[: len(view) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return super().write_part(number, handle, view)
