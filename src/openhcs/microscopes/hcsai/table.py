"""The tables of images of ImageXpress HCS.ai: one row for each image, columns found by their names.

Rows and columns of the plate count from 1, all other numbers from 0. Lengths are µm, times seconds since
1970 in UTC.
"""

from __future__ import annotations

import csv
import io
import math
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from openhcs.core.wells import parse_well, well_name
from openhcs.errors import FormatError, InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_WELLS, MOST_NUMBER = 99, 100_000
NUMBERS = ("Field", "Wavelength", "Timepoint", "ZIndex")
NEEDED = (*NUMBERS, "ImageFileName")
MEASURES = (
    "PositionXUm",
    "PositionYUm",
    "PositionZUm",
    "ExposureTimeMs",
    "TimeStampSec",
    "ImageSizeYPx",
    "ImageSizeXPx",
)


class Row(NamedTuple):
    """One image: its place by the vendor's numbers, its file, what was measured; None is not told.

    ``path`` has forward slashes and is relative to the table's folder; empty where no image was recorded.
    """

    well: str
    site: int
    wave: int
    t: int
    z: int
    path: str
    x_um: float | None
    y_um: float | None
    z_um: float | None
    exposure_ms: float | None
    time: float | None
    height: float | None
    width: float | None


def parse_table(data: bytes, path: str) -> list[Row]:
    """Return the rows of a table, in its order.

    Raises
    ------
    FormatError
        it is no text in UTF-8 or UTF-16, lacks a column, or a row is cut short or tells no place that can be.
    """
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), encoding, newline=""))
    try:
        return list(_rows(reader, path))
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is no text in UTF-8 or UTF-16: {error}", path=path) from None
    except csv.Error as error:
        raise FormatError(f"{path}, line {reader.line_num}: {error}", path=path) from None


def _rows(reader: Iterator[list[str]], path: str) -> Iterator[Row]:
    names = [name.strip() for name in next(reader, [])]
    places = {name: place for place, name in enumerate(names)}
    lacking = [name for name in NEEDED if name not in places]
    if "Well" not in places and not {"Row", "Column"} <= places.keys():
        lacking.insert(0, "Well")
    if lacking:
        raise FormatError(
            f"{path} has no column {', '.join(lacking)}; a table of images has {', '.join(('Well', *NEEDED))}",
            path=path,
        )
    line = _Line(places, path)
    for number, values in enumerate(reader, start=2):
        if any(values):
            yield line.row(number, values)


class _Line:
    """Reads rows whose columns are known; called for each of some hundred thousand."""

    def __init__(self, places: dict[str, int], path: str) -> None:
        self.path = path
        self.count = len(places)
        self.well = places.get("Well")
        self.grid = (places["Row"], places["Column"]) if {"Row", "Column"} <= places.keys() else None
        self.numbers = [places[name] for name in NUMBERS]
        self.measures = [places.get(name) for name in MEASURES]
        self.folder, self.file = places.get("ImageSubFolderPath"), places["ImageFileName"]
        self.told = itemgetter(*[place for place in (self.well, *(self.grid or ())) if place is not None])
        self.wells: dict[object, str] = {}
        self.wholes: dict[str, int] = {}

    def row(self, number: int, values: list[str]) -> Row:
        if len(values) < self.count:
            raise self._wrong(number, f"{len(values)} of {self.count} columns are there; the table is cut short")
        wholes = self.wholes
        try:
            site, wave, t, z = [wholes[values[place]] for place in self.numbers]
        except KeyError:
            site, wave, t, z = [
                self._whole(values[place], name, number) for name, place in zip(NUMBERS, self.numbers, strict=True)
            ]
        told = self.told(values)
        well = self.wells.get(told)
        if well is None:
            well = self.wells[told] = self._new_well(values, number)
        measures = [None if place is None else _real(values[place]) for place in self.measures]
        return Row(well, site, wave, t, z, self._path(values, t), *measures)

    def _new_well(self, values: list[str], number: int) -> str:
        named = placed = None
        if self.well is not None:
            try:
                named = parse_well(values[self.well])
            except InvalidValue as error:
                raise self._wrong(number, str(error)) from None
        if self.grid is not None:
            row, column = (
                self._whole(values[place], name, number) - 1
                for name, place in zip(("Row", "Column"), self.grid, strict=True)
            )
            placed = (row, column)
        if named and placed and named != placed:
            raise self._wrong(number, f"Well is {values[self.well or 0]!r:.40}, row and column tell of another")
        place = named or placed or (-1, -1)
        if not all(0 <= one < MOST_WELLS for one in place):
            raise self._wrong(number, "no plate has such a well")
        return well_name(*place)

    def _path(self, values: list[str], t: int) -> str:
        name = values[self.file].strip().replace("\\", "/")
        if not name:
            return ""
        folder = "" if self.folder is None else values[self.folder].strip().replace("\\", "/").strip("/")
        return f"{folder or f'timepoint{t}'}/{name}"

    def _whole(self, raw: str, name: str, number: int) -> int:
        text = raw.strip()
        if not (text.isascii() and text.isdigit() and len(text) <= 9) or int(text) > MOST_NUMBER:
            raise self._wrong(number, f"{name} is {text!r:.40}, not a number from 0 to {MOST_NUMBER}")
        self.wholes[raw] = int(text)
        return int(text)

    def _wrong(self, number: int, what: str) -> FormatError:
        return FormatError(f"{self.path}, row {number}: {what}", path=self.path)


def _real(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) < 1e15 else None
