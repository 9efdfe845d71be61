"""Try a task: its report, or what stopped it, said so that the other wells can go on.

What a task is matters to nobody here: a well that a pipeline makes, or one that is carried over.
"""

from __future__ import annotations

import errno
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from openhcs.errors import AccessDenied, OpenHCSError, OutOfBudget, StorageError, StorageFull, from_oserror

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs.io.fsops import FileOps
    from openhcs.ledger.ledger import Ledger

_NO_THREAD = "can't start new thread"


class Task(Protocol):
    """One well: the unit that is tried, tried again and committed.

    ``inputs`` is a digest that tells whether a committed well was made of the same input; bytes are raw
    pixels.
    """

    @property
    def well(self) -> str:
        """Name of the well."""

    @property
    def id(self) -> str:
        """Name under which it is committed."""

    @property
    def inputs(self) -> str:
        """Digest of what it is made of."""

    @property
    def bytes_in(self) -> int:
        """Raw pixels it reads."""

    @property
    def objects(self) -> int:
        """Files beside documents that it will store."""

    @property
    def peak_bytes(self) -> int:
        """Memory it takes at most."""


T_contra = TypeVar("T_contra", bound=Task, contravariant=True)


class Job(Protocol[T_contra]):
    """What all tasks of a run share; sent to each worker once. ``ops`` changes the output's files."""

    @property
    def output(self) -> str:
        """The output."""

    @property
    def ops(self) -> FileOps:
        """What changes its files."""

    def do(self, task: T_contra) -> Report:
        """Do a task and commit its well."""

    def facts(self, ledger: Ledger) -> dict[str, Any]:
        """Return what the output's documents need beside the commit records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A task that committed: raw bytes read, bytes stored, seconds, and those of its parts by name."""

    bytes_in: int
    bytes_out: int
    seconds: float
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A task that did not commit, and why."""

    error: OpenHCSError
    traceback: str


def configure(threads: int) -> None:
    """Set how many threads each array read or write of this process uses."""
    from openhcs.io import ts_context

    ts_context.configure(threads)


def attempt(job: Job[T_contra], task: T_contra) -> Report | Broken:
    """Return the task's report, or what stopped it; only a user's interrupt passes through.

    A read or write that the system refused is tried once more, with the whole task.
    """
    first = _attempt(job, task)
    if isinstance(first, Report) or not passing(first.error):
        return first
    return _attempt(job, task)


def passing(error: OpenHCSError) -> bool:
    """Return whether an error may be gone at a second try: the system's, but no lack of space or rights."""
    return isinstance(error, StorageError) and not fatal(error)


def fatal(error: OpenHCSError) -> bool:
    """Return whether an error will meet every other well too: no space, memory, right to write, or file to open."""
    spent = (errno.ENOMEM, errno.EMFILE, errno.ENFILE)
    return isinstance(error, (StorageFull, AccessDenied)) or error.errno in spent


def lacks_memory(error: BaseException) -> bool:
    """Return whether an error says that no memory is left; a thread needs some to start."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _NO_THREAD in str(error))


def out_of_memory(task: Task) -> Broken:
    """Return what is said of a task that found no memory; called where the error is handled."""
    text = (
        f"no memory was left for well {task.well}, planned {task.peak_bytes / 1e6:.0f} MB. Run with fewer workers "
        "(--workers 1), or where more memory is allowed."
    )
    spent = OutOfBudget(text, well=task.well)
    spent.errno = errno.ENOMEM
    return Broken(error=spent, traceback=traceback.format_exc())


def _attempt(job: Job[T_contra], task: T_contra) -> Report | Broken:
    try:
        return job.do(task)
    except OpenHCSError as error:
        return Broken(error=error, traceback="".join(getattr(error, "__notes__", [])) or traceback.format_exc())
    except OSError as error:
        return Broken(error=from_oserror(error, doing=f"run well {task.well}"), traceback=traceback.format_exc())
    except Exception as error:  # the worker's edge: a mistake of ours must not stop the other wells
        if lacks_memory(error):
            return out_of_memory(task)
        text = f"well {task.well} failed inside openhcs: {type(error).__name__}: {error}"
        return Broken(error=OpenHCSError(text, well=task.well), traceback=traceback.format_exc())
