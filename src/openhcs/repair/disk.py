"""What lies in a store without records: its groups and arrays by their place, whatever its documents say."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from openhcs.core.documents import parse_json
from openhcs.core.wells import natural_key
from openhcs.errors import OpenHCSError
from openhcs.io.tree import inside
from openhcs.io.zarr_document import parse_document
from openhcs.ngff import parse
from openhcs.ngff.render import ZARR_FORMAT
from openhcs.run.survey import join

if TYPE_CHECKING:
    from openhcs.core.arrays import ArraySpec
    from openhcs.io.tree import Tree

Json = dict[str, Any]
_NAME = re.compile(r"[A-Za-z0-9]+")
_CHUNK = re.compile(r"c|\d+(?:[./]\d+)*|c[./].*")
LABELS = "labels"
NO_ROWS = frozenset({"OME", LABELS})


@dataclass(slots=True, kw_only=True)
class ImageSeen:
    """One image group: levels right below it in natural order, and nested ones that its document names.

    ``labels`` is None where it has no group of labels.
    """

    path: str
    levels: dict[str, ArraySpec | None] = field(default_factory=dict)
    labels: list[str] | None = None


class Disk:
    """A store as it lies on disk."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.documents: dict[str, Json | None] = {}
        """Attributes of groups that were looked at; None where there are none that can be read."""
        self.wells: dict[str, list[ImageSeen]] = {}
        self._scan()
        self.version = self._version()

    @property
    def zarr_format(self) -> int:
        """The version of Zarr."""
        return ZARR_FORMAT[self.version]

    def attributes(self, path: str) -> Json | None:
        """Return the attributes of a group; None where they cannot be read."""
        if path not in self.documents:
            self.documents[path] = self._attributes(path)
        return self.documents[path]

    def _attributes(self, path: str) -> Json | None:
        new = self.json(join(path, "zarr.json"))
        if new is not None:
            found = new.get("attributes", {})
            return found if new.get("node_type") == "group" and isinstance(found, dict) else None
        return self.json(join(path, ".zattrs"))

    def json(self, path: str) -> Json | None:
        """Return the object in a document; None where there is none."""
        try:
            told = parse_json(self.tree.read(path), path)
        except OpenHCSError:
            return None
        return told if isinstance(told, dict) else None

    def spec(self, path: str) -> ArraySpec | None:
        """Return what the document of an array says; None where it cannot be read."""
        for name in ("zarr.json", ".zarray"):
            try:
                attributes = self.tree.read(join(path, ".zattrs")) if ".zattrs" in self.tree.list(path) else None
                return parse_document(self.tree.read(join(path, name)), path=path, attributes=attributes).spec
            except OpenHCSError:
                continue
        return None

    def _scan(self) -> None:
        for row in self.tree.list().folders:
            if _NAME.fullmatch(row) and row not in NO_ROWS:
                for column in self.tree.list(row).folders:
                    images = [self.image(path) for path in self._images(f"{row}/{column}")]
                    if images and _NAME.fullmatch(column):
                        self.wells[f"{row}/{column}"] = images

    def _images(self, well: str) -> list[str]:
        names = sorted(self.tree.list(well).folders, key=natural_key)
        return [path for name in names if self._is_image(path := f"{well}/{name}")]

    def _is_image(self, path: str) -> bool:
        if self._is_array(path):
            return False
        told = self.attributes(path)
        if told is not None and parse.kind_of(told) == "image":
            return True
        return any(self._is_array(f"{path}/{name}") for name in self.tree.list(path).folders)

    def image(self, path: str) -> ImageSeen:
        """Return what lies in an image group."""
        listing = self.tree.list(path)
        names = [name for name in sorted(listing.folders, key=natural_key) if self._is_array(f"{path}/{name}")]
        with contextlib.suppress(OpenHCSError):
            told = parse.image(self.attributes(path) or {}).levels
            names += [one.path for one in told if "/" in one.path and inside(one.path)]
        seen = ImageSeen(path=path, levels={name: self.spec(f"{path}/{name}") for name in names})
        if LABELS in listing.folders:
            seen.labels = self._below_labels(f"{path}/{LABELS}")
        return seen

    def _below_labels(self, path: str) -> list[str]:
        """Return the label images of a ``labels`` group, by path relative to it; groups between are lawful."""
        found = []
        for name in sorted(self.tree.list(path).folders, key=natural_key):
            if self._is_image(f"{path}/{name}"):
                found.append(name)
            elif not self._is_array(f"{path}/{name}"):
                found += [f"{name}/{inner}" for inner in self._below_labels(f"{path}/{name}")]
        return found

    def _is_array(self, path: str) -> bool:
        listing = self.tree.list(path)
        if ".zarray" in listing:
            return True
        told = self.json(join(path, "zarr.json")) if "zarr.json" in listing else None
        if told is not None and told.get("node_type") in ("array", "group"):
            return bool(told["node_type"] == "array")
        if ".zgroup" in listing:
            return False
        # Without a document chunks tell.
        names = [*listing.folders, *(file.name for file in listing.files if not file.name.startswith("."))]
        chunks = [name for name in names if name != "zarr.json"]
        inner = [self.tree.list(join(path, name)) for name in listing.folders]
        documents = any(one.files and any(file.name in {".zarray", ".zattrs"} for file in one.files) for one in inner)
        groups = any("zarr.json" in one for one in inner)
        return bool(chunks) and all(_CHUNK.fullmatch(name) for name in chunks) and not documents and not groups

    def _version(self) -> str:
        """Return the version that most groups say, of those that fit how the arrays are stored."""
        said: Counter[str] = Counter()
        arrays: Counter[int] = Counter()
        for images in self.wells.values():
            for image in images:
                told = parse.version_of(self.attributes(image.path) or {})
                said[told or ""] += 1
                arrays.update(spec.zarr_format for spec in image.levels.values() if spec is not None)
        for path in ("", *self.wells):
            said[parse.version_of(self.attributes(path) or {}) or ""] += 1
        zarr_format = arrays.most_common(1)[0][0] if arrays else 3 if "zarr.json" in self.tree.list() else 2
        fits = [version for version, _ in said.most_common() if ZARR_FORMAT.get(version) == zarr_format]
        return fits[0] if fits else "0.4" if zarr_format == 2 else "0.5"
