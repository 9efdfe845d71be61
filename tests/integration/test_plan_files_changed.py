"""Saved plans where something is not as it was: input files, what the pipeline depends on, wells of other shards."""

from __future__ import annotations

import os
import signal
import time

import pytest

from openhcs.cli import main
from openhcs.run.status import status
from openhcs.testing.synthetic import make_plate
from shards import PIPELINE, STAGED, WELLS, digests, ended, saved, start


@pytest.fixture
def at(tmp_path, monkeypatch):
    """Work in a folder with a plate and pipeline files; return its path."""
    make_plate(tmp_path / "P1", wells=WELLS, sites=1, size=(48, 32))
    (tmp_path / "p.py").write_text(PIPELINE)
    (tmp_path / "staged.py").write_text(STAGED)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def file_of(folder, well):
    return min((folder / "P1").rglob(f"*{well}*_w1*"))


def rewrite(file) -> None:
    """Change the last byte of a file and leave its length."""
    text = file.read_bytes()
    file.write_bytes(text[:-1] + bytes([text[-1] ^ 1]))


def test_three_shards_at_once_of_a_plan_in_stages_one_of_them_killed_make_the_bytes_of_one_run(at):
    saved(at, pipeline="staged.py")
    sign = at / "sign"
    hung = start("plan.json", "--shard", "2/3", HANG=str(sign))
    others = [start("plan.json", "--shard", f"{number}/3") for number in (1, 3)]
    told = [shard.communicate(timeout=100)[1] for shard in others]
    assert [shard.returncode for shard in others] == [3, 3]
    assert all("other shards have" in text and "A02" in text for text in told), told
    until = time.monotonic() + 60
    while not sign.exists() and time.monotonic() < until:
        time.sleep(0.02)
    hung.send_signal(signal.SIGKILL)
    hung.communicate()
    for _ in range(3):
        shards = [start("plan.json", "--shard", f"{number}/3") for number in (1, 2, 3)]
        if {ended(shard) for shard in shards} == {0}:
            break
    assert set(status(at / "out").wells.values()) == {"done"}
    assert main(["run", "plan.json", "-o", "serial"]) == 0
    assert digests(at / "out") == digests(at / "serial")


def test_a_stage_does_not_begin_with_what_other_shards_made_of_files_that_changed_since(at, capsys):
    saved(at, pipeline="staged.py")
    assert main(["run", "plan.json", "--shard", "1/2"]) == 3
    assert main(["run", "plan.json", "--shard", "2/2"]) == 0
    rewrite(file_of(at, "A02"))
    saved(at, pipeline="staged.py")
    capsys.readouterr()
    assert main(["run", "plan.json", "--shard", "1/2", "--quiet"]) == 3
    assert "1 well to do first (A02)" in capsys.readouterr().err
    assert main(["run", "plan.json", "--shard", "2/2"]) == 0
    assert main(["run", "plan.json", "--shard", "1/2"]) == 0
    assert main(["run", "plan.json", "-o", "serial"]) == 0
    assert digests(at / "out") == digests(at / "serial")


def test_a_file_written_again_with_the_same_length_is_told(at, capsys):
    saved(at)
    rewrite(file_of(at, "B01"))
    assert main(["run", "plan.json"]) == 4
    told = capsys.readouterr().err
    assert "was written again" in told
    assert "--inputs size" in told
    assert not (at / "out").exists()
    assert main(["run", "plan.json", "--shard", "1/7"]) == 0


@pytest.mark.parametrize(("how", "code"), [("size", 0), ("deep", 4)])
def test_files_are_told_as_the_plan_says(at, how, code):
    saved(at, "plan.json", "--inputs", how)
    os.utime(file_of(at, "A01"))
    assert main(["run", "plan.json", "--shard", "1/7"]) == 0
    rewrite(file_of(at, "B01"))
    assert main(["run", "plan.json"]) == code


def test_a_plan_of_an_ome_zarr_plate_tells_a_changed_array(at, capsys):
    assert main(["run", "p.py", "P1", "-o", "first", "--wells", "A01,A02"]) == 0
    assert main(["plan", "p.py", "first/images.zarr", "-o", "second", "--save", "plan.json"]) == 0
    part = max((path for path in (at / "first/images.zarr/A/02").rglob("*") if path.is_file()), key=os.path.getsize)
    rewrite(part)
    capsys.readouterr()
    assert main(["run", "plan.json"]) == 4
    assert "A/02" in capsys.readouterr().err
    assert main(["run", "plan.json", "--shard", "1/2"]) == 0


def test_steps_that_depend_on_more_than_the_file_are_told(at, monkeypatch, capsys):
    (at / "p.py").write_text(PIPELINE + "if os.environ.get('TWICE'): steps = steps * 2\n")
    saved(at)
    monkeypatch.setenv("TWICE", "1")
    assert main(["run", "plan.json"]) == 2
    assert "now defines 2 steps in place of 1" in capsys.readouterr().err


def test_a_plan_file_knows_from_which_step_to_make_wells_again(at, capsys):
    saved(at)
    assert main(["run", "plan.json"]) == 0
    capsys.readouterr()
    assert main(["run", "plan.json", "--rerun-from", "count"]) == 0
    assert "7 wells" in capsys.readouterr().out
    assert main(["run", "plan.json", "--rerun-from", "cuont"]) == 2
    assert "did you mean 'count'" in capsys.readouterr().err
    assert main(["run", "plan.json", "--inputs", "size"]) == 2
    assert "settled by the plan" in capsys.readouterr().err


def test_wells_are_counted_as_wells_where_a_plan_has_stages(at, capsys):
    assert main(["run", "staged.py", "P1", "-o", "out"]) == 0
    capsys.readouterr()
    assert main(["validate", "out"]) == 0
    assert "7 committed wells" in capsys.readouterr().out
    assert main(["close", "out"]) == 0
    assert "7 committed wells" in capsys.readouterr().out
    assert main(["run", "p.py", "P1", "-o", "out"]) == 5
    assert "holds 7 finished wells of another plan" in capsys.readouterr().err


def test_other_wells_of_a_plan_in_stages_are_no_changed_files(at, capsys):
    saved(at, "one.json", pipeline="staged.py")
    saved(at, "other.json", "--exclude", "--wells", "A01", pipeline="staged.py")
    capsys.readouterr()
    assert main(["plan", "--diff", "one.json", "other.json"]) == 0
    assert capsys.readouterr().out == "wells without A01\n"
