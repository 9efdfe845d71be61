"""Plates that other libraries wrote, read plane by plane: pixels, channels, levels and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ngff_zarr
import numpy as np
import pytest
import zarr

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, ZarrConfig, open_plate
from openhcs.steps import threshold_label
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from pathlib import Path

# Other people's libraries warn about one another.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
CHANNELS, ZS = 2, 3


def pixels(well: str, site: int, *, z: int = ZS) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng([ord(well[0]), int(well[1:]), site])
    return rng.integers(0, 60000, (CHANNELS, z, 70, 90), "uint16")


@pytest.fixture(params=["0.4", "0.5", "0.6"])
def by_ngff_zarr(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a plate by ngff-zarr: wells B2 with two sites and A1 with one, in this order."""
    version = request.param
    root = tmp_path / "peer.ome.zarr"
    names = {"B/2": 2, "A/1": 1}
    plate = ngff_zarr.Plate(
        columns=[ngff_zarr.PlateColumn(name=name) for name in "12"],
        rows=[ngff_zarr.PlateRow(name=name) for name in "AB"],
        wells=[
            ngff_zarr.PlateWell(path=path, rowIndex="AB".index(path[0]), columnIndex=int(path[2]) - 1) for path in names
        ],
        name="peer",
        field_count=2,
        version=version,
    )
    ngff_zarr.to_hcs_zarr(ngff_zarr.HCSPlate(store=str(root), plate_metadata=plate), str(root))
    for path, sites in names.items():
        for site in range(sites):
            scale = {"c": 1.0, "z": 2.0, "y": 0.5, "x": 0.5}
            units = dict.fromkeys("zyx", "micrometer")
            data = pixels(path.replace("/", ""), site)
            image = ngff_zarr.to_ngff_image(data, dims=list("czyx"), scale=scale, axes_units=units)
            levels = ngff_zarr.to_multiscales(image, scale_factors=[2])
            ngff_zarr.write_hcs_well_image(
                str(root), levels, plate, path[0], path[2], field_index=site, version=version
            )
    return root


def test_plates_of_ngff_zarr_are_read_in_every_version(by_ngff_zarr: Path) -> None:
    plate = open_plate(by_ngff_zarr)
    assert (plate.name, plate.wells) == ("peer", ("A01", "B02"))
    assert [well.sites for well in plate] == [(1,), (1, 2)]
    for well, site in (("A01", 1), ("B02", 1), ("B02", 2)):
        wanted = pixels(f"{well[0]}{int(well[1:])}", site - 1)
        image = plate[well].site(site)
        np.testing.assert_array_equal(image.read(), wanted)
        np.testing.assert_array_equal(image.channel(2).z(3).read(), wanted[1, 2])
    assert plate.index.pixel_size_um == (0.5, 0.5)
    assert plate.index.z_step_um == 2.0


def test_their_coarser_levels_are_read_as_zarr_reads_them(by_ngff_zarr: Path) -> None:
    image = open_plate(by_ngff_zarr)["B02"].site(2)
    assert image.levels == 2
    coarse = image.level(1)
    path = image.image.levels[1]
    wanted = zarr.open_array(by_ngff_zarr / path, mode="r")[:]
    assert coarse.shape == wanted.shape == (CHANNELS, 1, 35, 45)
    np.testing.assert_array_equal(coarse.read(), wanted)


