"""Image records of a Harmony index that are written like one before are read by pattern, all at once.

An index of 27,648 images has a million elements. Their records differ in a few texts only, so a pattern
made from a record that was read element by element finds those like it, four times as fast. It takes
nothing that could be read in two ways: plain elements one after another, without comments or empty ones,
numbers in range, no entities in what is kept. Whatever else comes is left to the parser, which also checks every byte.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from openhcs.microscopes.harmony.model import DEFAULTS, MAX_COLUMNS, MAX_ROWS, REALS, TEXTS, WHOLES, HarmonyImage

if TYPE_CHECKING:
    from collections.abc import Container

MOST_PATTERNS = 16
CLOSING = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?Image[ \t\r\n]*>")
LIST = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?Images[ \t\r\n/>]")
_SPACE = rb"[ \t\r\n]*"
_OPENING = re.compile(rb"(<[^<>]*[^<>/]>)" + _SPACE)
_LEAF = re.compile(
    rb"(<((?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*))(?:[ \t\r\n][^<>]*)?>)[^<]*(</\2[ \t\r\n]*>)" + _SPACE
)
_ENCODING = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding[ \t\r\n]*=[ \t\r\n]*["']([^"']*)""")
_DIGITS = {MAX_ROWS: rb"[1-9][0-9]?", MAX_COLUMNS: rb"[1-9][0-9]{0,2}"}
_REAL = rb"-?[0-9]{1,40}(?:\.[0-9]{0,40})?(?:[eE][-+]?[0-9]{1,2})?"
_FIELDS = (*WHOLES, *REALS, *TEXTS)


def is_utf8(data: bytes) -> bool:
    """Return whether a document says that it is UTF-8, or nothing about it."""
    said = _ENCODING.match(data[:1024])
    return said is None or said[1].lower() in {b"utf-8", b"us-ascii", b"ascii"}


class Patterns:
    """The ways in which image records of one document are written."""

    def __init__(self) -> None:
        self._known: list[re.Pattern[bytes]] = []

    def read(self, data: bytes, start: int, end: int, channels: Container[int]) -> tuple[list[HarmonyImage], int]:
        """Return the images that follow a record and are written like it or one before, and where they end.

        Parameters
        ----------
        start, end
            the record, read by the parser.
        channels
            known ones: the first image of another, which tells of it, is left to the parser.
        """
        known = self._known
        if len(known) < MOST_PATTERNS and not any(pattern.fullmatch(data, start, end) for pattern in known):
            made = _pattern(data[start:end])
            if made is not None and made.fullmatch(data, start, end):
                known.append(made)
        images: list[HarmonyImage] = []
        while True:
            match = next((found for pattern in known if (found := pattern.match(data, end))), None)
            if match is None:
                return images, end
            image = _image(match)
            if image.channel not in channels:
                return images, end
            images.append(image)
            end = match.end()


def _image(match: re.Match[bytes]) -> HarmonyImage:
    row, column, field, plane, timepoint, channel, flim, x, y, z, offset, url, time, state = match.group(*_FIELDS)
    return HarmonyImage(
        int(row),
        int(column),
        int(field),
        int(plane or DEFAULTS["PlaneID"]),
        int(timepoint or DEFAULTS["TimepointID"]),
        int(channel),
        int(flim or DEFAULTS["FlimID"]),
        float(x) if x else None,
        float(y) if y else None,
        float(z) if z else None,
        float(offset) if offset else None,
        _text(url),
        _text(time),
        _text(state),
    )


def _text(raw: bytes) -> str:
    """Return a text; the parser, which sees it next, refuses what is no UTF-8 and tells the place."""
    return raw.decode("utf-8", "replace").strip()


def _pattern(record: bytes) -> re.Pattern[bytes] | None:
    """Return a pattern of records with the same elements in the same order, or None for one that is not plain."""
    opening = _OPENING.match(record)
    if opening is None:
        return None
    parts = [_SPACE, re.escape(opening[1])]
    at = opening.end()
    left = list(_FIELDS)
    while leaf := _LEAF.match(record, at):
        name = leaf[3].decode()
        if name in left:
            left.remove(name)
            parts.append(_SPACE + re.escape(leaf[1]) + _inside(name) + re.escape(leaf[4]))
        elif name in _FIELDS:
            return None
        else:
            parts.append(_SPACE + re.escape(leaf[1]) + rb"[^<]*" + re.escape(leaf[4]))
        at = leaf.end()
    if not CLOSING.fullmatch(record, at):
        return None
    parts += [_SPACE, re.escape(record[at:])]
    parts += [b"(?P<%s>)" % name.encode() for name in left]
    return re.compile(b"".join(parts))


def _inside(name: str) -> bytes:
    """Return the pattern of a child's text: what can be read in one way only."""
    if name in TEXTS:
        return b"(?P<%s>[^<&\\r]*)" % name.encode()
    text = _REAL if name in REALS else _DIGITS.get(WHOLES[name], rb"[0-9]{1,6}")
    return _SPACE + b"(?P<%s>%s)" % (name.encode(), text) + _SPACE
