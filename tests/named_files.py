"""Folders made of file names: every image is the same small one, every other file has the bytes it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openhcs.core.plate import PlateIndex
from openhcs.io.folder import FolderFiles
from openhcs.microscopes import load
from openhcs.testing.scene import encode_tiff

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TIFF = encode_tiff(np.zeros((4, 5), np.uint16))


def fill(folder: Path, names: Iterable[str], **documents: bytes) -> Path:
    """Write an image for each name; documents are given as ``name_suffix=bytes``."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # No two images have the same bytes: copies would be told as such.
        path.write_bytes(TIFF + number.to_bytes(4, "big"))
    for name, data in documents.items():
        (folder / name.replace("_", ".")).write_bytes(data)
    return folder


def read(folder: Path, layout: str) -> PlateIndex:
    """Return the index that a layout makes of a folder."""
    found = load(layout).index(FolderFiles(folder))
    assert isinstance(found, PlateIndex), found
    return found


def places(index: PlateIndex) -> list[tuple[str, int, int, int, int]]:
    """Return (well, site, channel, z, t) of every plane, in order."""
    return [(plane.well, plane.site, plane.channel, plane.z, plane.t) for plane in index.planes]
