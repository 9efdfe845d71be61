"""Where the planes of a target go: one OME-Zarr image per site, or one OME-TIFF per plane.

An image is gathered in memory, written whole when its last plane has come, and dropped.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from openhcs.errors import StepError
from openhcs.ngff.describe import MEASURES
from openhcs.run.gather import Gathering, LevelWriter, check_same

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from openhcs.core.config import ZarrConfig
    from openhcs.core.plate import Key, Plane, PlateIndex
    from openhcs.io.fsops import FileOps
    from openhcs.plan.parts import Target
    from openhcs.run.histogram import Counter
    from openhcs.run.shelf import Shelf

    Array = np.ndarray[Any, np.dtype[Any]]
    Image = tuple[int, int]


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
    the plan's targets; ``verify`` reads everything back and compares it; ``shelf`` is where planes wait
    for their image if memory has no room for them; ``planes`` are those of the plate that are the target's own.
    """

    target: Target
    number: int
    index: PlateIndex
    well: str
    keys: tuple[Key, ...]
    folder: Path
    ops: FileOps
    verify: bool = False
    shelf: Shelf | None = None
    planes: Mapping[Key, Plane] = field(default_factory=dict)


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
        from openhcs.io.pyramid import downsample

        layer = place.target.layer
        self._to = place
        self._axes = layer.axes
        self._paths = paths
        self._listed = listed
        self._levels = LevelWriter(config=config, ops=place.ops, reduce=downsample, verify=place.verify)
        self._planes = Gathering(
            place.keys,
            axes=layer.axes,
            dtype=layer.dtype,
            plane_shape=layer.plane_shape,
            whole=self._write,
            shelf=place.shelf,
        )
        self._kept = Kept()
        self._counters: dict[str, Counter] = {}

    def room(self, key: Key) -> Array | None:
        """Return the plane's place in its image, zeros until filled; None where it waits on a shelf."""
        return self._planes.room(key)

    def put(self, key: Key, plane: Array) -> None:
        """Copy a plane into its image."""
        self._planes.put(key, plane)

    def placed(self, key: Key) -> None:
        """Write the image once its last plane is there."""
        self._planes.placed(key)

    def close(self) -> Kept:
        """Return what was stored."""
        self._planes.check_done(self._to.well)
        self._kept.histograms = {name: self._counters[name].histogram() for name in sorted(self._counters, key=int)}
        return self._kept

    def _write(self, image: Image, pixels: Array) -> None:
        acquisition, site = image
        self._count(image, pixels)
        stack = pixels if len(pixels) > 1 else pixels[0]
        path = self._paths[image]
        self._levels.write(self._to.folder / path, stack, ("t", "c", "z", "y", "x"))
        self._kept.images.append(
            {
                "target": self._to.number,
                "path": path,
                "well": self._to.well,
                "acquisition": acquisition,
                "site": site,
                "shape": list(stack.shape),
                "gaps": self._gaps(image),
                **self._measures(image),
            }
        )

    def _count(self, image: Image, pixels: Array) -> None:
        """Count the pixels of each channel, those of planes that are really there."""
        from openhcs.run.histogram import Counter

        for key in self._planes.present[image] - self._listed.keys():
            name = str(key[3])
            if name not in self._counters:
                self._counters[name] = Counter()
            self._counters[name].add(pixels[self._planes.place(key)])

    def _gaps(self, image: Image) -> list[dict[str, Any]]:
        acquisition, site = image
        _, ts, channels, zs = self._axes[acquisition]
        gaps = []
        for key in ((acquisition, site, t, c, z) for t in ts for c in channels for z in zs):
            state = self._listed.get(key) or (None if key in self._planes.present[image] else "not_acquired")
            if state is not None:
                gaps.append({"t": key[2], "c": key[3], "z": key[4], "state": state})
        return gaps

    def _measures(self, image: Image) -> dict[str, list[float | None]]:
        """Return height and time of each plane, in the order t, c, z, where told."""
        acquisition, site = image
        _, *axes = self._axes[acquisition]
        keys = [(acquisition, site, t, c, z) for t, c, z in itertools.product(*axes)]
        told = {name: [getattr(self._to.planes.get(key), name, None) for key in keys] for name in MEASURES}
        return {name: values for name, values in told.items() if any(value is not None for value in values)}


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
            check_same(read, plane, path)
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
