"""What OME-Zarr documents say, whatever their version.

Each class holds the facts we use and, in ``extra``, every key it does not know, so that reading a
document and rendering it again loses nothing. ``own`` is the attribute ``openhcs`` beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs.ngff.windows import Window

    Extra = Mapping[str, Any]

OWN = "openhcs"
"""Our own key in the attributes of groups, beside ``ome``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis: its name as written, its type ("space", "time", "channel") and unit if any."""

    name: str
    type: str | None = None
    unit: str | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One resolution level: path of its array, scale and translation in the order of the axes.

    ``others`` are transformations of further kinds, kept as found; ``whole`` are unknown keys of the one
    transformation that 0.6 has.
    """

    path: str
    scale: tuple[float, ...] | None = None
    translation: tuple[float, ...] | None = None
    others: tuple[Extra, ...] = ()
    whole: Extra = field(default_factory=dict)
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Systems:
    """What 0.6 says of coordinate systems beside the axes (0.6 §multiscales).

    Parameters
    ----------
    name
        of the intrinsic system: the one that the levels are mapped to and whose axes an image has.
    place
        of the intrinsic system in the list.
    others
        further systems, as found.
    between
        transformations from the intrinsic system to others, as found.
    extra
        unknown keys of the intrinsic system.
    """

    name: str = "physical"
    place: int = 0
    others: tuple[Extra, ...] = ()
    between: tuple[Extra, ...] = ()
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelView:
    """How a channel is shown."""

    label: str | None = None
    color: str | None = None
    window: Window | None = None
    active: bool | None = None
    window_extra: Extra = field(default_factory=dict)
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelColor:
    """The colour of the pixels with one value: four numbers from 0 to 255, red, green, blue, opacity."""

    value: float
    rgba: tuple[int, int, int, int] | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLabel:
    """What makes an image a label image (0.5 §labels).

    Parameters
    ----------
    colors
        of label values.
    properties
        an object per label value, with the key ``label-value`` and any others.
    source
        with the key ``image``: path of the labelled image, relative to the label image.
    """

    colors: tuple[LabelColor, ...] = ()
    properties: tuple[Extra, ...] = ()
    source: Extra | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageModel:
    """One multiscale image.

    Parameters
    ----------
    name, type, metadata
        of the multiscales entry; ``metadata`` tells how levels were made.
    channels
        entries of ``omero``; empty when there are none.
    omero, multiscale
        keys of those objects that are not spread out here.
    empty_omero
        the document has ``omero`` and no channel in it.
    further
        multiscales entries after the first, as found.
    label
        of a label image.
    systems
        coordinate systems beyond the axes, as 0.6 knows them.
    extra
        keys beside ``multiscales`` and ``omero``; ``attributes`` those beside ``ome`` (0.5).
    """

    name: str | None = None
    axes: tuple[Axis, ...]
    levels: tuple[Level, ...]
    type: str | None = None
    metadata: Extra | None = None
    channels: tuple[ChannelView, ...] = ()
    empty_omero: bool = False
    omero: Extra = field(default_factory=dict)
    multiscale: Extra = field(default_factory=dict)
    further: tuple[Extra, ...] = ()
    label: ImageLabel | None = None
    systems: Systems = field(default_factory=Systems)
    own: Extra | None = None
    extra: Extra = field(default_factory=dict)
    attributes: Extra = field(default_factory=dict)

    @property
    def axis_names(self) -> tuple[str, ...]:
        """Names of the axes in lower case."""
        return tuple(axis.name.lower() for axis in self.axes)

    def scale_of(self, axis: str, level: int = 0) -> float | None:
        """Return the scale of an axis at a level; None where it is not said."""
        scale = self.levels[level].scale
        return scale[self.axis_names.index(axis)] if scale and axis in self.axis_names else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsModel:
    """The group beneath an image that lists its label images by path (0.5 §labels)."""

    names: tuple[str, ...]
    own: Extra | None = None
    extra: Extra = field(default_factory=dict)
    attributes: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionModel:
    """Images in one store that bioformats2raw laid out (0.5 §bioformats2raw).

    ``layout`` is that of the root; ``series`` the paths that its group ``OME`` lists.
    """

    layout: int | None = None
    series: tuple[str, ...] | None = None
    own: Extra | None = None
    extra: Extra = field(default_factory=dict)
    attributes: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WellImage:
    """One site of a well."""

    path: str
    acquisition: int | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WellModel:
    """The images of a well."""

    images: tuple[WellImage, ...]
    well: Extra = field(default_factory=dict)
    own: Extra | None = None
    extra: Extra = field(default_factory=dict)
    attributes: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateWell:
    """A well as the plate lists it: row and column count from 0."""

    path: str
    row: int
    column: int
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateAcquisition:
    """An acquisition as the plate lists it; times are seconds since 1970."""

    id: int
    name: str | None = None
    maximumfieldcount: int | None = None
    starttime: int | None = None
    endtime: int | None = None
    description: str | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateModel:
    """The wells of a plate. ``row_extra`` and ``column_extra`` are unknown keys by name."""

    name: str | None = None
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    wells: tuple[PlateWell, ...]
    acquisitions: tuple[PlateAcquisition, ...] = ()
    field_count: int | None = None
    row_extra: Mapping[str, Extra] = field(default_factory=dict)
    column_extra: Mapping[str, Extra] = field(default_factory=dict)
    plate: Extra = field(default_factory=dict)
    own: Extra | None = None
    extra: Extra = field(default_factory=dict)
    attributes: Extra = field(default_factory=dict)
