"""A plate as it is opened: names first, the image of a site when it is looked at.

A layout whose root document names the wells gives an outline of its own (`OpensLazily`); of any other
the whole index is made, and `Indexed` answers from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from openhcs.errors import UnknownName, suggest

if TYPE_CHECKING:
    from openhcs.core.plate import Acquisition, Channel, Files, Plane, PlateIndex
    from openhcs.microscopes.protocol import NotMine

    Axes = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    """Time points, channels, z planes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteImage:
    """The image of one site, or a label image beneath it.

    Parameters
    ----------
    axes
        the time points, channels and z planes it has.
    planes
        every known plane, present or not, in the order of t, channel, z.
    plane_shape, dtype
        (y, x) in pixels and a numpy name; None where nothing told.
    group
        path of its group in a store; empty where it has none.
    lead
        the axes before y and x, as its arrays have them: letters of t, c and z.
    numbers
        time points, channels and planes along each of these axes, in the order of the array.
    levels
        paths of the arrays of its resolution levels, the largest first.
    level
        the one that the planes are of.
    first
        level 0, where this is another.
    label
        the name of a label image.
    pixel_size_um, z_step_um, position_um
        (y, x), distance of planes, stage position (x, y), where recorded.
    """

    well: str
    acquisition: int
    site: int
    axes: Axes
    planes: tuple[Plane, ...]
    plane_shape: tuple[int, int] | None = None
    dtype: str | None = None
    group: str = ""
    lead: tuple[str, ...] = ()
    numbers: tuple[tuple[int, ...], ...] = ()
    levels: tuple[str, ...] = ()
    level: int = 0
    first: SiteImage | None = None
    label: str = ""
    pixel_size_um: tuple[float, float] | None = None
    z_step_um: float | None = None
    position_um: tuple[float, float] | None = None

    @property
    def largest(self) -> SiteImage:
        """The image at level 0."""
        return self.first or self

    @property
    def where(self) -> str:
        """What it is, for messages."""
        return f"{f'label {self.label} of ' if self.label else ''}well {self.well} site {self.site}"


class Outline(Protocol):
    """What is known of a plate before its images are looked at; safe in many threads at once."""

    @property
    def name(self) -> str:
        """The plate's name."""

    @property
    def root(self) -> str:
        """The folder or store that sources are relative to."""

    @property
    def microscope(self) -> str:
        """Name of the layout."""

    @property
    def wells(self) -> tuple[str, ...]:
        """Names of the wells, row by row."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Channels, ascending by number: those of the images looked at, where the plate tells none."""

    @property
    def acquisitions(self) -> tuple[Acquisition, ...]:
        """Passes over the plate."""

    def index(self) -> PlateIndex:
        """Return the whole plate: every document is read."""

    def sites(self, well: str) -> tuple[tuple[int, int], ...]:
        """Return the (acquisition, site) of each image of a well, ascending."""

    def image(self, well: str, site: int, acquisition: int | None = None) -> SiteImage | None:
        """Return a site's image, None if the well has none; without an acquisition projections come last.

        An image that is listed and not there has planes that are missing.

        Raises
        ------
        FormatError
            a document of this image is damaged.
        """

    def level(self, image: SiteImage, number: int) -> SiteImage:
        """Return another resolution level of an image; `UnknownName` if it has none such."""

    def labels(self, image: SiteImage) -> tuple[str, ...]:
        """Return the names of the label images beneath an image."""

    def label(self, image: SiteImage, name: str) -> SiteImage:
        """Return a label image, its only channel being 0; `UnknownName` if there is none such."""


@runtime_checkable
class OpensLazily(Protocol):
    """A microscope that knows a plate by its root document."""

    def outline(self, files: Files) -> Outline | NotMine:
        """Return what the root document tells of a plate, or why the folder is none of this vendor's."""


class Indexed:
    """The outline of a plate whose whole index is known; satisfies `Outline`."""

    def __init__(self, index: PlateIndex) -> None:
        self._index = index
        self.name = index.name
        self.root = index.root
        self.microscope = index.microscope
        self.channels = index.channels
        self.acquisitions = index.acquisitions

    @cached_property
    def wells(self) -> tuple[str, ...]:
        """Wells with at least one known plane, row by row."""
        return self._index.wells

    def index(self) -> PlateIndex:
        """Return the index."""
        return self._index

    def sites(self, well: str) -> tuple[tuple[int, int], ...]:
        """Return the (acquisition, site) of each image of a well, ascending."""
        return tuple(sorted({(plane.acquisition, plane.site) for plane in self._index.by_well[well]}))

    def image(self, well: str, site: int, acquisition: int | None = None) -> SiteImage | None:
        """Return a site's image, None if the well has none; it has the axes of its acquisition."""
        planes = self._index.by_well[well]
        found = {plane.acquisition for plane in planes if plane.site == site}
        chosen = first_choice(found, self.acquisitions) if acquisition is None else acquisition
        if chosen is None or chosen not in found:
            return None
        return SiteImage(
            well=well,
            acquisition=chosen,
            site=site,
            axes=self._index.axes(chosen),
            planes=tuple(plane for plane in planes if plane.key[:2] == (chosen, site)),
            plane_shape=self._index.plane_shape,
            dtype=self._index.dtype,
            pixel_size_um=self._index.pixel_size_um,
            z_step_um=self._index.z_step_um,
            position_um=self._index.positions.get((well, site)),
        )

    def level(self, image: SiteImage, number: int) -> SiteImage:
        """Return the image itself as level 0, its only one."""
        check_level(image, number)
        return image

    def labels(self, image: SiteImage) -> tuple[str, ...]:  # noqa: ARG002
        """Return nothing: labels lie beneath the images of OME-Zarr."""
        return ()

    def label(self, image: SiteImage, name: str) -> SiteImage:
        """Refuse: there are no labels."""
        raise unknown_label(image, name, ())


def first_choice(found: set[int], acquisitions: tuple[Acquisition, ...]) -> int | None:
    """Return the acquisition that is meant when none is named: the first, projections last."""
    projections = {one.number for one in acquisitions if one.projection}
    return min(found, key=lambda one: (one in projections, one), default=None)


def check_level(image: SiteImage, number: int) -> None:
    """Refuse a level that an image does not have."""
    count = max(len(image.levels), 1)
    if number not in range(count):
        held = "level 0" if count == 1 else f"levels 0 to {count - 1}"
        raise UnknownName(f"{image.where} has no resolution level {number}; it has {held}")


def unknown_label(image: SiteImage, name: str, known: tuple[str, ...]) -> UnknownName:
    """Return the error for a label that is not listed."""
    held = suggest(name, known) if known else "it has none"
    return UnknownName(f"{image.where} has no label {name!r}; {held}")
