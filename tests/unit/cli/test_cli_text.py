"""Numbers, times and plates as text."""

from __future__ import annotations

import io

import pytest

from openhcs.cli import text
from openhcs.core.wells import row_name


@pytest.mark.parametrize(
    ("count", "shown"),
    [(1000, "1.00 kB"), (999_499, "999 kB"), (999_500, "1.00 MB"), (9_999_000, "10.0 MB"), (10**18, "1000 PB")],
)
def test_sizes_never_show_four_digits_before_the_largest_unit(count: int, shown: str) -> None:
    assert text.size(count) == shown


def test_a_plate_map_has_each_mark_at_its_row_and_column() -> None:
    lines = text.plate_map((2, 3), "AB", {"A01": "x", "B03": "y"}, empty=".")
    assert lines == ["   1  2  3", "A  x  .  .", "B  .  .  y"]


def test_a_1536_well_map_is_as_wide_as_its_columns() -> None:
    lines = text.plate_map((32, 48), [row_name(row) for row in range(32)], {"AF48": "x"}, empty=".")
    assert {len(line) for line in lines} == {2 + 2 * 48}
    assert lines[-1].startswith("AF")
    assert lines[-1].endswith(" x")


def test_a_stream_says_whether_it_can_show_a_character() -> None:
    assert text.can_show(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), "●")
    assert not text.can_show(io.TextIOWrapper(io.BytesIO(), encoding="ascii"), "●")


def test_a_table_indents_further_lines_of_a_value() -> None:
    assert text.table([("a", "1\n2"), ("long", "3")]) == "a     1\n      2\nlong  3"
