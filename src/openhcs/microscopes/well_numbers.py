"""Wells told by a running number, row by row: on how many columns, and whether names agree with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs.core.wells import PLATE_SHAPES, parse_well, well_name

if TYPE_CHECKING:
    from collections.abc import Iterable

USUAL = (*(shape for shape in PLATE_SHAPES if shape[1] >= 12), *reversed(PLATE_SHAPES[:3]))
"""Rows and columns of plates as they are thought of: 96 wells and more first, smaller ones after."""


@dataclass(frozen=True, slots=True)
class Numbering:
    """How wells are numbered: row by row on a plate of ``shape`` (rows, columns), A01 being ``first``."""

    shape: tuple[int, int]
    first: int = 1

    def well(self, number: int) -> str | None:
        """Return the well of a number, None where the plate has none.

        >>> Numbering((8, 12)).well(13), Numbering((8, 12)).well(97)
        ('B01', None)
        """
        place = number - self.first
        rows, columns = self.shape
        return well_name(*divmod(place, columns)) if 0 <= place < rows * columns else None

    def holds(self, well: str) -> bool:
        """Return whether the plate has a well of this name."""
        row, column = parse_well(well)
        return row < self.shape[0] and column < self.shape[1]


def find_numbering(
    told: Iterable[tuple[int, str | None]], shape: tuple[int, int] | None = None, *, firsts: tuple[int, ...] = (1,)
) -> Numbering:
    """Return the numbering that fits most of the (number, well) pairs; of equals the first of ``USUAL``.

    Parameters
    ----------
    told
        the number of each well and its name, where it has one.
    shape
        rows and columns, where a document tells them.
    firsts
        numbers that A01 may have, the likelier first.
    """
    pairs = set(told)
    high = max((number for number, _ in pairs), default=1)
    shapes = USUAL if shape is None else (shape,)
    every = [Numbering(each, first) for first in firsts for each in shapes]
    possible = [one for one in every if one.well(high)] or every[len(shapes) - 1 : len(shapes)]
    return max(possible, key=lambda one: sum(one.well(number) == well for number, well in pairs if well))


def contradictions(told: Iterable[tuple[int, str | None, str]], numbering: Numbering) -> list[str]:
    """Return one warning of wells whose name is not that of their number; ``told`` are (number, well, file)."""
    wrong = [(number, well, path) for number, well, path in told if well and numbering.well(number) != well]
    if not wrong:
        return []
    number, well, path = wrong[0]
    rows, columns = numbering.shape
    counted = numbering.well(number) or "none"
    example = f"{path}: {well}, and {number} is {counted} on {rows} × {columns} wells"
    return [f"well numbers that are not those of the names: {len(wrong)}, such as {example}; the names are taken"]
