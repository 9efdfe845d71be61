"""Plates of many sites, of which there are documents and no pixels: quick to make, to count what is read."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

ROWS, COLUMNS = "ABCDEFGHIJKLMNOP", [str(number) for number in range(1, 25)]
UNITS = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
AXES = [{"name": "c", "type": "channel"}, *UNITS]
OWN = {
    "version": 1,
    "plate": "many",
    "channels": [{"number": 1, "name": "DAPI"}, {"number": 2, "name": "FITC"}],
    "acquisitions": [{"number": 0, "name": "0"}],
}
SHAPES = ((2, 3, 64, 96), (2, 3, 32, 48))


def write_documents(
    root: Path,
    *,
    wells: int,
    sites: int,
    version: str,
    numbers: list[int] | None = None,
    ours: bool = False,
    levels: int = 1,
    filled: Collection[str] | None = None,
) -> Path:
    """Write the documents of a plate of up to 384 wells.

    Parameters
    ----------
    numbers
        the sites' own numbers, told under our own key in wells and images; None: they are told nowhere.
    ours
        with our own key at the root too.
    levels
        how many of the two that images list have a document.
    filled
        the wells that are there, such as ``A/1``; None: all.
    """
    names = [f"{row}/{column}" for row in ROWS for column in COLUMNS][:wells]
    group(root, {"plate": _plate(names, sites)}, version, {"openhcs": OWN} if ours else None)
    own = {} if numbers is None else {"openhcs": {"sites": numbers}}
    well = {"well": {"images": [{"path": str(site)} for site in range(sites)]}}
    for name in names if filled is None else filled:
        group(root / name, well, version, own)
        for site in range(sites):
            noted = {} if numbers is None else {"openhcs": {"site": numbers[site]}}
            group(root / name / str(site), image(AXES, ["0", "1"]), version, noted)
            for level, shape in enumerate(SHAPES[:levels]):
                array(root / name / str(site) / str(level), shape, version)
    return root


def group(folder: Path, told: dict[str, Any], version: str, own: dict[str, Any] | None = None) -> None:
    """Write the document of one group."""
    if version == "0.4":
        _write(folder, ".zattrs", told | (own or {}))
        return
    attributes = {"ome": {"version": version, **told}} | (own or {})
    _write(folder, "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": attributes})


def array(folder: Path, shape: tuple[int, ...], version: str, dtype: str = "uint16") -> None:
    """Write the document of one array, of which no pixel is there."""
    if version == "0.4":
        kind = {"uint16": "<u2", "int32": "<i4"}[dtype]
        more = {"compressor": None, "filters": None, "fill_value": 0, "order": "C", "dimension_separator": "/"}
        _write(folder, ".zarray", {"zarr_format": 2, "shape": shape, "chunks": shape, "dtype": kind, **more})
        return
    grid = {"name": "regular", "configuration": {"chunk_shape": shape}}
    keys = {"name": "default", "configuration": {"separator": "/"}}
    codecs = [{"name": "bytes", "configuration": {"endian": "little"}}]
    more = {"chunk_grid": grid, "chunk_key_encoding": keys, "codecs": codecs, "fill_value": 0}
    _write(folder, "zarr.json", {"zarr_format": 3, "node_type": "array", "shape": shape, "data_type": dtype, **more})


def _plate(names: list[str], sites: int) -> dict[str, Any]:
    return {
        "name": "many",
        "field_count": sites,
        "rows": [{"name": name} for name in ROWS],
        "columns": [{"name": name} for name in COLUMNS],
        "wells": [{"path": name, "rowIndex": ROWS.index(name[0]), "columnIndex": int(name[2:]) - 1} for name in names],
    }


def image(axes: list[Any], paths: list[str], labels: tuple[str, ...] = ("DAPI", "FITC")) -> dict[str, Any]:
    """Return what an image's document says; each level is half as large as the one before."""
    levels = [
        {"path": path, "coordinateTransformations": [{"type": "scale", "scale": _scale(len(axes), 0.5 * 2**level)}]}
        for level, path in enumerate(paths)
    ]
    told: dict[str, Any] = {"multiscales": [{"axes": axes, "datasets": levels, "name": "one"}]}
    return told | ({"omero": {"channels": [{"label": label} for label in labels]}} if labels else {})


def _scale(axes: int, pixel: float) -> list[float]:
    return [*[1.0] * (axes - 2), pixel, pixel]


def _write(folder: Path, name: str, told: dict[str, Any]) -> None:
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
        json.dump(told, file)
