"""Small JSON files that carry the digest of their own bytes: a flipped bit anywhere in one is found.

The file is one JSON object whose first key, ``xxh3``, is the digest (64 bits, 16 hexadecimal digits)
of the object without it, byte for byte.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import xxhash

from openhcs.core.documents import parse_json
from openhcs.errors import FormatError
from openhcs.io.strangers import read_plain
from openhcs.ledger.shapes import checked_shape

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LARGEST = 128 * 2**20
_SEAL = re.compile(rb'\{"xxh3":"([0-9a-f]{16})",')


def seal(content: Mapping[str, Any]) -> bytes:
    """Return the bytes of a file that holds ``content``."""
    return seal_text(json.dumps(content, separators=(",", ":"), allow_nan=False).encode())


def seal_text(body: bytes) -> bytes:
    """Return ``body``, a JSON object with at least one key, with its digest put first."""
    assert body.startswith(b"{"), "a sealed file holds one object"
    assert len(body) > 2, "and that is not empty"
    return b'{"xxh3":"%s",' % xxhash.xxh3_64_hexdigest(body).encode() + body[1:]


def unseal_text(data: bytes, path: Path) -> bytes:
    """Return what was sealed; `FormatError` if a single bit is another."""
    found = _SEAL.match(data)
    body = b"{" + data[found.end() :] if found else b""
    if found is None or xxhash.xxh3_64_hexdigest(body).encode() != found[1]:
        raise FormatError(f"{path} is damaged: it is not what was written to it", path=path)
    return body


def unseal(data: bytes, path: Path) -> dict[str, Any]:
    """Return the content of a sealed file."""
    content = parse_json(unseal_text(data, path), path)
    if not isinstance(content, dict):
        raise FormatError(f"{path} holds no JSON object", path=path)
    return content


def read_sealed(path: Path, shape: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the content of the sealed file at ``path``, of a shape of `openhcs.ledger.shapes`.

    Raises
    ------
    NotFound
        nothing is there.
    FormatError
        it was changed after it was written, or is of another shape, too large, or no plain file.
    StorageError
        the system refused to read it.
    """
    content = unseal(read_bytes(path), path)
    if shape is not None:
        checked_shape(content, shape, path)
    return content


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes, or raise what `read_sealed` raises."""
    return read_plain(path, limit=LARGEST, doing="read the ledger")
