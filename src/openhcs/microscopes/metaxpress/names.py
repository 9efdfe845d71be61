"""How ImageXpress names its images and folders; names are read from right to left.

``<plate>_<WELL>[_s<site>][_w<wave>][_thumb][GUID].tif``: a GUID may follow a number without a break and
begin with digits, so it is cut before the numbers are read. Folders ``TimePoint_<t>`` and ``ZStep_<z>``
give the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from openhcs.microscopes.forms import Form

_NAME = re.compile(
    r"(?P<plate>.+)_(?P<well>(?:[A-Z]|A[A-F])(?!00)[0-9]{2})(?:_s(?P<site>[0-9]{1,4}))?(?:_w(?P<wave>[0-9]{1,2}))?"
    r"(?P<thumb>(?i:_thumb))?(?P<guid>_?\[?[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\]?)?\.(?i:tiff?)"
)
_FOLDER = re.compile(r"(?i:(?P<kind>TimePoint|ZStep)_(?P<number>[0-9]{1,5}))")
_PLATE_ID = re.compile(r"(?:_Plate_([0-9]{1,9})|(?:^|/)[0-9]{4}-[0-9]{2}-[0-9]{2}/([0-9]{1,9}))$")
TOP = -1
"""The z of a file that lies in no ``ZStep`` folder."""
SPELT = "<plate>_<well>[_s<site>][_w<wave>].tif"


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """What an ImageXpress file name says. ``site`` and ``wave`` are 1 where the name has none."""

    plate: str
    well: str
    site: int = 1
    wave: int = 1
    thumb: bool = False


@lru_cache(maxsize=2**16)
def parse_name(name: str) -> Name | None:
    """Return what a file name says, or None when it is no ImageXpress name.

    Wells are in capital letters: ``t05`` and ``s10`` are no wells.

    >>> parse_name("Projection-Mix_E08_s117654C10-92F1-4DFD-98AA-6A01BBD77557.tif")
    Name(plate='Projection-Mix', well='E08', site=1, wave=1, thumb=False)
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    plate, well, site, wave, thumb, _ = match.groups()
    return Name(plate=plate, well=well.upper(), site=int(site or 1), wave=int(wave or 1), thumb=thumb is not None)


def is_certain(name: str) -> bool:
    """Return whether a name can hardly be of another layout: it has a site, a wave or a GUID."""
    match = _NAME.fullmatch(name)
    return match is not None and any(match.group("site", "wave", "guid"))


@lru_cache(maxsize=2**12)
def parse_folder(folder: str) -> tuple[str, int, int]:
    """Return the plate's own folder, time point and z (`TOP`: none) of the files in a folder.

    >>> parse_folder("9987_Plate_3434/TimePoint_1/ZStep_2")
    ('9987_Plate_3434', 1, 2)
    """
    t, z = 1, TOP
    home = []
    for part in folder.split("/"):
        match = _FOLDER.fullmatch(part)
        if match is None:
            home.append(part)
        elif match["kind"].lower() == "timepoint":
            t = int(match["number"])
        else:
            z = int(match["number"])
    return "/".join(home), t, z


def plate_id(folder: str) -> str | None:
    """Return the number that MetaXpress gives a plate, where its folder tells it.

    >>> plate_id("9987_Plate_3434"), plate_id("Projection-Mix/2023-02-21/1334"), plate_id("plates/7")
    ('3434', '1334', None)
    """
    match = _PLATE_ID.search(folder)
    return (match[1] or match[2]) if match else None


FORMS = (
    Form(text="<plate>_<well>_s<site>_w<wave>.tif", example="Plate1_A01_s1_w1.TIF", matches=is_certain),
    Form(
        text="<plate>_<well>_s<site>_w<wave><GUID>.tif",
        example="Plate1_A01_s1_w1E94C24BD-45E4-450A-9919-257C714278F7.tif",
        matches=is_certain,
    ),
    Form(text="<plate>_<well>.tif", example="Plate1_A01.TIF", matches=is_certain),
)
