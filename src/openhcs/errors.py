"""Every error the project raises.

    OpenHCSError
    ├── UsageError (ValueError)          the caller asked for something that cannot be
    │   ├── InvalidValue                 a setting or argument out of range; says what is allowed
    │   ├── InvalidType (TypeError)      a value of a kind that cannot be used here
    │   ├── UnknownName                  a backend, well, channel, suffix … nobody knows; suggests the nearest
    │   ├── InvalidPath                  a path that leaves its root or cannot be stored
    │   └── PlanError                    a pipeline that cannot run on this plate
    ├── NotFound (FileNotFoundError)     nothing there
    ├── AlreadyExists (FileExistsError)  something there already
    │   └── OutputExists                 the output folder holds other work
    │       └── OutputBusy               another process works there now
    ├── InputError (ValueError)          a plate or folder that cannot be read as asked
    │   ├── FormatError                  bytes on disk are wrong: which file, where
    │   │   └── NotGrey                  an image of colours, which is no plane
    │   ├── SeveralPlates                a folder of several plates; names them
    │   └── MissingPlanes                planes that should be there are not
    ├── StorageError (OSError)           the system refused: errno kept
    │   ├── StorageFull                  no space left
    │   └── AccessDenied (PermissionError)
    ├── OutOfBudget (MemoryError)        would need more memory than allowed
    ├── StepError (RuntimeError)         a step of the pipeline raised; keeps the cause as text
    ├── WorkerLost (RuntimeError)        a worker process died
    ├── TookTooLong (RuntimeError)       a well took longer than allowed
    └── Stopped (RuntimeError)           the run was interrupted; what is committed stays

Each carries ``path``, ``backend`` and, where known, ``well``, ``site`` and ``step``, and crosses
process borders whole. The text says what happened, where, and what to do next.
"""

from __future__ import annotations

import difflib
import errno as _errno
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class OpenHCSError(Exception):
    """Root of all errors raised on purpose by openhcs."""

    errno: int | None = None

    def __init__(
        self,
        message: str,
        *,
        path: object = None,
        backend: str | None = None,
        well: str | None = None,
        site: int | None = None,
        step: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = None if path is None else str(path)
        self.backend = backend
        self.well = well
        self.site = site
        self.step = step
        self.errno = type(self).errno

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message), dict(self.__dict__))

    @property
    def fields(self) -> dict[str, Any]:
        """Where it happened: the named places that are known."""
        names = ("path", "backend", "well", "site", "step")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def _rebuild(kind: type[OpenHCSError], message: str) -> OpenHCSError:
    return kind(message)


class UsageError(OpenHCSError, ValueError):
    """The caller asked for something that cannot be."""


class InvalidValue(UsageError):
    """A value that is not allowed here."""


class InvalidType(UsageError, TypeError):
    """A value of a kind that cannot be used here."""


class UnknownName(UsageError):
    """A name that nobody knows."""


class InvalidPath(UsageError):
    """A path that leaves its root or cannot be stored."""


class PlanError(UsageError):
    """A pipeline that cannot run on this plate, found before anything ran."""


class NotFound(OpenHCSError, FileNotFoundError):
    """Nothing is there."""

    errno = _errno.ENOENT


class AlreadyExists(OpenHCSError, FileExistsError):
    """Something is there already."""

    errno = _errno.EEXIST


class OutputExists(AlreadyExists):
    """The output holds other work."""


class OutputBusy(OutputExists):
    """Another process works on the output now."""


class InputError(OpenHCSError, ValueError):
    """A plate or folder that cannot be read as asked."""


class FormatError(InputError):
    """Bytes on disk are not what their name or document promises."""


class NotGrey(FormatError):
    """An image whose pixels have several values that differ: whole, and no plane."""


class SeveralPlates(InputError):
    """A folder of several plates; ``places`` are their folders below ``path``."""

    places: tuple[str, ...] = ()


class MissingPlanes(InputError):
    """Planes that should be there are not."""


class StorageError(OpenHCSError, OSError):
    """The operating system refused a read or a write."""

    errno = _errno.EIO


class StorageFull(StorageError):
    """No space is left."""

    errno = _errno.ENOSPC


class AccessDenied(StorageError, PermissionError):
    """Reading or writing is not allowed there."""

    errno = _errno.EACCES


class OutOfBudget(OpenHCSError, MemoryError):
    """More memory would be needed than is allowed."""


class StepError(OpenHCSError, RuntimeError):
    """A step of the pipeline raised; the message ends with its last line of traceback."""


class WorkerLost(OpenHCSError, RuntimeError):
    """A worker process died before it could answer."""


class TookTooLong(OpenHCSError, RuntimeError):
    """A well took longer than the run's timeout; its worker was ended."""


class Stopped(OpenHCSError, RuntimeError):
    """The run was interrupted; what was committed stays."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return a half sentence that helps with a misspelt name.

    >>> suggest("memroy", ["memory", "disk", "zarr"])
    "did you mean 'memory'? known: memory, disk, zarr"
    """
    names = [str(one) for one in known]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    shown = ", ".join(names[:12]) + (f" … ({len(names)} in all)" if len(names) > 12 else "")
    if near:
        return f"did you mean {near[0]!r}? known: {shown}"
    return f"known: {shown}" if names else "none are known"


def from_oserror(error: OSError, *, doing: str, path: object = None, backend: str | None = None) -> OpenHCSError:
    """Return our error for one of the operating system's, keeping its number.

    ``doing`` completes the sentence "could not …", such as ``"write the file"``.
    """
    where = path if path is not None else error.filename
    text = f"could not {doing}: {where}: {error.strerror or error}"
    kind, remedy = _KINDS.get(error.errno or 0, (StorageError, ""))
    mapped = kind(text + remedy, path=where, backend=backend)
    mapped.errno = error.errno or mapped.errno
    return mapped


_FULL = (StorageFull, ". Free some space and run the same command again.")
_FILES = (StorageError, ". Raise the limit of open files (ulimit -n 1024) or use fewer workers (--workers 1).")
_DENIED = (AccessDenied, ". Check the permissions of that folder.")
_KINDS: dict[int, tuple[type[OpenHCSError], str]] = {
    _errno.ENOSPC: _FULL,
    _errno.EDQUOT: _FULL,
    _errno.EMFILE: _FILES,
    _errno.ENFILE: _FILES,
    _errno.EACCES: _DENIED,
    _errno.EPERM: _DENIED,
    _errno.EROFS: _DENIED,
    _errno.ENOENT: (NotFound, ""),
    _errno.EEXIST: (AlreadyExists, ""),
}
"""The system's numbers that have an error of their own, and what to do next."""
