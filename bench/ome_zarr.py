"""OME-Zarr plates: documents, opening, validating, carrying over; ratios of runs in turn, median of five.

    python bench/ome_zarr.py            about ten minutes on two cores, 3 GB of disk
    python bench/ome_zarr.py --quick    a smaller plate of pixels

The documents are those of 384 wells × 9 sites × 3 levels. Temporary files go to TMPDIR.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import zipfile
from pathlib import Path

import tensorstore as ts

from compare import in_turn, ratio, row, run_benches, size_of, timed
from openhcs import GlobalPipelineConfig, ZarrConfig, convert, open_plate, validate
from openhcs.ledger.ledger import Ledger
from openhcs.run.close import close
from openhcs.testing.synthetic import make_plate

LEVELS = ZarrConfig(levels=3)


def documents_of(store: Path) -> dict[Path, bytes]:
    """Return the documents of all groups."""
    found = {}
    for folder, folders, names in os.walk(store):
        if "zarr.json" in names:
            data = (Path(folder) / "zarr.json").read_bytes()
            if json.loads(data)["node_type"] == "array":
                folders.clear()
            else:
                found[Path(folder) / "zarr.json"] = data
    return found


def put(path: Path, data: bytes, through: Path) -> None:
    """Write a file so that a power cut leaves the old one or the new one: the least that is safe."""
    with through.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    through.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


class Bench:
    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        tiny = make_plate(folder / "tiny", wells=384, sites=9, channels=("DAPI",), size=(64, 64))
        self.many = folder / "many.zarr"
        assert convert(tiny, self.many, config=GlobalPipelineConfig(zarr=LEVELS, durability="fast")).ok
        self.raw = make_plate(
            folder / "raw", wells=8 if quick else 24, sites=4, channels=("DAPI", "FITC", "Cy5"), size=(1080, 1080)
        )
        self.plates = {}
        for version in ("0.4", "0.5"):
            self.plates[version] = folder / f"p{version}.zarr"
            config = GlobalPipelineConfig(zarr=ZarrConfig(ngff_version=version), durability="fast")
            assert convert(self.raw, self.plates[version], config=config).ok

    def documents(self) -> None:
        kept = documents_of(self.many)
        scratch = self.folder / "scratch"

        def spoil() -> None:
            for path in kept:
                path.write_bytes(b"{}")

        def ours() -> None:
            close(Ledger(self.many))

        def floor() -> None:
            for path, data in kept.items():
                put(path, data, scratch)

        pairs = []
        for _ in range(5):
            spoil()
            mine = timed(ours)
            spoil()
            pairs.append((mine, timed(floor)))
        seconds = statistics.median(mine for mine, _ in pairs)
        times = ratio([mine for mine, _ in pairs], [other for _, other in pairs])
        row(f"{len(kept)} documents made and put in place", f"{seconds:.1f} s, {times:.2f} × bare", "≤ 3 s")
        assert all(path.read_bytes() == data for path, data in kept.items())

    def opening(self) -> None:
        opened, read = in_turn(
            lambda: open_plate(self.many), lambda: json.loads((self.many / "zarr.json").read_bytes())
        )
        told = f"{statistics.median(opened) * 1e3:.1f} ms (json alone {statistics.median(read) * 1e3:.1f} ms)"
        row("open 384 wells × 9 sites", told, "≤ 50 ms")

    def quick(self) -> None:
        seconds = statistics.median(timed(validate, self.many) for _ in range(3))
        row("validate, quick, 384 wells × 9 sites", f"{seconds:.1f} s", "≤ 10 s")

    def deep(self) -> None:
        for version, plate in self.plates.items():
            bare = self.folder / "bare.zarr"  # without its ledger every chunk is decoded
            shutil.copytree(plate, bare)
            for store, how in ((plate, "ours"), (bare, "no records")):
                checked, decoded = in_turn(lambda s=store: validate(s, deep=True), lambda s=store: decode(s))
                row(
                    f"validate --deep of {version} ({how}), speed against decoding",
                    f"{1 / ratio(checked, decoded):.2f}",
                    "≥ 0.7",
                )
            shutil.rmtree(bare)

    def carrying(self) -> None:
        out = self.folder / "out.zarr"

        def clean() -> None:
            for path in (*self.folder.glob("out*"), *self.folder.glob(".out*")):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

        def carry(before: str, target: Path, after: str) -> None:
            clean()
            config = GlobalPipelineConfig(zarr=ZarrConfig(ngff_version=after), durability="fast")
            assert convert(self.plates[before], target, config=config).ok

        def copy(before: str) -> None:
            clean()
            shutil.copytree(self.plates[before], out)

        def zip_it() -> None:
            clean()
            with zipfile.ZipFile(self.folder / "out.zip", "w") as archive:
                for path in self.plates["0.5"].rglob("*"):
                    archive.write(path, path.relative_to(self.plates["0.5"]))

        for before, after in (("0.5", "0.6"), ("0.4", "0.5"), ("0.5", "0.4")):
            ours, floor = in_turn(lambda a=before, b=after: carry(a, out, b), lambda a=before: copy(a))
            speed = size_of(self.raw) / statistics.median(ours) / 1e6
            row(f"carry {before} → {after}, wall against cp -r", f"{ratio(ours, floor):.2f} ({speed:.0f} MB/s)", "-")
        ours, floor = in_turn(lambda: carry("0.5", self.folder / "out.ozx", "0.5"), zip_it)
        row("pack into .ozx, wall against zipfile", f"{ratio(ours, floor):.2f}", "-")
        clean()


def decode(store: Path) -> None:
    """Read every array whole, one after the other, with nothing else in the way."""
    context = ts.Context({"cache_pool": {"total_bytes_limit": 0}})
    for name, driver in (("zarr.json", "zarr3"), (".zarray", "zarr")):
        for path in store.rglob(name):
            if driver == "zarr" or json.loads(path.read_bytes())["node_type"] == "array":
                place = {"driver": driver, "kvstore": {"driver": "file", "path": str(path.parent)}}
                ts.open(place, open=True, context=context).result().read().result()


if __name__ == "__main__":
    run_benches(Bench, ["documents", "opening", "quick", "deep", "carrying"], about=__doc__)
