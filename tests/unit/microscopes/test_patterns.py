"""Patterns of file names: what they take, what they refuse, and how long they need."""

from __future__ import annotations

import time

import pytest

from openhcs.errors import InvalidValue
from openhcs.microscopes.patterns import Pattern


@pytest.mark.parametrize(
    ("pattern", "path", "values"),
    [
        ("{well}_s{site}_w{channel}.tif", "A01_s1_w2.tif", {"well": "A01", "site": "1", "channel": "2"}),
        ("{plate}_{well}.tif", "my_old_plate_AF48.tif", {"plate": "my_old_plate", "well": "AF48"}),
        ("{well}_{channel}_z{z}.tif", "b3_Alexa_488_z007.tif", {"well": "b3", "channel": "Alexa_488", "z": "007"}),
        ("*_{well}_*.tif", "x_y_C12_.tif", {"well": "C12"}),
        ("*{site}.tif", "a1b12.tif", {"site": "12"}),
        ("{plate}/{well}/s{site}_*.tif", "P/B02/s3_µ #1.tif", {"plate": "P", "well": "B02", "site": "3"}),
        ("{well}_s{site}.tif", "deep/below/A01_s1.tif", {"well": "A01", "site": "1"}),
        ("{well}/{well}_{channel}.tif", "A01/A01_DAPI.tif", {"well": "A01", "channel": "DAPI"}),
        ("r{row}c{column}f{site}*.tif", "r03c12f01p1.tif", {"row": "03", "column": "12", "site": "01"}),
        ("[{well}]+(s{site}).tif", "[A01]+(s2).tif", {"well": "A01", "site": "2"}),
    ],
)
def test_a_name_of_the_pattern_gives_its_fields(pattern: str, path: str, values: dict[str, str]) -> None:
    assert Pattern(pattern).match(path) == values


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("{well}_s{site}.tif", "A01_s1.tif.bak"),
        ("{well}_s{site}.tif", "xA01_s1.tif"),
        ("{well}_s{site}.tif", "A01_s.tif"),
        ("{well}_s{site}.tif", "A00_s1.tif"),
        ("{well}_s{site}.tif", "A49_s1.tif"),
        ("{well}_s{site}.tif", "AG01_s1.tif"),
        ("{well}_s{site}.tif", "A01_s1xtif"),
        ("{plate}/{well}.tif", "A01.tif"),
        ("{plate}/{well}.tif", "a/b/A01.tif"),
        ("{well}_{channel}.tif", "A01_.tif"),
        ("{well}/{well}_{channel}.tif", "A01/A02_DAPI.tif"),
    ],
)
def test_a_name_is_matched_whole(pattern: str, path: str) -> None:
    assert Pattern(pattern).match(path) is None


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("{wel}_s{site}.tif", "did you mean 'well'"),
        ("A01.tif", "has no field"),
        ("{well}_{.tif", "a brace stands alone"),
        ("{plate}{well}.tif", "nothing stands between"),
        ("{channel}*.tif", "nothing stands between"),
        ("{row}_{site}.tif", "only together"),
        ("{site}0.tif", "a digit right after"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused_with_the_reason(pattern: str, told: str) -> None:
    with pytest.raises(InvalidValue, match=told):
        Pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "unit"),
    [
        ("*a*a*a*a*a*a{site}.tif", "a"),
        ("{plate}_{channel}_*_*_*_{well}.tif", "_x"),
        ("{plate}_{channel}_{well}_s{site}.tif", "_A01_s1"),
        ("*1{site}x*1{z}y.tif", "1"),
        ("*{site}*{z}*{t}*x", "12 "),
    ],
)
def test_hostile_names_take_linear_time(pattern: str, unit: str) -> None:
    form = Pattern(pattern)

    def seconds(length: int) -> float:
        name = unit * (length // len(unit))
        start = time.thread_time()
        form.match(name)
        return time.thread_time() - start

    short = min(seconds(2_000) for _ in range(5))
    long = min(seconds(40_000) for _ in range(3))
    # Twenty times the length; squared would be four hundred times the time.
    assert long < 80 * max(short, 1e-4)
