"""JSON documents of strangers: parsed after a look at how many values they would make."""

from __future__ import annotations

import json
from typing import Any

from openhcs.errors import FormatError

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
