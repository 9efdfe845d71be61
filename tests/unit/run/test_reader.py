"""Looking into a plate whose pixels lie in Zarr arrays."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
import zarr

from openhcs.core.plate import (
    Acquisition,
    Channel,
    FileSource,
    FlatField,
    Plane,
    PlaneState,
    PlateIndex,
    ZarrSource,
    sorted_planes,
)
from openhcs.errors import FormatError, InputError, MissingPlanes, OpenHCSError, UnknownName
from openhcs.run.pixels import PlaneReader
from openhcs.run.reader import PlateView
from openhcs.testing.image_kinds import ENCODERS

if TYPE_CHECKING:
    from pathlib import Path

SITES, CHANNELS, ZS = (2, 5), (1, 3), (1, 2, 4)
SHAPE = (6, 9)


def pixels(well: str, site: int) -> np.ndarray:
    rng = np.random.default_rng([ord(well[0]), site])
    return rng.integers(0, 60000, (len(CHANNELS), len(ZS), *SHAPE), "uint16")


@pytest.fixture
def index(tmp_path: Path) -> PlateIndex:
    planes = []
    for well in ("A01", "B02"):
        for site in SITES:
            path = f"{well}_{site}"
            zarr.create_array(tmp_path / path, data=pixels(well, site), chunks=(1, 1, *SHAPE))
            planes += [
                Plane(well=well, site=site, channel=channel, z=z, source=ZarrSource(path, (c, k)))
                for c, channel in enumerate(CHANNELS)
                for k, z in enumerate(ZS)
            ]
    planes.append(Plane(well="A01", site=2, channel=1, acquisition=1, source=ZarrSource("A01_2", (0, 0))))
    return PlateIndex(
        name="p",
        root=str(tmp_path),
        microscope="ome_zarr",
        rows=("A", "B"),
        columns=("1", "2", "3"),
        planes=sorted_planes(planes),
        channels=(Channel(number=1, name="DAPI"), Channel(number=3, name="FITC")),
        acquisitions=(Acquisition(number=0, name="0"), Acquisition(number=1, name="projection", projection=True)),
        dtype="uint16",
        plane_shape=SHAPE,
    )


def test_one_plane_is_named_by_site_channel_and_z(index: PlateIndex) -> None:
    plane = PlateView(index)["B02"].site(5).channel("FITC").z(4)
    assert plane.dims == ("y", "x")
    np.testing.assert_array_equal(plane.read(), pixels("B02", 5)[1, 2])


def test_a_site_is_read_with_its_channels_and_z_planes(index: PlateIndex) -> None:
    site = PlateView(index)["A01"].site(2)
    assert site.dims == ("c", "z", "y", "x")
    assert site.shape == (2, 3, *SHAPE)
    np.testing.assert_array_equal(site.read(), pixels("A01", 2))
    np.testing.assert_array_equal(site.z(2).read(), pixels("A01", 2)[:, 1])


def test_what_is_read_is_the_callers_own(index: PlateIndex) -> None:
    site = PlateView(index)["A01"].site(2)
    site.read()[...] = 0
    np.testing.assert_array_equal(site.read(), pixels("A01", 2))


def test_several_time_points_make_an_axis(index: PlateIndex) -> None:
    later = tuple(replace(plane, t=2) for plane in index.planes if plane.acquisition == 0)
    site = PlateView(replace(index, planes=sorted_planes((*index.planes, *later))))["A01"].site(2)
    assert site.dims == ("t", "c", "z", "y", "x")
    assert site.t(2).shape == (2, 3, *SHAPE)
    assert site.read().shape == (2, 2, 3, *SHAPE)


def test_projections_are_read_when_asked_for(index: PlateIndex) -> None:
    projection = PlateView(index)["A01"].site(2, acquisition=1)
    assert projection.shape == (1, 1, *SHAPE)
    np.testing.assert_array_equal(projection.read()[0, 0], pixels("A01", 2)[0, 0])


def test_wells_are_found_however_they_are_written(index: PlateIndex) -> None:
    plate = PlateView(index)
    assert plate["b2"].name == "B02"
    assert [well.name for well in plate] == ["A01", "B02"]
    assert [site.number for site in plate["A01"]] == [2, 5]


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda plate: plate["A02"], "A01"),
        (lambda plate: plate["nonsense"], "no well"),
        (lambda plate: plate["A01"].site(3), "no site 3"),
        (lambda plate: plate["A01"].site(5, acquisition=1), "no acquisition 1"),
        (lambda plate: plate["A01"].site(2).channel("DAPY"), "DAPI"),
        (lambda plate: plate["A01"].site(2).z(3), "no z 3"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(index: PlateIndex, ask, text: str) -> None:
    with pytest.raises(UnknownName, match=text):
        ask(PlateView(index))


def test_missing_planes_are_an_error_and_zeros_only_when_asked_for(index: PlateIndex) -> None:
    gone = replace(
        index,
        planes=tuple(
            replace(plane, state=PlaneState.MISSING, source=None) if plane.key == (0, 2, 1, 1, 2) else plane
            for plane in index.planes
            if plane.key != (0, 2, 1, 3, 4)
        ),
    )
    site = PlateView(gone)["A01"].site(2)
    with pytest.raises(
        MissingPlanes, match=r"2 of 6 .*channel 1 z 2 t 1 \(missing\), channel 3 z 4 t 1 \(not acquired\)"
    ):
        site.read()
    expected = pixels("A01", 2)
    expected[0, 1] = expected[1, 2] = 0
    np.testing.assert_array_equal(site.read(missing="fill"), expected)


def test_views_say_what_they_are(index: PlateIndex) -> None:
    plate = PlateView(index)
    assert repr(plate) == "<plate p (ome_zarr): 2 wells × 2 sites; channels DAPI, FITC; planes 6 × 9 uint16>"
    assert repr(plate["A01"]) == "<well A01 of p: sites 2, 5>"
    shown = repr(plate["A01"].site(2).channel("DAPI").z(4))
    assert shown == "<well A01 site 2 channel 1 z 4 of p: y 6, x 9; uint16>"


def test_errors_name_the_plane(index: PlateIndex, tmp_path: Path) -> None:
    for chunk in (path for path in (tmp_path / "B02_5" / "c").rglob("*") if path.is_file()):
        chunk.write_bytes(b"broken")
    plane = next(plane for plane in index.planes if plane.well == "B02" and plane.site == 5)
    with pytest.raises(FormatError, match=plane.name) as caught:
        PlaneReader(index).read_into(plane, np.empty(SHAPE, "uint16"))
    assert (caught.value.well, caught.value.site) == ("B02", 5)


def test_a_plane_without_pixels_is_never_read_as_zeros(index: PlateIndex) -> None:
    plane = replace(index.planes[0], source=None, state=PlaneState.NOT_RECORDED)
    with pytest.raises(MissingPlanes, match="not recorded"):
        PlaneReader(index).read_into(plane, np.empty(SHAPE, "uint16"))


def test_an_array_that_is_gone_is_told(index: PlateIndex) -> None:
    plane = replace(index.planes[0], source=ZarrSource("nowhere", (0, 0)))
    with pytest.raises(OpenHCSError, match="no Zarr array"):
        PlaneReader(index).read_into(plane, np.empty(SHAPE, "uint16"))


def test_pages_of_tiffs_are_read_like_any_plane(index: PlateIndex, tmp_path: Path) -> None:
    pages = np.random.default_rng(3).integers(0, 65535, (2, *SHAPE), "uint16")
    (tmp_path / "sub").mkdir()
    tifffile.imwrite(tmp_path / "sub" / "a.tif", pages, photometric="minisblack")
    planes = tuple(Plane(well="A01", site=1, channel=n + 1, source=FileSource("sub/a.tif", n)) for n in range(2))
    plate = PlateView(replace(index, planes=planes))
    np.testing.assert_array_equal(plate["A01"].site(1).read()[:, 0], pages)
    elsewhere = PlaneReader(replace(index, root="/nowhere"), tmp_path)
    out = np.empty(SHAPE, "uint16")
    elsewhere.read_into(planes[1], out)
    np.testing.assert_array_equal(out, pages[1])


@pytest.mark.parametrize("suffix", list(ENCODERS))
@pytest.mark.parametrize("damage", ["cut", "emptied", "overwritten", "another size"])
def test_a_damaged_image_of_any_kind_names_its_plane(
    index: PlateIndex, tmp_path: Path, suffix: str, damage: str
) -> None:
    good = ENCODERS[suffix](np.zeros(SHAPE, "uint8"))
    data = {"cut": good[: len(good) // 2], "emptied": b"", "overwritten": b"\xff\xd8\xffII*\0BM\0" * 99}
    other = ENCODERS[suffix](np.zeros((SHAPE[0], SHAPE[1] + 1), "uint8"))
    (tmp_path / f"a{suffix}").write_bytes(data.get(damage, other))
    plane = Plane(well="A01", site=1, channel=1, source=FileSource(f"a{suffix}"))
    with pytest.raises(FormatError, match=rf"A01_s1_c1_z1_t1.*a{re.escape(suffix)}") as caught:
        PlaneReader(index).read_into(plane, np.empty(SHAPE, "uint8"))
    assert (caught.value.well, caught.value.site) == ("A01", 1)


def test_few_arrays_stay_open(index: PlateIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    from openhcs.run import pixels as module

    monkeypatch.setattr(module, "OPEN_ARRAYS", 2)
    with PlaneReader(index) as reader:
        for plane in index.planes:
            reader.read_into(plane, np.empty(SHAPE, "uint16"))
        assert len(reader._arrays) == 2
    assert not reader._arrays


def test_a_channels_light_is_told_by_name_or_number_and_its_want_with_what_is_there(index: PlateIndex) -> None:
    with pytest.raises(InputError, match=r"plate p has no flat-field profile of channel FITC: its documents hold none"):
        PlateView(index).flat_field("FITC")
    profile = FlatField(coefficients=((1.0,), (0.5, 0.0)), origin=(4, 2.5), scale=(0.1, 0.1), shape=SHAPE)
    view = PlateView(replace(index, plane_shape=SHAPE, flat_fields={1: profile}))
    light = view.flat_field("DAPI")
    assert (light.shape, light.dtype) == (SHAPE, np.float32)
    np.testing.assert_allclose(light[3], 1 + 0.05 * (np.arange(9) - 4), rtol=1e-6)
    np.testing.assert_array_equal(view.flat_field(1), light)
    with pytest.raises(InputError, match="of channel FITC: its documents hold those of DAPI"):
        view.flat_field(3)
    with pytest.raises(UnknownName, match="DAPI"):
        view.flat_field("DAP")
