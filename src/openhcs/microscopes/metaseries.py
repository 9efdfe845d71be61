"""MetaSeries: the text that MetaXpress writes into each TIFF's description.

Only ``<prop id=… value=…/>`` items are looked at, one by one, so no XML of a stranger is expanded.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

_PROP = re.compile(r'<(?:custom-)?prop id="([^"<>]{1,200})" type="[^"<>]{1,40}" value="([^"<>]*)"/>')
_EXPOSURE = re.compile(r"Exposure: ([0-9.]{1,12}) (ms|sec|s)\b")
MICROMETRES = {"um", "µm", "μm", "micron", "microns"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one plane says about itself: µm, nm and ms."""

    pixel_size_um: tuple[float, float] | None = None
    position_um: tuple[float, float] | None = None
    z_um: float | None = None
    illumination: str | None = None
    emission_nm: float | None = None
    exposure_ms: float | None = None
    acquired: str | None = None


def parse_metaseries(description: str) -> Facts:
    """Return what a TIFF's description says; what it does not say is None."""
    props = {key: html.unescape(value) for key, value in _PROP.findall(description)}
    return Facts(
        pixel_size_um=_pixel_size(props),
        position_um=_pair(_number(props, "stage-position-x"), _number(props, "stage-position-y")),
        z_um=_number(props, "z-position"),
        illumination=props.get("_IllumSetting_") or None,
        emission_nm=_number(props, "wavelength") or None,
        exposure_ms=_exposure(props.get("Description", "")),
        acquired=props.get("acquisition-time-local") or None,
    )


def _pixel_size(props: dict[str, str]) -> tuple[float, float] | None:
    calibrated = props.get("spatial-calibration-state", "on").lower() in {"on", "true", "1"}
    if not calibrated or props.get("spatial-calibration-units", "").lower() not in MICROMETRES:
        return None
    y, x = _number(props, "spatial-calibration-y"), _number(props, "spatial-calibration-x")
    return (y, x) if y and x and y > 0 and x > 0 else None


def _pair(x: float | None, y: float | None) -> tuple[float, float] | None:
    return None if x is None or y is None else (x, y)


def _number(props: dict[str, str], key: str) -> float | None:
    try:
        value = float(props[key])
    except (KeyError, ValueError):
        return None
    return value if abs(value) < 1e12 else None


def _exposure(text: str) -> float | None:
    match = _EXPOSURE.search(text)
    if match is None:
        return None
    try:
        return float(match[1]) * (1 if match[2] == "ms" else 1000)
    except ValueError:
        return None
