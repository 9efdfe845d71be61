"""JSON documents: ours as bytes, those of strangers parsed after a look at how many values they would make."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from openhcs.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_VALUES = 2_000_000
"""Values of the largest document: lists and objects take a hundred bytes of memory for two of text."""


def parse_json(data: bytes, path: object) -> Any:
    """Return the value that a JSON document holds.

    Raises
    ------
    FormatError
        it is no JSON, nests too deep, or holds too many values.

    Examples
    --------
    >>> parse_json(b'{"a": [1, 2]}', "a.json")
    {'a': [1, 2]}
    """
    values = sum(map(data.count, (b",", b"[", b"{")))
    if values > MOST_VALUES:
        raise FormatError(f"{path} holds {values} values; a document has no more than {MOST_VALUES}", path=path)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is no JSON document: {error}", path=path) from error


def json_bytes(document: Mapping[str, Any]) -> bytes:
    """Return a document as it is stored, the same for the same content: in one line, UTF-8, no NaN.

    Examples
    --------
    >>> json_bytes({"a": [1, 2], "µ": None}).decode()
    '{"a":[1,2],"µ":null}'
    """
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
