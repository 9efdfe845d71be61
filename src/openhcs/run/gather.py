"""Site images put together from planes, and written with their levels once they are whole."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.core.arrays import level_shapes
from openhcs.errors import FormatError, StepError
from openhcs.plan.schedule import image_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from openhcs.core.arrays import ArraySpec
    from openhcs.core.config import ZarrConfig
    from openhcs.core.plate import Key
    from openhcs.io.fsops import FileOps
    from openhcs.plan.parts import Axes
    from openhcs.run.shelf import Shelf

    Array = np.ndarray[Any, np.dtype[Any]]
    Image = tuple[int, int]

READ_BACK = 2**25
"""Bytes up to which a level is read back at once: one look at a shard's index serves all its planes."""


class Gathering:
    """Images (t, c, z, y, x) of one well in the making.

    Parameters
    ----------
    keys
        every plane that will come.
    axes, dtype, plane_shape
        of the images.
    whole
        called with an image once its last plane has come; the image is dropped then.
    shelf
        where planes wait until their image is whole, so that one image at a time is in memory; None: they
        are put into their images as they come.
    """

    def __init__(
        self,
        keys: Iterable[Key],
        *,
        axes: Mapping[int, Axes],
        dtype: str,
        plane_shape: tuple[int, int],
        whole: Callable[[Image, Array], None],
        shelf: Shelf | None = None,
    ) -> None:
        self._axes = axes
        self._dtype = dtype
        self._plane_shape = plane_shape
        self._whole = whole
        self._shelf = shelf
        self._shelved: dict[Image, list[tuple[Key, Any]]] = {}
        self._awaited: dict[Image, set[Key]] = {}
        for key in keys:
            self._awaited.setdefault(image_of(key), set()).add(key)
        self.present = {image: frozenset(awaited) for image, awaited in self._awaited.items()}
        self._open: dict[Image, Array] = {}

    def put(self, key: Key, plane: Array | None) -> None:
        """Take a plane (y, x), copied; None stands for zeros."""
        image = image_of(key)
        if self._shelf is not None and self._awaited[image] != {key}:
            if plane is not None:
                self._shelved.setdefault(image, []).append((key, self._shelf.put(plane)))
            self._awaited[image].discard(key)
            return
        room = self._place(key)
        if plane is not None:
            room[...] = plane
        self.placed(key)

    def room(self, key: Key) -> Array | None:
        """Return a plane's place in its image, zeros until filled; None where planes wait on a shelf."""
        return None if self._shelf is not None else self._place(key)

    def _place(self, key: Key) -> Array:
        image = image_of(key)
        if image not in self._open:
            _, ts, channels, zs = self._axes[image[0]]
            shape = (len(ts), len(channels), len(zs), *self._plane_shape)
            self._open[image] = np.zeros(shape, self._dtype)
        return self._open[image][self.place(key)]  # type: ignore[no-any-return]

    def placed(self, key: Key) -> None:
        """Take note that a plane is in its room; hand its image over if that was the last one."""
        image = image_of(key)
        self._awaited[image].discard(key)
        if not self._awaited[image]:
            for other, ticket in self._shelved.pop(image, ()):
                assert self._shelf is not None
                self._place(other)[...] = self._shelf.take(ticket)
            self._whole(image, self._open.pop(image))

    def place(self, key: Key) -> tuple[int, int, int]:
        """Return where a plane lies along t, c and z."""
        acquisition, _, t, channel, z = key
        _, ts, channels, zs = self._axes[acquisition]
        return ts.index(t), channels.index(channel), zs.index(z)

    def check_done(self, well: str) -> None:
        """Raise `StepError` if an image never became whole."""
        if waiting := [image for image, awaited in self._awaited.items() if awaited]:
            raise StepError(f"well {well}: images of sites {waiting} never became whole", well=well)


@functools.lru_cache(maxsize=256)
def spec_of(shape: tuple[int, ...], dtype: str, config: ZarrConfig, names: tuple[str, ...]) -> ArraySpec:
    """Return how a level is stored, as `openhcs.io.zarr_spec.make_spec` does; a plate has few kinds of them."""
    from openhcs.io.zarr_spec import make_spec

    return make_spec(shape, dtype, config, dimension_names=names)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelWriter:
    """Writes an image as one array per level.

    ``verify`` reads everything back and compares it.
    """

    config: ZarrConfig
    ops: FileOps
    reduce: Callable[[Array], Array]
    verify: bool

    def write(self, folder: Path, pixels: Array, names: Sequence[str]) -> None:
        """Write an image, its axes named as the last of ``names``, one folder per level from ``0`` on."""
        from openhcs.io.zarr_array import write_array

        level = pixels
        y, x = pixels.shape[-2:]
        for number, _ in enumerate(level_shapes((y, x), self.config.levels)):
            level = level if number == 0 else self.reduce(level)
            spec = spec_of(level.shape, level.dtype.name, self.config, tuple(names[-level.ndim :]))
            write_array(folder / str(number), level, spec, self.ops)
            if self.verify:
                self._read_back(folder / str(number), level)

    @staticmethod
    def _read_back(folder: Path, level: Array) -> None:
        from openhcs.io.zarr_array import open_handle

        stored = open_handle(folder)
        for part in [()] if level.nbytes <= READ_BACK else np.ndindex(level.shape[:-2]):
            check_same(stored.read(part), level[part], folder)


def check_same(read: Array, meant: Array, path: Path) -> None:
    """Raise `FormatError` unless what was read back is, byte for byte, what was meant."""
    same = read.shape == meant.shape and read.dtype == meant.dtype
    if not (same and np.array_equal(_bytes(read), _bytes(meant))):
        raise FormatError(f"what was written to {path} reads back differently; the disk may be failing", path=path)


def _bytes(planes: Array) -> Array:
    """Return the bytes of planes, so that NaN equals itself and -0.0 differs from 0.0."""
    return np.ascontiguousarray(planes).view(np.uint8)
