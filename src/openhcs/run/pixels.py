"""Read the pixels of planes, wherever a plate keeps them: pages of TIFFs or regions of Zarr arrays.

Files of our own outputs that carry no checksum are compared with the commit record on their way.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from openhcs.core.plate import FileSource, SceneSource, ZarrSource
from openhcs.errors import FormatError, MissingPlanes, NotFound, OpenHCSError
from openhcs.io.folder import path_of
from openhcs.io.ozx import SUFFIX as OZX
from openhcs.io.ozx import OzxTree
from openhcs.io.strangers import read_plain
from openhcs.io.zarr_spec import RESTORE
from openhcs.run.digests import Digests

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from openhcs.core.plate import Plane, PlateIndex
    from openhcs.io.zarr_array import ZarrHandle
    from openhcs.microscopes import Outline
    from openhcs.microscopes.bioio_image import OtherImage

    Array = np.ndarray[Any, np.dtype[Any]]

OURS = ("ome_zarr", "openhcs_tiff")
"""Layouts that an output of ours can have."""
LARGEST = 2**31
"""Bytes of the largest image file of ours."""
OPEN_ARRAYS = 16
"""Zarr arrays kept open: planes of one image come after one another."""
OPEN_IMAGES = 4
"""Files of other programs' formats kept open."""


class PlaneReader:
    """Reads planes of one plate; safe in many threads at once.

    Parameters
    ----------
    plate
        its index or outline.
    root
        where its sources lie; None: ``plate.root``.
    """

    def __init__(self, plate: PlateIndex | Outline, root: str | os.PathLike[str] | None = None) -> None:
        self._root = os.fspath(plate.root if root is None else root)
        self._digests = Digests(self._root) if plate.microscope in OURS else None
        self._archive = OzxTree(self._root) if self._root.endswith(OZX) and os.path.isfile(self._root) else None
        self._arrays: OrderedDict[str, ZarrHandle] = OrderedDict()
        self._images: OrderedDict[str, OtherImage] = OrderedDict()
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
                self._read_file(plane.well, plane.source, out)
            elif isinstance(plane.source, SceneSource):
                self._image(plane.source.path).read_into(plane.source.scene, plane.source.index, out)
            else:
                self._array(plane.well, plane.source.path).read(plane.source.index, out=out)
        except OpenHCSError as error:
            _tell_where(error, plane)
            raise

    def read_stack_into(self, planes: Sequence[Plane], out: Array) -> None:
        """Decode planes into ``out`` (n, y, x); a block of one Zarr array at once, others one by one.

        Raises what `read_into` does, of the first plane that cannot be read.
        """
        block = _block(planes)
        if block is not None:
            path, region, shape = block
            with contextlib.suppress(OpenHCSError):  # which plane it is about is found below
                self._array(planes[0].well, path).read(region, out=out.reshape(*shape, *out.shape[1:]))
                return
        for plane, room in zip(planes, out, strict=True):
            self.read_into(plane, room)

    def close(self) -> None:
        """Forget the open arrays; reading again opens them anew."""
        with self._lock:
            self._arrays.clear()
            self._images.clear()

    def _read_file(self, well: str, source: FileSource, out: Array) -> None:
        from openhcs.io.images import read_plane_into

        path = os.path.join(self._root, source.path)
        data = None
        if self._digests is not None and self._digests.commits(well, source.path):
            data = _bytes(path)
            if why := self._digests.why(well, source.path, data):
                raise FormatError(f"{path} is damaged: {why}. {RESTORE}.", path=path)
        read_plane_into(path, source.page, out, data=data)

    def _array(self, well: str, path: str) -> ZarrHandle:
        with self._lock:
            found = self._arrays.get(path)
            if found is None:
                found = self._arrays[path] = self._open(well, path)
            self._arrays.move_to_end(path)
            if len(self._arrays) > OPEN_ARRAYS:
                self._arrays.popitem(last=False)
        return found

    def _image(self, path: str) -> OtherImage:
        from openhcs.microscopes.bioio_image import OtherImage

        with self._lock:
            if path not in self._images:
                self._images[path] = OtherImage(path_of(self._root, path))
            self._images.move_to_end(path)
            if len(self._images) > OPEN_IMAGES:
                self._images.popitem(last=False)
            return self._images[path]

    def _open(self, well: str, path: str) -> ZarrHandle:
        from openhcs.io.zarr_array import open_archived, open_handle

        if self._archive is not None:
            return open_archived(self._archive, path)
        return open_handle(Path(self._root, path)) if self._digests is None else self._digests.open(well, path)

    def __enter__(self) -> Self:
        """Return the reader; it is closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _block(planes: Sequence[Plane]) -> tuple[str, tuple[slice, ...], tuple[int, ...]] | None:
    """Return the array, region and leading shape of planes that are a whole block of it, in its order; else None."""
    sources = [plane.source for plane in planes if isinstance(plane.source, ZarrSource)]
    if len(sources) < max(2, len(planes)) or len({(one.path, len(one.index)) for one in sources}) != 1:
        return None
    ranges = [range(min(axis), max(axis) + 1) for axis in zip(*(one.index for one in sources), strict=True)]
    if [one.index for one in sources] != list(itertools.islice(itertools.product(*ranges), len(sources) + 1)):
        return None
    return sources[0].path, tuple(slice(one.start, one.stop) for one in ranges), tuple(map(len, ranges))


def _bytes(path: str) -> bytes | None:
    try:
        return read_plain(path, limit=LARGEST, doing="read the image")
    except NotFound:
        return None


def _tell_where(error: OpenHCSError, plane: Plane) -> None:
    """Add to an error from below which plane was being read."""
    error.well = error.well or plane.well
    error.site = plane.site if error.site is None else error.site
    if plane.name not in error.message:
        error.message = f"plane {plane.name}: {error.message}"
