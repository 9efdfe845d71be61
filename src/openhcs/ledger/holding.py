"""Who works on an output: the locks of its ledger, and the names of those who hold them.

Every run of one plan holds the output shared, preparing and closing hold it alone. The lock files
are never removed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openhcs.errors import OpenHCSError, OutputBusy
from openhcs.io import locks
from openhcs.io.fsops import is_temporary
from openhcs.ledger.commit import listing
from openhcs.ledger.staging import OWNER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openhcs.io.fsops import FileOps
    from openhcs.io.locks import Lock

DOCUMENTS_WAIT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """The locks of the ledger in ``folder``, for the output it belongs to."""

    output: Path
    folder: Path
    ops: FileOps

    def try_shared(self, *, wait_s: float = 0.0) -> Lock | None:
        """Return the output's lock, held with others; None if somebody holds it alone."""
        return locks.take(self.folder / "lock", self.ops, exclusive=False, wait_s=wait_s)

    def try_alone(self, *, wait_s: float = 0.0) -> Lock | None:
        """Return the output's lock, held alone; None if somebody else holds it."""
        return locks.take(self.folder / "lock", self.ops, exclusive=True, wait_s=wait_s)

    def shared(self, *, wait_s: float) -> Lock:
        """Return the output's lock, held with others, or raise `OutputBusy`."""
        return self._or_busy(self.try_shared(wait_s=wait_s))

    def alone(self, *, wait_s: float) -> Lock:
        """Return the output's lock, held alone, or raise `OutputBusy`."""
        return self._or_busy(self.try_alone(wait_s=wait_s))

    def documents(self) -> Lock:
        """Return the lock of those who write derived documents."""
        path = self.folder / "documents.lock"
        return self._or_busy(locks.take(path, self.ops, exclusive=True, wait_s=DOCUMENTS_WAIT_S))

    def settling(self) -> Lock:
        """Return the lock of those who settle what a dead process left: one at a time."""
        return self._or_busy(locks.take(self.folder / "settle.lock", self.ops, exclusive=True, wait_s=DOCUMENTS_WAIT_S))

    @contextlib.contextmanager
    def signed(self) -> Iterator[None]:
        """Leave this process's name in the ledger for whoever is refused."""
        path = self.folder / "holders" / f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        with locks.claim(path, self.ops, doing="running"):
            try:
                yield
            finally:
                with contextlib.suppress(OpenHCSError):
                    self.ops.unlink(path)

    def holders(self) -> list[dict[str, Any]]:
        """Return pid and host of those who run or stage now."""
        found = [locks.holder(path) for path in listing(self.folder / "holders") if not is_temporary(path.name)]
        found += [locks.holder(path / OWNER) for path in listing(self.folder / "staging")]
        return [one for one in found if one is not None]

    def names(self) -> tuple[str, ...]:
        """Return who `holders` are, for people."""
        return tuple(sorted({f"process {one['pid']} on {one['host']}" for one in self.holders()}))

    def forget_the_dead(self, *, other_hosts: bool) -> None:
        """Remove the names of holders that are gone; with ``other_hosts`` those of other machines too."""
        for path in listing(self.folder / "holders"):
            facts = locks.holder(path)
            if facts is None or (other_hosts and facts["host"] != socket.gethostname()):
                self.ops.unlink(path)

    def busy(self, doing: str = "works on the output") -> OutputBusy:
        """Return the error that says who is at work and what to do."""
        named = ", ".join(self.names()) or "another process"
        far = sorted({str(one["host"]) for one in self.holders()} - {socket.gethostname()})
        clean = f" If nothing of it runs on {', '.join(far)} any more: openhcs clean {self.output}" if far else ""
        return OutputBusy(
            f"{self.output} is in use: {named} {doing} now. Wait until it has ended, stop it, or choose another "
            f"output.{clean}",
            path=self.output,
        )

    def _or_busy(self, lock: Lock | None) -> Lock:
        if lock is None:
            raise self.busy()
        return lock
