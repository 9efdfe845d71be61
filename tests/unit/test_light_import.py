"""Importing the package, its configuration and its plan loads no heavy library."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import openhcs

HEAVY = {
    *("tensorstore", "tifffile", "imagecodecs", "numcodecs", "zarr", "torch", "rich", "numpy", "scipy", "skimage"),
    *("pyarrow", "zict", "dask", "cloudpickle", "ctypes", "multiprocessing", "asyncio", "subprocess"),
}


def loaded_after(statement: str) -> set[str]:
    script = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    here = {**os.environ, "PYTHONPATH": str(Path(openhcs.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=here)
    return set(done.stdout.split())


def test_the_heavy_libraries_would_be_noticed() -> None:
    assert "numpy" in loaded_after("import numpy")


@pytest.mark.parametrize(
    "statement",
    [
        "import openhcs, openhcs.core.config, openhcs.plan",
        "import openhcs; openhcs.FunctionStep, openhcs.GlobalPipelineConfig, openhcs.Plan, openhcs.OpenHCSError",
        "import openhcs; openhcs.PipelineOrchestrator",
        "import openhcs.plan.compile, openhcs.ngff",
        "import openhcs.cli",
        "import openhcs.microscopes",
    ],
)
def test_a_light_import_stays_light(statement: str) -> None:
    assert loaded_after(statement) & HEAVY == set()
