"""One image of an OME-Zarr plate: from its documents to its planes, levels and labels.

Our own documents carry the original numbers; where they do not, channels, planes and times count from 1.
"""

from __future__ import annotations

import itertools
import math
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from openhcs.core.plate import Plane, PlaneState, ZarrSource
from openhcs.errors import FormatError, NotFound
from openhcs.microscopes.limits import MOST_PLANES
from openhcs.microscopes.outline import SiteImage, check_level, unknown_label
from openhcs.microscopes.zarr.documents import inside, join, placed
from openhcs.microscopes.zarr.facts import lengths_in_um
from openhcs.ngff import parse
from openhcs.ngff.describe import MEASURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from openhcs.microscopes.outline import Axes
    from openhcs.microscopes.zarr.documents import ArrayFacts, Store
    from openhcs.microscopes.zarr.facts import Channels
    from openhcs.ngff.model import ImageModel

    Image = tuple[str, int, int]
    """well, acquisition, site"""
    Place = tuple[int, int, int]
    """time point, channel, z plane"""
    Own = Mapping[str, Any]

LABELS = "labels"
LABEL_CHANNEL = 0
LARGEST_NUMBER = 2**31
"""Sites, channels, planes and times are counted by numbers below this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An image as its well lists it.

    ``sure`` says that its numbers need not be looked up elsewhere where the image is gone; ``noted``
    that the well's document tells them in our own key.
    """

    well: str
    group: str
    name: str
    acquisition: int
    site: int
    sure: bool
    noted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDocument:
    """What an image's document says, and the numbers that it has."""

    entry: Entry
    model: ImageModel
    own: Own
    acquisition: int
    site: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An image that is listed and not there: its numbers as far as known, and what to say of it."""

    entry: Entry
    numbers: tuple[int, int] | None
    told: str


class Images:
    """Reads the images of one plate; channels are numbered as images are read."""

    def __init__(self, store: Store, channels: Channels) -> None:
        self._store = store
        self._channels = channels

    def document(self, entry: Entry) -> ImageDocument | None:
        """Read an image's document, None if it is not there; `FormatError` names well and site."""
        with located(entry.well, entry.site), placed(entry.group):
            attributes = self._store.attributes(entry.group)
            if attributes is None:
                return None
            model = parse.image(attributes)
            own: Own = model.own if isinstance(model.own, dict) else {}
            numbers = (number(own, "acquisition", entry.acquisition), number(own, "site", entry.site))
            if entry.noted and numbers != (entry.acquisition, entry.site):
                raise FormatError(f"its well lists it as site {entry.site}, the image says it is site {numbers[1]}")
            return ImageDocument(entry=entry, model=model, own=own, acquisition=numbers[0], site=numbers[1])

    def read(self, document: ImageDocument) -> SiteImage | Lost:
        """Read the document of an image's largest array; `FormatError` names well and site."""
        entry, model = document.entry, document.model
        with located(entry.well, document.site), placed(entry.group):
            paths = tuple(inside(entry.group, level.path) for level in model.levels)
            array = self._store.array(paths[0])
            if array is None:
                numbers = (document.acquisition, document.site)
                told = f"an image of well {entry.well} has no array: {paths[0]}"
                return Lost(entry=entry, numbers=numbers, told=told)
            return self._made(document, paths, array)

    def _made(self, document: ImageDocument, paths: tuple[str, ...], array: ArrayFacts) -> SiteImage:
        model, own = document.model, document.own
        lead = _lead(model, array)
        numbers = {axis: self._numbers(axis, size, model, own) for axis, size in zip(lead, array.shape, strict=False)}
        _refuse_many(math.prod(map(len, numbers.values())))
        channels = numbers["c"] if "c" in numbers else self._numbers("c", 1, model, own)[:1]
        whole = {"t": [_first(own, "t")], "z": [_first(own, "z")], "c": channels} | numbers
        image = (document.entry.well, document.acquisition, document.site)
        lengths = lengths_in_um(model, own)
        return SiteImage(
            well=image[0],
            acquisition=image[1],
            site=image[2],
            axes=_axes(whole),
            planes=_measured(_planes(image, paths[0], lead, whole, _gaps(own)), _axes(whole), own),
            plane_shape=(array.shape[-2], array.shape[-1]),
            dtype=array.dtype,
            group=document.entry.group,
            lead=lead,
            numbers=tuple(tuple(numbers[axis]) for axis in lead),
            levels=paths,
            pixel_size_um=lengths.pixel_size,
            z_step_um=lengths.z_step,
            position_um=lengths.position,
        )

    def _numbers(self, axis: str, size: int, model: ImageModel, own: Own) -> Sequence[int]:
        """Return the numbers along an axis: those we noted, else counted from 1."""
        told = own.get("channels" if axis == "c" else axis)
        if told is not None:
            if not isinstance(told, list) or len(told) != size or not all(is_number(one) for one in told):
                raise FormatError(f"our own key says {axis} are {told!r:.80}, the array has {size}")
            return told
        if axis == "c":
            return self._channels.numbers(model.channels, size)
        if axis not in {"t", "z"} and size > 1:
            raise FormatError(f"axis {axis!r} has {size} values; known axes are t, c, z, y and x")
        return _counted(size)

    def level(self, image: SiteImage, wanted: int) -> SiteImage:
        """Return a resolution level of an image; z planes count from 1 where there are fewer of them.

        Raises
        ------
        UnknownName, NotFound
            there is no such level; it is listed and its array is not there.
        FormatError
            the array's document is damaged.
        """
        largest = image.largest
        check_level(largest, wanted)
        if wanted == 0:
            return largest
        path = largest.levels[wanted]
        with located(image.well, image.site), placed(path):
            array = self._store.array(path)
            if array is None:
                raise NotFound(f"resolution level {wanted} of {image.where} is listed and not there: {path}", path=path)
            if len(array.shape) != len(largest.lead) + 2:
                raise FormatError(f"an array of shape {array.shape} among levels of {len(largest.lead) + 2} axes")
            whole = _numbers_of(largest)
            sizes = dict(zip(largest.lead, array.shape, strict=False))
            states = _states(largest, whole)
            if "z" in sizes and sizes["z"] != len(whole["z"]):
                whole["z"], states = _counted(sizes["z"]), {}
            if any(len(whole[axis]) != size for axis, size in sizes.items()):
                raise FormatError(f"an array of shape {array.shape} that has other times or channels than level 0")
        place = (image.well, image.acquisition, image.site)
        return replace(
            largest,
            axes=_axes(whole),
            numbers=tuple(tuple(whole[axis]) for axis in largest.lead),
            planes=_planes(place, path, largest.lead, whole, states),
            plane_shape=(array.shape[-2], array.shape[-1]),
            dtype=array.dtype,
            level=wanted,
            first=largest,
        )

    def labels(self, image: SiteImage) -> tuple[str, ...]:
        """Return the names of the label images beneath an image (0.5 §labels); `FormatError` if damaged."""
        if not image.group or image.label:
            return ()
        group = join(image.group, LABELS)
        with located(image.well, image.site), placed(group):
            attributes = self._store.attributes(group)
            return () if attributes is None else parse.labels(attributes).names

    def label(self, image: SiteImage, name: str) -> SiteImage:
        """Return a label image; times and planes have the numbers of the image's, where as many.

        Raises
        ------
        UnknownName, NotFound
            there is no such label; it is listed and not there.
        FormatError
            a document is damaged, or the label image has several channels.
        """
        largest = image.largest
        known = self.labels(largest)
        if name not in known:
            raise unknown_label(image, name, known)
        group = inside(join(image.group, LABELS), name)
        with located(image.well, image.site), placed(group):
            attributes = self._store.attributes(group)
            model = None if attributes is None else parse.image(attributes)
            paths = tuple(inside(group, level.path) for level in model.levels) if model else ()
            array = self._store.array(paths[0]) if paths else None
            if model is None or array is None:
                gone = paths[0] if paths else group
                raise NotFound(f"label {name} of {image.where} is listed and not there: {gone}", path=gone)
            return _label(largest, name, model, array, paths)


