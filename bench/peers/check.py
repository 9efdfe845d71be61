"""Is what a peer wrote the plate? Level 0 of its planes against tifffile, its levels and what it takes on disk.

python bench/peers/check.py PLATE OUT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorstore as ts
import tifffile

sys.path.append(str(Path(__file__).parents[1]))

from peers.plates import sites


class Wrong(AssertionError):
    """A plate that is not what was converted."""


def documents(group: Path) -> dict:
    """Return the OME-Zarr attributes of a group, 0.4 or 0.5."""
    if (group / "zarr.json").exists():
        return json.loads((group / "zarr.json").read_text())["attributes"]["ome"]
    return json.loads((group / ".zattrs").read_text())


def opened(folder: Path) -> ts.TensorStore:
    driver = "zarr3" if (folder / "zarr.json").exists() else "zarr"
    return ts.open({"driver": driver, "kvstore": {"driver": "file", "path": str(folder)}}, open=True).result()


def images(out: Path) -> dict[tuple[str, int], Path]:
    """Return the image groups by well (A01) and by place in the well, from 1."""
    found = {}
    for well in documents(out)["plate"]["wells"]:
        row, column = well["path"].split("/")
        listed = documents(out / well["path"])["well"]["images"]
        for number, image in enumerate(listed, 1):
            found[f"{row}{int(column):02}", number] = out / well["path"] / image["path"]
    return found


def check(plate: Path, out: Path, every: int = 1) -> dict[str, int | str]:
    """Compare sites (every n-th) with the TIFFs and return counts; raise Wrong where they differ."""
    wanted, found = sites(plate), images(out)
    if wanted.keys() != found.keys():
        raise Wrong(f"sites differ: {sorted(wanted.keys() ^ found.keys())[:4]}")
    levels = set()
    for key in list(wanted)[::every]:
        multiscales = documents(found[key])["multiscales"][0]
        shapes = [opened(found[key] / level["path"]).shape for level in multiscales["datasets"]]
        pixels = opened(found[key] / multiscales["datasets"][0]["path"]).read().result()
        planes = np.stack([tifffile.imread(path) for path in wanted[key]])
        if pixels.size != planes.size or not np.array_equal(pixels.reshape(planes.shape), planes):
            raise Wrong(f"level 0 of {key} differs from its TIFFs")
        if any(not opened(found[key] / level["path"]).read().result().any() for level in multiscales["datasets"]):
            raise Wrong(f"a level of {key} is empty")
        levels.add(tuple(shape[-1] for shape in shapes))
    files = [path.stat().st_size for path in out.rglob("*") if path.is_file()]
    version = documents(out).get("version") or documents(out)["plate"]["version"]
    return {"ngff": version, "levels": str(sorted(levels)), "files": len(files), "bytes": sum(files)}


if __name__ == "__main__":
    print(check(Path(sys.argv[1]), Path(sys.argv[2])))
