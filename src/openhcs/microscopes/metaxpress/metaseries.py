"""What MetaXpress writes into each TIFF: MetaSeries in its description, or the tags of a MetaMorph stack.

Of MetaSeries only ``<prop id=… value=…/>`` items are looked at, one by one, so no XML of a stranger is
expanded. Older files hold a plain text there and tell the rest in tags (UIC).
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs.core.plate import ImageHeader

_PROP = re.compile(r'<(?:custom-)?prop id="([^"<>]{1,200})" type="[^"<>]{1,40}" value="([^"<>]*)"/>')
_EXPOSURE = re.compile(r"(?:Exposure: |^)([0-9.]{1,12}) (ms|sec|s)\b")
_BINNING = re.compile(r"Binning: ([0-9]{1,3}) x ([0-9]{1,3})")
_BARCODE = re.compile(r"^\s*Barcode:[ \t]*(\S[^\r\n]{0,200})", re.MULTILINE)
_TIME = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})[ T]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)")
_POWER = re.compile(r"\s*([0-9]{1,3}(?:\.[0-9]{1,2})?)\s?[xX]\b")
MICROMETRES = {"um", "µm", "μm", "micron", "microns"}
MOST_BINNING = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one plane says about itself: µm, nm and ms; None is not said.

    Parameters
    ----------
    pixel_size_um
        (y, x).
    position_um
        of the stage, (x, y).
    projection
        how the microscope computed it over z, such as "Maximum".
    z_step_um
        distance of the planes that it was computed of.
    acquired
        moment of recording by the microscope's clock.
    binning
        (y, x).
    """

    pixel_size_um: tuple[float, float] | None = None
    position_um: tuple[float, float] | None = None
    z_um: float | None = None
    z_step_um: float | None = None
    projection: str | None = None
    illumination: str | None = None
    image_name: str | None = None
    emission_nm: float | None = None
    exposure_ms: float | None = None
    objective: str | None = None
    magnification: float | None = None
    numerical_aperture: float | None = None
    binning: tuple[int, int] | None = None
    instrument: str | None = None
    barcode: str | None = None
    acquired: datetime | None = None


def facts_of(header: ImageHeader) -> Facts:
    """Return what an image's first page says, in either way."""
    return parse_stack(header.description, header.tags) if header.tags else parse_metaseries(header.description)


def parse_metaseries(description: str) -> Facts:
    """Return what a TIFF's description says; what it does not say is None."""
    told = {key: value for key, value in _PROP.findall(description) if value}
    if not told:
        return Facts(**_written(description))
    objective = _text(told, "_MagSetting_")
    written = _written(html.unescape(told.get("Description", "")))
    return Facts(
        pixel_size_um=_pixel_size(told),
        position_um=_pair(_number(told, "stage-position-x"), _number(told, "stage-position-y")),
        z_um=_number(told, "z-position"),
        z_step_um=_number(told, "Z Projection Step Size") or None,
        projection=_text(told, "Z Projection Method"),
        illumination=_text(told, "_IllumSetting_"),
        image_name=_text(told, "image-name"),
        emission_nm=_number(told, "wavelength") or None,
        exposure_ms=written["exposure_ms"] or _exposure(told.get("Exposure Time", "")),
        objective=objective,
        magnification=magnification_of(objective),
        numerical_aperture=_number(told, "_MagNA_") or None,
        binning=_binning(_number(told, "camera-binning-y"), _number(told, "camera-binning-x")) or written["binning"],
        instrument=_instrument(told),
        barcode=written["barcode"],
        acquired=parse_time(told.get("acquisition-time-local", "")),
    )


