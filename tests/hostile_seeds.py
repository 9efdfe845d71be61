"""Valid samples to damage: plates, outputs, arrays of every codec, real documents; and what must not be read."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hostile_guard import SECRET, SECRET_PIXEL
from openhcs import FileManager, GlobalPipelineConfig, convert
from openhcs.constants.constants import MaterializationBackend, ZarrCompressor
from openhcs.core.arrays import ArraySpec
from openhcs.core.config import VFSConfig, ZarrConfig
from openhcs.io.fsops import FileOps
from openhcs.io.zarr_array import write_array
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from collections.abc import Callable

    from openhcs.errors import OpenHCSError

    Call = Callable[[bytes], Any]
DATA = Path(os.environ.get("OPENHCS_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
LARGEST_SAMPLE = 200_000
CODECS = ("ZSTD", "LZ4", "BLOSC", "ZLIB", "NONE")
PLANE = np.arange(24 * 20, dtype=np.uint16).reshape(24, 20)
DTYPES = ("uint16", "uint8", "float32", "bool")


@dataclass(frozen=True, kw_only=True)
class Target:
    """``samples`` are made from the folder of seeds; ``call`` from a fresh folder; ``cases`` are tried at once."""

    kind: str
    samples: Callable[[Path], list[bytes]]
    call: Callable[[Path], Call]
    cases: int = 140


def worded(error: OpenHCSError, named: str = "") -> None:
    """Check that an error has words, and names what it is about."""
    assert str(error).strip(), "an error without words"
    assert named in str(error), f"{named} is not named: {error}"


def seeds() -> Path:
    return Path(os.environ["OPENHCS_HOSTILE_SEEDS"])


def build(folder: Path) -> None:
    """Make the plates and outputs that samples are taken from."""
    small = {"wells": 2, "sites": 1, "channels": ("DAPI", "FITC"), "size": (24, 20)}
    make_plate(folder / "imagexpress", **small)
    make_plate(folder / "phenix", layout="opera_phenix", **small)
    make_plate(folder / "leica", layout="leica_matrix", **small)
    make_plate(folder / "scanr", layout="scanr", **small)
    for layout in ("cellvoyager", "ome_tiff", "micro_manager", "micro_manager_files"):
        make_plate(folder / layout, layout=layout, **small)
    make_plate(folder / "database", layout="imagexpress_database", z=2, **small)
    make_plate(folder / "hcsai", layout="imagexpress_hcsai", **small)
    for version in ("0.4", "0.5"):
        config = GlobalPipelineConfig(zarr=ZarrConfig(ngff_version=version), num_workers=1, use_threading=True)
        convert(folder / "imagexpress", folder / f"ome{version}" / "images.zarr", config=config)
    disk = VFSConfig(materialization_backend=MaterializationBackend.DISK)
    config = GlobalPipelineConfig(vfs=disk, num_workers=1, use_threading=True)
    convert(folder / "imagexpress", folder / "tiffs", config=config)
    generic = folder / "generic"
    generic.mkdir()
    for number, path in enumerate(sorted((folder / "imagexpress").rglob("*.TIF")), start=1):
        shutil.copy(path, generic / f"plate_B0{number}_f1_c1.tif")
    every_codec(folder / "arrays")
    outside(folder / "outside")


def outside(folder: Path) -> None:
    """Make what must not be read: files of every kind that say so."""
    pixels = np.full((16, 16), SECRET_PIXEL, np.uint16)
    files = FileManager(folder)
    for name in ("secret.tif", "secret.npy"):
        files.save(pixels, name, "disk")
    (folder / "secret.txt").write_bytes(SECRET)
    (folder / "secret.xml").write_bytes(
        b"<EvaluationInputData><Plates><Plate><Name>" + SECRET + b"</Name></Plate></Plates></EvaluationInputData>"
    )
    write_array(
        folder / "array",
        pixels,
        ArraySpec(shape=(16, 16), dtype="uint16", chunks=(16, 16), compressor=ZarrCompressor.NONE),
        FileOps(),
    )


def real(*patterns: str) -> list[bytes]:
    """Return small real documents of these names, where real data is at hand."""
    found = (path for pattern in patterns for path in sorted(DATA.glob(pattern)) if path.is_file())
    return [path.read_bytes() for path in found if path.stat().st_size <= LARGEST_SAMPLE][:12]


def below(folder: Path, *patterns: str) -> list[bytes]:
    return [path.read_bytes() for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_file()]


def every_codec(folder: Path) -> None:
    """Make arrays of every codec in both versions."""
    for version, codec, dtype in [(v, c, d) for v in (2, 3) for c in CODECS for d in DTYPES[: 4 if c == "ZSTD" else 1]]:
        spec = ArraySpec(
            shape=(24, 20),
            dtype=dtype,
            chunks=(12, 10),
            shards=(24, 20) if version == 3 and dtype != "uint8" else None,
            zarr_format=version,
            compressor=ZarrCompressor[codec],
            level=1,
            shuffle=codec != "ZSTD",
        )
        write_array(folder / f"v{version}_{codec}_{dtype}", PLANE.astype(dtype), spec, FileOps())
