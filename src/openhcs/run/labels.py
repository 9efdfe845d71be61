"""Where label planes go: one OME-Zarr label image beneath each site image that has labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.plan.sizes import label_config
from openhcs.run.gather import Gathering, LevelWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs.core.config import ZarrConfig
    from openhcs.core.plate import Key
    from openhcs.plan.parts import LabelTarget
    from openhcs.run.sinks import Place

    Array = np.ndarray[Any, np.dtype[Any]]
    Image = tuple[int, int]

LISTED = 1024
"""Objects of a label image that its document lists, with colour and area: those with the smallest numbers."""
COUNTED = 2**20
"""Numbers below which pixels are counted."""
BLOCK = 2**18
"""Pixels counted at once."""


class LabelSink:
    """Gathers label images (t?, z, y, x) of one well and writes each with its levels.

    ``place.keys`` are all label planes that will come; ``paths`` name the group of each site image.
    """

    def __init__(self, place: Place, label: LabelTarget, *, paths: Mapping[Image, str], config: ZarrConfig) -> None:
        from openhcs.io.pyramid import downsample_labels

        layer = place.target.layer
        self.label = label
        self._to = place
        self._paths = paths
        self._write = LevelWriter(
            config=label_config(config), ops=place.ops, reduce=downsample_labels, verify=place.verify
        )
        axes = {number: (sites, ts, (0,), zs) for number, (sites, ts, _, zs) in layer.axes.items()}
        self._planes = Gathering(
            place.keys,
            axes=axes,
            dtype=label.dtype,
            plane_shape=layer.plane_shape,
            whole=self._store,
            shelf=place.shelf,
        )
        self._kept: dict[Image, dict[str, Any]] = {}

    def put(self, key: Key, plane: Array | None) -> None:
        """Copy a plane (y, x) into its image; None stands for one of background."""
        self._planes.put(key, plane)

    def close(self) -> dict[Image, dict[str, Any]]:
        """Return, by site image, what the commit record tells of its labels."""
        self._planes.check_done(self._to.well)
        return self._kept

    def _store(self, image: Image, pixels: Array) -> None:
        stack = pixels[:, 0] if len(pixels) > 1 else pixels[0, 0]
        self._write.write(
            self._to.folder / self._paths[image] / "labels" / self.label.name, stack, ("t", "z", "y", "x")
        )
        numbers, areas = areas_of(stack)
        self._kept[image] = {
            "name": self.label.name,
            "step": self.label.step,
            "channel": self.label.channel,
            "dtype": self.label.dtype,
            "shape": list(stack.shape),
            "objects": len(numbers),
            "ids": numbers[:LISTED].tolist(),
            "areas": areas[:LISTED].tolist(),
        }


def areas_of(labels: Array) -> tuple[Array, Array]:
    """Return the numbers of the objects of a label image, rising, and the pixels of each over all planes.

    Counting takes a fraction of a plane's memory; numbers far above those of any plate's objects are
    sorted instead.

    >>> numbers, areas = areas_of(np.array([[[0, 7], [7, 3]]]))
    >>> numbers.tolist(), areas.tolist()
    ([3, 7], [1, 2])
    """
    numbers, areas = _counted(labels) if int(labels.max()) < COUNTED else _sorted(labels)
    return numbers[numbers > 0], areas[numbers > 0]


def _counted(labels: Array) -> tuple[Array, Array]:
    areas = np.zeros(int(labels.max()) + 1, np.int64)
    flat = labels.reshape(-1)
    for start in range(0, flat.size, BLOCK):
        found = np.bincount(flat[start : start + BLOCK].astype(np.int64, copy=False))
        areas[: len(found)] += found
    numbers = np.flatnonzero(areas)
    return numbers, areas[numbers]


def _sorted(labels: Array) -> tuple[Array, Array]:
    numbers, areas = np.empty(0, labels.dtype), np.empty(0, np.int64)
    for place in np.ndindex(*labels.shape[:-2]):
        found, counts = np.unique(labels[place], return_counts=True)
        numbers, where = np.unique(np.concatenate([numbers, found]), return_inverse=True)
        total = np.zeros(len(numbers), np.int64)
        np.add.at(total, where, np.concatenate([areas, counts]))
        areas = total
    return numbers, areas
