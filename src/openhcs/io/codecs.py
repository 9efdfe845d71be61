"""How the pixels of one chunk become bytes, in Zarr v2 and v3.

The encoding is ours: it costs a third less than an array library's, and every byte passes
`openhcs.io.fsops`. In v3 each chunk ends with its crc32c; in v2 only zstd (content checksum) and
zlib (adler) can tell damage, which `notes` says. Floats and integers are stored little endian.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.constants.constants import ZarrChunkStrategy, ZarrCompressor
from openhcs.errors import InvalidType, InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from openhcs.core.arrays import ArraySpec

    Array = np.ndarray[Any, np.dtype[Any]]
    Json = dict[str, Any]
    Bytes = bytes | bytearray | memoryview
    Compress = Callable[[Array], Bytes]

DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
)
"""Numpy names of what a Zarr array can hold, the same in both versions."""
_BLOSC = {
    ZarrCompressor.ZSTD: ("zstd", "bitshuffle"),
    ZarrCompressor.LZ4: ("lz4", "shuffle"),
    ZarrCompressor.BLOSC: ("lz4", "shuffle"),
}
_V2_SHUFFLE = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}
GZIP_WINDOW = 31
ZLIB_WINDOW = 15


def checked_dtype(dtype: str) -> np.dtype[Any]:
    """Return the little-endian dtype of a numpy name.

    Raises
    ------
    InvalidType
        Zarr has no such dtype, or not every reader knows it.
    """
    if dtype not in DTYPES:
        what = "Objects would have to be pickled, which nothing can read safely" if dtype == "object" else "Convert it"
        raise InvalidType(f"a Zarr array cannot hold {dtype}. {what}; it can hold {', '.join(DTYPES)}.")
    return np.dtype(dtype).newbyteorder("<")


def chunk_codecs(spec: ArraySpec) -> list[Json]:
    """Return the v3 codecs of one (inner) chunk, crc32c last."""
    size = checked_dtype(spec.dtype).itemsize
    raw: Json = {"name": "bytes"} if size == 1 else {"name": "bytes", "configuration": {"endian": "little"}}
    return [raw, *_v3_compressor(spec, size), {"name": "crc32c"}]


def array_codecs(spec: ArraySpec) -> list[Json]:
    """Return the v3 codecs of an array: those of a chunk, in shards where it has them."""
    if spec.shards is None:
        return chunk_codecs(spec)
    index = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]
    inner = {"chunk_shape": list(spec.chunks), "codecs": chunk_codecs(spec), "index_codecs": index}
    return [{"name": "sharding_indexed", "configuration": {**inner, "index_location": "end"}}]


def _v3_compressor(spec: ArraySpec, size: int) -> list[Json]:
    match spec.compressor:
        case ZarrCompressor.NONE:
            return []
        case ZarrCompressor.ZLIB:
            return [{"name": "gzip", "configuration": {"level": spec.level}}]
        case ZarrCompressor.ZSTD if not spec.shuffle:
            return [{"name": "zstd", "configuration": {"level": spec.level, "checksum": False}}]
        case _:
            name, shuffle = _blosc(spec)
            settings = {"cname": name, "clevel": spec.level, "shuffle": shuffle, "typesize": size, "blocksize": 0}
            return [{"name": "blosc", "configuration": settings}]


def v2_compressor(spec: ArraySpec) -> Json | None:
    """Return the ``compressor`` of a v2 array document."""
    match spec.compressor:
        case ZarrCompressor.NONE:
            return None
        case ZarrCompressor.ZLIB:
            return {"id": "zlib", "level": spec.level}
        case ZarrCompressor.ZSTD:
            return {"id": "zstd", "level": spec.level}
        case _:
            name, shuffle = _blosc(spec)
            settings = {"cname": name, "clevel": spec.level, "shuffle": _V2_SHUFFLE[shuffle], "blocksize": 0}
            return {"id": "blosc", **settings}


def notes(spec: ArraySpec, strategy: ZarrChunkStrategy | None = None) -> tuple[str, ...]:
    """Return what a user should know about the chosen storage: nothing, for the defaults.

    ``strategy`` is the one that was asked for, so that more than one object under SINGLE is told.
    """
    told = []
    if strategy is ZarrChunkStrategy.SINGLE and spec.objects > 1:
        why = "Zarr v2 has no shards" if spec.zarr_format == 2 else "one would be over 256 MiB"
        told.append(f"an array of {spec.shape} is stored as {spec.objects} objects: {why}")
    if spec.zarr_format == 2 and spec.compressor is ZarrCompressor.ZSTD and spec.shuffle:
        told.append("Zarr v2: shuffle is not applied to zstd, files are about a quarter larger")
    if spec.zarr_format == 2 and spec.compressor not in (ZarrCompressor.ZSTD, ZarrCompressor.ZLIB):
        name = spec.compressor.value
        told.append(f"Zarr v2 with {name} has no checksums: damaged pixels are found only by the commit record")
    return tuple(told)


def compressor(spec: ArraySpec) -> Compress:
    """Return the function that makes the stored bytes of one C-ordered little-endian chunk.

    Without the v3 checksum, which `checksum` makes. Safe in many threads at once.
    """
    match spec.compressor:
        case ZarrCompressor.NONE:
            return lambda chunk: chunk.tobytes()
        case ZarrCompressor.ZLIB:
            window = ZLIB_WINDOW if spec.zarr_format == 2 else GZIP_WINDOW
            return lambda chunk: zlib.compress(chunk.data, spec.level, window)
        case ZarrCompressor.ZSTD if spec.zarr_format == 2 or not spec.shuffle:
            return _zstd(spec.level, checksum=spec.zarr_format == 2)
        case _:
            return _blosc_compress(spec)


def _zstd(level: int, *, checksum: bool) -> Compress:
    from numcodecs import Zstd

    encode: Compress = Zstd(level=level, checksum=checksum).encode
    return encode


def _blosc(spec: ArraySpec) -> tuple[str, str]:
    name, shuffle = _BLOSC[spec.compressor]
    return name, shuffle if spec.shuffle else "noshuffle"


def _blosc_compress(spec: ArraySpec) -> Compress:
    import imagecodecs

    encode: Any = imagecodecs.blosc_encode
    name, shuffle = _blosc(spec)
    size = checked_dtype(spec.dtype).itemsize
    settings = {"level": spec.level, "compressor": name, "shuffle": shuffle, "typesize": size, "numthreads": 1}
    return lambda chunk: encode(chunk, **settings)


def checksum(data: Bytes) -> bytes:
    """Return the crc32c of ``data``, four bytes little endian."""
    import google_crc32c

    return struct.pack("<I", google_crc32c.value(data))


def fill_json(fill: Any, dtype: str) -> Any:
    """Return a fill value as array documents write it.

    >>> fill_json(float("nan"), "float32"), fill_json(0, "bool"), fill_json(0, "complex64")
    ('NaN', False, [0.0, 0.0])
    """
    value = np.asarray(fill).astype(checked_dtype(dtype))[()]
    if not (value == fill or (value != value and fill != fill)):  # noqa: PLR0124 - NaN differs from itself
        raise InvalidValue(f"the fill value {fill!r} is no {dtype}")
    if value.dtype.kind == "c":
        return [_float_json(float(value.real)), _float_json(float(value.imag))]
    return _float_json(float(value)) if value.dtype.kind == "f" else value.item()


def _float_json(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def fill_from_json(value: Any, dtype: str) -> Any:
    """Return the Python value of a document's fill value; None (v2: undefined) counts as zero.

    Raises
    ------
    ValueError, TypeError
        it is no value of this dtype.
    """
    kind = np.dtype(dtype).kind
    if value is None:
        return np.zeros((), dtype)[()].item()
    if kind == "c":
        pair = value if isinstance(value, list) else [value, 0]
        return complex(_float_value(pair[0], "float64"), _float_value(pair[1], "float64"))
    return _float_value(value, dtype) if kind == "f" else np.dtype(dtype).type(value).item()


def _float_value(value: Any, dtype: str) -> float:
    if isinstance(value, str) and value.startswith("0x"):
        bits = int(value, 16).to_bytes(np.dtype(dtype).itemsize, "little")
        return float(np.frombuffer(bits, np.dtype(dtype).newbyteorder("<"))[0])
    return float(value)
