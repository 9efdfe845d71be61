"""The text in which Harmony keeps the profiles of a channel's light: nearly JSON, names without quotes.

``{Background: {Character: NonFlat, Mean: 1039.1, NonFlatness: {Random: INF}, Profile: {Coefficients:
[[1.2], [0.1, -0.2]], Dims: [1080, 1080], Origin: [539.5, 539.5], Scale: [0.0009, 0.0009], Type:
Polynomial}, Quality: 1.0}, Channel: 1, ChannelName: Alexa 647, Version: Acapella:2013}``; JSON is read
too. Names are told from values by what stands around them, never by a comma: a channel's name may hold
commas, brackets and colons. Length, depth and the number of values are bounded.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from openhcs.core.plate import FlatField
from openhcs.errors import FormatError

MAX_TEXT, MAX_DEPTH, MAX_VALUES = 2**20, 16, 20_000
MAX_DEGREE = 15
MAX_PIXELS = 10**6
KEYS = (
    *("Background", "Foreground", "Character", "Mean", "NoiseConst", "NonFlatness", "Corrected", "Original", "Random"),
    *("Profile", "Coefficients", "Dims", "Origin", "Scale", "Type", "Quality", "Channel", "ChannelName"),
    *("ProfileSource", "Version"),
)
"""Names that may follow a text of several words; others are taken for a part of it."""
NAMES = ("ChannelName",)
"""Texts of the outermost braces that people write: they may hold whatever separates values."""
_SPACE = re.compile(r"[ \t\r\n]*")
_KEY = re.compile(r'(?:([A-Za-z_][A-Za-z0-9_]*)|"([^"\\]*)")[ \t\r\n]*:')
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"(?=[ \t\r\n]*(?:[,}\]]|\Z))', re.DOTALL)
_ENTRY = re.compile(r"[^,\[\]{}]*")
_NAME = r'(?:[A-Za-z_][A-Za-z0-9_]*|"[^"\\]*")[ \t\r\n]*:'
_KNOWN = rf'(?:{"|".join(KEYS)}|"(?:{"|".join(KEYS)})")[ \t\r\n]*:'
_SIMPLE = re.compile(rf'[^\s,{{}}\[\]"]+(?=[ \t\r\n]*(?:\}}|,[ \t\r\n]*{_NAME}))')
_NEXT = re.compile(rf",[ \t\r\n]*{_KNOWN}")
_TEXT_END = re.compile(rf",[ \t\r\n]*{_KNOWN}|\}}(?=[ \t\r\n]*(?:[}}\]]|\Z|,[ \t\r\n]*{_NAME}))")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_WORDS = {"INF": math.inf, "-INF": -math.inf, "+INF": math.inf, "NAN": math.nan, "INFINITY": math.inf}


def parse_profiles(text: str) -> dict[str, Any]:
    """Return what a profile's text says: numbers as floats, words and names as text.

    Raises
    ------
    FormatError
        it is no such text, or too long, deep or large; the place is named.

    >>> parse_profiles("{Channel: 1, ChannelName: 405ex, 570-630-em), Version: Acapella:2013}")
    {'Channel': 1.0, 'ChannelName': '405ex, 570-630-em)', 'Version': 'Acapella:2013'}
    """
    if len(text) > MAX_TEXT:
        raise FormatError(f"the flat-field profile has {len(text)} characters, which is more than {MAX_TEXT}")
    return _Parser(text).whole()


def read_flat_field(text: str, kind: str = "Background") -> FlatField | None:
    """Return the polynomial of a profile, or None where the microscope found the light even or not known.

    Parameters
    ----------
    kind
        "Background": light without objects, which every index that has profiles tells; or "Foreground".

    Raises
    ------
    FormatError
        the text is damaged, or its profile is no polynomial that can be evaluated.
    """
    told = parse_profiles(text).get(kind)
    profile = told.get("Profile") if isinstance(told, dict) else None
    if not isinstance(profile, dict):
        return None
    form = profile.get("Type")
    if form == "Identity":
        return None
    if form != "Polynomial":
        raise FormatError(f"the flat-field profile is of type {form!r:.40}, and only Polynomial is read")
    rows = profile.get("Coefficients")
    if not isinstance(rows, list) or not 0 < len(rows) <= MAX_DEGREE + 1:
        raise FormatError(
            f"the flat-field profile's {kind}: Coefficients are lists of numbers, up to degree {MAX_DEGREE}"
        )
    coefficients = tuple(
        _numbers(row, f"the flat-field profile's {kind}: Coefficients of degree {degree}")
        for degree, row in enumerate(rows)
    )
    if any(len(row) != degree + 1 for degree, row in enumerate(coefficients)):
        counts = [len(row) for row in coefficients]
        raise FormatError(f"the flat-field profile's {kind}: Coefficients of degree n are n + 1 numbers, not {counts}")
    across, down = _pair(profile, "Dims", kind)
    if not all(value == int(value) and 1 <= value <= MAX_PIXELS for value in (across, down)):
        raise FormatError(
            f"the flat-field profile's {kind}: Dims are pixels from 1 to {MAX_PIXELS}, not {across}, {down}"
        )
    scale = _pair(profile, "Scale", kind)
    if not all(scale):
        raise FormatError(f"the flat-field profile's {kind}: Scale is 0")
    return FlatField(
        coefficients=coefficients,
        origin=_pair(profile, "Origin", kind),
        scale=scale,
        shape=(int(down), int(across)),
    )


def _pair(profile: dict[str, Any], name: str, kind: str) -> tuple[float, float]:
    values = _numbers(profile.get(name), f"the flat-field profile's {kind}: {name}")
    if len(values) != 2:
        raise FormatError(f"the flat-field profile's {kind}: {name} are 2 numbers, not {len(values)}")
    return values[0], values[1]


def _numbers(values: object, what: str) -> tuple[float, ...]:
    if not isinstance(values, list) or not all(isinstance(one, float) and math.isfinite(one) for one in values):
        raise FormatError(f"{what}: {str(values)[:60]!r} are not numbers")
    return tuple(values)


class _Parser:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._count = 0

    def whole(self) -> dict[str, Any]:
        self._skip()
        if self._next() != "{":
            raise self._wrong("'{'")
        found: dict[str, Any] = self._object(1)
        self._skip()
        if self._at < len(self._text):
            raise self._wrong("the end")
        return found

    def _value(self, depth: int, *, listed: bool) -> Any:
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_VALUES:
            raise FormatError(
                f"the flat-field profile nests deeper than {MAX_DEPTH} or has more than {MAX_VALUES} values"
            )
        if self._next() == "{":
            return self._object(depth)
        if self._next() == "[":
            return self._list(depth)
        quoted = _QUOTED.match(self._text, self._at)
        if quoted:
            self._at = quoted.end()
            return _unquoted(quoted[0])
        return _meaning(self._bare(listed=listed))

    def _name(self) -> str:
        """Return a text that may hold anything: up to the next known name, or to the last '}' of all."""
        quoted = _QUOTED.match(self._text, self._at)
        if quoted:
            self._at = quoted.end()
            return _unquoted(quoted[0])
        start, known = self._at, _NEXT.search(self._text, self._at)
        self._at = known.start() if known else max(self._text.rfind("}"), start)
        return self._text[start : self._at].strip()

    def _bare(self, *, listed: bool) -> str:
        """Return a value without quotes: in a list up to a comma, after a name up to the next name or the end."""
        start = self._at
        whole = (_ENTRY if listed else _SIMPLE).match(self._text, start)
        if whole is not None:
            self._at = whole.end()
        else:
            end = _TEXT_END.search(self._text, start)
            if end is None:
                raise self._wrong("a text with a '}' after it")
            self._at = end.start()
        return self._text[start : self._at].strip()

    def _object(self, depth: int) -> dict[str, Any]:
        self._at += 1
        found: dict[str, Any] = {}
        self._skip()
        if self._next() == "}":
            self._at += 1
            return found
        while True:
            self._skip()
            key = _KEY.match(self._text, self._at)
            if key is None:
                raise self._wrong("a name with a ':'")
            self._at = key.end()
            self._skip()
            name = key[1] or key[2] or ""
            found[name] = self._name() if depth == 1 and name in NAMES else self._value(depth + 1, listed=False)
            if self._ends("}"):
                return found

    def _list(self, depth: int) -> list[Any]:
        self._at += 1
        found: list[Any] = []
        self._skip()
        if self._next() == "]":
            self._at += 1
            return found
        while True:
            self._skip()
            found.append(self._value(depth + 1, listed=True))
            if self._ends("]"):
                return found

    def _ends(self, close: str) -> bool:
        """Pass what follows a value: False after a comma, True after the closing bracket."""
        self._skip()
        mark = self._next()
        if mark not in {",", close}:
            raise self._wrong(f"',' or {close!r}")
        self._at += 1
        return mark == close

    def _skip(self) -> None:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _wrong(self, wanted: str) -> FormatError:
        near = repr(self._text[self._at : self._at + 20]) if self._at < len(self._text) else "its end"
        return FormatError(
            f"the flat-field profile is damaged: at character {self._at + 1} is {near}, where {wanted} belongs"
        )


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        return text[1:-1]


def _meaning(word: str) -> float | str:
    if _NUMBER.fullmatch(word):
        return float(word)
    return _WORDS.get(word.upper(), word)
