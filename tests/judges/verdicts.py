"""Plates of ours and of other writers, shown to every judge, each in a process of its own."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import look
import numpy as np
import writers
from scipy import ndimage

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, ZarrConfig, convert, special_outputs
from openhcs.testing.synthetic import make_plate

HERE = Path(__file__).parent
LIMIT_S = 240
OURS = [f"openhcs {verb} {version}" for verb in ("convert", "run") for version in ("0.4", "0.5", "0.6")]
WITHOUT_0_6 = {"yaozarrs", "ome-zarr-io", "ngio", "iohub", "bioio", "ome-zarr-py", "napari"}
"""Judges that do not claim to know OME-Zarr 0.6."""


@special_outputs(nuclei="labels")
def find(stack):
    """Number what is bright in each plane."""
    return stack, np.stack([ndimage.label(plane > 600)[0] for plane in stack]).astype("uint32")


def make_ours(name: str, folder: Path) -> Path:
    """Make a plate of ours: sparse wells, odd sizes, z; labels where a pipeline ran."""
    _, verb, version = name.split()
    source = make_plate(folder / "P1", wells=("A01", "B03", "C02"), sites=2, z=3, size=(301, 400))
    config = GlobalPipelineConfig(num_workers=1, zarr=ZarrConfig(ngff_version=version))
    if verb == "convert":
        assert convert(source, folder / "plate.zarr", config=config).ok
        return folder / "plate.zarr"
    steps = [FunctionStep({"DAPI": find}, variable_components=[], unmatched="pass")]
    assert PipelineOrchestrator(source, output=folder / "out", global_config=config).run(steps).ok
    return folder / "out/images.zarr"


def make_theirs(name: str, version: str, folder: Path) -> Path | str:
    """Return the store that another library made, or why it made none."""
    target = folder / "p.zarr"
    words = [sys.executable, str(HERE / "writers.py"), name, version, str(target)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:200]
    inner = target / "P"
    return (
        inner
        if inner.is_dir() and not (target / "zarr.json").exists()
        else inner
        if name.startswith("acquire")
        else target
    )


def knows(judge: str, version: str) -> bool:
    """Return whether a judge claims to know a version."""
    if judge == "ome-zarr-io":
        return version == "0.5"
    return version != "0.6" or judge not in WITHOUT_0_6


def ask(judge: str, store: Path) -> dict[str, Any]:
    """Return a judge's verdict; one that crashes or hangs has found that."""
    words = [sys.executable, str(HERE / "look.py"), judge, str(store)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (subprocess.TimeoutExpired, IndexError, json.JSONDecodeError) as error:
        return {"judge": judge, "version": "", "findings": [f"{type(error).__name__}"], "seen": {}}


def has_node() -> bool:
    """Return whether the judges on node are there."""
    return shutil.which("node") is not None and (HERE / "node/node_modules").is_dir()


def judges() -> list[str]:
    """Return the judges that can be asked here."""
    return [name for name in look.JUDGES if "zarrita" not in name or has_node()]


def version_of(writer: str) -> str:
    """Return the version of the library that made a store."""
    package = "openhcs" if writer.startswith("openhcs") else writers.WRITERS[writer][1]
    return importlib.metadata.version(package)
