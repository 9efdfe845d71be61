"""Colours of channels: six hexadecimal digits from what is recorded, a name or a wavelength."""

from __future__ import annotations

import colorsys
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openhcs.core.plate import Channel

CYCLE = ("00FFFF", "FF00FF", "FFFF00", "00FF00", "FF0000", "0000FF", "FFFFFF")
_HEX = re.compile(r"#?([0-9A-Fa-f]{6})(?:[0-9A-Fa-f]{2})?")
_NAMES = {
    "dapi": "0000FF", "hoechst": "0000FF", "bfp": "0000FF", "blue": "0000FF",
    "cfp": "00FFFF", "cyan": "00FFFF",
    "fitc": "00FF00", "gfp": "00FF00", "alexa488": "00FF00", "green": "00FF00",
    "yfp": "FFFF00", "yellow": "FFFF00",
    "tritc": "FF8000", "cy3": "FF8000", "rhodamine": "FF8000", "orange": "FF8000",
    "texasred": "FF0000", "mcherry": "FF0000", "rfp": "FF0000", "red": "FF0000",
    "cy5": "FF00FF", "alexa647": "FF00FF", "farred": "FF00FF", "magenta": "FF00FF",
    "brightfield": "FFFFFF", "transmitted": "FFFFFF", "phase": "FFFFFF", "dic": "FFFFFF", "tl": "FFFFFF",
}  # fmt: skip
_GOLDEN = round(2**64 * 0.6180339887498949)
"""The golden section of a turn, in steps of which 2**64 make one turn."""
_SHADES = ((1.0, 1.0), (2 / 3, 1.0), (2 / 3, 0.9))
"""Saturation and brightness."""
_SPECTRUM = ((450, "0000FF"), (495, "00FFFF"), (550, "00FF00"), (580, "FFFF00"), (610, "FF8000"), (660, "FF0000"))


def channel_color(channel: Channel, place: int = 0) -> str:
    """Return a channel's colour: as recorded, else by name, by emission, by its place in line.

    >>> from openhcs.core.plate import Channel
    >>> channel_color(Channel(number=1, name="DAPI")), channel_color(Channel(number=2, name="w2", emission_nm=525))
    ('0000FF', '00FF00')
    """
    if channel.color and (found := _HEX.fullmatch(channel.color)):
        return found[1].upper()
    words = re.sub(r"[^a-z0-9]", "", channel.name.lower())
    # Longest first, so that "farred" is not read as "red".
    for name in sorted(_NAMES, key=len, reverse=True):
        if name == words or (len(name) > 2 and name in words):
            return _NAMES[name]
    if channel.emission_nm:
        return wavelength_color(channel.emission_nm)
    return CYCLE[place % len(CYCLE)]


def label_color(value: int) -> tuple[int, int, int, int]:
    """Return the colour (red, green, blue, opacity) of the object with a number, the same everywhere.

    Hues go round by the golden section, so numbers near to each other get hues far apart; three
    shades tell those apart that come round to nearly the same hue.

    >>> label_color(1), label_color(2)
    ((85, 135, 255, 255), (166, 230, 77, 255))
    """
    turn = value * _GOLDEN % 2**64 / 2**64
    saturation, brightness = _SHADES[value % len(_SHADES)]
    red, green, blue = colorsys.hsv_to_rgb(turn, saturation, brightness)
    return round(red * 255), round(green * 255), round(blue * 255), 255


def wavelength_color(emission_nm: float) -> str:
    """Return the display colour of light of a wavelength in nm; beyond 660 nm magenta."""
    return next((color for limit, color in _SPECTRUM if emission_nm < limit), "FF00FF")
