"""Well names and filters."""

from __future__ import annotations

import pytest

from openhcs.constants.constants import WellFilterMode
from openhcs.core.wells import natural_key, parse_well, plate_shape, row_index, row_name, select_wells, well_name
from openhcs.errors import InvalidValue, UnknownName

PLATE = tuple(well_name(row, column) for row in range(8) for column in range(12))


@pytest.mark.parametrize(("row", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (31, "AF")])
def test_rows_beyond_z_have_two_letters(row: int, name: str) -> None:
    assert row_name(row) == name
    assert row_index(name) == row


@pytest.mark.parametrize(
    ("text", "place"),
    [("A01", (0, 0)), ("a1", (0, 0)), ("P24", (15, 23)), ("AF48", (31, 47)), ("B - 03", (1, 2)), (" C5 ", (2, 4))],
)
def test_a_well_is_read_as_vendors_write_it(text: str, place: tuple[int, int]) -> None:
    assert parse_well(text) == place


@pytest.mark.parametrize("text", ["", "A", "01", "A0", "A00", "1A", "ABC1", "A1B", "A01_s1", "Ä01", "A١"])
def test_what_is_no_well_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidValue, match="such as A01"):
        parse_well(text)


@pytest.mark.parametrize(
    ("wells", "shape"),
    [
        ((), (2, 3)),
        (("B03",), (2, 3)),
        (("C01",), (4, 6)),
        (("H12",), (8, 12)),
        (("I01",), (16, 24)),
        (("AF48",), (32, 48)),
        (("A49",), (1, 49)),
    ],
)
def test_the_smallest_standard_plate_that_holds_the_wells_is_meant(
    wells: tuple[str, ...], shape: tuple[int, int]
) -> None:
    assert plate_shape(wells) == shape


@pytest.mark.parametrize(
    ("spec", "kept"),
    [
        ("A01", ["A01"]),
        ("a1", ["A01"]),
        ("A01,B03", ["A01", "B03"]),
        ("B03, A01", ["A01", "B03"]),
        ("A01:B02", ["A01", "A02", "B01", "B02"]),
        ("B02:A01", ["A01", "A02", "B01", "B02"]),
        ("row:C", [well_name(2, column) for column in range(12)]),
        ("row:G-H", [well_name(row, column) for row in (6, 7) for column in range(12)]),
        ("col:3", [well_name(row, 2) for row in range(8)]),
        ("col:01-02", [well_name(row, column) for row in range(8) for column in (0, 1)]),
        ("3", ["A01", "A02", "A03"]),
        ("500", list(PLATE)),
    ],
)
def test_a_filter_keeps_what_it_names_in_the_order_of_the_plate(spec: str, kept: list[str]) -> None:
    assert list(select_wells(PLATE, spec)) == kept
    left = select_wells(PLATE, spec, WellFilterMode.EXCLUDE)
    assert list(left) == [well for well in PLATE if well not in kept]


def test_no_filter_keeps_all() -> None:
    assert select_wells(PLATE, None) == PLATE


def test_wells_of_a_plate_that_writes_single_digits_are_found() -> None:
    assert select_wells(["A1", "A2"], "A02") == ("A2",)


@pytest.mark.parametrize("spec", ["", "A01,", "row:", "row:1", "col:A", "col:1-", "A01:", "A01;B02", "0", "²", "col:²"])
def test_what_is_no_filter_is_refused(spec: str) -> None:
    with pytest.raises((InvalidValue, UnknownName)):
        select_wells(PLATE, spec)


def test_a_filter_that_matches_nothing_names_the_nearest_well() -> None:
    with pytest.raises(UnknownName, match=r"no well matches 'H13'; did you mean 'H1"):
        select_wells(PLATE, "H13")


def test_names_sort_as_people_count() -> None:
    names = ["s10", "s2", "a/10", "s1", "S1", "a/9"]
    assert sorted(names, key=natural_key) == ["S1", "a/9", "a/10", "s1", "s2", "s10"]


def test_zeros_before_a_number_count_only_between_equal_numbers() -> None:
    names = ["s10", "s2", "s001", "s02", "s1", "s0", "s00", "s2b", "s02a"]
    assert sorted(names, key=natural_key) == ["s0", "s00", "s001", "s1", "s02", "s02a", "s2", "s2b", "s10"]


def test_names_with_foreign_digits_sort_without_an_error() -> None:
    assert min(["a²", "a2", "a١"], key=natural_key) == "a2"
