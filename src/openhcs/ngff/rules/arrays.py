"""Rules for the documents of arrays, Zarr v2 and v3."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openhcs.errors import FormatError
from openhcs.ngff.rules.faults import is_kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.ngff.rules.faults import Faults

    Json = Mapping[str, Any]

MOST_AXES = 32
LARGEST = 2**62
"""Bytes of an array beyond all reason."""
CHUNK = 2**31
INDEX = 2**26
"""Bytes of a chunk, and of the index of a shard, over which readers refuse them."""
V3_CODECS = frozenset({"bytes", "blosc", "gzip", "zstd", "crc32c", "transpose", "sharding_indexed"})
V2_CODECS = frozenset({"blosc", "zlib", "gzip", "bz2", "lzma", "zstd", "lz4"})
_V3 = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64)|complex(64|128)")
_OTHER = re.compile(r"numpy\..+|string|bytes|variable_length_.+|struct.*|bfloat16|(u?int|float)[2-8](_.+)?|r[0-9]+")
_V2 = re.compile(r"([<>|])([biufc])([0-9]{1,2})")
_V2_KINDS = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex"}
_SPECIAL = {"NaN", "Infinity", "-Infinity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayFacts:
    """What an array's document says.

    Attributes
    ----------
    dtype
        as numpy names it; empty where it is not one of those.
    sides
        shape of one stored object.
    inner
        shape of one chunk in a shard, or None.
    separator, prefix
        how stored objects are called: prefix and place joined.
    index
        "start" or "end" of a shard, or empty where there is none or it cannot be read.
    checked
        whether the index of a shard has a crc32c.
    """

    shape: tuple[int, ...]
    dtype: str
    sides: tuple[int, ...]
    inner: tuple[int, ...] | None
    prefix: str
    separator: str
    names: tuple[str | None, ...] | None
    index: str
    checked: bool
    complete: bool
    zarr_format: int

    @property
    def grid(self) -> tuple[int, ...]:
        """How many objects lie along each axis."""
        return tuple(-(-side // step) for side, step in zip(self.shape, self.sides, strict=True))

    @property
    def chunks_per_shard(self) -> int:
        """How many entries the index of a shard has."""
        pairs = zip(self.sides, self.inner or self.sides, strict=True)
        return math.prod(-(-side // step) for side, step in pairs)


def check_array(document: Json, attributes: Json, zarr_format: int, faults: Faults) -> ArrayFacts | None:
    """Note what is wrong with an array's document; return what it says where enough of it is right."""
    shape = _sides(document, "shape", 0, "array-shape", faults)
    if zarr_format == 3:
        settings = _settings(document, "chunk_grid", "regular", faults)
        sides = None if settings is None else _sides(settings, "chunk_shape", 1, "array-chunks", faults)
        dtype, size = _v3_dtype(document, faults)
    else:
        sides = _sides(document, "chunks", 1, "array-chunks", faults)
        dtype, size = _v2_dtype(document, faults)
    inner, index, checked = (None, "", False)
    if zarr_format == 3:
        inner, index, checked = _codecs(document, faults)
    else:
        _v2_codecs(document, faults)
    _fill_value(document, dtype, zarr_format, faults)
    names = _v2_names(attributes) if zarr_format == 2 else _names(document, shape, faults)
    if shape is None or sides is None or not _fit(shape, sides, inner, size, faults):
        return None
    prefix, separator = _keys(document, zarr_format, faults)
    mark = attributes.get("openhcs")
    return ArrayFacts(
        shape=shape,
        dtype=dtype,
        sides=sides,
        inner=inner,
        prefix=prefix,
        separator=separator,
        names=names,
        index=index,
        checked=checked,
        complete=isinstance(mark, dict) and mark.get("complete") is True,
        zarr_format=zarr_format,
    )


def _sides(told: Json, key: str, least: int, code: str, faults: Faults) -> tuple[int, ...] | None:
    values = faults.get(told, key, list, "array")
    if values is None:
        return None
    if len(values) > MOST_AXES or not all(is_kind(value, int) and value >= least for value in values):
        faults.say(code, f"{key} is {values!r:.80}, no list of sizes of at least {least}")
        return None
    if any(value > LARGEST for value in values):
        faults.say(code, f"{key} is {values!r:.80}, beyond all reason")
        return None
    return tuple(values)


