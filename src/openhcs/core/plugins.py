"""What other packages add, by the entry points of a group: looked up again only where packages were installed."""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def plugins(group: str) -> tuple[EntryPoint, ...]:
    """Return the entry points of a group, in the order of `importlib.metadata`.

    >>> plugins("openhcs.of-nobody")
    ()
    """
    return _found(group, tuple((folder, _changed(folder)) for folder in sys.path))


@functools.lru_cache(maxsize=4)
def _found(group: str, _where: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:
    from importlib import metadata

    return tuple(metadata.entry_points(group=group))


def _changed(folder: str) -> int:
    """Return when names in a folder last changed; installing a package makes some."""
    try:
        return os.stat(folder or os.curdir).st_mtime_ns
    except OSError:
        return 0
