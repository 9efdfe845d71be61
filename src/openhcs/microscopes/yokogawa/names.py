"""How CellVoyager names its files: planes of the CV7000, CV8000 and CQ1, and images that are no planes.

A name is read whole or not at all; reading and writing a name are inverse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from openhcs.core.wells import parse_well, well_name

_CV = re.compile(
    r"(?P<plate>.+)_(?P<well>(?:[A-Z]|A[A-F])[0-9]{2})_T(?P<time>[0-9]{4,6})F(?P<field>[0-9]{3,5})L(?P<timeline>[0-9]{2,4})"
    r"A(?P<action>[0-9]{2,4})Z(?P<z>[0-9]{2,5})C(?P<channel>[0-9]{2,4})\.(?:[Tt][Ii][Ff]{1,2}|[Pp][Nn][Gg])",
    re.ASCII | re.DOTALL,
)
_CQ = re.compile(
    r"W(?P<well>[0-9]{4,6})F(?P<field>[0-9]{4,6})T(?P<time>[0-9]{4,6})Z(?P<z>[0-9]{3,6})C(?P<channel>[0-9]{1,4})"
    r"\.(?:[Tt][Ii][Ff]{1,2}|[Pp][Nn][Gg])",
    re.ASCII,
)
_CORRECTIONS = (
    (re.compile(r"DC_.+\.tiff?", re.IGNORECASE), "dark image of a camera, for correction"),
    (re.compile(r"SC_.+_CH[0-9]+\.tiff?", re.IGNORECASE), "shading of a channel, for correction"),
)
CV_FORM = "<plate>_<well>_T<time>F<field>L<timeline>A<action>Z<z>C<channel>.tif"
CQ_FORM = "W<well>F<field>T<time>Z<z>C<channel>.tif"
FOLDERS = ("image", "projection")
"""Folders, in lower case, in which the CQ1 keeps its images, below the plate's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CvName:
    """What a name of the CV7000 or CV8000 says; rows and columns count from 0, all else from 1."""

    plate: str
    row: int
    column: int
    time: int
    field: int
    timeline: int
    action: int
    z: int
    channel: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CqName:
    """What a name of the CQ1 says; ``well`` counts from 1, row by row; ``z`` 0 is a projection."""

    well: int
    field: int
    time: int
    z: int
    channel: int


def parse_cv(name: str) -> CvName | None:
    """Return what a file name says, or None when it is none of the CV7000 or CV8000.

    >>> parse_cv("Plate#1_C03_T0001F002L01A03Z04C05.tif")  # doctest: +NORMALIZE_WHITESPACE
    CvName(plate='Plate#1', row=2, column=2, time=1, field=2, timeline=1, action=3, z=4, channel=5)
    """
    match = _CV.fullmatch(name)
    if match is None or match["well"].endswith("00"):
        return None
    row, column = parse_well(match["well"])
    numbers = {key: int(match[key]) for key in ("time", "field", "timeline", "action", "z", "channel")}
    return CvName(plate=match["plate"], row=row, column=column, **numbers)


def format_cv(name: CvName) -> str:
    """Return the file name of a plane; the inverse of `parse_cv`."""
    return (
        f"{name.plate}_{well_name(name.row, name.column)}_T{name.time:04d}F{name.field:03d}L{name.timeline:02d}"
        f"A{name.action:02d}Z{name.z:02d}C{name.channel:02d}.tif"
    )


def parse_cq(name: str) -> CqName | None:
    """Return what a file name says, or None when it is none of the CQ1.

    >>> parse_cq("W0029F0001T0001Z000C1.tif")
    CqName(well=29, field=1, time=1, z=0, channel=1)
    """
    match = _CQ.fullmatch(name)
    if match is None:
        return None
    found = CqName(**{key: int(number) for key, number in match.groupdict().items()})
    return found if found.well else None


def format_cq(name: CqName) -> str:
    """Return the file name of a plane; the inverse of `parse_cq`."""
    return f"W{name.well:04d}F{name.field:04d}T{name.time:04d}Z{name.z:03d}C{name.channel}.tif"


def is_plane_name(name: str) -> bool:
    """Return whether a file's name is one that CellVoyager gives to planes."""
    if name.startswith("W") and _CQ.fullmatch(name):
        return True
    return "_T" in name and parse_cv(name) is not None


def correction(name: str) -> str | None:
    """Return what an image for correction is, or None for any other name.

    >>> correction("SC_BP445-45_20x v2_M01_CH01.tif")
    'shading of a channel, for correction'
    """
    what = next((what for pattern, what in _CORRECTIONS if pattern.fullmatch(name)), None)
    return None if what is None or is_plane_name(name) else what
