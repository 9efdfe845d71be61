"""Where the planes of a target go: one OME-Zarr image per site, or one OME-TIFF per plane.

An image is gathered in memory, written whole when its last plane has come, and dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from openhcs.core.arrays import level_shapes
from openhcs.errors import FormatError, StepError
from openhcs.plan.schedule import image_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from openhcs.core.config import ZarrConfig
    from openhcs.core.plate import Key, Plane, PlateIndex
    from openhcs.io.fsops import FileOps
    from openhcs.plan.model import Target

    Array = np.ndarray[Any, np.dtype[Any]]
    Image = tuple[int, int]


READ_BACK = 2**25
"""Bytes up to which a level is read back at once: one look at a shard's index serves all its planes."""


@dataclass(slots=True, kw_only=True)
class Kept:
    """What a sink stored: a row per image for the commit record, and histograms per channel."""

    images: list[dict[str, Any]] = field(default_factory=list)
    histograms: dict[str, Any] = field(default_factory=dict)


class Sink(Protocol):
    """Takes the planes of one well for one target."""

    def room(self, key: Key) -> Array | None:
        """Return where to put a plane (y, x) in place, or None where it must be handed to `put`."""

    def put(self, key: Key, plane: Array) -> None:
        """Take a plane (y, x); it is copied or written before this returns."""

    def placed(self, key: Key) -> None:
        """Take note that the room of a plane has been filled."""

    def close(self) -> Kept:
        """Return what was stored; every plane must have come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the planes of one target of one well go.

    ``keys`` are all planes that will come; ``folder`` is the well's own in staging; ``number`` counts
    the plan's targets; ``verify`` reads everything back and compares it.
    """

    target: Target
    number: int
    index: PlateIndex
    well: str
    keys: tuple[Key, ...]
    folder: Path
    ops: FileOps
    verify: bool = False


def make_sink(place: Place, *, paths: Mapping[Image, str], config: ZarrConfig, listed: Mapping[Key, str]) -> Sink:
    """Return the sink for one target of one well.

    ``paths`` name the group of each site image; ``listed`` names the state of planes that hold the
    fill value.
    """
    if place.target.backend == "disk":
        return TiffSink(place)
    return ZarrSink(place, paths=paths, config=config, listed=listed)


class ZarrSink:
    """Gathers site images (t?, c, z, y, x) and writes each with its levels."""

    def __init__(
        self, place: Place, *, paths: Mapping[Image, str], config: ZarrConfig, listed: Mapping[Key, str]
    ) -> None:
        self._to = place
        self._target = place.target
        self._paths = paths
        self._config = config
        self._listed = listed
        self._awaited: dict[Image, set[Key]] = {}
        for key in place.keys:
            self._awaited.setdefault(image_of(key), set()).add(key)
        self._present = {image: frozenset(awaited) for image, awaited in self._awaited.items()}
        self._open: dict[Image, Array] = {}
        self._kept = Kept()

    def room(self, key: Key) -> Array:
        """Return the plane's place in its image, zeros until filled."""
        image = image_of(key)
        if image not in self._open:
            self._open[image] = np.zeros(self._full_shape(image[0]), self._target.layer.dtype)
        return self._open[image][self._place(key)]  # type: ignore[no-any-return]

    def put(self, key: Key, plane: Array) -> None:
        """Copy a plane into its image."""
        self.room(key)[...] = plane
        self.placed(key)

    def placed(self, key: Key) -> None:
        """Write the image once its last plane is there."""
        image = image_of(key)
        self._awaited[image].discard(key)
        if not self._awaited[image]:
            self._write(image, self._open.pop(image))

    def close(self) -> Kept:
        """Return what was stored."""
        waiting = [image for image, awaited in self._awaited.items() if awaited]
        if waiting:
            raise StepError(f"well {self._to.well}: images of sites {waiting} never became whole", well=self._to.well)
        return self._kept

    def _full_shape(self, acquisition: int) -> tuple[int, ...]:
        _, ts, channels, zs = self._target.layer.axes[acquisition]
        return (len(ts), len(channels), len(zs), *self._target.layer.plane_shape)

    def _place(self, key: Key) -> tuple[int, int, int]:
        acquisition, _, t, channel, z = key
        _, ts, channels, zs = self._target.layer.axes[acquisition]
        return ts.index(t), channels.index(channel), zs.index(z)

    def _write(self, image: Image, pixels: Array) -> None:
        from openhcs.io.pyramid import downsample
        from openhcs.io.zarr_array import open_handle, write_array
        from openhcs.io.zarr_spec import make_spec

        acquisition, site = image
        names = ("t", "c", "z", "y", "x")
        self._count(image, pixels)
        level = pixels if len(pixels) > 1 else pixels[0]
        path = self._paths[image]
        shape = level.shape
        for number, _ in enumerate(level_shapes(self._target.layer.plane_shape, self._config.levels)):
            level = level if number == 0 else downsample(level)
            spec = make_spec(level.shape, level.dtype.name, self._config, dimension_names=names[-level.ndim :])
            folder = self._to.folder / path / str(number)
            write_array(folder, level, spec, self._to.ops)
            if self._to.verify:
                stored = open_handle(folder)
                for part in [()] if level.nbytes <= READ_BACK else np.ndindex(level.shape[:-2]):
                    _same(stored.read(part), level[part], folder)
        self._kept.images.append(
            {
                "target": self._to.number,
                "path": path,
                "well": self._to.well,
                "acquisition": acquisition,
                "site": site,
                "shape": list(shape),
                "gaps": self._gaps(image),
            }
        )

    def _count(self, image: Image, pixels: Array) -> None:
        """Count the pixels of each channel, those of planes that are really there."""
        from openhcs.ngff.windows import merge
        from openhcs.run.histogram import histogram

        by_channel: dict[int, list[Array]] = {}
        for key in sorted(self._present[image] - self._listed.keys()):
            by_channel.setdefault(key[3], []).append(pixels[self._place(key)])
        for channel, planes in by_channel.items():
            name = str(channel)
            counted = merge(histogram(plane) for plane in planes)
            known = self._kept.histograms.get(name)
            self._kept.histograms[name] = counted if known is None else merge([known, counted])

    def _gaps(self, image: Image) -> list[dict[str, Any]]:
        acquisition, site = image
        _, ts, channels, zs = self._target.layer.axes[acquisition]
        gaps = []
        for key in ((acquisition, site, t, c, z) for t in ts for c in channels for z in zs):
            state = self._listed.get(key) or (None if key in self._present[image] else "not_acquired")
            if state is not None:
                gaps.append({"t": key[2], "c": key[3], "z": key[4], "state": state})
        return gaps


