"""The HTD file of MetaXpress: what an ImageXpress was told to record.

Lines are ``"Key", value, value, …`` with CRLF, ended by ``"EndFile"``. Text in quotes may hold commas and
any byte, so what is not UTF-8 is read as latin-1. Keys that are absent mean "one" or "all".
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs.core.wells import well_name
from openhcs.errors import FormatError
from openhcs.microscopes.limits import MOST_SITES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LARGEST_PLATE = 64
MOST_STEPS = 100_000
MOST_DIGITS = 9
_LINE = re.compile(r"\r\n|\r|\n")
"""Only these: bytes such as 0x85 within a text are no end of a line here."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """What an HTD promises.

    Parameters
    ----------
    sites
        numbered from 1 over the chosen cells of the grid, row by row.
    cells
        the same sites by their place in the whole grid.
    waves
        numbers of the waves to be collected, with their names.
    whole
        whether the file is ended as it should be.
    """

    rows: int
    columns: int
    wells: tuple[str, ...]
    sites: tuple[int, ...]
    cells: tuple[int, ...]
    waves: Mapping[int, str]
    z_steps: int
    time_points: int
    description: str
    plate_type: str | None
    identifier: str | None
    whole: bool


def parse_htd(data: bytes, path: str) -> Protocol:
    """Return what the bytes of an HTD file promise.

    Raises
    ------
    FormatError
        the file is no HTD, or says a number that cannot be.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    keys = _keys(text)
    if "HTSInfoFile" not in keys:
        raise FormatError(f"{path} is no HTD file: it does not begin with HTSInfoFile", path=path)
    try:
        return _protocol(keys)
    except (ValueError, IndexError) as error:
        raise FormatError(f"{path} is a damaged HTD file: {error}", path=path) from None


def _keys(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in _LINE.split(text):
        if '"' not in line:
            continue
        try:
            key, *values = next(csv.reader([line], skipinitialspace=True))
        except csv.Error:
            key, *values = line.replace('"', "").split(",")
        found[key.strip()] = [value.strip() for value in values]
    return found


def _protocol(keys: Mapping[str, Sequence[str]]) -> Protocol:
    rows = _number(keys, "YWells", 8, LARGEST_PLATE)
    columns = _number(keys, "XWells", 12, LARGEST_PLATE)
    wells = tuple(
        well_name(row, column)
        for row in range(rows)
        for column, flag in enumerate(keys.get(f"WellsSelection{row + 1}", ())[:columns])
        if _true(flag)
    )
    stacked = _true(_text(keys, "ZSeries"))
    cells = _cells(keys)
    return Protocol(
        rows=rows,
        columns=columns,
        wells=wells,
        sites=tuple(range(1, len(cells) + 1)),
        cells=cells,
        waves=_waves(keys),
        z_steps=max(1, _number(keys, "ZSteps", 1, MOST_STEPS)) if stacked else 1,
        time_points=max(1, _number(keys, "TimePoints", 1, MOST_STEPS)),
        description=_CONTROL.sub("; ", _text(keys, "Description")).strip("; "),
        plate_type=_text(keys, "PlateType") or None,
        identifier=_text(keys, "UniquePlateIdentifier") or None,
        whole="EndFile" in keys,
    )


def _cells(keys: Mapping[str, Sequence[str]]) -> tuple[int, ...]:
    if not _true(_text(keys, "Sites")):
        return (1,)
    down = _number(keys, "YSites", 1, MOST_STEPS)
    across = _number(keys, "XSites", 1, MOST_STEPS)
    flags = [flag for row in range(down) for flag in keys.get(f"SiteSelection{row + 1}", ())[:across]]
    chosen = sum(map(_true, flags)) if flags else down * across
    if chosen > MOST_SITES:
        raise ValueError(f"{chosen} sites in a well")
    if not flags:
        return tuple(range(1, chosen + 1))
    return tuple(
        row * across + column + 1
        for row in range(down)
        for column, flag in enumerate(keys.get(f"SiteSelection{row + 1}", ())[:across])
        if _true(flag)
    )


def _waves(keys: Mapping[str, Sequence[str]]) -> dict[int, str]:
    count = _number(keys, "NWavelengths", 1, 64)
    names = {wave: _text(keys, f"WaveName{wave}") for wave in range(1, max(1, count) + 1)}
    return {wave: name for wave, name in names.items() if _text(keys, f"WaveCollect{wave}") != "0"}


def _text(keys: Mapping[str, Sequence[str]], key: str) -> str:
    values = keys.get(key, ())
    return values[0] if values else ""


def _number(keys: Mapping[str, Sequence[str]], key: str, default: int, most: int) -> int:
    text = _text(keys, key) if key in keys else str(default)
    if len(text) > MOST_DIGITS:
        raise ValueError(f"{key} is {text[:20]} …")
    value = int(text)
    if not 0 <= value <= most:
        raise ValueError(f"{key} is {value}")
    return value


def _true(flag: str) -> bool:
    return flag.strip().upper() == "TRUE"
