"""Hostile inputs made by hand, a table of name → `Case`: what is built, and what is asked of it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import hostile_parts as p
from hostile_targets import Names, seeds
from openhcs import FileManager, GlobalPipelineConfig, open_plate
from openhcs.core.wells import select_wells
from openhcs.errors import OpenHCSError
from openhcs.io.zarr_array import open_handle
from openhcs.microscopes import detect
from openhcs.microscopes.patterns import Pattern
from openhcs.run.ledger import Ledger
from openhcs.run.status import status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Ask = Callable[[], Any]
    Build = Callable[[Path], Ask]


@dataclass(frozen=True)
class Case:
    """``build`` makes the input in a folder and returns the question; ``named`` must stand in the answer.

    ``lawful`` inputs may be read; what they give must not come from outside.
    """

    build: Build
    named: str = ""
    lawful: bool = False


def prepare(name: str, folder: Path) -> Callable[[int], Any]:
    """Return what puts the question; the input is made before the clock runs."""
    case = CASES[name]
    shutil.rmtree(folder / "in")
    (folder / "in").mkdir()
    ask = case.build(folder / "in")

    def put(_: int) -> Any:
        try:
            found = ask()
        except OpenHCSError as error:
            assert case.named in str(error), f"{case.named} is not named: {error}"
            raise
        assert case.lawful, f"was read: {found!r:.200}"
        return found

    return put


# questions


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
    return lambda folder: load(data(), suffix)(folder)


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


HEAD = b'<?xml version="1.0" encoding="utf-8"?>'
OME_XML = (
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
    'DimensionOrder="XYZCT" Type="uint16" SizeX="16" SizeY="16" SizeC="1" SizeZ="{z}" SizeT="1">'
    '<TiffData IFD="0" FirstZ="0"><UUID FileName="{name}">urn:uuid:1</UUID></TiffData></Pixels></Image></OME>'
)
DEEP = 100_000
INDEX = "Images/Index.idx.xml"
WELL, SITE, ROOT, LEVEL = "A/01/zarr.json", "A/01/0/zarr.json", "zarr.json", "A/01/0/0/zarr.json"
IFDS = {
    "of which the pages go round": p.tiff_loop,
    "whose next page lies past the end": lambda: p.tiff(next_ifd=2**32 - 2),
    "of a million million pixels": lambda: p.tiff({256: ("I", [10**6]), 257: ("I", [10**6])}),
    "of the largest sides": lambda: p.tiff({256: ("I", [2**32 - 1]), 257: ("I", [2**32 - 1])}),
    "of no pixels": lambda: p.tiff({256: ("I", [0]), 257: ("I", [0])}),
    "without strips": lambda: p.tiff({273: None, 279: None}),
    "with more strips than sizes": lambda: p.tiff({273: ("I", [16] * 4), 278: ("I", [4])}),
    "whose strip lies past the end": lambda: p.tiff({273: ("I", [2**31])}),
    "whose strip is longer than the file": lambda: p.tiff({279: ("I", [2**31])}),
    "whose strip is empty": lambda: p.tiff({279: ("I", [0])}),
    "whose strip is a bomb": lambda: p.tiff({259: ("H", [8])}, pixels=p.deflate_bomb(15)),
    "whose zstd strip is a bomb": lambda: p.tiff({259: ("H", [50000])}, pixels=p.zstd_bomb(sized=True)),
    "whose LZW strip is noise": lambda: p.tiff({259: ("H", [5])}, pixels=bytes(range(256))),
    "whose JPEG strip is noise": lambda: p.tiff({259: ("H", [7])}, pixels=b"\xff\xd8\xff\xe0" * 99),
    "whose LERC strip is noise": lambda: p.tiff({259: ("H", [34887])}, pixels=b"Lerc2 " * 99),
    "of an unknown codec": lambda: p.tiff({259: ("H", [61000])}),
    "with rows of no height": lambda: p.tiff({278: ("I", [0])}, pixels=b"ab"),
    "with tiles of no size": lambda: p.tiff({273: None, 278: None, 279: None, 322: ("I", [0]), 323: ("I", [0]), 324: ("I", [16]), 325: ("I", [512])}),
    "with tiles of 4 GB": lambda: p.tiff({273: None, 278: None, 279: None, 322: ("I", [2**16]), 323: ("I", [2**15]), 324: ("I", [16]), 325: ("I", [512]), 259: ("H", [8])}, pixels=p.deflate_bomb(15)),
    "with a million million tiles": lambda: p.tiff({256: ("I", [2**24]), 257: ("I", [2**24]), 273: None, 278: None, 279: None, 322: ("I", [16]), 323: ("I", [16]), 324: ("I", [16]), 325: ("I", [512])}),
    "of samples without bits": lambda: p.tiff({258: ("H", [0])}),
    "of samples of 65535 bits": lambda: p.tiff({258: ("H", [65535])}),
    "of 65535 samples": lambda: p.tiff({277: ("H", [65535])}),
    "whose text is past the end": lambda: p.tiff({270: ("s", b"x" * 99)})[:-90],
    "of which other directories go round": lambda: p.tiff({330: ("I", [struct.unpack_from("<I", p.tiff(), 4)[0]])}, next_ifd=0)[:-1],
    "that names the outside as its pixels": lambda: p.tiff({270: ("s", OME_XML.format(z=2, name="../../outside/secret.tif").encode() + b"\0")}),
    "that is said to have a thousand million planes": lambda: p.tiff({270: ("s", OME_XML.format(z=10**9, name="victim.tif").encode() + b"\0")}),
    "with entities in its text": lambda: p.tiff({270: ("s", HEAD + laughs() + b"<OME>&a11;</OME>\0")}),
    "of ImageJ with a thousand million images": lambda: p.tiff({270: ("s", b"ImageJ=1.53\nimages=1000000000\nslices=1000000000\nhyperstack=true\n\0")}),
    "said to be of another shape": lambda: p.tiff({270: ("s", b'{"shape": [1000000000000, 16, 16]}\0')}),
    "of a negative shape": lambda: p.tiff({270: ("s", b'{"shape": [-16, -16]}\0')}),
    "with a chain of 100,000 pages": lambda: p.tiff_chain(DEEP),
    "of a predictor nobody knows": lambda: p.tiff({317: ("H", [60000]), 259: ("H", [8])}, pixels=__import__("zlib").compress(p.PIXELS.tobytes())),
    "large, with offsets past all ends": lambda: p.tiff({273: ("Q", [2**63]), 279: ("Q", [2**63])}, big=True),
    "large, of 2**60 strips": lambda: p.tiff({256: ("Q", [2**40]), 257: ("Q", [2**40]), 278: ("Q", [1])}, big=True),
}
MAY_BE_READ = {
    "of which other directories go round", "that names the outside as its pixels", "with entities in its text", "with more strips than sizes",
    "of ImageJ with a thousand million images", "said to be of another shape", "of a negative shape", "with a chain of 100,000 pages",
    "that is said to have a thousand million planes", "of which the pages go round", "whose next page lies past the end", "with tiles of 4 GB",
    "with rows of no height", "whose text is past the end", "of 65535 samples", "whose strip is longer than the file", "whose strip is empty", "whose LZW strip is noise",
}  # fmt: skip
"""TIFFs whose first page is whole, or of which some question may lawfully be answered."""
FORMS = ("as a value", "opened", "in a plate")
TIFFS = {
    f"a TIFF {what}, {form}": Case(build, named="s2" if form == "in a plate" else "victim.tif", lawful=what in MAY_BE_READ)
    for what, data in IFDS.items()
    for form, build in zip(FORMS, image(data), strict=True)
}
VALUES = {
    "an NPY of pickled objects": Case(load(p.pickled(), ".npy"), "victim.npy"),
    "an NPY whose header is code": Case(load(p.npy("__import__('os').system('touch code-ran')"), ".npy"), "victim.npy"),
    "an NPY whose header calls a method": Case(load(p.npy_of("(1,).__class__.__base__.__subclasses__()"), ".npy"), "victim.npy"),
    "an NPY whose header nests deep": Case(load(p.npy("(" * 9000), ".npy"), "victim.npy"),
    "an NPY of 10**12 pixels": Case(load(p.npy_of("(1000000, 1000000)"), ".npy"), "victim.npy"),
    "an NPY whose size overflows": Case(load(p.npy_of("(4294967296, 4294967296)"), ".npy"), "victim.npy"),
    "an NPY of 10**12 empty items": Case(load(p.npy_of("(1000000000000,)", descr="'|V0'"), ".npy"), "victim.npy", lawful=True),
    "an NPY of a negative side": Case(load(p.npy_of("(-1, -2)", b"1234"), ".npy"), "victim.npy"),
    "an NPY of sides that are no numbers": Case(load(p.npy_of("(2.0, True)", b"1234"), ".npy"), "victim.npy"),
    "an NPY of ten thousand axes": Case(load(p.npy_of("(" + "1," * 3000 + ")", b"12"), ".npy"), "victim.npy"),
    "an NPY whose header is 4 GB long": Case(load(p.npy("{}", version=(2, 0), length=2**32 - 1), ".npy"), "victim.npy"),
    "an NPY of a version to come": Case(load(p.npy("{}", version=(9, 9)), ".npy"), "victim.npy"),
    "an NPY of dtypes in dtypes": Case(load(p.npy_of("()", descr="[('a', " * 300 + "'<u2'" + ")]" * 300), ".npy"), "victim.npy"),
    "an NPZ of pickled objects": Case(load(p.npz([("a.npy", p.pickled())]), ".npz"), "victim.npz"),
    "an NPZ of a name that leads out": Case(load(p.npz([("../../outside/new.npy", p.good_npy())]), ".npz"), lawful=True),
    "an NPZ with two arrays of one name": Case(load(p.npz([("a.npy", p.good_npy())] * 2), ".npz"), "victim.npz"),
    "an NPZ of something else": Case(load(p.npz([("a.py", b"import os")]), ".npz"), "victim.npz"),
    "an NPZ that is locked": Case(load(lambda path: path.write_bytes(p.npz_patched(b"PK\1\2", 8, b"\1\0")), ".npz"), "victim.npz"),
    "an NPZ that claims 4 GB": Case(load(lambda path: path.write_bytes(p.npz_patched(b"PK\1\2", 24, b"\xff\xff\xff\x7f")), ".npz"), "victim.npz"),
    "an NPZ that claims less than it holds": Case(load(lambda path: path.write_bytes(p.npz_understated()), ".npz"), "victim.npz"),
    "an NPZ packed by LZMA": Case(load(p.npz([("a.npy", p.good_npy())], zipfile.ZIP_LZMA), ".npz"), "victim.npz"),
    "JSON 100,000 deep": Case(load(b"[" * DEEP + b"]" * DEEP, ".json"), "victim.json"),
    "JSON objects 100,000 deep": Case(load(b'{"a":' * DEEP + b"1" + b"}" * DEEP, ".json"), "victim.json"),
    "JSON with a number of a million digits": Case(load(b"[" + b"9" * 10**6 + b"]", ".json"), "victim.json"),
    "JSON of 300 MB": Case(load(lambda path: p.sparse(path, 300 * p.MB, b"["), ".json"), "victim.json"),
    "JSON of half a character": Case(load(b'["\xff\xfe\xd8"]', ".json"), "victim.json"),
    "CSV of 300 MB": Case(load(lambda path: p.sparse(path, 300 * p.MB, b"a,b\n"), ".csv"), "victim.csv"),
    "CSV with a quote that never ends": Case(load(b'a\n"' + b'""' * 10**6, ".csv"), "victim.csv"),
    "CSV with a field of 20 MB": Case(load(b"a\n" + b"x" * (20 * p.MB), ".csv"), lawful=True),
    "CSV of 100,000 columns of one name": Case(load(b"a," * 10**5 + b"a\n", ".csv"), "victim.csv"),
    "CSV with rows of other lengths": Case(load(b"a,b\n1\n", ".csv"), "victim.csv"),
    "CSV of which each text is said to take 256 KB": Case(load(b'"a"\n' + b'"x"\n' * 20_000, ".csv", beside=b'{"rows": false, "types": {"a": "U65536"}}'), "victim.csv"),
    "CSV of which types are code": Case(load(b'"a"\n"x"\n', ".csv", beside=b'{"rows": false, "types": {"a": "O"}}'), "victim.csv"),
    "Parquet of noise between its marks": Case(load(b"PAR1" + bytes(range(256)) * 40 + struct.pack("<I", 5000) + b"PAR1", ".parquet"), "victim.parquet"),
    "Parquet whose end lies before its start": Case(load(b"PAR1" + b"\xff" * 8 + struct.pack("<I", 2**31) + b"PAR1", ".parquet"), "victim.parquet"),
    "a PNG of 2**31 by 2**31": Case(load(p.png(2**31 - 1, 2**31 - 1), ".png"), "victim.png"),
    "a PNG of 10**5 by 10**5": Case(load(p.png(10**5, 10**5), ".png"), "victim.png"),
    "a PNG of no pixels": Case(load(p.png(0, 0), ".png"), "victim.png"),
    "a PNG of a colour nobody knows": Case(load(p.png(9, 9, colour=9), ".png"), "victim.png"),
    "a PNG whose profile is a bomb": Case(lambda at: load(p.png(10, 10, chunks=[(b"iCCP", b"a\0\0" + p.deflate_bomb(15))]), ".png")(at), lawful=True),
    "a PNG whose text is a bomb": Case(lambda at: load(p.png(10, 10, chunks=[(b"zTXt", b"a\0\0" + p.deflate_bomb(15))]), ".png")(at), lawful=True),
    "a pipe named as a value": Case(load(fifo, ".npy"), "victim.npy"),
    "a socket named as a value": Case(load(unix_socket, ".json"), "victim.json"),
    "a folder named as a value": Case(load(folder_instead, ".tif"), "victim.tif"),
    "a device named as a value": Case(load(linked("/dev/zero"), ".npy"), "victim.npy"),
    "a link to itself": Case(load(linked("victim.npy"), ".npy"), "victim.npy"),
    "a link that leads out": Case(load(linked("../outside/secret.npy"), ".npy"), "victim.npy"),
}  # fmt: skip
ARRAYS = {
    "a v3 chunk that is a gzip bomb": Case(v3(lambda: p.deflate_bomb(31), codecs=[p.BYTES, {"name": "gzip", "configuration": {"level": 1}}]), "victim.zarr/a"),
    "a v3 chunk that is a zstd bomb": Case(v3(lambda: p.zstd_bomb(sized=True), codecs=[p.BYTES, {"name": "zstd", "configuration": {"level": 1, "checksum": False}}]), "victim.zarr/a"),
    "a v3 chunk that is a zstd bomb of untold size": Case(v3(lambda: p.zstd_bomb(sized=False), codecs=[p.BYTES, {"name": "zstd", "configuration": {"level": 1, "checksum": False}}]), "victim.zarr/a"),
    "a v3 chunk that is a blosc bomb": Case(v3(p.blosc_bomb, codecs=[p.BYTES, p.BLOSC]), "victim.zarr/a"),
    "a v3 chunk that claims 2 GB": Case(v3(lambda: p.blosc_claim(2**31 - 17), codecs=[p.BYTES, p.BLOSC]), "victim.zarr/a"),
    "a blosc bomb in a shard": Case(v3(lambda: p.shard([(0, len(p.blosc_bomb())), *[p.NONE] * 3], p.blosc_bomb()), codecs=[p.sharding(codecs=[p.BYTES, p.BLOSC])]), "victim.zarr/a"),
    "a blosc bomb in a shard whose index comes first": Case(v3(lambda: p.shard_first(p.blosc_bomb()), codecs=[p.sharding(codecs=[p.BYTES, p.BLOSC], location="start")]), "victim.zarr/a"),
    "a shard whose entries lie past the end": Case(v3(lambda: p.shard([(10**6, 128)] * 4, bytes(512)), codecs=[p.sharding()]), "victim.zarr/a"),
    "a shard whose entries overflow": Case(v3(lambda: p.shard([(2**64 - 100, 128)] * 4, bytes(512)), codecs=[p.sharding()]), "victim.zarr/a"),
    "a shard with an entry of 2**62 bytes": Case(v3(lambda: p.shard([(0, 2**62)] * 4, bytes(512)), codecs=[p.sharding()]), "victim.zarr/a"),
    "a shard whose entries overlap": Case(v3(lambda: p.shard([(0, 128)] * 4, bytes(512)), codecs=[p.sharding()]), lawful=True),
    "a shard whose entries are too long": Case(v3(lambda: p.shard([(0, 512)] * 4, bytes(512)), codecs=[p.sharding()]), "victim.zarr/a"),
    "a shard whose index is its own pixels": Case(v3(lambda: p.shard([(512, 128)] * 4, bytes(512))[:-4], codecs=[p.sharding(index=[p.BYTES])]), "victim.zarr/a", lawful=True),
    "a shard shorter than its index": Case(v3(lambda: b"abc", codecs=[p.sharding()]), "victim.zarr/a"),
    "an empty shard": Case(v3(lambda: b"", codecs=[p.sharding()]), "victim.zarr/a"),
    "a shard whose index is compressed": Case(v3(lambda: b"abc", codecs=[p.sharding(index=[p.BYTES, {"name": "gzip", "configuration": {"level": 1}}])]), "victim.zarr/a"),
    "a shard of 2**40 chunks": Case(v3(lambda: b"abc", shape=[2**20, 2**20], chunk_grid={"name": "regular", "configuration": {"chunk_shape": [2**20, 2**20]}}, codecs=[p.sharding((1, 1))]), "zarr.json"),
    "shards in shards, 50 deep": Case(v3(lambda: b"abc", codecs=[p.nested(50)]), "victim.zarr/a"),
    "shards in shards, 300 deep": Case(v3(lambda: b"abc", codecs=[p.nested(300)]), "victim.zarr/a"),
    "a v3 array of 10**12 by 10**12": Case(v3(shape=[10**12, 10**12]), "zarr.json"),
    "a v3 array of 10**12 pixels in chunks of 2 MB": Case(v3(shape=[10**6, 10**6], chunk_grid={"name": "regular", "configuration": {"chunk_shape": [1000, 1000]}}), "victim.zarr/a"),
    **{f"v3 chunks of {side!r}": Case(v3(chunk_grid={"name": "regular", "configuration": {"chunk_shape": [side, 16]}}), "zarr.json") for side in (0, -1, 1.5, True, 2**63, 10**400, None, "16")},
    **{f"a v3 shape of {side!r}": Case(v3(shape=[side, 16]), "zarr.json") for side in (-1, 1.5, True, 2**63, None, [16])},
    "v3 axes that do not fit": Case(v3(shape=[16]), "zarr.json"),
    "v3 axes by the thousand": Case(v3(shape=[1] * 5000, chunk_grid={"name": "regular", "configuration": {"chunk_shape": [1] * 5000}}), "zarr.json"),
    "a v3 codec that runs code": Case(v3(codecs=[{"name": "numcodecs.pickle", "configuration": {}}]), "zarr.json"),
    "a v3 codec without a name": Case(v3(codecs=[{}, 5, None]), "zarr.json"),
    "a v3 transposition that is none": Case(v3(lambda: b"abc", codecs=[{"name": "transpose", "configuration": {"order": [0, 0]}}, p.BYTES]), "victim.zarr/a"),
    "v3 chunk names that lead out": Case(v3(chunk_key_encoding={"name": "default", "configuration": {"separator": "/../../../outside/"}}), "victim.zarr/a"),
    "a v3 fill value of a thousand digits": Case(v3(fill_value=10**1000), "zarr.json"),
    "a v3 fill value that is an object": Case(v3(fill_value={"a": []}), "zarr.json"),
    "a v3 type that is a list": Case(v3(data_type=["uint16"]), "zarr.json"),
    "a v3 type with a thousand million bits": Case(v3(data_type="r1000000000"), "zarr.json"),
    "a v3 chunk that is cut off": Case(v3(lambda: b"abc"), "victim.zarr/a"),
    "a v3 document 100,000 deep": Case(array(lambda at: p.written(p.v3(at), "zarr.json", b"[" * DEEP)), "zarr.json"),
    "a v3 document of a million empty lists": Case(array(lambda at: p.written(p.v3(at), "zarr.json", b'{"a": [' + b"[]," * (5 * p.MB) + b"[]]}")), "zarr.json"),
    "a v3 document of 300 MB": Case(array(lambda at: p.changed(p.v3(at), "zarr.json", lambda one: p.sparse(one, 300 * p.MB, b"{"))), "zarr.json"),
    "a v3 document that is a pipe": Case(array(lambda at: p.changed(p.v3(at), "zarr.json", fifo)), "victim.zarr/a"),
    "a v3 document that is a folder": Case(array(lambda at: p.changed(p.v3(at), "zarr.json", folder_instead)), "victim.zarr/a"),
    "a v3 document outside": Case(array(lambda at: p.changed(p.v3(at), "zarr.json", linked("../../../outside/array/zarr.json"))), "victim.zarr/a"),
    "a v3 chunk that is a pipe": Case(array(lambda at: p.changed(p.v3(at, b""), "c/0/0", fifo)), "victim.zarr/a"),
    "a v3 chunk that is a folder": Case(array(lambda at: p.changed(p.v3(at, b""), "c/0/0", folder_instead)), "victim.zarr/a"),
    "a v3 chunk outside": Case(array(lambda at: p.changed(p.v3(at, b"", codecs=[p.BYTES, p.CRC]), "c/0/0", linked("../../../../../outside/array/c/0/0"))), "victim.zarr/a"),
    "v3 chunks in a folder outside": Case(array(lambda at: p.changed(p.v3(at, b"", codecs=[p.BYTES, p.CRC]), "c", linked("../../../outside/array/c"))), "victim.zarr/a"),
    "a v3 array outside": Case(array(lambda at: p.changed(p.v3(at, b""), "", linked("../../outside/array"))), "victim.zarr/a"),
    "a v2 chunk that is a zlib bomb": Case(v2(lambda: p.deflate_bomb(15), compressor={"id": "zlib", "level": 1}), "0.0"),
    "a v2 chunk that is a gzip bomb": Case(v2(lambda: p.deflate_bomb(31), compressor={"id": "gzip", "level": 1}), "0.0"),
    "a v2 chunk that is a bz2 bomb": Case(v2(p.bz2_bomb, compressor={"id": "bz2", "level": 1}), "0.0"),
    "a v2 chunk that is an lzma bomb": Case(v2(p.lzma_bomb, compressor={"id": "lzma"}), "0.0"),
    "a v2 chunk that is a zstd bomb": Case(v2(lambda: p.zstd_bomb(sized=True), compressor={"id": "zstd", "level": 1}), "0.0"),
    "a v2 chunk that is a zstd bomb of untold size": Case(v2(lambda: p.zstd_bomb(sized=False), compressor={"id": "zstd", "level": 1}), "0.0"),
    "a v2 chunk of a small zstd frame before a bomb": Case(v2(lambda: p.small_zstd() + p.zstd_bomb(sized=False), compressor={"id": "zstd", "level": 1}), "0.0"),
    "a v2 chunk of a zstd bomb after a frame to skip": Case(v2(lambda: struct.pack("<II", 0x184D2A50, 4) + b"skip" + p.zstd_bomb(sized=True), compressor={"id": "zstd", "level": 1}), "0.0"),
    "a v2 chunk that is a blosc bomb": Case(v2(p.blosc_bomb, compressor={"id": "blosc", "cname": "zstd", "clevel": 1, "shuffle": 0}), "0.0"),
    "a v2 chunk that claims 2 GB of blosc": Case(v2(lambda: p.blosc_claim(2**31 - 17), compressor={"id": "blosc", "cname": "lz4", "clevel": 1, "shuffle": 0}), "0.0"),
    "a v2 chunk that claims 2 GB of lz4": Case(v2(lambda: struct.pack("<I", 2**31 - 1) + bytes(99), compressor={"id": "lz4"}), "0.0"),
    "a v2 chunk that claims less than nothing of lz4": Case(v2(lambda: struct.pack("<i", -1) + bytes(99), compressor={"id": "lz4"}), "0.0"),
    "a v2 chunk of 4 GB": Case(array(lambda at: p.changed(p.v2(at), "0.0", lambda one: p.sparse(one, 2**32))), "0.0"),
    "a v2 filter of pickles": Case(v2(lambda: b"cos\nsystem\n(S'touch ran'\ntR.", filters=[{"id": "pickle"}]), "victim.zarr/a"),
    "a v2 filter to objects": Case(v2(lambda: bytes(512), filters=[{"id": "astype", "encode_dtype": "|O", "decode_dtype": "|O"}]), "victim.zarr/a"),
    "a v2 filter to records of 1 GB": Case(v2(lambda: bytes(512), filters=[{"id": "astype", "encode_dtype": "|u1", "decode_dtype": "|S1000000"}]), "victim.zarr/a"),
    "v2 filters by the thousand": Case(v2(lambda: p.deflate_bomb(15)[:100], filters=[{"id": "zlib", "level": 1}] * 5000), "victim.zarr/a"),
    "a v2 filter that is a number": Case(v2(lambda: bytes(512), filters=[5]), "victim.zarr/a"),
    "a v2 type of objects": Case(v2(dtype="|O"), ".zarray"),
    "a v2 type that is a list": Case(v2(dtype=[["a", "<u2"]]), ".zarray"),
    "v2 chunk names that lead out": Case(v2(dimension_separator="/../../../outside/"), ".zarray"),
    "v2 chunks of no size": Case(v2(chunks=[0, 0]), ".zarray"),
    "v2 chunks of 2**40 bytes": Case(v2(chunks=[2**20, 2**20]), ".zarray"),
    "v2 attributes 100,000 deep": Case(array(lambda at: p.written(p.v2(at, bytes(512)), ".zattrs", b"[" * DEEP)), ".zattrs"),
    "a v2 chunk that is a folder": Case(array(lambda at: p.changed(p.v2(at, b""), "0.0", folder_instead)), "0.0"),
    "a v2 chunk that is a pipe": Case(array(lambda at: p.changed(p.v2(at, b""), "0.0", fifo)), "0.0"),
    "a v2 chunk outside": Case(array(lambda at: p.changed(p.v2(at, b""), "0.0", linked("../../../outside/array/c/0/0"))), "0.0"),
}  # fmt: skip
PLATES = {
    "an index of entities in entities": Case(changed("phenix", INDEX, replaced(b"<EvaluationInputData", laughs() + b"<EvaluationInputData")), "Index.idx.xml"),
    "an index that takes in a file": Case(changed("phenix", INDEX, replaced(b"<EvaluationInputData", b'<!DOCTYPE a [<!ENTITY x SYSTEM "../../../outside/secret.txt">]><EvaluationInputData')), "Index.idx.xml"),
    "an index 1,000,000 deep": Case(changed("phenix", INDEX, replaced(b"<Wells>", b"<Wells>" + b"<a>" * 10**6)), "Index.idx.xml"),
    "an index with an attribute of 20 MB": Case(changed("phenix", INDEX, replaced(b"<Wells>", b'<Wells a="' + b"x" * (20 * p.MB) + b'">')), lawful=True),
    "an index of 300 MB": Case(changed("phenix", INDEX, lambda path: p.sparse(path, 300 * p.MB, HEAD + b"<EvaluationInputData>")), "Index.idx.xml"),
    "an index that names a file outside": Case(changed("phenix", INDEX, replaced(b"<URL>r", b"<URL>../../../outside/secret.tif</URL><URL>../../../outside/r")), "Index.idx.xml", lawful=True),
    "an index that names an absolute path": Case(changed("phenix", INDEX, replaced(b"<URL>", b"<URL>/etc/passwd")), "Index.idx.xml", lawful=True),
    "an index of a well in row 10**9": Case(changed("phenix", INDEX, replaced(b"<Row>1<", b"<Row>1000000000<")), "Index.idx.xml"),
    "an index of 10**6 time points": Case(changed("phenix", INDEX, replaced(b"<TimepointID>0<", b"<TimepointID>999999<", count=1)), "Index.idx.xml", lawful=True),
    "an index of images of 10**6 by 10**6": Case(changed("phenix", INDEX, replaced(b"<ImageSizeX>20<", b"<ImageSizeX>1000000<")), "", lawful=True),
    "an index that is outside": Case(changed("phenix", INDEX, linked("../../../outside/secret.xml")), "Index.idx.xml"),
    "an index that is a pipe": Case(changed("phenix", INDEX, fifo), lawful=True),
    "an HTD of 10**10 sites": Case(changed("imagexpress", "imagexpress.HTD", lambda path: path.write_bytes(path.read_bytes().replace(b'"XSites", 1', b'"XSites", 100000').replace(b'"YSites", 1', b'"YSites", 100000').replace(b'"SiteSelection1", TRUE', b'"Nothing", 1'))), ".HTD"),
    "an HTD of 10**10 planes": Case(changed("imagexpress", "imagexpress.HTD", lambda path: path.write_bytes(path.read_bytes().replace(b'"TimePoints", 1', b'"TimePoints", 100000').replace(b'"ZSeries", FALSE', b'"ZSeries", TRUE\r\n"ZSteps", 100000'))), ".HTD"),
    "an HTD of a plate of 64 by 64": Case(changed("imagexpress", "imagexpress.HTD", lambda path: path.write_bytes(path.read_bytes().replace(b'"XWells", ', b'"XWells", 64\r\n"X", ').replace(b'"YWells", ', b'"YWells", 64\r\n"Y", '))), lawful=True),
    "an HTD of a number of a million digits": Case(changed("imagexpress", "imagexpress.HTD", replaced(b'"TimePoints", 1', b'"TimePoints", ' + b"9" * 10**6)), ".HTD"),
    "an HTD of 300 MB": Case(changed("imagexpress", "imagexpress.HTD", lambda path: p.sparse(path, 300 * p.MB, b'"HTSInfoFile", Version 1.0\r\n')), ".HTD"),
    "an HTD that is outside": Case(changed("imagexpress", "imagexpress.HTD", linked("../../outside/secret.txt")), ".HTD"),
    "an image that is outside": Case(changed("imagexpress", "TimePoint_1/imagexpress_A01_s1_w1.TIF", linked("../../../outside/secret.tif")), "A01_s1_w1"),
    "an image that links to itself": Case(changed("imagexpress", "TimePoint_1/imagexpress_A01_s1_w1.TIF", linked("imagexpress_A01_s1_w1.TIF")), lawful=True),
    "an image that is a pipe": Case(changed("imagexpress", "TimePoint_1/imagexpress_A01_s1_w1.TIF", fifo), lawful=True),
    "an image that is a socket": Case(changed("imagexpress", "TimePoint_1/imagexpress_A01_s1_w1.TIF", unix_socket), lawful=True),
    "an image that is a folder": Case(changed("imagexpress", "TimePoint_1/imagexpress_A01_s1_w1.TIF", folder_instead), lawful=True),
    "an image that is a device": Case(changed("imagexpress", "TimePoint_1/imagexpress_A01_s1_w1.TIF", linked("/dev/zero")), lawful=True),
    "a folder that links to itself": Case(changed("imagexpress", "TimePoint_1/again", linked("..")), lawful=True),
    "a folder of images outside": Case(changed("imagexpress", "TimePoint_1", linked("../../outside")), lawful=True),
    "a plate of names nobody should use": Case(plate_of({f"A01_s1_c{n}_z1_t1{odd}.tif": p.tiff() for n, odd in enumerate(("", "\n", "\u202e", "\x7f", " ", "é" * 80), 1)}), lawful=True),
    "a plate of names that differ in case": Case(plate_of({"A01_s1_c1_z1_t1.tif": p.tiff(), "a01_S1_c1_z1_t1.TIF": p.tiff()}), lawful=True),
    "a plate of numbers of 30 digits": Case(plate_of({f"A01_s{'9' * 30}_c1_z1_t1.tif": p.tiff(), "A01_s1_c1_z1_t1.tif": p.tiff()}), lawful=True),
    "a plate of far numbers": Case(plate_of({f"A01_s1_c{n}_z{n}_t{n}.tif": p.tiff() for n in (1, 9999, 99_999, 999_999, 9_999_999)}), lawful=True),
    "a plate of names that are not UTF-8": Case(plate_of({"A01_s1_c1_z1_t1.tif": p.tiff(), "A01_s1_c2_z1_t1\udcff.tif": p.tiff()}), lawful=True),
    "an OME-Zarr plate of 10**6 wells": Case(ome(ROOT, lambda one: one["plate"].update(wells=[{"path": f"A/{n}", "rowIndex": 0, "columnIndex": 0} for n in range(10**5)])), lawful=False),
    "an OME-Zarr plate of 10**5 columns": Case(ome(ROOT, lambda one: one["plate"].update(columns=[{"name": f"{n:06d}"} for n in range(10**5)])), lawful=False),
    "an OME-Zarr well outside": Case(ome(ROOT, lambda one: one["plate"]["wells"][0].update(path="../../outside")), "../../outside"),
    "an OME-Zarr well at an absolute path": Case(ome(ROOT, lambda one: one["plate"]["wells"][0].update(path="/etc")), lawful=True),
    "an OME-Zarr site outside": Case(ome(WELL, lambda one: one["well"]["images"][0].update(path="../../../../outside")), "A/01"),
    "an OME-Zarr well of 10**5 sites": Case(ome(WELL, lambda one: one["well"].update(images=[{"path": str(n)} for n in range(10**5)])), "A/01"),
    "an OME-Zarr level outside": Case(ome(SITE, lambda one: one["multiscales"][0]["datasets"][0].update(path="../../../../../outside/array")), "A/01/0"),
    "an OME-Zarr image of 10**9 z planes": Case(changed("ome0.5/images.zarr", LEVEL, told(lambda one: one.update(shape=[10**9, *one["shape"][1:]]))), "A/01/0"),
    "a foreign OME-Zarr image of 10**9 z planes": Case(changed("ome0.5/images.zarr", "A/01/0", foreign), "A/01/0"),
    "an OME-Zarr image of planes of 2 TB": Case(changed("ome0.5/images.zarr", LEVEL, told(lambda one: one.update(shape=[*one["shape"][:2], 10**6, 10**6]))), lawful=True),
    "an OME-Zarr root of a million empty lists": Case(changed("ome0.5/images.zarr", ROOT, lambda path: path.write_bytes(b'{"a": [' + b"[]," * (20 * p.MB) + b"[]]}")), "zarr.json"),
    "an OME-Zarr image of 10**5 channels": Case(ome(SITE, lambda one: one["omero"].update(channels=[{"label": str(n)} for n in range(10**5)])), lawful=True),
    "an OME-Zarr image whose axes are letters by the thousand": Case(ome(SITE, lambda one: one["multiscales"][0].update(axes=["z"] * 5000)), "A/01/0"),
    "an OME-Zarr plate 100,000 deep": Case(changed("ome0.5/images.zarr", ROOT, lambda path: path.write_bytes(b'{"a":' * DEEP)), "zarr.json"),
    "an OME-Zarr plate of 300 MB": Case(changed("ome0.5/images.zarr", ROOT, lambda path: p.sparse(path, 300 * p.MB, b"{")), "zarr.json"),
    "an OME-Zarr plate that is a pipe": Case(changed("ome0.5/images.zarr", ROOT, fifo), "plate"),
    "an OME-Zarr well that is outside": Case(changed("ome0.5/images.zarr", "A/01", linked("../../../outside")), "A/01"),
    "an OME-Zarr document that is outside": Case(changed("ome0.5/images.zarr", SITE, linked("../../../../../outside/array/zarr.json")), "A/01"),
    "an OME-Zarr plate whose own numbers are none": Case(changed("ome0.5/images.zarr", SITE, told(lambda one: one["attributes"].update(openhcs={"site": [], "channels": {"a": 1}, "z": "x", "gaps": 7}))), "A/01/0"),
    "an OME-Zarr plate whose own numbers are far": Case(changed("ome0.5/images.zarr", SITE, told(lambda one: one["attributes"].update(openhcs={"site": 10**400, "channels": [10**400]}))), "A/01/0"),
}  # fmt: skip
NAMES = {
    **{
        f"saving to {path!r:.40} on {backend}": Case(saved(path, backend))
        for backend in ("disk", "zarr")
        for path in (
            *("../out.npy", "a/../../out.npy", "/tmp/out.npy", "C:/x.npy", "a\x00.npy", "a\nb.npy", "\u202efoo.npy", "x" * 256 + ".npy", "é" * 128 + ".npy"),
            *("CON", "nul.npy", "a/com1.npy", "a\\b.npy", "\ud800.npy"),
        )
    },
    **{
        f"saving through a link that leads out on {backend}": Case(saved("door/out.npy", backend, lambda root: (root / "door").symlink_to("../../outside")))
        for backend in ("disk", "zarr")
    },
    **{
        f"saving over a link that leads out on {backend}": Case(saved(path, backend, lambda root, path=path: linked("../../outside/secret.npy")(root / path)))
        for backend, path in (("disk", "a.npy"), ("zarr", "images.zarr"))
    },
    **{
        f"saving {path} beside {first} on {backend}": Case(saved(path, backend, lambda root, first=first, backend=backend: FileManager(root).save(np.ones(3, np.uint8), first, backend)), path)
        for backend in ("disk", "zarr")
        for first, path in (("Plate/a.npy", "plate/b.npy"), ("plate/A.npy", "plate/a.npy"), ("s.zarr/A/x", "s.zarr/a/y"), ("É.npy", "é.npy"))
        if backend == "zarr" or ".zarr" not in path
    },
    "a thousand stars against a long name": Case(asked(lambda: Pattern("*a" * 400 + "{well}.tif").match("a" * 60_000)), lawful=True),
    "a pattern of a thousand braces": Case(asked(lambda: Pattern("{" * 100_000))),
    "a well filter of a thousand ranges": Case(asked(lambda: select_wells([f"A{n:02d}" for n in range(1, 49)], ",".join(["A01:ZZ999"] * 5000))), lawful=True),
    "100,000 names of one well": Case(asked(lambda: detect(Names([f"x{n}y.tif" for n in range(20_000)]))), lawful=True),
    "TOML 100,000 deep": Case(asked(lambda: GlobalPipelineConfig.from_toml("a = " + "[" * DEEP))),
    "TOML with a key 100,000 deep": Case(asked(lambda: GlobalPipelineConfig.from_toml("a." * DEEP + "b = 1"))),
    "TOML with a number of a million digits": Case(asked(lambda: GlobalPipelineConfig.from_toml("num_workers = " + "9" * 10**6))),
    "TOML with a date where a number belongs": Case(asked(lambda: GlobalPipelineConfig.from_toml("num_workers = 2020-01-01"))),
    "TOML of a store that leads out": Case(asked(lambda: GlobalPipelineConfig.from_toml('[zarr]\nstore_name = "../x.zarr"'))),
    "TOML with a table where a text belongs": Case(asked(lambda: GlobalPipelineConfig.from_toml('missing = {a = 1}'))),
}  # fmt: skip
LEDGERS = {
    "a ledger 100,000 deep": Case(ledger(".images.zarr.openhcs/ledger.json", lambda path: path.write_bytes(b"[" * DEEP)), "ledger.json"),
    "a ledger that is a pipe": Case(ledger(".images.zarr.openhcs/ledger.json", fifo), "ledger.json"),
    "a ledger of 300 MB": Case(ledger(".images.zarr.openhcs/ledger.json", lambda path: p.sparse(path, 300 * p.MB, b"{")), "ledger.json"),
    "a record that is a pipe": Case(ledger(".images.zarr.openhcs/commits/A01*.json", fifo), "A01"),
    "a record of 4 GB": Case(ledger(".images.zarr.openhcs/commits/A01*.json", lambda path: p.sparse(path, 2**32, b"{")), "A01"),
    "a plan that is a folder": Case(ledger(".images.zarr.openhcs/plan.json", folder_instead), "plan.json"),
}
CASES: dict[str, Case] = {**VALUES, **TIFFS, **ARRAYS, **PLATES, **NAMES, **LEDGERS}
"""Name → case."""
