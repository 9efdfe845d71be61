"""One stored array: written whole, opened by its document, read by region.

Every object is made in memory and written by `openhcs.io.fsops`; v3 arrays are read by tensorstore,
v2 arrays by numcodecs. Damage is a `FormatError` that names the array, wherever a checksum exists.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.errors import FormatError, InvalidType, InvalidValue, NotFound, OpenHCSError, OutOfBudget
from openhcs.io.regions import resolve
from openhcs.io.strangers import fence_of, read_plain
from openhcs.io.zarr_document import DOCUMENT_LIMIT, array_documents, parse_document
from openhcs.io.zarr_encode import check_pixels, encode_object, object_key, object_places, object_region
from openhcs.io.zarr_spec import RESTORE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openhcs.core.arrays import ArraySpec
    from openhcs.io.fsops import FileOps, Stored
    from openhcs.io.ozx import OzxTree
    from openhcs.io.zarr_document import ArrayDocument
    from openhcs.io.zarr_objects import Place
    from openhcs.io.zarr_spec import Check

    Array = np.ndarray[Any, np.dtype[Any]]

ABSENT = ("auto", "error", "fill")
"""What an object that is not there means: by the array's own mark, a loss, or the fill value."""
CERTAIN_ROOM = 2**28
"""Bytes that a machine gives without being asked how much it has."""


def write_array(folder: str | Path, array: Array, spec: ArraySpec, ops: FileOps) -> list[Stored]:
    """Write an array: its objects, then the documents that make them one.

    Parameters
    ----------
    folder
        the array's own, made with its parents; documents of the groups above are the caller's.
    array
        of the shape and dtype in ``spec``, any strides and byte order; not changed.

    Returns
    -------
    stored
        every file written, objects first.

    Raises
    ------
    InvalidValue, InvalidType
        ``array`` is not what ``spec`` says.
    AlreadyExists
        a file of the array is there already.
    """
    check_pixels(array, spec.shape, spec.dtype)
    writer = _Writer(Path(folder), spec, ops)
    stored = [writer.put(place, array[object_region(spec, place)]) for place in object_places(spec)]
    return [*stored, *writer.documents()]


class _Writer:
    """Puts the files of one array in its folder."""

    def __init__(self, folder: Path, spec: ArraySpec, ops: FileOps) -> None:
        self._folder = folder
        self._spec = spec
        self._ops = ops
        self._made: set[Path] = set()

    def put(self, place: tuple[int, ...], block: Array) -> Stored:
        path = self._folder / object_key(place, self._spec.zarr_format)
        if path.parent not in self._made:
            self._ops.make_dirs(path.parent)
            self._made.add(path.parent)
        return self._ops.write_new(path, encode_object(self._spec, block))

    def documents(self) -> list[Stored]:
        if not self._made:
            self._ops.make_dirs(self._folder)
        files = array_documents(self._spec)
        return [self._ops.write_new(self._folder / name, files[name]) for name in reversed(files)]


def create_handle(folder: str | Path, spec: ArraySpec, ops: FileOps) -> ZarrHandle:
    """Make an array to be filled object by object through its handle; its documents come first."""
    writer = _Writer(Path(folder), spec, ops)
    writer.documents()
    return open_handle(folder, ops=ops)


def open_handle(
    folder: str | Path,
    *,
    absent: str = "auto",
    ops: FileOps | None = None,
    check: Check | None = None,
    well: str | None = None,
    site: int | None = None,
) -> ZarrHandle:
    """Open an array by its document; no pixels are read.

    Parameters
    ----------
    absent
        what a missing object means: "error", "fill" (zeros left out, as others may do), or "auto":
        an error in arrays that carry our mark.
    ops
        where writes go; None: the handle only reads.
    check
        asked about documents, and about objects without a checksum of their own, as they are read.
    well, site
        what the array is of, for errors.

    Raises
    ------
    NotFound
        no array there.
    FormatError
        a document that cannot be true, or a codec we do not read.
    """
    if absent not in ABSENT:
        raise InvalidValue(f"absent is one of {', '.join(ABSENT)}, not {absent!r}")
    folder = Path(folder)
    with _telling(well, site):
        document = read_document(folder, check)
    fill = absent == "fill" or (absent == "auto" and not document.complete)
    return ZarrHandle(folder, document, fill=fill, ops=ops, check=check, place=(well, site))


def open_archived(tree: OzxTree, path: str) -> ZarrHandle:
    """Open an array in an archive; it only reads.

    Raises
    ------
    NotFound
        no array there.
    FormatError
        a document that cannot be true, a codec we do not read, or Zarr v2.
    """
    name = f"{path}/zarr.json"
    document = parse_document(tree.read(name, limit=DOCUMENT_LIMIT), path=f"{tree.root}/{name}")
    return ZarrHandle(Path(tree.root, path), document, fill=not document.complete, archive=tree.place(path))


def read_document(folder: Path, check: Check | None = None) -> ArrayDocument:
    """Return what the document of an array tells."""
    data = _bytes(folder / "zarr.json", check)
    if data is not None:
        return parse_document(data, path=folder / "zarr.json")
    data = _bytes(folder / ".zarray", check)
    if data is None:
        raise NotFound(f"no Zarr array in {folder}: it holds neither zarr.json nor .zarray", path=folder)
    return parse_document(data, path=folder / ".zarray", attributes=_bytes(folder / ".zattrs", check))


