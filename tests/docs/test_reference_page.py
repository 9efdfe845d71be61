"""The code blocks of the reference page run as written and do what the page says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr

import openhcs
from openhcs import Backend, FileManager, MaterializationBackend, VFSConfig, ZarrConfig
from openhcs.core import config as configuration
from openhcs.core.config import GlobalPipelineConfig
from pages import rst_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

VENDORED = Path(__file__).with_name("storage_backends.rst")
REFERENCE = Path(os.environ.get("OPENHCS_REFERENCE", Path(__file__).parents[3] / "shared" / "reference"))
PAGE = REFERENCE / "storage_backends.rst"
CONFIGURATION, OPERATIONS, STEPS = rst_blocks((PAGE if PAGE.is_file() else VENDORED).read_text(encoding="utf-8"))

FREE_FUNCTIONS = """
import numpy as np

def processing_function(stack):
    return stack // 2

def final_function(stack):
    return np.minimum(stack, 900)
"""
MAIN = """
if __name__ == "__main__":
    import sys
    from openhcs import PipelineOrchestrator

    result = PipelineOrchestrator(sys.argv[1], global_config=global_config, output=sys.argv[2]).run([step, final_step])
    assert result.ok, result
"""


def run_block(block: str, **names: Any) -> Mapping[str, Any]:
    """Run a block with its free names in scope: those of the package and those given."""
    scope = {name: getattr(openhcs, name) for name in openhcs.__all__} | names
    exec(compile(block, "storage_backends.rst", "exec"), scope)
    return scope


def test_the_vendored_blocks_are_those_of_the_page() -> None:
    if not PAGE.is_file():
        pytest.skip(f"the reference page is not in {REFERENCE} (set OPENHCS_REFERENCE)")
    assert rst_blocks(VENDORED.read_text(encoding="utf-8")) == [CONFIGURATION, OPERATIONS, STEPS]


def test_the_configuration_of_the_page_can_be_made_and_is_the_default() -> None:
    scope = run_block(CONFIGURATION)
    assert scope["vfs_config"] == VFSConfig()
    assert scope["zarr_config"] == ZarrConfig()
    assert scope["global_config"] == GlobalPipelineConfig()
    assert scope["global_config"].zarr is scope["zarr_config"]
    assert scope["vfs_config"].intermediate_backend is Backend.MEMORY
    assert scope["vfs_config"].materialization_backend is MaterializationBackend.ZARR


def test_the_names_the_page_forgets_are_importable_from_the_configuration_too() -> None:
    from openhcs.constants import constants

    for name in (
        *("Backend", "MaterializationBackend", "VariableComponents", "GroupBy", "Microscope"),
        *("ZarrCompressor", "ZarrChunkStrategy"),
    ):
        assert getattr(configuration, name) is getattr(constants, name)


@pytest.mark.parametrize("rooted", [False, True])
def test_the_operations_of_the_page_do_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rooted: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    filemanager = FileManager(root=tmp_path) if rooted else FileManager()
    array = np.arange(12, dtype="uint16").reshape(3, 4)
    filemanager.save(array, "path/to/file", "memory")
    filemanager.save(array * 3, "input/path", "zarr")
    run_block(OPERATIONS, filemanager=filemanager, array=array)
    np.testing.assert_array_equal(np.load(tmp_path / "output" / "path", allow_pickle=False), array)
    np.testing.assert_array_equal(zarr.open(tmp_path / "input" / "images.zarr", mode="r")["path"][...], array * 3)
    assert not filemanager.exists("path/to/file", "memory")


def test_the_memory_of_the_page_never_touches_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    filemanager = FileManager()
    filemanager.save(np.zeros((4, 4)), "path/to/file", Backend.MEMORY)
    assert filemanager.exists("path/to/file", "memory")
    assert not filemanager.exists("path/to/file", "disk")
    assert list(tmp_path.iterdir()) == []


def processing_function(stack: Any) -> Any:
    return stack // 2


def final_function(stack: Any) -> Any:
    return np.minimum(stack, 900)


def test_the_steps_of_the_page_can_be_made() -> None:
    scope = run_block(STEPS, processing_function=processing_function, final_function=final_function)
    assert scope["step"].force_disk_output is False
    assert scope["final_step"].force_disk_output is True
    assert scope["step"].name == "processing_step"


def test_the_page_is_a_script_that_runs_a_plate(tmp_path: Path) -> None:
    from openhcs.testing.synthetic import make_plate

    plate = make_plate(tmp_path / "plate", wells=2, sites=2, channels=("DAPI", "FITC"), size=(64, 64))
    imports = "from openhcs import *\n"
    script = tmp_path / "pipeline_script.py"
    script.write_text(f"{imports}\n{FREE_FUNCTIONS}\n{CONFIGURATION}\n{STEPS}\n{MAIN}", encoding="utf-8")
    command = [sys.executable, str(script), str(plate), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"images.zarr", ".openhcs"}
    raw, result = openhcs.open_plate(plate), zarr.open_group(tmp_path / "out" / "images.zarr", mode="r")
    assert len(raw.wells) == 2
    for well in raw.wells:
        for number, site in enumerate(raw.index.sites(well)):
            expected = final_function(processing_function(raw[well].site(site).read()))
            assert expected.any()
            np.testing.assert_array_equal(result[f"{well[0]}/{well[1:]}/{number}/0"][...], expected)


def test_automatic_backend_selection_is_as_the_page_says(tmp_path: Path) -> None:
    from openhcs.testing.synthetic import make_plate

    scope = run_block(STEPS, processing_function=processing_function, final_function=final_function)
    plate = make_plate(tmp_path / "plate", wells=1, sites=2, channels=("DAPI",), size=(32, 32))
    run = openhcs.PipelineOrchestrator(plate, output=tmp_path / "out").initialize()
    run.compile_pipelines([scope["step"], scope["final_step"]])
    assert [(step.reads, step.writes) for step in run.plan.recipe.steps] == [
        ("disk", ("memory",)),
        ("memory", ("zarr",)),
    ]
    run.compile_pipelines([scope["final_step"], scope["step"]])
    assert [(step.reads, step.writes) for step in run.plan.recipe.steps] == [
        ("disk", ("memory", "zarr")),
        ("memory", ("zarr",)),
    ]
