"""Array and group documents of Zarr v2 and v3: written as plain JSON, read with suspicion.

A document from disk is checked before memory is taken for what it promises, and brought to the form
that our readers take: no nulls, no duplicate names, known codecs only. Whatever is wrong ends in a
`FormatError` that names the file.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.constants.constants import ZarrCompressor
from openhcs.core.arrays import ArraySpec
from openhcs.core.documents import json_bytes, parse_json
from openhcs.errors import FormatError
from openhcs.io.codecs import DTYPES, array_codecs, checked_dtype, fill_from_json, fill_json, v2_compressor
from openhcs.io.zarr_spec import MARK

if TYPE_CHECKING:
    from collections.abc import Mapping

    Json = dict[str, Any]

DOCUMENT_LIMIT = 2**24
CHUNK_LIMIT = 2**31
"""Bytes one chunk may decode to."""
INDEX_LIMIT = 2**26
"""Bytes of the index of one shard."""
ARRAY_LIMIT = 2**62
AXES_LIMIT = 32
V3_CODECS = frozenset({"bytes", "blosc", "gzip", "zstd", "crc32c", "transpose", "sharding_indexed"})
_V2_DTYPE = re.compile(r"[<>|=][biufc]\d{1,2}")
_READ_KEYS = ("zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding")
_KNOWN_KEYS = {*_READ_KEYS, "fill_value", "codecs", "attributes", "dimension_names", "storage_transformers"}
_COMPRESSORS = {
    "gzip": ZarrCompressor.ZLIB,
    "zlib": ZarrCompressor.ZLIB,
    "zstd": ZarrCompressor.ZSTD,
    "blosc": ZarrCompressor.BLOSC,
    "lz4": ZarrCompressor.LZ4,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayDocument:
    """One array as its document tells.

    ``spec`` is version neutral; for a foreign array its compressor is the nearest of ours.
    ``metadata`` is the document itself, normalised. ``complete`` says that every object is stored.
    """

    spec: ArraySpec
    metadata: Json
    complete: bool


def array_documents(spec: ArraySpec) -> dict[str, bytes]:
    """Return the files that describe an array: name and bytes."""
    if spec.zarr_format == 3:
        return {"zarr.json": json_bytes(array_document(spec))}
    attributes = dict(spec.attributes)
    if spec.dimension_names is not None:
        attributes["_ARRAY_DIMENSIONS"] = list(spec.dimension_names)
    return {".zarray": json_bytes(array_document(spec))} | ({".zattrs": json_bytes(attributes)} if attributes else {})


def array_document(spec: ArraySpec) -> Json:
    """Return the v3 ``zarr.json`` or the v2 ``.zarray`` of an array."""
    dtype = checked_dtype(spec.dtype)
    fill = fill_json(spec.fill_value, spec.dtype)
    if spec.zarr_format == 2:
        return {
            "zarr_format": 2,
            "shape": list(spec.shape),
            "chunks": list(spec.chunks),
            "dtype": dtype.str,
            "compressor": v2_compressor(spec),
            "fill_value": fill,
            "order": "C",
            "filters": None,
            "dimension_separator": "/",
        }
    document: Json = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(spec.shape),
        "data_type": spec.dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(spec.object_shape)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill,
        "codecs": array_codecs(spec),
        "attributes": dict(spec.attributes),
    }
    return document if spec.dimension_names is None else {**document, "dimension_names": list(spec.dimension_names)}


def group_document(attributes: Mapping[str, Any], zarr_format: int) -> dict[str, bytes]:
    """Return the files that make a folder a group: name and bytes.

    >>> sorted(group_document({"a": 1}, 2)), sorted(group_document({}, 3))
    (['.zattrs', '.zgroup'], ['zarr.json'])
    """
    if zarr_format == 3:
        return {"zarr.json": json_bytes({"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)})}
    files = {".zgroup": json_bytes({"zarr_format": 2})}
    return files | {".zattrs": json_bytes(dict(attributes))} if attributes else files


def load_json(data: bytes, path: object) -> Json:
    """Return the object that a document holds; anything else is a FormatError."""
    if len(data) > DOCUMENT_LIMIT:
        raise FormatError(f"{path} has {len(data)} bytes, too many for an array's document", path=path)
    document = parse_json(data, path)
    if not isinstance(document, dict):
        raise FormatError(f"{path} holds a {type(document).__name__}, not a JSON object", path=path)
    return document


def parse_document(data: bytes, *, path: object = "zarr.json", attributes: bytes | None = None) -> ArrayDocument:
    """Return the array that a ``zarr.json``, or a ``.zarray`` with its ``.zattrs``, describes.

    Raises
    ------
    FormatError
        not an array's document, sizes beyond all reason, or a dtype or codec we do not read.
    """
    document = load_json(data, path)
    try:
        if document.get("zarr_format") == 3:
            return _v3(document, path)
        if document.get("zarr_format") == 2:
            return _v2(document, {} if attributes is None else load_json(attributes, f"{path} (.zattrs)"), path)
    except FormatError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise FormatError(f"{path}: {type(error).__name__} in the array's document: {error}", path=path) from error
    raise FormatError(f"{path}: zarr_format is {document.get('zarr_format')!r}, known: 2, 3", path=path)


def _v3(document: Json, path: object) -> ArrayDocument:
    if document.get("node_type") != "array":
        raise FormatError(f"{path} describes a {document.get('node_type')}, not an array", path=path)
    for key, value in document.items():
        optional = isinstance(value, dict) and value.get("must_understand") is False
        if key not in _KNOWN_KEYS and value is not None and not optional:
            raise FormatError(f"{path}: unknown part {key!r} in the array's document", path=path)
    if document.get("storage_transformers"):
        raise FormatError(f"{path}: storage transformers are not read", path=path)
    dtype = document["data_type"]
    if dtype not in DTYPES:
        raise FormatError(f"{path}: data type {dtype!r} is not read; known: {', '.join(DTYPES)}", path=path)
    grid = document["chunk_grid"]
    if grid["name"] != "regular":
        raise FormatError(f"{path}: chunk grid {grid['name']!r} is not read, only 'regular'", path=path)
    shape, outer = _sides(document["shape"], 0), _sides(grid["configuration"]["chunk_shape"], 1)
    codecs = document["codecs"]
    inner = _inner_chunks(codecs, path)
    chunks = outer if inner is None else inner
    _check_sizes(shape, outer, chunks, np.dtype(dtype).itemsize, path)
    attributes = document.get("attributes") or {}
    spec = ArraySpec(
        shape=shape,
        dtype=dtype,
        chunks=chunks,
        shards=None if inner is None else outer,
        **_told(_flat(codecs)),
        zarr_format=3,
        dimension_names=_names(document.get("dimension_names"), len(shape)),
        fill_value=fill_from_json(document["fill_value"], dtype),
        attributes=attributes,
    )
    metadata = {key: document[key] for key in (*_READ_KEYS, "fill_value", "codecs")}
    return ArrayDocument(spec=spec, metadata=metadata, complete=_complete(attributes))


def _v2(document: Json, attributes: Json, path: object) -> ArrayDocument:
    text = document["dtype"]
    name = np.dtype(text).name if isinstance(text, str) and _V2_DTYPE.fullmatch(text) else None
    if name not in DTYPES:
        raise FormatError(f"{path}: dtype {text!r} is not read; known: {', '.join(DTYPES)}", path=path)
    if document.get("order", "C") not in ("C", "F"):
        raise FormatError(f"{path}: order {document['order']!r} is neither 'C' nor 'F'", path=path)
    if document.get("dimension_separator", ".") not in (".", "/"):
        raise FormatError(f"{path}: dimension separator {document['dimension_separator']!r}", path=path)
    shape, chunks = _sides(document["shape"], 0), _sides(document["chunks"], 1)
    _check_sizes(shape, chunks, chunks, np.dtype(name).itemsize, path)
    if not isinstance(document.get("filters"), (list, type(None))):
        raise FormatError(f"{path}: filters are {document['filters']!r:.80}, not a list", path=path)
    codec = document.get("compressor")
    told = [] if codec is None else [{"name": codec["id"], "configuration": codec}]
    spec = ArraySpec(
        shape=shape,
        dtype=name,
        chunks=chunks,
        **_told(told),
        zarr_format=2,
        dimension_names=_names(attributes.get("_ARRAY_DIMENSIONS"), len(shape)),
        fill_value=fill_from_json(document.get("fill_value"), name),
        attributes={key: value for key, value in attributes.items() if key != "_ARRAY_DIMENSIONS"},
    )
    return ArrayDocument(spec=spec, metadata=document, complete=_complete(attributes))


def _inner_chunks(codecs: list[Json], path: object) -> tuple[int, ...] | None:
    inner = None
    for codec in codecs:
        if codec["name"] not in V3_CODECS:
            raise FormatError(f"{path}: codec {codec['name']!r} is not read; known: {sorted(V3_CODECS)}", path=path)
        if codec["name"] == "sharding_indexed":
            settings = codec["configuration"]
            inner = _inner_chunks(settings["codecs"], path) or _sides(settings["chunk_shape"], 1)
    return inner


def _flat(codecs: list[Json]) -> list[Json]:
    shards = [codec["configuration"]["codecs"] for codec in codecs if codec["name"] == "sharding_indexed"]
    return _flat(shards[0]) if shards else codecs


def _told(codecs: list[Json]) -> Json:
    """Return compressor, level and shuffle nearest to the codecs of a chunk."""
    for codec in codecs:
        if (kind := _COMPRESSORS.get(codec["name"])) is not None:
            settings = codec.get("configuration", {})
            if kind is ZarrCompressor.BLOSC and settings.get("cname") == "zstd":
                kind = ZarrCompressor.ZSTD
            shuffle = settings.get("shuffle", 0) not in (0, "noshuffle")
            return {"compressor": kind, "level": settings.get("level", settings.get("clevel", 1)), "shuffle": shuffle}
    return {"compressor": ZarrCompressor.NONE, "level": 0, "shuffle": False}


def _sides(value: Any, low: int) -> tuple[int, ...]:
    if not isinstance(value, list) or any(type(side) is not int or side < low for side in value):
        raise ValueError(f"{value!r} is no list of sizes of at least {low}")
    return tuple(value)


def _check_sizes(
    shape: tuple[int, ...], outer: tuple[int, ...], chunks: tuple[int, ...], size: int, path: object
) -> None:
    if not len(shape) == len(outer) == len(chunks) or len(shape) > AXES_LIMIT:
        raise FormatError(f"{path}: shape {shape}, shards {outer} and chunks {chunks} do not fit together", path=path)
    if math.prod(shape) * size > ARRAY_LIMIT or any(side > ARRAY_LIMIT for side in (*shape, *outer)):
        raise FormatError(f"{path}: the shape {shape} is beyond all reason", path=path)
    if math.prod(chunks) * size > CHUNK_LIMIT:
        raise FormatError(f"{path}: chunks of {math.prod(chunks) * size} bytes are over 2 GiB", path=path)
    if any(side % chunk for side, chunk in zip(outer, chunks, strict=True)):
        raise FormatError(f"{path}: shards {outer} are no multiple of chunks {chunks}", path=path)
    if math.prod(side // chunk for side, chunk in zip(outer, chunks, strict=True)) * 16 > INDEX_LIMIT:
        raise FormatError(f"{path}: an index of {outer} by {chunks} is over {INDEX_LIMIT} bytes", path=path)


def _names(value: Any, axes: int) -> tuple[str, ...] | None:
    if not isinstance(value, list) or len(value) != axes or not all(isinstance(name, str) for name in value):
        return None
    return tuple(value)


def _complete(attributes: Json) -> bool:
    own = attributes.get(MARK)
    return isinstance(own, dict) and own.get("complete") is True
