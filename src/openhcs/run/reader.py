"""Look into any plate, raw or result: ``open_plate(path)["A01"].site(1).channel("DAPI").read()``.

Opening reads names and metadata; pixels are read when `read` is called, those asked for and no more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.constants.constants import Microscope
from openhcs.core import checks
from openhcs.core.plate import PlaneState
from openhcs.core.wells import parse_well, well_name
from openhcs.errors import InputError, InvalidValue, MissingPlanes, UnknownName, suggest
from openhcs.run.pixels import PlaneReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openhcs.core.plate import Acquisition, Channel, Key, Plane, PlateIndex

    Array = np.ndarray[Any, np.dtype[Any]]

FILL = ("error", "fill")


def open_plate(
    path: str | Path, *, microscope: Microscope | str = Microscope.AUTO, pattern: str | None = None
) -> PlateView:
    """Return a view of the plate at ``path``; no pixels are read.

    Parameters
    ----------
    path
        a vendor's folder, an OME-Zarr plate, or an output of ours (then its last images).
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
    from openhcs.run.plates import index_plate

    return PlateView(index_plate(path, microscope=microscope, pattern=pattern))


class PlateView:
    """A plate to look into: wells by name, and what was recorded about them."""

    def __init__(self, index: PlateIndex) -> None:
        self.index = index
        self._reader = PlaneReader(index)

    @property
    def name(self) -> str:
        """The plate's name."""
        return self.index.name

    @property
    def wells(self) -> tuple[str, ...]:
        """Names of wells with at least one known plane, row by row."""
        return self.index.wells

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Channels, ascending by number."""
        return self.index.channels

    @property
    def acquisitions(self) -> tuple[Acquisition, ...]:
        """Passes over the plate."""
        return self.index.acquisitions

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
        if name not in self.index.by_well:
            raise UnknownName(f"plate {self.name} has no well {well!r}; {suggest(well, self.wells)}")
        return WellView(plate=self, name=name)

    def __iter__(self) -> Iterator[WellView]:
        """Yield the wells, row by row."""
        return (self[well] for well in self.wells)

    def __len__(self) -> int:
        """Return the number of wells."""
        return len(self.wells)

    def close(self) -> None:
        """Forget open arrays; the view can go on being used."""
        self._reader.close()

    def __repr__(self) -> str:
        index = self.index
        channels = ", ".join(channel.name for channel in self.channels)
        size = " × ".join(map(str, index.plane_shape)) if index.plane_shape else "size unknown"
        counts = {len(index.sites(well)) for well in self.wells} or {0}
        sites = str(min(counts)) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
        return (
            f"<plate {self.name} ({index.microscope}): {len(self.wells)} wells × {sites} sites; "
            f"channels {channels}; planes {size} {index.dtype or ''}>"
        )


@dataclass(frozen=True, kw_only=True)
class WellView:
    """One well."""

    plate: PlateView
    name: str

    @property
    def planes(self) -> tuple[Plane, ...]:
        """Every known plane, present or not."""
        return self.plate.index.by_well[self.name]

    @property
    def sites(self) -> tuple[int, ...]:
        """Numbers of the sites, ascending."""
        return self.plate.index.sites(self.name)

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
        """
        found = {plane.acquisition for plane in self.planes if plane.site == number}
        if not found:
            raise UnknownName(f"well {self.name} has no site {number}; {suggest(str(number), map(str, self.sites))}")
        projections = {one.number for one in self.plate.acquisitions if one.projection}
        chosen = min(found, key=lambda one: (one in projections, one)) if acquisition is None else acquisition
        if chosen not in found:
            known = suggest(str(chosen), map(str, sorted(found)))
            raise UnknownName(f"well {self.name} site {number} has no acquisition {chosen}; {known}")
        ts, channels, zs = self.plate.index.axes(chosen)
        whole = {"t": ts, "c": channels, "z": zs}
        dropped = ("t",) if len(ts) == 1 else ()
        return Selection(well=self, number=number, acquisition=chosen, labels=whole, dropped=dropped)

    def __iter__(self) -> Iterator[Selection]:
        """Yield the images of the sites, ascending."""
        return (self.site(number) for number in self.sites)

    def __repr__(self) -> str:
        return f"<well {self.name} of {self.plate.name}: sites {', '.join(map(str, self.sites))}>"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A site's image or a part of it.

    ``labels`` are the time points, channels and z planes chosen, by the numbers the plate has;
    ``dropped`` the axes of which one was picked.
    """

    well: WellView
    number: int
    acquisition: int
    labels: dict[str, tuple[int, ...]]
    dropped: tuple[str, ...] = ()

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes that `read` returns."""
        return (*(axis for axis in "tcz" if axis not in self.dropped), "y", "x")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of what `read` returns."""
        lead = (len(self.labels[axis]) for axis in self.dims[:-2])
        return (*lead, *self._pixels()[0])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of what `read` returns."""
        return np.dtype(self._pixels()[1])

    def channel(self, wanted: str | int) -> Selection:
        """Return one channel by name or number; its axis is dropped."""
        return self._pick("c", self.well.plate.index.channel(wanted).number, "channel")

    def z(self, number: int) -> Selection:
        """Return one z plane; its axis is dropped."""
        return self._pick("z", number, "z")

    def t(self, number: int) -> Selection:
        """Return one time point; its axis is dropped."""
        return self._pick("t", number, "time point")

    def _pick(self, axis: str, number: int, kind: str) -> Selection:
        if number not in self.labels[axis]:
            known = suggest(str(number), map(str, self.labels[axis]))
            raise UnknownName(f"{self._where} has no {kind} {number}; {known}")
        dropped = tuple(dict.fromkeys((*self.dropped, axis)))
        return replace(self, labels={**self.labels, axis: (number,)}, dropped=dropped)

    @property
    def planes(self) -> tuple[Plane, ...]:
        """The known planes of this part, in the order of t, c, z."""
        return tuple(plane for key in self._keys if (plane := self._known.get(key)) is not None)

    @cached_property
    def _known(self) -> dict[Key, Plane]:
        wanted = (self.acquisition, self.number)
        return {plane.key: plane for plane in self.well.planes if plane.key[:2] == wanted}

    @property
    def _keys(self) -> list[Key]:
        ts, channels, zs = (self.labels[axis] for axis in "tcz")
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
        for key, room in zip(self._keys, stack, strict=True):
            plane = known.get(key)
            if plane is not None and _has_pixels(plane):
                self.well.plate._reader.read_into(plane, room)
        return stack.reshape(self.shape)

    def _pixels(self) -> tuple[tuple[int, int], str]:
        index = self.well.plate.index
        if index.plane_shape is None or index.dtype is None:
            raise InputError(f"plate {index.name} has no plane whose size is known", path=index.root)
        return index.plane_shape, index.dtype

    def _missing_text(self, absent: list[Key]) -> str:
        shown = ", ".join(f"channel {c} z {z} t {t}{self._why(key)}" for key in absent[:5] for *_, t, c, z in [key])
        return (
            f"{self._where}: {len(absent)} of {len(self._keys)} planes have no pixels: {shown}"
            f"{' …' if len(absent) > 5 else ''}. Pick others, or read(missing='fill') for zeros in their place."
        )

    def _why(self, key: Key) -> str:
        plane = self._known.get(key)
        state = (plane.state if plane else PlaneState.NOT_ACQUIRED).value.replace("_", " ")
        return f" ({state}: {plane.source.path})" if plane and plane.source else f" ({state})"

    @property
    def _where(self) -> str:
        return f"well {self.well.name} site {self.number}"

    def __repr__(self) -> str:
        picked = {"c": "channel", "z": "z", "t": "t"}
        whole = dict(zip("tcz", self.well.plate.index.axes(self.acquisition), strict=True))
        axes_picked = [axis for axis in "ctz" if axis in self.dropped and (axis != "t" or len(whole["t"]) > 1)]
        told = "".join(f" {picked[axis]} {self.labels[axis][0]}" for axis in axes_picked)
        axes = ", ".join(f"{axis} {size}" for axis, size in zip(self.dims, self.shape, strict=True))
        return f"<{self._where}{told} of {self.well.plate.name}: {axes}; {self.dtype}>"


def _has_pixels(plane: Plane | None) -> bool:
    return plane is not None and plane.state is PlaneState.PRESENT
