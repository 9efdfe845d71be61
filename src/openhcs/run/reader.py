"""Look into any plate, raw or result: ``open_plate(path)["A01"].site(1).channel("DAPI").read()``.

Opening reads names: of an OME-Zarr plate the root document alone, a site's documents when it is looked
at. Pixels are read when `read` is called, those asked for and no more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.constants.constants import Microscope
from openhcs.core import checks
from openhcs.core.plate import PlaneState, PlateIndex, find_channel
from openhcs.core.wells import parse_well, well_name
from openhcs.errors import InputError, InvalidValue, MissingPlanes, UnknownName, suggest
from openhcs.microscopes.outline import Indexed
from openhcs.run.pixels import PlaneReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from openhcs.core.plate import Acquisition, Channel, Key, Plane
    from openhcs.microscopes.outline import Outline, SiteImage

    Array = np.ndarray[Any, np.dtype[Any]]

FILL = ("error", "fill")


def open_plate(
    path: str | Path, *, microscope: Microscope | str = Microscope.AUTO, pattern: str | None = None
) -> PlateView:
    """Return a view of the plate at ``path``; no pixels are read.

    Parameters
    ----------
    path
        a vendor's folder, an OME-Zarr plate, or an output of ours (then its last images). Of OME-Zarr
        the root document is read; wells and sites when they are looked at.
    microscope
        the layout to read it as; AUTO finds out.
    pattern
        file names of a generic folder, such as ``{well}_s{site}_w{channel}.tif``.

    Raises
    ------
    NotFound
        nothing is there.
    InputError
        it is no plate; the message says what was looked for.
    """
    from openhcs.run.plates import outline_plate

    return PlateView(outline_plate(path, microscope=microscope, pattern=pattern))


class PlateView:
    """A plate to look into: wells by name, and what was recorded about them.

    Parameters
    ----------
    plate
        its index, or its outline.
    """

    def __init__(self, plate: PlateIndex | Outline) -> None:
        self._outline: Outline = Indexed(plate) if isinstance(plate, PlateIndex) else plate
        self._reader = PlaneReader(self._outline)

    @cached_property
    def index(self) -> PlateIndex:
        """All planes of the plate: every document is read, the first time this is asked for."""
        return self._outline.index()

    @property
    def name(self) -> str:
        """The plate's name."""
        return self._outline.name

    @property
    def wells(self) -> tuple[str, ...]:
        """Names of the wells, row by row: of OME-Zarr those listed, of others those with a known plane."""
        return self._outline.wells

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Channels, ascending by number.

        Of an OME-Zarr plate of another tool these are the channels of the images looked at so far; the
        first image is looked at if none was.
        """
        return self._outline.channels

    @property
    def acquisitions(self) -> tuple[Acquisition, ...]:
        """Passes over the plate."""
        return self._outline.acquisitions

    def __getitem__(self, well: str) -> WellView:
        """Return a well by name: ``A01``, ``a1`` and ``A-1`` are one.

        Raises
        ------
        UnknownName
            the plate has no such well; the nearest is named.
        """
        try:
            name = well_name(*parse_well(well))
        except InvalidValue:
            name = well
        if name not in self.wells:
            raise UnknownName(f"plate {self.name} has no well {well!r}; {suggest(well, self.wells)}")
        return WellView(plate=self, name=name)

    def __iter__(self) -> Iterator[WellView]:
        """Yield the wells, row by row."""
        return (WellView(plate=self, name=well) for well in self.wells)

    def __len__(self) -> int:
        """Return the number of wells."""
        return len(self.wells)

    def flat_field(self, channel: str | int) -> Array:
        """Return the unevenness of a channel's light as the microscope measured it, for `openhcs.steps.flat_field`.

        (y, x) of the plate's images, float32, 1 on average, new and the caller's own.

        Raises
        ------
        UnknownName
            no such channel.
        InputError
            the plate's documents hold no profile of it; those they hold are named.
        InvalidValue
            the profile is of images of other proportions.
        """
        from openhcs.steps.profiles import illumination_of

        index = self.index
        chosen = index.channel(channel)
        profile = index.flat_fields.get(chosen.number)
        if profile is None:
            held = ", ".join(one.name for one in index.channels if one.number in index.flat_fields)
            raise InputError(
                f"plate {self.name} has no flat-field profile of channel {chosen.name}: "
                f"{f'its documents hold those of {held}' if held else 'its documents hold none'}",
                path=self._outline.root,
            )
        return illumination_of(profile, index.plane_shape)

    def table(self, name: str) -> Any:
        """Return a table of the output that this plate is in, as an Arrow table (``.to_pandas()``, ``.to_pylist()``).

        Raises
        ------
        UnknownName
            there is no such table; those that are there are named.
        """
        from openhcs.run.merge import read_table

        return read_table(self._outline.root, name)

    def close(self) -> None:
        """Forget open arrays; the view can go on being used."""
        self._reader.close()

    def __repr__(self) -> str:
        wells, planes = f"{len(self)} wells", ""
        if isinstance(self._outline, Indexed) or "index" in self.__dict__:
            index = self.index
            size = " × ".join(map(str, index.plane_shape)) if index.plane_shape else "size unknown"
            counts = {len(index.sites(well)) for well in index.wells} or {0}
            sites = str(min(counts)) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
            wells, planes = f"{wells} × {sites} sites", f"; planes {size} {index.dtype or ''}"
        channels = ", ".join(channel.name for channel in self.channels)
        return f"<plate {self.name} ({self._outline.microscope}): {wells}; channels {channels}{planes}>"


@dataclass(frozen=True, kw_only=True)
class WellView:
    """One well."""

    plate: PlateView
    name: str

    @property
    def planes(self) -> tuple[Plane, ...]:
        """Every known plane, present or not; `FormatError` where an image's document is damaged."""
        images = (self._outline.image(self.name, site, acquisition) for acquisition, site in self._numbers)
        return tuple(plane for image in images if image is not None for plane in image.planes)

    @property
    def sites(self) -> tuple[int, ...]:
        """Numbers of the sites, ascending."""
        return tuple(sorted({site for _, site in self._numbers}))

    def site(self, number: int, *, acquisition: int | None = None) -> Selection:
        """Return a site's image.

        Parameters
        ----------
        number
            as the microscope has it.
        acquisition
            None: the first with this site, those that are projections last.

        Raises
        ------
        UnknownName
            no such site or acquisition in this well.
        FormatError
            a document of this image is damaged.
        """
        image = self._outline.image(self.name, number, acquisition)
        if image is None:
            raise self._unknown(number, acquisition)
        return _selection(self, image)

    def _unknown(self, number: int, acquisition: int | None) -> UnknownName:
        found = [str(one) for one, site in self._numbers if site == number]
        if not found:
            known = suggest(str(number), map(str, self.sites))
            return UnknownName(f"well {self.name} has no site {number}; {known}")
        known = suggest(str(acquisition), found)
        return UnknownName(f"well {self.name} site {number} has no acquisition {acquisition}; {known}")

    @property
    def _outline(self) -> Outline:
        return self.plate._outline

    @property
    def _numbers(self) -> tuple[tuple[int, int], ...]:
        return self._outline.sites(self.name)

    def __iter__(self) -> Iterator[Selection]:
        """Yield the images of the sites, ascending."""
        return (self.site(number) for number in self.sites)

    def __repr__(self) -> str:
        return f"<well {self.name} of {self.plate.name}: sites {', '.join(map(str, self.sites))}>"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A site's image, a label image beneath it, or a part of either.

    ``chosen`` are the time points, channels and z planes, by the numbers the plate has; ``dropped`` the
    axes of which one was picked.
    """

    well: WellView
    image: SiteImage
    chosen: Mapping[str, tuple[int, ...]]
    dropped: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        """The site's number."""
        return self.image.site

    @property
    def acquisition(self) -> int:
        """The acquisition that the image is of."""
        return self.image.acquisition

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes that `read` returns."""
        return (*(axis for axis in "tcz" if axis not in self.dropped), "y", "x")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of what `read` returns."""
        lead = (len(self.chosen[axis]) for axis in self.dims[:-2])
        return (*lead, *self._pixels()[0])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of what `read` returns."""
        return np.dtype(self._pixels()[1])

    def channel(self, wanted: str | int) -> Selection:
        """Return one channel by name or number; its axis is dropped."""
        if self.image.label:
            raise UnknownName(f"{self.image.where} has no channels; pick one of the image")
        plate = self.well.plate
        return self._pick("c", find_channel(plate.channels, wanted, plate.name).number, "channel")

    def z(self, number: int) -> Selection:
        """Return one z plane; its axis is dropped."""
        return self._pick("z", number, "z")

    def t(self, number: int) -> Selection:
        """Return one time point; its axis is dropped."""
        return self._pick("t", number, "time point")

    def _pick(self, axis: str, number: int, kind: str) -> Selection:
        if number not in self.chosen[axis]:
            known = suggest(str(number), map(str, self.chosen[axis]))
            raise UnknownName(f"{self.image.where} has no {kind} {number}; {known}")
        dropped = tuple(dict.fromkeys((*self.dropped, axis)))
        return replace(self, chosen={**self.chosen, axis: (number,)}, dropped=dropped)

    @property
    def levels(self) -> int:
        """How many resolution levels the image has; 1 where only OME-Zarr could have more."""
        return max(len(self.image.levels), 1)

    def level(self, number: int) -> Selection:
        """Return the same part at a resolution level: 0 is the largest, each next is coarser.

        Where a coarser level has fewer z planes these count from 1, and all of them are taken.

        Raises
        ------
        UnknownName
            there is no such level.
        NotFound
            it is listed and not there.
        """
        image = self.well._outline.level(self.image, number)
        if image.axes[2] == self.image.axes[2]:
            return replace(self, image=image)
        dropped = tuple(axis for axis in self.dropped if axis != "z")
        return replace(self, image=image, chosen={**self.chosen, "z": image.axes[2]}, dropped=dropped)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the label images beneath the image; none where only OME-Zarr could have them."""
        return self.well._outline.labels(self.image)

    def label(self, name: str) -> Selection:
        """Return a whole label image: axes z, y, x, with t in front where it has several times.

        Raises
        ------
        UnknownName
            the image has no such label; the nearest is named.
        NotFound
            it is listed and not there.
        FormatError
            a document of it is damaged.
        """
        return _selection(self.well, self.well._outline.label(self.image, name))

    @property
    def planes(self) -> tuple[Plane, ...]:
        """The known planes of this part, in the order of t, c, z."""
        return tuple(plane for key in self._keys if (plane := self._known.get(key)) is not None)

    @cached_property
    def _known(self) -> dict[Key, Plane]:
        return {plane.key: plane for plane in self.image.planes}

    @property
    def _keys(self) -> list[Key]:
        ts, channels, zs = (self.chosen[axis] for axis in "tcz")
        return [(self.acquisition, self.number, t, c, z) for t in ts for c in channels for z in zs]

    def read(self, *, missing: str = "error") -> Array:
        """Return the pixels, new and the caller's own, with the axes that `dims` names.

        Parameters
        ----------
        missing
            about planes that have no pixels: "error", or "fill" for zeros.

        Raises
        ------
        MissingPlanes
            how many, which, and why.
        FormatError
            a file or array is damaged.
        """
        checks.one_of(missing, "missing", FILL)
        known = self._known
        absent = [key for key in self._keys if not _has_pixels(known.get(key))]
        if absent and missing == "error":
            raise MissingPlanes(self._missing_text(absent), well=self.well.name, site=self.number)
        shape, dtype = self._pixels()
        stack = np.zeros((len(self._keys), *shape), dtype) if absent else np.empty((len(self._keys), *shape), dtype)
        reader = self.well.plate._reader
        if not absent:
            reader.read_stack_into([known[key] for key in self._keys], stack)
            return stack.reshape(self.shape)
        for key, room in zip(self._keys, stack, strict=True):
            plane = known.get(key)
            if plane is not None and _has_pixels(plane):
                reader.read_into(plane, room)
        return stack.reshape(self.shape)

    def _pixels(self) -> tuple[tuple[int, int], str]:
        if self.image.plane_shape is None or self.image.dtype is None:
            plate = self.well.plate
            raise InputError(f"plate {plate.name} has no plane whose size is known", path=plate._outline.root)
        return self.image.plane_shape, self.image.dtype

    def _missing_text(self, absent: list[Key]) -> str:
        shown = ", ".join(f"channel {c} z {z} t {t}{self._why(key)}" for key in absent[:5] for *_, t, c, z in [key])
        return (
            f"{self.image.where}: {len(absent)} of {len(self._keys)} planes have no pixels: {shown}"
            f"{' …' if len(absent) > 5 else ''}. Pick others, or read(missing='fill') for zeros in their place."
        )

    def _why(self, key: Key) -> str:
        plane = self._known.get(key)
        state = (plane.state if plane else PlaneState.NOT_ACQUIRED).value.replace("_", " ")
        return f" ({state}: {plane.source.path})" if plane and plane.source else f" ({state})"

    def __repr__(self) -> str:
        picked = {"c": "channel", "z": "z", "t": "t"}
        times = self.image.axes[0]
        axes_picked = [axis for axis in "ctz" if axis in self.dropped and (axis != "t" or len(times) > 1)]
        if self.image.label:
            axes_picked = [axis for axis in axes_picked if axis != "c"]
        told = "".join(f" {picked[axis]} {self.chosen[axis][0]}" for axis in axes_picked)
        told += f" level {self.image.level}" if self.image.level else ""
        axes = ", ".join(f"{axis} {size}" for axis, size in zip(self.dims, self.shape, strict=True))
        return f"<{self.image.where}{told} of {self.well.plate.name}: {axes}; {self.dtype}>"


def _selection(well: WellView, image: SiteImage) -> Selection:
    """Return a whole image; a single time point is no axis, and a label image has no channels."""
    dropped = (*("t" * (len(image.axes[0]) == 1)), *("c" * bool(image.label)))
    return Selection(well=well, image=image, chosen=dict(zip("tcz", image.axes, strict=True)), dropped=dropped)


def _has_pixels(plane: Plane | None) -> bool:
    return plane is not None and plane.state is PlaneState.PRESENT
