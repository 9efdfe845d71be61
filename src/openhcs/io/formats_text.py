"""JSON, plain text and plain bytes."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from openhcs.io.formats import Format, check_room, read_text_bytes, reading

if TYPE_CHECKING:
    from pathlib import Path

DEPTH = 200
"""Levels of lists and dicts that are written."""
LONGEST_NUMBER = 4000
"""Digits of the longest integer; Python itself reads no more than 4300."""


def json_reason(value: Any, depth: int = 0) -> str | None:
    """Return why a value would not come back from JSON as it was, or None."""
    if depth > DEPTH:
        return f"it is more than {DEPTH} levels deep"
    if isinstance(value, list):
        return next((why for one in value if (why := json_reason(one, depth + 1)) is not None), None)
    if isinstance(value, dict):
        wrong = next((key for key in value if type(key) is not str), None)
        if wrong is not None:
            return f"the key {wrong!r} is no text"
        return next((why for one in value.values() if (why := json_reason(one, depth + 1)) is not None), None)
    return scalar_reason(value)


def scalar_reason(value: Any) -> str | None:
    """Return why a single value is not one JSON knows, or None."""
    if value is None or type(value) in (bool, str):
        return None
    if type(value) is int:
        return None if value.bit_length() < LONGEST_NUMBER * math.log2(10) else "an integer has too many digits"
    if type(value) is float:
        return None if math.isfinite(value) else f"JSON has no {value!r} (None stands for a missing number)"
    if isinstance(value, tuple):
        return "a tuple would come back as a list"
    return f"JSON has no {type(value).__name__}"


def encode_json(value: Any) -> bytes:
    """Return indented JSON; text is kept readable where UTF-8 can say it."""
    try:
        return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except UnicodeEncodeError:
        return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()


def decode_json(path: Path) -> Any:
    """Return the value."""
    data = read_text_bytes(path, "JSON document")
    with reading(path, "JSON document", (ValueError, RecursionError)):
        return json.loads(data)


def text_reason(value: Any) -> str | None:
    """Return why a value is no text that UTF-8 can hold, or None."""
    if type(value) is not str:
        return f"it is a {type(value).__name__}, not text"
    try:
        value.encode()
    except UnicodeEncodeError as error:
        return f"character {error.start} is half of a pair, which UTF-8 has no bytes for"
    return None


def decode_text(path: Path) -> str:
    """Return the text, line ends as they are."""
    with reading(path, "UTF-8 text", (UnicodeDecodeError,)):
        return decode_bytes(path).decode()


def bytes_reason(value: Any) -> str | None:
    """Return why a value is no run of bytes, or None."""
    if isinstance(value, (bytes, bytearray)):
        return None
    return f"it is a {type(value).__name__}, not bytes"


def decode_bytes(path: Path) -> bytes:
    """Return the bytes."""
    with reading(path, "file", ()), open(path, "rb") as file:
        check_room(file.seek(0, 2), path)
        file.seek(0)
        return file.read()


JSON = Format(name="JSON", can_hold=json_reason, encode=encode_json, decode=decode_json)
TXT = Format(name="text", can_hold=text_reason, encode=str.encode, decode=decode_text)
BIN = Format(name="bytes", can_hold=bytes_reason, encode=bytes, decode=decode_bytes)
