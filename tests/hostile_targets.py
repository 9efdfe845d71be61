"""What reads strangers' bytes, each with valid samples to damage: one table, name → `Target`."""

from __future__ import annotations

import json
import random
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from mutations import mutate
from openhcs import FileManager, GlobalPipelineConfig, open_plate, validate
from openhcs.errors import OpenHCSError
from openhcs.io.zarr_array import open_handle
from openhcs.ledger.ledger import Ledger
from openhcs.ledger.sealed import seal
from openhcs.microscopes.hcsai.jdce import parse_jdce
from openhcs.microscopes.hcsai.table import parse_table
from openhcs.microscopes.leica.xml import parse_field, parse_tiles
from openhcs.microscopes.metaxpress.htd import parse_htd
from openhcs.microscopes.metaxpress.metaseries import parse_metaseries
from openhcs.microscopes.micromanager.text import parse_metadata
from openhcs.microscopes.olympus.documents import parse_descriptor, parse_log
from openhcs.microscopes.ome.xml import parse_ome
from openhcs.microscopes.yokogawa.protocol import parse_protocol
from openhcs.microscopes.yokogawa.xml import parse_records
from openhcs.run.close import close
from openhcs.run.status import status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Call = Callable[[bytes], Any]
from hostile_calls import (
    ARRAYS,
    AS_JSON,
    LIGHT,
    NAMES,
    NO_LIGHT,
    PATHS,
    PATTERNS,
    TABLES,
    array_document,
    harmony,
    names,
    ngff,
    on_disk,
    paths,
    patterns,
    profiles,
    tiff_plane,
    tiff_value,
    tiffs,
    toml,
    wells,
)
from hostile_images import TARGETS as IMAGES
from hostile_seeds import PLANE, Target, below, real, seeds, worded


def prepare(name: str, folder: Path) -> Callable[[int], Any]:
    """Return what does the case of a number."""
    target = TARGETS[name]
    inside = folder / "in"
    call = target.call(inside)
    samples = target.samples(seeds())
    if target.kind == "number":
        return lambda number: call(str(number).encode())
    return lambda number: call(mutate(number, samples, target.kind))


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
            worded(error)


def plate(
    source: str,
    *globs: str,
    cases: int = 30,
    then: Callable[[Path], None] = look,
    also: Callable[[Path], None] = lambda _: None,
) -> Target:
    """Return the target of a folder of which one file is damaged, ``also`` changed, and ``then`` looked at."""

    def call(folder: Path) -> Call:
        copy = Folder(seeds() / source, folder / "plate", globs)

        def one(data: bytes) -> None:
            for path in copy.damaged(int(data)):
                also(path)
                then(copy.root)

        return one

    return Target(kind="number", samples=lambda _: [], call=call, cases=cases)


def managed(root: Path) -> None:
    """List a store and load its first planes, as a FileManager does."""
    files = FileManager(root)
    for path in files.list("images.zarr", "zarr")[:2]:
        if files.exists(path, "zarr") and not files.is_dir(path, "zarr"):
            files.load(path, "zarr")


def sealed_anew(path: Path) -> None:
    """Give a damaged file of a ledger the seal that its content needs."""
    try:
        content = json.loads(path.read_bytes())
        content.pop("xxh3", None)
        path.write_bytes(seal(content))
    except (ValueError, AttributeError, AssertionError, RecursionError):
        return


def looked(root: Path) -> None:
    look(root / "images.zarr")


def validated(root: Path) -> None:
    """Validate a store that has no ledger, every chunk of it."""
    shutil.rmtree(root / ".images.zarr.openhcs", ignore_errors=True)
    report = validate(root / "images.zarr", deep=True)
    for one in report.findings:
        assert one.rule, one
        assert len(str(one)) < 2500, one.code


def ledgers(root: Path) -> None:
    """Ask a ledger everything it knows."""
    ledger = Ledger(root / "images.zarr")
    for ask in (
        ledger.plan_id,
        ledger.plan_json,
        ledger.records,
        ledger.notes.failures,
        lambda: ledger.verify("A01"),
        lambda: status(root / "images.zarr"),
        lambda: validate(root / "images.zarr", deep=True),
        lambda: close(ledger),
    ):
        try:
            ask()
        except OpenHCSError as error:
            worded(error)


