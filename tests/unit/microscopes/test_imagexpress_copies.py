"""What an export writes many times is kept once, and nothing else is taken for a copy."""

from __future__ import annotations

import pytest

from imagexpress_exports import htd, image, index_of, moment, present, put
from openhcs.core.plate import PlaneState
from openhcs.errors import FormatError

WELLS = ("A01", "A02")


def series(root, *, described=True):
    """w1 at all six time points, w2 at the first, w3 at the first and last, w4 at every third."""
    taken = {1: (1, 2, 3, 4, 5, 6), 2: (1,) * 6, 3: (1, 1, 1, 1, 1, 6), 4: (1, 1, 1, 4, 4, 4)}
    for well in WELLS:
        for wave, times in taken.items():
            for t, when in enumerate(times, start=1):
                number = 1000 * WELLS.index(well) + 100 * wave + when
                data = image(number, taken=moment(number) if described else None)
                put(root, f"TimePoint_{t}/P_{well}_w{wave}.TIF", data)


@pytest.mark.parametrize("described", [True, False])
def test_waves_of_few_time_points_are_kept_once(tmp_path, described):
    series(tmp_path, described=described)
    put(tmp_path, "P.HTD", htd(TimePoints=6, NWavelengths=4, Waves="TRUE", WellsSelection1="TRUE, TRUE, TRUE"))
    index = index_of(tmp_path)
    expected = {(0, 1, t, 1) for t in range(1, 7)} | {
        (0, 2, 1, 1),
        (0, 3, 1, 1),
        (0, 3, 6, 1),
        (0, 4, 1, 1),
        (0, 4, 4, 1),
    }
    assert present(index) == expected
    assert index.states[PlaneState.PRESENT] == 2 * 11
    assert [one.split(";")[1].split(",")[0] for one in index.warnings] == [
        f" copies left out: {count}" for count in (10, 8, 8)
    ]
    promised = {(one.channel, one.t) for one in index.planes if one.state is PlaneState.NOT_RECORDED}
    assert promised == {(channel, t) for _, channel, t, _ in expected}, "well A03 has what the others have"


def test_a_wave_of_one_plane_is_kept_once_beside_a_stack(tmp_path):
    for z in (1, 2, 3):
        put(tmp_path, f"TimePoint_1/ZStep_{z}/P_A01_w1.TIF", image(z, taken=moment(z)))
        put(tmp_path, f"TimePoint_1/ZStep_{z}/P_A01_w2.TIF", image(9, taken=moment(9)))
    index = index_of(tmp_path)
    assert present(index) == {(0, 1, 1, 1), (0, 1, 1, 2), (0, 1, 1, 3), (0, 2, 1, 1)}
    assert {one.path: one.reason for one in index.unmatched} == {
        f"TimePoint_1/ZStep_{z}/P_A01_w2.TIF": "the same image as TimePoint_1/ZStep_1/P_A01_w2.TIF, kept once"
        for z in (2, 3)
    }


def test_planes_that_show_nothing_are_no_copies_where_none_differ(tmp_path):
    for z in (1, 2, 3):
        for wave in (1, 2):
            put(tmp_path, f"TimePoint_1/ZStep_{z}/P_A01_w{wave}.TIF", image(0))
    index = index_of(tmp_path)
    assert len(present(index)) == 6
    assert index.warnings == ()


def test_copies_on_one_site_only_are_kept_as_planes(tmp_path):
    for z in (1, 2):
        put(tmp_path, f"ZStep_{z}/P_A01_w1.TIF", image(5, taken=moment(5)))
        put(tmp_path, f"ZStep_{z}/P_A02_w1.TIF", image(5 + z, taken=moment(5 + z)))
    index = index_of(tmp_path)
    assert len(index.planes) == 4
    assert "is no copy of" in index.warnings[0]


def test_a_copy_stands_for_an_original_that_is_not_there(tmp_path):
    for well in WELLS:
        for z in (1, 2):
            put(tmp_path, f"ZStep_{z}/P_{well}_w1.TIF", image(z, taken=moment(z)))
            put(tmp_path, f"ZStep_{z}/P_{well}_w2.TIF", image(9, taken=moment(9)))
    (tmp_path / "ZStep_1/P_A02_w2.TIF").unlink()
    index = index_of(tmp_path)
    (plane,) = (one for one in index.by_well["A02"] if one.channel == 2)
    assert (plane.z, plane.source.path) == (1, "ZStep_2/P_A02_w2.TIF")


