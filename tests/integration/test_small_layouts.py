"""Real plates of five layouts that are told by their names: what the index says, and every pixel converted."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from openhcs import GlobalPipelineConfig, convert
from openhcs.core.plate import PlaneState
from openhcs.errors import InputError
from openhcs.microscopes import TABLE
from openhcs.run.plates import index_plate
from openhcs.testing.synthetic import make_plate


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
    missing: int = 0
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
    "embl-almf-jpeg-positions": Expected(
        layout="embl_almf",
        name="D0004BS000000007-1uM",
        planes=8,
        wells=("A01",),
        grid=(8, 12),
        sites=(1, 2, 3, 4),
        channels=((1, "1"), (2, "2")),
        kind=("uint8", (2160, 2160)),
    ),
    "leica-matrix-screener": Expected(
        layout="leica_matrix",
        name="leica-matrix-screener",
        planes=2,
        missing=2,
        wells=("A01",),
        grid=(2, 3),
        sites=(1, 2),
        channels=((0, "0"), (1, "1")),
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
    assert (index.name, index.wells) == (expected.name, expected.wells)
    assert (len(index.rows), len(index.columns)) == expected.grid
    assert {site for well in index.wells for site in index.sites(well)} == set(expected.sites)
    assert tuple((channel.number, channel.name) for channel in index.channels) == expected.channels
    assert index.axes() == (expected.t, tuple(number for number, _ in expected.channels), expected.z)
    assert (index.dtype, index.plane_shape) == expected.kind
    assert len(index.metadata_files) == expected.documents
    assert index.states[PlaneState.PRESENT] == expected.planes
    assert index.states[PlaneState.MISSING] == len(index.planes) - expected.planes == expected.missing
    for fact, value in expected.facts.items():
        assert getattr(index, fact) == value, fact


def test_every_file_is_a_plane_a_document_or_has_a_reason(plate):
    folder, expected = plate
    index = index_plate(folder)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    planes = {one.source.path for one in index.planes if one.state is PlaneState.PRESENT}
    reasons = {one.path: one.reason for one in index.unmatched}
    assert planes | set(index.metadata_files) | set(reasons) == files
    assert all(reasons.values())
    images = [path for path in reasons if Path(path).suffix not in {".md", ".txt", ".db"}]
    assert len(images) == expected.left_out
    assert {reasons[path] for path in images} <= {"an image of colours, and a plane has one value per pixel"}


def test_converting_keeps_every_pixel_and_document(plate, tmp_path):
    folder, _ = plate
    index = index_plate(folder)
    result = convert(folder, tmp_path / "out.zarr", config=GlobalPipelineConfig(num_workers=1, missing="fill"))
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
        if plane.state is not PlaneState.PRESENT:
            continue
        stored = array[said["channels"].index(plane.channel), said["z"].index(plane.z)]
        assert np.array_equal(stored, decoded(folder / plane.source.path)), plane.source.path
    for path in index.metadata_files:
        assert (tmp_path / ".out.zarr.openhcs" / "vendor" / path).read_bytes() == (folder / path).read_bytes()


@pytest.mark.parametrize("layout", ["scanr", "cellomics", "sbs", "embl_almf", "leica_matrix"])
def test_a_made_up_plate_is_converted_plane_by_plane_with_its_gaps(tmp_path, layout):
    deep = {} if layout in {"cellomics", "sbs"} else {"z": 2, "t": 2}
    make_plate(tmp_path / "P", layout=layout, wells=("A01", "B03"), sites=2, size=(24, 20), missing=3, **deep)
    index = index_plate(tmp_path / "P")
    indexed = layout in {"scanr", "leica_matrix"}
    assert index.states[PlaneState.MISSING] == (3 if indexed else 0)
    config = GlobalPipelineConfig(num_workers=1, missing="fill")
    assert convert(tmp_path / "P", tmp_path / "out.zarr", config=config).ok
    root = zarr.open_group(tmp_path / "out.zarr", mode="r")
    seen = 0
    for well in root.attrs["ome"]["plate"]["wells"]:
        group = root[well["path"]]
        for one in group.attrs["ome"]["well"]["images"]:
            said, array = group[one["path"]].attrs["openhcs"], np.asarray(group[one["path"]]["0"])
            for plane in index.by_well[said["well"]]:
                if plane.site != said["site"]:
                    continue
                place = (said["channels"].index(plane.channel), said["z"].index(plane.z))
                stored = array[(said["t"].index(plane.t), *place) if array.ndim == 5 else place]
                there = plane.state is PlaneState.PRESENT
                pixels = decoded(tmp_path / "P" / plane.source.path) if there else np.zeros_like(stored)
                assert np.array_equal(stored, pixels), plane.name
                seen += 1
    assert seen == len(index.planes)


def decoded(path: Path) -> np.ndarray:
    """Read an image with somebody else's library; of a palette the indices."""
    if path.suffix == ".jpeg":
        with Image.open(path) as image:
            image.draft("L", image.size)
            return np.asarray(image)
    with tifffile.TiffFile(path) as tif:
        assert len(tif.pages) == 1
        return tif.pages[0].asarray()


def test_images_in_colours_are_those_that_another_library_finds_in_colours(data):
    folder = data("embl-almf-jpeg-positions")
    colours = [path for path in sorted(folder.rglob("*.jpeg")) if imagecodecs.jpeg_decode(path.read_bytes()).ndim == 3]
    assert len(colours) == 4
    first = colours[0].relative_to(folder)
    assert f"images in colours, whose brightness is read: 4, such as {first}" in index_plate(folder).warnings


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


def test_a_c01_named_as_cellomics_names_it_is_converted(data, tmp_path):
    source = data("cellomics-c01-file") / "iamac01file.c01"
    plate = tmp_path / "plate"
    plate.mkdir()
    (plate / "MFGTMP_140206180002_B03f00d1.C01").write_bytes(source.read_bytes())
    index = index_plate(plate)
    assert (index.microscope, index.name, index.wells) == ("cellomics", "MFGTMP_140206180002", ("B03",))
    # 775,193 pixels in a metre.
    assert index.pixel_size_um == (1.290001329, 1.290001329)
    assert convert(plate, tmp_path / "out.zarr", config=GlobalPipelineConfig(num_workers=1)).ok
    stored = np.asarray(zarr.open_group(tmp_path / "out.zarr", mode="r")["B/03/0/0"])
    raw = zlib.decompress(source.read_bytes()[4:])
    assert np.array_equal(stored[0, 0], np.frombuffer(raw[52:], "<u2").reshape(512, 512))


def test_an_unreadable_ome_series_is_no_reason_not_to_read_its_page(data):
    path = next(data("leica-matrix-screener").rglob("*Y00--T00--Z00--C01.ome.tif"))
    with tifffile.TiffFile(path) as tif, pytest.raises(ValueError, match="NumPlanes"):
        _ = tif.series
