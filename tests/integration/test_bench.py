"""The benchmark program runs, counts by rounds, tells what it missed, and draws what it found."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def harness(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    yield importlib.import_module("harness")
    for name in ("harness", "machine", "chart"):
        sys.modules.pop(name, None)


def test_the_program_prints_figures_and_writes_them_and_a_picture(tmp_path):
    call = [sys.executable, BENCH, "--quick", "--only", "plans", "--rounds", "1"]
    told, picture = tmp_path / "found.json", tmp_path / "found.svg"
    done = subprocess.run(
        [*map(str, call), "--json", str(told), "--chart", str(picture)], capture_output=True, text=True, check=True
    )
    assert "compile 24 wells" in done.stdout
    assert "other programs used" in done.stdout
    found = json.loads(told.read_text())
    assert {row["section"] for row in found["rows"]} == {"plans"}
    assert found["machine"]["cores"] >= 1
    assert found["sections"]["plans"]["seconds"] > 0
    assert ET.parse(picture).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_ratios_are_of_runs_of_the_same_round(harness):
    turns = harness.Turns({"ours": [(2.0, 1.0), (9.0, 1.0), (3.0, 1.0)], "floor": [(1.0, 2.0), (4.5, 2.0), (6.0, 2.0)]})
    assert turns.ratio("ours", "floor") == 2.0
    assert turns.ratio("ours", "floor", cpu=True) == 0.5
    assert turns.wall("ours") == 3.0


def test_each_way_runs_once_before_it_counts_and_in_turn(harness, tmp_path):
    bench, order = harness.Bench(tmp_path / "work", quick=False, rounds=2), []
    turns = bench.turns(a=lambda: order.append("a"), b=lambda: {"wall_s": 7.0, "cpu_s": order.append("b") or 5.0})
    assert order == ["a", "b"] * 3
    assert turns.runs["b"] == [(7.0, 5.0)] * 2


def test_outputs_are_emptied_and_moved_away_never_removed(harness, tmp_path):
    bench = harness.Bench(tmp_path / "work", quick=True)
    first = bench.out(".zarr")
    (first / "c").mkdir(parents=True)
    (first / "c/0").write_bytes(b"pixels")
    bench.out()
    assert not first.exists()
    (kept,) = (tmp_path / "work/trash").rglob("c/0")
    assert kept.stat().st_size == 0


@pytest.mark.parametrize(
    ("value", "limits", "met"),
    [
        (1.0, {"most": 1.1}, True),
        (1.2, {"most": 1.1}, False),
        (7.0, {"least": 7}, True),
        (6.9, {"least": 7}, False),
        (0.9, {"least": 1.0, "most": 1.3}, False),
        (1.3, {"least": 1.0, "most": 1.3}, True),
        (5.0, {}, None),
    ],
)
def test_a_figure_is_held_against_its_target_and_drawn(harness, tmp_path, value, limits, met):
    bench = harness.Bench(tmp_path / "work", quick=True)
    bench.row("a figure < & >", value, **limits)
    assert bench.rows[0].met is met
    chart = importlib.import_module("chart")
    machine = {"date": "d", "cores": 2, "processor": "p", "file_system": "ext4"}
    picture = chart.draw({"machine": machine, **bench.to_json()})
    colours = {one.get("fill") for one in ET.fromstring(picture)[1:]}
    assert (chart.OVER in colours) is (met is False)
    assert (chart.OURS in colours) is (met is True)