def _label(image: SiteImage, name: str, model: ImageModel, array: ArrayFacts, paths: tuple[str, ...]) -> SiteImage:
    lead = _lead(model, array)
    sizes = dict(zip(lead, array.shape, strict=False))
    if any(size != 1 for axis, size in sizes.items() if axis not in {"t", "z"}):
        raise FormatError(f"a label image of shape {array.shape} has several channels; it has one, or no such axis")
    _refuse_many(math.prod(sizes.values()))
    of_image = _numbers_of(image)
    single: Sequence[int] = (1,)
    whole = dict.fromkeys(lead, single)
    whole["c"] = (LABEL_CHANNEL,)
    for axis in "tz":
        size = sizes.get(axis, 1)
        whole[axis] = of_image[axis] if len(of_image[axis]) == size else _counted(size)
    place = (image.well, image.acquisition, image.site)
    lengths = lengths_in_um(model, {})
    return SiteImage(
        well=image.well,
        acquisition=image.acquisition,
        site=image.site,
        axes=_axes(whole),
        planes=_planes(place, paths[0], lead, whole, {}),
        plane_shape=(array.shape[-2], array.shape[-1]),
        dtype=array.dtype,
        group=inside(join(image.group, LABELS), name),
        lead=lead,
        numbers=tuple(tuple(whole[axis]) for axis in lead),
        levels=paths,
        label=name,
        pixel_size_um=lengths.pixel_size,
        z_step_um=lengths.z_step,
        position_um=lengths.position,
    )


