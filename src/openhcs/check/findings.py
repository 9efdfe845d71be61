"""What a check found: each finding says what, where, how bad, and what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from openhcs.ngff.rules.table import ERROR, INFO, WARNING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ERROR", "INFO", "WARNING", "Counts", "Finding", "Report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be, or worth knowing.

    Attributes
    ----------
    code
        the kind, the same in every version.
    severity
        "error": data is lost, damaged or cannot be found; "warning": it may be soon; "info".
    path
        file or folder, relative to what was checked.
    message, remedy
        what is wrong, and what to do about it.
    rule
        where the rule stands: section of a specification, or "openhcs".
    well, site, chunk
        where, as far as it is known.
    """

    code: str
    severity: str
    path: str
    message: str
    remedy: str = ""
    rule: str = "openhcs commit record"
    well: str | None = None
    site: int | None = None
    chunk: str | None = None

    def __str__(self) -> str:
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{self.severity}: {self.path}: {self.message}.{remedy}"


MOST_WORDS = 400
"""Letters of a message: what strangers wrote may be quoted in it."""


def cut(message: str) -> str:
    """Return a message that is not longer than anyone reads."""
    return message if len(message) <= MOST_WORDS else f"{message[: MOST_WORDS - 2]} …"


@dataclass(slots=True)
class Counts:
    """How much was read whole."""

    wells: int = 0
    files: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What `openhcs.check.validate` found, and how much it looked at.

    ``kind`` is "output", or what a store is: "plate", "well", "image", "labels", "collection".
    ``files`` and ``bytes`` count what was read whole and compared; ``wells`` those that are committed.
    """

    path: str
    deep: bool
    kind: str | None
    wells: int
    files: int
    bytes: int
    findings: Sequence[Finding]

    @property
    def valid(self) -> bool:
        """Whether there is no finding of severity "error"."""
        return not any(one.severity == ERROR for one in self.findings)

    def as_dict(self) -> dict[str, object]:
        """Return the report as JSON knows it."""
        found = [{name: value for name, value in asdict(one).items() if value is not None} for one in self.findings]
        counts = {"wells": self.wells, "files": self.files, "bytes": self.bytes}
        return {
            "valid": self.valid,
            "path": self.path,
            "kind": self.kind,
            "deep": self.deep,
            **counts,
            "findings": found,
        }
