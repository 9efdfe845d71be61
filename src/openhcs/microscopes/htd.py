"""The HTD file of MetaXpress: what an ImageXpress was told to record.

Lines are ``"Key", value, value, …`` with CRLF; free text may hold any byte, so it is read as
latin-1. Keys that are absent mean "one" or "all".
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """What an HTD promises. ``waves`` are numbers with their names; sites are numbered row by row."""

    rows: int
    columns: int
    wells: tuple[str, ...]
    sites: tuple[int, ...]
    waves: Mapping[int, str]
    z_steps: int
    time_points: int


def parse_htd(data: bytes, path: str) -> Protocol:
    """Return what the bytes of an HTD file promise.

    Raises
    ------
    FormatError
        the file is no HTD, or says a number that cannot be.
    """
    keys = _keys(data.decode("latin-1"))
    if "HTSInfoFile" not in keys:
        raise FormatError(f"{path} is no HTD file: it does not begin with HTSInfoFile", path=path)
    try:
        return _protocol(keys)
    except (ValueError, IndexError) as error:
        raise FormatError(f"{path} is a damaged HTD file: {error}", path=path) from None


def _keys(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, comma, rest = line.partition(",")
        if comma:
            found[key.strip().strip('"')] = [value.strip().strip('"') for value in rest.split(",")]
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
    stacked = _true(keys.get("ZSeries", ["FALSE"])[0])
    return Protocol(
        rows=rows,
        columns=columns,
        wells=wells,
        sites=_sites(keys),
        waves=_waves(keys),
        z_steps=max(1, _number(keys, "ZSteps", 1, MOST_STEPS)) if stacked else 1,
        time_points=max(1, _number(keys, "TimePoints", 1, MOST_STEPS)),
    )


def _sites(keys: Mapping[str, Sequence[str]]) -> tuple[int, ...]:
    if not _true(keys.get("Sites", ["FALSE"])[0]):
        return (1,)
    down = _number(keys, "YSites", 1, MOST_STEPS)
    across = _number(keys, "XSites", 1, MOST_STEPS)
    flags = [flag for row in range(down) for flag in keys.get(f"SiteSelection{row + 1}", ())[:across]]
    chosen = sum(_true(flag) for flag in flags) if flags else down * across
    if chosen > MOST_SITES:
        raise ValueError(f"{chosen} sites in a well")
    return tuple(range(1, chosen + 1))


def _waves(keys: Mapping[str, Sequence[str]]) -> dict[int, str]:
    count = _number(keys, "NWavelengths", 1, 64)
    names = {wave: keys.get(f"WaveName{wave}", [""])[0] or str(wave) for wave in range(1, max(1, count) + 1)}
    return {wave: name for wave, name in names.items() if keys.get(f"WaveCollect{wave}", ["1"])[0] != "0"}


def _number(keys: Mapping[str, Sequence[str]], key: str, default: int, most: int) -> int:
    text = keys[key][0] if key in keys else str(default)
    if len(text) > MOST_DIGITS:
        raise ValueError(f"{key} is {text[:20]} …")
    value = int(text)
    if not 0 <= value <= most:
        raise ValueError(f"{key} is {value}")
    return value


def _true(flag: str) -> bool:
    return flag.strip().upper() == "TRUE"
