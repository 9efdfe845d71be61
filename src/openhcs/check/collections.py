"""Collections of images: the root, the group ``OME``, the images that it lists or numbers; and scenes of 0.6."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from openhcs.check.images import inside, look_at_image
from openhcs.check.nodes import join
from openhcs.errors import NotFound, OpenHCSError
from openhcs.io.strangers import read_plain
from openhcs.ngff.rules.collection import check_layout, check_series
from openhcs.ngff.rules.faults import Faults

if TYPE_CHECKING:
    from openhcs.check.look import Look
    from openhcs.check.nodes import Node
    from openhcs.ngff.rules.group import Group

OME = "OME"
XML = "METADATA.ome.xml"
XML_LIMIT = 2**28


def look_at_collection(look: Look, node: Node, group: Group) -> None:
    """Look at a collection, or at its group ``OME`` alone."""
    faults = Faults(group.rules)
    check_layout(group.body, faults)
    alone = check_series(group.body, faults)
    look.take(faults, node.shown)
    if alone is not None or group.kind == "series":
        return
    series = _series(look, node)
    names = list(_numbered(node)) if series is None else series
    there = [name for name in names if _image(look, node, name)]
    if series is None and not names:
        look.say("collection-empty", node.shown, "there is no image 0, 1, … and no list of others")
    for name in sorted(node.folders - {name.split("/")[0] for name in names} - {OME}):
        other = look.nodes.read(join(node.path, name))
        if other.kind == "group" and "multiscales" in (other.attributes.get("ome") or other.attributes):
            look.say("series-unlisted", other.path, "an image lies here that the collection does not list")
    _xml(look, node, len(there))


def look_at_scene(look: Look, node: Node) -> None:
    """Look at the images of a scene, which lie below it."""
    look.say("scene-unread", node.shown, "the transformations between images were not looked at")
    for name in sorted(node.folders):
        image = look.nodes.read(join(node.path, name))
        if image.kind == "group" and "multiscales" in (image.attributes.get("ome") or image.attributes):
            group = look.group(image, "image")
            if group is not None:
                look_at_image(look, image, group)


def _series(look: Look, node: Node) -> list[str] | None:
    """Return the images that ``OME`` lists; None where it lists none."""
    if OME not in node.folders:
        return None
    ome = look.nodes.read(join(node.path, OME))
    if not look.is_group(ome):
        return None
    if "series" not in (ome.attributes.get("ome") or ome.attributes):
        return None
    group = look.group(ome, "series")
    if group is None:
        return None
    faults = Faults(group.rules)
    found = check_series(group.body, faults)
    look.take(faults, ome.shown)
    return None if found is None else list(found)


def _numbered(node: Node) -> itertools.takewhile[str]:
    return itertools.takewhile(lambda name: name in node.folders, map(str, itertools.count()))


def _image(look: Look, node: Node, name: str) -> bool:
    path = inside(look, node, name, None)
    if path is None:
        return False
    image = look.nodes.read(path)
    if image.kind == "absent":
        look.say("series-absent", path, "this image is listed and not there")
        return False
    group = look.group(image, "image")
    if group is not None:
        look_at_image(look, image, group)
    return group is not None


def _xml(look: Look, node: Node, images: int) -> None:
    path = join(node.path, OME, XML)
    try:
        place = look.nodes.place(path)
        look.nodes.fence.check(place)
        data = read_plain(place, limit=XML_LIMIT)
    except NotFound:
        look.say("collection-xml-missing", path, "there is no OME-XML of the whole collection")
        return
    except OpenHCSError as error:
        look.say("document-unreadable", path, error.message)
        return
    told = data.count(b"<Image ") + data.count(b":Image ")
    if told != images:
        look.say("collection-xml-count", path, f"the OME-XML tells of {told} images, {images} are there")
