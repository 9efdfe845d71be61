"""A file layer that keeps every change with its bytes, for `openhcs.testing.powercut`."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs.io.fsops import FileOps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from openhcs.io.fsops import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One change that was made, or one sync.

    Attributes
    ----------
    kind
        "create", "write", "mkdir", "rename", "exchange", "link", "unlink", "rmdir", "sync" or "sync_tree".
    path, source
        absolute; ``source`` is the other name of a rename, an exchange or a link.
    data
        bytes appended by a write.
    """

    kind: str
    path: str
    source: str = ""
    data: bytes = b""


class JournalOps(FileOps):
    """Keeps, in ``journal``, what was done, in order; what failed is left out."""

    def __init__(self, *, durable: bool = True) -> None:
        super().__init__(durable=durable)
        self.journal: list[Operation] = []
        self._lock = threading.RLock()

    def call(
        self, operation: str, path: str | Path, work: Callable[[], Result], *, source: str | Path | None = None
    ) -> Result:
        """Do it and note it."""
        with self._lock:
            there = operation == "lock" and os.path.lexists(path)
            result = work()
            if result is not False and not there:
                kind = "create" if operation == "lock" else operation
                self._note(Operation(kind=kind, path=_whole(path), source=_whole(source) if source else ""))
        return result

    def write_some(self, path: str | Path, handle: int, view: memoryview) -> int:
        """Write and note the bytes that were taken."""
        with self._lock:
            written = super().write_some(path, handle, view)
            self._note(Operation(kind="write", path=_whole(path), data=bytes(view[:written])))
        return written

    def _note(self, operation: Operation) -> None:
        self.journal.append(operation)


def _whole(path: str | Path) -> str:
    return os.path.abspath(path)
