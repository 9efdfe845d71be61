"""Imported once by the process that forks workers: libraries that are safe to have before a fork.

Numerical libraries are told to use one thread: more would not live through the fork. Each worker sets
its own number.
"""

from __future__ import annotations

from openhcs.run.cores import share
from openhcs.run.worker import outlive_signals

outlive_signals()
share(1)

import numpy as np  # noqa: E402, F401 - after the thread counts
import tensorstore  # noqa: E402, F401 - import is safe before a fork, use is not

import openhcs.run.task  # noqa: E402, F401 - a worker finds its code ready
