"""What Leica's Matrix Screener writes beside its images: OME-XML of 2008-09, and tiles of a stitcher.

A document tells of one field at one time: moment, pixel size, place of the stage (in metres), and the files of
its planes. What follows the image in it is a long list of the software's own settings; of these the lens and
the colours are taken where they are asked for.
"""

from __future__ import annotations

import contextlib
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openhcs.errors import FormatError
from openhcs.microscopes.xml_reader import parse_xml

if TYPE_CHECKING:
    from collections.abc import Callable

COLORS = {
    "red": "FF0000", "green": "00FF00", "blue": "0000FF", "cyan": "00FFFF", "magenta": "FF00FF", "yellow": "FFFF00",
    "gray": "FFFFFF", "grey": "FFFFFF",
}  # fmt: skip
"""Colours by the name of the look-up table."""
MOST_FILES = 100_000
LONGEST_LINE = 1000
_SETTING = re.compile(r"SettingDefinition - (?P<name>Magnification|NumericalAperture|ObjectiveName)$")


@dataclass(slots=True, kw_only=True)
class FieldDocument:
    """What is told of one field at one time: µm, nm and texts; None and empty where untold.

    ``files`` are the images by the number (c, z) of their plane, both from 0; ``heights`` are by z.
    """

    created: str | None = None
    instrument: str | None = None
    model: str | None = None
    aperture: float | None = None
    magnification: float | None = None
    pixel_um: tuple[float, float] | None = None
    z_step_um: float | None = None
    place_um: tuple[float, float] | None = None
    heights: dict[int, float] = field(default_factory=dict)
    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    colors: list[str | None] = field(default_factory=list)


class _Enough(Exception):
    """All that is wanted has been read."""


def parse_field(data: bytes, path: str, *, settings: bool = False) -> FieldDocument | None:
    """Return what a document tells of its field, None where it is none of OME's.

    Parameters
    ----------
    settings
        whether the list of settings behind the image is read too.

    Raises
    ------
    FormatError
        it is no XML, is cut short, declares entities, or a number is none.
    """
    reader = _Reader(path, settings=settings)
    with contextlib.suppress(_Enough):
        parse_xml(data, path, reader.start, reader.end, reader.text)
    return reader.found if reader.is_ome else None


class _Reader:
    """Collects the facts while the document is walked."""

    def __init__(self, path: str, *, settings: bool) -> None:
        self.path = path
        self.settings = settings
        self.found = FieldDocument()
        self.is_ome = False
        self.depth = 0
        self.block = self.plane = (0, 0)
        self.parts: list[str] | None = None
        self.opened: dict[str, Callable[[dict[str, str]], None]] = {
            "Microscope": self._microscope,
            "Objective": self._objective,
            "CreationDate": self._with_text,
            "LensNA": self._with_text,
            "NominalMagnification": self._with_text,
            "Pixels": self._pixels,
            "TiffData": self._block,
            "UUID": self._uuid,
            "Plane": self._plane,
            "StagePosition": self._stage,
            "OriginalMetadata": self._setting,
        }

    def start(self, name: str, told: dict[str, str]) -> None:
        self.depth += 1
        if self.depth == 1:
            self.is_ome = name == "OME"
            if not self.is_ome:
                raise _Enough
        handler = self.opened.get(name)
        if handler is not None:
            handler(told)

    def end(self, name: str) -> None:
        self.depth -= 1
        if self.parts is not None:
            text, self.parts = "".join(self.parts).strip(), None
            if name == "CreationDate":
                self.found.created = text or None
            elif name == "LensNA":
                self.found.aperture = self._number(text, name)
            elif name == "NominalMagnification":
                self.found.magnification = self._number(text, name)
        if name == "Image" and not self.settings:
            raise _Enough

    def text(self, text: str) -> None:
        if self.parts is not None:
            self.parts.append(text)

    def _microscope(self, told: dict[str, str]) -> None:
        words = (told.get(name, "").strip() for name in ("Manufacturer", "Model"))
        self.found.instrument = " ".join(word for word in words if word) or None

    def _objective(self, told: dict[str, str]) -> None:
        self.found.model = told.get("Model", "").strip() or None

    def _with_text(self, _: dict[str, str]) -> None:
        self.parts = []

    def _pixels(self, told: dict[str, str]) -> None:
        y, x, z = (self._number(told.get(f"PhysicalSize{axis}", ""), f"PhysicalSize{axis}") for axis in "YXZ")
        if y and x and min(y, x) > 0:
            self.found.pixel_um = (y, x)
        self.found.z_step_um = z if z and z > 0 else None

    def _block(self, told: dict[str, str]) -> None:
        self.block = (self._whole(told, "FirstC"), self._whole(told, "FirstZ"))

    def _uuid(self, told: dict[str, str]) -> None:
        name = re.split(r"[/\\]", told.get("FileName", ""))[-1]
        if name:
            self.found.files[name] = self.block
        if len(self.found.files) > MOST_FILES:
            raise FormatError(f"{self.path}: it names more than {MOST_FILES} images of one field", path=self.path)

    def _plane(self, told: dict[str, str]) -> None:
        self.plane = (self._whole(told, "TheC"), self._whole(told, "TheZ"))

    def _stage(self, told: dict[str, str]) -> None:
        x, y, z = (self._number(told.get(f"Position{axis}", ""), f"Position{axis}") for axis in "XYZ")
        if x is not None and y is not None and self.found.place_um is None:
            self.found.place_um = (round(x * 1e6, 3), round(y * 1e6, 3))
        if z is not None:
            self.found.heights.setdefault(self.plane[1], round(z * 1e6, 3) + 0.0)

    def _setting(self, told: dict[str, str]) -> None:
        name, value = told.get("Name", ""), told.get("Value", "").strip()
        if name.endswith("ChannelDescription - LUTName"):
            self.found.colors.append(COLORS.get(value.lower()))
        setting = _SETTING.search(name)
        if setting is None or not value:
            return
        if setting["name"] == "ObjectiveName":
            self.found.model = " ".join(value.split())
        elif setting["name"] == "Magnification":
            # The image's own NominalMagnification was seen to be 2 for a lens of 63.
            self.found.magnification = self._number(value, name)
        else:
            self.found.aperture = self._number(value, name)

    def _number(self, text: str, name: str) -> float | None:
        if not text.strip():
            return None
        try:
            value = float(text)
        except ValueError:
            raise FormatError(f"{self.path}: {name[-60:]} is {text[:40]!r}, not a number", path=self.path) from None
        return value if math.isfinite(value) and abs(value) < 1e9 else None

    def _whole(self, told: dict[str, str], name: str) -> int:
        text = told.get(name, "0").strip()
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise FormatError(f"{self.path}: {name} is {text[:40]!r}, not a number from 0", path=self.path)
        return int(text)


def parse_tiles(data: bytes) -> dict[str, tuple[float, float]]:
    """Return the place (x, y) in pixels of each image that a stitcher's ``TileConfiguration`` names.

    Lines that are none of these are stepped over.

    >>> parse_tiles(b"a.tif; ; (0.0, 936.75)")
    {'a.tif': (0.0, 936.75)}
    """
    places: dict[str, tuple[float, float]] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        name, _, rest = line[:LONGEST_LINE].partition(";")
        place = rest.rpartition(";")[2].strip()
        if not (place.startswith("(") and place.endswith(")")):
            continue
        try:
            x, y, *_ = (float(part) for part in place[1:-1].split(","))
        except ValueError:
            continue
        if math.isfinite(x) and math.isfinite(y):
            places[re.split(r"[/\\]", name.strip())[-1]] = (x, y)
    return places