class TiffSink:
    """Writes each plane as an OME-TIFF of its own."""

    def __init__(self, place: Place) -> None:
        self._to = place
        self._awaited = set(place.keys)
        self._kept = Kept()

    def room(self, key: Key) -> Array | None:  # noqa: ARG002 - a plane is written, not gathered
        """Return None: a plane is handed over whole."""
        return None

    def put(self, key: Key, plane: Array) -> None:
        """Write a plane."""
        from openhcs.io.tiff import encode_ome_tiff, read_plane_into

        acquisition, site, t, channel, z = key
        name = plane_file(self._to.well, key)
        path = self._to.folder / name
        self._to.ops.make_dirs(self._to.folder)
        self._to.ops.write_new(path, encode_ome_tiff(plane, **plane_facts(self._to.index, channel)))
        if self._to.verify:
            read = np.empty_like(plane)
            read_plane_into(path, 0, read)
            _same(read, plane, path)
        self._awaited.discard(key)
        self._kept.images.append(
            {"target": self._to.number, "path": name, "well": self._to.well, "acquisition": acquisition, "site": site}
            | {"t": t, "c": channel, "z": z, "shape": list(plane.shape), "gaps": []}
        )

    def placed(self, key: Key) -> None:
        """Never called: `room` gives none."""
        raise AssertionError(key)

    def close(self) -> Kept:
        """Return what was stored."""
        if self._awaited:
            raise StepError(f"well {self._to.well}: {len(self._awaited)} planes never came", well=self._to.well)
        return self._kept


def _same(read: Array, meant: Array, path: Path) -> None:
    """Raise `FormatError` unless what was read back is, byte for byte, what was meant."""
    same = read.shape == meant.shape and read.dtype == meant.dtype
    if not (same and np.array_equal(_bytes(read), _bytes(meant))):
        raise FormatError(f"what was written to {path} reads back differently; the disk may be failing", path=path)


def _bytes(planes: Array) -> Array:
    """Return the bytes of planes, so that NaN equals itself and -0.0 differs from 0.0."""
    return np.ascontiguousarray(planes).view(np.uint8)


def plane_file(well: str, key: Key) -> str:
    """Return the file name of one plane of a TIFF output."""
    acquisition, site, t, channel, z = key
    mark = f"_a{acquisition}" if acquisition else ""
    return f"{well}_s{site}{mark}_c{channel}_z{z}_t{t}.ome.tif"


def plane_facts(index: PlateIndex, channel: int) -> dict[str, Any]:
    """Return what an OME-TIFF of one plane says about itself."""
    names = {one.number: one.name for one in index.channels}
    return {
        "channel_name": names.get(channel, str(channel)),
        "pixel_size_um": index.pixel_size_um,
        "z_step_um": index.z_step_um,
    }


def states_of(planes: tuple[Plane, ...]) -> dict[Key, str]:
    """Return the state of each plane whose pixels are not there."""
    return {plane.key: plane.state.value for plane in planes if plane.state.value != "present"}
