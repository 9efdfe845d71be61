"""Send a job to worker processes: user's code goes by value where a worker could not import it."""

from __future__ import annotations

import functools
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from typing import TYPE_CHECKING

from openhcs.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from openhcs.run.task import Job


def sendable(job: Job) -> bytes:
    """Return a job as bytes for other processes of ours.

    Raises
    ------
    PlanError
        a function or an argument that cannot be sent.
    """
    import cloudpickle

    for module in _own_modules(job):
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(job))
    except Exception as error:  # pickling runs the user's objects' code
        raise PlanError(
            f"the pipeline's functions cannot be sent to worker processes: {type(error).__name__}: {error}. Keep open "
            "files, locks and connections out of their arguments, or use threads (use_threading=True, --threads)."
        ) from error


def _own_modules(job: Job) -> Iterator[ModuleType]:
    """Yield modules of the job's functions that a fresh process would not find."""
    functions = (call.func for chains in job.chains for chain in chains.values() for call in chain)
    names = {str(getattr(_inner(function), "__module__", "")) for function in functions}
    for name in sorted(names - {"", "__main__"}):
        if name in sys.modules and not importable(name):
            yield sys.modules[name]


def _inner(function: object) -> object:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def importable(name: str) -> bool:
    """Return whether a fresh process with this one's search path would find a module."""
    if BuiltinImporter.find_spec(name) or FrozenImporter.find_spec(name):
        return True
    path = None
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:depth]), path)
        if spec is None:
            return False
        path = spec.submodule_search_locations
    return True
