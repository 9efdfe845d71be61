"""Small exports of ImageXpress, file by file: what each shows, and when it says it was taken."""

from __future__ import annotations

import numpy as np

from openhcs.core.plate import PlateIndex
from openhcs.io.folder import FolderFiles
from openhcs.microscopes.imagexpress import ImageXpress
from openhcs.testing.scene import encode_tiff


def image(shown: int, *, taken: str | None = None, **props: object) -> bytes:
    """Return a TIFF; without a moment it has no description at all."""
    if taken is not None:
        props["acquisition-time-local"] = f"20240131 08:{taken}"
    items = "".join(f'<prop id="{key}" type="x" value="{value}"/>' for key, value in props.items())
    pixels = np.full((8, 8), 100, np.uint16)
    pixels[shown // 8 % 8, shown % 8] += 1 + shown
    return encode_tiff(pixels, f"<MetaData><PlaneInfo>{items}</PlaneInfo></MetaData>" if items else None)


def moment(second: int) -> str:
    """Return the minute and second of a moment."""
    return f"{second // 60:02d}:{second % 60:02d}.000"


def put(root, path: str, data: bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(data)


def htd(**keys: object) -> bytes:
    lines = ['"HTSInfoFile", Version 1.0', *(f'"{key}", {value}' for key, value in keys.items()), '"EndFile"', ""]
    return "\r\n".join(lines).encode("latin-1")


def index_of(root) -> PlateIndex:
    found = ImageXpress().index(FolderFiles(root))
    assert isinstance(found, PlateIndex), found
    return found


def present(index: PlateIndex) -> set[tuple[int, int, int, int]]:
    """Return (acquisition, channel, t, z) of all planes that are there."""
    return {
        (one.acquisition, one.channel, one.t, one.z)
        for one in index.planes
        if one.source is not None and one.state.value == "present"
    }
