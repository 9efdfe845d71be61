"""The page on built-in steps: it names them all, and its example corrects and measures a plate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from openhcs import PipelineOrchestrator, open_plate, steps
from openhcs.cli import main
from openhcs.testing.synthetic import make_plate
from pages import markdown_blocks

if TYPE_CHECKING:
    import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "steps.md").read_text(encoding="utf-8")


def test_every_step_stands_in_the_table() -> None:
    rows = "\n".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))
    assert sorted(part for part in rows.replace("\n", ",").replace("`", "").replace(" ", "").split(",")) == sorted(
        steps.__all__
    )


def test_the_example_takes_the_illumination_out_and_measures_both_channels(tmp_path: Path) -> None:
    block, _ = markdown_blocks(PAGE, "python")
    scope: dict[str, object] = {"__name__": "pipeline"}
    exec(compile(block, "steps.md", "exec"), scope)
    plate = make_plate(tmp_path / "P1", wells=("A01", "A02"), sites=2, channels=("DAPI", "FITC"), size=(96, 96))
    assert PipelineOrchestrator(plate, output=tmp_path / "out").run(scope["steps"]).ok
    source = open_plate(plate)
    planes = [source[well].site(site).channel("FITC").z(1).read() for well in ("A01", "A02") for site in (1, 2)]
    mean = ndimage.gaussian_filter(np.mean([one.astype(float) for one in planes], axis=0), 20, mode="nearest")
    expected = np.floor(planes[0] / (mean / mean.mean()) + 0.5).clip(0, 65535)
    made = open_plate(tmp_path / "out")
    found = made["A01"].site(1).channel("FITC").z(1).read()
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1
    table = made.table("measurements")
    assert set(table["channel"].to_pylist()) == {"DAPI", "FITC"}
    assert np.allclose(table["area_um2"].to_numpy(), table["area_px"].to_numpy() * 0.65**2)


def test_the_microscopes_own_light_is_taken_out_of_both_channels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, block = markdown_blocks(PAGE, "python")
    monkeypatch.chdir(tmp_path)
    make_plate("PLATE", layout="opera_phenix", wells=2, sites=1, channels=("DAPI", "FITC"), size=(96, 128))
    Path("pipeline.py").write_text(block, encoding="utf-8")
    assert main(["run", "pipeline.py", "PLATE", "-o", "OUT", "-q"]) == 0
    raw, even = open_plate("PLATE"), open_plate("OUT")
    y, x = np.mgrid[:96, :128]
    for number, name in enumerate(("DAPI", "FITC"), start=1):
        across, down = (x - 63.5) / 128, (y - 47.5) / 96
        light = 1.1 + 0.02 * number * across - 0.05 * down - 0.6 * across**2 + 0.1 * across * down - 0.6 * down**2
        before = raw["A02"].site(1).channel(name).z(1).read().astype(float)
        expected = np.floor((before - 100) / (light / light.mean()) + 100 + 0.5)
        after = even["A02"].site(1).channel(name).z(1).read()
        assert np.abs(after - expected).max() <= 1
