"""What a repair changes, and what it cannot bring back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A document to put in place: path below what is repaired, its bytes, and why."""

    path: str
    data: bytes
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Something that no document brings back, and what to do about it."""

    path: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairReport:
    """What `openhcs.repair.repair` did, or would do.

    Attributes
    ----------
    applied
        whether documents were changed, or only looked at.
    changes
        path and reason of each document that was changed, or would be.
    lost
        what stays damaged.
    kept
        the folder with the documents as they were before; empty if there is none.
    """

    path: str
    applied: bool
    changes: tuple[tuple[str, str], ...]
    lost: tuple[Loss, ...]
    kept: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON knows it."""
        changes = [{"path": path, "why": why} for path, why in self.changes]
        told = {"path": self.path, "applied": self.applied, "kept": self.kept}
        return {**told, "changes": changes, "lost": [asdict(one) for one in self.lost]}
