"""Names of the groups of an OME-Zarr plate."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from openhcs.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ALPHANUMERIC = re.compile(r"[A-Za-z0-9]+")


def image_paths(sites_by_acquisition: Mapping[int, Sequence[int]]) -> dict[tuple[int, int], str]:
    """Return the name of each site image within its well, by (acquisition, site).

    Names count the plate-wide sites of an acquisition, so the same site has the same name in every
    well; the original numbers stand in the image's own document. Acquisition 0 has plain numbers.

    >>> image_paths({0: [3, 7], 1: [3]})
    {(0, 3): '0', (0, 7): '1', (1, 3): 'a1s0'}
    """
    return {
        (acquisition, site): str(dense) if acquisition == 0 else f"a{acquisition}s{dense}"
        for acquisition, sites in sites_by_acquisition.items()
        for dense, site in enumerate(sorted(set(sites)))
    }


def well_path(row: str, column: str) -> str:
    """Return a well's path within its plate, such as ``A/01``.

    Raises
    ------
    InvalidValue
        a row or column whose name the format does not allow: letters and digits only.
    """
    for name in (row, column):
        if _ALPHANUMERIC.fullmatch(name) is None:
            raise InvalidValue(f"OME-Zarr names rows and columns with letters and digits only, not {name!r}")
    return f"{row}/{column}"
