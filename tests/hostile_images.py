"""Images of other kinds than TIFF: valid ones to damage, and hostile ones made by hand."""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

import hostile_parts as p
from hostile_cases import Case
from hostile_seeds import PLANE, Target, real
from openhcs.io.folder import FolderFiles
from openhcs.io.images import read_plane_into
from openhcs.testing.image_kinds import ENCODERS, bmp, c01, cellomics_dib, windows_dib

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Call = Callable[[bytes], Any]
    Build = Callable[[Path], Callable[[], Any]]

BYTES = (PLANE % 256).astype(np.uint8)
INFO = struct.Struct("<IiiHHIIiiII")


def plane_of(suffix: str) -> Callable[[Path], Call]:
    """Ask for the header and the pixels of bytes in a file of this suffix."""

    def made(folder: Path) -> Call:
        def call(data: bytes) -> Any:
            path = folder / f"case{suffix}"
            path.write_bytes(data)
            header = FolderFiles(folder).header(path.name)
            if np.dtype(header.dtype).itemsize * header.shape[0] * header.shape[1] > 2**27:
                return header
            out = np.empty(header.shape, header.dtype)
            read_plane_into(path, min(1, header.pages - 1), out)
            return out

        return call

    return made


def samples(suffix: str) -> list[bytes]:
    """Return good files: of both depths, of several planes, upside down, real ones."""
    made = [ENCODERS[suffix](BYTES)]
    if suffix not in {".jpg", ".bmp"}:
        made.append(ENCODERS[suffix](PLANE))
    if suffix in {".c01", ".dib"}:
        made.append(ENCODERS[suffix](np.stack([PLANE, PLANE])))
    if suffix == ".dib":
        made += [windows_dib(BYTES), windows_dib(BYTES, downwards=True), bmp(BYTES)]
    return made + real(f"*/*{suffix}")


TARGETS = {
    f"{suffix} planes": Target(
        kind="bytes", samples=lambda _, suffix=suffix: samples(suffix), call=plane_of(suffix), cases=300
    )
    for suffix in (".png", ".jpg", ".c01", ".dib")
}


def asked(data: Callable[[], bytes], suffix: str) -> Build:
    """An image asked for its header and its pixels; these whatever the header says."""

    def build(folder: Path) -> Callable[[], Any]:
        path = folder / f"victim{suffix}"
        path.write_bytes(data())

        def ask() -> Any:
            try:
                FolderFiles(folder).header(path.name)
            finally:
                out = np.empty((24, 20), np.uint16)
                read_plane_into(path, 0, out)
            return out

        return ask

    return build


def info(**told: int) -> bytes:
    names = ("size", "x", "y", "planes", "bits", "packed", "bytes", "dots_x", "dots_y", "used", "important")
    data = cellomics_dib(PLANE)
    return INFO.pack(*(dict(zip(names, INFO.unpack(data[:40]), strict=True)) | told).values()) + data[40:]


def packed(data: bytes) -> bytes:
    return b"\0\0\0\x10" + zlib.compress(data)


HEADERS = {
    "of 10**12 pixels": {"x": 10**6, "y": 10**6},
    "of the largest sides": {"x": 2**31 - 1, "y": -(2**31)},
    "of no pixels": {"x": 0},
    "of a negative width": {"x": -24},
    "of 65535 planes": {"planes": 65535},
    "of no planes": {"planes": 0},
    "of 2 bits": {"bits": 2},
    "of 65535 bits": {"bits": 65535},
    "of a packing nobody knows": {"packed": 99},
    "of 4 thousand million colours": {"used": 2**32 - 1, "bits": 8},
    "of a header of 4 GB": {"size": 2**32 - 1},
}
FORMS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "c01": (packed, ".c01"),
    "DIB": (lambda data: data, ".dib"),
    "BMP": (lambda data: b"BM" + struct.pack("<IHHI", 0, 0, 0, 54) + data, ".bmp"),
}
CASES = {
    f"a {kind} {what}": Case(asked(lambda told=told, form=form: form(info(**told)), suffix), f"victim{suffix}")
    for what, told in HEADERS.items()
    for kind, (form, suffix) in FORMS.items()
} | {
    "a c01 that is a bomb": Case(asked(lambda: b"\0\0\0\x10" + p.deflate_bomb(15), ".c01"), "victim.c01"),
    "a c01 with a bomb after its header": Case(
        asked(lambda: b"\0\0\0\x10" + p.deflate_bomb(15, info()), ".c01"), "victim.c01"
    ),
    "a c01 of a thousand thousand empty blocks": Case(
        asked(lambda: b"\0\0\0\x10\x78\x9c" + b"\0\0\0\xff\xff" * 10**6, ".c01"), "victim.c01"
    ),
    "a c01 that never ends": Case(asked(lambda: c01(PLANE)[:-4], ".c01"), "victim.c01"),
    "a c01 of nothing": Case(asked(lambda: b"\0\0\0\x10", ".c01"), "victim.c01"),
    "a JPEG of 65535 by 65535": Case(
        asked(lambda: b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xff\xff\xff\x01\x01\x11\0\xff\xd9", ".jpg"), "victim.jpg"
    ),
    "a JPEG of no frame": Case(asked(lambda: b"\xff\xd8\xff\xd9" * 9, ".jpg"), "victim.jpg"),
    "a JPEG of a million empty segments": Case(
        asked(lambda: b"\xff\xd8" + b"\xff\xe0\0\2" * 10**6, ".jpg"), "victim.jpg"
    ),
    "a JPEG of segments without length": Case(asked(lambda: b"\xff\xd8" + b"\xff\xe0\0\0" * 999, ".jpg"), "victim.jpg"),
    "a JPEG of ten million fill bytes": Case(asked(lambda: b"\xff\xd8" + b"\xff" * 10**7, ".jpg"), "victim.jpg"),
    "a PNG plane of 2**31 by 2**31": Case(asked(lambda: p.png(2**31 - 1, 2**31 - 1), ".png"), "victim.png"),
    "a PNG plane of a profile that is a bomb": Case(
        asked(lambda: p.png(20, 24, bits=16, chunks=[(b"iCCP", b"a\0\0" + p.deflate_bomb(15))]), ".png"), lawful=True
    ),
    "an image of nothing": Case(asked(lambda: b"", ".png"), "victim.png"),
    "an image of noise": Case(asked(lambda: os.urandom(5000), ".c01"), "victim.c01"),
}
"""Name → case."""
