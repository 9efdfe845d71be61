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
    from openhcs.plan.model import LabelTarget
    from openhcs.run.sinks import Place

    Array = np.ndarray[Any, np.dtype[Any]]
    Image = tuple[int, int]

LISTED = 1024
"""Objects of a label image that its document lists, with colour and area: those with the smallest numbers."""


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
            place.keys, axes=axes, dtype=label.dtype, plane_shape=layer.plane_shape, whole=self._store
        )
        self._kept: dict[Image, dict[str, Any]] = {}

    def put(self, key: Key, plane: Array | None) -> None:
        """Copy a plane (y, x) into its image; None stands for one of background."""
        room = self._planes.room(key)
        if plane is not None:
            room[...] = plane
        self._planes.placed(key)

    def close(self) -> dict[Image, dict[str, Any]]:
        """Return, by site image, what the commit record tells of its labels."""
        self._planes.check_done(self._to.well)
        return self._kept

    def _store(self, image: Image, pixels: Array) -> None:
        stack = pixels[:, 0] if len(pixels) > 1 else pixels[0, 0]
        self._write.write(
            self._to.folder / self._paths[image] / "labels" / self.label.name, stack, ("t", "z", "y", "x")
        )
        ids, areas = areas_of(stack)
        self._kept[image] = {
            "name": self.label.name,
            "step": self.label.step,
            "channel": self.label.channel,
            "dtype": self.label.dtype,
            "shape": list(stack.shape),
            "objects": len(ids),
            "ids": ids[:LISTED],
            "areas": areas[:LISTED],
        }


def areas_of(labels: Array) -> tuple[list[int], list[int]]:
    """Return the numbers of the objects of a label image, rising, and the pixels of each over all planes.

    >>> areas_of(np.array([[[0, 7], [7, 3]]]))
    ([3, 7], [1, 2])
    """
    found: dict[int, int] = {}
    for place in np.ndindex(*labels.shape[:-2]):
        for number, count in zip(*_counts(labels[place]), strict=True):
            found[number] = found.get(number, 0) + count
    found.pop(0, None)
    return sorted(found), [found[number] for number in sorted(found)]


def _counts(plane: Array) -> tuple[list[int], list[int]]:
    if int(plane.max()) < plane.size:
        # Counting costs a fraction of sorting, and at most as much memory as the pixels.
        counts = np.bincount(plane.ravel().astype(np.int64, copy=False))
        numbers = np.flatnonzero(counts)
        return numbers.tolist(), counts[numbers].tolist()
    numbers, counts = np.unique(plane, return_counts=True)
    return numbers.tolist(), counts.tolist()
