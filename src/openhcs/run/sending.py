"""Send a job to worker processes: user's code goes by value where a worker could not import it."""

from __future__ import annotations

import sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from typing import TYPE_CHECKING, Any

from openhcs.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from openhcs.run.attempt import Job


def sendable(job: Job[Any]) -> bytes:
    """Return a job as bytes for other processes of ours.

    Raises
    ------
    PlanError
        a function or an argument that cannot be sent.
    """
    import cloudpickle

    modules = list(_own_modules())
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(job))
    except Exception as error:  # pickling runs the user's objects' code
        raise PlanError(
            f"the pipeline's functions cannot be sent to worker processes: {type(error).__name__}: {error}. Keep open "
            "files, locks and connections out of their arguments, or use threads (use_threading=True, --threads)."
        ) from error
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def _own_modules() -> Iterator[ModuleType]:
    """Yield modules written in Python that a fresh process would not find, such as a pipeline file's helpers."""
    for name, module in sorted(sys.modules.items()):
        written = str(getattr(module, "__file__", None) or "").endswith(".py")
        # cloudpickle itself sends what stands in __main__ by value.
        if written and name not in {"__main__", "__mp_main__"} and not importable(name.partition(".")[0]):
            yield module


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
