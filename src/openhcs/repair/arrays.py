"""Documents of arrays made anew, where the names of their objects prove them right."""

from __future__ import annotations

import itertools
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openhcs.core.documents import parse_json
from openhcs.errors import OpenHCSError
from openhcs.io.zarr_array import ZarrHandle
from openhcs.io.zarr_document import parse_document
from openhcs.io.zarr_encode import object_region
from openhcs.run.survey import join

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openhcs.repair.disk import Disk

Json = dict[str, Any]
DOCUMENTS = frozenset({"zarr.json", ".zarray", ".zattrs", ".zgroup"})
MOST_DECODED = 8
"""Objects that are decoded to prove a document."""
MOST = 1_000_000
"""Objects that are looked at to prove a document."""


def mended_array(disk: Disk, path: str, siblings: Sequence[str], *, doubted: bool) -> bytes | None:
    """Return a document that every object of an array fits, None if none is known or its own does.

    Its own is tried with each way of naming objects, then those of ``siblings``: the same level of other
    images. ``doubted`` says that its own is wrong though its objects are named as it tells.
    """
    name = "zarr.json" if disk.zarr_format == 3 else ".zarray"
    names = set(_objects(disk, path, ""))
    own = disk.json(join(path, name))
    if not names or (own is not None and not doubted and _fits(own, names, path)):
        return None
    candidates = list(_spellings(own)) if own is not None else []
    candidates += [told for one in siblings if (told := disk.json(join(one, name))) is not None]
    fitting = [
        told for told in candidates if told != own and _fits(told, names, path) and _decodes(disk, path, told, names)
    ]
    return json.dumps(fitting[0], indent=2, ensure_ascii=False).encode() if fitting else None


def _objects(disk: Disk, path: str, inner: str) -> Iterator[str]:
    listing = disk.tree.list(join(path, inner))
    yield from (join(inner, file.name) for file in listing.files if file.name not in DOCUMENTS)
    for folder in listing.folders:
        yield from _objects(disk, path, join(inner, folder))


def _spellings(told: Json) -> Iterator[Json]:
    """Yield a document with each other way of naming objects."""
    if told.get("zarr_format") == 2:
        yield from ({**told, "dimension_separator": one} for one in "/.")
        return
    for name in ("default", "v2"):
        for separator in "/.":
            yield {**told, "chunk_key_encoding": {"name": name, "configuration": {"separator": separator}}}


def _fits(told: Json, names: set[str], path: str) -> bool:
    """Return whether a document can be read and names exactly objects of which all on disk are some."""
    try:
        data = json.dumps(told).encode()
        parse_json(data, path)
        spec = parse_document(data, path=path).spec
    except (OpenHCSError, ValueError):
        return False
    grid = [-(-size // step) for size, step in zip(spec.shape, spec.object_shape, strict=True)]
    if math.prod(grid) > MOST or len(names) > math.prod(grid):
        return False
    pattern = _pattern(told, len(grid))
    places = [found for name in names if (found := pattern.fullmatch(name)) is not None]
    inside = all(all(int(number) < most for number, most in zip(found.groups(), grid, strict=True)) for found in places)
    return len(places) == len(names) and inside


def _decodes(disk: Disk, path: str, told: Json, names: set[str]) -> bool:
    """Return whether objects of an array, which all fit its document, can be decoded by it."""
    try:
        document = parse_document(json.dumps(told).encode(), path=path)
        handle = ZarrHandle(Path(disk.tree.root, path), document, fill=True)
        pattern = _pattern(told, len(handle.spec.shape))
        for name in itertools.islice(sorted(names), MOST_DECODED):
            found = pattern.fullmatch(name)
            if found is not None:
                handle.read(object_region(handle.spec, tuple(map(int, found.groups()))))
    except OpenHCSError:
        return False
    return True


def _pattern(told: Json, axes: int) -> re.Pattern[str]:
    if told.get("zarr_format") == 2:
        mark, prefix = re.escape(told.get("dimension_separator", ".")), ""
    else:
        encoding = told["chunk_key_encoding"]
        first = encoding.get("name") == "v2"
        mark = re.escape(encoding.get("configuration", {}).get("separator", "." if first else "/"))
        prefix = "" if first else f"c{mark}"
    return re.compile(prefix + mark.join([r"(0|[1-9]\d*)"] * axes))


def named(disk: Disk, path: str, axes: Sequence[str]) -> bytes | None:
    """Return the document of a v3 array with these names of its dimensions; None if it has them or is of v2."""
    own = disk.json(join(path, "zarr.json"))
    if own is None or own.get("dimension_names") == list(axes) or len(own.get("shape", ())) != len(axes):
        return None
    return json.dumps({**own, "dimension_names": list(axes)}, indent=2, ensure_ascii=False).encode()
