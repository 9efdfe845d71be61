"""What reads strangers' bytes, each with valid samples to damage: one table, name → `Target`."""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hostile_guard import SECRET, SECRET_PIXEL
from mutations import TEXTS, mutate
from openhcs import FileManager, GlobalPipelineConfig, convert, open_plate
from openhcs.constants.constants import ZarrCompressor
from openhcs.core.arrays import ArraySpec
from openhcs.core.config import ZarrConfig
from openhcs.core.plate import FileSource
from openhcs.core.wells import parse_well, select_wells
from openhcs.errors import FormatError, NotFound, OpenHCSError
from openhcs.io.fsops import FileOps
from openhcs.io.folder import FolderFiles
from openhcs.io.tiff import encode_ome_tiff, read_plane_into
from openhcs.io.zarr_array import open_handle, write_array
from openhcs.io.zarr_document import load_json, parse_document
from openhcs.microscopes import TABLE, detect
from openhcs.microscopes.harmony_xml import parse_harmony
from openhcs.microscopes.htd import parse_htd
from openhcs.microscopes.metaseries import parse_metaseries
from openhcs.microscopes.patterns import Pattern
from openhcs.ngff import parse
from openhcs.run.ledger import Ledger
from openhcs.run.status import status
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Call = Callable[[bytes], Any]

