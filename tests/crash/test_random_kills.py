"""kill -9 at random moments of real runs: nothing committed is lost or torn, and the same command finishes."""

from __future__ import annotations

import sys

import pytest

import kills

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds worker processes in /proc")
POINTS = 46
QUICK = {"run-2": 3, "convert-3-shards": 3, "replace": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("kills")
    kills.prepare(made)
    return made


def killed(folder, name: str, points: int, seed: int) -> kills.Tally:
    run = kills.Kills(folder, kills.CASES[name], seed)
    tally = run.until(points)
    print(f"{name}: {tally}")
    return tally


@pytest.mark.parametrize("name", QUICK)
def test_runs_killed_a_few_times_lose_nothing_and_finish(folder, name):
    tally = killed(folder, name, QUICK[name], seed=4)
    assert tally.complaints == []
    assert tally.points >= QUICK[name]


@pytest.mark.crash
@pytest.mark.parametrize("name", kills.CASES)
def test_runs_killed_at_random_moments_lose_nothing_and_finish(folder, name):
    tally = killed(folder, name, POINTS, seed=2)
    assert tally.complaints == []
    assert tally.points >= POINTS
    assert tally.points * len(kills.CASES) >= 500
