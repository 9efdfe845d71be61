"""Running numbers of wells: on how many columns they count, from what, and what contradicts a name."""

from __future__ import annotations

import pytest

from openhcs.core.wells import PLATE_SHAPES, well_name
from openhcs.microscopes.well_numbers import Numbering, contradictions, find_numbering


@pytest.mark.parametrize("shape", PLATE_SHAPES)
@pytest.mark.parametrize("first", [0, 1])
def test_a_named_plate_gives_its_own_numbering(shape, first):
    rows, columns = shape
    told = [
        (row * columns + column + first, well_name(row, column)) for row in range(rows) for column in range(columns)
    ]
    found = find_numbering(told, firsts=(1, 0))
    assert found == Numbering(shape, first)
    assert [found.well(number) for number, _ in told] == [well for _, well in told]


@pytest.mark.parametrize(("number", "shape"), [(1, (8, 12)), (96, (8, 12)), (97, (16, 24)), (385, (32, 48))])
def test_numbers_alone_are_of_the_smallest_plate_from_96_wells_on(number, shape):
    assert find_numbering([(number, None)]).shape == shape


def test_one_name_tells_the_columns():
    assert find_numbering([(7, "B01"), (9, None)]) == Numbering((4, 6))
    assert find_numbering([(13, "B01")]) == Numbering((8, 12))
    assert find_numbering([(25, "B01")]) == Numbering((16, 24))


def test_what_a_document_tells_goes_before_names():
    assert find_numbering([(7, "B01")], (8, 12)) == Numbering((8, 12))


def test_a_number_no_plate_has_is_no_well():
    found = find_numbering([(5000, None)])
    assert found.well(5000) is None
    assert found.well(0) is None


def test_contradictions_are_counted_with_an_example():
    told = [(13, "B01", "a.tif"), (14, "B03", "b.tif"), (15, None, "c.tif"), (99, "B04", "d.tif")]
    example = "b.tif: B03, and 14 is B02 on 8 × 12 wells"
    assert contradictions(told, Numbering((8, 12))) == [
        f"well numbers that are not those of the names: 2, such as {example}; the names are taken"
    ]
    assert not contradictions(told[:1], Numbering((8, 12)))


def test_a_plate_holds_its_own_wells():
    assert Numbering((8, 12)).holds("H12")
    assert not Numbering((8, 12)).holds("I01")
