"""Valid inputs damaged by chance: whatever reads them ends in time, in little memory, inside, in our own errors."""

from __future__ import annotations

import pytest

from hostile_targets import TARGETS

HEAVY = 40
"""How many times more cases the heavy variant has, all of them others."""
QUICK_CASES = 5_000
HEAVY_CASES = 200_000


def test_enough_cases_are_tried():
    total = sum(target.cases for target in TARGETS.values())
    assert total >= QUICK_CASES
    assert total * HEAVY >= HEAVY_CASES


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_is_refused_or_read_without_harm(watched, tmp_path, record_property, name):
    run(watched, tmp_path, record_property, name, 0, TARGETS[name].cases)


@pytest.mark.crash
@pytest.mark.parametrize("name", TARGETS)
def test_much_damaged_input_is_refused_or_read_without_harm(watched, tmp_path, record_property, name):
    run(watched, tmp_path, record_property, name, 10**6, HEAVY * TARGETS[name].cases)


def run(watched, folder, record_property, name, first, count) -> None:
    told = watched.ask("fuzz", name, folder / "case", first=first, count=count)
    record_property("cases", told["cases"])
    record_property("refused", told["refused"])
    print(f"{name}: {told['cases']} cases from seed {first}, {told['refused']} refused")
    assert not told["failures"], "\n".join(told["failures"])
