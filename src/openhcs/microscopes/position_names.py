"""Stage positions that are named after a well: ``A1-Site_0`` as Micro-Manager's plate tool writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from openhcs.core.wells import parse_well, well_name

_WELL = r"(?P<well>(?:A[A-F]|[A-Z])(?:0?[1-9]|[1-3][0-9]|4[0-8]))"
_FORMS = (
    re.compile(rf"(?:.*[_ -])?{_WELL}-Site_(?P<site>[0-9]{{1,6}})", re.DOTALL),
    re.compile(rf"{_WELL}_(?P<site>[0-9]{{4}})"),
    re.compile(rf"{_WELL}(?P<site>)"),
)


@dataclass(frozen=True, slots=True)
class Named:
    """The well that a position names, and its number there where it tells one."""

    well: str
    site: int | None = None


def parse_position(label: str) -> Named | None:
    """Return the well and site that a position's label names, or None where it names none.

    >>> parse_position("screen_1_MMStack_B3-Site_12"), parse_position("Pos0")
    (Named(well='B03', site=12), None)
    """
    for form in _FORMS:
        match = form.fullmatch(label.strip())
        if match is not None:
            return Named(well_name(*parse_well(match["well"])), int(match["site"]) if match["site"] else None)
    return None


def format_position(well: str, site: int) -> str:
    """Return the label of a site as Micro-Manager's plate tool writes it; the inverse of `parse_position`.

    >>> format_position("B03", 12)
    'B3-Site_12'
    """
    row, column = parse_well(well)
    return f"{well_name(row, 0)[:-2]}{column + 1}-Site_{site}"
