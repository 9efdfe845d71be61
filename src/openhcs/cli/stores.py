"""What a folder in a Zarr store is, by its documents: plate, well, image, array or group.

Only the small JSON documents are read, of the node itself and of one image below it.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Any

from openhcs.errors import FormatError, from_oserror

LARGEST_DOCUMENT = 64 * 2**20
KINDS = (("plate", "plate"), ("well", "well"), ("multiscales", "image"), ("labels", "label group"))
"""Key of the metadata → what the node is; the first match counts."""
V2_KINDS = {"b": "bool", "u": "uint", "i": "int", "f": "float", "c": "complex"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One node of a store, and how its pixels (or those of its first image) are kept.

    ``plate`` is the path of the plate that holds this node, if there is one.
    """

    path: str
    kind: str
    zarr_format: int
    ngff: str | None = None
    axes: str | None = None
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    levels: int = 0
    chunks: tuple[int, ...] | None = None
    shards: tuple[int, ...] | None = None
    codecs: tuple[str, ...] = ()
    plan: str | None = None
    plate: str | None = None

    def as_dict(self) -> dict[str, object]:
        """Return the node as JSON knows it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def rows(self) -> list[tuple[str, str]]:
        """Return names and values for people."""
        version = f"OME-Zarr {self.ngff}, Zarr v{self.zarr_format}" if self.ngff else f"Zarr v{self.zarr_format}"
        rows = [("format", version)]
        if self.shape is not None:
            axes = f" ({', '.join(self.axes)})" if self.axes else ""
            what = "image" if self.kind != "array" else "array"
            rows.append((what, f"{self.dtype} {' × '.join(map(str, self.shape))}{axes}, {self.levels or 1} levels"))
            inner = f"chunks {_times(self.chunks)}" + (f" in shards {_times(self.shards)}" if self.shards else "")
            rows.append(("layout", f"{inner}, {' + '.join(self.codecs) or 'not compressed'}"))
        if self.plan:
            rows.append(("plan", self.plan))
        if self.plate:
            rows.append(("part of", f"plate {self.plate}"))
        return rows

    def bytes_on_disk(self) -> int:
        """Return the size of all files below the node."""
        return sum(
            os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(self.path) for name in names
        )


def look(path: str) -> Store | None:
    """Return what the folder is, or None if it is no part of a Zarr store.

    Raises
    ------
    FormatError
        a document is not JSON, or not as Zarr says.
    """
    document = read_document(path)
    if document is None:
        return None
    version, attributes = document
    told = _told(attributes)
    kind = next((kind for key, kind in KINDS if key in told), "group")
    try:
        facts = _array_facts(version, path)
        if facts:
            kind = "array"
        elif (image := _first_image(path, told)) is not None:
            facts = _image_facts(image)
    except (KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"an array's document in {path} is not as Zarr says: {error!r}", path=path) from None
    own = attributes.get("openhcs")
    plan = own.get("plan") if isinstance(own, dict) else None
    plate = None if kind == "plate" else _plate_above(path)
    ngff = _ngff(told, kind)
    return Store(path=path, kind=kind, zarr_format=version, ngff=ngff, plan=plan, plate=plate, **facts)


def read_document(path: str) -> tuple[int, dict[str, Any]] | None:
    """Return (Zarr format, attributes) of a node, or None if there is none."""
    if (document := _json(path, "zarr.json")) is not None:
        attributes = document.get("attributes")
        return 3, attributes if isinstance(attributes, dict) else {}
    if any(os.path.isfile(os.path.join(path, name)) for name in (".zgroup", ".zarray", ".zattrs")):
        return 2, _json(path, ".zattrs") or {}
    return None


def _json(path: str, name: str) -> dict[str, Any] | None:
    file = os.path.join(path, name)
    try:
        with open(file, "rb") as handle:
            value = json.loads(handle.read(LARGEST_DOCUMENT))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise from_oserror(error, doing="read the document", path=file) from error
    except ValueError as error:
        raise FormatError(f"{file} is not JSON: {error}. The store is damaged there.", path=file) from None
    if not isinstance(value, dict):
        raise FormatError(f"{file} holds no JSON object. The store is damaged there.", path=file)
    return value


def _told(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the OME metadata: under ``ome`` from 0.5 on, plain before."""
    told = attributes.get("ome")
    return told if isinstance(told, dict) else attributes


