"""What the calls of one well give one another beside images, and what of it is stored."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.core.special import LABELS, OWN, TABLE
from openhcs.errors import StepError
from openhcs.plan.layers import PLACE, label_keys
from openhcs.plan.units import value_unit
from openhcs.plan.values import Links, place_of, takes_by
from openhcs.run.calls import read_only
from openhcs.run.tables import Part
from openhcs.run.values import NoSuchValueError, files_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from openhcs.core.plate import Key
    from openhcs.core.special import Materialiser
    from openhcs.core.steps import Chain
    from openhcs.ledger.ledger import Staging
    from openhcs.plan.layers import Group
    from openhcs.plan.model import Given, Stage
    from openhcs.plan.parts import Take, Value
    from openhcs.plan.schedule import Scheduled
    from openhcs.run.calls import Made
    from openhcs.run.calls import Place as CallPlace

    Array = np.ndarray[Any, np.dtype[Any]]
    Earlier = Callable[[Given, Take, Key], Any]

LETTERS = {"site": "s", "channel": "c", "z_index": "z", "timepoint": "t"}
"""How components are told in the names of files, in their order."""


def stem_of(value: Value, well: str, key: Key) -> str:
    """Return the beginning of the names of a value's files, such as ``A01_s1_c2``."""
    acquisition = f"_a{key[0]}" if key[0] else ""
    named = (f"_{letter}{key[PLACE[name]]}" for name, letter in LETTERS.items() if name in value.place)
    return well + acquisition + "".join(named)


def materialisers_of(chains: Sequence[Mapping[str | None, Chain]]) -> dict[str, Materialiser]:
    """Return what writes each special output that has a function of its own for that."""
    return {
        output.name: output.materialiser
        for step in chains
        for chain in step.values()
        for call in chain
        for output in call.outputs
        if output.materialiser is not None
    }


class Keeper:
    """Stores the values of one task: tables as one part each, all else a file or more for each call.

    Parameters
    ----------
    values
        those that the task makes.
    channels
        names of channels by number, for tables.
    """

    def __init__(
        self,
        values: Sequence[Value],
        *,
        well: str,
        staging: Staging,
        channels: Mapping[int, str],
        materialisers: Mapping[str, Materialiser],
    ) -> None:
        self._values = {value.name: value for value in values}
        self._well = well
        self._staging = staging
        self._channels = channels
        self._materialisers = materialisers
        self._parts: dict[str, Part] = {}
        self._calls: dict[str, list[tuple[int, list[int | None]]]] = {}

    def keep(self, name: str, made: Any, key: Key, number: int, place: CallPlace) -> None:
        """Store a value made by the call whose first plane is ``key``, the ``number``-th of its step.

        Raises
        ------
        StepError
            a table with a column that is added to every table, cells that are no column, or a materialiser's
            fault; ``place`` is told.
        """
        value = self._values[name]
        rows = 0
        try:
            if value.kind == TABLE:
                rows = self._part(value).add(made, key, number)
            else:
                stem = stem_of(value, self._well, key)
                for file, data in files_of(value.kind, made, stem, self._materialisers.get(name)).items():
                    self._write(f"{value_unit(value, self._well)}/{file}", data)
        except NoSuchValueError as error:
            raise self._wrong(place, f"the {value.kind} {name!r} on {place.where}: {error}") from None
        except Exception as error:  # a materialiser is the user's
            if value.kind != OWN:
                raise
            told = f"the materialiser of {name!r} raised on {place.where}: {type(error).__name__}: {error}"
            raise self._wrong(place, told) from error
        self._calls.setdefault(name, []).append((number, [*place_of(key, value.place), rows]))

    def _wrong(self, place: CallPlace, what: str) -> StepError:
        return StepError(f"step {place.step}: {what}", well=self._well, step=place.step)

    def close(self) -> list[dict[str, Any]]:
        """Write the tables and return what the commit record tells of all values.

        ``calls`` are the places of the calls, each with the rows it made of a table.
        """
        told = []
        for name, calls in self._calls.items():
            value = self._values[name]
            unit = value_unit(value, self._well)
            if value.kind == TABLE:
                self._write(unit, self._part(value).encode())
            if os.path.lexists(self._staging.root / unit):
                self._staging.published.append(unit)
            told.append({"name": name, "path": unit, "calls": [call for _, call in sorted(calls)]})
        return told

    def _part(self, value: Value) -> Part:
        if value.name not in self._parts:
            self._parts[value.name] = Part(value, self._well, self._channels)
        return self._parts[value.name]

    def _write(self, path: str, data: bytes) -> None:
        target: Path = self._staging.root / path
        self._staging.ops.make_dirs(target.parent)
        self._staging.ops.write_new(target, data)


