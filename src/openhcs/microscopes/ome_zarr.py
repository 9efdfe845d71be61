"""OME-Zarr plates 0.4 and 0.5: our own and those of other tools.

Nothing is listed: the root document names the wells, a well's its images, an image's its arrays. In
our own plates the original numbers stand beside them; in others sites and channels count from 1.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from openhcs.core.plate import Plane, PlaneState, PlateIndex, Unmatched, ZarrSource, sorted_planes
from openhcs.errors import FormatError, InputError
from openhcs.microscopes.limits import MOST_PLANES, MOST_SITES, check_promise
from openhcs.microscopes.ome_zarr_facts import Channels, acquisitions_in, grid, lengths_in_um, name_of
from openhcs.microscopes.protocol import NotMine
from openhcs.microscopes.zarr_documents import Store, inside, join, placed
from openhcs.ngff import parse
from openhcs.ngff.facts import FORMAT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from openhcs.core.plate import Files
    from openhcs.microscopes.zarr_documents import ArrayFacts
    from openhcs.ngff.model import ImageModel, PlateModel

    Image = tuple[str, int, int]
    """well, acquisition, site"""

OUR_STORE = "images.zarr"
LARGEST_NUMBER = 2**31
"""Sites, channels, planes and times are counted by numbers below this."""
IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".c01", ".dib")


class OmeZarr:
    """Reads a plate by its documents; an output folder of ours by the plate in it."""

    name = "ome_zarr"

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the plate, or why the folder is none.

        Raises
        ------
        InputError
            the folder is an image or a well of a plate, or holds several plates.
        FormatError
            a document is damaged.
        """
        for place in ("", OUR_STORE):
            found = _plate_at(files, place)
            if found is not None:
                return found
        places = _stores_below(files)
        found_in = {place: plate for place in places if (plate := _plate_at(files, place, strict=False)) is not None}
        if len(found_in) > 1:
            raise InputError(
                f"{files.root} holds {len(found_in)} OME-Zarr plates: {', '.join(found_in)}. Name one of them.",
                path=files.root,
            )
        for plate in found_in.values():
            return plate
        return NotMine("neither zarr.json nor .zattrs describes an OME-Zarr plate")


def _plate_at(files: Files, place: str, *, strict: bool = True) -> PlateIndex | None:
    """Return the plate at a place below the folder; `InputError` for another part of one if ``strict``."""
    store = Store(files, place)
    attributes = store.attributes()
    if attributes is None:
        return None
    kind = parse.kind_of(attributes)
    if kind == "plate":
        with placed(join(place, store.document_of())):
            model = parse.plate(attributes)
        return _Plate(files, place, store, model, parse.version_of(attributes)).build()
    if strict and kind is not None:
        raise InputError(_no_plate(join(files.root.rstrip("/"), place), kind), path=files.root)
    return None


def _no_plate(root: str, kind: str) -> str:
    above = {"image": 3, "well": 2, "labels": 4}[kind]
    parts = root.split("/")
    stores = [number for number, part in enumerate(parts[:-1], start=1) if part.endswith(".zarr")]
    plate = "/".join(parts[: stores[-1]] if stores else parts[:-above])
    article = "an" if kind == "image" else "a" if kind == "well" else "a group of"
    hint = f" Its plate may be {plate}: name that." if plate else " Name the folder of the whole plate."
    return f"{root} is {article} OME-Zarr {kind}, not a plate.{hint}".replace("a OME", "an OME")


def _stores_below(files: Files) -> list[str]:
    """Return the Zarr stores right in a folder that holds no other images."""
    stores: dict[str, None] = {}
    for file in files.list():
        top, slash, _ = file.path.partition("/")
        if slash and top.endswith(".zarr"):
            stores[top] = None
        elif file.path.lower().endswith(IMAGE_SUFFIXES):
            return []
    return list(stores)


