"""Plates opened by their root document: what is looked at later, and what is damaged or not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from many_sites import AXES, array, group, image, write_documents
from openhcs.core.plate import PlaneState, ZarrSource
from openhcs.errors import FormatError, InputError, MissingPlanes, NotFound, UnknownName
from openhcs.run.reader import PlateView, open_plate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VERSIONS = ["0.4", "0.5"]
NAMES = {"0.4": ".zattrs", "0.5": "zarr.json"}


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root(tmp_path: Path, version: str) -> Path:
    """Return a plate of wells A01 to A03 with three sites each."""
    return write_documents(tmp_path / "p.zarr", wells=3, sites=3, version=version, levels=2)


def write_image(folder: Path, version: str, axes: list[Any], shape: tuple[int, ...], **more: Any) -> None:
    """Write the documents of one image with one level, ``own`` being our own key."""
    own = more.pop("own", None)
    paths = more.pop("paths", ["0"])
    group(folder, image(axes, paths, **more), version, {"openhcs": own} if own else None)
    array(folder / paths[0], shape, version)


def test_what_is_looked_at_one_by_one_is_what_the_index_holds(root: Path) -> None:
    whole = open_plate(root).index
    plate = open_plate(root)
    assert plate.wells == whole.wells
    assert {well.name: well.planes for well in plate} == whole.by_well
    assert plate.channels == whole.channels
    assert plate.acquisitions == whole.acquisitions
    assert plate.index == whole


@pytest.mark.parametrize("name", ["ome-zarr-hcs-v04-single-plane", "ome-zarr-hcs-example-metadata"])
def test_real_plates_are_the_same_by_sites_as_by_their_index(data: Callable[[str], Path], name: str) -> None:
    folder = next(data(name).glob("*.zarr"))
    plate = open_plate(folder)
    for well in plate:
        assert tuple(plane for site in well for plane in site.planes) == well.planes
    assert {well.name: well.planes for well in plate} == open_plate(folder).index.by_well


def test_a_damaged_image_is_an_error_of_its_site_and_of_the_index(root: Path, version: str) -> None:
    (root / "A/2/1" / NAMES[version]).write_text("{")
    plate = open_plate(root)
    assert plate["A02"].sites == (1, 2, 3)
    assert plate["A02"].site(3).shape == (2, 3, 64, 96)
    assert plate["A03"].site(2).shape == (2, 3, 64, 96)
    with pytest.raises(FormatError, match=r"A/2/1.* is no JSON") as caught:
        plate["A02"].site(2)
    assert (caught.value.well, caught.value.site) == ("A02", 2)
    with pytest.raises(FormatError, match="A/2/1"):
        _ = plate.index


def test_a_damaged_array_document_is_an_error_of_its_site(root: Path, version: str) -> None:
    name = ".zarray" if version == "0.4" else "zarr.json"
    (root / "A/2/1/0" / name).write_text('{"zarr_format": 3}')
    plate = open_plate(root)
    assert plate["A02"].site(1).dtype == "uint16"
    with pytest.raises(FormatError, match="no array is described") as caught:
        plate["A02"].site(2)
    assert (caught.value.well, caught.value.site) == ("A02", 2)


@pytest.mark.parametrize(
    ("key", "value"), [("shape", [2, 3, 10**9, 10**9]), ("dtype", "<u9"), ("shape", [2, 3, 0, 96])]
)
def test_an_array_that_cannot_be_is_an_error_of_its_site(tmp_path: Path, key: str, value: Any) -> None:
    root = write_documents(tmp_path / "p.zarr", wells=1, sites=2, version="0.4")
    told = json.loads((root / "A/1/1/0/.zarray").read_text()) | {key: value}
    (root / "A/1/1/0/.zarray").write_text(json.dumps(told))
    plate = open_plate(root)
    assert plate["A01"].site(1).shape
    with pytest.raises(FormatError, match="A/1/1/0") as caught:
        plate["A01"].site(2)
    assert (caught.value.well, caught.value.site) == ("A01", 2)


def test_a_damaged_well_is_an_error_of_this_well(root: Path, version: str) -> None:
    (root / "A/2" / NAMES[version]).write_text("[]")
    plate = open_plate(root)
    assert plate["A03"].sites == (1, 2, 3)
    with pytest.raises(FormatError, match="A/2"):
        _ = plate["A02"].sites


def test_a_well_that_is_listed_and_gone_has_missing_planes(root: Path, version: str) -> None:
    (root / "A/1" / NAMES[version]).unlink()
    plate = open_plate(root)
    gone = plate["A01"]
    assert gone.sites == (1, 2, 3)
    assert {plane.state for plane in gone.planes} == {PlaneState.MISSING}
    assert gone.site(3).shape == (2, 3, 64, 96)
    with pytest.raises(MissingPlanes, match=r"6 of 6 planes have no pixels.*missing"):
        gone.site(3).read()
    assert not gone.site(3).channel("FITC").read(missing="fill").any()
    with pytest.raises(UnknownName, match="no site 4; known: 1, 2, 3"):
        gone.site(4)


@pytest.mark.parametrize("gone", ["image", "array"])
def test_a_site_that_is_listed_and_gone_has_missing_planes(root: Path, version: str, gone: str) -> None:
    array_document = ".zarray" if version == "0.4" else "zarr.json"
    lost = root / "A/1/0" / NAMES[version] if gone == "image" else root / "A/1/0/0" / array_document
    lost.unlink()
    plate = open_plate(root)
    site = plate["A01"].site(1)
    assert {plane.state for plane in site.planes} == {PlaneState.MISSING}
    with pytest.raises(MissingPlanes):
        site.read()
    assert site.read(missing="fill").shape == (2, 3, 64, 96)
    assert site.labels == ()
    assert plate["A01"].site(1).planes == tuple(one for one in plate.index.by_well["A01"] if one.site == 1)


def test_a_plate_of_which_nothing_is_there_opens(root: Path, version: str) -> None:
    for well in root.glob("A/*"):
        (well / NAMES[version]).unlink()
    plate = open_plate(root)
    assert plate["A02"].sites == (1, 2, 3)
    assert [channel.number for channel in plate.channels] == [1]
    with pytest.raises(MissingPlanes):
        plate["A02"].site(1).read()
    with pytest.raises(InputError, match="no plane whose size is known"):
        _ = plate["A02"].site(1).shape


def test_a_lost_site_is_known_by_what_the_same_name_is_in_another_well(tmp_path: Path) -> None:
    root = write_documents(tmp_path / "p.zarr", wells=2, sites=2, version="0.5", numbers=[4, 9], ours=True)
    for well in ("A/1", "A/2"):
        told = json.loads((root / well / "zarr.json").read_text())
        del told["attributes"]["openhcs"]
        (root / well / "zarr.json").write_text(json.dumps(told))
    (root / "A/2/1/zarr.json").unlink()
    plate = open_plate(root)
    assert plate["A01"].sites == (4, 9)
    assert plate["A02"].sites == (4, 9)
    assert {plane.state for plane in plate["A02"].site(9).planes} == {PlaneState.MISSING}


def test_a_well_that_contradicts_its_image_is_an_error(tmp_path: Path) -> None:
    root = write_documents(tmp_path / "p.zarr", wells=1, sites=2, version="0.5", numbers=[4, 9])
    told = json.loads((root / "A/1/1/zarr.json").read_text())
    told["attributes"]["openhcs"]["site"] = 7
    (root / "A/1/1/zarr.json").write_text(json.dumps(told))
    plate = open_plate(root)
    assert plate["A01"].site(4).shape
    with pytest.raises(FormatError, match="lists it as site 9, the image says it is site 7"):
        plate["A01"].site(9)


@pytest.mark.parametrize("noted", [[4], "49", [4, "x"], [4, 2**40], {}])
def test_a_wells_key_of_ours_that_is_damaged_is_named(tmp_path: Path, noted: Any) -> None:
    root = write_documents(tmp_path / "p.zarr", wells=1, sites=2, version="0.5", numbers=[4, 9])
    told = json.loads((root / "A/1/zarr.json").read_text())
    told["attributes"]["openhcs"]["sites"] = noted
    (root / "A/1/zarr.json").write_text(json.dumps(told))
    with pytest.raises(FormatError, match="A/1: our own key says sites"):
        open_plate(root)["A01"].site(4)


def test_acquisitions_are_chosen_as_in_any_plate(tmp_path: Path, version: str) -> None:
    root = write_documents(tmp_path / "p.zarr", wells=1, sites=4, version=version)
    images = [{"path": str(n), "acquisition": n % 2 + 5} for n in range(4)]
    group(root / "A/1", {"well": {"images": images}}, version)
    plate = open_plate(root)
    assert plate["A01"].sites == (1, 2)
    assert plate["A01"].site(2).acquisition == 5
    assert plate["A01"].site(2, acquisition=6).planes[0].source == ZarrSource("A/1/3/0", (0, 0))
    with pytest.raises(UnknownName, match="site 2 has no acquisition 7; known: 5, 6"):
        plate["A01"].site(2, acquisition=7)


def test_wells_have_sites_of_their_own_number_and_size(root: Path, version: str) -> None:
    group(root / "A/2", {"well": {"images": [{"path": "x/1"}]}}, version)
    write_image(root / "A/2/x/1", version, AXES, (2, 5, 7, 8))
    plate = open_plate(root)
    assert [well.sites for well in plate] == [(1, 2, 3), (1,), (1, 2, 3)]
    assert plate["A02"].site(1).shape == (2, 5, 7, 8)
    assert {plane.state for plane in plate.index.by_well["A02"]} == {PlaneState.MISSING}


@pytest.mark.parametrize(
    ("axes", "shape", "dims", "last"),
    [
        ("TCZYX", (1, 2, 3, 4, 5), "czyx", (0, 1, 2)),
        ("tczyx", (2, 2, 3, 4, 5), "tczyx", (1, 1, 2)),
        ("tzcyx", (2, 3, 2, 4, 5), "tczyx", (1, 2, 1)),
        ("zcyx", (3, 2, 4, 5), "czyx", (2, 1)),
        ("cyx", (2, 4, 5), "czyx", (1,)),
        ("zyx", (3, 4, 5), "czyx", (2,)),
        ("YX", (4, 5), "czyx", ()),
    ],
)
def test_axes_are_read_by_name(
    tmp_path: Path, version: str, axes: str, shape: tuple[int, ...], dims: str, last: tuple[int, ...]
) -> None:
    root = write_documents(tmp_path / "p.zarr", wells=1, sites=1, version=version)
    write_image(root / "A/1/0", version, [{"name": name} for name in axes], shape, paths=["scale0/image"], labels=())
    site = open_plate(root)["A01"].site(1)
    sizes = dict.fromkeys("tczyx", 1) | dict(zip(axes.lower(), shape, strict=True))
    assert site.dims == tuple(dims)
    assert site.shape == tuple(sizes[axis] for axis in dims)
    assert site.planes[-1].source == ZarrSource("A/1/0/scale0/image", last)


def test_a_channels_label_keeps_its_number_and_its_place_in_every_level(tmp_path: Path, version: str) -> None:
    root = write_documents(tmp_path / "p.zarr", wells=1, sites=2, version=version)
    axes = [{"name": name} for name in "cyx"]
    write_image(root / "A/1/1", version, axes, (2, 8, 8), labels=("FITC", "DAPI"), paths=["0", "1"])
    array(root / "A/1/1/1", (2, 4, 4), version)
    plate = open_plate(root)
    plate["A01"].site(1)
    other = plate["A01"].site(2)
    for part in (other, other.level(1)):
        assert [plane.source.index for plane in part.channel("DAPI").planes] == [(1,)]  # type: ignore[union-attr]
    assert other.channel("FITC").level(1).planes[0].source == ZarrSource("A/1/1/1", (0,))


def test_levels_have_their_own_size_and_the_planes_of_the_image(root: Path) -> None:
    site = open_plate(root)["A02"].site(2)
    assert site.levels == 2
    coarse = site.level(1)
    assert coarse.shape == (2, 3, 32, 48)
    assert coarse.level(0).shape == site.shape
    assert site.channel("FITC").z(2).level(1).shape == (32, 48)
    assert [plane.source for plane in site.z(2).level(1).planes] == [ZarrSource("A/2/1/1", (c, 1)) for c in (0, 1)]
    assert "level 1" in repr(coarse)
    with pytest.raises(UnknownName, match="well A02 site 2 has no resolution level 2; it has levels 0 to 1"):
        site.level(2)
    with pytest.raises(UnknownName, match="no resolution level -1"):
        site.level(-1)


def test_planes_that_are_missing_are_missing_in_every_level(tmp_path: Path) -> None:
    root = write_documents(tmp_path / "p.zarr", wells=1, sites=1, version="0.5", levels=2)
    gaps = [{"t": 6, "c": 3, "z": 5, "state": "missing"}, {"t": 6, "c": 3, "z": 9, "state": "not_acquired"}]
    own = {"site": 1, "t": [6], "channels": [3, 8], "z": [5, 7, 9], "gaps": gaps}
    group(root / "A/1/0", image(AXES, ["0", "1"]), "0.5", {"openhcs": own})
    site = open_plate(root)["A01"].site(1)
    coarse = site.level(1)
    assert [(one.key, one.state) for one in coarse.planes] == [(one.key, one.state) for one in site.planes]
    assert [one.state.value for one in coarse.planes] == ["missing", "present", "present", "present", "present"]


def test_a_level_with_fewer_planes_counts_them_from_one(root: Path, version: str) -> None:
    array(root / "A/2/1/1", (2, 2, 32, 48), version)
    site = open_plate(root)["A02"].site(2)
    assert site.level(1).shape == (2, 2, 32, 48)
    assert site.channel("FITC").z(3).level(1).shape == (2, 32, 48)
    assert site.level(1).channel("FITC").z(2).planes[0].source == ZarrSource("A/2/1/1", (1, 1))


@pytest.mark.parametrize("shape", [(3, 3, 32, 48), (3, 32, 48)])
def test_a_level_of_other_channels_or_axes_is_an_error_of_its_site(
    root: Path, version: str, shape: tuple[int, ...]
) -> None:
    array(root / "A/2/1/1", shape, version)
    with pytest.raises(FormatError, match="A/2/1/1: an array of shape") as caught:
        open_plate(root)["A02"].site(2).level(1)
    assert (caught.value.well, caught.value.site) == ("A02", 2)


def test_a_level_that_is_listed_and_gone_is_not_found(tmp_path: Path, version: str) -> None:
    root = write_documents(tmp_path / "p.zarr", wells=1, sites=1, version=version)
    with pytest.raises(NotFound, match="resolution level 1 of well A01 site 1 is listed and not there: A/1/0/1"):
        open_plate(root)["A01"].site(1).level(1)


@pytest.mark.parametrize(
    ("axes", "shape", "dims", "read"),
    [
        ("zyx", (3, 64, 96), "zyx", (3, 64, 96)),
        ("czyx", (1, 3, 64, 96), "zyx", (3, 64, 96)),
        ("tczyx", (1, 1, 3, 64, 96), "zyx", (3, 64, 96)),
        ("tyx", (2, 64, 96), "tzyx", (2, 1, 64, 96)),
        ("YX", (64, 96), "zyx", (1, 64, 96)),
    ],
)
def test_label_images_have_z_y_x_and_several_times_in_front(
    root: Path, version: str, axes: str, shape: tuple[int, ...], dims: str, read: tuple[int, ...]
) -> None:
    labels = root / "A/1/1/labels"
    group(labels, {"labels": ["nuclei"]}, version)
    group(labels / "nuclei", image([{"name": name} for name in axes], ["0"], labels=()), version)
    array(labels / "nuclei/0", shape, version, "int32")
    site = open_plate(root)["A01"].site(2)
    assert site.labels == ("nuclei",)
    label = site.label("nuclei")
    assert (label.dims, label.shape, label.dtype) == (tuple(dims), read, "int32")
    assert "label nuclei of well A01 site 2" in repr(label)
    assert site.level(1).label("nuclei").shape == read
    assert label.labels == ()


def test_labels_that_are_not_there_or_cannot_be_are_told(root: Path, version: str) -> None:
    site = open_plate(root)["A01"].site(2)
    assert site.labels == ()
    with pytest.raises(UnknownName, match="well A01 site 2 has no label 'nuclei'; it has none"):
        site.label("nuclei")
    labels = root / "A/1/1/labels"
    group(labels, {"labels": ["nuclei", "cells", "several"]}, version)
    with pytest.raises(UnknownName, match="did you mean 'nuclei'"):
        site.label("nuclie")
    with pytest.raises(NotFound, match="label cells of well A01 site 2 is listed and not there: A/1/1/labels/cells"):
        site.label("cells")
    group(labels / "several", image(AXES, ["0"]), version)
    array(labels / "several/0", (2, 3, 64, 96), version)
    with pytest.raises(FormatError, match="several channels") as caught:
        site.label("several")
    assert (caught.value.well, caught.value.site) == ("A01", 2)
    group(labels, {"labels": ["../../../../../x"]}, version)
    with pytest.raises(FormatError, match="leads out"):
        site.label("../../../../../x")


def test_a_label_has_no_channels_and_the_numbers_of_its_image(tmp_path: Path, version: str) -> None:
    root = write_documents(tmp_path / "p.zarr", wells=1, sites=1, version=version)
    own = {"site": 1, "channels": [3, 8], "z": [5, 7, 9]}
    group(root / "A/1/0", image(AXES, ["0"]), version, {"openhcs": own})
    group(root / "A/1/0/labels", {"labels": ["nuclei"]}, version)
    group(root / "A/1/0/labels/nuclei", image([{"name": name} for name in "zyx"], ["0"], labels=()), version)
    array(root / "A/1/0/labels/nuclei/0", (3, 64, 96), version, "int32")
    label = open_plate(root)["A01"].site(1).label("nuclei")
    assert label.z(7).planes[0].source == ZarrSource("A/1/0/labels/nuclei/0", (1,))
    with pytest.raises(UnknownName, match="no z 6; known: 5, 7, 9"):
        label.z(6)
    with pytest.raises(UnknownName, match="has no channels"):
        label.channel("DAPI")


def test_a_document_of_the_other_version_of_zarr_is_found_too(tmp_path: Path) -> None:
    root = write_documents(tmp_path / "p.zarr", wells=1, sites=2, version="0.5")
    (root / "A/1/1/zarr.json").unlink()
    (root / "A/1/1/0/zarr.json").unlink()
    write_image(root / "A/1/1", "0.4", AXES, (2, 3, 64, 96))
    assert open_plate(root)["A01"].site(2).planes[0].state is PlaneState.PRESENT


def test_a_plate_that_was_indexed_has_one_level_and_no_labels(root: Path) -> None:
    site = PlateView(open_plate(root).index)["A01"].site(1)
    assert (site.levels, site.labels, site.level(0).shape) == (1, (), (2, 3, 64, 96))
    with pytest.raises(UnknownName, match="no resolution level 1; it has level 0"):
        site.level(1)
    with pytest.raises(UnknownName, match="no label 'nuclei'; it has none"):
        site.label("nuclei")
    np.testing.assert_array_equal(site.read(), 0)


def test_many_threads_may_look_at_once(root: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    plate = open_plate(root)
    places = [(well, site) for well in plate.wells for site in (1, 2, 3)] * 4
    with ThreadPoolExecutor(8) as pool:
        shapes = list(pool.map(lambda place: plate[place[0]].site(place[1]).shape, places))
    assert set(shapes) == {(2, 3, 64, 96)}
    assert [channel.name for channel in plate.channels] == ["DAPI", "FITC"]
