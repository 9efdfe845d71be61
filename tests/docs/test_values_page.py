"""The page on special outputs and inputs: its examples run and give what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from openhcs import PipelineOrchestrator, open_plate
from openhcs.core.special import KINDS
from openhcs.testing.synthetic import make_plate
from pages import markdown_blocks

PAGE = (Path(__file__).parents[2] / "docs" / "values.md").read_text(encoding="utf-8")


def run_block(number: int, folder: Path) -> Path:
    block = markdown_blocks(PAGE, "python")[number]
    scope: dict[str, object] = {"__name__": "pipeline"}
    exec(compile(block, "values.md", "exec"), scope)
    plate = make_plate(folder / "P1", wells=("A01", "A02"), sites=2, channels=("DAPI", "FITC"), size=(64, 64))
    assert PipelineOrchestrator(plate, output=folder / "out").run(scope["steps"]).ok
    return folder / "out"


def test_nuclei_of_one_channel_are_measured_in_both(tmp_path: Path) -> None:
    table = open_plate(run_block(0, tmp_path)).table("cells")
    assert table.column_names == ["well", "site", "channel", "z_index", "timepoint", "nucleus", "area_px", "mean"]
    assert set(table["channel"].to_pylist()) == {"DAPI", "FITC"}
    assert set(table["well"].to_pylist()) == {"A01", "A02"}


def test_the_illumination_of_the_plate_is_one_on_average(tmp_path: Path) -> None:
    field = np.load(run_block(1, tmp_path) / "results/illumination/plate/plate_c1_z1_t1.npy")
    assert field.shape == (64, 64)
    assert abs(field.mean() - 1) < 1e-12


def test_every_kind_stands_in_the_table() -> None:
    assert all(f'| `"{kind}"` |' in PAGE for kind in KINDS)
