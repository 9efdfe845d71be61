"""Harmony plates in tests: made, edited, read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openhcs.core.plate import FileSource, PlateIndex
from openhcs.io.folder import FolderFiles
from openhcs.microscopes.opera_phenix import OperaPhenix
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path) -> PlateIndex:
    index = OperaPhenix().index(FolderFiles(folder))
    assert isinstance(index, PlateIndex), index
    return index


def small(folder: Path, **more: Any) -> Path:
    """Make a plate of one well with one site, of 16 × 16 pixels unless told."""
    return make_plate(folder, **{"layout": "opera_phenix", "wells": 1, "sites": 1, "size": (16, 16), **more})


def path_of(plane: Any) -> str:
    assert isinstance(plane.source, FileSource)
    return plane.source.path


def edit_index(plate: Path, old: str, new: str, *, count: int = -1, name: str = "Index.idx.xml") -> Path:
    path = plate / "Images" / name
    text = path.read_text("utf-8-sig")
    assert old in text
    path.write_text(text.replace(old, new, count), "utf-8-sig")
    return path
