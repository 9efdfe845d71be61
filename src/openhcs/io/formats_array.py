"""NPY and NPZ: numpy's own files, read without pickle and checked against their size first."""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from openhcs.errors import FormatError, InvalidType
from openhcs.io.blocks import Blocks
from openhcs.io.formats import NAME, Format, check_expansion, check_room, reading
from openhcs.io.plane_data import DEFLATE_RATIO
from openhcs.io.values import array_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Array = np.ndarray[Any, np.dtype[Any]]
    Order = Literal["C", "F"]

MAGIC = b"\x93NUMPY"
BROKEN = (
    ValueError, TypeError, KeyError, SyntaxError, tokenize.TokenError, EOFError, OverflowError, RecursionError,
    MemoryError,
)  # fmt: skip
BROKEN_ZIP = (*BROKEN, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, IndexError)
PIECE = 2**24
PLAIN_KINDS = "biufcSUMm"
_READ_HEADER = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_LONGEST_FIELDS = 8000
"""Numpy reads headers of at most 10000 letters."""
_ZIP_NAMES = 60_000


def array_reason(value: Any) -> str | None:
    """Return why a value cannot be kept as a plain array, or None."""
    try:
        dtype = value.dtype if isinstance(value, Blocks) else getattr(array_of(value), "dtype", None)
    except InvalidType as error:
        return str(error)
    if dtype is None:
        return f"it is a {type(value).__name__}, not an array"
    if dtype.hasobject:
        return f"dtype {dtype} means Python objects, which are stored by pickle, and a pickle runs code when loaded"
    if dtype.isbuiltin == 2:
        return f"dtype {dtype} is not numpy's own and would lose its name (float32 holds bfloat16 exactly)"
    if dtype.names is not None:
        return _fields_reason(dtype)
    if dtype.kind not in PLAIN_KINDS or (dtype.kind in "fc" and dtype.itemsize > (8 if dtype.kind == "f" else 16)):
        return f"dtype {dtype.name} is not the same on every machine"
    return None


def _fields_reason(dtype: np.dtype[Any]) -> str | None:
    told = np.lib.format.dtype_to_descr(dtype)
    if not repr(told).isascii() or len(repr(told)) > _LONGEST_FIELDS:
        return "its fields have names that are too long or not plain ASCII"
    return None if np.lib.format.descr_to_dtype(told) == dtype else f"dtype {dtype} would come back as another"


def as_array(value: Any) -> Array:
    """Return the array of a value that `array_reason` let pass."""
    array = array_of(value)
    assert array is not None
    return array


def encode_npy(value: Any) -> Iterator[bytes | memoryview]:
    """Yield header and pixels in C order; pixels are not copied where they lie so."""
    array = value if isinstance(value, Blocks) else as_array(value)
    buffer = io.BytesIO()
    told = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_1_0(buffer, told)
    yield buffer.getvalue()
    if math.prod(array.shape) * array.dtype.itemsize:
        yield from (bytes_of(np.ascontiguousarray(block)) for block in _pieces(array))


