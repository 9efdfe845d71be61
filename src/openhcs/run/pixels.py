"""Read the pixels of planes, wherever a plate keeps them: pages of TIFFs or regions of Zarr arrays."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Self

from openhcs.core.plate import FileSource
from openhcs.errors import MissingPlanes, OpenHCSError

if TYPE_CHECKING:
    import numpy as np

    from openhcs.core.plate import Plane, PlateIndex, ZarrSource
    from openhcs.io.zarr_array import ZarrHandle

    Array = np.ndarray[Any, np.dtype[Any]]

OPEN_ARRAYS = 16
"""Zarr arrays kept open: planes of one image come after one another."""


class PlaneReader:
    """Reads planes of one plate; safe in many threads at once.

    Parameters
    ----------
    index
        the plate.
    root
        where its sources lie; None: ``index.root``.
    """

    def __init__(self, index: PlateIndex, root: str | os.PathLike[str] | None = None) -> None:
        self._root = os.fspath(index.root if root is None else root)
        self._arrays: OrderedDict[str, ZarrHandle] = OrderedDict()
        self._lock = threading.Lock()

    def read_into(self, plane: Plane, out: Array) -> None:
        """Decode a plane into ``out`` (y, x), which has its shape and dtype.

        Raises
        ------
        MissingPlanes
            the plane has no pixels.
        FormatError
            the file or array is damaged, or of another shape or dtype.
        NotFound, StorageError
            the file is gone or cannot be read.
        """
        try:
            if plane.source is None:
                raise MissingPlanes(f"this plane has no pixels: {plane.state.value.replace('_', ' ')}", path=self._root)
            if isinstance(plane.source, FileSource):
                self._read_file(plane.source, out)
            else:
                self._read_array(plane.source, out)
        except OpenHCSError as error:
            _tell_where(error, plane)
            raise

    def close(self) -> None:
        """Forget the open arrays; reading again opens them anew."""
        with self._lock:
            self._arrays.clear()

    def _read_file(self, source: FileSource, out: Array) -> None:
        from openhcs.io.tiff import read_plane_into

        read_plane_into(os.path.join(self._root, source.path), source.page, out)

    def _read_array(self, source: ZarrSource, out: Array) -> None:
        self._array(source.path).read(source.index, out=out)

    def _array(self, path: str) -> ZarrHandle:
        from openhcs.io.zarr_array import open_handle

        with self._lock:
            found = self._arrays.get(path)
            if found is None:
                found = self._arrays[path] = open_handle(os.path.join(self._root, path))
            self._arrays.move_to_end(path)
            if len(self._arrays) > OPEN_ARRAYS:
                self._arrays.popitem(last=False)
        return found

    def __enter__(self) -> Self:
        """Return the reader; it is closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _tell_where(error: OpenHCSError, plane: Plane) -> None:
    """Add to an error from below which plane was being read."""
    error.well = error.well or plane.well
    error.site = plane.site if error.site is None else error.site
    if plane.name not in error.message:
        error.message = f"plane {plane.name}: {error.message}"
