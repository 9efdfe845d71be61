"""Paths as users type them: there or not, and what was probably meant."""

from __future__ import annotations

import difflib
import os

from openhcs.errors import NotFound


def existing(path: str, what: str) -> str:
    """Return ``path`` if something is there.

    Raises
    ------
    NotFound
        nothing is there; the part of the path that is, and the nearest name in it, are told.
    """
    if os.path.lexists(path):
        return path
    parent, name = os.path.split(os.path.abspath(path))
    while not os.path.isdir(parent):
        parent, name = os.path.split(parent)
    near = difflib.get_close_matches(name, _names(parent), n=1, cutoff=0.5)
    if near:
        raise NotFound(
            f"no {what} at {path}: {parent} has no {name!r}. Did you mean {os.path.join(parent, near[0])}?", path=path
        )
    raise NotFound(f"no {what} at {path}: {parent} has no {name!r}. Check the path.", path=path)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
