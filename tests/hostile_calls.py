"""What is called on damaged bytes: parsers, file formats, paths."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from mutations import TEXTS
from openhcs import FileManager, GlobalPipelineConfig
from openhcs.core.plate import FileSource
from openhcs.core.wells import parse_well, select_wells
from openhcs.errors import FormatError, NotFound, OpenHCSError
from openhcs.io.folder import FolderFiles
from openhcs.io.tiff import encode_ome_tiff, read_plane_into
from openhcs.io.zarr_document import load_json, parse_document
from openhcs.microscopes import TABLE, detect
from openhcs.microscopes.harmony.flatfield import read_flat_field
from openhcs.microscopes.harmony.index_xml import parse_harmony
from openhcs.microscopes.patterns import Pattern
from openhcs.ngff import parse
from openhcs.steps.profiles import illumination_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Call = Callable[[bytes], Any]
from hostile_seeds import PLANE, Target, below, real, seeds, worded


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
            worded(error)


def harmony(data: bytes) -> None:
    """Read an index both ways, which must say the same."""
    said = []
    for by_pattern in (True, False):
        try:
            said.append(parse_harmony(data, "Index.idx.xml", by_pattern=by_pattern))
        except OpenHCSError as error:
            worded(error)
            said.append(str(error))
    assert said[0] == said[1], "an index says other things by pattern than element by element"


def profiles(data: bytes) -> None:
    field = read_flat_field(data.decode("utf-8", "replace"))
    if field is not None:
        illumination_of(field, (18, 24))


LIGHT = (
    b"{Background: {Character: NonFlat, Mean: 443.79, NonFlatness: {Random: INF}, Profile: {Coefficients: [[1.2132], "
    b"[0.0658, -0.0855], [-1.4032, 0.1826, -1.4825]], Dims: [24, 18], Origin: [11.5, 8.5], Scale: [0.04, 0.05], Type:"
    b" Polynomial}, Quality: 1.0}, Channel: 4, ChannelName: 405ex, 570-630-em), Version: Acapella:2013}"
)
AS_JSON = (
    b'{"Background": {"Profile": {"Coefficients": [[1], [0.5, 0]], "Dims": [24, 18], "Origin": [0, 0], "Scale": '
    b'[0.1, 0.1], "Type": "Polynomial"}}, "ChannelName": "a \\"b\\""}'
)
NO_LIGHT = (
    b"{Background: {Character: Null, Mean: NaN, Profile: {Type: Identity}, Quality: 0.25}, Channel: 2, Version: x}"
)


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

    def header(self, path: str) -> Any:
        raise FormatError(f"{path} is damaged", path=path)


def names(data: bytes) -> None:
    files = Names(data.decode("utf-8", "replace").split("\n"))
    for layout in ("auto", *TABLE):
        try:
            detect(files, layout)
        except OpenHCSError as error:
            worded(error)


NAMES = (
    "A01_s1_c1_z1_t1.tif\nA01_s1_c2_z1_t1.tif\nB02_s10_c1_z3_t2.ome.tiff",
    "r01c02f03p04-ch1sk1fk1fl1.tiff\nr01c02f03p05-ch1sk1fk1fl1.tiff\nImages/Index.idx.xml",
    "P1_A01_s1_w1.TIF\nP1_A01_s1_w2.TIF\nP1_B12_s2_w1_thumb5EB4F04B.tif\nTimePoint_1/ZStep_2/P1_C03_s1_w1.TIF\nP1.HTD",
    "experiment/P.jdce\nexperiment/image_metadata_1.csv\nexperiment/timepoint0/scan_t0_C05_s0_w0_z0.tif\nautofocus/a.tif",
    "2023-02-21/1334/ZStep_1/P_E07_s1_w1E94C24BD-45E4-450A-9919-257C714278F7.tif\n2023-02-21/1334/P_E07_s1.tif",
    "A - 1(fld 1 wv DAPI).tif\nB - 10(fld 2 wv FITC - FITC).tif\nplate/A1/site_01/img_000000000_DAPI_000.tif",
    "images.zarr/zarr.json\nimages.zarr/A/01/zarr.json\nA/01/0/.zattrs\n.zattrs",
)


def patterns(data: bytes) -> None:
    text, _, name = data.decode("utf-8", "replace").partition("\n")
    pattern = Pattern(text)
    found = pattern.match(name)
    pattern.match((name * 50)[:50_000])
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
    return Target(
        kind={".json": "json", ".csv": "text"}.get(suffix, "text" if text else "bytes"), samples=samples, call=call
    )


ARRAYS = (PLANE, np.zeros((3, 4, 5), np.float32), np.ones((7, 5), bool))
TABLES = (
    [
        {"well": "A01", "count": 3, "mean": 1.5, "ok": True, "note": None},
        {"well": 'B,"2"', "count": -1, "mean": 2e9, "ok": False, "note": "x"},
    ],
    {"a": np.arange(5, dtype=np.uint8), "b": ["x", "y", "z", "", None]},
)


def tiffs(folder: Path) -> list[bytes]:
    import io

    import tifffile

    found = [encode_ome_tiff(PLANE, compression=kind) for kind in (None, "zlib", "lzw", "packbits")]
    for settings in (
        {"tile": (16, 16)},
        {"bigtiff": True},
        {"tile": (16, 16), "compression": "zlib", "predictor": True},
    ):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, np.stack([PLANE, PLANE]), photometric="minisblack", **settings)
        found.append(buffer.getvalue())
    return (
        found
        + below(folder / "imagexpress", "**/*_w1.TIF")[:1]
        + real("imagexpress*/**/*.tif", "imagexpress*/**/*.TIF")[:2]
        + real("cellomics-c01-file/*.tif")
    )


def tiff_plane(folder: Path) -> Call:
    def call(data: bytes) -> Any:
        (folder / "case.tif").write_bytes(data)
        header = FolderFiles(folder).header("case.tif")
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
            worded(error, "case.tif")
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
                worded(error)
        shutil.rmtree(root, ignore_errors=True)

    return call


PATHS = [
    b"a/b/c.bin",
    b"A01/B02/s1_w1.tif",
    b"store.zarr/A/01/0",
    "ä/ö.npy".encode(),
    b"x.json",
    *(one.encode("utf-8", "surrogatepass") for one in TEXTS[:20]),
]
