"""Look through an OME-Zarr plate before it is carried over: every group, array and file of every well.

Documents are read, pixels are not. What cannot be carried is known here, before anything is written.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.core.documents import parse_json
from openhcs.errors import FormatError, OpenHCSError
from openhcs.io.tree import inside
from openhcs.io.zarr_document import parse_document
from openhcs.ngff import parse, render
from openhcs.ngff.translate import translate, with_scales

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from openhcs.core.arrays import ArraySpec
    from openhcs.io.tree import Entry, Listing, Tree

Json = dict[str, Any]
GROUP_FILES = frozenset({"zarr.json", ".zgroup", ".zattrs", ".zmetadata"})
ARRAY_FILES = frozenset({"zarr.json", ".zarray", ".zattrs"})
MOST_OBJECTS = 10_000_000
"""Objects of one array that are made anew."""
DEEPEST = 32
"""Folders within one another; a store that is deeper is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayFound:
    """An array of the store.

    Parameters
    ----------
    path
        of its folder in the store.
    spec
        what its document says; None where it is of a kind that is not read.
    why
        it is not read, if it is not.
    axes
        names of its axes, as the image says that it is a level of.
    objects
        how many files it has beside its documents.
    """

    path: str
    spec: ArraySpec | None
    why: str = ""
    axes: tuple[str, ...] | None = None
    zarr_format: int
    objects: int

    @property
    def nbytes(self) -> int:
        """Bytes of raw pixels."""
        return math.prod(self.spec.shape) * np.dtype(self.spec.dtype).itemsize if self.spec else 0


@dataclass(slots=True, kw_only=True)
class Found:
    """What lies in one part of a store: attributes of groups by path, arrays, other files by path.

    ``seen`` is the digest of all names, sizes and marks of files so far, in order.
    """

    groups: dict[str, Json] = field(default_factory=dict)
    arrays: list[ArrayFound] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    seen: bytes = b""

    def add(self, other: Found) -> None:
        """Take in what lies in another part."""
        self.groups |= other.groups
        self.arrays += other.arrays
        self.files += other.files
        self.see(other.seen)

    def see(self, what: object) -> None:
        """Take a file into the digest."""
        self.seen = hashlib.blake2b(self.seen + repr(what).encode(), digest_size=16).digest()

    @property
    def digest(self) -> str:
        """Digest of all files."""
        return self.seen.hex()[:16]


def attributes_at(tree: Tree, path: str, listing: Listing | None = None) -> Json | None:
    """Return the attributes of a group, None where there is no group.

    Raises
    ------
    FormatError
        a document is damaged, or describes an array.
    """
    listing = tree.list(path) if listing is None else listing
    if "zarr.json" in listing:
        told = _json(tree, join(path, "zarr.json"))
        if told.get("node_type") != "group":
            raise FormatError(f"{join(path, 'zarr.json')} describes no group", path=path)
        found = told.get("attributes", {})
        if not isinstance(found, dict):
            raise FormatError(f"{join(path, 'zarr.json')}: attributes are no JSON object", path=path)
        return found
    if ".zattrs" in listing:
        return _json(tree, join(path, ".zattrs"))
    return {} if ".zgroup" in listing else None


