"""Patterns of file names: ``{well}_s{site}_w{channel}.tif``, matched whole and in linear time.

A field takes what fits its kind: ``{well}`` a well, ``{row}`` letters or a number and ``{column}`` a
number where the two stand apart, ``{site}``, ``{z}`` and ``{t}`` digits, ``{channel}`` and ``{plate}``
any text as short as possible; ``*`` takes anything, nothing included.
None of them takes a slash. A pattern with a slash is held against the path below the folder, any
other against the file's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openhcs.core.wells import parse_well, row_index, well_name
from openhcs.errors import InvalidValue, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS = ("well", "site", "channel", "z", "t", "plate", "row", "column")
LONGEST = 255
"""Letters of the longest pattern: as many as a file name has."""
_TEXTS = {"channel", "plate", "*"}
_WELL = re.compile(r"(?:A[A-F]|[A-Z])[ -]{0,3}(?:0{0,2}[1-9]|0?[1-3][0-9]|0?4[0-8])(?![0-9])", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,9}")
_ROW = re.compile(r"(?:A[A-F]|[A-Z])(?![A-Za-z])|(?:0{0,2}[1-9]|0?[12][0-9]|0?3[0-2])(?![0-9])", re.IGNORECASE)
_COLUMN = re.compile(r"(?:0{0,2}[1-9]|0?[1-3][0-9]|0?4[0-8])(?![0-9])")
_FORMS = {"well": _WELL, "row": _ROW, "column": _COLUMN, **dict.fromkeys(("site", "z", "t"), _NUMBER)}
_PART = re.compile(r"\{(?P<field>[^{}]*)\}|(?P<any>\*+)|(?P<brace>[{}])|(?P<literal>[^{}*]+)")


def well_of(values: Mapping[str, str]) -> str | None:
    """Return the well that fields name, None where they name none.

    >>> well_of({"row": "8", "column": "12"}), well_of({"well": "c - 5"})
    ('H12', 'C05')
    """
    if "well" in values:
        return well_name(*parse_well(values["well"]))
    if "row" not in values or "column" not in values:
        return None
    row = values["row"]
    return well_name(int(row) - 1 if row.isdigit() else row_index(row), int(values["column"]) - 1)


@dataclass(frozen=True, slots=True)
class _Token:
    """A literal text, or a field (``*`` too) with the literal that must follow it."""

    kind: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern of file names.

    Raises
    ------
    InvalidValue
        it has no field, an unknown one, or two that nothing keeps apart.
    """

    text: str
    _tokens: tuple[_Token, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_tokens", _tokens(self.text))

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields, each once, as they stand."""
        return tuple(dict.fromkeys(token.kind for token in self._tokens if token.kind in FIELDS))

    def match(self, path: str) -> dict[str, str] | None:
        """Return the text of each field, or None where the path is not of this pattern.

        >>> Pattern("{well}_s{site}_w{channel}.tif").match("day 1/B03_s2_wDAPI.tif")
        {'well': 'B03', 'site': '2', 'channel': 'DAPI'}
        """
        text = path if "/" in self.text else path.rpartition("/")[2]
        return _Match(self._tokens, text).run()

    def format(self, values: Mapping[str, object]) -> str:
        """Return the name that has these values; nothing stands where ``*`` is."""
        return "".join(
            token.text if token.kind == "" else "" if token.kind == "*" else str(values[token.kind])
            for token in self._tokens
        )


def _tokens(text: str) -> tuple[_Token, ...]:
    if len(text) > LONGEST:
        raise InvalidValue(f"the pattern has {len(text)} letters; no more than {LONGEST} are read: {text[:40]!r} …")
    tokens: list[_Token] = []
    for part in _PART.finditer(text):
        if part["brace"]:
            raise InvalidValue(f"pattern {text!r}: a brace stands alone; a field is written {{well}}")
        kind = "" if part["literal"] else "*" if part["any"] else part["field"]
        if kind not in {"", "*", *FIELDS}:
            raise InvalidValue(f"pattern {text!r} has a field {{{kind}}}; {suggest(kind, FIELDS)}")
        last = tokens[-1].kind if tokens else ""
        if last and kind and not (last == "*" or (kind == "*" and last not in _TEXTS)):
            raise InvalidValue(f"pattern {text!r}: nothing stands between {{{last}}} and {{{kind}}} to keep them apart")
        if last in _FORMS and (part["literal"] or "")[:1].isdigit():
            raise InvalidValue(f"pattern {text!r}: a digit right after {{{last}}} is taken as a part of it")
        tokens.append(_Token(kind, part["literal"] or ""))
    kinds = {token.kind for token in tokens}
    if len(kinds & {"row", "column"}) == 1:
        raise InvalidValue(f"pattern {text!r}: {{row}} and {{column}} name a well only together")
    if not kinds & set(FIELDS):
        known = ", ".join(f"{{{name}}}" for name in FIELDS)
        raise InvalidValue(f"pattern {text!r} has no field; fields are {known}, and * stands for anything")
    return tuple(tokens)


class _Match:
    """One text held against tokens.

    A text field tries ever longer ends. Its later starts can reach only ends that an earlier start
    has tried, so a start behind one that failed fails at once: that keeps the time linear.
    """

    def __init__(self, tokens: tuple[_Token, ...], text: str) -> None:
        self._tokens = tokens
        self._text = text
        self._failed = [len(text) + 1] * (len(tokens) + 1)
        self._found: list[tuple[str, str]] = []

    def run(self) -> dict[str, str] | None:
        if not self._from(0, 0):
            return None
        values: dict[str, str] = {}
        for name, value in reversed(self._found):
            if values.setdefault(name, value) != value:
                return None
        return values

    def _from(self, number: int, start: int) -> bool:
        """Match the tokens from ``number`` on at ``start``, whole; fields are noted from the last back."""
        if number == len(self._tokens):
            return start == len(self._text)
        if start >= self._failed[number]:
            return False
        token = self._tokens[number]
        if token.kind in _TEXTS:
            matched = self._text_field(number, start)
            if not matched:
                self._failed[number] = start
            return matched
        end = self._end(token, start)
        if end < 0 or not self._from(number + 1, end):
            return False
        self._note(token, start, end)
        return True

    def _end(self, token: _Token, start: int) -> int:
        """Return where a token of one possible length ends, -1 where it does not match."""
        if token.kind == "":
            return start + len(token.text) if self._text.startswith(token.text, start) else -1
        match = _FORMS[token.kind].match(self._text, start)
        return match.end() if match else -1

    def _text_field(self, number: int, start: int) -> bool:
        token = self._tokens[number]
        least = 0 if token.kind == "*" else 1
        border = self._text.find("/", start)
        border = len(self._text) if border < 0 else border
        last = number + 1 == len(self._tokens)
        end = border if last else start + least
        after = "" if last else self._tokens[number + 1].text
        while start + least <= end <= border:
            end = self._text.find(after, end, border + len(after))
            if end < 0:
                return False
            if self._from(number + 1, end):
                self._note(token, start, end)
                return True
            end += 1
        return False

    def _note(self, token: _Token, start: int, end: int) -> None:
        if token.kind in FIELDS:
            self._found.append((token.kind, self._text[start:end]))
