"""Plates that commands made, opened by other people's tools without a finding."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import ome_zarr_models
import pytest
import tifffile
import yaozarrs
import zarr

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, VariableComponents, ZarrConfig, convert
from openhcs.run.plates import index_plate
from openhcs.testing.synthetic import make_plate

# Other people's libraries warn about one another; their findings about the plate are errors.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
WELLS = ("A01", "B03", "C02")


def brightest(stack):
    return stack.max(axis=0)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return make_plate(tmp_path_factory.mktemp("judged") / "P1", wells=WELLS, sites=2, z=3, size=(301, 400), missing=2)


@pytest.fixture(scope="module", params=["convert 0.5", "convert 0.4", "run 0.5", "run 0.4"])
def plate(request, source, tmp_path_factory) -> tuple[Path, str]:
    """Return a plate's store and its version."""
    verb, version = request.param.split()
    folder = tmp_path_factory.mktemp("out")
    config = GlobalPipelineConfig(missing="fill", num_workers=1, zarr=ZarrConfig(ngff_version=version))
    if verb == "convert":
        assert convert(source, folder / "plate.zarr", config=config).ok
        return folder / "plate.zarr", version
    steps = [
        FunctionStep(brightest, variable_components=[VariableComponents.Z_INDEX]),
        FunctionStep(lambda stack: (stack > 500).astype("int32"), "cells"),
    ]
    assert PipelineOrchestrator(source, output=folder / "out", global_config=config).run(steps).ok
    return folder / "out" / "images.zarr", version


def attributes(group: Path) -> dict:
    if (group / "zarr.json").exists():
        return json.loads((group / "zarr.json").read_text())["attributes"]["ome"]
    return json.loads((group / ".zattrs").read_text())


def test_yaozarrs_finds_nothing(plate):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yaozarrs.validate_zarr_store(str(plate[0]))


def test_ome_zarr_models_reads_the_plate_and_every_image(plate):
    store, version = plate
    group = ome_zarr_models.open_ome_zarr(zarr.open_group(store, mode="r"))
    assert group.ome_zarr_version == version
    images = [store / well["path"] / site for well in attributes(store)["plate"]["wells"] for site in ("0", "1")]
    kinds = {type(ome_zarr_models.open_ome_zarr(zarr.open_group(image, mode="r"))).__name__ for image in images}
    assert (len(images), kinds) == (6, {"Image"})


def test_ngff_zarr_validates_the_plate_and_every_image(plate):
    import ngff_zarr

    store, version = plate
    found = ngff_zarr.from_hcs_zarr(str(store), validate=True)
    assert [well.path for well in found.metadata.wells] == ["A/01", "B/03", "C/02"]
    image = ngff_zarr.from_ngff_zarr(str(store / "C/02/1"), validate=True, version=version)
    assert (image.images[0].dims, image.images[0].scale["x"]) == (("c", "z", "y", "x"), 0.65)


def test_ome_zarr_py_sees_the_plate_and_its_channels(plate):
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    store, _ = plate
    node = next(iter(Reader(parse_url(store / "A/01/0"))()))
    assert node.metadata["channel_names"] == ["DAPI", "FITC"]
    np.testing.assert_array_equal(np.asarray(node.data[0]), zarr.open_array(store / "A/01/0/0", mode="r")[...])


def test_zarr_python_sees_the_pixels_that_tifffile_sees(source, tmp_path):
    assert convert(source, tmp_path / "p.zarr", config=GlobalPipelineConfig(missing="fill")).ok
    index = index_plate(source)
    checked = 0
    for plane in index.planes:
        if plane.state.value == "present":
            row, column = index.well_place(plane.well)
            image = zarr.open_array(tmp_path / "p.zarr" / row / column / str(plane.site - 1) / "0", mode="r")
            expected = tifffile.imread(Path(index.root) / plane.source.path)
            np.testing.assert_array_equal(image[plane.channel - 1, plane.z - 1], expected)
            checked += 1
    assert checked == 3 * 2 * 2 * 3 - 2
