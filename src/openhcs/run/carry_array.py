"""Carry one array: its objects as they are, or its pixels stored anew for another version of Zarr."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.errors import FormatError, InvalidValue
from openhcs.io.tree import PIECE
from openhcs.io.zarr_array import create_handle, open_handle
from openhcs.io.zarr_encode import object_places, object_region
from openhcs.io.zarr_spec import RESTORE, make_spec
from openhcs.ngff.render import ZARR_FORMAT
from openhcs.run.survey import join, objects_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from openhcs.core.arrays import ArraySpec
    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.io.fsops import FileOps, Stored
    from openhcs.io.tree import Tree
    from openhcs.io.zarr_array import ZarrHandle
    from openhcs.ledger.staging import Staging
    from openhcs.run.digests import Digests
    from openhcs.run.survey import ArrayFound

    Array = np.ndarray[Any, np.dtype[Any]]

_NUMBERS = re.compile(r"\d+")
_OBJECT = re.compile(r"c|(?:c[./])?\d{1,18}(?:[./]\d{1,18})*")
CHOICES = ("compressor", "compression_level", "shuffle", "chunk_strategy", "chunk_shape", "shard_shape")
"""Settings that say how arrays are stored; one of them set stores all arrays anew."""


def as_it_is(array: ArrayFound, config: GlobalPipelineConfig) -> bool:
    """Return whether an array's objects are copied: the same Zarr, and no other way of storing is asked for."""
    from openhcs.core.config import ZarrConfig

    zarr, plain = config.zarr, ZarrConfig()
    chosen = any(getattr(zarr, name) != getattr(plain, name) for name in CHOICES)
    return array.spec is None or (array.zarr_format == ZARR_FORMAT[zarr.ngff_version] and not chosen)


def objects_of(array: ArrayFound, config: GlobalPipelineConfig) -> int:
    """Return how many objects an array will have."""
    if as_it_is(array, config):
        return array.objects
    return objects_in(_anew(array, config))


def needs(array: ArrayFound, config: GlobalPipelineConfig) -> int:
    """Return the bytes of memory that carrying an array takes, about."""
    if array.spec is None:
        return PIECE
    specs = [array.spec] if as_it_is(array, config) else [array.spec, _anew(array, config)]
    return sum(2 * _object_bytes(spec) for spec in specs)


def _object_bytes(spec: ArraySpec) -> int:
    sides = (min(side, size) for side, size in zip(spec.object_shape, spec.shape, strict=True))
    return math.prod(sides) * np.dtype(spec.dtype).itemsize


def _anew(array: ArrayFound, config: GlobalPipelineConfig) -> ArraySpec:
    spec = array.spec
    if spec is None:
        raise FormatError(f"{array.path}: {array.why}", path=array.path)
    names = array.axes if array.axes is not None and len(array.axes) == len(spec.shape) else spec.dimension_names
    try:
        return make_spec(
            spec.shape,
            spec.dtype,
            config.zarr,
            dimension_names=names,
            attributes=spec.attributes,
            fill_value=spec.fill_value,
        )
    except InvalidValue as error:
        raise InvalidValue(f"{array.path}: {error}") from None


def carry_file(tree: Tree, path: str, target: Path, ops: FileOps) -> Stored:
    """Copy one file byte for byte."""
    ops.make_dirs(target.parent)
    return ops.write_new(target, tree.pieces(path))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayCarrier:
    """Carries arrays of one plate.

    Parameters
    ----------
    tree
        where they come from.
    digests
        what commit records say of its files.
    """

    tree: Tree
    config: GlobalPipelineConfig
    digests: Digests

    def carry(self, array: ArrayFound, target: Path, staging: Staging, well: str) -> None:
        """Put an array in the folder ``target`` in staging.

        Raises
        ------
        FormatError
            a file is damaged, or not what the plate's commit record tells.
        """
        if as_it_is(array, self.config):
            self._copy(array, target, staging.ops, well)
        else:
            self._store_anew(array, target, staging, well)

    def check(self, array: ArrayFound, well: str) -> None:
        """Decode every object of an array where it lies.

        Raises
        ------
        FormatError
            one is damaged.
        """
        if array.spec is None:
            return
        handle = self.digests.open(well, array.path)
        self._all_there(array, handle, well)
        for place in places_of(self._names(array.path), handle.spec):
            handle.read(object_region(handle.spec, place))

    def _all_there(self, array: ArrayFound, handle: ZarrHandle, well: str) -> None:
        """Raise `FormatError` if objects of an array are gone that were stored, as its mark says."""
        wanted = objects_in(handle.spec)
        if handle.complete and array.objects < wanted:
            told = f"{array.path}: {wanted - array.objects} of {wanted} stored objects are gone. {RESTORE}."
            raise FormatError(told, path=array.path, well=well)

    def _names(self, path: str, inner: str = "") -> Iterator[str]:
        """Yield the paths in an array of all files below a folder of it."""
        listing = self.tree.list(join(path, inner))
        yield from (join(inner, file.name) for file in listing.files)
        for folder in listing.folders:
            yield from self._names(path, join(inner, folder))

    def _copy(self, array: ArrayFound, target: Path, ops: FileOps, well: str) -> None:
        held = list(self._names(array.path))
        for name in held:
            path = join(array.path, name)
            stored = carry_file(self.tree, path, target / name, ops)
            if why := self.digests.why_not(well, path, (stored.bytes, stored.digest)):
                raise FormatError(f"{path} is damaged: {why}. {RESTORE}.", path=path, well=well)
        if array.spec is None:
            return
        handle = open_handle(target, well=well)
        self._all_there(array, handle, well)
        for place in places_of(held, handle.spec):
            handle.read(object_region(handle.spec, place))

    def _store_anew(self, array: ArrayFound, target: Path, staging: Staging, well: str) -> None:
        folder = self.tree.local(array.path, staging.folder / "scratch", staging.scratch)
        source = self.digests.open(well, array.path, folder)
        handle = create_handle(target, _anew(array, self.config), staging.ops)
        for place in object_places(handle.spec):
            region = object_region(handle.spec, place)
            pixels = source.read(region)
            handle.write(region, pixels)
            if self.config.verify and not np.array_equal(_bytes(handle.read(region)), _bytes(pixels)):
                raise FormatError(f"what was written to {target} reads back differently; the disk may be failing")


def places_of(names: Iterable[str], spec: ArraySpec) -> Iterator[tuple[int, ...]]:
    """Yield the place in the grid of each file that is an object, by the numbers in its name."""
    grid = [-(-size // step) for size, step in zip(spec.shape, spec.object_shape, strict=True)]
    for name in names:
        if not grid and name in {"c", "0"}:
            yield ()
        place = tuple(map(int, _NUMBERS.findall(name))) if grid and _OBJECT.fullmatch(name) else (-1,)
        if len(place) == len(grid) and all(0 <= at < most for at, most in zip(place, grid, strict=True)):
            yield place


def _bytes(pixels: Array) -> Array:
    """Return the bytes of pixels, so that NaN equals itself and -0.0 differs from 0.0."""
    return np.ascontiguousarray(pixels).reshape(-1).view(np.uint8)
