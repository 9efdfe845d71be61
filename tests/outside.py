"""An output as others see it: plain JSON, xxhash and zarr-python; nothing of openhcs reads here."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash
import zarr

if TYPE_CHECKING:
    from pathlib import Path


def ledger_of(output: Path) -> Path:
    return output.with_name(f".{output.name}.openhcs") if output.suffix == ".zarr" else output / ".openhcs"


def stores_of(output: Path) -> list[Path]:
    if output.suffix == ".zarr":
        return [output] if output.exists() else []
    return [path for path in sorted(output.rglob("*.zarr")) if path.is_dir() and ".openhcs" not in path.parts]


def records_of(output: Path) -> dict[str, dict[str, Any]]:
    """Return the newest commit record of each well, read as plain JSON."""
    found: dict[str, tuple[int, Path]] = {}
    for path in (ledger_of(output) / "commits").glob("*.json"):
        well, generation, _ = path.name.rsplit(".", 2)
        found[well] = max(found.get(well, (0, path)), (int(generation), path))
    return {well: json.loads(path.read_bytes()) for well, (_, path) in found.items()}


def entries(folder: Path) -> frozenset[tuple[str, int]]:
    try:
        with os.scandir(folder) as found:
            return frozenset((one.name, one.inode()) for one in found)
    except FileNotFoundError:
        return frozenset()


def tree(output: Path) -> dict[str, bytes]:
    """Return every file of an output but the ledger's."""
    files = (path for path in output.rglob("*") if path.is_file())
    return {
        str(path.relative_to(output)): path.read_bytes()
        for path in files
        if ".openhcs" not in path.relative_to(output).parts
    }


def pixels_of(store: Path, well: str) -> dict[str, bytes]:
    """Return all pixels of one well of a store, by array, as zarr-python reads them."""
    found = {}
    group = zarr.open_group(store / well, mode="r")
    images = group.attrs["ome"]["well"]["images"]
    assert images, f"{store / well} lists no image"
    for image in (one["path"] for one in images):
        levels = group[image].attrs["ome"]["multiscales"][0]["datasets"]
        for level in (one["path"] for one in levels):
            found[f"{store.name}/{well}/{image}/{level}"] = np.asarray(group[image][level]).tobytes()
    return found


def listed_in(store: Path) -> list[str]:
    """Return the wells that a store's root names; none where it has no root yet."""
    if not (store / "zarr.json").exists():
        return []
    return [one["path"] for one in zarr.open_group(store, mode="r").attrs["ome"]["plate"]["wells"]]


def all_pixels(output: Path) -> dict[str, dict[str, bytes]]:
    """Return the pixels of every listed well, by store and well."""
    return {f"{store.name}/{well}": pixels_of(store, well) for store in stores_of(output) for well in listed_in(store)}


def complaints(output: Path, allowed: list[dict[str, dict[str, bytes]]]) -> list[str]:
    """Return what is wrong with an output; ``allowed`` are the pixels each well may have."""
    found = []
    records = records_of(output)
    for well, record in records.items():
        for one in record["objects"]:
            path = output / one["path"]
            if not path.is_file():
                found.append(f"lost: {well} is committed without {one['path']}")
            elif xxhash.xxh3_64_hexdigest(path.read_bytes()) != one["digest"]:
                found.append(f"torn: {well} is committed and {one['path']} differs from its digest")
    for store in stores_of(output):
        committed = {f"{well[0]}/{well[1:]}" for well in records}
        for well in sorted(committed.union(listed_in(store))):
            name = f"{store.name}/{well}"
            try:
                pixels = pixels_of(store, well)
            except Exception as error:
                found.append(f"{name} is committed or listed and does not open: {type(error).__name__}: {error}")
                continue
            if not any(pixels == one.get(name) for one in allowed):
                found.append(f"{name} is mixed: its pixels are those of no undisturbed run")
    return found


def left_over(output: Path) -> list[str]:
    """Return what unfinished work a finished output still holds."""
    ledger = ledger_of(output)
    found = [path for name in ("staging", "tmp", "holders") for path in (ledger / name).iterdir()]
    found += list((ledger / "commits").glob("*.intent"))
    found += list(output.rglob(".openhcs-tmp-*"))
    return [f"left over: {path}" for path in found]
