"""The ledger's own small files: which plan, what the documents are made of, what failed.

All are sealed (see `openhcs.run.sealed`) and replaced whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openhcs.core.checks import plain_name
from openhcs.errors import FormatError, NotFound
from openhcs.run.output import HEAD, listing
from openhcs.run.sealed import read_bytes, read_sealed, seal, seal_text, unseal_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from openhcs.io.fsops import FileOps

FORMAT = 2
PLAN = "plan.json"
FACTS = "facts.json"
FAILURES = "failures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """The files of the ledger in ``folder``, for the output it belongs to; unfinished ones lie in ``tmp``."""

    output: Path
    folder: Path
    tmp: Path
    ops: FileOps

    def head(self) -> dict[str, Any]:
        """Return format, plan identity and the promises that the file system does not keep."""
        path = self.folder / HEAD
        try:
            head = read_sealed(path)
        except NotFound:
            raise NotFound(f"{self.output} holds no work of openhcs.", path=self.output) from None
        if head.get("format") != FORMAT:
            raise FormatError(f"{path} was made by another version of openhcs; use that version for it.", path=path)
        return head

    def plan_id(self) -> str | None:
        """Return the identity of the plan that the output was given to; None before that."""
        return str(self.head()["plan"]) if (self.folder / HEAD).exists() else None

    def begin(self, plan_json: str, plan_id: str, weaker: tuple[str, ...]) -> None:
        """Give the output to a plan."""
        self._put(PLAN, seal_text(plan_json.encode()))
        self._put(HEAD, seal({"format": FORMAT, "plan": plan_id, "weaker": weaker}))

    def plan_json(self) -> str:
        """Return the plan's text."""
        path = self.folder / PLAN
        return unseal_text(read_bytes(path), path).decode()

    def renew_plan(self, plan_json: str) -> None:
        """Keep the text of the same plan as it is now: it may be run for more wells."""
        self._put(PLAN, seal_text(plan_json.encode()))

    def facts(self) -> dict[str, Any]:
        """Return what the output's documents are made of, beside the records; `NotFound` if nothing ran yet."""
        return read_sealed(self.folder / FACTS)

    def keep_facts(self, facts: Mapping[str, Any]) -> None:
        """Keep what documents are made of, so that anybody can close the output."""
        self._put(FACTS, seal(facts))

    def failures(self) -> dict[str, dict[str, Any]]:
        """Return what `fail` noted, by task."""
        found = (path for path in listing(self.folder / FAILURES) if path.suffix == ".json")
        return {path.stem: read_sealed(path) for path in found}

    def fail(self, task: str, info: Mapping[str, Any]) -> None:
        """Note why a task did not commit."""
        self._put(f"{FAILURES}/{plain_name(task, 'task')}.json", seal(info))

    def _put(self, name: str, data: bytes) -> None:
        path = self.folder / name
        try:
            if path.read_bytes() == data:
                return
        except FileNotFoundError:
            pass
        self.ops.replace(path, data, via=self.tmp)