class Exchange:
    """The special outputs of one well's calls on their way to later calls.

    A value is dropped when its last reader has taken it.

    Parameters
    ----------
    stage, groups
        the steps, and the calls of each on this well.
    earlier
        reads what an earlier stage made: (what, how it is taken, first plane of the taker) → value.
    """

    def __init__(self, stage: Stage, groups: Sequence[list[Group]], earlier: Earlier) -> None:
        self._steps = stage.recipe.steps
        self._given = {given.value.name: given for given in stage.given}
        self._earlier = earlier
        self._links = Links(self._steps, groups)
        self._values: dict[tuple[str, Key], Any] = {}
        self._readers: dict[tuple[str, Key], int] = {}
        for step, calls in enumerate(groups):
            for group in calls:
                for take, makers in self._links.makers(step, group):
                    for maker in makers:
                        at = (take.name, maker.first)
                        self._readers[at] = self._readers.get(at, 0) + 1

    def put(self, call: Scheduled, made: Made) -> None:
        """Take what a call made, as far as another one reads it."""
        for name in (*made.values, *made.labels):
            at = (name, call.group.first)
            if self._readers.get(at):
                self._values[at] = given_on(made, name, call.group)

    def take(self, call: Scheduled) -> dict[str, Any]:
        """Return the special inputs of a call by name."""
        first = call.group.first
        return {
            take.name: self._made(take, call) if take.step > 0 else self._earlier(self._given[take.name], take, first)
            for take in takes_by(self._steps[call.step], call.group)
        }

    def _made(self, take: Take, call: Scheduled) -> Any:
        makers = self._links.of(take, call.step, call.group)
        values = [self._values[take.name, maker.first] for maker in makers]
        for maker in makers:
            at = (take.name, maker.first)
            self._readers[at] -= 1
            if not self._readers[at]:
                del self._values[at]
        return handed(take, call.group, makers, values)


def handed(take: Take, group: Group, makers: Sequence[Group], values: Sequence[Any]) -> Any:
    """Return what a call is handed of what its makers made.

    Labels come by their planes and are put together (k, y, x) as the taker stacks them; where channels have
    labels of their own, a list of these.
    """
    if take.kind != LABELS:
        return list(values) if take.several else values[0]
    by_channel: dict[int, dict[Key, Array]] = {}
    for maker, planes in zip(makers, values, strict=True):
        by_channel.setdefault(maker.inputs[0][3] if take.several else 0, {}).update(planes)
    # A channel that lacks a plane has no objects there.
    none = np.zeros_like(next(plane for planes in by_channel.values() for plane in planes.values()))
    stacks = [
        read_only(np.stack([planes.get(key, none) for key in label_keys(group.inputs)]))
        for _, planes in sorted(by_channel.items())
    ]
    return stacks if take.several else stacks[0]


def given_on(made: Made, name: str, group: Group) -> Any:
    """Return a special output of a call as `handed` takes it: labels by their planes, arrays read-only."""
    if name in made.labels:
        return dict(zip(label_keys(group.inputs), made.labels[name].copy(), strict=True))
    value = made.values[name]
    return read_only(value) if isinstance(value, np.ndarray) else value
