"""Damage by chance, the same for the same seed: bytes, text, JSON, XML and file names made wrong on purpose."""

from __future__ import annotations

import json
import random
import re
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NUMBERS = (
    *("0", "-1", "1", "2", "255", "65536", "2147483647", "2147483648", "4294967296", "9223372036854775808"),
    *("1000000000000", "-9223372036854775809", "1" + "0" * 40, "9" * 5000, "1e308", "1e999", "-1e999", "1.5", "0.1"),
    *("NaN", "nan", "inf", "Infinity", "-0", "007", "0x10", "1_000", "٣", "²", "1e-400", "true", "null", '""'),
)
"""What stands where a number was."""
TEXTS = (
    *("", " ", "..", "../../outside", "../outside/secret.txt", "/etc/passwd", "a/../../b", ".", "a\\b", "C:\\x"),
    *(
        "\x00",
        "a\nb",
        "\u202etxt.exe",
        "\ud800",
        "é",
        "e\u0301",
        "CON",
        "nul.txt",
        "x" * 300,
        "x" * 70_000,
        "%s%n",
        "{}",
    ),
    *("{well}", "A01", "a1", "AF48", "ZZ999", "A0", "A-1", "A01:", "row:", "row:A-ZZ", "col:9-1", "0", "-1", "１"),
    *("uint16", "float128", "object", "|O", "<M8[ns]", "pickle", "blosc", "sharding_indexed", "0.4", "0.5", "0.9"),
    *("<!DOCTYPE a>", "&lol;", "&#0;", "&#x110000;", "]]>", "<![CDATA[", "cos\nsystem\n(S'x'\ntR."),
)
"""What stands where a text was."""
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**12, 10**400, 1.5, 1e308, float("nan"), float("inf")),
    *([], {}, [[]], [None], [0], [-1], [2**63], [1.5], [True], ["a"], {"a": 1}, [{}], [{"name": {}}], {"name": []}),
)
INTEGERS = (0, 1, 2, 7, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
_NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?")
_TAG = re.compile(rb"<[^<>]*>")
_TEXT = re.compile(rb'(?<=>)[^<>]+(?=<)|(?<=")[^"<>]*(?=")')
_WORD = re.compile(rb"[A-Za-z0-9_.-]+")
Rng = random.Random


def mutate(seed: int, samples: Sequence[bytes], kind: str) -> bytes:
    """Return one damaged form of one of the samples; ``kind`` is bytes, text, xml, json or name."""
    rng = random.Random(seed)
    data = rng.choice(samples)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        data = rng.choice(KINDS[kind])(rng, data, samples)
    return data


def _spot(rng: Rng, data: bytes) -> tuple[int, int]:
    # Headers lie at the front and indexes at the end, so these are struck more often.
    size = len(data)
    reach = rng.choice((16, 64, 512, size))
    start = rng.randrange(max(1, min(reach, size)))
    if rng.random() < 0.2:
        start = max(0, size - 1 - start)
    return start, min(size, start + rng.choice((1, 1, 2, 4, 8, 16, 64, 1024)))


def flip(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8)) if found else 0):
        found[_spot(rng, data)[0]] ^= 1 << rng.randrange(8)
    return bytes(found)


