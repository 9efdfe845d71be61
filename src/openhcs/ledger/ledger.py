"""The ledger of an output: its plan, what is committed, what failed; every well whole or not there.

It lies in ``OUT/.openhcs/``, or for a bare store ``plate.zarr`` in the hidden sibling
``.plate.zarr.openhcs/``. Processes that work on one output each open it by its path. A run holds
the lock shared, preparing and closing take it alone; the lock file is never removed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import secrets
import socket
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

from openhcs.core.checks import plain_name
from openhcs.errors import AccessDenied, AlreadyExists, FormatError, NotFound, OpenHCSError, OutputExists
from openhcs.io import locks
from openhcs.io.fsops import FileOps
from openhcs.ledger import output as outputs
from openhcs.ledger.commit import Entry, Places, digest_of, drop_old, holds, listing, publish, read_entry, settle
from openhcs.ledger.documents import put_in_place
from openhcs.ledger.holding import Holding
from openhcs.ledger.notes import Notes
from openhcs.ledger.sealed import read_sealed, seal
from openhcs.ledger.staging import OWNER, Staging, checked, open_staging
from openhcs.plan.model import is_well

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from openhcs.io.locks import Lock

    Record = dict[str, Any]

__all__ = ["Ledger", "Staging"]
COMMIT_WAIT_S = 120.0
PREPARE_WAIT_S = 10.0
CLOSE_WAIT_S = 2.0
_PAUSE_S = 0.02


class Ledger:
    """What an output knows about itself.

    Parameters
    ----------
    output
        the output folder, or the store itself where the name ends in ``.zarr``.
    ops
        what changes files; plain `FileOps` if None.
    durable
        whether a commit waits until the disk has it.
    """

    def __init__(self, output: str | Path, ops: FileOps | None = None, *, durable: bool = True) -> None:
        self.output = Path(os.path.realpath(output))
        self.folder = outputs.ledger_folder(self.output)
        self.ops = FileOps(durable=durable) if ops is None else ops
        self.places = Places(
            output=self.output,
            commits=self.folder / "commits",
            staging=self.folder / "staging",
            tmp=self.folder / "tmp",
            ops=self.ops,
        )
        self.notes = Notes(output=self.output, folder=self.folder, tmp=self.places.tmp, ops=self.ops)
        self._holding = Holding(output=self.output, folder=self.folder, ops=self.ops)

    def prepare(
        self, plan_json: str, plan_id: str, *, exist: str = "auto", inputs: str | Path | None = None
    ) -> tuple[str, ...]:
        """Make the output ready for a plan, and return the promises its file system cannot keep.

        Parameters
        ----------
        exist
            "auto": a new output, or going on with the same plan. "error": a new output only.
            "resume": going on only. "replace": remove what openhcs wrote there, then start anew.
        inputs
            the plate that will be read; the output must lie apart from it.

        Raises
        ------
        OutputExists
            the output holds something else; nothing has been touched.
        OutputBusy
            another process works on it.
        InvalidPath
            the output is the input, lies in it, or around it.
        NotFound
            ``exist="resume"`` and there is nothing to go on with.
        """
        outputs.check_choice(exist)
        if inputs is not None:
            outputs.check_apart(self.output, inputs)
        known = self.folder.is_dir()
        if not known:
            outputs.check_free(self.output, exist)
        self._make_folders()
        lock = self._lock_to_prepare(plan_id, exist)
        if lock is None:
            return tuple(self.notes.head()["weaker"])
        with lock:
            return self._prepare_alone(plan_json, plan_id, exist)

    def _make_folders(self) -> None:
        new = [folder for folder in (self.folder, *self.folder.parents) if not folder.exists()]
        for name in ("commits", "staging", "tmp", "failures", "holders"):
            self.ops.make_dirs(self.folder / name)
        # What a killed run made may not have been synced, so the names from here up are synced each time.
        for folder in {self.folder, self.output, self.output.parent, *(one.parent for one in new)}:
            if folder.is_dir():
                self.ops.sync_dir(folder)

    def _lock_to_prepare(self, plan_id: str, exist: str) -> Lock | None:
        """Return the lock, held alone, or None if others already run this very plan."""
        until = time.monotonic() + PREPARE_WAIT_S
        while (lock := self._holding.try_alone()) is None:
            if exist in {"auto", "resume"} and (shared := self._holding.try_shared()):
                shared.release()
                if self.notes.plan_id() == plan_id:
                    return None
            if self._holding.holders() or time.monotonic() >= until:
                raise self._holding.busy()
            time.sleep(_PAUSE_S)
        return lock

    def _prepare_alone(self, plan_json: str, plan_id: str, exist: str) -> tuple[str, ...]:
        self.recover()
        self._sweep()
        there = self.notes.plan_id()
        if there is None:
            outputs.check_free(self.output, exist)
        else:
            outputs.check_plan(
                self.output,
                there,
                plan_id,
                exist,
                done=lambda: sum(map(is_well, self.records())),
                differs=lambda: self._differences(plan_json),
            )
            if exist != "replace":
                return tuple(self.notes.head()["weaker"])
            if self.places.entries("intent") or listing(self.places.staging):
                raise self._holding.busy()
            outputs.wipe(self.places, self.notes)
        weaker = outputs.probe(self.places.tmp, self.ops)
        self.notes.begin(plan_json, plan_id, weaker)
        return weaker

    def _differences(self, plan_json: str) -> str:
        """Return in words what changes from the plan that is there; nothing where its text is damaged."""
        try:
            return outputs.differences(self.notes.plan_json(), plan_json)
        except (FormatError, NotFound):
            return ""

    def plan_id(self) -> str:
        """Return the identity of the plan that this output is made by; `NotFound` if there is none."""
        return str(self.notes.head()["plan"])

    def plan_json(self) -> str:
        """Return the plan as it was handed to `prepare`; `NotFound` if there is none."""
        self.notes.head()
        return self.notes.plan_json()

    def records(self) -> dict[str, Record]:
        """Return the newest commit record of each committed task whose results are still in place."""
        newest = self.places.newest()
        return {entry.task: record for entry, record in newest.items() if self._in_place(record)}

    def _in_place(self, record: Record) -> bool:
        return all(os.path.lexists(self.output / unit) for unit in record["units"])

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Hold the output while tasks run; others may run tasks of the same plan.

        Raises
        ------
        OutputBusy
            another process prepares or closes it.
        """
        plan = self.plan_id()
        with self._holding.shared(wait_s=PREPARE_WAIT_S):
            self._same_plan(plan)
            with self._holding.signed():
                yield

    @contextlib.contextmanager
    def closing(self, *, other_hosts: bool = False) -> Iterator[None]:
        """Hold the output alone, with everything settled that dead processes left.

        ``other_hosts`` as for `recover`.

        Raises
        ------
        OutputBusy
            others still run tasks; the last of them closes.
        """
        self.plan_id()
        with self._holding.alone(wait_s=CLOSE_WAIT_S):
            self.recover(other_hosts=other_hosts)
            self._sweep(other_hosts=other_hosts)
            yield

    def renew_plan(self, make: Callable[[], str]) -> None:
        """Keep the plan's text as ``make`` returns it; one process at a time."""
        with self._holding.documents():
            self.notes.renew_plan(make())

    def unfinished(self) -> tuple[Path, ...]:
        """Return the intents and staging folders that are there, of live processes too."""
        intents = (self.places.commits / entry.name for entry in self.places.entries("intent"))
        return (*intents, *listing(self.places.staging))

    def at_work(self) -> tuple[str, ...]:
        """Return the processes that hold the output now, such as "process 12 on host"; none if nobody does."""
        try:
            lock = self._holding.try_alone()
        except AccessDenied:  # who may only read cannot try the lock
            return self._holding.names()
        if lock is None:
            return self._holding.names() or ("another process",)
        lock.release()
        return ()

    @contextlib.contextmanager
    def stage(self, task: str) -> Iterator[Staging]:
        """Give a task a folder to write to; what is not committed at the end is removed."""
        plain_name(task, "task")
        self.plan_id()
        with self._holding.shared(wait_s=PREPARE_WAIT_S):
            staging = open_staging(task, staging=self.places.staging, made_in=self.places.tmp, ops=self.ops)
            try:
                yield staging
            finally:
                if staging.settled:
                    with contextlib.suppress(OpenHCSError):
                        self.ops.remove_tree(staging.folder)
                staging.lock.release()

    def commit(self, staging: Staging, record: Mapping[str, Any]) -> Record:
        """Publish what a task staged, whole, and return the record as it is kept.

        Another process that commits the same task is waited for; the later one stays. After an
        error nothing has changed.

        Raises
        ------
        OutputExists
            something that no record names lies at the task's place, or the plan was replaced.
        StorageFull, AccessDenied, StorageError
            the system refused.
        """
        full = self._complete(staging, record)
        if "plan" in full:
            self._same_plan(full["plan"])
        for unit in full["units"]:
            if not os.path.lexists(staging.root / unit):
                self.ops.make_dirs(staging.root / unit)
        self.ops.sync_tree(staging.root)
        entry, old = self._write_intent(staging, full)
        full["generation"] = entry.generation
        intent = self.places.commits / entry.name
        try:
            publish(self.places, entry, full, old)
        finally:
            # The old well may lie in staging: it stays until the intent is settled.
            staging.settled = not os.path.lexists(intent)
        with contextlib.suppress(OpenHCSError):
            if old is not None:
                drop_old(self.places, entry.task)
            with contextlib.suppress(NotFound):
                self.ops.unlink(self.folder / "failures" / f"{staging.task}.json")
        return full

    def _complete(self, staging: Staging, record: Mapping[str, Any]) -> Record:
        units = [checked(unit) for unit in staging.published]
        top = f"{staging.root}{os.sep}"
        objects = [
            {"path": one.path[len(top) :].replace(os.sep, "/"), "bytes": one.bytes, "digest": one.digest}
            for one in staging.ops.written
            if one.path.startswith(top)
        ]
        inside = [one for one in objects if any(f"{one['path']}/".startswith(f"{unit}/") for unit in units)]
        return {
            **record,
            "task": staging.task,
            "units": units,
            "objects": inside,
            "documents": list(staging.documents),
            "staging": staging.folder.name,
            "versions": versions(),
            "host": socket.gethostname(),
        }

    def _write_intent(self, staging: Staging, record: Record) -> tuple[Entry, Record | None]:
        until = time.monotonic() + COMMIT_WAIT_S
        while True:
            latest = self.places.latest(staging.task)
            generation = latest.generation + 1 if latest else 1
            intent = Entry(task=staging.task, generation=generation, kind="intent")
            path = self.places.commits / intent.name
            try:
                data = seal(record | {"generation": generation})
                self.ops.create(path, data, via=self.places.tmp)
            except AlreadyExists:
                if not self._settle_if_orphan(intent) and time.monotonic() >= until:
                    raise self._holding.busy(f"commits {staging.task}") from None
                time.sleep(_PAUSE_S)
                continue
            except BaseException:
                self._withdraw(path, record["staging"])
                raise
            # The other writer of this task may have finished between the look and the intent.
            if self.places.latest(staging.task) == latest:
                return intent, read_entry(self.places, latest) if latest else None
            self.ops.unlink(path)

    def _withdraw(self, path: Path, staging: str) -> None:
        """Remove an intent of which nothing was done, if it is there and ours."""
        with contextlib.suppress(OpenHCSError):
            if read_sealed(path)["staging"] == staging:
                self.ops.unlink(path)

    def recover(self, *, other_hosts: bool = False) -> None:
        """Finish or undo commits whose process is gone, and remove what such processes staged.

        ``other_hosts`` includes those of other machines, whose locks may not reach this one: only
        for when nobody works on the output.
        """
        for intent in self.places.entries("intent"):
            self._settle_if_orphan(intent, other_hosts=other_hosts)
        drop_old(self.places)
        named = set()
        for intent in self.places.entries("intent"):
            with contextlib.suppress(NotFound):
                named.add(read_entry(self.places, intent)["staging"])
        for folder in sorted(self.places.staging.iterdir()) if self.places.staging.is_dir() else ():
            if folder.name not in named and self.is_orphan(folder, other_hosts=other_hosts):
                self.ops.remove_tree(folder)

    def _settle_if_orphan(self, intent: Entry, *, other_hosts: bool = False) -> bool:
        # Two who settle one intent would undo each other's work, or that of who took its name meanwhile.
        with self._holding.settling():
            try:
                folder = self.places.staging / read_entry(self.places, intent)["staging"]
            except NotFound:
                return True
            if not self.is_orphan(folder, other_hosts=other_hosts):
                return False
            settle(self.places, intent)
            return True

    def is_orphan(self, folder: Path, *, other_hosts: bool = False) -> bool:
        """Return whether the owner of a staging folder is gone; on other machines it counts as alive."""
        facts = locks.holder(folder / OWNER)
        return facts is None or (other_hosts and facts["host"] != socket.gethostname())

    def write_derived(self, documents: Mapping[str, bytes] | Callable[[], Mapping[str, bytes]]) -> tuple[str, ...]:
        """Put documents in place, each atomically; unchanged ones are left alone.

        Parameters
        ----------
        documents
            content by path relative to the output, such as ``images.zarr/zarr.json``, or what returns
            it, called when it is this process's turn, so that nobody puts older ones over newer.

        Returns
        -------
        tuple of str
            the paths that were written.
        """
        with self._holding.documents():
            documents = documents() if callable(documents) else documents
            changed = [path for path, data in documents.items() if not holds(self.output / checked(path), data)]
            self.notes.keep_documents({path: xxhash.xxh3_64_hexdigest(data) for path, data in documents.items()})
            put_in_place(self.output, {path: documents[path] for path in changed}, self.ops, via=self.places.tmp)
        return tuple(changed)

    def write_streamed(self, path: str, chunks: Iterable[bytes]) -> int:
        """Put a document that follows from the records in place, atomically, and return its bytes.

        ``chunks`` are its content one after the other, none of it held.
        """
        with self._holding.documents():
            target = self.output / checked(path)
            self.ops.make_dirs(target.parent)
            stored = self.ops.write_new(self.places.tmp / f"streamed-{secrets.token_hex(6)}", chunks)
            self.ops.sync_file(stored.path)
            self.notes.keep_documents({path: stored.digest})
            self.ops.rename(stored.path, target)
            self.ops.sync_dir(target.parent)
        return stored.bytes

    def verify(self, task: str) -> tuple[str, ...]:
        """Return the objects of a committed task that are missing or differ from their digests."""
        records = list(self.places.newest(task).values())
        if not records:
            raise NotFound(f"{task} is not committed in {self.output}", path=self.output, well=task)
        objects = records[0]["objects"]
        return tuple(
            one["path"] for one in objects if digest_of(self.output / one["path"], one["bytes"]) != one["digest"]
        )

    def _same_plan(self, plan: str) -> None:
        there = self.plan_id()
        if there != plan:
            raise OutputExists(
                f"{self.output} was given to plan {there} while plan {plan} was at work; nothing was published.",
                path=self.output,
            )

    def _sweep(self, *, other_hosts: bool = False) -> None:
        """Remove unfinished files and the names of dead holders; only while held alone."""
        for path in listing(self.places.tmp):
            self.ops.remove_tree(path) if path.is_dir() and not path.is_symlink() else self.ops.unlink(path)
        self._holding.forget_the_dead(other_hosts=other_hosts)


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions that decide over stored bytes."""
    found = {"python": platform.python_version()}
    for name in ("openhcs", "numpy", "tensorstore", "imagecodecs", "numcodecs"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
