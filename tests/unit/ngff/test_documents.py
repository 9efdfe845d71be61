"""Documents rendered from the model, judged by other people's schemas."""

from __future__ import annotations

import json
from typing import Any

import ome_zarr_models.v04.hcs
import ome_zarr_models.v04.image
import ome_zarr_models.v04.well
import ome_zarr_models.v05.hcs
import ome_zarr_models.v05.image
import ome_zarr_models.v05.well
import pytest
import yaozarrs

from openhcs.errors import FormatError, InvalidValue
from openhcs.ngff import parse, render
from openhcs.ngff.model import (
    Axis,
    ChannelView,
    ImageModel,
    Level,
    PlateAcquisition,
    PlateModel,
    PlateWell,
    WellImage,
    WellModel,
)
from openhcs.ngff.windows import Window

MODELS = {"0.4": ome_zarr_models.v04, "0.5": ome_zarr_models.v05}
PLATE = PlateModel(
    name="p",
    rows=("A", "B"),
    columns=("1", "02"),
    wells=(PlateWell(path="B/02", row=1, column=1),),
    acquisitions=(PlateAcquisition(id=0, name="first", maximumfieldcount=2),),
    field_count=2,
    own={"plan": "x"},
)
WELL = WellModel(images=(WellImage(path="0", acquisition=0), WellImage(path="a1s0", acquisition=1)))
IMAGE = ImageModel(
    name="B02 site 3",
    axes=(
        Axis(name="c", type="channel"),
        Axis(name="z", type="space", unit="micrometer"),
        Axis(name="y", type="space", unit="micrometer"),
        Axis(name="x", type="space", unit="micrometer"),
    ),
    levels=(
        Level(path="0", scale=(1.0, 2.0, 0.5, 0.5), translation=(0.0, 0.0, 0.0, 0.0)),
        Level(path="1", scale=(1.0, 2.0, 1.0, 1.0), translation=(0.0, 0.0, 0.25, 0.25)),
    ),
    type="mean",
    metadata={"method": "2x2 mean"},
    channels=(ChannelView(label="DAPI", color="0000FF", window=Window(min=0, max=65535, start=1, end=9), active=True),),
    own={"site": 3},
)
DOCUMENTS = [
    (render.plate_document, parse.plate, PLATE, "HCSAttrs", "hcs"),
    (render.well_document, parse.well, WELL, "WellAttrs", "well"),
    (render.image_document, parse.image, IMAGE, "ImageAttrs", "image"),
]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(("make", "_parse", "model", "attrs", "module"), DOCUMENTS)
def test_every_document_passes_the_schemas_of_its_version(
    make: Any, _parse: Any, model: Any, attrs: str, module: str, version: str
) -> None:
    document = json.loads(json.dumps(make(model, version)))
    yaozarrs.validate_ome_object(document)
    told = document["ome"] if version == "0.5" else document
    getattr(getattr(MODELS[version], module), attrs).model_validate(told)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(("make", "read", "model", "_attrs", "_module"), DOCUMENTS)
def test_a_rendered_document_is_read_as_the_model_it_came_from(
    make: Any, read: Any, model: Any, _attrs: str, _module: str, version: str
) -> None:
    assert read(make(model, version)) == model


def test_the_version_stands_where_each_version_wants_it() -> None:
    new, old = render.image_document(IMAGE, "0.5"), render.image_document(IMAGE, "0.4")
    assert new["ome"]["version"] == "0.5"
    assert "version" not in new["ome"]["multiscales"][0]
    assert old["multiscales"][0]["version"] == "0.4"
    assert old["omero"]["version"] == "0.4"
    assert render.plate_document(PLATE, "0.5")["ome"]["plate"]["version"] == "0.5"
    assert render.well_document(WELL, "0.4")["well"]["version"] == "0.4"


def test_an_empty_plate_is_refused() -> None:
    from dataclasses import replace

    with pytest.raises(InvalidValue, match="at least one well"):
        render.plate_document(replace(PLATE, wells=()), "0.5")


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"0\.3"):
        render.well_document(WELL, "0.3")


def test_upper_case_axes_and_missing_omero_are_read() -> None:
    document = {
        "ome": {
            "version": "0.5",
            "multiscales": [{"axes": [{"name": "Y"}, "X"], "datasets": [{"path": "scale0/image"}]}],
        }
    }
    image = parse.image(document)
    assert image.axis_names == ("y", "x")
    assert image.levels[0].path == "scale0/image"
    assert image.levels[0].scale is None
    assert image.channels == ()
    assert parse.kind_of(document) == "image"
    assert parse.version_of(document) == "0.5"


def test_a_well_without_indices_is_placed_by_its_path() -> None:
    document = {"plate": {"rows": [{"name": "A"}], "columns": [{"name": "1"}, {"name": 2}], "wells": [{"path": "A/2"}]}}
    assert parse.plate(document).wells == (PlateWell(path="A/2", row=0, column=1),)


@pytest.mark.parametrize(
    ("read", "document", "place"),
    [
        (parse.plate, {}, "plate is missing"),
        (parse.plate, {"plate": []}, "plate is"),
        (parse.plate, {"plate": {"rows": [3], "columns": [], "wells": []}}, r"plate.rows\[0\]"),
        (parse.plate, {"plate": {"rows": [], "columns": [], "wells": [{"path": "Z/9"}]}}, r"plate.wells\[0\]"),
        (parse.well, {"well": {"images": [{}]}}, r"well.images\[0\].path"),
        (parse.image, {"multiscales": []}, "empty"),
        (parse.image, {"multiscales": [{"axes": ["y", "x"], "datasets": []}]}, "no level"),
        (parse.image, {"multiscales": [{"datasets": [{"path": "0"}]}]}, "axes is missing"),
        (
            parse.image,
            {
                "multiscales": [
                    {
                        "axes": ["y"],
                        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 2]}]}],
                    }
                ]
            },
            "one per axis",
        ),
    ],
)
def test_what_is_no_document_is_refused_with_the_place(read: Any, document: Any, place: str) -> None:
    with pytest.raises(FormatError, match=place):
        read(document)
