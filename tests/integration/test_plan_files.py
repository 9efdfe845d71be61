"""Plans saved as files: run elsewhere, in shards that are processes of their own, and refused when code changed."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr

from openhcs.cli import main
from openhcs.plan.model import Plan
from openhcs.run.status import status
from openhcs.testing.synthetic import make_plate
from shards import PIPELINE, STAGED, WELLS, digests, ended, saved, start

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def plates(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("plates")
    make_plate(folder / "P1", wells=WELLS, sites=2, size=(48, 32))
    return folder


@pytest.fixture
def at(tmp_path, plates, monkeypatch) -> Path:
    """Work in a folder with a plate and a pipeline file; return its path."""
    shutil.copytree(plates / "P1", tmp_path / "P1")
    (tmp_path / "p.py").write_text(PIPELINE)
    (tmp_path / "staged.py").write_text(STAGED)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_saved_plan_runs_and_gives_what_the_pipeline_gives(at, capsys):
    saved(at)
    assert main(["run", "plan.json"]) == 0
    assert main(["run", "p.py", "P1", "-o", "direct"]) == 0
    assert digests(at / "out") == digests(at / "direct")
    assert "nothing to do" in (main(["run", "plan.json"]), capsys.readouterr().out)[1].split("direct/images.zarr")[-1]


def test_three_shards_at_the_same_time_make_the_bytes_of_one_run(at):
    saved(at)
    shards = [start("plan.json", "--shard", f"{number}/3") for number in (1, 2, 3)]
    assert [ended(shard) for shard in shards] == [0, 0, 0]
    assert set(status(at / "out").wells.values()) == {"done"}
    assert main(["run", "plan.json", "-o", "serial"]) == 0
    assert digests(at / "out") == digests(at / "serial")
    assert main(["validate", "out"]) == 0


def test_a_killed_shard_is_run_again_and_the_output_is_as_if_it_had_not_been(at):
    saved(at)
    sign = at / "sign"
    hung = start("plan.json", "--shard", "2/3", HANG=str(sign))
    others = [start("plan.json", "--shard", f"{number}/3") for number in (1, 3)]
    assert [ended(shard) for shard in others] == [0, 0]
    until = time.monotonic() + 60
    while not sign.exists() and time.monotonic() < until:
        time.sleep(0.02)
    hung.send_signal(signal.SIGKILL)
    hung.communicate()
    assert status(at / "out").wells == {
        well: "waiting" if number % 3 == 1 else "done" for number, well in enumerate(WELLS)
    }
    assert main(["run", "plan.json", "--shard", "2/3"]) == 0
    assert main(["run", "plan.json", "-o", "serial"]) == 0
    assert digests(at / "out") == digests(at / "serial")


def test_one_shard_alone_leaves_a_valid_plate_and_status_tells_what_is_to_do(at, capsys):
    saved(at)
    assert main(["run", "plan.json", "--shard", "1/3"]) == 0
    assert main(["validate", "out"]) == 0
    assert sorted(zarr.open_group("out/images.zarr", mode="r").attrs["ome"]["plate"]["wells"][0]) != []
    assert len(zarr.open_group("out/images.zarr", mode="r").attrs["ome"]["plate"]["wells"]) == 3
    capsys.readouterr()
    assert main(["status", "out"]) == 0
    assert "3 done, 4 waiting of 7" in capsys.readouterr().out


def test_shards_of_a_pipeline_file_and_more_shards_than_wells(at):
    for number in range(1, 10):
        assert main(["run", "p.py", "P1", "-o", "out", "--shard", f"{number}/9"]) == 0
    assert set(status(at / "out").wells.values()) == {"done"}


def test_shards_of_a_plan_in_stages_wait_for_each_other_and_are_run_again(at, capsys):
    saved(at, pipeline="staged.py")
    assert main(["run", "plan.json", "--shard", "1/2"]) == 3
    told = capsys.readouterr().err
    assert "other shards have 3 wells to do first (A02, B01, B03)" in told
    assert "failed" not in told
    assert main(["run", "plan.json", "--shard", "2/2"]) == 0
    assert set(status(at / "out").wells.values()) == {"done", "waiting"}
    assert main(["run", "plan.json", "--shard", "1/2"]) == 0
    assert main(["run", "plan.json", "-o", "serial"]) == 0
    assert digests(at / "out") == digests(at / "serial")
    image = np.asarray(zarr.open_group("out/images.zarr", mode="r")["A/01/0/0"])
    assert image.shape[-2:] == (48, 32)


@pytest.mark.parametrize("word", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3", "1/3/5", ""])
def test_a_shard_that_cannot_be_is_a_usage_error(at, word, capsys):
    saved(at)
    assert main(["run", "plan.json", f"--shard={word}"]) == 2
    said = capsys.readouterr().err
    assert "--shard" in said
    assert "I/N with I from 1 to N, such as 2/5" in said


def test_a_pipeline_file_that_changed_is_not_run(at, capsys):
    saved(at)
    (at / "p.py").write_text("raise SystemExit('was run')\n")
    assert main(["run", "plan.json"]) == 2
    told = capsys.readouterr().err
    assert "changed since the plan was made" in told
    assert "Put the file back" in told
    assert "plan again" in told
    assert not (at / "out").exists()


def test_a_module_beside_the_pipeline_that_changed_is_noticed(at, capsys, monkeypatch):
    monkeypatch.syspath_prepend(at)
    (at / "beside_p.py").write_text("def add(stack):\n    return stack + 1\n")
    (at / "p.py").write_text(
        "from openhcs import FunctionStep\nimport beside_p\n"
        "steps = [FunctionStep(beside_p.add, variable_components=[], out='same', out_dtype='uint16')]\n"
    )
    saved(at)
    (at / "beside_p.py").write_text("def add(stack):\n    return stack + 2\n")
    monkeypatch.delitem(sys.modules, "beside_p")
    shutil.rmtree(at / "__pycache__", ignore_errors=True)
    assert main(["run", "plan.json"]) == 2
    assert "step 1 (add) uses code that changed" in capsys.readouterr().err


def test_a_folder_with_plan_pipeline_and_plate_can_be_moved(at, tmp_path_factory):
    saved(at)
    document = json.loads((at / "plan.json").read_text())
    assert document["pipeline"]["path"] == "p.py"
    assert (document["index"]["root"], document["output"]) == ("P1", "out")
    moved = tmp_path_factory.mktemp("elsewhere") / "all"
    at.rename(moved)
    at.mkdir()
    assert main(["run", str(moved / "plan.json")]) == 0
    assert set(status(moved / "out").wells.values()) == {"done"}


def test_paths_outside_the_plans_folder_are_absolute(at):
    (at / "plans").mkdir()
    saved(at, "plans/plan.json")
    document = json.loads((at / "plans/plan.json").read_text())
    assert document["pipeline"]["path"] == str(at / "p.py")
    assert document["index"]["root"] == str(at / "P1")
    assert main(["run", "plans/plan.json"]) == 0
    assert (at / "out/images.zarr").is_dir()


def test_a_plate_that_moved_is_told_and_found(at, capsys):
    saved(at)
    (at / "P1").rename(at / "P1_moved")
    assert main(["run", "plan.json"]) == 4
    assert "--plate PATH" in capsys.readouterr().err
    assert main(["run", "plan.json", "--plate", "P1_moved"]) == 0
    assert set(status(at / "out").wells.values()) == {"done"}


@pytest.mark.parametrize("damage", ["gone", "shorter"])
def test_a_plate_that_is_not_as_planned_is_not_run(at, damage, capsys):
    saved(at)
    file = min((at / "P1").rglob("*_w1*"))
    file.unlink() if damage == "gone" else file.write_bytes(file.read_bytes()[:-1])
    assert main(["run", "plan.json"]) == 4
    told = capsys.readouterr().err
    assert file.name in told
    assert "plan again" in told


@pytest.mark.parametrize("words", [("--wells", "A01"), ("--ngff", "0.4"), ("--missing", "fill"), ("--levels", "1")])
def test_what_the_plan_settles_cannot_be_given_to_run(at, words, capsys):
    saved(at)
    assert main(["run", "plan.json", *words]) == 2
    assert "settled by the plan" in capsys.readouterr().err


def test_workers_and_checks_may_be_given_and_keep_the_plan(at):
    plan = Plan.from_json(saved(at).read_text())
    assert main(["run", "plan.json", "--workers", "2", "--verify", "-o", "elsewhere"]) == 0
    assert status(at / "elsewhere").plan_id == plan.id


def test_damaged_plans_and_other_files_are_told_by_name(at, capsys):
    saved(at)
    (at / "other.json").write_text("{}")
    (at / "cut.json").write_text((at / "plan.json").read_text()[:-40])
    for name in ("other.json", "cut.json"):
        assert main(["run", name]) == 4
        assert name in capsys.readouterr().err
    assert main(["plan", "p.py", "P1", "--save", "other.json"]) == 5
    assert main(["run", "nothing.json"]) == 4


def test_a_plan_of_functions_without_a_file_cannot_be_saved(at):
    from openhcs import FunctionStep, PipelineOrchestrator
    from openhcs.errors import PlanError
    from openhcs.run.plan_file import save_plan

    plate = PipelineOrchestrator(at / "P1", output=at / "out")
    plate.initialize().compile_pipelines(
        [FunctionStep(np.negative, variable_components=[], out="same", out_dtype="uint16")]
    )
    with pytest.raises(PlanError, match="no pipeline file"):
        save_plan(plate.plan, at / "plan.json")
    assert not (at / "plan.json").exists()


def test_plans_are_shown_and_compared(at, capsys):
    saved(at)
    saved(at, "other.json", "--wells", "A01")
    capsys.readouterr()
    assert main(["plan", "plan.json"]) == 0
    assert capsys.readouterr().out.startswith("plan ")
    assert main(["plan", "--diff", "plan.json", "other.json"]) == 0
    assert capsys.readouterr().out == "wells without A02, A03, B01, B02, B03, C01\n"
    assert main(["run", "plan.json"]) == 0
    capsys.readouterr()
    assert main(["plan", "p.py", "P1", "-o", "out", "--diff"]) == 0
    assert capsys.readouterr().out == "same\n"
    (at / "p.py").write_text(PIPELINE.replace('{"n": 1}', '{"n": 2}'))
    assert main(["plan", "p.py", "P1", "-o", "out", "--diff"]) == 0
    assert capsys.readouterr().out == "step 1 (count): count n: 1 → 2\n"
    assert main(["run", "p.py", "P1", "-o", "out"]) == 5
    assert "count n: 1 → 2" in capsys.readouterr().err


def test_several_plates_are_told_line_by_line_and_a_bad_one_stops_nobody(at, capsys):
    shutil.copytree("P1", "P3")
    (at / "P2").mkdir()
    assert main(["run", "p.py", "P1", "P2", "P3", "gone", "-o", "all"]) == 4
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert [line.split()[0] for line in lines] == ["P1", "P2", "P3", "gone", "total"]
    assert "7 wells done" in lines[0]
    assert "not run" in lines[1]
    assert "2 of 4 plates done, 14 wells" in lines[-1]
    assert "no plate at gone" in captured.err
    for name in ("P1", "P3"):
        assert set(status(at / "all" / name).wells.values()) == {"done"}


def test_several_plates_stop_at_the_first_bad_one_where_told(at, capsys):
    assert main(["run", "p.py", "gone", "P1", "-o", "all", "--on-error", "stop", "--json"]) == 4
    (line,) = capsys.readouterr().out.splitlines()
    assert (json.loads(line)["plate"], json.loads(line)["ok"]) == ("gone", False)
    assert not (at / "all").exists()


def test_several_plans_run_in_one_command(at, capsys):
    shutil.copytree("P1", "P3")
    assert main(["plan", "p.py", "P3", "-o", "out3", "--save", "three.json"]) == 0
    saved(at, "one.json")
    assert main(["run", "one.json", "three.json", "-o", "all", "--json"]) == 0
    assert [json.loads(line)["ok"] for line in capsys.readouterr().out.splitlines()[-2:]] == [True, True]
    assert {path.name for path in (at / "all").iterdir()} == {"one", "three"}
