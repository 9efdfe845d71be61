"""Documents that other tools wrote: read whole, and written again without loss."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from openhcs.ngff import parse, render

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SETS = ["ome-zarr-hcs-v04-single-plane", "ome-zarr-hcs-example-metadata"]
KINDS = {
    "plate": (parse.plate, render.plate_document),
    "well": (parse.well, render.well_document),
    "image": (parse.image, render.image_document),
}


def plain(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the version where 0.4 wants it, since both sets leave it out in places."""
    told = json.loads(json.dumps(document))
    for part in (told.get("omero"), *told.get("multiscales", ()), told.get("well"), told.get("plate")):
        if part is not None:
            part["version"] = "0.4"
    return told


@pytest.mark.parametrize("name", SETS)
def test_every_document_is_understood_and_written_again_without_loss(name: str, data: Callable[[str], Path]) -> None:
    kinds = []
    for path in sorted(data(name).rglob(".zattrs")):
        document = json.loads(path.read_text())
        kind = parse.kind_of(document)
        if kind is None:
            continue
        kinds.append(kind)
        read, write = KINDS[kind]
        assert parse.version_of(document) == "0.4"
        assert write(read(document), "0.4") == plain(document)
    assert set(kinds) == {"plate", "well", "image"}


def test_plates_tell_their_wells_and_images_their_channels(data: Callable[[str], Path]) -> None:
    root = data("ome-zarr-hcs-v04-single-plane") / "single-plane-hcs.zarr"
    plate = parse.plate(json.loads((root / ".zattrs").read_text()))
    assert (len(plate.rows), len(plate.columns)) == (16, 24)
    assert sorted((well.path, well.row, well.column) for well in plate.wells) == [("E/07", 4, 6), ("E/08", 4, 7)]
    assert set(plate.extra) == {"barcode", "order_name"}
    image = parse.image(json.loads((root / "E/07/0/.zattrs").read_text()))
    assert image.axis_names == ("c", "y", "x")
    assert image.scale_of("x") == 2.7336
    assert image.scale_of("z") is None
    assert [channel.label for channel in image.channels][1] == "Best-Focus-Projection_FITC_05"