def parse_stack(description: str, tags: Mapping[str, Any]) -> Facts:
    """Return what the tags of a MetaMorph stack say, by the names that tifffile gives them, of its first plane."""
    told = {
        str(one["name"]): str(one["value"]) for one in _list(tags.get("PlaneProperty")) if isinstance(one, dict) and one
    }
    objective = _text(told, "_MagSetting_")
    written = _written(description)
    calibrated = tags.get("SpatialCalibration") and str(tags.get("CalibrationUnits", "")).lower() in MICROMETRES
    moment = tags.get("CreateTime") or next(iter(_list(tags.get("DatetimeCreated"))), None)
    across, along = _two(tags.get("CameraBin"))
    return Facts(
        pixel_size_um=_positive(_number(tags, "YCalibration"), _number(tags, "XCalibration")) if calibrated else None,
        position_um=_pair(*_two(next(iter(_list(tags.get("StagePosition"))), None))),
        z_um=_real(next(iter(_list(tags.get("AbsoluteZ"))), None)),
        illumination=_text(told, "_IllumSetting_") or _text(tags, "Name"),
        image_name=_text(tags, "Name"),
        emission_nm=_number(tags, "wavelength") or None,
        exposure_ms=written["exposure_ms"],
        objective=objective,
        magnification=magnification_of(objective),
        numerical_aperture=_number(told, "_MagNA_") or None,
        binning=_binning(_real(along), _real(across)) or written["binning"],
        instrument=_instrument(told),
        barcode=written["barcode"],
        acquired=moment if isinstance(moment, datetime) else None,
    )


def parse_time(text: str) -> datetime | None:
    """Return the moment that a text tells, without a zone; None where it tells none.

    >>> parse_time("20240709 13:13:03.006")
    datetime.datetime(2024, 7, 9, 13, 13, 3, 6000)
    """
    match = _TIME.match(text)
    if match is None:
        return None
    year, month, day, time = match.groups()
    clock, _, fraction = time.partition(".")
    try:
        return datetime.fromisoformat(f"{year}-{month}-{day}T{clock}.{fraction:0<6}")
    except ValueError:
        return None


def magnification_of(objective: str | None) -> float | None:
    """Return the power that an objective's name begins with, such as 40 of "40X Plan Apo Lambda"."""
    match = _POWER.match(objective or "")
    return float(match[1]) or None if match else None


def _written(text: str) -> dict[str, Any]:
    """Return what the free text of a description says."""
    binning = _BINNING.search(text)
    barcode = _BARCODE.search(text)
    return {
        "exposure_ms": _exposure(text),
        "binning": _binning(float(binning[2]), float(binning[1])) if binning else None,
        "barcode": barcode[1].strip() if barcode else None,
    }


def _pixel_size(told: Mapping[str, str]) -> tuple[float, float] | None:
    calibrated = told.get("spatial-calibration-state", "on").lower() in {"on", "true", "1"}
    if not calibrated or html.unescape(told.get("spatial-calibration-units", "")).lower() not in MICROMETRES:
        return None
    return _positive(_number(told, "spatial-calibration-y"), _number(told, "spatial-calibration-x"))


def _instrument(told: Mapping[str, str]) -> str | None:
    kind = next((key for key in told if key.startswith("ImageXpress ")), None)
    serial = _text(told, "Instrument Serial Number")
    if kind is None and serial is None:
        return None
    name = " ".join(kind.split()[:2]) if kind else "MetaXpress"
    return f"{name}, serial number {serial}" if serial else name


def _text(told: Mapping[str, Any], key: str) -> str | None:
    return html.unescape(str(told.get(key) or "")).strip() or None


def _list(values: Any) -> list[Any]:
    return list(values) if isinstance(values, (list, tuple)) else []


def _two(values: Any) -> tuple[Any, Any]:
    found = _list(values)
    return (found[0], found[1]) if len(found) == 2 else (None, None)


def _number(told: Mapping[str, Any], key: str) -> float | None:
    return _real(told.get(key))


def _real(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < 1e12 else None


def _pair(x: Any, y: Any) -> tuple[float, float] | None:
    across, down = _real(x), _real(y)
    return None if across is None or down is None else (across, down)


def _positive(y: float | None, x: float | None) -> tuple[float, float] | None:
    return (y, x) if y and x and y > 0 and x > 0 else None


def _binning(y: float | None, x: float | None) -> tuple[int, int] | None:
    if not y or not x or not (1 <= y <= MOST_BINNING and 1 <= x <= MOST_BINNING):
        return None
    return (int(y), int(x))


def _exposure(text: str) -> float | None:
    match = _EXPOSURE.search(text)
    if match is None:
        return None
    try:
        return float(match[1]) * (1 if match[2] == "ms" else 1000)
    except ValueError:
        return None
