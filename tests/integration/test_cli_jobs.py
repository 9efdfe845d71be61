"""The main jobs at the command line, on made-up plates: what is printed, written and answered."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import tifffile
import zarr

from openhcs.cli import main
from openhcs.testing.synthetic import make_plate

PIPELINE = """
from openhcs import FunctionStep, GlobalPipelineConfig

def add(stack, n):
    if stack.max() > LIMIT:
        raise ValueError("too bright")
    return stack + n

LIMIT = 70000
config = GlobalPipelineConfig(num_workers=1, use_threading=True)
steps = [FunctionStep((add, {"n": 1}), variable_components=[], out="same", out_dtype="uint16")]
"""


@pytest.fixture(scope="module")
def plate(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("plates") / "P1"
    return str(make_plate(folder, wells=["A01", "A02", "B01"], sites=2, size=(64, 48)))


@pytest.fixture(scope="module")
def holed(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("plates") / "P2"
    return str(make_plate(folder, wells=["A01", "A02"], sites=2, size=(64, 48), missing=2))


@pytest.fixture
def at(tmp_path, monkeypatch):
    """Work in an empty folder with a pipeline file; return its path."""
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_scan_and_info_tell_the_same_plate(plate, capsys) -> None:
    assert main(["scan", plate, "--json"]) == 0
    scanned = json.loads(capsys.readouterr().out)
    assert scanned["wells"] == ["A01", "A02", "B01"]
    assert scanned["microscope"] == "imagexpress"
    assert scanned["planes"]["present"] == 3 * 2 * 2
    assert main(["info", plate, "--json"]) == 0
    informed = json.loads(capsys.readouterr().out)
    assert informed["kind"] == "plate"
    assert informed["wells"] == scanned["wells"]
    assert main(["info", plate]) == 0
    assert "uint16" in said(capsys)


def test_a_real_plate_is_told_as_its_source_says(data, capsys) -> None:
    assert main(["scan", str(data("imagexpress-projection-mix")), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["wells"], told["sites"], told["z"], told["plane_shape"]) == (["E07"], 1, 10, [512, 512])
    assert told["planes"]["missing"] == 0
    assert told["bytes"] == told["planes"]["present"] * 512 * 512 * 2


def test_convert_then_info_then_again(plate, at, capsys) -> None:
    assert main(["convert", plate, "p.zarr"]) == 0
    assert "wrote  p.zarr" in said(capsys)
    assert main(["info", "p.zarr"]) == 0
    shown = said(capsys)
    assert "OME-Zarr 0.5, Zarr v3" in shown
    assert "on disk" in shown
    assert main(["info", "p.zarr/A/01/0"]) == 0
    assert "not a plate" in said(capsys)
    assert main(["convert", plate, "p.zarr"]) == 0
    assert "nothing to do: all 3 wells were done before" in said(capsys)
    assert main(["status", "p.zarr", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["wells"] == {"A01": "done", "A02": "done", "B01": "done"}


def test_an_output_that_holds_other_work_ends_with_5_and_is_left_alone(plate, at, capsys) -> None:
    assert main(["convert", plate, "p.zarr", "--wells", "A01"]) == 0
    before = sorted(os.listdir("p.zarr"))
    assert main(["convert", plate, "p.zarr", "--ngff", "0.4"]) == 5
    assert main(["convert", plate, "p.zarr", "--wells", "A01", "--exist", "error"]) == 5
    assert sorted(os.listdir("p.zarr")) == before
    (at / "mine").mkdir()
    (at / "mine" / "thesis.txt").write_text("x")
    assert main(["convert", plate, "mine"]) == 5
    assert os.listdir("mine") == ["thesis.txt"]
    assert "--exist" in said(capsys)


def test_run_plans_runs_and_tells(plate, at, capsys) -> None:
    assert main(["plan", "pipeline.py", plate, "-o", "out"]) == 0
    assert capsys.readouterr().out.startswith("plan ")
    assert not os.path.exists("out")
    assert main(["run", "pipeline.py", plate, "-o", "out", "--events", "events.jsonl"]) == 0
    shown = said(capsys)
    assert "3 of 3 wells done" in shown
    assert f"wrote  {at / 'out' / 'images.zarr'}" in shown
    kinds = [json.loads(line)["kind"] for line in (at / "events.jsonl").read_text().splitlines()]
    assert (kinds[0], kinds[-1]) == ("started", "finished")
    assert kinds.count("well_done") == 3
    stored = zarr.open_array("out/images.zarr/A/01/0/0", mode="r")[...]
    raw = next(os.path.join(root, name) for root, _, names in os.walk(plate) for name in names if "A01_s1_w1" in name)
    assert np.array_equal(stored.reshape(-1, 64, 48)[0], tifffile.imread(raw) + 1)
    assert main(["info", "out"]) == 0
    assert "next: openhcs status out" in said(capsys)


def test_a_function_that_raises_in_one_well_ends_with_3_and_status_tells(plate, at, capsys) -> None:
    text = PIPELINE.replace("LIMIT = 70000", "LIMIT = 70000\nWELLS = []").replace(
        "    if stack",
        "    WELLS.append(1)\n    if len(WELLS) > 8:\n        raise ValueError('ninth plane')\n    if stack",
    )
    (at / "pipeline.py").write_text(text)
    assert main(["run", "pipeline.py", plate, "-o", "out"]) == 3
    shown = said(capsys)
    assert "1 of 3 wells failed:" in shown
    assert "ninth plane" in shown
    assert "Traceback" not in shown
    assert main(["status", "out", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sorted(told["wells"].values()) == ["done", "done", "failed"]
    assert "ninth plane" in next(iter(told["failures"].values()))["message"]


def test_a_run_that_stops_at_the_first_failure_ends_with_3(plate, at, capsys) -> None:
    (at / "pipeline.py").write_text(PIPELINE.replace("LIMIT = 70000", "LIMIT = -1"))
    assert main(["run", "pipeline.py", plate, "-o", "out", "--on-error", "stop"]) == 3
    shown = said(capsys)
    assert "too bright" in shown
    assert "1 of 3 wells failed" in shown
    assert "2 wells not tried" in shown


def test_missing_planes_end_with_4_and_the_flag_helps(holed, at, capsys) -> None:
    assert main(["scan", holed]) == 0
    assert "--missing fill" in said(capsys)
    assert main(["convert", holed, "p.zarr"]) == 4
    shown = said(capsys)
    assert "2 " in shown
    assert "--missing" in shown
    assert main(["convert", holed, "p.zarr", "--missing", "fill"]) == 0


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["scan", "empty"], 4, "empty"),
        (["scan", "one.tif"], 4, "folder"),
        (["scan", "nothing"], 4, "nothing"),
        (["convert", "empty", "p.zarr"], 4, "empty"),
        (["convert", "PLATE", "p.zarr", "--wells", "H12"], 2, "H12"),
        (["convert", "PLATE", "p.zarr", "--wells", "A01:"], 2, "is not a well"),
        (["scan", "PLATE", "--microscope", "imagexpres"], 2, "imagexpress"),
        (["convert", "PLATE", "PLATE/p.zarr"], 2, "p.zarr"),
        (["status", "empty"], 4, "empty"),
        (["run", "broken.py", "PLATE"], 4, "line 2"),
        (["run", "nosteps.py", "PLATE"], 2, "steps = ["),
        (["convert", "p.zarr/A/01/0", "q.zarr"], 4, "image"),
    ],
)
def test_wrong_things_are_told_apart(words, code: int, told: str, plate, at, capsys) -> None:
    (at / "empty").mkdir()
    tifffile.imwrite(at / "one.tif", np.zeros((4, 4), "uint16"))
    (at / "broken.py").write_text("import os\n1/0\n")
    (at / "nosteps.py").write_text("x = 1\n")
    if "p.zarr/A/01/0" in words:
        assert main(["convert", plate, "p.zarr", "--wells", "1", "--quiet"]) == 0
    assert main([word.replace("PLATE", plate) for word in words]) == code
    captured = capsys.readouterr()
    assert told in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_that_cannot_be_written_ends_with_4(plate, at, capsys) -> None:
    (at / "locked").mkdir(mode=0o500)
    assert main(["convert", plate, "locked/p.zarr"]) == 4
    assert "permissions" in said(capsys)


def test_the_demo_makes_a_plate_runs_and_says_what_to_type(at, capsys) -> None:
    assert main(["demo"]) == 0
    shown = said(capsys)
    assert "images.zarr" in shown
    assert "openhcs scan demo/plate" in shown
    assert zarr.open_group("demo/output/images.zarr", mode="r").attrs["ome"]["plate"]["wells"]
    assert main(["demo"]) == 0
    assert "nothing to do" in said(capsys)
    (at / "full").mkdir()
    (at / "full" / "x").write_text("x")
    assert main(["demo", "full"]) == 5
