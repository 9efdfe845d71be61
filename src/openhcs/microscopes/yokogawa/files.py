"""The files of one CellVoyager plate: images found by the names of records, and what its documents tell.

A record names an image with an extension, a case and letters that a copy may not have kept, so an image
is looked for by its exact path first, then by its name without these.
"""

from __future__ import annotations

import posixpath
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openhcs.core.plate import FileSource, PlaneState
from openhcs.errors import FormatError
from openhcs.microscopes.by_name import is_below
from openhcs.microscopes.forms import is_image
from openhcs.microscopes.yokogawa.protocol import parse_protocol
from openhcs.microscopes.yokogawa.xml import MOST_COLUMNS, MOST_ROWS, parse_tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs.core.plate import Channel, Files
    from openhcs.microscopes.yokogawa.protocol import Protocol
    from openhcs.microscopes.yokogawa.xml import Node

DOCUMENTS = (".mlf", ".mrf", ".mes", ".wpi", ".wpp", ".xml")
DOCUMENT_LIMIT = 16 * 2**20
NO_PLATE_ID = "NoPlateID"
"""What the CQ1 writes where a plate has no label."""
_PREFERRED = (".tif", ".tiff", ".png")


def _spelt(name: str) -> str:
    """Return a name as it is compared: μ and µ, and capitals, are alike."""
    return unicodedata.normalize("NFKC", name).casefold()


def _stem(path: str) -> str:
    return _spelt(posixpath.splitext(posixpath.basename(path))[0])


class Finder:
    """Finds the images that records name, and never looks outside the plate's folder."""

    def __init__(self, files: Files, home: str) -> None:
        self._home = home
        self._prefix = f"{home}/" if home else ""
        self._there = {file.path: file for file in files.list() if is_below(file.path, home)}
        self._stems: dict[str, list[FileSource]] | None = None
        self.otherwise: list[tuple[str, str]] = []
        """(name in the records, path) of images found otherwise than by their path."""
        self.several: list[tuple[str, str, str]] = []
        """(name in the records, path taken, another path) where more than one was to be had."""
        self.missing: list[str] = []
        """Paths of images that are not there."""

    def find(self, name: str) -> tuple[FileSource | None, PlaneState]:
        """Return the image that a record names and whether it is there; none for no name."""
        file = self._there.get(self._prefix + name)
        if file is not None:
            return file, PlaneState.PRESENT
        if not name:
            return None, PlaneState.NOT_RECORDED
        relative = posixpath.normpath(name.replace("\\", "/"))
        outside = relative.startswith(("/", "..")) or ":" in relative
        path = posixpath.join(self._home, posixpath.basename(relative) if outside else relative)
        file = None if outside else self._there.get(path)
        if file is None:
            file = self._alike(path, name)
        if file is None:
            self.missing.append(path)
            return FileSource(path), PlaneState.MISSING
        return file, PlaneState.PRESENT

    def _alike(self, path: str, name: str) -> FileSource | None:
        if self._stems is None:
            self._stems = defaultdict(list)
            for file in self._there.values():
                if is_image(file.path):
                    self._stems[_stem(file.path)].append(file)
        found = sorted(self._stems.get(_stem(path), ()), key=lambda file: self._order(file.path, path))
        if not found:
            return None
        self.otherwise.append((name, found[0].path))
        if len(found) > 1:
            self.several.append((name, found[0].path, found[1].path))
        return found[0]

    @staticmethod
    def _order(path: str, wanted: str) -> tuple[bool, bool, int, str]:
        suffix = posixpath.splitext(path)[1].lower()
        place = _PREFERRED.index(suffix) if suffix in _PREFERRED else len(_PREFERRED)
        folder = _spelt(posixpath.dirname(path))
        return (path != wanted, folder != _spelt(posixpath.dirname(wanted)), place, path)