DATA = Path(os.environ.get("OPENHCS_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
LARGEST_SAMPLE = 200_000
CODECS = ("ZSTD", "LZ4", "BLOSC", "ZLIB", "NONE")
DTYPES = ("uint16", "uint8", "float32", "bool")


@dataclass(frozen=True, kw_only=True)
class Target:
    """``samples`` are made from the folder of seeds; ``call`` from a fresh folder; ``cases`` are tried at once."""

    kind: str
    samples: Callable[[Path], list[bytes]]
    call: Callable[[Path], Call]
    cases: int = 140


def seeds() -> Path:
    return Path(os.environ["OPENHCS_HOSTILE_SEEDS"])


def build(folder: Path) -> None:
    """Make the plates and outputs that samples are taken from."""
    small = {"wells": 2, "sites": 1, "channels": ("DAPI", "FITC"), "size": (24, 20)}
    make_plate(folder / "imagexpress", **small)
    make_plate(folder / "phenix", layout="opera_phenix", **small)
    for version in ("0.4", "0.5"):
        config = GlobalPipelineConfig(zarr=ZarrConfig(ngff_version=version), num_workers=1, use_threading=True)
        convert(folder / "imagexpress", folder / f"ome{version}" / "images.zarr", config=config)
    outside(folder / "outside")


def outside(folder: Path) -> None:
    """Make what must not be read: files of every kind that say so."""
    pixels = np.full((16, 16), SECRET_PIXEL, np.uint16)
    files = FileManager(folder)
    for name in ("secret.tif", "secret.npy"):
        files.save(pixels, name, "disk")
    (folder / "secret.txt").write_bytes(SECRET)
    (folder / "secret.xml").write_bytes(b"<EvaluationInputData><Plates><Plate><Name>" + SECRET + b"</Name></Plate></Plates></EvaluationInputData>")
    write_array(folder / "array", pixels, ArraySpec(shape=(16, 16), dtype="uint16", chunks=(16, 16), compressor=ZarrCompressor.NONE), FileOps())


def prepare(name: str, folder: Path) -> Callable[[int], Any]:
    """Return what does the case of a number."""
    target = TARGETS[name]
    inside = folder / "in"
    call = target.call(inside)
    samples = target.samples(seeds())
    if target.kind == "number":
        return lambda number: call(str(number).encode())
    return lambda number: call(mutate(number, samples, target.kind))


def real(*patterns: str) -> list[bytes]:
    """Return small real documents of these names, where real data is at hand."""
    found = (path for pattern in patterns for path in sorted(DATA.glob(pattern)) if path.is_file())
    return [path.read_bytes() for path in found if path.stat().st_size <= LARGEST_SAMPLE][:12]


def below(folder: Path, *patterns: str) -> list[bytes]:
    return [path.read_bytes() for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_file()]


# parsers of bytes


def ngff(data: bytes) -> None:
    document = load_json(data, "zarr.json")
    attributes = document.get("attributes", document)
    if not isinstance(attributes, dict):
        return
    parse.kind_of(attributes)
    parse.version_of(attributes)
    for read in (parse.plate, parse.well, parse.image):
        try:
            read(attributes)
        except OpenHCSError as error:
            assert str(error), "an error without words"


def array_document(data: bytes) -> None:
    head, _, attributes = data.partition(b"\n---\n")
    parse_document(head, path=".zarray", attributes=attributes or None)


class Names:
    """Files that are only names, for layouts that go by names."""

    root = "/nowhere/plate"

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def list(self) -> tuple[FileSource, ...]:
        return tuple(FileSource(name, size=1, mtime_ns=1) for name in self._names)

    def read_bytes(self, path: str, *, limit: int = 0) -> bytes:
        raise NotFound(f"{path} is not there", path=path)

    def tiff_header(self, path: str) -> Any:
        raise FormatError(f"{path} is damaged", path=path)


def names(data: bytes) -> None:
    files = Names(data.decode("utf-8", "replace").split("\n"))
    for layout in ("auto", *TABLE):
        try:
            detect(files, layout)
        except OpenHCSError as error:
            assert str(error), "an error without words"


NAMES = (
    "A01_s1_c1_z1_t1.tif\nA01_s1_c2_z1_t1.tif\nB02_s10_c1_z3_t2.ome.tiff",
    "r01c02f03p04-ch1sk1fk1fl1.tiff\nr01c02f03p05-ch1sk1fk1fl1.tiff\nImages/Index.idx.xml",
    "P1_A01_s1_w1.TIF\nP1_A01_s1_w2.TIF\nP1_B12_s2_w1_thumb5EB4F04B.tif\nTimePoint_1/ZStep_2/P1_C03_s1_w1.TIF\nP1.HTD",
    "A - 1(fld 1 wv DAPI).tif\nB - 10(fld 2 wv FITC - FITC).tif\nplate/A1/site_01/img_000000000_DAPI_000.tif",
    "images.zarr/zarr.json\nimages.zarr/A/01/zarr.json\nA/01/0/.zattrs\n.zattrs",
)


def patterns(data: bytes) -> None:
    text, _, name = data.decode("utf-8", "replace").partition("\n")
    pattern = Pattern(text)
    found = pattern.match(name)
    pattern.match(name * 50)
    if found is not None and not any(one in text for one in "*"):
        pattern.format(found)


PATTERNS = (
    b"{well}_s{site}_w{channel}_z{z}_t{t}.tif\nB03_s2_wDAPI_z1_t1.tif",
    b"*{row}-{column}*{channel}-*.tif\nxx-1-2-a-b-c-.tif",
    b"{plate}_{well}_*_*_*_{channel}.*\na_A01_a_a_a_a_a_a.tif",
)


def wells(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    select_wells(["A01", "A02", "B01", "AF48"], text)
    for part in text.split(","):
        parse_well(part)


def toml(data: bytes) -> None:
    GlobalPipelineConfig.from_toml(data.decode("utf-8", "replace")).to_toml()


# files


def on_disk(suffix: str, value: Any) -> Target:
    def call(folder: Path) -> Call:
        files = FileManager(folder)

        def load(data: bytes) -> Any:
            (folder / f"case{suffix}").write_bytes(data)
            assert files.exists(f"case{suffix}", "disk") or not suffix, "a file of a known suffix is a value"
            try:
                return files.load(f"case{suffix}", "disk")
            finally:
                if suffix in (".npy", ".tif"):
                    files.open_array(f"case{suffix}", "disk").read()

        return load

    def samples(_: Path) -> list[bytes]:
        found = []
        folder = seeds() / "made"
        files = FileManager(folder)
        for number, one in enumerate(value):
            files.save(one, f"{number}{suffix}", "disk", overwrite=True)
            found.append((folder / f"{number}{suffix}").read_bytes())
        return found

    text = suffix in (".json", ".csv", ".txt")
    return Target(kind={".json": "json", ".csv": "text"}.get(suffix, "text" if text else "bytes"), samples=samples, call=call)


PLANE = np.arange(24 * 20, dtype=np.uint16).reshape(24, 20)
ARRAYS = (PLANE, np.zeros((3, 4, 5), np.float32), np.ones((7, 5), bool))
TABLES = (
    [{"well": "A01", "count": 3, "mean": 1.5, "ok": True, "note": None}, {"well": "B,\"2\"", "count": -1, "mean": 2e9, "ok": False, "note": "x"}],
    {"a": np.arange(5, dtype=np.uint8), "b": ["x", "y", "z", "", None]},
)


def tiffs(folder: Path) -> list[bytes]:
    import io

    import tifffile

    found = [encode_ome_tiff(PLANE, compression=kind) for kind in (None, "zlib", "lzw", "packbits")]
    for settings in ({"tile": (16, 16)}, {"bigtiff": True}, {"tile": (16, 16), "compression": "zlib", "predictor": True}):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, np.stack([PLANE, PLANE]), photometric="minisblack", **settings)
        found.append(buffer.getvalue())
    return found + below(folder / "imagexpress", "**/*_w1.TIF")[:1] + real("imagexpress*/**/*.tif", "imagexpress*/**/*.TIF")[:2]


def tiff_plane(folder: Path) -> Call:
    def call(data: bytes) -> Any:
        (folder / "case.tif").write_bytes(data)
        header = FolderFiles(folder).tiff_header("case.tif")
        assert max(header.shape) < 2**31, f"{header} is believed"
        if np.dtype(header.dtype).itemsize * header.shape[0] * header.shape[1] > 2**27:
            return header.description
        out = np.empty(header.shape, header.dtype)
        read_plane_into(folder / "case.tif", min(1, header.pages - 1), out)
        return out

    return call


def tiff_value(folder: Path) -> Call:
    files = FileManager(folder)

    def call(data: bytes) -> Any:
        (folder / "case.tif").write_bytes(data)
        try:
            files.open_array("case.tif", "disk").read()
        except OpenHCSError as error:
            assert "case.tif" in str(error), f"the file is not named: {error}"
        return files.load("case.tif", "disk")

    return call


def paths(folder: Path) -> Call:
    """Save and load under a damaged path; whatever is written lies below the root."""
    root = folder / "root"
    files = FileManager(root)

    def call(data: bytes) -> None:
        path = data.decode("utf-8", "surrogateescape")
        for backend, value in (("memory", 1), ("disk", b"1"), ("zarr", np.zeros(2, np.uint8))):
            try:
                files.save(value, path, backend, overwrite=True)
                files.load(path, backend)
                files.list("", backend)
            except OpenHCSError as error:
                assert str(error), "an error without words"
        shutil.rmtree(root, ignore_errors=True)

    return call


PATHS = [b"a/b/c.bin", b"A01/B02/s1_w1.tif", b"store.zarr/A/01/0", "ä/ö.npy".encode(), b"x.json", *(one.encode("utf-8", "surrogatepass") for one in TEXTS[:20])]


# whole plates


class Folder:
    """A copy of a folder in which one file at a time is damaged."""

    def __init__(self, source: Path, copy: Path, patterns: Sequence[str]) -> None:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source, copy)
        self.root = copy
        found = sorted({path for pattern in patterns for path in copy.glob(pattern) if path.is_file()})
        self._files = [(path, path.read_bytes(), _kind(path)) for path in found]

    def damaged(self, number: int) -> Iterator[Path]:
        rng = random.Random(number)
        path, data, kind = rng.choice(self._files)
        alike = [one for _, one, other in self._files if other == kind]
        path.write_bytes(mutate(number, [data, data, data, rng.choice(alike)], kind))
        try:
            yield path
        finally:
            path.write_bytes(data)


def _kind(path: Path) -> str:
    if path.suffix in (".json", ".intent") or path.name.startswith(".z"):
        return "json"
    return {".xml": "xml", ".HTD": "text"}.get(path.suffix, "bytes")


def look(plate: Path) -> None:
    """Open a plate and read the first site of every well."""
    found = open_plate(plate)
    repr(found)
    for well in found:
        try:
            next(iter(well)).read()
        except OpenHCSError as error:
            assert str(error), "an error without words"


def plate(source: str, *globs: str, cases: int = 30, then: Callable[[Path], None] = look) -> Target:
    def call(folder: Path) -> Call:
        copy = Folder(seeds() / source, folder / "plate", globs)

        def one(data: bytes) -> None:
            for _ in copy.damaged(int(data)):
                then(copy.root)

        return one

    return Target(kind="number", samples=lambda _: [], call=call, cases=cases)


def managed(root: Path) -> None:
    """List a store and load its first planes, as a FileManager does."""
    files = FileManager(root)
    for path in files.list("images.zarr", "zarr")[:2]:
        if files.exists(path, "zarr") and not files.is_dir(path, "zarr"):
            files.load(path, "zarr")


def looked(root: Path) -> None:
    look(root / "images.zarr")


def ledgers(root: Path) -> None:
    """Ask a ledger everything it knows."""
    ledger = Ledger(root / "images.zarr")
    for ask in (ledger.plan_id, ledger.plan_json, ledger.records, ledger.notes.failures, lambda: ledger.verify("A01"), lambda: status(root / "images.zarr")):
        try:
            ask()
        except OpenHCSError as error:
            assert str(error), "an error without words"


def arrays(root: Path) -> None:
    for folder in sorted(root.iterdir()):
        try:
            open_handle(folder, absent="fill").read()
        except OpenHCSError as error:
            assert str(root) in str(error), f"the file is not named: {error}"


def _store(folder: Path) -> Path:
    """Make arrays of every codec in both versions, once."""
    made = folder / "arrays"
    if not made.exists():
        for version, codec, dtype in [(v, c, d) for v in (2, 3) for c in CODECS for d in DTYPES[: 4 if c == "ZSTD" else 1]]:
            shards = (24, 20) if version == 3 and dtype != "uint8" else None
            spec = ArraySpec(shape=(24, 20), dtype=dtype, chunks=(12, 10), shards=shards, zarr_format=version, compressor=ZarrCompressor[codec], level=1, shuffle=codec != "ZSTD")
            write_array(made / f"v{version}_{codec}_{dtype}", PLANE.astype(dtype), spec, FileOps())
    return made


TARGETS: dict[str, Target] = {
    "Harmony index": Target(
        kind="xml", samples=lambda at: below(at / "phenix", "**/*.xml") + real("opera*/**/*.xml"), call=lambda _: lambda data: parse_harmony(data, "Index.idx.xml"), cases=400
    ),
    "HTD": Target(kind="text", samples=lambda at: below(at / "imagexpress", "**/*.HTD") + real("imagexpress*/**/*.HTD"), call=lambda _: lambda data: parse_htd(data, "P1.HTD"), cases=400),
    "MetaSeries": Target(
        kind="xml",
        samples=lambda _: [b'<MetaData><prop id="Description" type="string" value="Exposure: 100 ms"/><PlaneInfo><prop id="spatial-calibration-x" type="float" value="0.65"/><prop id="stage-position-x" type="float" value="1e3"/></PlaneInfo></MetaData>'],
        call=lambda _: lambda data: parse_metaseries(data.decode("utf-8", "replace")),
        cases=340,
    ),
    "array documents": Target(kind="json", samples=lambda at: below(_store(at), "*/zarr.json", "*/.zarray"), call=lambda _: array_document, cases=500),
    "OME-Zarr documents": Target(
        kind="json",
        samples=lambda at: below(at / "ome0.5", "*.zarr/zarr.json", "*.zarr/A/01/zarr.json", "*.zarr/A/01/0/zarr.json") + below(at / "ome0.4", "*.zarr/.zattrs", "*.zarr/A/01/.zattrs", "*.zarr/A/01/0/.zattrs") + real("ome-zarr*/**/.zattrs", "ome-zarr*/**/zarr.json"),
        call=lambda _: ngff,
        cases=500,
    ),
    "file names": Target(kind="name", samples=lambda _: [one.encode() for one in NAMES], call=lambda _: names, cases=80),
    "patterns": Target(kind="name", samples=lambda _: list(PATTERNS), call=lambda _: patterns, cases=340),
    "well names": Target(kind="name", samples=lambda _: [b"A01", b"c - 5", b"A01:B06,row:A-C", b"col:01-06,12"], call=lambda _: wells, cases=340),
    "configuration": Target(kind="text", samples=lambda _: [GlobalPipelineConfig().to_toml().encode(), b'[zarr]\nchunk_strategy = "custom"\nchunk_shape = [1, 540, 540]\n'], call=lambda _: toml, cases=340),
    "paths": Target(kind="name", samples=lambda _: PATHS, call=paths),
    "TIFF planes": Target(kind="bytes", samples=tiffs, call=tiff_plane, cases=400),
    "TIFF values": Target(kind="bytes", samples=tiffs, call=tiff_value, cases=340),
    "NPY": on_disk(".npy", ARRAYS),
    "NPZ": on_disk(".npz", ({"a": PLANE, "b": np.zeros(3)},)),
    "PNG": on_disk(".png", (PLANE, PLANE.astype(np.uint8))),
    "CSV": on_disk(".csv", TABLES),
    "JSON": on_disk(".json", ({"a": [1, 2.5, None, {"b": "x"}]}, [[[]]], 3)),
    "Parquet": on_disk(".parquet", TABLES),
    "text": on_disk(".txt", ("some\nlines",)),
    "ImageXpress plates": plate("imagexpress", "**/*"),
    "Opera Phenix plates": plate("phenix", "Images/Index.idx.xml", "**/*ch1*.tiff"),
    "OME-Zarr 0.4 plates": plate("ome0.4", "**/.z*", "images.zarr/**/[0-9]", then=looked),
    "OME-Zarr 0.5 plates": plate("ome0.5", "images.zarr/**/*", then=looked),
    "stores by name": plate("ome0.5", "images.zarr/**/*", then=managed),
    "arrays": plate("arrays", "**/*", then=arrays),
    "ledgers": plate("ome0.5", ".images.zarr.openhcs/**/*.json", then=ledgers),
}
"""Name → target."""