def test_a_file_that_differs_from_what_it_should_copy_is_kept_and_told(tmp_path):
    for site in range(1, 60):
        for z in (1, 2):
            put(tmp_path, f"ZStep_{z}/P_A01_s{site}_w1.TIF", image(z + site, taken=moment(z + 3 * site)))
            put(tmp_path, f"ZStep_{z}/P_A01_s{site}_w2.TIF", image(9, taken=moment(site)))
    put(tmp_path, "ZStep_2/P_A01_s58_w2.TIF", image(9, taken=moment(7), more="x" * 40))
    index = index_of(tmp_path)
    assert {(one.site, one.z) for one in index.planes if one.channel == 2 and one.z == 2} == {(58, 2)}
    assert any("kept as planes: 1, such as ZStep_2/P_A01_s58_w2.TIF" in warning for warning in index.warnings)


def test_a_projection_in_every_step_is_a_projection(tmp_path):
    for z in (0, 1, 2):
        props = {"Z Projection Method": "Maximum"} if z == 0 else {}
        put(tmp_path, f"ZStep_{z}/P_A01_w1.TIF", image(z, taken=moment(z), **props))
        put(tmp_path, f"ZStep_{z}/P_A01_w2.TIF", image(9, taken=moment(9), **{"Z Projection Method": "Maximum"}))
    index = index_of(tmp_path)
    assert present(index) == {(0, 1, 1, 1), (0, 1, 1, 2), (1, 1, 1, 1), (1, 2, 1, 1)}


def test_the_folder_says_what_is_a_projection_where_headers_do_not(tmp_path):
    for z in (0, 1, 2):
        put(tmp_path, f"ZStep_{z}/P_A01_w1.TIF", image(z))
    put(tmp_path, "ZStep_0/P_A01_w2.TIF", image(7))
    assert present(index_of(tmp_path)) == {(0, 1, 1, 1), (0, 1, 1, 2), (1, 1, 1, 1), (1, 2, 1, 1)}


def test_an_image_above_the_steps_that_says_it_is_none_is_a_plane(tmp_path):
    for z in (1, 2):
        put(tmp_path, f"ZStep_{z}/P_A01_w1.tif", image(z, taken=moment(z)))
    put(tmp_path, "P_A01_w2.tif", image(7, taken=moment(7)))
    assert present(index_of(tmp_path)) == {(0, 1, 1, 1), (0, 1, 1, 2), (0, 2, 1, 1)}


def test_an_export_of_projections_alone_is_of_projections(tmp_path):
    put(tmp_path, "TimePoint_1/P_A01.TIF", image(1, taken=moment(1), **{"Z Projection Method": "Maximum"}))
    put(tmp_path, "P.HTD", htd(ZSeries="TRUE", ZSteps=3, ZProjection="TRUE", WellsSelection1="TRUE, TRUE"))
    index = index_of(tmp_path)
    assert [one.name for one in index.acquisitions] == ["projection"]
    assert [(one.well, one.acquisition, one.state.value) for one in index.planes] == [
        ("A01", 1, "present"),
        ("A02", 1, "not_recorded"),
    ]


def test_the_same_image_under_two_names_is_kept_once_and_another_is_refused(tmp_path):
    guids = ("E94C24BD-45E4-450A-9919-257C714278F7", "17654C10-92F1-4DFD-98AA-6A01BBD77557")
    for guid in guids:
        put(tmp_path, f"P_A01_s1_w1{guid}.tif", image(1, taken=moment(1)))
    index = index_of(tmp_path)
    assert len(index.planes) == 1
    assert index.warnings == (f"copies of another file, kept once: 1, such as P_A01_s1_w1{guids[1]}.tif",)
    put(tmp_path, f"P_A01_s1_w1{guids[0]}.tif", image(1, taken=moment(2)))
    with pytest.raises(FormatError, match=r"1 planes are there twice.* well A01 site 1 wave 1 .*Take one of each"):
        index_of(tmp_path)