def _pieces(array: Array | Blocks) -> Iterator[Array]:
    """Yield an array in C order; what is not in memory as it is needed comes in parts along the first axis."""
    if isinstance(array, np.ndarray) and (array.flags.c_contiguous or array.ndim == 0):
        yield array
        return
    if not array.shape:
        yield array[()]
        return
    row = math.prod(array.shape[1:]) * array.dtype.itemsize
    rows = max(1, PIECE // row)
    for start in range(0, array.shape[0], rows):
        yield array[(slice(start, min(start + rows, array.shape[0])),)]


def bytes_of(array: Array) -> memoryview:
    """Return the memory of an array whose elements lie in one piece, of any dtype."""
    flat: Any = array.reshape(-1, copy=False).view(np.uint8)
    return memoryview(flat)


def is_npy(path: Path) -> bool:
    """Return whether a file begins as NPY files do."""
    try:
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_header(file: Any, size: int, path: Path) -> tuple[tuple[int, ...], Order, np.dtype[Any], int]:
    """Return shape, order, dtype and offset of the pixels, held against ``size``, the bytes there are."""
    version = np.lib.format.read_magic(file)
    if version not in _READ_HEADER:
        raise FormatError(f"{path}: NPY version {version} is not read", path=path, backend=NAME)
    shape, fortran, dtype = _READ_HEADER[version](file)
    if dtype.hasobject:
        raise FormatError(
            f"{path} holds pickled Python objects, which are never loaded: a pickle runs code", path=path, backend=NAME
        )
    offset = file.tell()
    if any(side < 0 for side in shape):
        raise FormatError(f"{path} is damaged: shape {shape}", path=path, backend=NAME)
    expected = math.prod(shape) * dtype.itemsize
    if size - offset != expected:
        what = "is cut off" if size - offset < expected else "is damaged"
        raise FormatError(
            f"{path} {what}: {size - offset} bytes after offset {offset}, shape {shape} of {dtype} needs {expected}",
            path=path,
            backend=NAME,
        )
    return shape, "F" if fortran else "C", dtype, offset


def _read_array(file: Any, size: int, path: Path) -> Array:
    shape, order, dtype, _ = read_header(file, size, path)
    count = math.prod(shape) * dtype.itemsize
    check_room(count, path)
    raw = np.empty(count, np.uint8)
    view = bytes_of(raw)
    done = 0
    while done < count:
        got = file.readinto(view[done:])
        if not got:
            raise FormatError(f"{path} is cut off after {done} of {count} bytes", path=path, backend=NAME)
        done += got
    return np.ndarray(shape, dtype, raw.data, order=order)


def decode_npy(path: Path) -> Array:
    """Return a new array, the caller's own."""
    with reading(path, "NPY file", BROKEN), open(path, "rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        return _read_array(file, size, path)


def map_npy(path: Path) -> Array:
    """Return a read-only array whose bytes stay in the file until they are looked at."""
    with reading(path, "NPY file", BROKEN), open(path, "rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        shape, order, dtype, offset = read_header(file, size, path)
        if math.prod(shape) * dtype.itemsize == 0:
            return np.empty(shape, dtype)
        return np.memmap(path, dtype, "r", offset, shape, order)


def npz_reason(value: Any) -> str | None:
    """Return why a value is no dict of arrays, or None."""
    if not isinstance(value, dict):
        return f"it is a {type(value).__name__}, not a dict of arrays"
    for name, item in value.items():
        if not isinstance(name, str) or "\0" in name or "\\" in name or not _fits(name):
            return f"{name!r} cannot name an array in it"
        if (why := array_reason(item)) is not None:
            return f"{name!r}: {why}"
    return None


def _fits(name: str) -> bool:
    try:
        return len(name.encode()) <= _ZIP_NAMES
    except UnicodeEncodeError:
        return False


def encode_npz(value: Any) -> memoryview:
    """Return the bytes of a zip file with one NPY file for each array, uncompressed as `numpy.savez` does."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, item in value.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), b"".join(encode_npy(item)))
    return buffer.getbuffer()


def decode_npz(path: Path) -> dict[str, Array]:
    """Return the arrays by name."""
    with reading(path, "NPZ file", BROKEN_ZIP), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        check_room(sum(member.file_size for member in members), path)
        found: dict[str, Array] = {}
        for member in members:
            found[_array_name(member, found, path)] = _read_member(archive, member, path)
        return found


def _array_name(member: zipfile.ZipInfo, found: dict[str, Array], path: Path) -> str:
    name = member.filename.removesuffix(".npy")
    if (
        name == member.filename
        or name in found
        or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    ):
        raise FormatError(f"{path}: {member.filename!r} is no array, or not the only one of that name", path=path)
    return name


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> Array:
    check_expansion(member.file_size, member.compress_size, DEFLATE_RATIO, path)
    with archive.open(member) as file:
        array = _read_array(file, member.file_size, path)
        # The checksum is compared when the end is reached.
        file.read(1)
    return array


NPY = Format(name="NPY", can_hold=array_reason, encode=encode_npy, decode=decode_npy)
NPZ = Format(name="NPZ", can_hold=npz_reason, encode=encode_npz, decode=decode_npz)