def _fit(
    shape: tuple[int, ...], sides: tuple[int, ...], inner: tuple[int, ...] | None, size: int, faults: Faults
) -> bool:
    if len(shape) != len(sides) or (inner is not None and len(inner) != len(sides)):
        faults.say("array-chunks", f"shape {shape}, chunks {inner or sides} and shards {sides} differ in length"[:200])
        return False
    if math.prod(shape) * size > LARGEST:
        faults.say("array-shape", f"the shape {shape} is beyond all reason"[:200])
        return False
    if inner is not None and any(side % step for side, step in zip(sides, inner, strict=True)):
        faults.say("array-chunks", f"shards {sides} are no multiple of chunks {inner}"[:200])
        return False
    if inner is not None and 16 * math.prod(side // step for side, step in zip(sides, inner, strict=True)) > INDEX:
        faults.say("array-chunks", f"shards {sides} of chunks {inner} have an index of over {INDEX} bytes"[:200])
        return False
    if math.prod(inner or sides) * size > CHUNK:
        faults.say("chunk-huge", f"a chunk has {math.prod(inner or sides) * size} bytes")
    return True


def _settings(told: Json, key: str, name: str, faults: Faults) -> Json | None:
    """Return the configuration of a named part of a v3 document."""
    part = faults.get(told, key, dict, "array")
    if part is None:
        return None
    if part.get("name") != name:
        faults.say("array-unread", f"{key} is {part.get('name')!r:.40}, only {name!r} is looked at")
        return None
    return faults.get(part, "configuration", dict, key)


def _v3_dtype(document: Json, faults: Faults) -> tuple[str, int]:
    dtype = document.get("data_type")
    if isinstance(dtype, str) and _V3.fullmatch(dtype):
        return dtype, 1 if dtype == "bool" else int(re.findall(r"\d+", dtype)[0]) // 8
    named = dtype.get("name") if isinstance(dtype, dict) else dtype
    other = isinstance(named, str) and (isinstance(dtype, dict) or _OTHER.fullmatch(named) is not None)
    faults.say("array-unread" if other else "array-dtype", f"data_type is {dtype!r:.60}")
    return "", 1


def _v2_dtype(document: Json, faults: Faults) -> tuple[str, int]:
    dtype = document.get("dtype")
    found = _V2.fullmatch(dtype) if isinstance(dtype, str) else None
    if found is None:
        unread = isinstance(dtype, list) or (isinstance(dtype, str) and re.fullmatch(r"[<>|][SUVOmM].{0,12}", dtype))
        faults.say("array-unread" if unread else "array-dtype", f"dtype is {dtype!r:.40}")
        return "", 1
    kind, size = _V2_KINDS[found[2]], int(found[3])
    name = "bool" if kind == "bool" else f"{kind}{8 * size}"
    if not _V3.fullmatch(name):
        faults.say("array-dtype", f"dtype is {dtype!r:.40}")
        return "", max(size, 1)
    return name, size


def _codecs(document: Json, faults: Faults) -> tuple[tuple[int, ...] | None, str, bool]:
    """Return (shape of the chunks in a shard, where its index lies, whether that has a checksum)."""
    entries = faults.entries(document, "codecs", "array", most=MOST_AXES)
    _known(entries, faults)
    for _, codec in entries:
        if codec.get("name") == "sharding_indexed":
            return _shard(faults.get(codec, "configuration", dict, "sharding_indexed") or {}, faults)
    return None, "", False


def _known(entries: Sequence[tuple[str, Json]], faults: Faults) -> None:
    names = [codec.get("name") for _, codec in entries]
    for name in names:
        if not isinstance(name, str):
            faults.say("array-codecs", f"a codec has the name {name!r:.40}")
        elif name not in V3_CODECS:
            faults.say("array-unread", f"the codec {name!r:.40} is not known")
    makers = [name for name in names if name in ("bytes", "sharding_indexed")]
    if len(makers) != 1 and all(name in V3_CODECS for name in names):
        faults.say("array-codecs", f"{len(makers)} codecs make bytes of numbers, not one: {names!r:.80}")


def _shard(told: Json, faults: Faults) -> tuple[tuple[int, ...] | None, str, bool]:
    inner = _sides(told, "chunk_shape", 1, "array-chunks", faults)
    _known(faults.entries(told, "codecs", "sharding_indexed", most=MOST_AXES), faults)
    index = [codec for _, codec in faults.entries(told, "index_codecs", "sharding_indexed", most=MOST_AXES)]
    names = [codec.get("name") for codec in index]
    settings = index[0].get("configuration") if index else None
    little = not isinstance(settings, dict) or settings.get("endian", "little") == "little"
    place = told.get("index_location", "end")
    if names not in (["bytes"], ["bytes", "crc32c"]) or not little or place not in ("start", "end"):
        faults.say("array-unread", f"the index of shards is stored by {names!r:.80} at {place!r:.20}: not looked at")
        return inner, "", False
    return inner, place, "crc32c" in names


def _v2_codecs(document: Json, faults: Faults) -> None:
    if not isinstance(document.get("filters"), (list, type(None))):
        faults.say("array-codecs", f"filters are {document['filters']!r:.60}, not a list")
    codec = document.get("compressor")
    if codec is None:
        return
    name = codec.get("id") if isinstance(codec, dict) else codec
    if not isinstance(name, str):
        faults.say("array-codecs", f"compressor is {codec!r:.60}")
    elif name not in V2_CODECS:
        faults.say("array-unread", f"the compressor {name!r:.40} is not known")


def _fill_value(document: Json, dtype: str, zarr_format: int, faults: Faults) -> None:
    value = document.get("fill_value")
    if value is None:
        if zarr_format == 3 or "fill_value" not in document:
            faults.say("key-missing", "array.fill_value is missing")
        return
    if not dtype:
        return
    try:
        wrong = not _holds(value, dtype)
    except FormatError:
        wrong = True
    if wrong:
        faults.say("array-fill-value", f"fill_value is {value!r:.40} in an array of {dtype}")


def _holds(value: Any, dtype: str) -> bool:
    if dtype == "bool":
        return isinstance(value, bool) or value in (0, 1)
    if dtype.startswith(("int", "uint")):
        bits = int(dtype.lstrip("uint"))
        low, high = (0, 2**bits) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        whole = is_kind(value, int) or (isinstance(value, float) and value.is_integer())
        return whole and low <= value < high
    if dtype.startswith("float"):
        hexed = isinstance(value, str) and re.fullmatch(r"0x[0-9a-fA-F]{1,32}", value) is not None
        return is_kind(value, float) or value in _SPECIAL or hexed if not isinstance(value, (dict, list)) else False
    return True


def _names(document: Json, shape: Sequence[int] | None, faults: Faults) -> tuple[str | None, ...] | None:
    names = document.get("dimension_names")
    if names is None:
        return None
    if not isinstance(names, list) or not all(one is None or isinstance(one, str) for one in names):
        faults.say("value-wrong", f"dimension_names is {names!r:.80}, no list of names")
        return None
    if shape is not None and len(names) != len(shape):
        faults.say("value-wrong", f"dimension_names has {len(names)} names for {len(shape)} dimensions")
        return None
    return tuple(names)


def _v2_names(attributes: Json) -> tuple[str | None, ...] | None:
    names = attributes.get("_ARRAY_DIMENSIONS")
    return tuple(names) if isinstance(names, list) and all(isinstance(one, str) for one in names) else None


def _keys(document: Json, zarr_format: int, faults: Faults) -> tuple[str, str]:
    """Return the prefix of stored objects' names, and what stands between numbers."""
    if zarr_format == 2:
        separator = document.get("dimension_separator", ".")
        if separator not in (".", "/"):
            faults.say("value-wrong", f"dimension_separator is {separator!r:.20}")
        elif separator == ".":
            faults.say("chunk-separator", "dimension_separator is '.'")
        return "", separator if separator in (".", "/") else "."
    told = faults.get(document, "chunk_key_encoding", dict, "array") or {}
    name = told.get("name")
    settings = told.get("configuration")
    separator = settings.get("separator") if isinstance(settings, dict) else None
    if name not in ("default", "v2") or separator not in (None, ".", "/"):
        faults.say("value-wrong", f"chunk_key_encoding is {told!r:.80}")
    if name == "v2":
        return "", separator if separator in (".", "/") else "."
    return "c", separator if separator in (".", "/") else "/"
