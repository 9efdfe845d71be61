"""The planes of a plate store under names of their own: ``A01_s1_c1_z1_t1``.

The documents of a well are read when one of its planes is first asked for, and kept until the root
document changes. A plane is read alone: the index of its shard and its inner chunks.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from openhcs.errors import FormatError, InvalidType, NotFound, OpenHCSError, StorageError
from openhcs.io.strangers import fence_of, read_plain
from openhcs.io.zarr_array import open_handle
from openhcs.io.zarr_document import DOCUMENT_LIMIT, load_json
from openhcs.ngff import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from openhcs.core.arrays import ArraySpec
    from openhcs.io.zarr_array import ZarrHandle
    from openhcs.ngff.model import ImageModel, PlateWell

    Array = np.ndarray[Any, np.dtype[Any]]

MOST_PLANES = 100_000
"""Planes of one image."""
PLANE_NAME = re.compile(
    r"(?P<well>[A-Z]{1,2}\d{1,2})_s(?P<site>\d+)(?:_a(?P<acquisition>\d+))?_c(?P<channel>\d+)"
    r"_z(?P<z>\d+)_t(?P<t>\d+)(?:\.[A-Za-z0-9.]+)?"
)


@dataclass(frozen=True, slots=True)
class PlaneName:
    """The original numbers of one plane."""

    well: str
    site: int
    channel: int
    z: int
    t: int
    acquisition: int = 0

    def __str__(self) -> str:
        mark = f"_a{self.acquisition}" if self.acquisition else ""
        return f"{self.well}_s{self.site}{mark}_c{self.channel}_z{self.z}_t{self.t}"


@dataclass(frozen=True, slots=True)
class PlacedPlane:
    """Where a plane lies: its array's folder and the leading index in it."""

    name: PlaneName
    folder: Path
    index: tuple[int, ...]
    fill: bool


def parse_plane(name: str) -> PlaneName | None:
    """Return the plane that a name stands for, None for other names.

    >>> str(parse_plane("A01_s1_c2_z3_t1.tif"))
    'A01_s1_c2_z3_t1'
    """
    found = PLANE_NAME.fullmatch(name)
    if found is None:
        return None
    numbers = {key: int(found[key]) for key in ("site", "channel", "z", "t")}
    return PlaneName(found["well"], **numbers, acquisition=int(found["acquisition"] or 0))


def attributes_of(group: Path) -> dict[str, Any]:
    """Return the attributes of a group, empty where it has none."""
    for name in ("zarr.json", ".zattrs"):
        fence_of(group).check(group / name)
        try:
            document = load_json(read_plain(group / name, limit=DOCUMENT_LIMIT), group / name)
        except NotFound:
            continue
        told = document.get("attributes", {}) if name == "zarr.json" else document
        return told if isinstance(told, dict) else {}
    return {}


class PlateStore:
    """One plate store, its planes by name."""

    def __init__(self, store: Path, attributes: Mapping[str, Any]) -> None:
        self._store = store
        model = parse.plate(dict(attributes))
        self._own = model.own is not None
        self._wells: dict[str, PlateWell] = {}
        for well in model.wells:
            self._wells[_well_name(well.path)] = well
        self._planes: dict[str, dict[PlaneName, PlacedPlane]] = {}
        self._sites: dict[Path, int] = {}
        """Groups of images and the sites they are of, in the wells read so far."""
        self._handles: dict[Path, ZarrHandle] = {}
        self._names: list[str] | None = None

    def find(self, name: PlaneName) -> PlacedPlane | None:
        """Return where a plane lies, None if the plate has none of that name."""
        return self._well(name.well).get(name)

    def names(self) -> Iterator[str]:
        """Yield every plane that holds pixels, well by well."""
        if self._names is None:
            self._names = [str(plane) for well in self._wells for plane in self._well(well)]
        yield from self._names

    def open(self, place: PlacedPlane) -> PlaneHandle:
        """Return a handle on one plane (y, x)."""
        handle = self._handles.get(place.folder)
        if handle is None:
            absent, name = "fill" if place.fill else "error", place.name
            with _reading(name):
                handle = open_handle(place.folder, absent=absent, well=name.well, site=name.site)
            self._handles[place.folder] = handle
        return PlaneHandle(handle, place)

    def open_array(self, folder: Path) -> ZarrHandle:
        """Open an array by its folder; errors name the well and site it belongs to."""
        above = [name for name, well in self._wells.items() if folder.is_relative_to(self._store / well.path)]
        if not above:
            return open_handle(folder)
        with contextlib.suppress(OpenHCSError):  # the array itself can be read without the well's documents
            self._well(above[0])
        site = next((site for group, site in self._sites.items() if folder.is_relative_to(group)), None)
        return open_handle(folder, absent="error" if self._own else "auto", well=above[0], site=site)

    def _well(self, name: str) -> Mapping[PlaneName, PlacedPlane]:
        if name not in self._wells:
            return {}
        if name not in self._planes:
            self._planes[name] = dict(self._read_well(name))
        return self._planes[name]

    def _read_well(self, name: str) -> Iterator[tuple[PlaneName, PlacedPlane]]:
        folder = self._store / self._wells[name].path
        with _place_of(folder):
            well = parse.well(attributes_of(folder))
        for number, image in enumerate(well.images):
            group = _inside(folder, image.path)
            with _place_of(group):
                yield from self._read_image(name, number, group, parse.image(attributes_of(group)))

    def _read_image(
        self, well: str, number: int, group: Path, image: ImageModel
    ) -> Iterator[tuple[PlaneName, PlacedPlane]]:
        own: Mapping[str, Any] = image.own or {}
        folder = _inside(group, image.levels[0].path)
        axes = image.axis_names[:-2]
        numbers = _numbers(own, axes, folder)
        if (planes := math.prod(map(len, numbers))) > MOST_PLANES:
            raise FormatError(f"{folder} has {planes} planes; no more than {MOST_PLANES} are read", path=folder)
        site = int(own.get("site", number + 1))
        self._sites[group] = site
        gaps = {(gap["t"], gap["c"], gap["z"]) for gap in own.get("gaps", ())}
        for index in itertools.product(*(range(len(one)) for one in numbers)):
            at = {axis: one[place] for axis, one, place in zip(axes, numbers, index, strict=True)}
            plane = PlaneName(
                well,
                site,
                at.get("c", 1),
                at.get("z", 1),
                at.get("t", _first(own, "t")),
                acquisition=int(own.get("acquisition", 0)),
            )
            if (plane.t, plane.channel, plane.z) not in gaps:
                yield plane, PlacedPlane(plane, folder, index, fill=not self._own)


