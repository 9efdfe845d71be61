"""Real plates, converted and run through a pipeline, against a bare loop over tifffile and zarr-python."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
import skimage.filters
import tifffile
import zarr

from carrying import pixels_of
from openhcs import GlobalPipelineConfig, PipelineOrchestrator, convert
from openhcs.constants.constants import VariableComponents
from openhcs.core.plate import FileSource, PlaneState
from openhcs.core.steps import FunctionStep
from openhcs.run.plates import index_plate

PLATES = [
    ("imagexpress-9987-plate3420-single", "9987_Plate_3420"),
    ("imagexpress-9987-plate3434-zmixed", "9987_Plate_3434"),
    ("imagexpress-projection-mix", "."),
    ("imagexpress-single-channel-guid", "."),
    ("opera-phenix-harmonyv5-br00122249-partial", "."),
    ("opera-phenix-zstack-names-only", "."),
    ("operetta-sonata-2-fields", "operetta_plate"),
    ("ome-zarr-hcs-v04-single-plane", "single-plane-hcs.zarr"),
]
FILL = GlobalPipelineConfig(missing="fill", num_workers=1)


def normalise(stack, low=1, high=99):
    dark, bright = np.percentile(stack, (low, high))
    return ((stack - dark) / max(bright - dark, 1)).clip(0, 1).astype(np.float32)


def smooth(stack):
    return scipy.ndimage.gaussian_filter(stack, (0, 1.5, 1.5))


def project(stack):
    return stack.max(axis=0)


def label(stack):
    bright = [plane > skimage.filters.threshold_otsu(plane) for plane in stack]
    return np.stack([scipy.ndimage.label(mask)[0].astype(np.int32) for mask in bright])


def read_plane(index, plane):
    """Read one plane with somebody else's library."""
    if plane.state is not PlaneState.PRESENT:
        return np.zeros(index.plane_shape, index.dtype)
    path = Path(index.root) / plane.source.path
    if isinstance(plane.source, FileSource):
        return tifffile.imread(path, key=plane.source.page)
    return zarr.open_array(path, mode="r")[plane.source.index]


def digests(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def images(output, index):
    """Return every site image of an output as zarr-python reads it, by (well, acquisition, site)."""
    root = zarr.open_group(output, mode="r")
    found = {}
    for well in root.attrs["ome"]["plate"]["wells"]:
        group = root[well["path"]]
        for image in group.attrs["ome"]["well"]["images"]:
            said = group[image["path"]].attrs["openhcs"]
            found[said["well"], said["acquisition"], said["site"]] = (said, np.asarray(group[image["path"]]["0"]))
    return found


def axes(said):
    return said["t"], said["channels"], said["z"]


def place(said, array, t, channel, z):
    ts, channels, zs = axes(said)
    lead = (ts.index(t),) if array.ndim == 5 else ()
    return array[(*lead, channels.index(channel), zs.index(z))]


@pytest.mark.parametrize(("name", "folder"), PLATES)
def test_converting_keeps_every_pixel_and_leaves_the_input_alone(data, tmp_path, name, folder):
    plate = data(name) / folder
    before = digests(plate)
    result = convert(plate, tmp_path / "out.zarr", config=FILL)
    assert result.ok
    index = index_plate(plate)
    if index.microscope == "ome_zarr":
        assert pixels_of(tmp_path / "out.zarr") == pixels_of(plate)
        assert digests(plate) == before
        return
    stored = images(tmp_path / "out.zarr", index)
    assert {(plane.well, plane.acquisition, plane.site) for plane in index.planes} == set(stored)
    for plane in index.planes:
        said, array = stored[plane.well, plane.acquisition, plane.site]
        assert np.array_equal(place(said, array, plane.t, plane.channel, plane.z), read_plane(index, plane))
    assert digests(plate) == before


@pytest.mark.parametrize("last", ["project", "label"])
@pytest.mark.parametrize(("name", "folder"), PLATES)
def test_three_steps_give_what_a_bare_loop_gives(data, tmp_path, name, folder, last):
    plate = data(name) / folder
    steps = [FunctionStep(normalise, variable_components=[]), FunctionStep(smooth, variable_components=[])]
    if last == "project":
        steps.append(FunctionStep(project, variable_components=[VariableComponents.Z_INDEX], out="one"))
    else:
        steps.append(FunctionStep(label, variable_components=[]))
    result = PipelineOrchestrator(plate, output=tmp_path / "out", global_config=FILL).run(steps)
    assert result.ok, result.failed
    index = index_plate(plate)
    projections = {one.number for one in index.acquisitions if one.projection}
    planes = [p for p in index.planes if p.acquisition not in projections] or list(index.planes)
    stored = images(tmp_path / "out" / "images.zarr", index)
    stacks: dict[tuple, list[np.ndarray]] = {}
    for plane in planes:
        pixels = smooth(normalise(read_plane(index, plane)[None]))
        key = (plane.well, plane.acquisition, plane.site, plane.t, plane.channel)
        stacks.setdefault(key if last == "project" else (*key, plane.z), []).append(pixels)
    assert stacks
    for (well, acquisition, site, t, channel, *z), found in stacks.items():
        said, array = stored[well, acquisition, site]
        expected = np.concatenate(found).max(axis=0) if last == "project" else label(found[0])[0]
        assert np.array_equal(place(said, array, t, channel, z[0] if z else said["z"][0]), expected)
