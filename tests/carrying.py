"""OME-Zarr plates with all that others put into them, and looks at what became of it."""

from __future__ import annotations

import json
import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash
import zarr

from openhcs import GlobalPipelineConfig, ZarrConfig, convert

if TYPE_CHECKING:
    from pathlib import Path

LABELS = "A/01/0/labels"


def in_version(version: str, **more: Any) -> GlobalPipelineConfig:
    return GlobalPipelineConfig(num_workers=2, zarr=ZarrConfig(ngff_version=version), **more)


def rich_plate(source: Path, store: Path, version: str) -> Path:
    """Convert a plate and add what others add: labels, tables, files, unknown keys; no ledger."""
    made = store.with_name(f"made-{store.name}")
    assert convert(source, made, config=in_version(version)).ok
    os.rename(made, store)
    old = version == "0.4"
    image = store / "A/01/0"
    group = zarr.create_group(store / LABELS, zarr_format=2 if old else 3)
    said: dict[str, Any] = {"labels": ["cells"]}
    group.attrs.update(said if old else {"ome": {"version": version, **said}})
    cells = group.create_group("cells")
    shapes = [(3, 301, 400), (3, 151, 200)]
    for level, shape in enumerate(shapes):
        pixels = np.random.default_rng(level).integers(0, 9, shape, "uint16")
        keys = {"name": "v2", "separator": "/"} if old else {"name": "default", "separator": "/"}
        names = {} if old else {"dimension_names": ("z", "y", "x")}
        array = cells.create_array(
            str(level), shape=shape, dtype="uint16", chunks=(1, 128, 128), chunk_key_encoding=keys, **names
        )
        array[...] = pixels
    scales = [[2.0, 0.65, 0.65], [2.0, 1.3, 1.3]]
    sets = [
        {"path": str(n), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        for n, scale in enumerate(scales)
    ]
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    stamp = {"version": version} if old else {}
    body = {
        "multiscales": [{**stamp, "name": "cells", "axes": axes, "datasets": sets, "x_by": "hand"}],
        "image-label": {
            "version": version,
            "colors": [{"label-value": 1, "rgba": [255, 0, 0, 255]}],
            "source": {"image": "../../"},
        },
    }
    cells.attrs.update(body if old else {"ome": {"version": version, **body}})
    table = zarr.create_group(image / "tables/counts", zarr_format=2 if old else 3)
    table.attrs["kind"] = "table"
    table.create_array("rows", data=np.arange(7.0), chunks=(3,))
    (store / "OME").mkdir()
    (store / "OME/METADATA.ome.xml").write_text("<OME/>")
    (image / "notes.txt").write_text("seen by eye")
    edit(store, version, lambda told: told["plate"].update(x_operator="ä"))
    edit(image, version, lambda told: told["omero"].update(x_lamp=3))
    return store


def document(group: Path) -> dict[str, Any]:
    """Return what OME-Zarr says of a group, whichever version."""
    if (group / "zarr.json").exists():
        told = json.loads((group / "zarr.json").read_text())["attributes"]
        return told.get("ome", told)
    return json.loads((group / ".zattrs").read_text())


def edit(group: Path, version: str, change: Any) -> None:
    """Change a group's document in place."""
    path = group / (".zattrs" if version == "0.4" else "zarr.json")
    told = json.loads(path.read_text())
    change(told if version == "0.4" else told["attributes"]["ome"])
    path.write_text(json.dumps(told))


def pixels_of(store: Path) -> dict[str, tuple[str, tuple[int, ...], str]]:
    """Return dtype, shape and digest of every array, as zarr-python reads it."""
    root = zarr.open_group(store, mode="r")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Object at .* is not recognized")  # files of others are no nodes
        arrays = {path: one for path, one in root.members(max_depth=None) if isinstance(one, zarr.Array)}
    return {
        path: (one.dtype.name, one.shape, xxhash.xxh3_64_hexdigest(np.ascontiguousarray(one[...]).tobytes()))
        for path, one in arrays.items()
    }


def objects_in(store: Path) -> int:
    """Return how many files are no documents."""
    documents = {"zarr.json", ".zarray", ".zattrs", ".zgroup"}
    return sum(name not in documents for _, _, names in os.walk(store) for name in names)


def tree_of(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