def missing(image: Image, axes: tuple[Sequence[int], ...], like: SiteImage | None) -> SiteImage:
    """Return an image that is listed and not there, of the size of another."""
    ts, channels, zs = (tuple(sorted(one)) for one in axes)
    well, acquisition, site = image
    return SiteImage(
        well=well,
        acquisition=acquisition,
        site=site,
        axes=(ts, channels, zs),
        planes=tuple(plane(image, place, PlaneState.MISSING) for place in itertools.product(ts, channels, zs)),
        plane_shape=like.plane_shape if like else None,
        dtype=like.dtype if like else None,
    )


def plane(image: Image, place: Place, state: PlaneState, source: ZarrSource | None = None) -> Plane:
    """Return one plane of an image."""
    (well, acquisition, site), (t, channel, z) = image, place
    return Plane(well=well, site=site, channel=channel, z=z, t=t, acquisition=acquisition, source=source, state=state)


def _planes(
    image: Image,
    path: str,
    lead: tuple[str, ...],
    whole: Mapping[str, Sequence[int]],
    states: Mapping[Place, PlaneState],
) -> tuple[Plane, ...]:
    made = []
    numbers = [whole[axis] for axis in lead]
    for index in itertools.product(*(range(len(one)) for one in numbers)):
        at = {axis: one[n] for axis, one, n in zip(lead, numbers, index, strict=True)}
        place = (at.get("t", whole["t"][0]), at.get("c", whole["c"][0]), at.get("z", whole["z"][0]))
        state = states.get(place, PlaneState.PRESENT)
        if state is not PlaneState.NOT_ACQUIRED:
            source = ZarrSource(path, index) if state is PlaneState.PRESENT else None
            made.append(plane(image, place, state, source))
    return tuple(sorted(made, key=lambda one: one.key))


def _measured(planes: tuple[Plane, ...], axes: Axes, own: Own) -> tuple[Plane, ...]:
    """Return planes with the height and time that we noted of each, in the order t, c, z."""
    places = list(itertools.product(*axes))
    for name in MEASURES:
        told = own.get(name)
        if told is None:
            continue
        if not isinstance(told, list) or len(told) != len(places) or not all(map(_is_measure, told)):
            raise FormatError(
                f"our own key says {name} is {told!r:.80}, not a number or null for each of {len(places)}"
            )
        values = dict(zip(places, told, strict=True))
        planes = tuple(replace(one, **{name: values[one.t, one.channel, one.z]}) for one in planes)
    return planes


def _is_measure(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and abs(value) < LARGEST_NUMBER)


def _states(image: SiteImage, whole: Mapping[str, Sequence[int]]) -> dict[Place, PlaneState]:
    """Return the state of every plane that an image has room for."""
    found = {(one.t, one.channel, one.z): one.state for one in image.planes}
    places = itertools.product(whole["t"], whole["c"], whole["z"])
    return {(t, c, z): found.get((t, c, z), PlaneState.NOT_ACQUIRED) for t, c, z in places}


def _numbers_of(image: SiteImage) -> dict[str, Sequence[int]]:
    """Return the numbers along each axis, in the order of the array."""
    return {**dict(zip("tcz", image.axes, strict=True)), **dict(zip(image.lead, image.numbers, strict=True))}


def _axes(whole: Mapping[str, Sequence[int]]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    ts, channels, zs = (tuple(sorted(whole[axis])) for axis in "tcz")
    return ts, channels, zs


def _lead(model: ImageModel, array: ArrayFacts) -> tuple[str, ...]:
    names = model.axis_names
    if names[-2:] != ("y", "x") or len(names) != len(array.shape):
        raise FormatError(f"axes {', '.join(names)} of an array of shape {array.shape}: the last two are y and x")
    return names[:-2]


def _counted(size: int) -> list[int]:
    _refuse_many(size)
    return list(range(1, size + 1))


@contextmanager
def located(well: str, site: int) -> Iterator[None]:
    """Name the well and site in errors about an image."""
    try:
        yield
    except (FormatError, NotFound) as error:
        error.well, error.site = well, site
        raise


def number(own: Own, key: str, default: int) -> int:
    """Return a number that we noted; `FormatError` if it is none."""
    value: int = own.get(key, default)
    if not is_number(value):
        raise FormatError(f"our own key says {key} is {value!r:.40}, not a whole number")
    return value


def is_number(value: Any) -> bool:
    """Return whether a value of a document counts sites, channels, planes or times."""
    return type(value) is int and abs(value) < LARGEST_NUMBER


def _refuse_many(planes: int) -> None:
    if planes > MOST_PLANES:
        raise FormatError(f"an image of {planes} planes; no more than {MOST_PLANES} are read")


def _first(own: Own, axis: str) -> int:
    told = own.get(axis)
    return int(told[0]) if isinstance(told, list) and told and is_number(told[0]) else 1


def _gaps(own: Own) -> dict[Place, PlaneState]:
    """Return the state of planes (t, channel, z) that hold the fill value."""
    try:
        return {(gap["t"], gap["c"], gap["z"]): PlaneState(gap["state"]) for gap in own.get("gaps", ())}
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"gaps under our own key are not as openhcs writes them: {error!r}") from None
