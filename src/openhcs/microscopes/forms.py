"""How layouts name their images, and which of these forms a name is nearest to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGE_SUFFIXES = (".tif", ".tiff", ".stk", ".c01", ".dib", ".png", ".bmp", ".jpg", ".jpeg")
"""What images are called, those that keep every value first."""
NEAR = 0.6
"""Forms less alike than this are not named."""
MOST_OUTLINES = 2000
"""So many kinds of names are compared with all forms; a folder that has more is told so without."""
NO_FORM = "the name is of no form that openhcs knows"
_RUN = re.compile(r"[0-9]+|[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Form:
    """How a layout names its images.

    Parameters
    ----------
    text
        the form for people, such as ``<plate>_<well>_s<site>_w<wave>.tif``.
    example
        a name of this form.
    matches
        whether a file's name, without folders, is of this form and of hardly any other.
    """

    text: str
    example: str
    matches: Callable[[str], bool]


def is_image(path: str) -> bool:
    """Return whether a path ends like an image that openhcs reads."""
    return path.lower().endswith(IMAGE_SUFFIXES)


@cache
def all_forms() -> tuple[tuple[str, Form], ...]:
    """Return (layout, form) of every built-in layout."""
    from openhcs.microscopes import TABLE, load

    return tuple((name, form) for name in TABLE for form in getattr(load(name), "forms", ()))


def layout_of(base: str) -> str | None:
    """Return the layout whose forms a file's name is of, None where it is of none."""
    return next((name for name, form in all_forms() if form.matches(base)), None)


def why_unmatched(path: str, known: dict[str, str]) -> str:
    """Return why a file is no plane of any layout, and the form its name is nearest to.

    ``known`` keeps the answers for one folder: names that differ in numbers alone have the same.
    """
    base = path.rpartition("/")[2]
    if not is_image(base):
        return "no image"
    outline = _outline(base)
    if outline not in known:
        if len(known) >= MOST_OUTLINES:
            return NO_FORM
        known[outline] = _nearest(outline)
    return known[outline]


def _nearest(outline: str) -> str:
    best, most = None, NEAR
    for name, form in all_forms():
        alike = SequenceMatcher(None, outline, _outline(form.example), autojunk=False).ratio()
        if alike > most:
            best, most = f"the name is of no form; nearest: {name}, {form.text}", alike
    return best or NO_FORM


def _outline(name: str) -> str:
    """Return a name with every number as 0 and every other word as its last letter."""
    return _RUN.sub(lambda run: "0" if run[0][0].isdigit() else run[0][-1].lower(), name)
