"""What a hostile case is, and the ways to build one: a value, an array, a plate, a name, a ledger."""

from __future__ import annotations

import json
import os
import shutil
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import hostile_parts as p
from hostile_seeds import seeds
from openhcs import FileManager, open_plate
from openhcs.io.zarr_array import open_handle
from openhcs.ledger.ledger import Ledger
from openhcs.run.status import status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Ask = Callable[[], Any]
    Build = Callable[[Path], Ask]


DEEP = 100_000
HEAD = b'<?xml version="1.0" encoding="utf-8"?>'


@dataclass(frozen=True)
class Case:
    """``build`` makes the input in a folder and returns the question; ``named`` must stand in the answer.

    ``lawful`` inputs may be read; what they give must not come from outside.
    """

    build: Build
    named: str = ""
    lawful: bool = False


def read_plate(folder: Path) -> Any:
    """Open a plate and read every plane."""
    return [site.read(missing="fill") for well in open_plate(folder) for site in well]


def load(data: bytes | Callable[[Path], object], suffix: str, *, beside: bytes | None = None) -> Build:
    """Write a file and load it."""

    def build(folder: Path) -> Ask:
        path = folder / f"victim{suffix}"
        if callable(data):
            data(path)
        else:
            path.write_bytes(data)
        if beside is not None:
            from openhcs.io.formats import types_file

            types_file(path, path.read_bytes()).write_bytes(beside)
        files = FileManager(folder)
        return lambda: files.load(path.name, "disk")

    return build


def made(data: Callable[[], bytes], suffix: str) -> Build:
    """As `load`, of bytes that take a while to make."""
    return load(data(), suffix)


def image(data: Callable[[], bytes]) -> tuple[Build, Build, Build]:
    """A TIFF asked for as a value, as an opened array and as the plane of a plate."""

    def opened(folder: Path) -> Ask:
        (folder / "victim.tif").write_bytes(data())
        return lambda: FileManager(folder).open_array("victim.tif", "disk").read()

    def planes(folder: Path) -> Ask:
        plate = folder / "plate"
        plate.mkdir()
        (plate / "A01_s1_c1_z1_t1.tif").write_bytes(p.tiff())
        (plate / "A01_s2_c1_z1_t1.tif").write_bytes(data())
        return lambda: read_plate(plate)

    return made(data, ".tif"), opened, planes


def array(make: Callable[[Path], Path]) -> Build:
    """An array asked for by its folder and by a FileManager."""

    def build(folder: Path) -> Ask:
        made_at = make(folder / "victim.zarr" / "a")
        files = FileManager(folder)

        def ask() -> Any:
            try:
                open_handle(made_at, absent="error").read()
            finally:
                found = files.load("victim.zarr/a", "zarr")
            return found

        return ask

    return build


def v3(chunk: Callable[[], bytes | None] = lambda: None, **settings: Any) -> Build:
    return array(lambda folder: p.v3(folder, chunk(), **settings))


def v2(chunk: Callable[[], bytes | None] = lambda: None, **settings: Any) -> Build:
    return array(lambda folder: p.v2(folder, chunk(), **settings))


def changed(source: str, path: str, change: Callable[[Path], object]) -> Build:
    """A copy of a good plate of which one file was changed."""

    def build(folder: Path) -> Ask:
        plate = folder / "plate"
        shutil.copytree(seeds() / source, plate)
        change(plate / path)
        return lambda: read_plate(plate)

    return build


def replaced(old: bytes, new: bytes, *, count: int = -1) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        data = path.read_bytes()
        assert old in data, f"{path} has no {old!r}"
        path.write_bytes(data.replace(old, new, count))

    return change


def told(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    """Change a JSON document."""

    def to(path: Path) -> None:
        document = json.loads(path.read_bytes())
        change(document)
        path.write_text(json.dumps(document))

    return to


def ome(path: str, change: Callable[[dict[str, Any]], object]) -> Build:
    """An OME-Zarr plate of which one document's ``ome`` was changed."""
    return changed("ome0.5/images.zarr", path, told(lambda document: change(document["attributes"]["ome"])))


def foreign(image: Path) -> None:
    """Take our own key from an image, and let its array have 10**9 z planes."""
    told(lambda one: one["attributes"].pop("openhcs", None))(image / "zarr.json")
    told(lambda one: one["attributes"]["ome"].pop("openhcs", None))(image / "zarr.json")
    told(lambda one: one.update(shape=[one["shape"][0], 10**9, *one["shape"][2:]]))(image / "0" / "zarr.json")


def by_name(build: Build) -> Build:
    """Ask a FileManager for the planes of the plate that was built."""

    def named(folder: Path) -> Ask:
        build(folder)
        (folder / "plate").rename(folder / "plate.zarr")
        files = FileManager(folder)
        return lambda: [files.load(path, "zarr") for path in files.list("plate.zarr", "zarr")]

    return named


def linked(target: str | Path) -> Callable[[Path], object]:
    """Put a link where a file or folder was."""

    def change(path: Path) -> None:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        path.symlink_to(target)

    return change


def fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    path.unlink(missing_ok=True)
    at = os.open(path.parent, os.O_RDONLY)
    # The name of a socket is short, so it is given from within the folder.
    here = os.getcwd()
    os.fchdir(at)
    socket.socket(socket.AF_UNIX).bind(path.name)
    os.chdir(here)
    os.close(at)


def folder_instead(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def plate_of(names: Mapping[str, bytes]) -> Build:
    """A folder of files by name."""

    def build(folder: Path) -> Ask:
        plate = folder / "plate"
        for name, data in names.items():
            (plate / name).parent.mkdir(parents=True, exist_ok=True)
            (plate / name).write_bytes(data)
        return lambda: read_plate(plate)

    return build


def saved(path: str, backend: str, before: Callable[[Path], object] = lambda _: None) -> Build:
    """A value saved below a root."""

    def build(folder: Path) -> Ask:
        root = folder / "root"
        root.mkdir()
        before(root)
        files = FileManager(root)
        return lambda: files.save(np.ones(3, np.uint8), path, backend)

    return build


def asked(ask: Callable[[], Any]) -> Build:
    return lambda _: ask


def ledger(path: str, change: Callable[[Path], object]) -> Build:
    """An output of which the ledger was changed."""

    def build(folder: Path) -> Ask:
        shutil.copytree(seeds() / "ome0.5", folder / "out")
        change(next((folder / "out").glob(path)))
        output = folder / "out" / "images.zarr"

        def ask() -> None:
            book = Ledger(output)
            book.records()
            book.notes.failures()
            status(output)
            for task in book.records():
                book.verify(task)

        return ask

    return build


def laughs() -> bytes:
    rows = [b'<!ENTITY a0 "ha">', *(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 20) for n in range(1, 12))]
    return b"<!DOCTYPE EvaluationInputData [" + b"".join(rows) + b"]>"
