"""The page on microscopes: it tells of every layout, and its example reads a plate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from openhcs.io.folder import FolderFiles
from openhcs.microscopes import TABLE
from pages import markdown_blocks

PAGE = (Path(__file__).parents[2] / "docs" / "microscopes.md").read_text(encoding="utf-8")
OURS = {"ome_zarr", "openhcs_tiff"}


def test_every_layout_has_its_section() -> None:
    told = {line.rpartition("(`")[2].rstrip("`)") for line in PAGE.splitlines() if line.startswith("### ")}
    assert told == set(TABLE) - OURS


def test_the_example_reads_a_plate_and_tells_of_the_other_files(tmp_path: Path) -> None:
    (block,) = markdown_blocks(PAGE, "python")
    scope: dict[str, object] = {}
    exec(compile(block, "microscopes.md", "exec"), scope)
    for name in ("A01-f1-red.tif", "A01-f1-green.tif", "B02-f2-red.tif", "A01_f1_blue.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((4, 5), np.uint16))
    index = scope["TwoColourScope"]().index(FolderFiles(tmp_path))
    assert index.wells == ("A01", "B02")
    assert [(plane.well, plane.site, plane.channel) for plane in index.planes] == [
        ("A01", 1, 1),
        ("A01", 1, 2),
        ("B02", 2, 1),
    ]
    assert [channel.name for channel in index.channels] == ["red", "green"]
    assert (index.dtype, index.plane_shape) == ("uint16", (4, 5))
    assert [one.path for one in index.unmatched] == ["A01_f1_blue.tif"]