class Survey:
    """Finds everything below a folder of a store and says it as ``version`` does."""

    documents = GROUP_FILES

    def __init__(self, tree: Tree, version: str) -> None:
        self._tree = tree
        self.version = version
        self._zarr_format = render.ZARR_FORMAT[version]

    def below(self, path: str, *, without: frozenset[str] = frozenset(), in_plate: bool = False) -> Found:
        """Return what lies at and below a folder; ``without`` names folders right in it that are left out."""
        found = Found()
        self._visit(path, found, {}, without=without, in_plate=in_plate)
        return found

    def file(self, path: str, file: Entry) -> Found:
        """Return one file that is no document."""
        found = Found(files=[path])
        found.see((path, file.size, file.mark))
        return found

    def _visit(
        self,
        path: str,
        found: Found,
        axes: dict[str, tuple[str, ...]],
        *,
        without: frozenset[str] = frozenset(),
        in_plate: bool = False,
    ) -> None:
        if path.count("/") > DEEPEST:
            raise FormatError(f"{path} lies more than {DEEPEST} folders deep", path=path)
        listing = self._tree.list(path)
        if ".zarray" in listing or _is_array(self._tree, path, listing):
            found.arrays.append(self._array(path, listing, found, axes.get(path)))
            return
        attributes = self._group(path, listing, found, axes, in_plate=in_plate)
        for file in listing.files:
            if attributes is None or file.name not in GROUP_FILES:
                found.files.append(_noted(found, path, file))
        for name in listing.folders:
            if name not in without:
                self._visit(join(path, name), found, axes)

    def _group(
        self, path: str, listing: Listing, found: Found, axes: dict[str, tuple[str, ...]], *, in_plate: bool
    ) -> Json | None:
        """Take note of a group's attributes and of the axes of its levels."""
        attributes = attributes_at(self._tree, path, listing)
        if attributes is None:
            return None
        for file in listing.files:
            if file.name in GROUP_FILES:
                _noted(found, path, file)
        try:
            if parse.kind_of(attributes) == "image":
                model = parse.image(attributes)
                axes |= {join(path, level.path): tuple(one.name for one in model.axes) for level in model.levels}
                shapes = list(self._shapes(path, [level.path for level in model.levels]))
                told = render.image_document(with_scales(model, shapes), self.version)
            else:
                told = translate(attributes, self.version, in_plate=in_plate)
        except OpenHCSError as error:
            raise FormatError(f"{path or 'the root'}: {error}", path=path) from None
        found.groups[path] = told
        return attributes

    def _shapes(self, path: str, levels: list[str]) -> Iterator[list[int]]:
        for level in levels:
            folder = join(path, level)
            if not inside(folder):
                raise FormatError(f"the level {level!r} leads out of the store", path=path)
            listing = self._tree.list(folder)
            name = next((one for one in ("zarr.json", ".zarray") if one in listing), None)
            if name is None:
                raise FormatError(f"level {level} is listed and not there", path=folder)
            shape = _json(self._tree, join(folder, name)).get("shape")
            if not isinstance(shape, list) or not all(type(one) is int for one in shape):
                raise FormatError(f"{folder} says no shape", path=folder)
            yield shape

    def _array(self, path: str, listing: Listing, found: Found, axes: tuple[str, ...] | None) -> ArrayFound:
        old = "zarr.json" not in listing
        name = join(path, ".zarray" if old else "zarr.json")
        for file in listing.files:
            _noted(found, path, file)
        objects = sum(file.name not in ARRAY_FILES for file in listing.files)
        objects += sum(self._files_below(join(path, name), found) for name in listing.folders)
        spec, why = None, ""
        try:
            attributes = self._tree.read(join(path, ".zattrs")) if old and ".zattrs" in listing else None
            spec = parse_document(self._tree.read(name), path=name, attributes=attributes).spec
        except FormatError as error:
            why = error.message
        zarr_format = 2 if old else 3
        if spec is None and zarr_format != self._zarr_format:
            raise FormatError(
                f"the array {path} cannot be carried to Zarr v{self._zarr_format}: {why}. Choose a version of OME-Zarr "
                f"on Zarr v{zarr_format}, or leave that array out of the plate.",
                path=path,
            )
        if spec is not None and objects_in(spec) > MOST_OBJECTS and zarr_format != self._zarr_format:
            raise FormatError(f"{path}: {objects_in(spec)} objects; no more than {MOST_OBJECTS} are made", path=path)
        return ArrayFound(path=path, spec=spec, why=why, axes=axes, zarr_format=zarr_format, objects=objects)

    def _files_below(self, path: str, found: Found) -> int:
        if path.count("/") > 2 * DEEPEST:
            raise FormatError(f"{path} lies more than {2 * DEEPEST} folders deep", path=path)
        listing = self._tree.list(path)
        for file in listing.files:
            _noted(found, path, file)
        return len(listing.files) + sum(self._files_below(join(path, name), found) for name in listing.folders)


def objects_in(spec: ArraySpec) -> int:
    """Return how many objects a whole array has."""
    return math.prod(-(-size // step) for size, step in zip(spec.shape, spec.object_shape, strict=True))


def join(*parts: str) -> str:
    """Return one path of several, empty ones left out."""
    return "/".join(part for part in parts if part)


def _noted(found: Found, path: str, file: Entry) -> str:
    whole = join(path, file.name)
    found.see((whole, file.size, file.mark))
    return whole


def _is_array(tree: Tree, path: str, listing: Listing) -> bool:
    return "zarr.json" in listing and _json(tree, join(path, "zarr.json")).get("node_type") == "array"


def _json(tree: Tree, path: str) -> Json:
    told = parse_json(tree.read(path), path)
    if not isinstance(told, dict):
        raise FormatError(f"{path} holds a {type(told).__name__}, not a JSON object", path=path)
    return told


def names_of(attributes: Mapping[str, Any], path: str) -> list[str]:
    """Return the paths of a well's images, as its document lists them.

    Raises
    ------
    FormatError
        it is no well, or a path leads out of it.
    """
    try:
        well = parse.well(dict(attributes))
    except FormatError as error:
        raise FormatError(f"{path}: {error}", path=path) from None
    names = [image.path.strip("/") for image in well.images]
    for name in names:
        if not inside(name) or not name:
            raise FormatError(f"{path}: the image path {name!r} leads out of the well", path=path)
    return names
