"""The ``.jdce`` document of ImageXpress HCS.ai: how a plate was recorded, as JSON.

What it does not say, or says in another way than MetaXpress Acquire does, is None. Distances within the
plate are not read: some versions call millimetres µm. ``Times`` hold numbers of time points, though
their key says ms, and the offset of the time zone is always "0".
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openhcs.core.documents import parse_json
from openhcs.errors import FormatError
from openhcs.microscopes.metaxpress.metaseries import magnification_of, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping

MICRONS = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3}
MOST_WELLS, MOST_STEPS, MOST_WAVES, MOST_PIXELS = 99, 100_000, 1000, 2**20
_BINNING = re.compile(r"\s*([1-9][0-9]?)\s*[xX]\s*([1-9][0-9]?)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wavelength:
    """One wavelength: its number from 0, wavelengths of its filters in nm, how it was imaged."""

    number: int
    name: str
    excitation_nm: float | None
    emission_nm: float | None
    mode: str
    slices: int | None
    z_step_um: float | None

    @property
    def projection(self) -> bool:
        """Whether its images are computed over z, such as in the mode "Max Intensity Projection"."""
        return "projection" in self.mode.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Jdce:
    """What a document says.

    Parameters
    ----------
    plate
        what the plate is called, its barcode often.
    product
        what kind of plate it is.
    created
        the start by the clock of the instrument, without a zone.
    pixel_size_um, camera, binning
        (y, x); ``camera`` in pixels.
    time_points
        how many there are to be at every place; None where that is not told.
    tables
        paths of the tables of images, relative to the document.
    """

    plate: str
    product: str | None
    barcode: str | None
    instrument: str | None
    created: str | None
    rows: int | None
    columns: int | None
    pixel_size_um: tuple[float, float] | None
    camera: tuple[int, int] | None
    binning: tuple[int, int] | None
    objective: str | None
    magnification: float | None
    wavelengths: tuple[Wavelength, ...]
    z_step_um: float | None
    time_points: int | None
    complete: bool
    tables: tuple[str, ...]


def parse_jdce(data: bytes, path: str) -> Jdce:
    """Return what the bytes of a document say.

    Raises
    ------
    FormatError
        it is no JSON in UTF-8, or does not tell of a plate.
    """
    root = parse_json(data, path)
    stack = _at(root, "ImageStack")
    protocol = _at(stack, "AutoLeadAcquisitionProtocol")
    if not isinstance(stack, dict) or not isinstance(protocol, dict):
        raise FormatError(
            f"{path} is no .jdce as MetaXpress Acquire writes it: ImageStack.AutoLeadAcquisitionProtocol is not there",
            path=path,
        )
    plate, lens = _at(protocol, "Plate"), _at(protocol, "ObjectiveCalibration")
    size, z = _at(protocol, "Camera", "Size"), _at(protocol, "PlateMap", "ZDimensionParameters")
    objective = _text(lens, "ObjectiveName")
    waves = tuple(_wavelengths(_at(protocol, "Wavelengths")))
    step = next((wave.z_step_um for wave in waves if wave.z_step_um), None) or _real(z, "Step")
    camera = _whole(size, "Height", 1, MOST_PIXELS), _whole(size, "Width", 1, MOST_PIXELS)
    product = _text(plate, "Name") or _text(_at(stack, "SpecimenHolder"), "Label")
    return Jdce(
        plate=_text(stack, "PlateId") or "",
        product=product,
        barcode=_text(_at(stack, "SpecimenHolder"), "Barcode"),
        instrument=" ".join(_texts(_at(stack, "Application"), "Name", "SoftwareLabel")) or None,
        created=_created(_at(stack, "Creation")),
        rows=_whole(plate, "Rows", 1, MOST_WELLS),
        columns=_whole(plate, "Columns", 1, MOST_WELLS),
        pixel_size_um=_pixel_size(lens),
        camera=(camera[0], camera[1]) if camera[0] and camera[1] else None,
        binning=_binning(_text(_at(protocol, "Camera"), "Binning")),
        objective=objective,
        magnification=magnification_of(objective),
        wavelengths=waves,
        z_step_um=step or None,
        time_points=_time_points(_at(protocol, "PlateMap", "TimeSchedule")),
        complete=_at(protocol, "CollectionComplete") is not False,
        tables=_tables(_at(stack, "ImageMetadataFiles"), path),
    )


def _wavelengths(listed: Any) -> list[Wavelength]:
    found: dict[int, Wavelength] = {}
    for place, one in enumerate(listed[:MOST_WAVES] if isinstance(listed, list) else []):
        number = _whole(one, "Index", 0, MOST_WAVES)
        number = place if number is None else number
        if not isinstance(one, dict) or number in found:
            continue
        emission, excitation = _at(one, "EmissionFilter"), _at(one, "ExcitationFilter")
        found[number] = Wavelength(
            number=number,
            name=_text(emission, "Name") or _text(excitation, "Name") or str(number),
            excitation_nm=_wavelength(excitation),
            emission_nm=_wavelength(emission),
            mode=_text(one, "ImagingMode") or "",
            slices=_whole(one, "ZSlice", 1, MOST_STEPS),
            z_step_um=_real(one, "ZStep"),
        )
    return [found[number] for number in sorted(found)]


def _wavelength(told: Any) -> float | None:
    unit = _text(told, "Unit")
    return _real(told, "Wavelength") or None if unit in {None, "nm"} else None


def _time_points(schedule: Any) -> int | None:
    if _at(schedule, "Variable") is True:
        return None
    if _at(schedule, "Enabled") is False:
        return 1
    return _whole(schedule, "NumberOfTimepoints", 1, MOST_STEPS)


def _pixel_size(lens: Any) -> tuple[float, float] | None:
    unit = MICRONS.get(_text(lens, "Unit") or "")
    y, x = _real(lens, "PixelHeight"), _real(lens, "PixelWidth")
    if not unit or not y or not x or y <= 0 or x <= 0:
        return None
    return round(y * unit, 9), round(x * unit, 9)


def _binning(text: str | None) -> tuple[int, int] | None:
    match = _BINNING.fullmatch(text or "")
    return (int(match[2]), int(match[1])) if match else None


def _created(told: Any) -> str | None:
    moment = parse_time(" ".join(_texts(told, "Date", "Time")))
    return moment.isoformat() if moment else None


def _tables(listed: Any, path: str) -> tuple[str, ...]:
    names = (
        [one.replace("\\", "/").strip() for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    )
    for name in names:
        if name.startswith("/") or ":" in name or ".." in name.split("/"):
            raise FormatError(f"{path} names the table {name!r:.80}, which lies outside of its folder", path=path)
    return tuple(dict.fromkeys(name for name in names if name))


def _at(value: Any, *keys: str) -> Any:
    """Return what lies below keys, None where something on the way is no object."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: Any, key: str) -> str | None:
    told = _at(value, key)
    return told.strip() or None if isinstance(told, str) else None


def _texts(value: Mapping[str, Any] | None, *keys: str) -> list[str]:
    return [text for key in keys if (text := _text(value, key))]


def _real(value: Any, key: str) -> float | None:
    told = _at(value, key)
    return float(told) if type(told) in (int, float) and abs(told) < 1e12 and math.isfinite(told) else None


def _whole(value: Any, key: str, low: int, high: int) -> int | None:
    told = _real(value, key)
    return int(told) if told is not None and told == int(told) and low <= told <= high else None
