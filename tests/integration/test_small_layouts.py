"""Real plates of five layouts that are told by their names: what the index says, and every pixel converted."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from openhcs import GlobalPipelineConfig, convert
from openhcs.errors import InputError
from openhcs.microscopes import TABLE
from openhcs.run.plates import index_plate


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What SOURCE.md of a data set tells."""

    layout: str
    name: str
    planes: int
    wells: tuple[str, ...]
    grid: tuple[int, int]
    sites: tuple[int, ...]
    channels: tuple[tuple[int, str], ...]
    z: tuple[int, ...] = (1,)
    t: tuple[int, ...] = (1,)
    kind: tuple[str, tuple[int, int]]
    documents: int = 0
    left_out: int = 0
    facts: dict[str, object] = field(default_factory=dict)


SETS = {
    "scanr-c2-s1-t1": Expected(
        layout="scanr",
        name="scanr-c2-s1-t1",
        planes=2,
        wells=("B01",),
        grid=(8, 12),
        sites=(1,),
        channels=((1, "GFP"), (2, "mcherry")),
        z=(0,),
        t=(0,),
        kind=("uint16", (1024, 1344)),
    ),
    "cellomics-as09047-three-wells": Expected(
        layout="cellomics",
        name="AS_09047_050428030001",
        planes=9,
        wells=("O01", "O02", "O24"),
        grid=(16, 24),
        sites=(0, 1, 2),
        channels=((2, "2"),),
        kind=("uint8", (512, 512)),
    ),
    "bbbc013-sbs-plate-8bit": Expected(
        layout="sbs",
        name="bbbc013-sbs-plate-8bit",
        planes=10,
        wells=("A01", "A02", "A12", "D01", "H12"),
        grid=(8, 12),
        sites=(1,),
        channels=((1, "1"), (2, "2")),
        kind=("uint8", (640, 640)),
        documents=1,
    ),
    "leica-matrix-screener": Expected(
        layout="leica_matrix",
        name="leica-matrix-screener",
        planes=2,
        wells=("A01",),
        grid=(2, 3),
        sites=(1, 2),
        channels=((1, "1"),),
        z=(0,),
        t=(0,),
        kind=("uint8", (1024, 1024)),
        documents=4,
        facts={
            "pixel_size_um": (0.24050019550342, 0.24050019550342),
            "positions": {("A01", 1): (42702.127, 31916.927), ("A01", 2): (42702.127, 32149.925)},
            "instrument": "Leica Microsystems DMI6000B-CS",
        },
    ),
}


@pytest.fixture(params=SETS)
def plate(request, data):
    return data(request.param), SETS[request.param]


def test_the_index_is_what_the_source_of_the_data_tells(plate):
    folder, expected = plate
    index = index_plate(folder)
    assert index.microscope == expected.layout
    assert (index.name, len(index.planes), index.wells) == (expected.name, expected.planes, expected.wells)
    assert (len(index.rows), len(index.columns)) == expected.grid
    assert {site for well in index.wells for site in index.sites(well)} == set(expected.sites)
    assert tuple((channel.number, channel.name) for channel in index.channels) == expected.channels
    assert index.axes() == (expected.t, tuple(number for number, _ in expected.channels), expected.z)
    assert (index.dtype, index.plane_shape) == expected.kind
    assert len(index.metadata_files) == expected.documents
    assert {state.value: count for state, count in index.states.items() if count} == {"present": expected.planes}
    for fact, value in expected.facts.items():
        assert getattr(index, fact) == value, fact


def test_every_file_is_a_plane_a_document_or_has_a_reason(plate):
    folder, expected = plate
    index = index_plate(folder)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    planes = {one.source.path for one in index.planes}
    reasons = {one.path: one.reason for one in index.unmatched}
    assert planes | set(index.metadata_files) | set(reasons) == files
    assert all(reasons.values())
    images = [path for path in reasons if Path(path).suffix not in {".md", ".txt", ".db"}]
    assert len(images) == expected.left_out
    assert {reasons[path] for path in images} <= {"an image of colours, and a plane has one value per pixel"}


def test_converting_keeps_every_pixel_and_document(plate, tmp_path):
    folder, _ = plate
    index = index_plate(folder)
    result = convert(folder, tmp_path / "out.zarr", config=GlobalPipelineConfig(num_workers=1))
    assert result.ok
    root = zarr.open_group(tmp_path / "out.zarr", mode="r")
    found = {}
    for well in root.attrs["ome"]["plate"]["wells"]:
        group = root[well["path"]]
        for one in group.attrs["ome"]["well"]["images"]:
            said = group[one["path"]].attrs["openhcs"]
            found[said["well"], said["site"]] = (said, np.asarray(group[one["path"]]["0"]))
    assert set(found) == {(plane.well, plane.site) for plane in index.planes}
    for plane in index.planes:
        said, array = found[plane.well, plane.site]
        stored = array[said["channels"].index(plane.channel), said["z"].index(plane.z)]
        assert np.array_equal(stored, decoded(folder / plane.source.path)), plane.source.path
    for path in index.metadata_files:
        assert (tmp_path / ".out.zarr.openhcs" / "vendor" / path).read_bytes() == (folder / path).read_bytes()


def decoded(path: Path) -> np.ndarray:
    """Read an image with somebody else's library; of a palette the indices."""
    with tifffile.TiffFile(path) as tif:
        assert len(tif.pages) == 1
        return tif.pages[0].asarray()


def test_a_cellomics_image_of_another_name_harms_no_layout(data):
    folder = data("cellomics-c01-file")
    index = index_plate(folder)
    known = {plane.source.path for plane in index.planes} | {one.path for one in index.unmatched}
    assert {"iamac01file.c01", "MetamorphImage.tif"} <= known
    refused = set()
    for layout in TABLE:
        try:
            index_plate(folder, microscope=layout)
        except InputError as error:
            refused |= {layout} if "cannot be read as" in str(error) else set()
    assert set(TABLE) - refused == {index.microscope}


def test_an_unreadable_ome_series_is_no_reason_not_to_read_its_page(data):
    path = next(data("leica-matrix-screener").rglob("*Y00--T00--Z00--C01.ome.tif"))
    with tifffile.TiffFile(path) as tif, pytest.raises(ValueError, match="NumPlanes"):
        _ = tif.series
