"""Plates that were converted: parts of them read, a large one opened and listed, validated, carried over and packed."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorstore as ts

from harness import size_of
from openhcs import FileManager, GlobalPipelineConfig, ZarrConfig, convert, open_plate, validate
from openhcs.io import ts_context
from openhcs.ledger.ledger import Ledger
from openhcs.run.close import close

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Bench

CHANNELS = ("DAPI", "FITC", "Cy5")
CROP = np.s_[300:556, 400:656]


def run(bench: Bench) -> None:
    """A plate of pixels, and one of many small images."""
    ts_context.configure(2)
    raw = bench.plate(wells=4 if bench.quick else 12, sites=4, channels=CHANNELS, size=(1080, 1080))
    stores = {}
    for version in ("0.4", "0.5"):
        stores[version] = bench.folder / f"p{version}.zarr"
        config = GlobalPipelineConfig(zarr=ZarrConfig(ngff_version=version), durability="fast", num_workers=2)
        assert convert(raw, stores[version], config=config).ok
    parts(bench, stores["0.5"])
    deep(bench, stores)
    carrying(bench, stores)
    many(bench)


def array_at(folder: Path) -> Any:
    """Return an array opened by tensorstore alone, without a cache."""
    context = ts.Context({"cache_pool": {"total_bytes_limit": 0}, "data_copy_concurrency": {"limit": 2}})
    driver = "zarr3" if (folder / "zarr.json").exists() else "zarr"
    place = {"driver": driver, "kvstore": {"driver": "file", "path": str(folder)}}
    return ts.open(place, open=True, context=context).result()


def parts(bench: Bench, store: Path) -> None:
    """One plane, a crop, a channel over the plate, a whole well; what is read was not read before."""
    plate = open_plate(store)
    wells = list(plate.wells)
    images = [store / well[0] / well[1:] / str(site) / "0" for well in wells for site in range(4)]
    folders = images[2::4]
    files = FileManager(store.parent)
    names = [f"{store.name}/{folder.relative_to(store)}" for folder in folders]
    turns = bench.turns(
        plane=lambda: [one[well].site(3).channel("FITC").read() for one in [open_plate(store)] for well in wells],
        plane_alone=lambda: [array_at(folder)[1, 0].read().result() for folder in folders],
        crop=lambda: [files.open_array(name, "zarr").read((1, 0, *CROP)) for name in names],
        crop_alone=lambda: [array_at(folder)[(1, 0, *CROP)].read().result() for folder in folders],
        channel=lambda: [site.channel("FITC").read() for well in wells for site in plate[well]],
        channel_alone=lambda: [array_at(image)[1, 0].read().result() for image in images],
        well=lambda: [site.read() for well in wells for site in plate[well]],
        well_alone=lambda: [array_at(image).read().result() for image in images],
    )
    count, plane = len(wells), 1080 * 1080 * 2 / 1e6
    alone = f"tensorstore alone {turns.wall('plane_alone') / count * 1e3:.1f} ms"
    bench.row(
        "one plane out of a plate, no two of one well", turns.wall("plane") / count * 1e3, "ms", most=5, note=alone
    )
    alone = f"tensorstore alone {turns.wall('crop_alone') / count * 1e3:.1f} ms"
    bench.row("a crop of 256 × 256", turns.wall("crop") / count * 1e3, "ms", note=alone)
    told = f"{count * 4 * plane / turns.wall('channel'):.0f} MB/s"
    bench.row(
        "a channel over the plate, speed ÷ tensorstore alone", 1 / turns.ratio("channel", "channel_alone"), note=told
    )
    told = f"{count * 12 * plane / turns.wall('well'):.0f} MB/s"
    bench.row("whole wells, speed ÷ tensorstore alone", 1 / turns.ratio("well", "well_alone"), least=0.9, note=told)


def deep(bench: Bench, stores: dict[str, Path]) -> None:
    """validate --deep beside decoding every array, with the ledger's digests and without a ledger."""
    for version, store in stores.items():
        bare = bench.folder / f"bare{version}.zarr"  # without its ledger every chunk is decoded
        shutil.copytree(store, bare)
        turns = bench.turns(
            rounds=3,
            ours=lambda store=store: validate(store, deep=True),
            bare=lambda bare=bare: validate(bare, deep=True),
            decode=lambda store=store: _decode(store),
        )
        for way, told in (("ours", "ours"), ("bare", "no records")):
            name = f"validate --deep of {version} ({told}), speed ÷ decoding"
            bench.row(name, turns.ratio("decode", way), least=0.7)


