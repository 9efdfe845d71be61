"""What every group says: its kind, its version, and whether both fit the Zarr version that it is stored in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openhcs.ngff.parse import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs.ngff.rules.faults import Faults

    Json = Mapping[str, Any]

KNOWN = {"0.4": "0.4", "0.5": "0.5", "0.6": "0.6", "0.6rc0": "0.6"}
"""Versions and the rules that they are looked at by."""
PARTS = ("plate", "well", "image-label", "omero")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The OME-Zarr part of one group's attributes.

    Attributes
    ----------
    kind
        "plate", "well", "image", "labels", "collection", "series", "scene", or None.
    version
        as the group says it, or None.
    rules
        the version whose rules it is looked at by: its own, else the nearest.
    body
        the keys of OME-Zarr: of ``ome``, or of the attributes themselves.
    zarr_format
        2 or 3.
    """

    kind: str | None
    version: str | None
    rules: str
    body: Json
    wrapped: bool
    zarr_format: int


def group_of(attributes: Json, zarr_format: int) -> Group:
    """Return what a group's attributes say.

    >>> group_of({"ome": {"version": "0.5", "well": {}}}, 3).kind
    'well'
    """
    ome = attributes.get("ome")
    wrapped = isinstance(ome, dict)
    body: Json = ome if isinstance(ome, dict) else attributes
    version = _version(body, wrapped=wrapped)
    newer = "0.6" if _has_systems(body) else "0.5"
    rules = KNOWN.get(version or "", newer if zarr_format == 3 else "0.4")
    if (rules == "0.4") == wrapped:
        rules = newer if wrapped else "0.4"
    kind = kind_of(attributes) or ("scene" if wrapped and "scene" in body else None)
    return Group(kind=kind, version=version, rules=rules, body=body, wrapped=wrapped, zarr_format=zarr_format)


def check_group(group: Group, root: Group, faults: Faults) -> None:
    """Note what is wrong with a group's version and place; ``root`` is that of the whole store."""
    if group.wrapped != (group.zarr_format == 3):
        place = "beneath the key ome" if group.wrapped else "without the key ome"
        faults.say("metadata-in-wrong-zarr", f"metadata {place} in Zarr v{group.zarr_format}")
    if group.zarr_format != root.zarr_format:
        faults.say("zarr-versions-mixed", f"a group of Zarr v{group.zarr_format} in a store of v{root.zarr_format}")
    if group.version is None:
        if group.wrapped:
            faults.say("version-missing", "ome.version is missing, or no text")
    elif group.version not in KNOWN:
        faults.say("version-unknown", f"the version {group.version!r:.40} is not known")
    elif root.version not in (None, group.version):
        faults.say("versions-mixed", f"version {group.version} in a store of {root.version!r:.40}")
    _parts(group, faults)


def _parts(group: Group, faults: Faults) -> None:
    """Compare the versions told in parts of a document with the group's own."""
    for where, part in _told(group.body):
        version = part.get("version")
        if version is None:
            # The schema of 0.5 wants none, its text wants one in plate.
            wanted = ("plate",) if group.rules == "0.5" else ("plate", "well", "image-label", "multiscales")
            if group.rules != "0.6" and where.partition("[")[0] in wanted:
                faults.say("part-version-missing", f"{where}.version is missing")
        elif not isinstance(version, str):
            faults.say("value-wrong", f"{where}.version is {version!r:.40}, not a text")
        elif group.version is not None and version != group.version and where != "omero":
            faults.say("version-differs", f"{where}.version is {version!r:.40}, the group's is {group.version!r:.40}")


def _told(body: Json) -> list[tuple[str, Json]]:
    entries = body.get("multiscales")
    listed = entries[:20] if isinstance(entries, list) else []
    found = [(f"multiscales[{n}]", one) for n, one in enumerate(listed) if isinstance(one, dict)]
    return [*found, *((key, part) for key in PARTS if isinstance(part := body.get(key), dict))]


def _version(body: Json, *, wrapped: bool) -> str | None:
    if wrapped:
        told = body.get("version")
        return told if isinstance(told, str) else None
    return next((part["version"] for _, part in _told(body) if isinstance(part.get("version"), str)), None)


def _has_systems(body: Json) -> bool:
    entries = body.get("multiscales")
    return isinstance(entries, list) and any(isinstance(one, dict) and "coordinateSystems" in one for one in entries)
