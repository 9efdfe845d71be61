"""Hostile inputs made by hand, a table of name → `Case`: what is built, and what is asked of it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from hostile_arrays import ARRAYS
from hostile_images import CASES as IMAGES
from hostile_imagexpress import IMAGEXPRESS
from hostile_plates import LEDGERS, NAMES, PLATES
from hostile_seeds import worded
from hostile_stores import STORES
from hostile_values import TIFFS, VALUES
from openhcs.errors import OpenHCSError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hostile_cases import Case

CASES: dict[str, Case] = {**VALUES, **TIFFS, **IMAGES, **ARRAYS, **PLATES, **NAMES, **LEDGERS, **STORES, **IMAGEXPRESS}
"""Name → case."""


def prepare(name: str, folder: Path) -> Callable[[int], Any]:
    """Return what puts the question; the input is made before the clock runs."""
    case = CASES[name]
    shutil.rmtree(folder / "in")
    (folder / "in").mkdir()
    ask = case.build(folder / "in")

    def put(_: int) -> Any:
        try:
            found = ask()
        except OpenHCSError as error:
            worded(error, case.named)
            raise
        assert case.lawful, f"was read: {found!r:.200}"
        return found

    return put
