"""One module per layout: a folder in, a `PlateIndex` out; no pixels are read.

Layouts are asked in the order of the table; the first that knows the folder has it. Third parties
add theirs through the entry point group ``openhcs.microscopes``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from openhcs.constants.constants import Microscope as Layout
from openhcs.errors import InputError, UnknownName, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs.core.plate import Files, PlateIndex

TABLE: Mapping[str, str] = {
    "imagexpress": "openhcs.microscopes.imagexpress:ImageXpress",
}
"""Layouts by name, in the order they are asked: those sure of themselves first."""
PLAIN = "generic"
GROUP = "openhcs.microscopes"
SHOWN = 5


class Microscope(Protocol):
    """How one vendor lays out a plate."""

    @property
    def name(self) -> str:
        """The word users configure with."""

    @property
    def looks_for(self) -> str:
        """Half a sentence: what in a folder makes it this layout's."""

    def index(self, files: Files) -> PlateIndex | None:
        """Return what the plate holds, or None when the folder is not of this layout."""


def known() -> dict[str, str]:
    """Return all layouts: name → "module:class"."""
    from importlib.metadata import entry_points

    others = {entry.name: entry.value for entry in entry_points(group=GROUP)}
    first = {name: where for name, where in TABLE.items() if name != PLAIN}
    return {**first, **others, **TABLE}


def microscope(name: str, *, pattern: str | None = None) -> Microscope:
    """Return the layout of a name; ``pattern`` is for the generic one.

    Raises
    ------
    UnknownName
        nobody knows it; the nearest is named.
    """
    layouts = known()
    if name not in layouts:
        raise UnknownName(f"no microscope is called {name!r}; {suggest(name, [*layouts, Layout.AUTO.value])}")
    module, _, attribute = layouts[name].partition(":")
    made = getattr(import_module(module), attribute)
    found: Microscope = made(pattern=pattern) if name == PLAIN and pattern is not None else made()
    return found


def detect(files: Files, layout: Layout | str = Layout.AUTO, *, pattern: str | None = None) -> PlateIndex:
    """Return what a folder holds, read as ``layout`` or as the first layout that knows it.

    Raises
    ------
    InputError
        the folder is empty, or no layout (or not the one asked for) knows it; each says what it looks for.
    UnknownName
        nobody knows that layout.
    """
    name = layout.value if isinstance(layout, Layout) else str(layout)
    every = [PLAIN] if pattern is not None else list(known())
    names = every if name == Layout.AUTO.value else [name]
    asked = [microscope(one, pattern=pattern) for one in names]
    if not files.list():
        raise InputError(f"{files.root} is empty: no file is in it or below it. Name the folder of a plate.")
    for one in asked:
        found = one.index(files)
        if found is not None:
            return found
    raise InputError(_unknown(files, asked), path=files.root)


def _unknown(files: Files, asked: list[Microscope]) -> str:
    listed = files.list()
    shown = ", ".join(file.path for file in listed[:SHOWN]) + (" …" if len(listed) > SHOWN else "")
    looks = "\n".join(f"  {one.name}: {one.looks_for}" for one in asked)
    return (
        f"{files.root} is not a plate that is known: {len(listed)} files ({shown}).\nLooked for:\n{looks}\n"
        "Name the folder of the whole plate; for other images say how files are named: "
        '--pattern "{well}_s{site}_w{channel}.tif"'
    )
