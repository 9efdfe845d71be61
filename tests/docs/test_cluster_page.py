"""The page on clusters: its jobs and its Python run, its sums are right, its figures are those of the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from openhcs.plan.admit import PROCESS
from openhcs.run import on_dask
from openhcs.testing.synthetic import make_plate
from pages import markdown_blocks
from values import results

PAGE = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")
PIPELINE = """
from openhcs import FunctionStep

def brighter(stack):
    return stack * 2

steps = [FunctionStep(brighter)]
"""


@pytest.fixture
def folder(tmp_path):
    make_plate(tmp_path / "P1", wells=("A01", "A02", "A03", "B01", "B02"), sites=1, channels=("DAPI",), size=(64, 48))
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    return tmp_path


def done(scripts, folder, **more):
    """Run shell scripts at the same time and return how each ended."""
    environment = {**os.environ, **more}
    started = [subprocess.Popen(["bash", "-ec", script], cwd=folder, env=environment) for script in scripts]
    return [one.wait() for one in started]


def with_command(folder):
    """Return a PATH on which ``openhcs`` is the one under test."""
    command = folder / "bin" / "openhcs"
    command.parent.mkdir()
    command.write_text(f'#!/bin/bash\nexec "{sys.executable}" -m openhcs "$@"\n')
    command.chmod(0o755)
    return f"{command.parent}{os.pathsep}{os.environ['PATH']}"


def test_the_jobs_of_an_array_run_at_the_same_time_and_make_the_whole_plate(folder):
    path = with_command(folder)
    plan, job = markdown_blocks(PAGE, "bash")
    assert done([plan], folder, PATH=path) == [0]
    jobs = [f"export SLURM_ARRAY_TASK_ID={number}\n{job}" for number in (1, 2, 3)]
    assert done(jobs, folder, PATH=path) == [0, 0, 0]
    assert done(["openhcs run pipeline.py P1 -o ALONE --workers 1"], folder, PATH=path) == [0]
    assert results(folder / "OUT") == results(folder / "ALONE")


def test_the_python_of_dask_runs(folder, monkeypatch, capsys):
    distributed = pytest.importorskip("distributed")
    monkeypatch.chdir(folder)
    slurm, use = markdown_blocks(PAGE, "python")
    compile(slurm, "cluster.md", "exec")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1"
    ) as cluster:
        exec(compile(use, "cluster.md", "exec"), {"__name__": "pipeline", "cluster": cluster})
    assert capsys.readouterr().out == "5 wells done, 0 failed\n"


def test_the_sums_are_right():
    rows = re.findall(r"^\| [^|]+ \| [^|]+ \| ([\de.+*/ ]+) \| ([\d.]+) (million)?", PAGE, re.MULTILINE)
    assert len(rows) == 8
    for reckoned, told, millions in rows:
        value = eval(reckoned) / (1e6 if millions else 1)
        digits = len(told.partition(".")[2])
        assert round(value, digits) == float(told), reckoned


def test_the_figures_are_those_of_the_code():
    assert f"longer than the {on_dask.WAIT_S:.0f} s" in PAGE
    assert f"Without any worker for {on_dask.PATIENCE_S:.0f} s" in PAGE
    assert f"over {on_dask.SHARE * 100:.0f} %" in PAGE.replace("\n   ", " ")
    assert f"{PROCESS // 10**6} MB for each process" in PAGE


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)#:]+)\)", PAGE)
    assert [link for link in links if not (Path(__file__).parents[2] / "docs" / link).exists()] == []
