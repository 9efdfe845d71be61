"""The system's C library, for the few calls that Python has no name for."""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Any


@functools.cache
def libc() -> Any:
    """Return the library on Linux and macOS, None elsewhere."""
    return ctypes.CDLL(None, use_errno=True) if sys.platform in {"linux", "darwin"} else None
