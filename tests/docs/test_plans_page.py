"""The page on plans: its Python and its commands run, one after the other."""

from __future__ import annotations

import shlex
from pathlib import Path

from openhcs.cli import main
from openhcs.run.status import status
from openhcs.testing.synthetic import make_plate
from pages import markdown_blocks

PAGE = (Path(__file__).parents[2] / "docs" / "plans.md").read_text(encoding="utf-8")
PIPELINE = """
from openhcs import FunctionStep, GlobalPipelineConfig

def double(stack):
    return stack * 2

config = GlobalPipelineConfig(num_workers=1, use_threading=True)
steps = [FunctionStep(double, variable_components=[], out="same", out_dtype="uint16")]
"""


def plates(folder: Path) -> None:
    for name in ("P1", "P2"):
        make_plate(folder / name, wells=("A01", "A02"), sites=2, size=(32, 32))


def test_the_python_runs_and_tells_what_differs(tmp_path, monkeypatch, capsys) -> None:
    plates(tmp_path)
    monkeypatch.chdir(tmp_path)
    (block,) = markdown_blocks(PAGE, "python")
    exec(compile(block, "plans.md", "exec"), {"__name__": "pipeline"})
    assert "stored as well: steps/1_tophat.zarr (the images of tophat as zarr)" in capsys.readouterr().out


def test_the_commands_run_in_their_order(tmp_path, monkeypatch) -> None:
    plates(tmp_path)
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    monkeypatch.chdir(tmp_path)
    (block,) = markdown_blocks(PAGE, "bash")
    for line in block.splitlines():
        assert main(shlex.split(line)[1:]) == 0, line
    for output in ("out", "elsewhere", "all/P1", "all/P2"):
        assert set(status(output).wells.values()) == {"done"}
