"""The locked versions cover every dependency that is declared."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
FACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKED = dict(
    re.findall(
        r"^([\w.-]+)==([^\s;]+)(?: ; .+)?$", (ROOT / "requirements" / "test.txt").read_text("utf-8"), re.MULTILINE
    )
)
EXTRAS = FACTS["project"]["optional-dependencies"]
DECLARED = [
    *FACTS["project"]["dependencies"],
    *(one for name in ("tables", "steps") for one in EXTRAS[name]),
    *(one for group in FACTS["dependency-groups"].values() for one in group),
]


@pytest.mark.parametrize("declared", DECLARED)
def test_a_declared_dependency_is_locked_at_a_version_it_allows(declared: str) -> None:
    wanted = Requirement(declared)
    pins = {name.lower().replace("_", "-"): version for name, version in LOCKED.items()}
    assert wanted.specifier.contains(pins[wanted.name.lower()])


def test_every_line_of_the_lock_is_one_exact_version() -> None:
    text = (ROOT / "requirements" / "test.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(LOCKED)
