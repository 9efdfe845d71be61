"""Imported once by the process that forks workers: libraries that are safe to have before a fork.

Workers share the cores, so numerical libraries are told to use one thread each.
"""

from __future__ import annotations

import os

from openhcs.run.worker import outlive_signals

outlive_signals()
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402, F401 - after the thread counts
import tensorstore  # noqa: E402, F401 - import is safe before a fork, use is not

import openhcs.run.task  # noqa: E402, F401 - a worker finds its code ready
