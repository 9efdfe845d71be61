"""Which image, level and chunk a stored file holds, and which of its chunks cannot be read."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from openhcs.errors import OpenHCSError
from openhcs.io.zarr_array import open_handle
from openhcs.io.zarr_encode import object_region
from openhcs.io.zarr_spec import chunk_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from openhcs.core.arrays import ArraySpec

    Row = Mapping[str, Any]

DOCUMENTS = frozenset({"zarr.json", ".zarray", ".zattrs"})
SHOWN = 3


def image_of(record: Mapping[str, Any], path: str) -> Row | None:
    """Return the row of a commit record for the image that a stored file belongs to."""
    return next((row for row in record.get("images", ()) if f"{path}/".startswith(f"{row['path']}/")), None)


def chunk_of(output: Path, row: Row, path: str) -> str:
    """Return which part of an image a stored file holds; of a shard, the chunks that cannot be read."""
    if path == row["path"]:
        return f"channel {row['c']}, z {row['z']}, t {row['t']}"
    level, *key = path.removeprefix(f"{row['path']}/").split("/")
    if key[-1] in DOCUMENTS:
        return f"the array document of level {level}"
    place = tuple(int(part) for part in key if part.isdigit())
    unread = _unread(output / row["path"] / level, place)
    if not unread:
        return f"level {level}, object {place}"
    rest = f" and {len(unread) - SHOWN} more" if len(unread) > SHOWN else ""
    return f"level {level}, {', '.join(unread[:SHOWN])}{rest}"


def _unread(folder: Path, place: tuple[int, ...]) -> list[str]:
    """Return the chunks in an object that raise when they are read."""
    found = []
    try:
        handle = open_handle(folder)
        chunks = list(chunks_of(handle.spec, place))
    except OpenHCSError:
        return []
    for chunk, region in chunks:
        try:
            handle.read(region)
        except OpenHCSError:
            found.append(chunk_words(handle.spec, chunk))
    return found


def chunks_of(spec: ArraySpec, place: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Yield position and region of each chunk in an object."""
    box = object_region(spec, place)
    sides = [range(part.start // step, -(-part.stop // step)) for part, step in zip(box, spec.chunks, strict=True)]
    for chunk in itertools.product(*sides):
        edges = zip(chunk, spec.chunks, spec.shape, strict=True)
        yield chunk, tuple(slice(at * step, min((at + 1) * step, size)) for at, step, size in edges)
