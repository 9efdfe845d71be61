"""Bytes made by hand that lie: TIFFs, NPY and ZIP files, PNGs, Zarr arrays."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

MB = 2**20
BOMB = 500 * MB
"""Bytes that a bomb expands to."""
SHAPE = (16, 16)
PIXELS = np.arange(256, dtype="<u2").reshape(SHAPE)


def deflate_bomb(window: int, head: bytes = b"") -> bytes:
    """Return zeros as deflate packs them: one flushed piece again and again, never ended."""
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    head = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(bytes(MB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + piece * (BOMB // MB)


def bz2_bomb() -> bytes:
    import bz2

    return b"".join([bz2.compress(bytes(50 * MB))] * (BOMB // (50 * MB)))


def lzma_bomb() -> bytes:
    import lzma

    return b"".join([lzma.compress(bytes(50 * MB), preset=0)] * (BOMB // (50 * MB)))


def zstd_bomb(*, sized: bool) -> bytes:
    """Return a zstd frame of runs (RFC 8878, 3.1.1.2.2), with or without the size it becomes."""
    blocks = BOMB // 2**17
    runs = b"".join(
        struct.pack("<I", 2**17 << 3 | 1 << 1 | (number == blocks - 1))[:3] + b"\0" for number in range(blocks)
    )
    head = (
        struct.pack("<IB", 0xFD2FB528, 0xE0) + struct.pack("<Q", BOMB)
        if sized
        else struct.pack("<IBB", 0xFD2FB528, 0, 0x38)
    )
    return head + runs


def blosc_bomb() -> bytes:
    from numcodecs import Blosc

    return bytes(Blosc("zstd", clevel=1, shuffle=0).encode(bytes(BOMB)))


def blosc_claim(size: int) -> bytes:
    from numcodecs import Blosc

    good = bytearray(Blosc("lz4").encode(PIXELS.tobytes()))
    good[4:8] = struct.pack("<I", size)
    return bytes(good)


# TIFF

TYPES = {"H": 3, "I": 4, "Q": 16, "s": 2}


def tiff(
    tags: Mapping[int, tuple[str, Sequence[int] | bytes]] | None = None,
    *,
    next_ifd: int = 0,
    pixels: bytes | None = None,
    big: bool = False,
) -> bytes:
    """Return a TIFF of 16 x 16 uint16, with some tags otherwise; None removes a tag."""
    data = PIXELS.tobytes() if pixels is None else pixels
    start = 16
    given: dict[int, Any] = {
        256: ("I", [16]), 257: ("I", [16]), 258: ("H", [16]), 259: ("H", [1]), 262: ("H", [1]),
        273: ("I", [start]), 277: ("H", [1]), 278: ("I", [16]), 279: ("I", [len(data)]),
    }  # fmt: skip
    given = {tag: value for tag, value in sorted((given | dict(tags or {})).items()) if value is not None}
    ifd = start + len(data) + len(data) % 2
    entry, count_form, size_of_word = (20, "Q", 8) if big else (12, "H", 4)
    extra_at = ifd + struct.calcsize(count_form) + entry * len(given) + size_of_word
    extra = b""
    body = struct.pack(f"<{count_form}", len(given))
    for tag, (form, values) in given.items():
        raw = values if isinstance(values, bytes) else struct.pack(f"<{len(values)}{form}", *values)
        count = len(values)
        if len(raw) > size_of_word:
            where = struct.pack("<Q" if big else "<I", extra_at + len(extra))
            extra += raw
        else:
            where = raw.ljust(size_of_word, b"\0")
        body += struct.pack("<HHQ" if big else "<HHI", tag, TYPES[form], count) + where
    body += struct.pack("<Q" if big else "<I", next_ifd)
    head = (
        struct.pack("<2sHHHQ", b"II", 43, 8, 0, ifd)
        if big
        else struct.pack("<2sHI", b"II", 42, ifd).ljust(start, b"\0")
    )
    return head + data.ljust(ifd - start, b"\0") + body + extra


def tiff_loop() -> bytes:
    good = tiff()
    return tiff(next_ifd=struct.unpack_from("<I", good, 4)[0])


def tiff_chain(count: int) -> bytes:
    """Return a TIFF whose pages are ``count`` empty directories one after another."""
    good = tiff()
    at = len(good)
    chain = b"".join(struct.pack("<HI", 0, at + 6 * (number + 1)) for number in range(count))
    return tiff(next_ifd=at) + chain + struct.pack("<HI", 0, 0)


# NPY, NPZ, PNG


def npy(header: str, data: bytes = b"", *, version: tuple[int, int] = (1, 0), length: int | None = None) -> bytes:
    text = header.encode("latin-1", "replace") + b"\n"
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text) % 65536 if length is None else length)
    return b"\x93NUMPY" + bytes(version) + size + text + data


def npy_of(shape: str, data: bytes = b"", descr: str = "'<u2'") -> bytes:
    return npy(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}", data)


def pickled() -> bytes:
    class Bad:
        def __reduce__(self) -> Any:
            return (open, ("pickle-ran", "w"))

    buffer = io.BytesIO()
    np.save(buffer, np.array([Bad()], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def good_npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, PIXELS)
    return buffer.getvalue()


def npz(members: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return buffer.getvalue()


def npz_patched(find: bytes, offset: int, packed: bytes) -> bytes:
    """Return an NPZ file with one field overwritten after every ``find``."""
    data = bytearray(npz([("a.npy", good_npy())]))
    at = data.find(find)
    while at >= 0:
        data[at + offset : at + offset + len(packed)] = packed
        at = data.find(find, at + 4)
    return bytes(data)


def npz_understated() -> bytes:
    """Return an NPZ file whose member is a bomb that claims a few bytes."""
    body = deflate_bomb(-15)
    name = b"a.npy"
    sizes = struct.pack("<III", 0, len(body), 640)
    local = struct.pack("<4sHHHHH", b"PK\3\4", 20, 0, 8, 0, 33) + sizes + struct.pack("<HH", len(name), 0) + name + body
    central = (
        struct.pack("<4sHHHHHH", b"PK\1\2", 20, 20, 0, 8, 0, 33)
        + sizes
        + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0)
        + name
    )
    return local + central + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local), 0)


def png(x: int, y: int, *, bits: int = 8, colour: int = 0, chunks: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    told = [(b"IHDR", struct.pack(">IIBBBBB", x & 0xFFFFFFFF, y & 0xFFFFFFFF, bits, colour, 0, 0, 0)), *chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*one) for one in [*told, (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    )


# Zarr

BYTES = {"name": "bytes", "configuration": {"endian": "little"}}
CRC = {"name": "crc32c"}
NONE = (2**64 - 1, 2**64 - 1)
"""What an index says of a chunk that is not there."""
BLOSC = {"name": "blosc", "configuration": {"cname": "zstd", "clevel": 1, "shuffle": "noshuffle", "blocksize": 0}}


def v3(folder: Path, chunk: bytes | None = None, *, codecs: Sequence[Any] = (BYTES,), **changes: Any) -> Path:
    document: dict[str, Any] = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(SHAPE),
        "data_type": "uint16",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(SHAPE)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": list(codecs),
        "attributes": {},
    }
    (folder / "c" / "0").mkdir(parents=True)
    (folder / "zarr.json").write_text(json.dumps(document | changes))
    if chunk is not None:
        (folder / "c" / "0" / "0").write_bytes(chunk)
    return folder


def sharding(
    inner: Sequence[int] = (8, 8),
    codecs: Sequence[Any] = (BYTES,),
    index: Sequence[Any] = (BYTES, CRC),
    location: str = "end",
) -> dict[str, Any]:
    settings = {
        "chunk_shape": list(inner),
        "codecs": list(codecs),
        "index_codecs": list(index),
        "index_location": location,
    }
    return {"name": "sharding_indexed", "configuration": settings}


def shard(entries: Sequence[tuple[int, int]], body: bytes) -> bytes:
    """Return a shard of which the index says what is given."""
    import google_crc32c

    index = b"".join(struct.pack("<QQ", offset, size) for offset, size in entries)
    return body + index + struct.pack("<I", google_crc32c.value(index))


def v2(
    folder: Path, chunk: bytes | None = None, *, compressor: Any = None, filters: Any = None, **changes: Any
) -> Path:
    document = {
        "zarr_format": 2,
        "shape": list(SHAPE),
        "chunks": list(SHAPE),
        "dtype": "<u2",
        "compressor": compressor,
        "fill_value": 0,
        "order": "C",
        "filters": filters,
        "dimension_separator": ".",
    }
    folder.mkdir(parents=True)
    (folder / ".zarray").write_text(json.dumps(document | changes))
    if chunk is not None:
        (folder / "0.0").write_bytes(chunk)
    return folder


def sparse(path: Path, size: int, head: bytes = b"") -> None:
    """Write a file that seems to be of that size and takes no room."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)


def shard_first(body: bytes) -> bytes:
    """Return a shard with its index before its one chunk."""
    import google_crc32c

    entries = [(68, len(body)), *[NONE] * 3]
    index = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    return index + struct.pack("<I", google_crc32c.value(index)) + body


def nested(depth: int) -> dict[str, Any]:
    found = sharding()
    for _ in range(depth):
        found = sharding(codecs=[found])
    return found


def small_zstd() -> bytes:
    from numcodecs import Zstd

    return bytes(Zstd().encode(b"abc"))


def written(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder


def changed(folder: Path, name: str, change: Callable[[Path], object]) -> Path:
    """Change one file of an array in a way of its own; an empty name is the folder."""
    change(folder / name if name else folder)
    return folder