def _ngff(told: dict[str, Any], kind: str) -> str | None:
    if kind in {"array", "group"}:
        return None
    holder = told.get("multiscales") if kind == "image" else told.get(kind)
    inner = holder[0] if isinstance(holder, list) and holder else holder
    version = told.get("version") or (inner.get("version") if isinstance(inner, dict) else None)
    return str(version) if version else "of unknown version"


def _first_image(path: str, told: dict[str, Any]) -> str | None:
    if "multiscales" in told:
        return path
    for key, items in (("plate", "wells"), ("well", "images")):
        holder = told.get(key)
        found = holder.get(items) if isinstance(holder, dict) else None
        if isinstance(found, list) and found and isinstance(found[0], dict) and isinstance(found[0].get("path"), str):
            child = os.path.join(path, *found[0]["path"].split("/"))
            document = read_document(child)
            return None if document is None else _first_image(child, _told(document[1]))
    return None


def _image_facts(path: str) -> dict[str, Any]:
    document = read_document(path)
    scales = _told(document[1]).get("multiscales") if document else None
    if document is None or not isinstance(scales, list) or not scales or not isinstance(scales[0], dict):
        return {}
    levels = [level for level in scales[0].get("datasets", []) if isinstance(level, dict) and "path" in level]
    if not levels:
        return {}
    axes = "".join(
        str(axis.get("name", "?") if isinstance(axis, dict) else axis)[:1] for axis in scales[0].get("axes", [])
    )
    facts = _array_facts(document[0], os.path.join(path, *str(levels[0]["path"]).split("/")))
    return {**facts, "axes": axes or None, "levels": len(levels)} if facts else {}


def _array_facts(version: int, path: str) -> dict[str, Any]:
    if version == 2:
        document = _json(path, ".zarray")
        if document is None:
            return {}
        codec = document.get("compressor") or {}
        codecs = tuple(str(codec[name]) for name in ("id", "cname") if name in codec)
        dtype = _dtype_v2(str(document.get("dtype", "?")))
        return {
            "shape": tuple(document["shape"]),
            "dtype": dtype,
            "chunks": tuple(document["chunks"]),
            "codecs": codecs,
        }
    document = _json(path, "zarr.json")
    if document is None or document.get("node_type") != "array":
        return {}
    grid = tuple(document["chunk_grid"]["configuration"]["chunk_shape"])
    codecs = document.get("codecs", [])
    inner = next((codec["configuration"] for codec in codecs if codec["name"] == "sharding_indexed"), None)
    named = inner["codecs"] if inner else codecs
    return {
        "shape": tuple(document["shape"]),
        "dtype": str(document["data_type"]),
        "chunks": tuple(inner["chunk_shape"]) if inner else grid,
        "shards": grid if inner else None,
        "codecs": tuple(_codec_name(codec) for codec in named if codec["name"] not in {"bytes", "transpose"}),
    }


def _dtype_v2(text: str) -> str:
    """Return the numpy name of a dtype such as ``<u2``."""
    word, width = V2_KINDS.get(text[1:2]), text[2:]
    if word is None or not width.isdigit():
        return text
    return word if word == "bool" else f"{word}{8 * int(width)}"


def _codec_name(codec: dict[str, Any]) -> str:
    inner = codec.get("configuration", {}).get("cname")
    return f"{codec['name']}-{inner}" if inner else str(codec["name"])


def _plate_above(path: str) -> str | None:
    folder = os.path.dirname(os.path.abspath(path))
    for _ in range(5):
        document = read_document(folder)
        if document is not None and "plate" in _told(document[1]):
            return folder
        folder = os.path.dirname(folder)
    return None


def _times(sizes: tuple[int, ...] | None) -> str:
    return " × ".join(map(str, sizes or ()))
