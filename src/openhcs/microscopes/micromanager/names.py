"""Names that Micro-Manager gives its files: one for each plane, or stacks of pages; numbers count from 0."""

from __future__ import annotations

import re
from dataclasses import dataclass

METADATA = "metadata.txt"
SPELT_2 = "img_channel<ccc>_position<ppp>_time<ttttttttt>_z<zzz>.tif"
SPELT_1 = "img_<ttttttttt>_<channel>_<zzz>.tif"
SPELT_STACK = "<prefix>_MMStack_<position>.ome.tif"
_TWO = re.compile(
    r"img(?:_channel(?P<c>[0-9]{3,5}))?(?:_position(?P<p>[0-9]{3,6}))?(?:_time(?P<t>[0-9]{9}))?(?:_z(?P<z>[0-9]{3,6}))?\.tif"
)
_ONE = re.compile(r"img_(?P<t>[0-9]{9})_(?P<channel>[^/]*)_(?P<z>[0-9]{3,6})\.tif")
_STACK = re.compile(r"(?:(?P<prefix>[^/]+)_)?MMStack(?:_(?P<label>[^/]+))?\.ome\.tif")
_TEXT = re.compile(r"(?:(?P<prefix>[^/]+)_)?MMStack(?:_(?P<label>[^/]+))?_metadata\.txt")
LONGEST = 1000
"""Letters of the longest name that is looked at: no file system takes as many."""
_USUAL = re.compile(r"Pos[-_]?[0-9]+|Default|[0-9]+-Pos[-_]?[0-9]+_[0-9]+|.*-Site_[0-9]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PlaneName:
    """What the name of a plane's own file tells: ``c`` or the ``channel``'s name, by version; None is not told."""

    t: int = 0
    c: int | None = None
    z: int = 0
    position: int | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class StackName:
    """What the name of a stack, or of its metadata, tells; empty where it has no such part."""

    prefix: str
    label: str


def parse_plane(name: str) -> PlaneName | None:
    """Return what the name of a plane's file tells, or None when it is none of Micro-Manager's.

    >>> parse_plane("img_000000003_DAPI_012.tif")
    PlaneName(t=3, c=None, z=12, position=None, channel='DAPI')
    """
    if not name.startswith("img_"):
        return None
    match = _ONE.fullmatch(name)
    if match is not None:
        return PlaneName(t=int(match["t"]), z=int(match["z"]), channel=match["channel"])
    match = _TWO.fullmatch(name)
    if match is None:
        return None
    position = None if match["p"] is None else int(match["p"])
    return PlaneName(t=int(match["t"] or 0), c=int(match["c"] or 0), z=int(match["z"] or 0), position=position)


def format_plane(name: PlaneName) -> str:
    """Return the file name that Micro-Manager gives a plane; the inverse of `parse_plane`."""
    if name.channel is not None:
        return f"img_{name.t:09d}_{name.channel}_{name.z:03d}.tif"
    return f"img_channel{name.c or 0:03d}_position{name.position or 0:03d}_time{name.t:09d}_z{name.z:03d}.tif"


def parse_stack(name: str) -> StackName | None:
    """Return what the name of a stack tells, or None when it is none of Micro-Manager's.

    >>> parse_stack("screen_1_MMStack_A1-Site_0.ome.tif")
    StackName(prefix='screen_1', label='A1-Site_0')
    """
    return _stack(_STACK.fullmatch(name)) if "MMStack" in name and len(name) < LONGEST else None


def parse_text(name: str) -> StackName | None:
    """Return which stacks a ``*_metadata.txt`` is of, or None when it is of none."""
    return _stack(_TEXT.fullmatch(name)) if "MMStack" in name and len(name) < LONGEST else None


def format_stack(name: StackName, number: int = 0) -> str:
    """Return the file name of a stack, or of the file that goes on where it is full."""
    words = [word for word in (name.prefix, "MMStack", name.label, str(number) if number else "") if word]
    return f"{'_'.join(words)}.ome.tif"


def _stack(match: re.Match[str] | None) -> StackName | None:
    return None if match is None else StackName(match["prefix"] or "", match["label"] or "")


def is_usual(label: str) -> bool:
    """Return whether a folder is named as Micro-Manager names positions nobody named."""
    return _USUAL.fullmatch(label) is not None
