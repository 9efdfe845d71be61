"""What a Harmony index says, in the vendor's units: seconds, metres, y up, numbers as written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from openhcs.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ROWS, MAX_COLUMNS, MAX_NUMBER = 99, 999, 10**6
WHOLES = {"Row": MAX_ROWS, "Col": MAX_COLUMNS} | dict.fromkeys(
    ("FieldID", "PlaneID", "TimepointID", "ChannelID", "FlimID"), MAX_NUMBER
)
"""Numbers of an image → the largest that can be."""
DEFAULTS = {"PlaneID": 1, "TimepointID": 0, "FlimID": 1}
REALS = ("PositionX", "PositionY", "PositionZ", "MeasurementTimeOffset")
TEXTS = ("URL", "AbsTime", "State")
UNITS = {
    **dict.fromkeys(("PositionX", "PositionY", "PositionZ", "ImageResolutionX", "ImageResolutionY"), "m"),
    **dict.fromkeys(("MainExcitationWavelength", "MainEmissionWavelength"), "nm"),
    **dict.fromkeys(("ExposureTime", "MeasurementTimeOffset"), "s"),
}
"""The one unit that Harmony writes each of these in; another would be read wrongly, so it is refused."""


class HarmonyImage(NamedTuple):
    """One image: the vendor's numbers, its place from the centre of its well in metres, y up.

    ``url`` is empty where nothing was recorded; ``offset`` is in seconds; ``time`` as written.
    """

    row: int
    column: int
    field: int
    plane: int
    timepoint: int
    channel: int
    flim: int
    x: float | None
    y: float | None
    z: float | None
    offset: float | None
    url: str
    time: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmonyChannel:
    """One channel: lengths in metres, wavelengths in nm, exposure in seconds; None is not recorded.

    ``resolution``, ``size`` (pixels) and ``binning`` are (y, x); ``kind`` is the vendor's ChannelType.
    """

    name: str
    kind: str | None
    excitation: float | None
    emission: float | None
    exposure: float | None
    magnification: float | None
    aperture: float | None
    resolution: tuple[float, float] | None
    size: tuple[int, int] | None
    binning: tuple[int, int] | None
    max_intensity: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmonyIndex:
    """A whole index; channels, and the text of their flat-field profiles, by their number."""

    plate: str
    plate_id: str | None
    plate_type: str | None
    rows: int | None
    columns: int | None
    start_time: str | None
    instrument: str | None
    images: tuple[HarmonyImage, ...]
    channels: Mapping[int, HarmonyChannel]
    profiles: Mapping[int, str]


class Record:
    """The texts of one element's children, read as what they are.

    Raises
    ------
    FormatError
        from each method: the text is no such number; the document, the element and the text are named.
    """

    def __init__(self, texts: Mapping[str, str], what: str, path: str) -> None:
        self._texts = texts
        self._what = what
        self._path = path

    def text(self, name: str) -> str:
        """Return a text without the spaces around it; empty where it is not told."""
        return self._texts.get(name, "").strip()

    def whole(self, name: str, *, default: int | None = None, low: int = 0, high: int = MAX_NUMBER) -> int:
        """Return a whole number from ``low`` to ``high``."""
        text = self.text(name)
        if not text and default is not None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(high))) or not low <= int(text) <= high:
            told = f"is {text[:40]!r}, not a number from {low} to {high}" if text else "is not told"
            raise FormatError(f"{self._path}: {self._what}: {name} {told}", path=self._path)
        return int(text)

    def real(self, name: str) -> float | None:
        """Return a number, or None where it is not told or not finite."""
        text = self.text(name)
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            raise FormatError(
                f"{self._path}: {self._what}: {name} is {text[:40]!r}, not a number", path=self._path
            ) from None
        return value if math.isfinite(value) else None

    def both(self, name: str) -> tuple[int, int] | None:
        """Return (y, x) of two whole numbers, or None where one of them is not told."""
        y, x = (self.whole(f"{name}{axis}", default=0) for axis in "YX")
        return (y, x) if y and x else None

    def image(self) -> HarmonyImage:
        """Return the record as an image."""
        row, column, field, plane, timepoint, channel, flim = (
            self.whole(name, default=DEFAULTS.get(name), low=int(name in {"Row", "Col"}), high=high)
            for name, high in WHOLES.items()
        )
        x, y, z, offset = (self.real(name) for name in REALS)
        url, time, state = (self.text(name) for name in TEXTS)
        return HarmonyImage(row, column, field, plane, timepoint, channel, flim, x, y, z, offset, url, time, state)

    def channel(self, number: int) -> HarmonyChannel:
        """Return the record as a channel; wavelengths of 0 are none."""
        y, x = (self.real(f"ImageResolution{axis}") for axis in "YX")
        return HarmonyChannel(
            name=self.text("ChannelName") or str(number),
            kind=self.text("ChannelType") or None,
            excitation=self.real("MainExcitationWavelength") or None,
            emission=self.real("MainEmissionWavelength") or None,
            exposure=self.real("ExposureTime"),
            magnification=self.real("ObjectiveMagnification") or None,
            aperture=self.real("ObjectiveNA") or None,
            resolution=(y, x) if y and x and x > 0 and y > 0 else None,
            size=self.both("ImageSize"),
            binning=self.both("Binning"),
            max_intensity=self.whole("MaxIntensity", default=0, high=2**32) or None,
        )
