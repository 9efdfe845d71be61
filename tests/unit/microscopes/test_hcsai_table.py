"""Tables of images of HCS.ai: columns by name, every row a place that can be, damage told with its row."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from openhcs.errors import FormatError
from openhcs.microscopes.hcsai.table import Row, parse_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEAD = "Well,Row,Column,Field,Wavelength,Timepoint,ZIndex,ImageSubFolderPath,ImageFileName"
LINE = "C - 5,3,5,0,1,2,3,timepoint2,a.tif"


def parse(*lines: str, encoding: str = "utf-8") -> list[Row]:
    return parse_table("\r\n".join(lines).encode(encoding), "t.csv")


def test_a_row_without_measures_tells_only_its_place() -> None:
    assert parse(HEAD, LINE) == [Row("C05", 0, 1, 2, 3, "timepoint2/a.tif", *[None] * 7)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_encodings_are_told_apart_by_their_mark(encoding: str) -> None:
    line = LINE.replace("a.tif", "µ.tif")
    if encoding == "utf-16-le":
        with pytest.raises(FormatError, match=r"t\.csv"):
            parse(HEAD, line, encoding=encoding)
    else:
        assert parse(HEAD, line, encoding=encoding)[0].path == "timepoint2/µ.tif"


def test_text_of_another_encoding_is_told() -> None:
    with pytest.raises(FormatError, match=r"t\.csv is no text in UTF-8 or UTF-16"):
        parse(HEAD, LINE.replace("a.tif", "µ.tif"), encoding="latin-1")


@pytest.mark.parametrize("column", ["Field", "Wavelength", "Timepoint", "ZIndex", "ImageFileName"])
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(FormatError, match=rf"t\.csv has no column {column};"):
        parse(HEAD.replace(column, "Other"), LINE)


def test_a_well_is_named_or_placed() -> None:
    assert parse(HEAD.replace("Row", "R"), LINE)[0].well == "C05"
    assert parse(HEAD.replace("Well", "W"), LINE)[0].well == "C05"
    with pytest.raises(FormatError, match="no column Well"):
        parse(HEAD.replace("Well", "W").replace("Row", "R"), LINE)
    assert parse(HEAD, "AF - 48,32,48,0,0,0,0,,a.tif")[0].well == "AF48"


def test_folders_have_either_slash_or_none() -> None:
    paths = [
        row.path
        for row in parse(HEAD, "C - 5,3,5,0,0,7,0,,a.tif", "C - 5,3,5,0,0,7,0,a\\b,c.tif", "C - 5,3,5,0,0,7,0,x,")
    ]
    assert paths == ["timepoint7/a.tif", "a/b/c.tif", ""]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("C - 5,3,6,0,0,0,0,x,a.tif", "row and column tell of another"),
        ("nothing,3,5,0,0,0,0,x,a.tif", "'nothing' is not a well"),
        ("C - 5,3,5,x,0,0,0,x,a.tif", "Field is 'x', not a number"),
        ("C - 5,3,5,-1,0,0,0,x,a.tif", "Field is '-1', not a number"),
        ("C - 5,3,5,0,0,99999999999999999999,0,x,a.tif", "Timepoint is '9999"),
        ("C - 5,3,5,0,0,0,1000000,x,a.tif", "ZIndex is '1000000', not a number from 0 to 100000"),
        ("C - 0,3,0,0,0,0,0,x,a.tif", "'C - 0' is not a well"),
        ("ZZ - 99,702,99,0,0,0,0,x,a.tif", "no plate has such a well"),
        ("C - 5,3,5,0,0,0", "6 of 9 columns are there; the table is cut short"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_told_with_its_number(line: str, what: str) -> None:
    with pytest.raises(FormatError, match=rf"t\.csv, row 3: .*{what}"):
        parse(HEAD, LINE, line)


def test_empty_rows_are_none_and_an_empty_file_has_no_columns() -> None:
    assert len(parse(HEAD, LINE, "", ",,,,,,,,", LINE)) == 2
    with pytest.raises(FormatError, match="no column Well, Field"):
        parse("")


def test_measures_that_are_no_numbers_are_not_told() -> None:
    head = f"{HEAD},PositionXUm,PositionYUm,PositionZUm,ExposureTimeMs,TimeStampSec"
    (row,) = parse(head, f"{LINE},-12.5,nan,1e400,x,1772456272.45")
    assert (row.x_um, row.y_um, row.z_um, row.exposure_ms, row.time) == (-12.5, None, None, None, 1772456272.45)


def test_a_field_without_end_is_told() -> None:
    with pytest.raises(FormatError, match=r"t\.csv"):
        parse(HEAD, LINE.replace("timepoint2", '"' + "x" * 200_000))


def test_a_real_table_says_what_its_columns_say(data: Callable[[str], Path]) -> None:
    path = data("imagexpress-hcsai-jdce-metadata") / "experiment" / "image_metadata_1.csv"
    (told,) = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    assert parse_table(path.read_bytes(), path.name) == [
        Row(
            "C05", int(told["Field"]), int(told["Wavelength"]), int(told["Timepoint"]), int(told["ZIndex"]),
            f"{told['ImageSubFolderPath']}/{told['ImageFileName']}", float(told["PositionXUm"]),
            float(told["PositionYUm"]), float(told["PositionZUm"]), float(told["ExposureTimeMs"]),
            float(told["TimeStampSec"]), float(told["ImageSizeYPx"]), float(told["ImageSizeXPx"]),
        )
    ]  # fmt: skip