def _decode(store: Path) -> None:
    """Read every array whole, one after the other, with nothing else in the way."""
    for name in ("zarr.json", ".zarray"):
        for path in store.rglob(name):
            if name == ".zarray" or json.loads(path.read_bytes())["node_type"] == "array":
                array_at(path.parent).read().result()


def carrying(bench: Bench, stores: dict[str, Path]) -> None:
    """To another version, and into one file."""

    def carry(before: str, after: str, suffix: str):
        config = GlobalPipelineConfig(zarr=ZarrConfig(ngff_version=after), durability="fast", num_workers=2)
        return lambda: convert(stores[before], bench.out(suffix), config=config)

    for before, after in (("0.5", "0.6"), ("0.4", "0.5"), ("0.5", "0.4")):
        turns = bench.turns(
            rounds=3,
            ours=carry(before, after, ".zarr"),
            copy=lambda before=before: shutil.copytree(stores[before], bench.out()),
        )
        bench.row(f"carry {before} → {after} ÷ cp -r", turns.ratio("ours", "copy"))

    def zipped() -> None:
        with zipfile.ZipFile(bench.out(".zip"), "w") as archive:
            for path in stores["0.5"].rglob("*"):
                archive.write(path, path.relative_to(stores["0.5"]))

    turns = bench.turns(rounds=3, ours=carry("0.5", "0.5", ".ozx"), zipfile=zipped)
    bench.row("pack into .ozx ÷ zipfile", turns.ratio("ours", "zipfile"))


def many(bench: Bench) -> None:
    """384 wells × 9 sites × 3 levels: documents, opening, listing, a quick look at all."""
    wells = 24 if bench.quick else 384
    raw = bench.plate(wells=wells, sites=9, channels=("DAPI",), size=(64, 64))
    store = bench.folder / "many.zarr"
    config = GlobalPipelineConfig(zarr=ZarrConfig(levels=3), durability="fast", num_workers=2)
    assert convert(raw, store, config=config).ok
    files = FileManager(bench.folder)
    last = open_plate(store).wells[-1]
    inside = f"many.zarr/{last[0]}/{last[1:]}"
    turns = bench.turns(
        open=lambda: open_plate(store),
        json=lambda: json.loads((store / "zarr.json").read_bytes()),
        list=lambda: files.list_files(inside, "zarr"),
        exists=lambda: [files.exists(f"{inside}/{site}/0", "zarr") for site in range(9)],
        wells=lambda: files.list_dir("many.zarr/A", "zarr"),
    )
    size = f"{wells} wells × 9 sites"
    told = f"json alone {turns.wall('json') * 1e3:.1f} ms"
    bench.row(f"open {size}", turns.wall("open") * 1e3, "ms", most=50, note=told)
    bench.row(f"list a well of {size}", turns.wall("list") * 1e3, "ms", most=10)
    bench.row(f"list a row of wells of {size}", turns.wall("wells") * 1e3, "ms", most=10)
    bench.row(f"exists, 9 sites of {size}", turns.wall("exists") * 1e3, "ms", most=10)
    quick = bench.turns(rounds=2, warm=False, quick=lambda: validate(store))
    bench.row(f"validate, quick, {size}", quick.wall("quick"), "s", most=10)
    documents(bench, store)


def documents(bench: Bench, store: Path) -> None:
    """All documents of a plate's groups made and put in place, beside putting them."""
    kept = {path: path.read_bytes() for path in store.rglob("zarr.json")}
    kept = {path: data for path, data in kept.items() if json.loads(data)["node_type"] == "group"}
    scratch = bench.folder / "scratch"

    def spoilt(way: Any) -> dict[str, float]:
        for path in kept:
            path.write_bytes(b"{}")
        timed = bench.turns(rounds=1, warm=False, way=way)
        return {"wall_s": timed.wall("way"), "cpu_s": timed.cpu("way")}

    def put() -> None:
        """The least that is safe: a power cut leaves the old one or the new one."""
        for path, data in kept.items():
            with scratch.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
            folder = os.open(path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)

    turns = bench.turns(rounds=2, ours=lambda: spoilt(lambda: close(Ledger(store))), bare=lambda: spoilt(put))
    assert all(path.read_bytes() == data for path, data in kept.items())
    told = f"{turns.ratio('ours', 'bare'):.2f} × putting them bare; {size_of(store, 'zarr.json') / 1e6:.1f} MB"
    bench.row(f"{len(kept)} documents made and put in place, durable", turns.wall("ours"), "s", most=3, note=told)
