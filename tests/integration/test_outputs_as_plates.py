"""What a run wrote is a plate again, with the same numbers, states and lengths."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from openhcs.constants.constants import MaterializationBackend
from openhcs.core.config import GlobalPipelineConfig, VFSConfig, ZarrConfig
from openhcs.core.plate import PlaneState, PlateIndex
from openhcs.errors import FormatError
from openhcs.io.folder import FolderFiles
from openhcs.microscopes.ome_zarr import OmeZarr
from openhcs.microscopes.openhcs_tiff import OpenHCSTiff
from openhcs.microscopes.protocol import NotMine
from openhcs.run.convert import convert
from openhcs.run.pixels import PlaneReader
from openhcs.run.plates import index_plate
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FACTS = ("name", "rows", "columns", "channels", "acquisitions", "pixel_size_um", "z_step_um", "dtype", "plane_shape")
TARGETS = {
    "0.4": GlobalPipelineConfig(missing="fill", zarr=ZarrConfig(ngff_version="0.4")),
    "0.5": GlobalPipelineConfig(missing="fill", zarr=ZarrConfig(ngff_version="0.5")),
    "tiff": GlobalPipelineConfig(missing="fill", vfs=VFSConfig(materialization_backend=MaterializationBackend.DISK)),
}


def index(folder: Path) -> PlateIndex:
    for microscope in (OmeZarr(), OpenHCSTiff()):
        found = microscope.index(FolderFiles(folder))
        if isinstance(found, PlateIndex):
            return found
    raise AssertionError(f"{folder} is no plate")


def states(found: PlateIndex) -> dict[Any, PlaneState]:
    return {(plane.well, plane.key): plane.state for plane in found.planes}


def same_facts(found: PlateIndex, source: PlateIndex) -> None:
    told = {name: getattr(found, name) for name in FACTS}
    assert told == {name: getattr(source, name) for name in FACTS}
    assert {place: pytest.approx(at) for place, at in found.positions.items()} == source.positions


def read(found: PlateIndex, well: str) -> list[np.ndarray]:
    made = []
    with PlaneReader(found) as reader:
        for plane in found.by_well[well]:
            if plane.state is PlaneState.PRESENT:
                made.append(np.empty(found.plane_shape or (), found.dtype))
                reader.read_into(plane, made[-1])
    return made


@pytest.mark.parametrize("target", TARGETS)
def test_a_converted_plate_is_the_plate_it_came_from(tmp_path: Path, target: str) -> None:
    make_plate(tmp_path / "P 1", wells=["A01", "C11"], sites=3, z=3, t=2, size=(40, 56))
    source = index_plate(tmp_path / "P 1")
    assert convert(tmp_path / "P 1", tmp_path / "out", config=TARGETS[target]).ok
    found = index(tmp_path / "out")
    same_facts(found, source)
    assert states(found) == states(source)
    for ours, theirs in zip(read(found, "C11"), read(source, "C11"), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("target", ["0.4", "0.5"])
def test_planes_that_were_missing_stay_in_their_states(tmp_path: Path, target: str) -> None:
    make_plate(tmp_path / "P1", wells=3, sites=2, z=2, size=(32, 32), missing=4)
    source = index_plate(tmp_path / "P1")
    assert convert(tmp_path / "P1", tmp_path / "out", config=TARGETS[target]).ok
    found = index(tmp_path / "out")
    assert states(found) == states(source)
    assert found.states == source.states
    assert found.states[PlaneState.NOT_RECORDED] == 4


@pytest.mark.parametrize("target", TARGETS)
def test_original_numbers_gaps_and_projections_come_back(
    data: Callable[[str], Path], tmp_path: Path, target: str
) -> None:
    folder = data("imagexpress-projection-mix")
    source = index_plate(folder)
    done = convert(folder, tmp_path / "out", config=TARGETS[target])
    assert done.ok
    found = index(tmp_path / "out")
    kept = {place: state for place, state in states(source).items() if place[0] in done.done}
    if target == "tiff":
        # File names tell of planes that are there, and of no others.
        kept = {place: PlaneState.PRESENT for place in kept if states(found).get(place)}
        assert kept.keys() >= {place for place, state in states(source).items() if state is PlaneState.PRESENT}
    assert states(found) == kept
    assert found.channels == source.channels
    assert found.acquisitions == source.acquisitions


def test_a_store_is_found_by_itself_and_in_its_output(tmp_path: Path) -> None:
    make_plate(tmp_path / "P1", wells=1, sites=1, size=(32, 32))
    convert(tmp_path / "P1", tmp_path / "x.zarr")
    assert index(tmp_path / "x.zarr").root == f"{tmp_path}/x.zarr"
    convert(tmp_path / "P1", tmp_path / "out", config=GlobalPipelineConfig(zarr=ZarrConfig(store_name="mine.zarr")))
    found = index(tmp_path / "out")
    assert found.root == f"{tmp_path}/out/mine.zarr"
    assert found.name == "P1"


def test_a_lost_image_of_ours_is_missing_under_its_own_number(tmp_path: Path) -> None:
    make_plate(tmp_path / "P1", wells=2, sites=2, size=(32, 32))
    convert(tmp_path / "P1", tmp_path / "out")
    (tmp_path / "out/images.zarr/A/02/1/zarr.json").unlink()
    found = index(tmp_path / "out")
    lost = [plane for plane in found.planes if plane.state is PlaneState.MISSING]
    assert [(plane.well, plane.site, plane.channel) for plane in lost] == [("A02", 2, 1), ("A02", 2, 2)]


def test_a_store_of_a_newer_openhcs_is_refused(tmp_path: Path) -> None:
    make_plate(tmp_path / "P1", wells=1, sites=1, size=(32, 32))
    convert(tmp_path / "P1", tmp_path / "x.zarr")
    document = tmp_path / "x.zarr" / "zarr.json"
    told = json.loads(document.read_text())
    told["attributes"]["openhcs"]["version"] = 99
    document.write_text(json.dumps(told))
    with pytest.raises(FormatError, match="newer openhcs"):
        index(tmp_path / "x.zarr")


def test_a_tiff_output_tells_of_strange_files_and_of_wells_without_any(tmp_path: Path) -> None:
    make_plate(tmp_path / "P1", wells=2, sites=1, size=(32, 32))
    convert(tmp_path / "P1", tmp_path / "out", config=TARGETS["tiff"])
    images = tmp_path / "out" / "images"
    for path in (images / "A" / "02").iterdir():
        path.unlink()
    tifffile.imwrite(images / "extra.tif", np.zeros((2, 2), "uint8"))
    found = OpenHCSTiff().index(FolderFiles(images))
    assert isinstance(found, PlateIndex)
    assert [one.path for one in found.unmatched] == ["extra.tif"]
    assert {plane.state for plane in found.by_well["A02"]} == {PlaneState.MISSING}
    assert {plane.state for plane in found.by_well["A01"]} == {PlaneState.PRESENT}


@pytest.mark.parametrize(
    ("text", "told"),
    [("{", "no JSON"), ('{"version": 9, "plate": "", "plane_shape": [1, 1], "wells": []}', "update it")],
)
def test_a_damaged_plate_document_is_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "plate.json").write_text(text)
    with pytest.raises(FormatError, match=told):
        OpenHCSTiff().index(FolderFiles(tmp_path))


def test_another_programs_plate_json_is_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "plate.json").write_text('{"plate": "x"}')
    assert isinstance(OpenHCSTiff().index(FolderFiles(tmp_path)), NotMine)