def arrays(root: Path) -> None:
    for folder in sorted(root.iterdir()):
        try:
            open_handle(folder, absent="fill").read()
        except OpenHCSError as error:
            worded(error, str(root))


TARGETS: dict[str, Target] = {
    "Harmony index": Target(
        kind="xml",
        samples=lambda at: below(at / "phenix", "**/*.xml") + real("opera*/**/*.xml"),
        call=lambda _: harmony,
        cases=400,
    ),
    "OME-XML": Target(
        kind="xml",
        samples=lambda at: below(at / "ome_tiff", "*.companion.ome") + real("ome-tiff*/*.ome", "ome-xml*/*.xml"),
        call=lambda _: lambda data: parse_ome(data, "p.companion.ome"),
        cases=400,
    ),
    "Micro-Manager texts": Target(
        kind="json",
        samples=lambda at: below(at, "micro_manager/*_metadata.txt", "micro_manager_files/*/metadata.txt"),
        call=lambda _: lambda data: parse_metadata(data, "metadata.txt"),
        cases=400,
    ),
    "CellVoyager records": Target(
        kind="xml",
        samples=lambda at: below(at / "cellvoyager", "*.mlf") + real("cv*/**/*.mlf"),
        call=lambda _: lambda data: parse_records(data, "MeasurementData.mlf"),
        cases=400,
    ),
    "CellVoyager settings": Target(
        kind="xml",
        samples=lambda at: below(at / "cellvoyager", "*.mes") + real("cv*/**/*.mes"),
        call=lambda _: lambda data: parse_protocol(data, "P1.mes"),
        cases=400,
    ),
    "flat-field profiles": Target(
        kind="text", samples=lambda _: [LIGHT, AS_JSON, NO_LIGHT], call=lambda _: profiles, cases=340
    ),
    "HTD": Target(
        kind="text",
        samples=lambda at: below(at / "imagexpress", "**/*.HTD") + real("imagexpress*/**/*.HTD"),
        call=lambda _: lambda data: parse_htd(data, "P1.HTD"),
        cases=400,
    ),
    "Matrix Screener fields": Target(
        kind="xml",
        samples=lambda at: below(at / "leica", "**/*.ome.xml")[:2] + real("leica*/**/*.ome.xml"),
        call=lambda _: lambda data: parse_field(data, "field.ome.xml", settings=True),
        cases=340,
    ),
    "tile configurations": Target(
        kind="text",
        samples=lambda _: [b"dim = 2\na.tif; ; (0.0, 936.75)\nb.tif; 1; (1e3, -2, 0)\n", *real("leica*/**/Tile*.txt")],
        call=lambda _: parse_tiles,
        cases=340,
    ),
    "ScanR descriptors": Target(
        kind="xml",
        samples=lambda at: below(at / "scanr", "experiment_descriptor.xml"),
        call=lambda _: lambda data: parse_descriptor(data, "experiment_descriptor.xml"),
        cases=340,
    ),
    "ScanR logs": Target(
        kind="text", samples=lambda at: below(at / "scanr", "*.dat"), call=lambda _: parse_log, cases=340
    ),
    "HCS.ai documents": Target(
        kind="json",
        samples=lambda at: below(at / "hcsai", "**/*.jdce") + real("imagexpress*/**/*.jdce"),
        call=lambda _: lambda data: parse_jdce(data, "P1.jdce"),
        cases=300,
    ),
    "HCS.ai tables": Target(
        kind="text",
        samples=lambda at: below(at / "hcsai", "**/*.csv") + real("imagexpress*/**/*.csv"),
        call=lambda _: lambda data: parse_table(data, "image_metadata_1.csv"),
        cases=300,
    ),
    "MetaSeries": Target(
        kind="xml",
        samples=lambda _: [
            (
                b'<MetaData><prop id="Description" type="string" value="Exposure: 100 ms"/><PlaneInfo>'
                b'<prop id="spatial-calibration-x" type="float" value="0.65"/>'
                b'<prop id="stage-position-x" type="float" value="1e3"/></PlaneInfo></MetaData>'
            )
        ],
        call=lambda _: lambda data: parse_metaseries(data.decode("utf-8", "replace")),
        cases=340,
    ),
    "array documents": Target(
        kind="json",
        samples=lambda at: below(at / "arrays", "*/zarr.json", "*/.zarray"),
        call=lambda _: array_document,
        cases=500,
    ),
    "OME-Zarr documents": Target(
        kind="json",
        samples=lambda at: (
            below(at / "ome0.5", "*.zarr/zarr.json", "*.zarr/A/01/zarr.json", "*.zarr/A/01/0/zarr.json")
            + below(at / "ome0.4", "*.zarr/.zattrs", "*.zarr/A/01/.zattrs", "*.zarr/A/01/0/.zattrs")
            + real("ome-zarr*/**/.zattrs", "ome-zarr*/**/zarr.json")
        ),
        call=lambda _: ngff,
        cases=500,
    ),
    "file names": Target(
        kind="name", samples=lambda _: [one.encode() for one in NAMES], call=lambda _: names, cases=80
    ),
    "patterns": Target(kind="name", samples=lambda _: list(PATTERNS), call=lambda _: patterns, cases=340),
    "well names": Target(
        kind="name",
        samples=lambda _: [b"A01", b"c - 5", b"A01:B06,row:A-C", b"col:01-06,12"],
        call=lambda _: wells,
        cases=340,
    ),
    "configuration": Target(
        kind="text",
        samples=lambda _: [
            GlobalPipelineConfig().to_toml().encode(),
            b'[zarr]\nchunk_strategy = "custom"\nchunk_shape = [1, 540, 540]\n',
        ],
        call=lambda _: toml,
        cases=340,
    ),
    "paths": Target(kind="name", samples=lambda _: PATHS, call=paths),
    "TIFF planes": Target(kind="bytes", samples=tiffs, call=tiff_plane, cases=400),
    "TIFF values": Target(kind="bytes", samples=tiffs, call=tiff_value, cases=340),
    **IMAGES,
    "NPY": on_disk(".npy", ARRAYS),
    "NPZ": on_disk(".npz", ({"a": PLANE, "b": np.zeros(3)},)),
    "PNG": on_disk(".png", (PLANE, PLANE.astype(np.uint8))),
    "CSV": on_disk(".csv", TABLES),
    "JSON": on_disk(".json", ({"a": [1, 2.5, None, {"b": "x"}]}, [[[]]], 3)),
    "Parquet": on_disk(".parquet", TABLES),
    "text": on_disk(".txt", ("some\nlines",)),
    "ImageXpress plates": plate("imagexpress", "**/*"),
    "ImageXpress plates of the database": plate("database", "**/*"),
    "HCS.ai plates": plate("hcsai", "**/*.jdce", "**/*.csv", "**/*.tif"),
    "Opera Phenix plates": plate("phenix", "Images/Index.idx.xml", "**/*ch1*.tiff"),
    "OME-TIFF plates": plate("ome_tiff", "*.companion.ome", "*.ome.tif"),
    "Micro-Manager stacks": plate("micro_manager", "*"),
    "Micro-Manager files": plate("micro_manager_files", "*/*"),
    "CellVoyager plates": plate("cellvoyager", "*.m*", "*.wp*", "*C01.tif"),
    "OME-Zarr 0.4 plates": plate("ome0.4", "**/.z*", "images.zarr/**/[0-9]", then=looked),
    "OME-Zarr 0.5 plates": plate("ome0.5", "images.zarr/**/*", then=looked),
    "OME-Zarr 0.4 validated": plate("ome0.4", "**/.z*", "images.zarr/**/[0-9]", cases=60, then=validated),
    "OME-Zarr 0.5 validated": plate("ome0.5", "images.zarr/**/*", cases=60, then=validated),
    "stores by name": plate("ome0.5", "images.zarr/**/*", then=managed),
    "arrays": plate("arrays", "**/*", then=arrays),
    "TIFF outputs": plate("tiffs", "images/plate.json", "images/**/*c1_z1_t1.ome.tif"),
    "folders of TIFFs": plate("generic", "*.tif"),
    "ledgers sealed anew": plate("ome0.5", ".images.zarr.openhcs/**/*.json", then=ledgers, also=sealed_anew),
    "ledgers": plate("ome0.5", ".images.zarr.openhcs/**/*.json", then=ledgers),
}
"""Name → target."""
