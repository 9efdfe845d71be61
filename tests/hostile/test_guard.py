"""The guard itself: it notices hangs, crashes, memory, foreign errors, escapes and code that runs."""

from __future__ import annotations

import pytest

import hostile_faults


@pytest.mark.parametrize("name", hostile_faults.FAULTS)
def test_the_guard_notices(watched, tmp_path, name):
    told = watched.ask("fault", name, tmp_path / "case")
    assert len(told["failures"]) >= 1
    assert hostile_faults.FAULTS[name][1] in told["failures"][0]
