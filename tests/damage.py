"""Plates of every version to be damaged, and how their files are changed, which is taken back afterwards."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs import GlobalPipelineConfig, ZarrConfig, convert
from openhcs.core.config import ZarrConfig as Choices
from openhcs.io.fsops import FileOps
from openhcs.io.zarr_array import open_handle, write_array
from openhcs.io.zarr_spec import make_spec
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Json = dict[str, Any]
VERSIONS = ("0.4", "0.5", "0.6")
WELLS = ("A01", "B03", "D02")
IMAGE = "A/01/0"
LABEL = f"{IMAGE}/labels/nuclei"
ABSENT = 2**64 - 1


def make_source(folder: Path) -> Path:
    return make_plate(folder, wells=WELLS, sites=2, z=2, size=(600, 300))


def make_store(source: Path, target: Path, version: str) -> Store:
    """Convert a plate; every chunk is compressed so that damage can be told, in shards where there are shards."""
    config = GlobalPipelineConfig(zarr=ZarrConfig(ngff_version=version))
    assert convert(source, target, config=config).ok
    return Store(target, version)


def copy_store(store: Store, target: Path) -> Store:
    """Return a copy without the ledger."""
    shutil.copytree(store.path, target)
    return Store(target, store.version)


class Store:
    """A plate's store on disk, whose documents and objects can be changed."""

    def __init__(self, path: Path, version: str) -> None:
        self.path = path
        self.version = version
        self.v2 = version == "0.4"
        self._undo: list[Callable[[], Any]] = []

    @contextmanager
    def undone(self) -> Iterator[Store]:
        """Take back whatever was changed within, the last change first."""
        try:
            yield self
        finally:
            while self._undo:
                self._undo.pop()()

    def keep(self) -> None:
        """Let what was changed so far stand."""
        self._undo.clear()

    def put(self, at: str, data: bytes) -> None:
        """Write a file anew."""
        target = self.path / at
        made = next((one for one in reversed([target, *target.parents]) if not one.exists()), None)
        before = None if made is not None else target.read_bytes()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        if before is not None:
            self._undo.append(lambda: target.write_bytes(before))
        else:
            self._undo.append(target.unlink if made == target else lambda: shutil.rmtree(made))

    def read(self, at: str) -> bytes:
        return (self.path / at).read_bytes()

    def drop(self, at: str, *, must: bool = True) -> None:
        """Take a file or folder out of the store."""
        target = self.path / at
        aside = self.path.with_name(f"aside-{len(self._undo)}")
        if must or target.exists():
            target.rename(aside)
            self._undo.append(lambda: aside.rename(target))

    def move(self, at: str, to: str) -> None:
        data = self.read(at)
        self.drop(at)
        self.put(to, data)

    def copy(self, at: str, to: str) -> None:
        shutil.copytree(self.path / at, self.path / to)
        self._undo.append(lambda: shutil.rmtree(self.path / to))

    def file(self, group: str, name: str) -> str:
        return f"{group}/{name}" if group else name

    def document_of(self, group: str) -> str:
        """Return the document that holds the attributes of a group."""
        return self.file(group, ".zattrs" if self.v2 else "zarr.json")

    def group_file(self, group: str) -> str:
        return self.file(group, ".zgroup" if self.v2 else "zarr.json")

    def array_file(self, array: str) -> str:
        return self.file(array, ".zarray" if self.v2 else "zarr.json")

    @contextmanager
    def edit(self, at: str) -> Iterator[Json]:
        """Change a JSON document."""
        document = json.loads(self.read(at))
        yield document
        self.put(at, json.dumps(document).encode())

    @contextmanager
    def group(self, group: str = "") -> Iterator[Json]:
        """Change what OME-Zarr says of a group."""
        with self.edit(self.document_of(group)) as document:
            yield document if self.v2 else document["attributes"]["ome"]

    @contextmanager
    def plate(self) -> Iterator[Json]:
        with self.group() as body:
            yield body["plate"]

    @contextmanager
    def well(self, path: str = "A/01") -> Iterator[Json]:
        with self.group(path) as body:
            yield body["well"]

    @contextmanager
    def image(self, path: str = IMAGE) -> Iterator[Json]:
        with self.group(path) as body:
            yield body["multiscales"][0]

    def array(self, path: str = f"{IMAGE}/0") -> Any:
        return self.edit(self.array_file(path))

    def axes(self, image: Json) -> list[Json]:
        return image["coordinateSystems"][0]["axes"] if self.version == "0.6" else image["axes"]

    def steps(self, image: Json, level: int) -> list[Json]:
        """Return scale and translation of a level, where the version keeps them."""
        found = image["datasets"][level]["coordinateTransformations"]
        return found[0]["transformations"] if self.version == "0.6" else found

    def objects(self, array: str = f"{IMAGE}/0") -> list[str]:
        """Return the stored objects of an array."""
        top = self.path / array
        names = {"zarr.json", ".zarray", ".zattrs"}
        found = [path for path in top.rglob("*") if path.is_file() and path.name not in names]
        return sorted(str(path.relative_to(self.path)) for path in found)

    def index(self, shard: str) -> tuple[bytes, np.ndarray]:
        """Return the chunks of a shard, and its index as (offset, bytes) pairs."""
        data = self.read(shard)
        chunks = 4
        table = np.frombuffer(data[-16 * chunks - 4 : -4], "<u8").reshape(-1, 2).copy()
        return data[: -16 * chunks - 4], table

    def put_index(self, shard: str, chunks: bytes, table: np.ndarray) -> None:
        from google_crc32c import value

        data = table.astype("<u8").tobytes()
        self.put(shard, chunks + data + value(data).to_bytes(4, "little"))


def add_labels(store: Store, image: str = IMAGE) -> None:
    """Give an image a label: its pixels over a threshold, on every level."""
    with store.group(image) as body:
        told = json.loads(json.dumps(body["multiscales"][0]))
        version = {} if store.version == "0.6" else {"version": store.version}
    told["name"], told["type"] = "nuclei", "nearest"
    config = Choices(ngff_version=store.version)
    names = ("c", "z", "y", "x")
    for level in told["datasets"]:
        pixels = open_handle(store.path / image / level["path"]).read(())[:1]
        mask = (pixels > 400).astype("int32")
        spec = make_spec(mask.shape, "int32", config, dimension_names=names)
        write_array(store.path / image / "labels" / "nuclei" / level["path"], mask, spec, FileOps(durable=False))
    colors = [{"label-value": 1, "rgba": [255, 0, 0, 255]}]
    label = {**version, "colors": colors, "source": {"image": "../../"}}
    put_group(store, f"{image}/labels", {"labels": ["nuclei"]})
    put_group(store, f"{image}/labels/nuclei", {"multiscales": [told], "image-label": label})
    store.keep()


def put_group(store: Store, path: str, body: Json) -> None:
    """Write the documents of a group."""
    if store.v2:
        store.put(store.file(path, ".zgroup"), b'{"zarr_format": 2}')
        store.put(store.file(path, ".zattrs"), json.dumps(body).encode())
        return
    document = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": store.version, **body}}}
    store.put(store.file(path, "zarr.json"), json.dumps(document).encode())
