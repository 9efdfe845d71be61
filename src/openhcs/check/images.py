"""One image of a store: its document, its arrays, its labels."""

from __future__ import annotations

from dataclasses import dataclass
from posixpath import normpath
from typing import TYPE_CHECKING, Any

from openhcs.check.nodes import join
from openhcs.check.objects import check_objects
from openhcs.ngff.rules import labels as label_rules
from openhcs.ngff.rules.arrays import check_array
from openhcs.ngff.rules.faults import Faults
from openhcs.ngff.rules.image import check_image
from openhcs.ngff.rules.levels import check_array_in_image, check_channels, check_levels, check_units

if TYPE_CHECKING:
    from openhcs.check.look import Look
    from openhcs.check.nodes import Node
    from openhcs.ngff.rules.arrays import ArrayFacts
    from openhcs.ngff.rules.group import Group
    from openhcs.ngff.rules.image import ImageFacts, LevelFacts

LABELS = "labels"
MOST_LETTERS = 1000
"""Letters of the path of a level, an image or a label."""
DEEPEST = 8
"""Folders between the group ``labels`` and a label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """The facts of an image and those of its arrays that are there and right."""

    image: ImageFacts
    levels: tuple[tuple[LevelFacts, ArrayFacts], ...]


def look_at_image(look: Look, node: Node, group: Group, *, well: str | None = None) -> Pixels | None:
    """Look at an image, what it is made of, and the labels beneath it."""
    faults = Faults(group.rules)
    entries = check_image(group.body, faults)
    look.take(faults, node.shown, well=well)
    pixels = [_levels(look, node, group, facts, well) for facts in entries]
    _unlisted(look, node, entries, well)
    if not pixels:
        return None
    if LABELS in node.folders:
        _labels(look, look.nodes.read(join(node.path, LABELS)), pixels[0], well)
    return pixels[0]


def inside(look: Look, node: Node, path: str, well: str | None) -> str | None:
    """Return a path of the store for one below a group; None, with a finding, where it leads out or nowhere."""
    inner = normpath(path) if path else ""
    usable = len(path) <= MOST_LETTERS and path.isprintable() and "\\" not in path
    if not usable or not inner or path.startswith("/") or inner.split("/")[0] in ("..", "."):
        look.say("path-leads-out", node.shown, f"the path {path!r:.80} is none below this group", well=well)
        return None
    return join(node.path, inner)


def _levels(look: Look, node: Node, group: Group, image: ImageFacts, well: str | None) -> Pixels:
    found: list[tuple[LevelFacts, ArrayFacts]] = []
    faults = Faults(group.rules)
    absent = stored = 0
    for level in image.levels:
        path = inside(look, node, level.path, well)
        array = None if path is None else look_at_array(look, look.nodes.read(path), group, well=well)
        if array is None or path is None:
            continue
        facts, counts = array
        check_array_in_image(image, level.path, facts, faults)
        found.append((level, facts))
        stored += counts[0]
        absent += counts[1]
    spaces = [axis.type for axis in image.axes[-2:]]
    if len(found) > 1 and spaces == ["space", "space"]:
        look.pyramids.append(tuple(normpath(join(node.path, level.path)) for level, _ in found))
    if found:
        check_levels(image, found, faults)
        check_channels(image, found[0][1], faults)
        check_units(image, found[0][1], faults)
    look.take(faults, node.shown, well=well)
    if absent:
        said = f"{absent} of {absent + stored} objects of this image are not stored: their pixels are the fill value"
        look.say("chunks-absent", node.path, said, version=group.rules, well=well)
    return Pixels(image=image, levels=tuple(found))


def look_at_array(
    look: Look, node: Node, group: Group, *, well: str | None
) -> tuple[ArrayFacts, tuple[int, int]] | None:
    """Look at an array; return its facts and the counts of objects that are stored and absent."""
    if node.kind == "absent" or (node.kind == "folder" and not node.zarr_format):
        if node.kind == "absent":
            look.say("level-absent", node.path, "this level is listed and not there", well=well)
        else:
            missing = join(node.path, "zarr.json" if look.root.zarr_format == 3 else ".zarray")
            look.say("level-absent", missing, "this level has no array document", well=well)
        return None
    if node.kind != "array":
        if look.is_group(node, well=well):
            look.say("level-absent", node.path, "this is a group, where the array of a level belongs", well=well)
        return None
    if node.both:
        look.say("two-zarr-versions", node.path, "documents of Zarr v2 and v3 lie here", well=well)
    faults = Faults(group.rules)
    if node.zarr_format != look.root.zarr_format:
        said = f"an array of Zarr v{node.zarr_format} in a store of v{look.root.zarr_format}"
        faults.say("zarr-versions-mixed", said)
    facts = check_array(node.document, node.attributes, node.zarr_format, faults)
    shown = join(node.path, "zarr.json" if node.zarr_format == 3 else ".zarray")
    look.take(faults, shown, well=well)
    return None if facts is None else (facts, check_objects(look, node, facts, well))


def _unlisted(look: Look, node: Node, entries: tuple[ImageFacts, ...], well: str | None) -> None:
    known = {normpath(level.path).split("/")[0] for image in entries for level in image.levels if level.path}
    for name in sorted(node.folders - known - {LABELS}):
        there = look.nodes.read(join(node.path, name))
        if there.kind == "array":
            look.say("level-unlisted", there.path, "an array lies here that is no level of the image", well=well)


def _labels(look: Look, node: Node, image: Pixels, well: str | None) -> None:
    group = look.group(node, LABELS, well=well)
    if group is None:
        return
    faults = Faults(group.rules)
    names = label_rules.check_labels(group.body, faults)
    look.take(faults, node.shown, well=well)
    listed = set()
    for name in names:
        path = inside(look, node, name, well)
        if path is None or path in listed:
            continue
        listed.add(path)
        label = look.nodes.read(path)
        if label.kind == "absent":
            look.say("label-absent", path, "this label is listed and not there", well=well)
        else:
            look_at_label(look, label, image, well=well)
    for path in _label_groups(look, node, DEEPEST):
        if path not in listed:
            look.say("label-unlisted", path, "this label is there and not listed", well=well)


def look_at_label(look: Look, node: Node, image: Pixels | None, *, well: str | None) -> None:
    """Look at a label, and compare it with its image where that is known."""
    group = look.group(node, "image", well=well)
    if group is None:
        return
    pixels = look_at_image(look, node, group, well=well)
    faults = Faults(group.rules)
    told = label_rules.check_image_label(group.body, faults)
    if pixels is not None:
        label_rules.check_pixels(pixels.levels, faults)
        if image is not None:
            label_rules.compare(image.image, image.levels, pixels.image, pixels.levels, faults)
    source = None if told is None else normpath(join(node.path, told))
    # What a label alone names above itself is not looked for.
    if source is not None and not source.startswith("..") and not _is_group(look, source):
        faults.say("label-source", f"image-label.source.image is {told!r:.80}: no image is there")
    look.take(faults, node.shown, well=well)


def _is_group(look: Look, path: str) -> bool:
    return look.nodes.read("" if path == "." else path).kind == "group"


def _label_groups(look: Look, node: Node, depth: int) -> list[str]:
    """Return the paths of images below the group of labels."""
    found: list[str] = []
    for name in sorted(node.folders):
        there = look.nodes.read(join(node.path, name))
        if there.kind == "group":
            body: Any = there.attributes.get("ome", there.attributes)
            if isinstance(body, dict) and "multiscales" in body:
                found.append(there.path)
            elif depth:
                found += _label_groups(look, there, depth - 1)
    return found
