"""What a plate holds: planes, present or not, with the facts its owner recorded.

The truth is the set of planes, never the product of sizes: plates have gaps. Numbers are the
vendor's own (site 23, channels 1, 3, 4); order is natural. Nothing here opens a file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from openhcs.core.wells import parse_well, row_name, well_key
from openhcs.errors import UnknownName, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class PlaneState(Enum):
    """Whether a plane's pixels can be read, and if not, why."""

    PRESENT = "present"
    MISSING = "missing"
    """an index names the file and it is not there"""
    NOT_RECORDED = "not_recorded"
    """the protocol promises it and no index names it"""
    NOT_ACQUIRED = "not_acquired"
    """the protocol excludes it, or names alone leave a gap"""


@dataclass(frozen=True, slots=True)
class FileSource:
    """One page of an image file.

    ``path`` is relative to the plate's root, with forward slashes; ``digest`` is of the file's bytes, where
    these tell whether it changed.
    """

    path: str
    page: int = 0
    size: int = 0
    mtime_ns: int = 0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class ZarrSource:
    """One plane of a Zarr array: the last two axes at the leading ``index``.

    ``path`` is the array's path relative to the plate's root; ``digest`` is of the names, sizes and times of
    its files, or of their bytes.
    """

    path: str
    index: tuple[int, ...] = ()
    digest: str = ""


@dataclass(frozen=True, slots=True)
class SceneSource:
    """One plane of a file of another program's format: (t, c, z) of a scene, all counted from 0.

    ``path`` and ``digest`` are as in `FileSource`.
    """

    path: str
    scene: int = 0
    index: tuple[int, ...] = ()
    size: int = 0
    mtime_ns: int = 0
    digest: str = ""


