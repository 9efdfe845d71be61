"""What ScanR writes beside its images: the experiment's descriptor and the log of its stage.

The descriptor is LabVIEW's XML: items with a ``Name`` and a ``Val``, where an item without a name goes with the
last one that had it. The log has one line for each stop: ``IMAGEPOS``, then ``W=1``, ``P=1``, ``T=0``, ``Z=0``,
``IMAGEX``, ``IMAGEY``, ``IMAGEZ`` (µm) and ``TIME`` (s), with tabs between. Both are read as public readers of these
files read them: no real one was at hand.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from openhcs.core.wells import parse_well, well_name
from openhcs.errors import FormatError
from openhcs.microscopes.xml_reader import parse_xml

MAX_ROWS, MAX_COLUMNS = 99, 999
MOST_STOPS = 5_000_000
_DECLARATION = re.compile(rb"\s*<\?xml[^>]{0,200}\?>")
_WELL = re.compile(r"(?:A[A-F]|[A-Z])(?:0?[1-9]|[1-3][0-9]|4[0-8])")


@lru_cache(maxsize=4096)
def well_of(text: str) -> str | None:
    """Return the well that a text names, None where it names none."""
    return well_name(*parse_well(text)) if _WELL.fullmatch(text) else None


@dataclass(slots=True, kw_only=True)
class Descriptor:
    """What a descriptor tells; ``wells`` are names by number, channels those that were used."""

    name: str | None = None
    rows: int | None = None
    columns: int | None = None
    pixel_um: float | None = None
    z_step_um: float | None = None
    channels: list[str] = field(default_factory=list)
    exposures_ms: dict[str, float] = field(default_factory=dict)
    wells: dict[int, str | None] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int] | None:
        """Rows and columns of the plate, where both are told."""
        return (self.rows, self.columns) if self.rows and self.columns else None


def parse_descriptor(data: bytes, path: str) -> Descriptor:
    """Return what a descriptor tells.

    Raises
    ------
    FormatError
        it is no XML, is cut short, or a number is none.
    """
    reader = _Reader(path)
    parse_xml(_decodable(data), path, reader.start, reader.end, reader.text)
    return reader.found


def _decodable(data: bytes) -> bytes:
    """Return a document that says nothing of its encoding, or a wrong UTF-8, as what it is: Latin-1."""
    declared = _DECLARATION.match(data)
    if declared is not None and b"encoding" in declared[0] and b"utf-8" not in declared[0].lower():
        return data
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data[declared.end() if declared else 0 :].decode("latin-1").encode("utf-8").lstrip()
    return data


class _Reader:
    """Collects facts while the items go by."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.found = Descriptor()
        self.key = ""
        self.parts: list[str] | None = None
        self.plate = False
        self.channel = ""
        self.exposure: float | None = None
        self.number: int | None = None

    def start(self, name: str, _: dict[str, str]) -> None:
        self.parts = [] if name in {"Name", "Val"} else None

    def text(self, text: str) -> None:
        if self.parts is not None:
            self.parts.append(text)

    def end(self, name: str) -> None:
        if self.parts is None:
            return
        text, self.parts = "".join(self.parts).strip(), None
        if not text:
            return
        if name == "Val":
            self._value(text)
            return
        self.key = text
        if text == "format typedef":
            self.plate = True

    def _value(self, text: str) -> None:
        found = self.found
        match self.key:
            case "plate name":
                found.name = text
            case "Rows" if self.plate:
                found.rows = self._whole(text, 0, MAX_ROWS)
            case "Columns" if self.plate:
                found.columns, self.plate = self._whole(text, 0, MAX_COLUMNS), False
            case "conversion factor um/pixel":
                found.pixel_um = self._above_zero(text)
            case "slices distance":
                found.z_step_um = self._above_zero(text)
            case "name":
                self.channel = text
            case "exposure time":
                self.exposure = self._above_zero(text)
            case "idle":
                self._channel_done(text)
            case "well selection table + cDNA":
                self._selected(text)

    def _channel_done(self, idle: str) -> None:
        if idle == "0" and self.channel and self.channel != "Autofocus" and self.channel not in self.found.channels:
            self.found.channels.append(self.channel)
            if self.exposure is not None:
                self.found.exposures_ms[self.channel] = self.exposure
        self.channel, self.exposure = "", None

    def _selected(self, text: str) -> None:
        if text.isascii() and text.isdigit():
            self.number = self._whole(text, 0, 99_999)
            self.found.wells.setdefault(self.number, None)
        elif self.number is not None and self.found.wells[self.number] is None:
            # The text after the well's name is that of its treatment, which is none.
            self.found.wells[self.number] = well_of(text)

    def _whole(self, text: str, low: int, high: int) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 9) or not low <= int(text) <= high:
            raise FormatError(
                f"{self.path}: {self.key} is {text[:40]!r}, not a number from {low} to {high}", path=self.path
            )
        return int(text)

    def _above_zero(self, text: str) -> float | None:
        value = _real(text)
        if value is None:
            raise FormatError(f"{self.path}: {self.key} is {text[:40]!r}, not a number", path=self.path)
        return value if value > 0 else None


class Stop(NamedTuple):
    """Where and when the stage stood: µm, y as the stage counts, and s; None where untold."""

    x: float | None
    y: float | None
    z: float | None
    seconds: float | None


def parse_log(data: bytes) -> dict[tuple[int, int, int, int], Stop]:
    r"""Return the stops of a log by (well, position, time, z); lines of other kinds are stepped over.

    >>> parse_log(b"IMAGEPOS\tW=1\tP=2\tT=0\tZ=0\tIMAGEX=5\tIMAGEY=-7.5\tIMAGEZ=1\tTIME=3.2")
    {(1, 2, 0, 0): Stop(x=5.0, y=-7.5, z=1.0, seconds=3.2)}
    """
    stops: dict[tuple[int, int, int, int], Stop] = {}
    for line in data.decode("latin-1").splitlines():
        if not line.startswith("IMAGEPOS") or len(stops) >= MOST_STOPS:
            continue
        told = dict(part.split("=", 1) for part in line.split("\t")[1:] if "=" in part)
        place = [told.get(letter, "0") for letter in "WPTZ"]
        if not all(text.isascii() and text.isdigit() and len(text) <= 9 for text in place):
            continue
        well, position, t, z = map(int, place)
        stops.setdefault(
            (well, position, t, z), Stop(*(_real(told.get(key, "")) for key in ("IMAGEX", "IMAGEY", "IMAGEZ", "TIME")))
        )
    return stops


def _real(text: str) -> float | None:
    """Return a number, which LabVIEW may have written with a comma, None where it is none."""
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) < 1e9 else None
