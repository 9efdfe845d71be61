"""One judge looks at one store: ``python look.py JUDGE STORE`` prints what it found and saw as one JSON object.

Runs in an environment of its own, in a process of its own: a judge that crashes has found something. Each
judge says what it sees of each image, as far as it can: channels, colours, pixel size, a digest of the
pixels of level 0, and the digest of each label. Nothing of openhcs is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import json
import os
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np

Seen = dict[str, dict[str, Any]]
"""Image by its path in the store: what was seen of it."""


def digest(pixels: Any) -> str:
    array = np.squeeze(np.asarray(pixels))
    return hashlib.sha256(
        f"{array.dtype.name} {array.shape}".encode() + np.ascontiguousarray(array).tobytes()
    ).hexdigest()[:16]


def document(group: Path) -> dict[str, Any]:
    if (group / "zarr.json").exists():
        told = json.loads((group / "zarr.json").read_text())["attributes"]
        return told.get("ome", told)
    return json.loads((group / ".zattrs").read_text())


def images(store: Path) -> list[str]:
    """Return the images that a plate lists and that are there; an image is its own."""
    root = document(store)
    if "multiscales" in root:
        return [""]
    wells = [well["path"] for well in root["plate"]["wells"] if (store / well["path"]).exists()]
    listed = [f"{well}/{one['path']}" for well in wells for one in document(store / well)["well"]["images"]]
    return [path for path in listed if (store / path).exists()]


def labels(store: Path, image: str) -> list[str]:
    group = store / image / "labels"
    return document(group).get("labels", []) if group.exists() else []


def level(group: Path, number: int = 0) -> Path:
    return group / document(group)["multiscales"][0]["datasets"][number]["path"]


def all_levels(store: Path) -> list[Path]:
    found = []
    for image in images(store):
        groups = [store / image, *(store / image / "labels" / name for name in labels(store, image))]
        found += [
            level(group, n) for group in groups for n in range(len(document(group)["multiscales"][0]["datasets"]))
        ]
    return found


def _run(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False)


def zarr_python(store: Path, seen: Seen) -> list[str]:
    import zarr

    for path in all_levels(store):
        zarr.open_array(path, mode="r")[...]
    for image in images(store):
        held = {
            name: digest(zarr.open_array(level(store / image / "labels" / name), mode="r")[...])
            for name in labels(store, image)
        }
        seen[image] = {"pixels": digest(zarr.open_array(level(store / image), mode="r")[...]), "labels": held}
    return []


def dask(store: Path, seen: Seen) -> list[str]:
    import dask.array as da

    for image in images(store):
        seen[image] = {"pixels": digest(da.from_zarr(str(level(store / image))).compute())}
    return []


def tensorstore(store: Path, seen: Seen) -> list[str]:
    import tensorstore as ts

    driver = "zarr3" if (store / "zarr.json").exists() else "zarr"
    for image in images(store):
        place = {"driver": driver, "kvstore": {"driver": "file", "path": str(level(store / image))}}
        seen[image] = {"pixels": digest(ts.open(place, open=True).result().read().result())}
    return []


def yaozarrs(store: Path, seen: Seen) -> list[str]:
    import yaozarrs

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yaozarrs.validate_zarr_store(str(store))
        for image in images(store):
            metadata = yaozarrs.open_group(str(store / image)).ome_metadata()
            seen[image] = {"channels": [one.label for one in metadata.omero.channels]} if metadata.omero else {}
    return [str(one.message) for one in told if "yaozarrs" in str(one.category.__module__)]


def ome_zarr_models(store: Path, seen: Seen) -> list[str]:
    import ome_zarr_models
    import zarr

    done = subprocess.run(
        [str(Path(sys.executable).with_name("ome-zarr-models")), "validate", str(store)],
        capture_output=True,
        text=True,
        check=False,
    )
    groups = [store, *(store / one for one in images(store))]
    groups += [store / one / "labels" / name for one in images(store) for name in labels(store, one)]
    for group in dict.fromkeys(groups):
        ome_zarr_models.open_ome_zarr(zarr.open_group(group, mode="r"))
    for image in images(store):
        found = ome_zarr_models.open_ome_zarr(zarr.open_group(store / image, mode="r"))
        omero = getattr(found.ome_attributes, "omero", None)
        told = omero if isinstance(omero, dict) else omero.model_dump() if omero else {"channels": []}
        seen[image] = {key: [one[key[:-1]] for one in told["channels"]] for key in ("colors",)}
        seen[image]["channels"] = [one.get("label") for one in told["channels"]]
    return [] if done.returncode == 0 else [(done.stdout + done.stderr).strip()[-300:]]


def ngff_zarr(store: Path, seen: Seen) -> list[str]:
    import ngff_zarr

    version = document(store)["version"] if (store / "zarr.json").exists() else "0.4"
    if "plate" in document(store):
        ngff_zarr.from_hcs_zarr(str(store), validate=True)
    for image in images(store):
        shown = ngff_zarr.from_ngff_zarr(str(store / image), validate=True, version=version)
        first = shown.images[0]
        omero = shown.metadata.omero
        seen[image] = {"pixels": digest(first.data.compute()), "pixel_size": [first.scale["y"], first.scale["x"]]}
        if omero:
            seen[image] |= {
                "channels": [one.label for one in omero.channels],
                "colors": [one.color for one in omero.channels],
            }
        for name in labels(store, image):
            ngff_zarr.from_ngff_zarr(str(store / image / "labels" / name), validate=True, version=version)
    return []


def schemas(store: Path, seen: Seen) -> list[str]:
    """The JSON schemas of the specification, plain and strict, as ngff-zarr ships them."""
    from ngff_zarr.validate import validate

    wrapped = (store / "zarr.json").exists()
    groups = [(store, "plate" if "plate" in document(store) else "image")]
    if "plate" in document(store):
        groups += [
            (store / one["path"], "well") for one in document(store)["plate"]["wells"] if (store / one["path"]).exists()
        ]
    groups += [(store / one, "image") for one in images(store) if one]
    groups += [(store / one / "labels" / name, "label") for one in images(store) for name in labels(store, one)]
    version = document(store)["version"] if wrapped else "0.4"
    found = []
    for group, kind in groups:
        for strict in (False, True):
            try:
                told = document(group)
                validate({"ome": told} if wrapped else told, version, kind, strict)
            except Exception as error:
                found.append(f"{group.relative_to(store)}: {'strict ' if strict else ''}{str(error)[:160]}")
    return found


def ome_zarr_io(store: Path, seen: Seen) -> list[str]:
    tool = str(Path(sys.executable).with_name("ome-zarr-io"))
    done = _run([tool, "validate", "--strict", str(store)])
    return [] if done.returncode == 0 else [(done.stdout + done.stderr).strip()[-400:]]


def ngio(store: Path, seen: Seen) -> list[str]:
    import ngio

    if "plate" not in document(store):
        held = {"": ngio.open_ome_zarr_container(str(store))}
    else:
        held = ngio.open_ome_zarr_plate(str(store)).get_images()
    for path, container in held.items():
        image = container.get_image()
        size = image.pixel_size
        channels = image.channels_meta.channels if image.channels_meta else []
        seen[path] = {
            "pixels": digest(image.get_as_numpy()),
            "channels": [one.label for one in channels],
            "colors": [one.channel_visualisation.color for one in channels],
            "pixel_size": [size.y, size.x],
            "labels": {name: digest(container.get_label(name).get_as_numpy()) for name in container.list_labels()},
        }
    return []


def ome_zarr_py(store: Path, seen: Seen) -> list[str]:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    list(Reader(parse_url(store))())
    for image in images(store):
        node, *others = list(Reader(parse_url(store / image))())
        held = {other.zarr.basename(): digest(other.data[0].compute()) for other in others if other.data}
        steps = node.metadata["coordinateTransformations"][0]
        scale = next(one["scale"] for one in steps if one["type"] == "scale")
        seen[image] = {"pixels": digest(node.data[0].compute()), "pixel_size": scale[-2:], "labels": held}
        if "channel_names" in node.metadata:
            seen[image]["channels"] = node.metadata["channel_names"]
    return []


def iohub(store: Path, seen: Seen) -> list[str]:
    from iohub import open_ome_zarr

    with open_ome_zarr(str(store), mode="r") as found:
        for path, position in found.positions() if "plate" in document(store) else [("", found)]:
            omero = position.metadata.omero
            name = level(store / path).name
            seen[path] = {"pixels": digest(position[name].numpy()), "pixel_size": list(position.scale)[-2:]}
            if omero:
                seen[path] |= {
                    "channels": list(position.channel_names),
                    "colors": [one.color for one in omero.channels],
                }
    return []


def bioio(store: Path, seen: Seen) -> list[str]:
    from bioio_ome_zarr import Reader

    for image in images(store):
        found = Reader(str(store / image))
        size = found.physical_pixel_sizes
        seen[image] = {
            "pixels": digest(found.data),
            "pixel_size": [size.Y, size.X],
            "channels": list(found.channel_names or ()),
        }
    return []


def napari(store: Path, seen: Seen) -> list[str]:
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from napari.components import ViewerModel
    from npe2 import PluginManager

    PluginManager.instance().discover()
    for image in images(store):
        viewer = ViewerModel()
        layers = viewer.open(str(store / image), plugin="napari-ome-zarr")
        shown = [one for one in layers if type(one).__name__ == "Image"]
        pictures = [np.asarray(one.data[0] if one.multiscale else one.data) for one in shown]
        seen[image] = {
            "pixels": digest(np.stack(pictures) if len(pictures) > 1 else pictures[0]),
            "channels": [str(one.name).rpartition(": ")[2] for one in shown],
            "pixel_size": [float(size) for size in shown[0].scale[-2:]],
        }
        held = [one for one in layers if type(one).__name__ == "Labels"]
        names = {
            str(one.name).strip(" :/").rpartition("/")[2]: np.asarray(one.data[0] if one.multiscale else one.data)
            for one in held
        }
        seen[image]["labels"] = {name: digest(pixels) for name, pixels in names.items()}
    return []


def node(store: Path, seen: Seen) -> list[str]:
    """Zarrita and ome-zarr.js, on node."""
    folder = Path(__file__).parent / "node"
    done = _run(["node", str(folder / "look.mjs"), str(store), *images(store)])
    if done.returncode:
        return [done.stderr.strip()[-400:]]
    for image, told in json.loads(done.stdout).items():
        raw = np.array(told["pixels"], told["dtype"]).reshape(told["shape"])
        seen[image] = {"pixels": digest(raw), "channels": told["channels"], "colors": told["colors"]}
    return []


def openhcs_validate(store: Path, seen: Seen) -> list[str]:
    """Not a foreign judge: what our own validator says, for the table."""
    import openhcs

    return [
        f"{one.code}: {one.path}: {one.message}"
        for one in openhcs.validate(store, deep=True).findings
        if one.severity != "info"
    ]


JUDGES = {
    "yaozarrs": (yaozarrs, "yaozarrs"),
    "ome-zarr-models": (ome_zarr_models, "ome-zarr-models"),
    "schemas": (schemas, "ngff-zarr"),
    "ngff-zarr": (ngff_zarr, "ngff-zarr"),
    "ome-zarr-io": (ome_zarr_io, "ome-zarr-io"),
    "ngio": (ngio, "ngio"),
    "ome-zarr-py": (ome_zarr_py, "ome-zarr"),
    "iohub": (iohub, "iohub"),
    "bioio": (bioio, "bioio-ome-zarr"),
    "napari": (napari, "napari-ome-zarr"),
    "zarr-python": (zarr_python, "zarr"),
    "dask": (dask, "dask"),
    "tensorstore": (tensorstore, "tensorstore"),
    "zarrita, ome-zarr.js": (node, ""),
    "openhcs validate": (openhcs_validate, "openhcs"),
}
"""Judge → its function and the package that its version is of."""


def judge(name: str, store: Path) -> dict[str, Any]:
    look, package = JUDGES[name]
    seen: Seen = {}
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                findings = look(store, seen)
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            findings = [f"{type(error).__name__}: {str(error)[:300]} ({Path(where.filename).name}:{where.lineno})"]
    version = importlib.metadata.version(package) if package else node_versions()
    return {"judge": name, "version": version, "findings": findings, "seen": seen}


def node_versions() -> str:
    told = json.loads((Path(__file__).parent / "node/package.json").read_text())["dependencies"]
    return f"{told['zarrita']}, {told['ome-zarr.js']}"


if __name__ == "__main__":
    print(json.dumps(judge(sys.argv[1], Path(sys.argv[2])), default=str))
