"""OME-TIFF sets, of tifffile's writer too, and Micro-Manager's, converted: every pixel as tifffile reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from ome_sets import block, document, image, save
from openhcs import GlobalPipelineConfig, convert
from openhcs.core.plate import PlaneState
from openhcs.run.plates import index_plate
from openhcs.testing.synthetic import make_plate

FILL = GlobalPipelineConfig(missing="fill", num_workers=1)


def compare(plate, output, microscope):
    """Convert a plate and compare each plane with what tifffile reads from its page; return the index."""
    assert convert(plate, output, config=FILL).ok
    index = index_plate(plate)
    assert index.microscope == microscope
    root = zarr.open_group(output, mode="r")
    stored = {}
    for well in root.attrs["ome"]["plate"]["wells"]:
        group = root[well["path"]]
        for one in group.attrs["ome"]["well"]["images"]:
            said = group[one["path"]].attrs["openhcs"]
            stored[said["well"], said["acquisition"], said["site"]] = (said, np.asarray(group[one["path"]]["0"]))
    for plane in index.planes:
        said, array = stored[plane.well, plane.acquisition, plane.site]
        time = (said["t"].index(plane.t),) if array.ndim == 5 else ()
        found = array[(*time, said["channels"].index(plane.channel), said["z"].index(plane.z))]
        if plane.state is PlaneState.PRESENT:
            expected = tifffile.imread(Path(index.root) / plane.source.path, key=plane.source.page)
        else:
            expected = np.zeros(index.plane_shape, index.dtype)
        assert np.array_equal(found, expected), plane
    return index


@pytest.mark.parametrize("axes", ["TCZYX", "CTZYX", "ZCTYX", "TZCYX", "CZYX", "ZYX", "YX"])
def test_what_tifffile_writes_is_read_as_tifffile_reads_it(tmp_path, axes):
    sizes = {"T": 2, "C": 3, "Z": 4, "Y": 8, "X": 9}
    pixels = np.random.default_rng(0).integers(0, 60_000, [sizes[axis] for axis in axes], np.uint16)
    path = tmp_path / "p" / "image.ome.tif"
    path.parent.mkdir()
    metadata = {
        "axes": axes,
        "PhysicalSizeX": 325,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.325,
        "PhysicalSizeYUnit": "µm",
        "Channel": {"Name": ["a", "b/µ", "c#"][: sizes["C"] if "C" in axes else 1]},
    }
    tifffile.imwrite(path, pixels, ome=True, metadata=metadata, photometric="minisblack")
    index = compare(tmp_path / "p", tmp_path / "out.zarr", "ome_tiff")
    assert index.pixel_size_um == (0.325, 0.325)
    assert [one.name for one in index.channels] == metadata["Channel"]["Name"]
    with tifffile.TiffFile(path) as tif:
        whole = tif.series[0].asarray()
        order = tif.series[0].axes
    assert np.array_equal(whole, pixels)
    for plane in index.planes:
        place = tuple({"T": plane.t, "C": plane.channel, "Z": plane.z}[axis] - 1 for axis in order[:-2])
        assert np.array_equal(tifffile.imread(path, key=plane.source.page), whole[place])


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_several_images_of_one_file_are_sites(tmp_path, compression):
    folder = tmp_path / "p"
    folder.mkdir()
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 255, (2, 3, 8, 8), np.uint8) for _ in range(3)]
    with tifffile.TiffWriter(folder / "all.ome.tif", ome=True) as tiff:
        for number, pixels in enumerate(images):
            metadata = {"axes": "CZYX", "Name": f"A{number + 1}-Site_0"}
            tiff.write(pixels, metadata=metadata, compression=compression, photometric="minisblack")
    index = compare(folder, tmp_path / "out.zarr", "ome_tiff")
    assert index.wells == ("A01", "A02", "A03")
    for plane in index.planes:
        expected = images[int(plane.well[1:]) - 1][plane.channel - 1, plane.z - 1]
        assert np.array_equal(tifffile.imread(folder / plane.source.path, key=plane.source.page), expected)


def test_a_set_of_several_files_keeps_every_pixel(tmp_path):
    blocks = "".join(
        block(f"c{c}.ome.tif", f"{c}", FirstC=c, FirstT=t, IFD=t, PlaneCount=1) for t in range(3) for c in range(2)
    )
    told = image(0, blocks, c=2, t=3)
    for c in range(2):
        save(tmp_path / "p" / f"c{c}.ome.tif", 3, document(told, uuid=f"{c}"), first=100 * c)
    index = compare(tmp_path / "p", tmp_path / "out.zarr", "ome_tiff")
    assert len(index.planes) == 6


@pytest.mark.parametrize("more", [{}, {"z": 3, "t": 2, "missing": 3}, {"compression": "deflate"}])
def test_a_plate_with_a_companion_keeps_every_pixel(tmp_path, more):
    plate = make_plate(tmp_path / "p", layout="ome_tiff", wells=["B03", "C04"], sites=2, size=(24, 32), **more)
    index = compare(plate, tmp_path / "out.zarr", "ome_tiff")
    assert index.states[PlaneState.NOT_RECORDED] == more.get("missing", 0)
    assert index.metadata_files == ("p.companion.ome",)


@pytest.mark.parametrize("layout", ["micro_manager", "micro_manager_files"])
@pytest.mark.parametrize("more", [{}, {"z": 3, "t": 2, "missing": 3}])
def test_an_acquisition_of_micro_manager_keeps_every_pixel(tmp_path, layout, more):
    plate = make_plate(tmp_path / "p", layout=layout, wells=["B03", "C04"], sites=2, size=(24, 32), **more)
    index = compare(plate, tmp_path / "out.zarr", "micro_manager")
    lost = PlaneState.MISSING if layout == "micro_manager_files" else PlaneState.NOT_RECORDED
    assert index.states[lost] == more.get("missing", 0)
