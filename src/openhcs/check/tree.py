"""A store from its root down: plates, wells, collections, single images; what is listed against what is there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs.check.collections import look_at_collection, look_at_scene
from openhcs.check.images import LABELS, inside, look_at_array, look_at_image, look_at_label
from openhcs.check.look import Look
from openhcs.check.nodes import Nodes, join
from openhcs.ngff.rules.faults import Faults
from openhcs.ngff.rules.group import group_of
from openhcs.ngff.rules.labels import check_labels
from openhcs.ngff.rules.plate import check_counts, check_plate
from openhcs.ngff.rules.well import check_well

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from openhcs.check.findings import Finding
    from openhcs.check.nodes import Node
    from openhcs.ngff.rules.group import Group
    from openhcs.ngff.rules.plate import PlateFacts
    from openhcs.ngff.rules.well import WellFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a store is, what was found; its folders by kind, and the levels of each image, the largest first."""

    kind: str | None
    findings: Sequence[Finding]
    pyramids: Sequence[Sequence[str]]
    kinds: Mapping[str, str]


def look_at_store(store: Path, prefix: str = "") -> Seen:
    """Look at all documents, arrays and stored objects' names of one store, without decoding pixels.

    Parameters
    ----------
    store
        folder of an image, a well, a plate, a list of labels, a label or a collection.
    prefix
        path of the store below what was asked for, put before the path of each finding.
    """
    nodes = Nodes(store)
    node = nodes.read("")
    group = group_of(node.attributes, node.zarr_format or 3)
    look = Look(nodes=nodes, root=group, prefix=prefix)
    kind = group.kind
    if node.kind == "array":
        look.say("not-ome-zarr", node.shown, "this is a single array, which has no OME-Zarr metadata")
        look_at_array(look, node, group, well=None)
        return Seen(kind=None, findings=look.found, pyramids=look.pyramids, kinds=nodes.kinds)
    if kind is None:
        if look.is_group(node):
            look.say("not-ome-zarr", node.shown, "this group has no OME-Zarr metadata")
        return Seen(kind=None, findings=look.found, pyramids=look.pyramids, kinds=nodes.kinds)
    if look.group(node, kind) is not None:
        _by_kind(look, node, group)
    return Seen(kind=kind, findings=look.found, pyramids=look.pyramids, kinds=nodes.kinds)


def _by_kind(look: Look, node: Node, group: Group) -> None:
    match group.kind:
        case "plate":
            _plate(look, node, group)
        case "well":
            _well(look, node, group, (), None)
        case "image" if "image-label" in group.body:
            look_at_label(look, node, None, well=None)
        case "image":
            look_at_image(look, node, group)
        case "labels":
            _labels(look, node, group)
        case "scene":
            look_at_scene(look, node)
        case _:
            look_at_collection(look, node, group)


def _labels(look: Look, node: Node, group: Group) -> None:
    faults = Faults(group.rules)
    names = check_labels(group.body, faults)
    look.take(faults, node.shown)
    for name in names:
        path = inside(look, node, name, None)
        if path is not None:
            label = look.nodes.read(path)
            if label.kind == "absent":
                look.say("label-absent", path, "this label is listed and not there")
            else:
                look_at_label(look, label, None, well=None)


def _plate(look: Look, node: Node, group: Group) -> None:
    faults = Faults(group.rules)
    plate = check_plate(group.body, faults)
    rows: dict[str, Node] = {}
    wells = []
    for path in plate.wells:
        row, _, column = path.partition("/")
        if row not in rows:
            rows[row] = _row(look, row)
        told = _listed_well(look, rows[row], path, column, plate)
        wells += [] if told is None else [told.counts]
    check_counts(plate, wells, faults)
    look.take(faults, node.shown)
    _unlisted_wells(look, node, rows, plate)


def _row(look: Look, name: str) -> Node:
    node = look.nodes.read(name)
    if node.kind != "absent":
        look.is_group(node, code="row-document-missing")
        if node.zarr_format not in (0, look.root.zarr_format):
            said = f"a group of Zarr v{node.zarr_format} in a store of v{look.root.zarr_format}"
            look.say("zarr-versions-mixed", node.shown, said)
    return node


def _listed_well(look: Look, row: Node, path: str, column: str, plate: PlateFacts) -> WellFacts | None:
    name = path.replace("/", "")
    if column not in row.folders:
        look.say("well-absent", path, "this well is listed and not there", well=name)
        return None
    node = look.nodes.read(path)
    group = look.group(node, "well", well=name)
    return None if group is None else _well(look, node, group, tuple(plate.acquisitions), name)


def _well(look: Look, node: Node, group: Group, acquisitions: Collection[int], name: str | None) -> WellFacts:
    faults = Faults(group.rules)
    well = check_well(group.body, acquisitions, faults)
    look.take(faults, node.shown, well=name)
    known = set()
    for path in well.images:
        where = inside(look, node, path, name)
        if where is None:
            continue
        known.add(path.split("/")[0])
        site = look.nodes.read(where)
        if site.kind == "absent":
            look.say("site-absent", where, "this image is listed and not there", well=name)
        elif (image := look.group(site, "image", well=name)) is not None:
            look_at_image(look, site, image, well=name)
    for folder in sorted(node.folders - known - {LABELS}):
        there = look.nodes.read(join(node.path, folder))
        if _kind(there) == "image":
            look.say("site-unlisted", there.path, "an image lies here that its well does not list", well=name)
    return well


def _unlisted_wells(look: Look, node: Node, rows: dict[str, Node], plate: PlateFacts) -> None:
    """Look for wells on disk that the plate does not list."""
    listed = set(plate.wells)
    for name in sorted(node.folders - {"OME"}):
        row = rows[name] if name in rows else look.nodes.read(name)
        for column in sorted(row.folders):
            path = f"{name}/{column}"
            if path not in listed and _is_well(look, look.nodes.read(path)):
                look.say("well-unlisted", path, "a well lies here that the plate does not list", well=f"{name}{column}")


def _is_well(look: Look, node: Node) -> bool:
    """Return whether a folder is a well, or holds images as one does."""
    if node.kind == "group" and _kind(node) is not None:
        return _kind(node) == "well"
    if node.kind not in ("group", "folder"):
        return False
    return any(_kind(look.nodes.read(join(node.path, name))) == "image" for name in sorted(node.folders)[:10])


def _kind(node: Node) -> str | None:
    return group_of(node.attributes, node.zarr_format or 3).kind if node.kind == "group" else None


def stores_of(output: Path) -> list[Path]:
    """Return the stores of an output of openhcs: itself, ``images.zarr`` and those of its steps."""
    if output.suffix == ".zarr":
        return [output] if output.is_dir() else []
    steps = output / "steps"
    below = sorted(os.listdir(steps)) if steps.is_dir() else []
    places = [output / "images.zarr", *(steps / name for name in below if name.endswith(".zarr"))]
    return [place for place in places if place.is_dir()]