InFile = FileSource | SceneSource
"""Sources that lie in an image file."""
Source = InFile | ZarrSource
Key = tuple[int, int, int, int, int]
COLOURS = "colours"
"""Tag of an image in colours of which the brightness is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """One 2-D image (y, x) of a plate, with the vendor's own numbers.

    ``z_um`` is its height as told, ``time_s`` the seconds from the start of its acquisition; both to 0.001.
    """

    well: str
    site: int
    channel: int
    z: int = 1
    t: int = 1
    acquisition: int = 0
    source: Source | None = None
    state: PlaneState = PlaneState.PRESENT
    z_um: float | None = None
    time_s: float | None = None

    @property
    def key(self) -> Key:
        """Return (acquisition, site, t, channel, z): the plane's place within its well."""
        return (self.acquisition, self.site, self.t, self.channel, self.z)

    @property
    def name(self) -> str:
        """Return the plane's name, such as ``A01_s1_c1_z1_t1``."""
        return f"{self.well}_s{self.site}_c{self.channel}_z{self.z}_t{self.t}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One channel: its number, its name and, where recorded, how it was taken.

    Wavelengths are in nm, exposure in ms, colour is six hexadecimal digits. ``kind`` is the vendor's word in
    lower case, such as "brightfield"; ``binning`` is (y, x); ``z_offset_um`` the height of its planes above
    those of the lowest channel with the same z.
    """

    number: int
    name: str
    excitation_nm: float | None = None
    emission_nm: float | None = None
    exposure_ms: float | None = None
    color: str | None = None
    kind: str | None = None
    objective: str | None = None
    magnification: float | None = None
    numerical_aperture: float | None = None
    binning: tuple[int, int] | None = None
    z_offset_um: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatField:
    """The unevenness of a channel's light, as the microscope measured it: a polynomial over the image.

    Parameters
    ----------
    coefficients
        by total degree: ``coefficients[i][j]`` belongs to x ** (i - j) * y ** j.
    origin, scale
        (x, y): x is (column - origin) * scale, y likewise.
    shape
        (y, x) in pixels, of the image it was measured on.
    """

    coefficients: tuple[tuple[float, ...], ...]
    origin: tuple[float, float]
    scale: tuple[float, float]
    shape: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquisition:
    """One pass over the plate. ``projection`` marks images computed by the microscope over z."""

    number: int
    name: str
    projection: bool = False
    start_time: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmatched:
    """A file that is no plane, and why."""

    path: str
    reason: str


class Files(Protocol):
    """A folder as a microscope sees it: a disk's today, a bucket's tomorrow.

    Paths are relative to the folder, with forward slashes, bytes kept as they are on disk.
    """

    @property
    def root(self) -> str:
        """The folder's own path or address."""

    def list(self) -> tuple[FileSource, ...]:
        """Return every file below the folder, in natural order; one directory pass, then kept."""

    def read_bytes(self, path: str, *, limit: int = 256 * 2**20) -> bytes:
        """Return a file's bytes; `FormatError` when it is larger than ``limit``."""

    def header(self, path: str) -> ImageHeader:
        """Return what an image's first page says, without reading pixels; `FormatError` if it is no image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """What the first page of an image file says; ``description`` and ``tags`` are those of a TIFF."""

    shape: tuple[int, int]
    dtype: str
    pages: int
    description: str
    tags: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PlateIndex:
    """All planes of a plate and what was recorded about them.

    Parameters
    ----------
    name
        the plate's name.
    root
        the folder or store that sources are relative to.
    microscope
        name of the layout it was read as.
    rows, columns
        names of all physical rows and columns, as the plate's owner has them.
    planes
        every known plane in the order well (row by row), acquisition, site, t, channel, z.
    channels
        ascending by number.
    pixel_size_um
        (y, x) in µm, or None when nobody recorded it.
    z_step_um
        distance between z planes in µm.
    dtype, plane_shape
        of every present plane: a numpy name such as "uint16", (y, x) in pixels.
    positions
        (well, site) → stage position (x, y) in µm; y points down as stored in the images' space.
    metadata_files
        vendor documents, relative to ``root``, to be kept verbatim.
    plate_type, barcode, instrument
        the plate's product, its label or the identifier its vendor keeps, what recorded it; None where nobody told.
    flat_fields
        profiles of light by channel number.
    """

    name: str
    root: str
    microscope: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    planes: tuple[Plane, ...]
    channels: tuple[Channel, ...]
    acquisitions: tuple[Acquisition, ...] = (Acquisition(number=0, name="0"),)
    pixel_size_um: tuple[float, float] | None = None
    z_step_um: float | None = None
    dtype: str | None = None
    plane_shape: tuple[int, int] | None = None
    positions: Mapping[tuple[str, int], tuple[float, float]] = field(default_factory=dict)
    metadata_files: tuple[str, ...] = ()
    plate_type: str | None = None
    barcode: str | None = None
    instrument: str | None = None
    flat_fields: Mapping[int, FlatField] = field(default_factory=dict)
    unmatched: tuple[Unmatched, ...] = ()
    warnings: tuple[str, ...] = ()
    why: str = ""

    @cached_property
    def wells(self) -> tuple[str, ...]:
        """Wells with at least one known plane, row by row."""
        return tuple(sorted({plane.well for plane in self.planes}, key=well_key))

    @cached_property
    def by_well(self) -> Mapping[str, tuple[Plane, ...]]:
        """Planes of each well, in their order."""
        groups: dict[str, list[Plane]] = {well: [] for well in self.wells}
        for plane in self.planes:
            groups[plane.well].append(plane)
        return {well: tuple(planes) for well, planes in groups.items()}

    @cached_property
    def states(self) -> Mapping[PlaneState, int]:
        """How many planes are in each state; gaps in a rectangular image count as not acquired."""
        counts = Counter(plane.state for plane in self.planes)
        images = Counter((plane.acquisition, plane.well, plane.site) for plane in self.planes)
        for (acquisition, _, _), known in images.items():
            ts, channels, zs = self.axes(acquisition)
            counts[PlaneState.NOT_ACQUIRED] += len(ts) * len(channels) * len(zs) - known
        return {state: counts[state] for state in PlaneState}

    @cached_property
    def _axes(self) -> Mapping[int, tuple[tuple[int, ...], ...]]:
        seen: dict[int, tuple[set[int], set[int], set[int]]] = {}
        for plane in self.planes:
            ts, channels, zs = seen.setdefault(plane.acquisition, (set(), set(), set()))
            ts.add(plane.t)
            channels.add(plane.channel)
            zs.add(plane.z)
        return {number: tuple(tuple(sorted(values)) for values in axes) for number, axes in seen.items()}

    def axes(self, acquisition: int = 0) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Return the time points, channels and z planes that an acquisition's images have."""
        ts, channels, zs = self._axes.get(acquisition, ((), (), ()))
        return ts, channels, zs

    def sites(self, well: str) -> tuple[int, ...]:
        """Return the sites of a well, ascending."""
        return tuple(sorted({plane.site for plane in self.by_well[well]}))

    def channel(self, wanted: str | int) -> Channel:
        """Return a channel by number or name.

        Raises
        ------
        UnknownName
            the plate has no such channel; the nearest is named.
        """
        return find_channel(self.channels, wanted, self.name)

    def well_place(self, well: str) -> tuple[str, str]:
        """Return the row's and the column's name of a well, as this plate writes them."""
        row, column = parse_well(well)
        return (
            (self.rows[row] if row < len(self.rows) else row_name(row)),
            (self.columns[column] if column < len(self.columns) else f"{column + 1:02d}"),
        )

    def only(self, wells: Iterable[str]) -> PlateIndex:
        """Return the same plate with nothing but these wells."""
        keep = set(wells)
        return replace(self, planes=tuple(plane for plane in self.planes if plane.well in keep))


def find_channel(channels: Iterable[Channel], wanted: str | int, plate: str) -> Channel:
    """Return the channel of a number or name; `UnknownName` names the nearest."""
    known = tuple(channels)
    for channel in known:
        if str(wanted) == str(channel.number) or wanted == channel.name:
            return channel
    names = [channel.name for channel in known]
    raise UnknownName(f"plate {plate} has no channel {wanted!r}; {suggest(str(wanted), names)}")


def sorted_planes(planes: Iterable[Plane]) -> tuple[Plane, ...]:
    """Return planes in the order a `PlateIndex` keeps them."""
    return tuple(sorted(planes, key=lambda plane: (*well_key(plane.well), *plane.key)))