@dataclass(slots=True)
class Facts:
    """What the documents beside the records tell; sizes (y, x) by channel."""

    title: str | None = None
    label: str | None = None
    instrument: str | None = None
    start: str | None = None
    times: int | None = None
    shape: tuple[int, int] | None = None
    plate_type: str | None = None
    protocol: Protocol | None = None
    setting: str = ""
    """Path of the measurement setting."""
    documents: tuple[str, ...] = ()
    """Paths of all documents in the plate's folder."""
    pixel_sizes: dict[int, tuple[float, float]] = field(default_factory=dict)
    plane_shapes: dict[int, tuple[int, int]] = field(default_factory=dict)
    depths: dict[int, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def channels(self) -> Mapping[int, tuple[Channel, str]]:
        """The channels of the measurement setting, each with its filter."""
        return self.protocol.channels if self.protocol else {}


def read_facts(files: Files, home: str) -> Facts:
    """Return what the documents in a plate's folder tell.

    Raises
    ------
    FormatError
        one of them is damaged, or holds a number that is none.
    """
    facts = Facts()
    beside = _Documents(files, home, facts.warnings)
    facts.documents = tuple(beside.paths)
    detail = beside.tree(".mrf", "MeasurementDetail", "MeasurementDetail.mrf")
    names: Mapping[str, str] = {}
    if detail is not None:
        _add_detail(facts, detail)
        plate = next(detail.all("MeasurementSamplePlate"), None)
        names = {**detail.facts, **(plate.facts if plate else {})}
    setting = beside.find(".mes", names.get("MeasurementSettingFileName"))
    if setting is not None:
        facts.setting = setting
        facts.protocol = parse_protocol(*beside.read(setting))
    label = beside.tree(".wpi", "WellPlate", names.get("WellPlateFileName"))
    product = beside.tree(".wpp", "WellPlateProduct", names.get("WellPlateProductFileName"))
    for node in (label, product):
        if node is not None and facts.shape is None:
            facts.shape = _shape(node, "Rows", "Columns")
    if label is not None:
        facts.label = facts.label or label.told("Name")
    if product is not None:
        facts.plate_type = " ".join(filter(None, (product.told("Manufacturer"), product.told("Name")))) or None
    return facts


class _Documents:
    """The documents in a plate's folder."""

    def __init__(self, files: Files, home: str, warnings: list[str]) -> None:
        self._files = files
        self._warnings = warnings
        self.paths = [
            file.path
            for file in files.list()
            if file.path.lower().endswith(DOCUMENTS) and posixpath.dirname(file.path) == home
        ]

    def find(self, suffix: str, told: str | None) -> str | None:
        """Return the path of a document: the one that is named, or the only one of its kind."""
        found = [path for path in self.paths if path.lower().endswith(suffix)]
        named = [path for path in found if told and _spelt(posixpath.basename(path)) == _spelt(told)]
        if len(named) == 1 or len(found) == 1:
            return (named or found)[0]
        if found:
            self._warnings.append(
                f"{len(found)} files end in {suffix} and no document says which is meant: none is read"
            )
        return None

    def read(self, path: str) -> tuple[bytes, str]:
        """Return a document's bytes, and where it is for messages."""
        return self._files.read_bytes(path, limit=DOCUMENT_LIMIT), posixpath.join(self._files.root, path)

    def tree(self, suffix: str, root: str, told: str | None) -> Node | None:
        """Return the root of a document, or None where there is none."""
        path = self.find(suffix, told)
        return None if path is None else parse_tree(*self.read(path), root)


def _shape(node: Node, rows: str, columns: str) -> tuple[int, int] | None:
    high, wide = node.whole(rows, 1, MOST_ROWS), node.whole(columns, 1, MOST_COLUMNS)
    return None if high is None or wide is None else (high, wide)


def _add_detail(facts: Facts, detail: Node) -> None:
    facts.title = detail.told("Title")
    facts.instrument = detail.told("TargetSystem")
    facts.start = detail.told("BeginTime")
    facts.times = detail.whole("TimePointCount")
    facts.shape = _shape(detail, "RowCount", "ColumnCount")
    for plate in detail.all("MeasurementSamplePlate"):
        facts.label = plate.told("Name")
    for node in detail.all("MeasurementChannel"):
        number = node.whole("Ch")
        if number is None:
            continue
        high, wide = node.number("VerticalPixelDimension"), node.number("HorizontalPixelDimension")
        if high is not None and wide is not None:
            if min(high, wide) <= 0:
                raise FormatError(f"{detail.path}: pixels of {high:g} × {wide:g} µm cannot be", path=detail.path)
            facts.pixel_sizes[number] = (high, wide)
        shape = (node.whole("VerticalPixels"), node.whole("HorizontalPixels"))
        if shape[0] and shape[1]:
            facts.plane_shapes[number] = (shape[0], shape[1])
        depth = node.whole("InputBitDepth")
        if depth:
            facts.depths[number] = depth