class PlaneHandle:
    """One plane (y, x) of an opened image."""

    def __init__(self, image: ZarrHandle, place: PlacedPlane) -> None:
        self._image = image
        self._name = place.name
        self._index = place.index

    @property
    def spec(self) -> ArraySpec:
        """Shape and dtype of the plane; chunks within it."""
        whole = self._image.spec
        lead = len(self._index)
        names = whole.dimension_names
        return replace(
            whole,
            shape=whole.shape[lead:],
            chunks=whole.chunks[lead:],
            shards=None,
            dimension_names=None if names is None else names[lead:],
        )

    def read(self, region: tuple[Any, ...] = (), *, out: Array | None = None) -> Array:
        """Return a part of the plane, as `ZarrHandle.read` does."""
        given = region if isinstance(region, tuple) else (region,)
        with _reading(self._name):
            return self._image.read((*self._index, *given), out=out)

    def write(self, region: tuple[Any, ...], data: Array) -> None:  # noqa: ARG002 - the contract's names
        """Refuse: a site is written whole."""
        raise InvalidType(f"one plane of {self._image.folder} cannot be written: write whole sites")


@contextlib.contextmanager
def _reading(plane: PlaneName) -> Iterator[None]:
    """Name the plane in errors about stored bytes."""
    try:
        yield
    except (FormatError, StorageError, NotFound) as error:
        error.message = f"plane {plane}: {error.message}"
        raise


class _place_of:  # noqa: N801 - reads as a word after "with"
    """Names the folder in the errors of documents that do not know where they came from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OpenHCSError) and error.path is None:
            raise FormatError(f"{self._folder}: {error}", path=self._folder) from error
        if isinstance(error, (KeyError, TypeError, ValueError, AttributeError, OverflowError)) and not isinstance(
            error, OpenHCSError
        ):
            raise FormatError(f"{self._folder}: {error!r} in our own metadata", path=self._folder) from error


def _well_name(path: str) -> str:
    row, _, column = path.partition("/")
    return f"{row}{int(column):02d}" if column.isdigit() else f"{row}{column}"


def _inside(folder: Path, path: str) -> Path:
    inner = os.path.normpath(path)
    if os.path.isabs(inner) or inner.split(os.sep)[0] == "..":
        raise FormatError(f"{folder}: the path {path!r} leaves it", path=folder)
    return folder / inner


def _numbers(own: Mapping[str, Any], axes: Sequence[str], folder: Path) -> list[Sequence[int]]:
    """Return the original numbers along each axis: as we noted them, else counted from 1."""
    told = [own.get("channels" if axis == "c" else axis) for axis in axes]
    shape = () if all(told) else open_handle(folder).spec.shape
    return [[int(one) for one in known] if known else range(1, shape[at] + 1) for at, known in enumerate(told)]


def _first(own: Mapping[str, Any], axis: str) -> int:
    told = own.get(axis)
    return int(told[0]) if told else 1