class _Plate:
    """Gathers the planes of one plate from its documents."""

    def __init__(self, files: Files, place: str, store: Store, model: PlateModel, version: str | None) -> None:
        self.root = join(files.root.rstrip("/"), place) if place else files.root
        self.store = store
        self.model = model
        self.version = version
        self.own: Mapping[str, Any] | None = model.own if isinstance(model.own, dict) else None
        if self.own is not None and _number(self.own, "version", 0) > FORMAT:
            raise FormatError(f"{self.root} is of a newer openhcs than this one reads: update openhcs.", path=self.root)
        self.grid = grid(model)
        self.channels = Channels(self.own)
        self.acquisitions = acquisitions_in(model)
        self.planes: list[Plane] = []
        self.absent: list[tuple[str, int | None, int | None, str]] = []
        """(well, acquisition, site, path) of what is listed and not there; None where not known."""
        self.places: dict[str, tuple[int, int]] = {}
        """An image's name in its well → (acquisition, site), as seen in any well."""
        self.arrays: dict[Image, tuple[str, ArrayFacts]] = {}
        self.pixel_size: tuple[float, float] | None = None
        self.z_step: float | None = None
        self.positions: dict[tuple[str, int], tuple[float, float]] = {}
        self.unmatched: list[Unmatched] = []
        self.warnings: list[str] = list(self.grid.warnings)

    def build(self) -> PlateIndex:
        for well, path in self.grid.wells.items():
            self._well(well, path)
        kind = self._refuse_other_kinds()
        self.planes += self._promised()
        shape = kind[1][-2:] if kind else None
        document = self.store.document_of()
        wells = len(self.grid.wells)
        version = f" of version {self.version}" if self.version else ""
        return PlateIndex(
            name=name_of(self.model, self.own, self.root),
            root=self.root,
            microscope=OmeZarr.name,
            rows=self.grid.rows,
            columns=self.grid.columns,
            planes=sorted_planes(self.planes),
            channels=self.channels.all({plane.channel for plane in self.planes}),
            acquisitions=self.acquisitions.all({plane.acquisition for plane in self.planes}),
            pixel_size_um=self.pixel_size,
            z_step_um=self.z_step,
            dtype=kind[0] if kind else None,
            plane_shape=(shape[0], shape[1]) if shape else None,
            positions=self.positions if any(any(place) for place in self.positions.values()) else {},
            metadata_files=() if self.own else (document,),
            unmatched=tuple(self.unmatched),
            warnings=tuple(dict.fromkeys(self.warnings)),
            why=f"{document} describes an OME-Zarr plate{version}; it lists {wells} well{'s' * (wells != 1)}"
            + (" and was written by openhcs" if self.own else ""),
        )

    def _well(self, well: str, path: str) -> None:
        attributes = self.store.attributes(path)
        if attributes is None:
            self.warnings.append(f"well {well} is listed and not there: {path}")
            self.absent.append((well, None, None, path))
            return
        with placed(path):
            model = parse.well(attributes)
        counts: Counter[int] = Counter()
        for image in model.images:
            acquisition = self.acquisitions.first if image.acquisition is None else image.acquisition
            counts[acquisition] += 1
            with placed(path):
                group = inside(path, image.path)
            self._image(well, acquisition, counts[acquisition], group, image.path)

    def _image(self, well: str, acquisition: int, site: int, group: str, name: str) -> None:
        attributes = self.store.attributes(group)
        if attributes is None:
            self.warnings.append(f"an image of well {well} is listed and not there: {group}")
            self.absent.append((well, acquisition, None if self.own else site, name if self.own else group))
            return
        with placed(group):
            model = parse.image(attributes)
            own: Mapping[str, Any] = model.own if isinstance(model.own, dict) else {}
            acquisition, site = _number(own, "acquisition", acquisition), _number(own, "site", site)
            path = inside(group, model.levels[0].path)
        with _located(well, site), placed(group):
            array = self.store.array(path)
            self.places[name] = (acquisition, site)
            if array is None:
                self.warnings.append(f"an image of well {well} has no array: {path}")
                self.absent.append((well, acquisition, site, group))
                return
            self._add((well, acquisition, site), path, array, model, own)
            self._lengths((well, acquisition, site), model, own)

    def _add(self, image: Image, path: str, array: ArrayFacts, model: ImageModel, own: Mapping[str, Any]) -> None:
        names = model.axis_names
        if names[-2:] != ("y", "x") or len(names) != len(array.shape):
            raise FormatError(f"axes {', '.join(names)} of an array of shape {array.shape}: the last two are y and x")
        numbers = [self._numbers(axis, size, model, own) for axis, size in zip(names[:-2], array.shape, strict=False)]
        gaps = _gaps(own)
        _refuse_many(math.prod(map(len, numbers)))
        self.arrays[image] = (path, array)
        for index in itertools.product(*(range(len(one)) for one in numbers)):
            at = {axis: one[n] for axis, one, n in zip(names[:-2], numbers, index, strict=True)}
            t, z = at.get("t", _first(own, "t")), at.get("z", _first(own, "z"))
            channel = at["c"] if "c" in at else self._numbers("c", 1, model, own)[0]
            state = gaps.get((t, channel, z), PlaneState.PRESENT)
            if state is PlaneState.NOT_ACQUIRED:
                continue
            source = ZarrSource(path, index) if state is PlaneState.PRESENT else None
            self.planes.append(_plane(image, (t, channel, z), state, source))

    def _numbers(self, axis: str, size: int, model: ImageModel, own: Mapping[str, Any]) -> list[int]:
        """Return the numbers along an axis: those we noted, else counted from 1."""
        told = own.get("channels" if axis == "c" else axis)
        if told is not None:
            if not isinstance(told, list) or len(told) != size or not all(_is_number(one) for one in told):
                raise FormatError(f"our own key says {axis} are {told!r:.80}, the array has {size}")
            return told
        if axis == "c":
            return self.channels.numbers(model.channels, size)
        if axis not in {"t", "z"} and size > 1:
            raise FormatError(f"axis {axis!r} has {size} values; known axes are t, c, z, y and x")
        _refuse_many(size)
        return list(range(1, size + 1))

    def _lengths(self, image: Image, model: ImageModel, own: Mapping[str, Any]) -> None:
        well, _, site = image
        found = lengths_in_um(model, own)
        self.pixel_size = self.pixel_size or found.pixel_size
        self.z_step = self.z_step or found.z_step
        if found.pixel_size is None:
            self.warnings.append("no pixel size is known: the axes y and x have no scale with a unit of length")
        if found.position is not None:
            self.positions.setdefault((well, site), found.position)

    def _refuse_other_kinds(self) -> tuple[str, tuple[int, ...]] | None:
        """Return the (dtype, plane shape) of most images; planes of others are missing and told of."""
        kinds = Counter((array.dtype, array.shape[-2:]) for _, array in self.arrays.values())
        if not kinds:
            return None
        (most, _), *others = kinds.most_common()
        if others:
            odd = {path: array for path, array in self.arrays.values() if (array.dtype, array.shape[-2:]) != most}
            for path, array in odd.items():
                reason = f"{array.dtype} of {array.shape[-2:]} pixels where most images are {most[0]} of {most[1]}"
                self.unmatched.append(Unmatched(path=path, reason=reason))
            self.planes = [_without(plane, odd) for plane in self.planes]
        return most

    def _promised(self) -> Iterator[Plane]:
        """Yield a missing plane for every place of what is listed and not there."""
        axes: dict[int, tuple[set[int], set[int], set[int]]] = {}
        sites: dict[int, set[int]] = {}
        for plane in self.planes:
            ts, channels, zs = axes.setdefault(plane.acquisition, (set(), set(), set()))
            ts.add(plane.t)
            channels.add(plane.channel)
            zs.add(plane.z)
            sites.setdefault(plane.acquisition, set()).add(plane.site)
        one = ({1}, {self.channels.first}, {1})
        promised = 0
        for image in self._absent_images(sites):
            places = axes.get(image[1], one)
            promised += math.prod(map(len, places))
            check_promise(promised, len(self.planes), self.store.document_of())
            for place in itertools.product(*places):
                yield _plane(image, place, PlaneState.MISSING)

    def _absent_images(self, sites: Mapping[int, Iterable[int]]) -> Iterator[Image]:
        fields = range(1, min(self.model.field_count or 1, MOST_SITES) + 1)
        for well, acquisition, site, name in self.absent:
            if acquisition is None:
                # A whole well: it would hold what other wells hold.
                for number, known in (sites or {self.acquisitions.first: fields}).items():
                    yield from ((well, number, one) for one in known)
            elif site is None:
                yield well, *self.places.get(name, (acquisition, _dense(name)))
            else:
                yield well, acquisition, site


