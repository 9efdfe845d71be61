"""The page on array types: its example gives what scipy gives, and every kind stands in its table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

pytest.importorskip("torch")

from openhcs import PipelineOrchestrator, open_plate
from openhcs.core.array_types import LIBRARIES
from openhcs.testing.synthetic import make_plate
from pages import markdown_blocks

PAGE = (Path(__file__).parents[2] / "docs" / "array-types.md").read_text(encoding="utf-8")


def test_the_example_smooths_as_scipy_does_and_the_plan_shows_the_change(tmp_path: Path) -> None:
    (block,) = markdown_blocks(PAGE, "python")
    scope: dict[str, object] = {"__name__": "pipeline"}
    exec(compile(block, "array-types.md", "exec"), scope)
    plate = make_plate(tmp_path / "P1", wells=("A01",), sites=1, channels=("DAPI",), size=(64, 64))
    orchestrator = PipelineOrchestrator(plate, output=tmp_path / "out")
    assert orchestrator.run(scope["steps"]).ok
    assert "takes arrays numpy → torch (as float32) → numpy" in orchestrator.plan.explain()
    raw = open_plate(plate)["A01"].site(1).channel("DAPI").z(1).read().astype(np.float32)
    expected = np.rint(ndimage.uniform_filter(raw, 5, mode="constant")).astype(int)
    found = open_plate(tmp_path / "out")["A01"].site(1).channel("DAPI").z(1).read().astype(int)
    assert np.abs(found - expected).max() <= 1


def test_every_kind_stands_in_the_table() -> None:
    assert all(f'`"{kind}"`' in PAGE for kind in LIBRARIES if kind != "numpy")