@pytest.fixture(params=["0.4", "0.5"])
def by_ome_zarr_py(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a plate by ome-zarr-py of one well with a labelled site; axes t, c, z, y, x."""
    import ome_zarr.format
    import ome_zarr.writer

    known = {"0.4": ome_zarr.format.FormatV04(), "0.5": ome_zarr.format.FormatV05()}
    told = known[request.param]
    root = tmp_path / "peer.zarr"
    group = zarr.open_group(root, mode="w", zarr_format=told.zarr_format)
    ome_zarr.writer.write_plate_metadata(group, ["A"], ["1"], ["A/1"], fmt=told)
    well = group.require_group("A").require_group("1")
    ome_zarr.writer.write_well_metadata(well, ["0"], fmt=told)
    image = well.require_group("0")
    data = np.stack([pixels("A1", time) for time in range(2)])
    ome_zarr.writer.write_image(data, image, axes="tczyx", scale_factors=[2], fmt=told)
    labels = (data[:, :1] > 30000).astype("int32")
    ome_zarr.writer.write_labels(labels, image, name="nuclei", axes="tczyx", scale_factors=[2], fmt=told)
    return root


def test_labels_of_ome_zarr_py_lie_beneath_their_image(by_ome_zarr_py: Path) -> None:
    site = open_plate(by_ome_zarr_py)["A01"].site(1)
    wanted = np.stack([pixels("A1", time) for time in range(2)])
    assert site.dims == ("t", "c", "z", "y", "x")
    np.testing.assert_array_equal(site.read(), wanted)
    assert site.labels == ("nuclei",)
    label = site.label("nuclei")
    assert label.dims == ("t", "z", "y", "x")
    np.testing.assert_array_equal(label.read(), wanted[:, 0] > 30000)
    np.testing.assert_array_equal(label.t(2).z(1).read(), wanted[1, 0, 0] > 30000)
    assert label.dtype.kind == "i"
    assert label.level(1).shape == (2, ZS, 35, 45)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("axes", ["TZCYX", "ZCYX", "CYX", "ZYX", "yx"])
def test_axes_in_any_order_and_case_give_the_planes_they_name(tmp_path: Path, axes: str, version: int) -> None:
    sizes = {"t": 2, "c": CHANNELS, "z": ZS, "y": 7, "x": 9}
    data = np.random.default_rng(0).integers(0, 60000, [sizes[axis] for axis in axes.lower()], "uint16")
    root = zarr.open_group(tmp_path / "p.zarr", mode="w", zarr_format=version)
    plate = {"rows": [{"name": "A"}], "columns": [{"name": "1"}], "wells": [{"path": "A/1"}]}
    told = {"plate": plate}, {"well": {"images": [{"path": "0"}]}}
    image = {
        "multiscales": [
            {"axes": [{"name": axis} for axis in axes], "datasets": [{"path": "scale0/image"}]},
        ]
    }
    for path, attributes in zip(("", "A/1", "A/1/0"), (*told, image), strict=True):
        group = root.require_group(path) if path else root
        group.attrs.update(attributes if version == 2 else {"ome": {"version": "0.5", **attributes}})
    root["A/1/0"].create_array("scale0/image", data=data, chunks=(1,) * (data.ndim - 2) + (7, 9))
    site = open_plate(tmp_path / "p.zarr")["A01"].site(1)
    lead = [axis for axis in "tcz" if axis in axes.lower()]
    ordered = np.transpose(data, [axes.lower().index(axis) for axis in (*lead, "y", "x")])
    wanted = ordered.reshape([sizes[axis] if axis in lead or axis in "yx" else 1 for axis in site.dims])
    np.testing.assert_array_equal(site.read(), wanted)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_labels_of_our_own_steps_are_read_as_zarr_reads_them(tmp_path: Path, version: str) -> None:
    make_plate(tmp_path / "P1", wells=["A01"], sites=2, z=2, size=(64, 80))
    settings = GlobalPipelineConfig(num_workers=1, zarr=ZarrConfig(ngff_version=version))
    steps = [FunctionStep({"DAPI": threshold_label}, unmatched="pass")]
    assert PipelineOrchestrator(tmp_path / "P1", output=tmp_path / "o", global_config=settings).run(steps).ok
    site = open_plate(tmp_path / "o")["A01"].site(2)
    (name,) = site.labels
    label = site.label(name)
    stored = zarr.open_array(tmp_path / "o/images.zarr/A/01/1/labels" / name / "0", mode="r")[:]
    assert stored.any()
    assert label.dims == ("z", "y", "x")
    np.testing.assert_array_equal(label.read(), stored)