def _bytes(path: Path, check: Check | None) -> bytes | None:
    fence_of(path.parent).check(path)
    try:
        data = read_plain(path, limit=DOCUMENT_LIMIT, doing="read the document")
    except NotFound:
        data = None
    if check is not None and (why := check(path, data)):
        raise FormatError(f"{path} is damaged: {why}. {RESTORE}.", path=path)
    return data


@contextlib.contextmanager
def _telling(well: str | None, site: int | None) -> Iterator[None]:
    """Add to errors what was being read."""
    try:
        yield
    except OpenHCSError as error:
        error.well = error.well or well
        error.site = site if error.site is None else error.site
        raise


class ZarrHandle:
    """One opened array; safe in many threads at once."""

    def __init__(
        self,
        folder: Path,
        document: ArrayDocument,
        *,
        fill: bool,
        ops: FileOps | None = None,
        check: Check | None = None,
        place: tuple[str | None, int | None] = (None, None),
        archive: Place | None = None,
    ) -> None:
        self.folder = folder
        self._document = document
        self._fill = fill
        self._check = check
        self._place = place
        self._archive = archive
        self._writer = None if ops is None else _Writer(folder, document.spec, ops)
        self._lock = threading.Lock()
        self._reader: Any = None

    @property
    def spec(self) -> ArraySpec:
        """Shape, dtype and layout."""
        return self._document.spec

    @property
    def complete(self) -> bool:
        """Whether the array carries our mark that every object is stored."""
        return self._document.complete

    def read(self, region: tuple[Any, ...] = (), *, out: Array | None = None) -> Array:
        """Return a part (numpy basic indexing, steps of 1 or more).

        The result is the caller's own, in native byte order. ``out`` has the part's shape and the
        array's dtype, and is returned.

        Raises
        ------
        FormatError
            an object is missing or damaged.
        InvalidValue, InvalidType
            a region outside the array, or ``out`` of another shape or dtype.
        """
        starts, shape = resolve(region, self.spec.shape)
        if out is None:
            out = self._room(shape)
        else:
            check_pixels(out, shape, self.spec.dtype)
            if not out.flags.writeable:
                raise InvalidValue(f"out is read-only; {self.folder} cannot be read into it")
        if math.prod(shape):
            with _telling(*self._place):
                self._open().read_into(starts, out)
        return out

    def write(self, region: tuple[Any, ...], data: Array) -> None:
        """Write whole objects; a part of one is refused, so that no two writers ever share one.

        Raises
        ------
        InvalidValue
            the region's edges are not those of stored objects, or shapes differ.
        InvalidType
            another dtype, or a handle opened for reading.
        AlreadyExists
            an object is there already.
        """
        spec = self.spec
        if self._writer is None:
            raise InvalidType(f"{self.folder} was opened for reading; make arrays with create_array")
        parts, shape = resolve(region, spec.shape)
        check_pixels(data, shape, spec.dtype)
        box = tuple(part if isinstance(part, slice) else slice(part, part + 1, 1) for part in parts)
        block = data.reshape([part.stop - part.start for part in box if part.step == 1] or ())
        for place in self._whole_objects(box):
            inside = tuple(
                slice(one.start - part.start, one.stop - part.start)
                for one, part in zip(object_region(spec, place), box, strict=True)
            )
            self._writer.put(place, block[inside])

    def _whole_objects(self, box: tuple[slice, ...]) -> list[tuple[int, ...]]:
        spec = self.spec
        for part, step, size in zip(box, spec.object_shape, spec.shape, strict=True):
            if part.step != 1 or part.start % step or (part.stop % step and part.stop != size):
                raise InvalidValue(
                    f"the region {box} cuts through stored objects of {spec.object_shape} in {self.folder}: "
                    "write whole ones",
                    path=self.folder,
                )
        grid = [range(p.start // s, -(-p.stop // s)) for p, s in zip(box, spec.object_shape, strict=True)]
        return list(itertools.product(*grid))

    def _room(self, shape: tuple[int, ...]) -> Array:
        size = math.prod(shape) * np.dtype(self.spec.dtype).itemsize
        _check_room(size, self.folder)
        return np.empty(shape, self.spec.dtype)

    def _open(self) -> Any:
        with self._lock:
            if self._reader is None:
                if self.spec.zarr_format == 3:
                    from openhcs.io import zarr_v3

                    self._reader = zarr_v3.Reader(self.folder, self._document, fill=self._fill, place=self._archive)
                else:
                    from openhcs.io import zarr_v2

                    self._reader = zarr_v2.Reader(self.folder, self._document, fill=self._fill, check=self._check)
            return self._reader


def _check_room(size: int, folder: Path) -> None:
    if size <= CERTAIN_ROOM:
        return
    from openhcs.io.limits import memory_limit

    if size > memory_limit():
        raise OutOfBudget(
            f"{folder}: reading {size} bytes at once is more than this machine allows; open the array and read parts",
            path=folder,
        )
