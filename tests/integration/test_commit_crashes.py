"""A process killed anywhere in a commit leaves the old well or the new one, whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).parents[1] / "crashes.py"


def explore(folder: Path, mode: str) -> list[str]:
    ended = subprocess.run(
        [sys.executable, str(DRIVER), str(folder), mode], capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stderr
    *complaints, states = ended.stdout.splitlines()
    assert int(states.split()[1]) > 40
    return complaints


@pytest.mark.parametrize("mode", ["new+durable", "old+durable", "old+nested", "old+noswap"])
def test_a_kill_at_any_operation_leaves_the_old_or_the_new_well_whole(tmp_path, mode):
    assert explore(tmp_path, mode) == []
