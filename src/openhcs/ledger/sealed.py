"""Small JSON files that carry the digest of their own bytes: a flipped bit anywhere in one is found.

The file is one JSON object whose first key, ``xxh3``, is the digest (64 bits, 16 hexadecimal digits)
of the object without it, byte for byte.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import xxhash

from openhcs.errors import FormatError, from_oserror

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
    content = json.loads(unseal_text(data, path))
    assert isinstance(content, dict)
    return content


def read_sealed(path: Path) -> dict[str, Any]:
    """Return the content of the sealed file at ``path``.

    Raises
    ------
    NotFound
        nothing is there.
    FormatError
        it was changed after it was written.
    StorageError
        the system refused to read it.
    """
    return unseal(read_bytes(path), path)


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes, or raise what `read_sealed` raises."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise from_oserror(error, doing="read", path=path) from error
