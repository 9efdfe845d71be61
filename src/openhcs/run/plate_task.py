"""Do a step over wells: gather what every well gave, call the functions once for each place, keep what they give."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from openhcs.plan.layers import PLACE
from openhcs.plan.model import PLATE
from openhcs.plan.values import agree
from openhcs.run.calls import Place, call_over_wells
from openhcs.run.earlier import found_of
from openhcs.run.exchange import LETTERS

if TYPE_CHECKING:
    from openhcs.ledger.ledger import Ledger, Staging
    from openhcs.plan.model import Given, PlateTask
    from openhcs.plan.parts import PlanStep
    from openhcs.plan.values import Place as At
    from openhcs.run.earlier import Found
    from openhcs.run.task import Job


class PlateTaskRun:
    """One run of one step over wells."""

    def __init__(self, job: Job, task: PlateTask, staging: Staging, ledger: Ledger) -> None:
        self._job = job
        self._task = task
        self._ledger = ledger
        (self._step,) = job.stage.recipe.steps
        self.timings: dict[str, float] = {}
        self._keeper = job.keeper(PLATE, staging)

    def run(self) -> dict[str, Any]:
        """Call the functions and return the commit record."""
        start = time.perf_counter()
        given = {one.value.name: self._gathered(one) for one in self._job.stage.given}
        # What an earlier step over wells made is one for the plate, all else a list over the wells.
        alone = {one.value.name for one in self._job.stage.given if one.value.over_wells}
        alone -= {take.name for take in self._step.takes if take.several}
        for number, at in enumerate(places_of(self._step, [one for found in given.values() for one in found])):
            taken = {}
            for name, found in given.items():
                values = [one.value for one in found if agree(one.place, at)]
                taken[name] = values[0] if name in alone else values
            named = ((name, at[PLACE[name]]) for name in LETTERS)
            where = " ".join(f"{name} {label}" for name, label in named if label is not None)
            place = Place(self._step.name, PLATE, f"all wells {where}".rstrip())
            made = call_over_wells(self._job.chains[0][None], place, taken)
            key = tuple(0 if label is None else label for label in at)
            for name, value in made.items():
                self._keeper.keep(name, value, key, number, place)  # type: ignore[arg-type]
        self.timings[f"{self._step.number} {self._step.name}"] = time.perf_counter() - start
        return {
            "well": PLATE,
            "plan": self._job.recipe.plan_id,
            "inputs": self._task.inputs,
            "images": [],
            "histograms": [{} for _ in self._job.recipe.targets],
            "values": self._keeper.close(),
            "bytes_in": 0,
        }

    def _gathered(self, given: Given) -> list[Found]:
        """Return a value of every well, in the order of the plate."""
        wells = (PLATE,) if given.value.over_wells else self._task.wells
        return [one for well in wells for one in found_of(self._ledger, given, well)]


def places_of(step: PlanStep, found: list[Found]) -> list[At]:
    """Return the places at which a step over wells is called: those of its inputs, without what it stacks."""
    stacked = {PLACE[name] for name in step.stacks if name in PLACE}
    seen = {tuple(None if place in stacked else label for place, label in enumerate(one.place)): None for one in found}
    most = max(sum(label is not None for label in at) for at in seen)
    full = [at for at in seen if sum(label is not None for label in at) == most]
    return sorted(full, key=lambda at: tuple(-1 if label is None else label for label in at))