@contextmanager
def _located(well: str, site: int) -> Iterator[None]:
    """Name the well and site in errors about an image."""
    try:
        yield
    except FormatError as error:
        error.well, error.site = well, site
        raise


def _without(plane: Plane, odd: Mapping[str, ArrayFacts]) -> Plane:
    if not isinstance(plane.source, ZarrSource) or plane.source.path not in odd:
        return plane
    image = (plane.well, plane.acquisition, plane.site)
    return _plane(image, (plane.t, plane.channel, plane.z), PlaneState.MISSING)


def _plane(image: Image, place: tuple[int, int, int], state: PlaneState, source: ZarrSource | None = None) -> Plane:
    (well, acquisition, site), (t, channel, z) = image, place
    return Plane(well=well, site=site, channel=channel, z=z, t=t, acquisition=acquisition, source=source, state=state)


def _dense(name: str) -> int:
    """Return a site for one of our images that no well has: its name counts sites from 0."""
    digits = name.rpartition("s")[2]
    return int(digits) + 1 if digits.isascii() and digits.isdigit() else 1


def _number(own: Mapping[str, Any], key: str, default: int) -> int:
    value: int = own.get(key, default)
    if not _is_number(value):
        raise FormatError(f"our own key says {key} is {value!r:.40}, not a whole number")
    return value


def _refuse_many(planes: int) -> None:
    if planes > MOST_PLANES:
        raise FormatError(f"an image of {planes} planes; no more than {MOST_PLANES} are read")


def _first(own: Mapping[str, Any], axis: str) -> int:
    told = own.get(axis)
    return int(told[0]) if isinstance(told, list) and told and _is_number(told[0]) else 1


def _is_number(value: Any) -> bool:
    return type(value) is int and abs(value) < LARGEST_NUMBER


def _gaps(own: Mapping[str, Any]) -> dict[tuple[int, int, int], PlaneState]:
    """Return the state of planes (t, channel, z) that hold the fill value."""
    try:
        return {(gap["t"], gap["c"], gap["z"]): PlaneState(gap["state"]) for gap in own.get("gaps", ())}
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"gaps under our own key are not as openhcs writes them: {error!r}") from None
