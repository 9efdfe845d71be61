"""Whatever a power cut leaves: committed wells are whole, the plate is valid, and going on completes it."""

from __future__ import annotations

import pytest

import carrycuts
import partcuts
import powercuts
import repaircuts

WORKS = powercuts.WORKS | partcuts.WORKS | carrycuts.WORKS | repaircuts.WORKS

QUICK = {
    "convert": 330,
    "convert to 0.4": 200,
    "convert, synced whole": 150,
    "carry": 150,
    "pack": 100,
    "repair": 40,
    "new plate": 330,
    "values": 150,
    "replace a well": 300,
    "append a site": 300,
    "start anew": 300,
    "recover": 150,
    "merge tables": 300,
    "save": 120,
}
"""States that are looked at each time."""
FULL = {
    "convert": 3800,
    "convert to 0.4": 3600,
    "convert, synced whole": 1500,
    "carry": 3000,
    "pack": 1000,
    "repair": 200,
    "new plate": 6000,
    "values": 2000,
    "replace a well": 1200,
    "append a site": 2400,
    "start anew": 3400,
    "recover": 300,
    "merge tables": 500,
    "save": 120,
}


def look(name, least, *, limit=None):
    """Look at the states of a work, those in all of its parts together at least so many."""
    looked = 0
    for work in WORKS[name]():
        outcome = powercuts.explore(work, limit or least)
        work.close()
        looked += outcome.states
        print(f"{work.name}: {outcome.states} states of {outcome.operations} operations, {len(outcome.bad)} bad")
        assert outcome.bad == []
    assert looked >= least


def test_at_least_so_many_states_are_looked_at():
    assert QUICK.keys() == FULL.keys() == WORKS.keys()
    assert sum(QUICK.values()) >= 2000
    assert sum(FULL.values()) >= 20_000


@pytest.mark.parametrize("name", QUICK)
def test_a_power_cut_loses_nothing(name):
    look(name, QUICK[name])


@pytest.mark.crash
@pytest.mark.parametrize("name", FULL)
def test_no_power_cut_of_many_loses_anything(name):
    look(name, FULL[name], limit=FULL[name] + 600)


class Careless(powercuts.Convert):
    """As a conversion, but one sync is forgotten."""

    def __init__(self, sync):
        super().__init__()
        self._sync = sync

    def act(self, top, ops):
        setattr(ops, self._sync, lambda path: None)
        super().act(top, ops)


@pytest.mark.parametrize(
    ("sync", "loss"),
    [("sync_tree", "has pixels that nobody wrote"), ("sync_file", "is damaged"), ("sync_dir", "B02 is committed, but")],
)
def test_any_sync_that_is_forgotten_is_seen_to_lose_something(sync, loss):
    work = Careless(sync)
    outcome = powercuts.explore(work, 2000)
    work.close()
    assert any(loss in one for one in outcome.bad), outcome.bad
