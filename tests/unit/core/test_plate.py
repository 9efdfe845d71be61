"""What a plate holds: gaps, order, names, states."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from openhcs.core.plate import Acquisition, Channel, FileSource, Plane, PlaneState, PlateIndex, sorted_planes
from openhcs.errors import UnknownName

CHANNELS = (Channel(number=1, name="DAPI"), Channel(number=3, name="FITC", excitation_nm=488.0))


def plate(*planes: Plane) -> PlateIndex:
    return PlateIndex(
        name="P1",
        root="/plates/P1",
        microscope="imagexpress",
        rows=("A", "B"),
        columns=("1", "2", "3"),
        planes=sorted_planes(planes),
        channels=CHANNELS,
    )


def full(well: str, sites: tuple[int, ...] = (1, 2), channels: tuple[int, ...] = (1, 3)) -> list[Plane]:
    return [Plane(well=well, site=site, channel=channel) for site in sites for channel in channels]


def test_a_planes_name_says_where_it_is() -> None:
    plane = Plane(well="B03", site=23, channel=4, z=10, t=2)
    assert plane.name == "B03_s23_c4_z10_t2"
    assert plane.key == (0, 23, 2, 4, 10)


def test_planes_stand_row_by_row_then_by_acquisition_site_time_channel_and_z() -> None:
    planes = [
        Plane(well="AA01", site=1, channel=1),
        Plane(well="B01", site=1, channel=1),
        Plane(well="A10", site=1, channel=1),
        Plane(well="A02", site=10, channel=1),
        Plane(well="A02", site=2, channel=3),
        Plane(well="A02", site=2, channel=1, z=2),
        Plane(well="A02", site=2, channel=1, t=2),
        Plane(well="A02", site=2, channel=1),
        Plane(well="A02", site=1, channel=1, acquisition=1),
    ]
    names = [(plane.acquisition, plane.name) for plane in sorted_planes(planes)]
    assert names == [
        (0, "A02_s2_c1_z1_t1"),
        (0, "A02_s2_c1_z2_t1"),
        (0, "A02_s2_c3_z1_t1"),
        (0, "A02_s2_c1_z1_t2"),
        (0, "A02_s10_c1_z1_t1"),
        (1, "A02_s1_c1_z1_t1"),
        (0, "A10_s1_c1_z1_t1"),
        (0, "B01_s1_c1_z1_t1"),
        (0, "AA01_s1_c1_z1_t1"),
    ]


def test_wells_are_those_with_a_known_plane_row_by_row() -> None:
    index = plate(*full("B01"), *full("A10"), *full("A02"))
    assert index.wells == ("A02", "A10", "B01")
    assert {well: len(planes) for well, planes in index.by_well.items()} == {"A02": 4, "A10": 4, "B01": 4}


def test_sites_keep_the_vendors_numbers_and_may_differ_between_wells() -> None:
    index = plate(*full("A01", (23, 7)), *full("A02", (1,)))
    assert index.sites("A01") == (7, 23)
    assert index.sites("A02") == (1,)


def test_axes_are_those_of_the_acquisition_over_the_whole_plate() -> None:
    stack = [Plane(well="A01", site=1, channel=3, z=z, t=t) for z in (2, 1) for t in (5, 1)]
    projection = Plane(well="A02", site=1, channel=1, acquisition=1)
    index = plate(*stack, Plane(well="A02", site=9, channel=1), projection)
    assert index.axes() == ((1, 5), (1, 3), (1, 2))
    assert index.axes(1) == ((1,), (1,), (1,))
    assert index.axes(2) == ((), (), ())


def test_states_count_gaps_of_the_rectangle_as_not_acquired() -> None:
    gone = Plane(well="A02", site=1, channel=1, state=PlaneState.MISSING)
    unnamed = Plane(well="A02", site=1, channel=3, state=PlaneState.NOT_RECORDED)
    index = plate(*full("A01"), gone, unnamed, Plane(well="B01", site=1, channel=3))
    assert index.states == {
        PlaneState.PRESENT: 5,
        PlaneState.MISSING: 1,
        PlaneState.NOT_RECORDED: 1,
        PlaneState.NOT_ACQUIRED: 1,
    }


def test_a_whole_plate_has_nothing_missing() -> None:
    states = plate(*full("A01"), *full("A02")).states
    assert states == {state: 8 if state is PlaneState.PRESENT else 0 for state in PlaneState}


def test_an_empty_plate_can_be_asked() -> None:
    index = plate()
    assert index.wells == ()
    assert set(index.states.values()) == {0}


@pytest.mark.parametrize("wanted", [3, "3", "FITC"])
def test_a_channel_is_found_by_number_and_by_name(wanted: str | int) -> None:
    assert plate().channel(wanted).excitation_nm == 488.0


def test_an_unknown_channel_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="plate P1 has no channel 'FITS'; did you mean 'FITC'"):
        plate().channel("FITS")


def test_rows_and_columns_are_written_as_the_plate_writes_them() -> None:
    index = plate(*full("A01"))
    assert index.well_place("A01") == ("A", "1")
    assert index.well_place("B03") == ("B", "3")


def test_a_well_beyond_the_plate_still_has_a_place() -> None:
    assert plate().well_place("C12") == ("C", "12")


def test_a_part_of_a_plate_keeps_everything_else() -> None:
    index = plate(*full("A01"), *full("A02"), *full("B01"))
    part = index.only(["B01", "A01"])
    assert part.wells == ("A01", "B01")
    assert part == dataclasses.replace(index, planes=part.planes)
    assert index.wells == ("A01", "A02", "B01")


def test_planes_of_another_microscopes_pass_are_their_own_acquisition() -> None:
    passes = (Acquisition(number=0, name="0"), Acquisition(number=1, name="projection", projection=True))
    index = dataclasses.replace(plate(*full("A01")), acquisitions=passes)
    assert [one.projection for one in index.acquisitions] == [False, True]


def test_an_index_goes_to_another_process_and_back() -> None:
    source = FileSource("A01/s1.tif", size=12, mtime_ns=3)
    index = plate(Plane(well="A01", site=1, channel=1, source=source))
    assert index.wells == ("A01",)
    assert pickle.loads(pickle.dumps(index)) == index


def test_planes_and_sources_are_frozen() -> None:
    plane = Plane(well="A01", site=1, channel=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        plane.site = 2
    assert plane == plane
