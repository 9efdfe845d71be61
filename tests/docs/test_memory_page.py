"""The page on memory: its examples run, its message and its figures are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, VariableComponents
from openhcs.core.config import VFSConfig
from openhcs.errors import OutOfBudget
from openhcs.plan.admit import PROCESS
from openhcs.plan.peak import MARGIN, RESERVED
from openhcs.testing.synthetic import make_plate
from pages import markdown_blocks

PAGE = (Path(__file__).parents[2] / "docs" / "memory.md").read_text(encoding="utf-8")


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    make_plate("P1", wells=("A01", "A02"), sites=2, z=2, channels=("DAPI",), size=(64, 64))
    scope: dict[str, object] = {"__name__": "pipeline"}
    for block in markdown_blocks(PAGE, "python"):
        exec(compile(block, "memory.md", "exec"), scope)
    shown = capsys.readouterr().out
    assert "1600000000" in shown
    assert "A01 {'planned': " in shown


def test_the_figures_are_those_of_the_code() -> None:
    assert f"{RESERVED // 10**6} MB for any task" in PAGE
    assert f"takes {PROCESS // 10**6} MB before any task" in PAGE
    assert MARGIN == 1.1


def test_the_message_is_worded_as_it_is(tmp_path: Path) -> None:
    plate = make_plate(tmp_path / "P1", wells=("A01",), sites=4, z=2, channels=("DAPI", "FITC"), size=(540, 540))
    stacked = [VariableComponents.SITE]
    steps = [FunctionStep(abs, "even", stacked), FunctionStep(abs, "same", []), FunctionStep(abs, "again", stacked)]
    config = GlobalPipelineConfig(num_workers=2, vfs=VFSConfig(memory_budget=3 * PROCESS))
    with pytest.raises(OutOfBudget) as told:
        PipelineOrchestrator(plate, output=tmp_path / "o", global_config=config).initialize().compile_pipelines(steps)
    (shown,) = markdown_blocks(PAGE, "text")
    assert words(str(told.value)) == words(shown)


def words(text: str) -> list[str]:
    """Return a text without its numbers."""
    return re.sub(r"[\d,]*\d", "N", text).split()
