"""Well names and filters hold for every plate, not just the examples."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openhcs.constants.constants import WellFilterMode
from openhcs.core.wells import (
    natural_key,
    parse_well,
    plate_shape,
    row_index,
    row_name,
    select_wells,
    well_key,
    well_name,
)

rows = st.integers(0, 31)
columns = st.integers(0, 47)
wells = st.builds(well_name, rows, columns)


@given(st.integers(0, 701))
def test_a_row_and_its_letters_name_each_other(row: int) -> None:
    assert row_index(row_name(row)) == row
    assert row_index(row_name(row).lower()) == row


@given(rows, columns)
def test_a_well_and_its_name_are_one(row: int, column: int) -> None:
    assert parse_well(well_name(row, column)) == (row, column)


@given(st.lists(wells, unique=True))
def test_wells_sort_row_by_row(names: list[str]) -> None:
    assert sorted(names, key=well_key) == sorted(names, key=lambda name: (len(name.rstrip("0123456789")), name))


@given(st.lists(wells, min_size=1))
def test_a_plate_has_room_for_each_of_its_wells(names: list[str]) -> None:
    height, width = plate_shape(names)
    assert all(parse_well(name)[0] < height and parse_well(name)[1] < width for name in names)


@given(st.lists(wells, min_size=1, unique=True), st.data())
def test_including_and_excluding_part_the_plate(names: list[str], data: st.DataObject) -> None:
    spec = ",".join(data.draw(st.lists(st.sampled_from(names), min_size=1)))
    kept, left = select_wells(names, spec), select_wells(names, spec, WellFilterMode.EXCLUDE)
    assert set(kept) == set(spec.split(","))
    assert sorted([*kept, *left]) == sorted(names)
    assert list(kept) == [name for name in names if name in kept]


@given(st.lists(wells, min_size=1, unique=True), wells, wells)
def test_a_rectangle_is_its_rows_and_columns(names: list[str], one: str, other: str) -> None:
    names = [*names, *(name for name in (one, other) if name not in names)]
    top, bottom = sorted((parse_well(one)[0], parse_well(other)[0]))
    left, right = sorted((parse_well(one)[1], parse_well(other)[1]))
    inside = [n for n in names if top <= parse_well(n)[0] <= bottom and left <= parse_well(n)[1] <= right]
    assert list(select_wells(names, f"{one}:{other}")) == inside


@given(st.lists(st.text(max_size=8)))
def test_any_names_can_be_put_in_natural_order(names: list[str]) -> None:
    ordered = sorted(names, key=natural_key)
    assert sorted(ordered) == sorted(names)


@given(st.text("ab_", max_size=3), st.integers(0, 10**6), st.integers(0, 10**6))
def test_numbers_in_names_sort_by_size(stem: str, one: int, other: int) -> None:
    assert (natural_key(f"{stem}{one}") < natural_key(f"{stem}{other}")) is (one < other)
