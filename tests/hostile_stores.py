"""Hostile stores for validate, made by hand: each gives one clear finding."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

from hostile_cases import DEEP, Case, fifo, linked, told
from hostile_seeds import seeds
from openhcs import validate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hostile_cases import Ask, Build

ROOT, WELL, SITE = "zarr.json", "A/01/zarr.json", "A/01/0/zarr.json"
LEVEL = "A/01/0/0/zarr.json"
SHARD = "A/01/0/0/c/0/0/0/0"
NUMBER = 10**400


def finds(code: str, path: str, change: Callable[[Path], object], *, version: str = "0.5") -> Case:
    """A good plate of which one file was changed; validate tells a code, few times."""
    return Case(_build(code, path, change, version), lawful=True)


def _build(code: str, path: str, change: Callable[[Path], object], version: str) -> Build:
    def build(folder: Path) -> Ask:
        store = folder / "plate.zarr"
        shutil.copytree(seeds() / f"ome{version}/images.zarr", store)
        change(store / path)

        def ask() -> None:
            report = validate(store, deep=True)
            codes = [one.code for one in report.findings]
            assert code in codes, f"{code} is not told: {codes[:20]}"
            assert len(codes) < 200, f"{len(codes)} findings"
            assert all(len(str(one)) < 2000 for one in report.findings), "a finding of many words"

        return ask

    return build


def ome(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    return told(lambda document: change(document["attributes"]["ome"]))


def text(data: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(data)


def wells(count: int) -> Callable[[Path], object]:
    row = '{"path":"A/01","rowIndex":0,"columnIndex":0}'
    lines = '"rows":[{"name":"A"}],"columns":[{"name":"01"}]'
    head = '{"zarr_format":3,"node_type":"group","attributes":{"ome":{"version":"0.5","plate":{'
    return lambda path: path.write_text(f'{head}{lines},"wells":[{",".join([row] * count)}]}}}}}}}}')


def shaped(*shape: int, **more: Any) -> Callable[[Path], object]:
    return told(lambda array: array.update(shape=list(shape), **more))


def chunked(document: dict[str, Any]) -> None:
    """Chunks of one pixel in a shard of 2**31 of them."""
    document["shape"] = document["chunk_grid"]["configuration"]["chunk_shape"] = [1, 1, 2**16, 2**15]
    document["codecs"][0]["configuration"]["chunk_shape"] = [1, 1, 1, 1]


def many_objects(path: Path) -> None:
    for number in range(3000):
        (path.parent / f"{number}.0.0.0").write_bytes(b"x")


def many_folders(path: Path) -> None:
    for number in range(3000):
        (path.parent / f"x{number}").mkdir()


def deep_folders(path: Path) -> None:
    """Folders in folders, as deep as the system lets them be named."""
    here = path.parent / "labels"
    here.mkdir(exist_ok=True)
    (here / "zarr.json").write_text(
        '{"zarr_format":3,"node_type":"group","attributes":{"ome":{"version":"0.5","labels":[]}}}'
    )
    for _ in range(300):
        here = here / "a"
        here.mkdir()
        (here / "zarr.json").write_text('{"zarr_format":3,"node_type":"group","attributes":{}}')
    (path.parent / "zarr.json").write_text("[]")


def colors(path: Path) -> None:
    document = json.loads(path.read_bytes())
    rgba = [{"label-value": 1, "rgba": [0, 0, 0, 300]}] * 200_000
    document["attributes"]["ome"]["image-label"] = {"version": "0.5", "colors": rgba}
    group = path.parent / "labels"
    (group / "one").mkdir(parents=True)
    (group / "one/zarr.json").write_text(json.dumps(document))
    (group / "zarr.json").write_text(
        '{"zarr_format":3,"node_type":"group","attributes":{"ome":{"version":"0.5","labels":["one"]}}}'
    )


def around(path: Path) -> None:
    """A link to a folder above: walking on would never end."""
    os.symlink("..", path.parent / "round")


STORES: dict[str, Case] = {
    "validate a root 100,000 deep": finds("document-unreadable", ROOT, text("[" * DEEP)),
    "validate a root of 10**6 wells": finds("document-unreadable", ROOT, wells(10**6)),
    "validate a root of 300,000 wells": finds("document-too-large", ROOT, wells(300_000)),
    "validate a root of huge indices": finds(
        "plate-well-index", ROOT, ome(lambda body: body["plate"]["wells"][0].update(rowIndex=10**300))
    ),
    "validate a root with a number of 400 digits": finds(
        "field-count-high", ROOT, ome(lambda body: body["plate"].update(field_count=NUMBER))
    ),
    "validate a root that is a pipe": finds("document-unreadable", ROOT, fifo),
    "validate a root that links out": finds("path-leads-out", ROOT, linked("../../outside/secret.txt")),
    "validate a root of an image": finds(
        "level-absent", ROOT, lambda path: path.write_bytes((path.parent / SITE).read_bytes())
    ),
    "validate a well that links out": finds("path-leads-out", "A/01", linked("../../../outside")),
    "validate a well that is a root": finds(
        "not-ome-zarr", WELL, lambda path: path.write_bytes((path.parents[2] / ROOT).read_bytes())
    ),
    "validate a site outside": finds(
        "path-leads-out", WELL, ome(lambda body: body["well"]["images"][0].update(path="../../../../outside"))
    ),
    "validate 10**5 sites": finds(
        "document-too-large", WELL, ome(lambda body: body["well"].update(images=[{"path": "0"}] * 10**5))
    ),
    "validate 10**5 levels": finds(
        "document-too-large",
        SITE,
        ome(lambda body: body["multiscales"][0].update(datasets=body["multiscales"][0]["datasets"][:1] * 10**5)),
    ),
    "validate 10**5 axes": finds(
        "document-too-large", SITE, ome(lambda body: body["multiscales"][0].update(axes=[{"name": "x"}] * 10**5))
    ),
    "validate 10**5 multiscales": finds(
        "document-too-large", SITE, ome(lambda body: body.update(multiscales=body["multiscales"] * 10**4))
    ),
    "validate 10**5 channels": finds(
        "document-too-large", SITE, ome(lambda body: body["omero"].update(channels=[{}] * 10**5))
    ),
    "validate a scale of 10**400": finds(
        "document-unreadable", SITE, lambda path: path.write_text('{"a": ' + "9" * 10**5 + "}")
    ),
    "validate a level at an absolute path": finds(
        "path-leads-out", SITE, ome(lambda body: body["multiscales"][0]["datasets"][0].update(path="/etc"))
    ),
    **{
        f"validate a level at {name}": finds(
            "path-leads-out",
            SITE,
            ome(lambda body, path=path: body["multiscales"][0]["datasets"][0].update(path=path)),
        )
        for name, path in {
            "a path with a null": "0\0",
            "a lone surrogate": "0\ud800",
            "a path of 10**5 letters": "x" * 10**5,
            "a path of dots": "./.",
            "no path": "",
        }.items()
    },
    "validate a level of 10**12 pixels": finds("array-shape", LEVEL, shaped(1, 1, 10**30, 10**12)),
    "validate a level of 10**6 by 10**6": finds("chunk-lost", LEVEL, shaped(1, 1, 10**6, 10**6)),
    "validate a level of a negative size": finds("array-shape", LEVEL, shaped(1, 1, -1, 5)),
    "validate a level without chunks": finds(
        "array-chunks",
        LEVEL,
        told(lambda array: array["chunk_grid"]["configuration"].update(chunk_shape=[0, 0, 0, 0])),
    ),
    "validate a shard of 2**31 chunks": finds("array-chunks", LEVEL, told(chunked)),
    "validate a level with 10**5 codecs": finds(
        "document-too-large", LEVEL, told(lambda array: array.update(codecs=array["codecs"] * 10**4))
    ),
    "validate a shard that is a pipe": finds("chunk-unreadable", SHARD, fifo),
    "validate a shard that links out": finds("path-leads-out", SHARD, linked("../" * 10 + "outside/secret.txt")),
    "validate a shard that is a folder": finds(
        "chunk-lost", SHARD, lambda path: (path.unlink(), path.mkdir())
    ),
    "validate 3,000 objects of other names": finds("chunk-key", LEVEL, many_objects),
    "validate 3,000 folders in a plate": finds(
        "field-count-high",
        ROOT,
        lambda path: (many_folders(path), ome(lambda body: body["plate"].update(field_count=9))(path)),
    ),
    "validate labels 300 deep": finds("document-unreadable", SITE, deep_folders),
    "validate 200,000 wrong colours": finds("label-value", SITE, colors),
    "validate a plate that holds itself": finds("no-records", ROOT, around),
}  # fmt: skip
"""Name → case."""
