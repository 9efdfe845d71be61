"""What is alike in scripts that convert by hand: the files of an ImageXpress plate, its wells, its levels.

Imported by the floor of these benches (`bench/bare.py`) and by peers in environments of their own, so it needs numpy
alone where nothing is read.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = re.compile(r"_(?P<well>[A-Z]\d\d)_s(?P<site>\d+)_w(?P<wave>\d+)\.")
AXES = [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]

Sites = dict[tuple[str, int], list[Path]]
"""The files of each site, by channel; the key is its well (A01) and its number."""


def sites(plate: str | Path) -> Sites:
    """Return the files of each site, by channel."""
    found: dict[tuple[str, int], list[tuple[int, Path]]] = defaultdict(list)
    for path in Path(plate).rglob("*.[tT][iI][fF]"):
        if (match := NAME.search(path.name)) is not None:
            found[match["well"], int(match["site"])].append((int(match["wave"]), path))
    if not found:
        raise FileNotFoundError(f"no images of an ImageXpress plate below {plate}")
    return {key: [path for _, path in sorted(files)] for key, files in sorted(found.items())}


def stack(files: list[Path]) -> np.ndarray:
    """Return a site's planes as (c, y, x)."""
    import tifffile

    return np.stack([tifffile.imread(path) for path in files])


def half(array: np.ndarray) -> np.ndarray:
    """Return the 2×2 mean of the last two axes, rounded, for even sizes below 14 bits."""
    rows = array[..., 0::2, :] + array[..., 1::2, :]
    return (rows[..., 0::2] + rows[..., 1::2] + 2) >> 2


def factors(side: int) -> list[int]:
    """Return what the levels below the first are reduced by: 2, 4, … until one is within 256 pixels."""
    found = [1]
    while side / found[-1] > 256:
        found.append(2 * found[-1])
    return found[1:]


def plane(side: int) -> np.ndarray:
    """Return a square plane that compresses about as images do."""
    return np.random.default_rng(0).poisson(300, (side, side)).astype(np.uint16)


def lines(found: Sites) -> tuple[list[str], list[str], list[str]]:
    """Return rows, columns and wells as an OME-Zarr plate names them: A, 01 and A/01."""
    wells = sorted({well for well, _ in found})
    return sorted({well[0] for well in wells}), sorted({well[1:] for well in wells}), [f"{w[0]}/{w[1:]}" for w in wells]


def plate_document(found: Sites) -> dict:
    """Return what OME-Zarr 0.5 says of a plate."""
    rows, columns, wells = lines(found)
    listed = [{"path": p, "rowIndex": rows.index(p[0]), "columnIndex": columns.index(p[2:])} for p in wells]
    names = {"rows": [{"name": row} for row in rows], "columns": [{"name": column} for column in columns]}
    return {"version": "0.5", "plate": {**names, "wells": listed, "version": "0.5"}}


def well_document(images: list[str]) -> dict:
    """Return what OME-Zarr 0.5 says of a well."""
    return {"version": "0.5", "well": {"images": [{"path": name} for name in images], "version": "0.5"}}


def image_document(levels: int) -> dict:
    """Return what OME-Zarr 0.5 says of an image (c, y, x) of that many levels."""
    datasets = [
        {"path": str(n), "coordinateTransformations": [{"type": "scale", "scale": [1.0, 2.0**n, 2.0**n]}]}
        for n in range(levels)
    ]
    return {"version": "0.5", "multiscales": [{"axes": AXES, "datasets": datasets}]}


@cache
def processes() -> ProcessPoolExecutor:
    """Return two processes that stay warm."""
    return ProcessPoolExecutor(2, mp_context=get_context("spawn"))


def each_well(found: Sites, function: Callable[[str, dict[int, list[Path]]], None]) -> None:
    """Call a function with each well and the files of its sites, on two processes: every peer is slower on threads."""
    wells = {well: {site: files for (other, site), files in found.items() if other == well} for well, _ in found}
    list(processes().map(function, wells, wells.values()))


def each_plane(count: int, call: Callable[[int], object], wanted: np.ndarray | None = None) -> dict:
    """Call with each number from 0 and return the microseconds of each; compare the last with what it should be."""
    spent, got = [], None
    for number in range(count):
        start = time.perf_counter_ns()
        got = call(number)
        spent.append((time.perf_counter_ns() - start) / 1e3)
    if wanted is not None and not (np.array_equal(got, wanted)):
        raise AssertionError("what was loaded is not what was saved")
    return {"us": spent}
