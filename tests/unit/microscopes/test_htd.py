"""HTD files: quotes, bytes of any kind, grids of sites, numbers that cannot be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from openhcs.errors import FormatError
from openhcs.microscopes.metaxpress.htd import parse_htd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from openhcs.microscopes.metaxpress.htd import Protocol


def htd(*lines: str, head: str = '"HTSInfoFile", Version 1.0', end: str = '"EndFile"') -> bytes:
    return "\r\n".join([head, *lines, end, ""]).encode("latin-1")


def parse(*lines: str) -> Protocol:
    return parse_htd(htd(*lines), "P.HTD")


def test_commas_within_quotes_are_text() -> None:
    found = parse('"Description", "a, b, c"', '"NWavelengths", 2', '"WaveName1", "Cy5, far red"', '"WaveName2", "FITC"')
    assert found.description == "a, b, c"
    assert found.waves == {1: "Cy5, far red", 2: "FITC"}


def test_bytes_that_are_no_utf8_are_read_and_end_no_line() -> None:
    found = parse_htd(htd('"Description", "1t\x82\x81µ\x85w"', '"XWells", 24', '"YWells", 16'), "P.HTD")
    assert found.description == "1t; µ; w"
    assert (found.rows, found.columns) == (16, 24)


def test_a_name_in_utf8_is_read_as_such() -> None:
    data = htd('"NWavelengths", 1').replace(b'"EndFile"', '"WaveName1", "µ-green"\r\n"EndFile"'.encode())
    assert parse_htd(b"\xef\xbb\xbf" + data, "P.HTD").waves == {1: "µ-green"}


def test_sites_are_numbered_over_the_chosen_cells_and_keep_their_place_in_the_grid() -> None:
    grid = ('"Sites", TRUE', '"XSites", 3', '"YSites", 2')
    found = parse(*grid, '"SiteSelection1", FALSE, TRUE, FALSE', '"SiteSelection2", TRUE, FALSE, TRUE')
    assert (found.sites, found.cells) == ((1, 2, 3), (2, 4, 6))
    assert parse(*grid).sites == (1, 2, 3, 4, 5, 6)
    assert parse('"Sites", FALSE', '"XSites", 3', '"YSites", 2').sites == (1,)


def test_waves_that_are_not_collected_are_not_promised() -> None:
    found = parse('"NWavelengths", 3', '"WaveCollect1", 1', '"WaveCollect2", 0', '"WaveName3", "Cy5"')
    assert found.waves == {1: "", 3: "Cy5"}


def test_steps_count_only_where_there_is_a_series() -> None:
    assert parse('"ZSeries", TRUE', '"ZSteps", 7').z_steps == 7
    assert parse('"ZSeries", FALSE', '"ZSteps", 7').z_steps == 1
    assert parse('"ZSeries", TRUE', '"ZSteps", 0').z_steps == 1
    assert parse('"TimePoints", 0').time_points == 1


def test_a_file_without_its_end_says_so() -> None:
    assert parse().whole
    assert not parse_htd(htd(end='"XWells", 12'), "P.HTD").whole


@pytest.mark.parametrize(
    "lines",
    [
        ('"XWells", 65',),
        ('"YWells", -1',),
        ('"TimePoints", many',),
        ('"TimePoints", 99999999999',),
        ('"NWavelengths", 65',),
        ('"ZSeries", TRUE', '"ZSteps", 1e5'),
        ('"Sites", TRUE', '"XSites", 1000', '"YSites", 1000'),
    ],
)
def test_numbers_that_cannot_be_are_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(FormatError, match=r"P\.HTD is a damaged HTD file"):
        parse(*lines)


def test_another_file_is_no_htd() -> None:
    with pytest.raises(FormatError, match="does not begin with HTSInfoFile"):
        parse_htd(b"\x89PNG\r\n", "P.HTD")


@pytest.mark.parametrize("name", ["imagexpress-9987-plate3434-zmixed", "imagexpress-9987-plate3420-single"])
def test_real_files_say_what_a_plain_walk_of_their_lines_says(data: Callable[[str], Path], name: str) -> None:
    path = next(data(name).rglob("*.HTD"))
    found = parse_htd(path.read_bytes(), path.name)
    lines = dict(re.findall(r'^"(\w+)", ?(.*?)\r?$', path.read_bytes().decode("latin-1"), re.MULTILINE))
    chosen = {
        f"{chr(64 + row)}{column:02d}"
        for row in range(1, int(lines["YWells"]) + 1)
        for column, flag in enumerate(lines[f"WellsSelection{row}"].split(","), start=1)
        if flag.strip() == "TRUE"
    }
    assert set(found.wells) == chosen
    assert found.identifier == lines["UniquePlateIdentifier"].strip('"')
    assert found.plate_type == lines["PlateType"]
    assert found.waves == {n: lines[f"WaveName{n}"].strip('"') for n in range(1, int(lines["NWavelengths"]) + 1)}
    assert found.whole
