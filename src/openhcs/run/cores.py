"""Share the cores among worker processes: how many threads numerical libraries use in each.

Libraries read the environment when they are loaded. The process that workers are forked from has numpy
loaded, with one thread, since no other thread may live at a fork; each worker then sets its own number.
What the user has set stays; ``OMP_NUM_THREADS`` is read by all of them, so it stands for the others too.
"""

from __future__ import annotations

import contextlib
import ctypes
import os

_OF_ALL, _OF_NUMPY = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"
VARIABLES = (_OF_ALL, _OF_NUMPY, "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_SETTERS = (
    "scipy_openblas_set_num_threads64_",
    "scipy_openblas_set_num_threads",
    "openblas_set_num_threads64_",
    "openblas_set_num_threads",
)
_ours: set[str] = set()


def share(threads: int) -> None:
    """Let libraries of this process use ``threads`` threads each: numpy's, and those that are loaded later."""
    if _OF_ALL in os.environ and _OF_ALL not in _ours:
        return
    _ours.update(name for name in VARIABLES if name not in os.environ)
    os.environ.update(dict.fromkeys(_ours, str(threads)))
    if _OF_NUMPY in _ours:
        _tell_numpy(threads)


def _tell_numpy(threads: int) -> None:
    """Set the threads of the OpenBLAS that numpy was built with; other libraries keep what they began with."""
    from numpy.linalg import _umath_linalg

    with contextlib.suppress(OSError):
        library = ctypes.CDLL(_umath_linalg.__file__)
        for name in _SETTERS:
            if hasattr(library, name):
                getattr(library, name)(ctypes.c_int(threads))
