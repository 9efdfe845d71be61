"""One look at one store: what it is, how its documents are read, and where findings go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openhcs.check.findings import Finding, cut
from openhcs.check.nodes import join
from openhcs.ngff.rules.faults import Faults
from openhcs.ngff.rules.group import check_group, group_of
from openhcs.ngff.rules.table import RULES

if TYPE_CHECKING:
    from openhcs.check.nodes import Node, Nodes
    from openhcs.ngff.rules.group import Group


@dataclass(slots=True)
class Look:
    """Gathers findings about a store.

    Parameters
    ----------
    nodes
        of the store.
    prefix
        path of the store below what was asked for.
    root
        what the root of the store says; other groups are compared with it.
    """

    nodes: Nodes
    root: Group
    prefix: str = ""
    found: list[Finding] = field(default_factory=list)
    pyramids: list[tuple[str, ...]] = field(default_factory=list)
    """Paths of the levels of each image, the largest first."""

    def say(self, code: str, path: str, said: str, *, version: str = "", well: str | None = None) -> None:
        """Note one finding."""
        rule = RULES[code]
        self.found.append(
            Finding(
                code=code,
                severity=rule.severity,
                path=join(self.prefix, path),
                message=cut(said),
                remedy=f"{rule.remedy}." if rule.remedy else "",
                rule=rule.cited(version or self.root.rules),
                well=well,
            )
        )

    def take(self, faults: Faults, path: str, *, well: str | None = None) -> None:
        """Note what rules found in one document."""
        for one in faults.told():
            self.say(one.code, path, one.said, version=faults.version, well=well)

    def group(self, node: Node, kind: str, *, well: str | None = None) -> Group | None:
        """Return what the group at a node says where it is of that kind; else None, with a finding."""
        if not self.is_group(node, well=well):
            return None
        group = group_of(node.attributes, node.zarr_format)
        faults = Faults(group.rules)
        check_group(group, self.root, faults)
        if kind != group.kind and kind not in group.body and not (kind == "image" and "multiscales" in group.body):
            if group.kind is None:
                faults = Faults(group.rules)
            faults.say("not-ome-zarr", f"this is {_words(group.kind)}, where {_words(kind)} belongs")
            self.take(faults, node.shown, well=well)
            return None
        self.take(faults, node.shown, well=well)
        return group

    def is_group(self, node: Node, *, code: str = "group-document-missing", well: str | None = None) -> bool:
        """Return whether a node that is there is a group, with a finding where it is not."""
        if node.both:
            self.say("two-zarr-versions", node.path, "documents of Zarr v2 and v3 lie here", well=well)
        match node.kind:
            case "group":
                return True
            case "outside":
                self.say("path-leads-out", node.path, node.said, well=well)
            case "damaged":
                self.say("document-unreadable", node.shown, node.said, well=well)
            case "array":
                self.say("not-ome-zarr", node.path, "this is an array, where a group belongs", well=well)
            case _:
                missing = join(node.path, "zarr.json" if self.root.zarr_format == 3 else ".zgroup")
                self.say(code, missing, "this folder is no Zarr group: that document is missing", well=well)
                return node.zarr_format != 0
        return False


def _words(kind: str | None) -> str:
    if kind is None:
        return "a group without OME-Zarr metadata"
    return {"image": "an image", "labels": "a list of labels", "series": "a list of series"}.get(kind, f"a {kind}")
