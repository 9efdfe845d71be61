"""The ledger's own small files: which plan, what the documents are made of and are, what failed.

All are sealed (see `openhcs.ledger.sealed`) and replaced whole.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openhcs.core.checks import plain_name
from openhcs.errors import FormatError, NotFound
from openhcs.ledger import shapes
from openhcs.ledger.commit import holds, listing
from openhcs.ledger.sealed import read_bytes, read_sealed, seal, seal_text, unseal_text
from openhcs.ledger.shapes import checked_shape
from openhcs.ledger.staging import checked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from openhcs.io.fsops import FileOps

FORMAT = 2
HEAD = "ledger.json"
PLAN = "plan.json"
FACTS = "facts.json"
DOCUMENTS = "documents.json"
UNITS = "units.json"
VENDOR = "vendor"
"""Folder of the microscope's own documents."""
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
            head = read_sealed(path, {"format": int})
        except NotFound:
            raise NotFound(f"{self.output} holds no work of openhcs.", path=self.output) from None
        if head.get("format") != FORMAT:
            raise FormatError(f"{path} was made by another version of openhcs; use that version for it.", path=path)
        checked_shape(head, shapes.HEAD, path)
        return head

    def plan_id(self) -> str | None:
        """Return the identity of the plan that the output was given to; None before that."""
        return str(self.head()["plan"]) if (self.folder / HEAD).exists() else None

    def begin(self, plan_json: str, plan_id: str, weaker: tuple[str, ...]) -> None:
        """Give the output to a plan."""
        self.renew_plan(plan_json)
        self._put(HEAD, seal({"format": FORMAT, "plan": plan_id, "weaker": weaker}))

    def plan_json(self) -> str:
        """Return the plan's text."""
        path = self.folder / PLAN
        return unseal_text(read_bytes(path), path).decode()

    def plan(self) -> dict[str, Any]:
        """Return the plan as JSON knows it, with its wells."""
        return read_sealed(self.folder / PLAN, shapes.PLAN)

    def renew_plan(self, plan_json: str) -> None:
        """Keep the text of the same plan as it is now: it may be run for more wells."""
        self._put(PLAN, seal_text(plan_json.encode()))

    def facts(self) -> dict[str, Any]:
        """Return what the output's documents are made of, beside the records; `NotFound` if nothing ran yet."""
        facts = read_sealed(self.folder / FACTS, shapes.FACTS)
        for one in facts["plate"]["vendor_files"]:
            checked(one["path"])
        return facts

    def keep_facts(self, facts: Mapping[str, Any]) -> None:
        """Keep what documents are made of, so that anybody can close the output."""
        self._put(FACTS, seal(facts))

    def documents(self) -> dict[str, str]:
        """Return the digest of every derived document, by its path in the output."""
        found = self._optional(DOCUMENTS, shapes.DOCUMENTS).get("documents", {})
        return {checked(path): digest for path, digest in found.items()}

    def keep_documents(self, digests: Mapping[str, str]) -> None:
        """Note documents before they are written, so that they are known as ours.

        Those noted earlier stay noted while they are there.
        """
        known: dict[str, str] = {}
        with contextlib.suppress(FormatError):  # a damaged list is made anew
            known = self.documents()
        stay = {path: known[path] for path in known.keys() - digests.keys() if (self.output / path).exists()}
        self._put(DOCUMENTS, seal({"documents": dict(sorted({**stay, **digests}.items()))}))

    def units(self) -> set[str]:
        """Return the units that were being removed: their empty parents are ours too."""
        return {checked(unit) for unit in self._optional(UNITS, shapes.UNITS).get("units", ())}

    def keep_units(self, units: Iterable[str]) -> None:
        """Note units before they are removed, with those noted earlier."""
        self._put(UNITS, seal({"units": sorted(self.units().union(units))}))

    def forget(self) -> None:
        """Take the output back from its plan; what it held has been removed."""
        for path in (*listing(self.folder / FAILURES), *(self.folder / name for name in (HEAD, DOCUMENTS, UNITS))):
            with contextlib.suppress(NotFound):
                self.ops.unlink(path)
                self.ops.sync_dir(path.parent)

    def _optional(self, name: str, shape: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return read_sealed(self.folder / name, shape)
        except NotFound:
            return {}

    def failures(self) -> dict[str, dict[str, Any]]:
        """Return what `fail` noted, by task."""
        found = {}
        for path in listing(self.folder / FAILURES):
            try:
                found[path.stem] = read_sealed(path, shapes.FAILURE)
            except FormatError as error:
                found[path.stem] = {"step": "", "message": error.message, "traceback": ""}
        return found

    def fail(self, task: str, info: Mapping[str, Any]) -> None:
        """Note why a task did not commit."""
        self._put(f"{FAILURES}/{plain_name(task, 'task')}.json", seal(info))

    def _put(self, name: str, data: bytes) -> None:
        if not holds(self.folder / name, data):
            self.ops.replace(self.folder / name, data, via=self.tmp)