def insert(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    at = _spot(rng, data)[0]
    return data[:at] + rng.randbytes(rng.choice((1, 2, 4, 16, 256))) + data[at:]


def delete(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _spot(rng, data)
    return data[:start] + data[end:]


def double(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _spot(rng, data)
    return data[:end] + data[start:end] * rng.choice((1, 2, 50)) + data[end:]


def cut(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def splice(rng: Rng, data: bytes, samples: Sequence[bytes]) -> bytes:
    other = rng.choice(samples)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def integer(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    kind = rng.choice("BHIQ")
    packed = struct.pack(rng.choice("<>") + kind, rng.choice(INTEGERS) & (2 ** (8 * struct.calcsize(kind)) - 1))
    at = _spot(rng, data)[0]
    return data[:at] + packed + data[at + len(packed) :]


def fill(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _spot(rng, data)
    return data[:start] + bytes([rng.choice((0, 1, 255, rng.randrange(256)))]) * (end - start) + data[end:]


def _replaced(rng: Rng, data: bytes, pattern: re.Pattern[bytes], by: bytes) -> bytes:
    found = list(pattern.finditer(data))
    if not found:
        return data
    one = rng.choice(found)
    return data[: one.start()] + by + data[one.end() :]


def number(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    return _replaced(rng, data, _NUMBER, rng.choice(NUMBERS).encode())


def word(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    return _replaced(rng, data, _WORD, rng.choice(TEXTS).encode("utf-8", "surrogatepass"))


def other_word(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    return _replaced(rng, data, _WORD, rng.choice(_WORD.findall(data) or [b""]))


def line(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    at = rng.randrange(len(lines))
    lines[at : at + 1] = [lines[at]] * rng.choice((0, 0, 2, 30))
    return b"".join(lines)


def swap_lines(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return b"".join(lines)


def encoding(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    text = data.decode("utf-8", "replace")
    return text.encode(rng.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp1252")), "replace")


def xml_text(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    found = rng.choice((*NUMBERS, *TEXTS)).encode("utf-8", "surrogatepass")
    return _replaced(rng, data, _TEXT, found)


def xml_tag(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    tags = _TAG.findall(data) or [b"<a>"]
    return _replaced(rng, data, _TAG, rng.choice((b"", rng.choice(tags), b"<a>" * 200, rng.choice(tags) * 2)))


def xml_doctype(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    entity = rng.choice((b'<!ENTITY a "b">', b'<!ENTITY a SYSTEM "file:///etc/passwd">', b'<!ENTITY a "&a;&a;">'))
    head, middle, rest = data.partition(b"?>")
    return head + middle + b"<!DOCTYPE d [" + entity + b"]>" + rest.replace(b"</", b"&a;</", 1)


def json_value(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    """Change one value of a document: gone, of another type, extreme, nested, renamed or doubled."""
    try:
        document = json.loads(data)
        json.dumps(document)
    except (ValueError, RecursionError):
        return flip(rng, data, ())
    spots = _spots(document)
    if not spots:
        return json.dumps(rng.choice(VALUES)).encode()
    holder, key = rng.choice(spots)
    change = rng.randrange(8)
    if change == 0:
        del holder[key]
    elif change == 1 and isinstance(holder, dict):
        holder[rng.choice(TEXTS)] = holder.pop(key)
    elif change == 2:
        holder[key] = [holder[key]]
    elif change == 3 and isinstance(holder, list):
        holder.extend([holder[key]] * rng.choice((1, 3, 40)))
    elif change == 4:
        holder[key] = rng.choice(TEXTS)
    elif change == 5:
        other, place = rng.choice(spots)
        holder[key] = json.loads(json.dumps(other.get(place) if isinstance(other, dict) else other[place]))
    else:
        holder[key] = rng.choice(VALUES)
    try:
        return json.dumps(document).encode()
    except RecursionError:
        return data


def _spots(value: Any) -> list[tuple[Any, Any]]:
    """Return each place in a document: what holds it, and its key."""
    found: list[tuple[Any, Any]] = []
    rest = [value]
    while rest:
        one = rest.pop()
        keys = one.keys() if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        found += [(one, key) for key in keys]
        rest += [one[key] for key in keys]
    return found


def json_deep(rng: Rng, data: bytes, _: Sequence[bytes]) -> bytes:
    depth = rng.choice((50, 900, 3000, 60_000))
    begin, end = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return _replaced(rng, data, _NUMBER, begin * depth + b"1" + end * depth)


RAW: tuple[Callable[[Rng, bytes, Sequence[bytes]], bytes], ...] = (
    flip,
    insert,
    delete,
    double,
    cut,
    splice,
    integer,
    fill,
)
PLAIN = (number, number, word, other_word, line, swap_lines, cut, flip, insert)
KINDS = {
    "bytes": (*RAW, flip, integer, integer),
    "text": (*PLAIN, encoding, delete),
    "name": (number, word, other_word, cut, flip, insert, double, splice),
    "xml": (*PLAIN, xml_text, xml_text, xml_text, xml_tag, xml_tag, xml_doctype, encoding, splice),
    "json": (json_value,) * 9 + (json_deep, number, word, cut, flip),
}
