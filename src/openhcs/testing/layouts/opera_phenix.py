"""Opera Phenix as Harmony 5 exports it: an index and the images in one folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openhcs.testing.layouts.harmony_index import file_name, index_text

if TYPE_CHECKING:
    from pathlib import Path

    from openhcs.testing.scene import Scene, Wanted


def write(plate: Wanted, scene: Scene, root: Path) -> None:
    """Write the plate's files."""
    images = root / "Images"
    images.mkdir(parents=True, exist_ok=True)
    for place in plate.planes():
        scene.save(images / file_name(place), place)
    (images / "Index.idx.xml").write_bytes(b"\xef\xbb\xbf" + "".join(index_text(plate, 5)).encode())
