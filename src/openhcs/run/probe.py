"""Find out what comes out of a step by calling its functions once, on the smallest stack.

Only steps that do not declare it, or make labels, are probed. Where a function raises or a file is damaged, two more
wells are tried before the plate is given up: one bad well must not stop the others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from openhcs.constants.constants import GroupBy
from openhcs.core.plate import PlaneState
from openhcs.core.special import OBJECT
from openhcs.errors import InputError, NotFound, OpenHCSError, PlanError, StepError, StorageError
from openhcs.ledger.ledger import Ledger
from openhcs.plan.array_types import numpy_alone
from openhcs.plan.bind import pipeline_planes, readable, source_layer
from openhcs.plan.facts import Probed
from openhcs.plan.layers import PASS, PLACE, Group, groups_of, label_keys, stack_keys
from openhcs.plan.model import Plan
from openhcs.plan.partition import first_step, next_keys, settled
from openhcs.plan.values import Exchange, Links, agree, place_of, takes_by
from openhcs.run.calls import Made, Place, call_chain, call_over_wells
from openhcs.run.exchange import given_on, handed
from openhcs.run.memory import TracedPeak
from openhcs.run.values import plain_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from openhcs.core.plate import Key, Plane, PlateIndex
    from openhcs.core.steps import FunctionStep
    from openhcs.plan.parts import PlanStep
    from openhcs.plan.values import Place as At

    Array = np.ndarray[Any, np.dtype[Any]]
    Read = Callable[[Plane, Array], None]

TRIES = 3
FAILURES = (StepError, InputError, StorageError, NotFound)
"""What one well may be to blame for."""


def probe(index: PlateIndex, steps: Sequence[FunctionStep], wells: Sequence[str], read: Read) -> dict[int, Probed]:
    """Return, by step number, what each step that must be probed makes.

    ``read(plane, out)`` fills ``out`` (y, x) with a plane's pixels. Probed are some of ``wells``.

    Raises
    ------
    StepError, InputError, NotFound, StorageError
        a function raised, or a plane could not be read, on every well tried.
    PlanError
        functions of one step make different kinds of images.
    """
    if not any(map(unknown, steps)):
        return {}
    plate = readable(pipeline_planes(index)[0])
    found = _first(plate, steps, wells, read)
    for well in _with_more(plate, steps, found):
        try:
            more = _Probe(plate, steps, well, read).run()
        except (_NothingToDoError, *FAILURES):
            continue
        found = {
            number: replace(
                one,
                labels={**more[number].labels, **one.labels},
                values={**more[number].values, **one.values},
                same=one.same and more[number].same,
            )
            for number, one in found.items()
        }
    return found


def known_from(output: str, index: PlateIndex, prints: Mapping[int, str]) -> Mapping[int, Probed] | None:
    """Return what the probe of an output's plan found, if its steps and its plate are these; else None.

    So going on with an output reads no pixel before its first task.
    """
    try:
        plan = Plan.from_json(Ledger(output).plan_json())
    except OpenHCSError:
        return None
    origin = plan.origin
    if origin is None or dict(origin.facts.fingerprints) != dict(prints) or plan.index.name != index.name:
        return None
    try:
        same = plan.recipe.source == source_layer(readable(pipeline_planes(index)[0]))
    except OpenHCSError:
        return None
    return origin.facts.probed if same else None


def _first(plate: PlateIndex, steps: Sequence[FunctionStep], wells: Sequence[str], read: Read) -> dict[int, Probed]:
    """Return what the first well tells in which all steps have work."""
    failed: list[OpenHCSError] = []
    empty: PlanError | None = None
    for well in _fullest_first(plate, wells):
        try:
            return _Probe(plate, steps, well, read).run()
        except _NothingToDoError as error:
            empty = error
        except FAILURES as error:
            failed.append(error)
            if len(failed) == TRIES:
                break
    if failed:
        raise failed[0]
    raise empty or PlanError(f"plate {plate.name} has no plane to call the functions on")


def _with_more(plate: PlateIndex, steps: Sequence[FunctionStep], found: Mapping[int, Probed]) -> list[str]:
    """Return wells that have functions of their own whose labels were not seen yet."""
    chosen: list[str] = []
    for number, step in enumerate(steps, start=1):
        if number not in found or step.group_by is not GroupBy.WELL:
            continue
        for name in sorted(step.outputs - found[number].labels.keys() - found[number].values.keys()):
            makers = (well for well, chain in step.chains.items() if any(name in call.output_names for call in chain))
            chosen += [well for well in makers if well is not None and well in plate.by_well][:1]
    return list(dict.fromkeys(chosen))


def unknown(step: FunctionStep) -> bool:
    """Return whether a step must be called once to know what it makes."""
    if step.over_wells:
        return False
    return step.out is None or step.out_dtype is None or bool(step.outputs)


class _NothingToDoError(PlanError):
    """No function of a step applies to this well; another one may have work for it."""


def _fullest_first(plate: PlateIndex, wells: Sequence[str]) -> list[str]:
    """Return the wells with pixels, those with most planes first: a sparse one says least about a stack."""
    chosen = [well for well in wells if well in plate.by_well] or list(plate.wells)
    present = {well: sum(one.state is PlaneState.PRESENT for one in plate.by_well[well]) for well in chosen}
    return sorted((well for well in chosen if present[well]), key=lambda well: -present[well])


class _Probe:
    """One well's planes, made as they are asked for and dropped as they are taken: each has one reader."""

    def __init__(self, plate: PlateIndex, steps: Sequence[FunctionStep], well: str, read: Read) -> None:
        self.plate = plate
        self.steps = steps
        self.well = well
        self.read = read
        self.source = source_layer(plate)
        self.planes = {plane.key: plane for plane in plate.by_well[well]}
        self.planned: list[PlanStep] = []
        self.exchange = Exchange()
        self.inputs = frozenset[str]().union(*(step.inputs for step in steps))
        self.groups: list[list[Group]] = []
        self.calls: dict[tuple[int, tuple[Key, ...]], Made] = {}
        self.made: list[dict[Key, Array]] = [{}]
        self.keys: Mapping[str, tuple[Key, ...]] = {
            name: tuple(plane.key for plane in planes) for name, planes in plate.by_well.items()
        }

    def run(self) -> dict[int, Probed]:
        found: dict[int, Probed] = {}
        for number, step in enumerate(self.steps, start=1):
            before = self.planned[-1].layer if self.planned else self.source
            planned = self.exchange.bound(step, first_step(self.plate, step, number, before))
            if unknown(step):
                found[number] = self._call_once(step, planned)
            planned = settled(step, planned, self.keys, found.get(number))
            self.exchange.made(step, planned, found.get(number))
            over = planned.over_wells
            self.groups.append([] if over else groups_of(self.keys[self.well], planned, before.axes, self.well))
            self.keys = next_keys(self.keys, planned, before)
            self.planned.append(planned)
            self.made.append(self.made[-1] if over else {})
        return found

    def _call_once(self, step: FunctionStep, planned: PlanStep) -> Probed:
        results: dict[str | None, Probed] = {}
        stacks = stack_keys(self.keys[self.well], planned.stacks)
        for keys in sorted(stacks, key=lambda keys: (len(keys) < 2, self._gaps(keys), len(keys))):
            chain = self._chain_key(planned, keys)
            if chain == PASS or chain in results:
                continue
            stack = self._stack(len(self.planned), keys)
            before, count = _digest(stack), len(stack)
            steps, group = [*self.planned, planned], Group(keys, keys, chain)
            given = self._given(steps, group)
            with TracedPeak() as taken:
                made = self._call(step, group, stack, given)
            out = made.planes
            arrays = {name: value.nbytes for name, value in made.values.items() if isinstance(value, np.ndarray)}
            size = out.nbytes + sum(array.nbytes for array in made.labels.values()) + sum(arrays.values())
            results[chain] = Probed(
                planes_in=count,
                planes_out=len(out),
                dtype=out.dtype.name,
                plane_shape=(out.shape[1], out.shape[2]),
                labels={name: array.dtype.name for name, array in made.labels.items()},
                scratch=round((taken.bytes - size) / stack.nbytes, 2) if numpy_alone(step.chains[chain]) else None,
                values=_kinds(step, made),
                arrays=arrays,
                same=made.same and _digest(out) == before,
            )
            self.calls[len(self.planned), keys] = made
        return _agreed(step, planned, results)

    def _call(self, step: FunctionStep, group: Group, stack: Array, given: Mapping[str, Any]) -> Made:
        return call_chain(
            step.chains[group.chain],
            stack,
            Place(step.name, self.well, _where(self.well, group.inputs)),
            given=given,
            label_planes=len(label_keys(group.inputs)),
        )

    def _given(self, planned: Sequence[PlanStep], group: Group) -> dict[str, Any]:
        """Return the special inputs of a call of the last of these steps."""
        takes = takes_by(planned[-1], group)
        links = Links(planned, [*self.groups, []]) if takes else None
        given = {}
        for take in takes:
            if self.planned[take.step - 1].over_wells:
                values = [self._over_wells(take.step - 1, place_of(group.inputs[0], take.match))[take.name]]
                given[take.name] = values if take.several else values[0]
            elif links is not None:
                makers = links.of(take, len(planned) - 1, group)
                values = [given_on(self._made_by(take.step - 1, maker), take.name, maker) for maker in makers]
                given[take.name] = handed(take, group, makers, values)
        return given

    def _over_wells(self, number: int, at: At) -> dict[str, Any]:
        """Return what a step over wells makes of this well alone."""
        step, planned = self.steps[number], self.planned[number]
        given: dict[str, Any] = {}
        for take in planned.takes:
            if self.planned[take.step - 1].over_wells:
                given[take.name] = self._over_wells(take.step - 1, at)[take.name]
                continue
            makers = [one for one in self.groups[take.step - 1] if one.chain in take.made_by]
            named = [name for name in PLACE if name not in self.planned[take.step - 1].stacks]
            found = [one for one in makers if agree(place_of(one.inputs[0], named), at)]
            given[take.name] = [given_on(self._made_by(take.step - 1, one), take.name, one) for one in found]
        return call_over_wells(step.chains[None], Place(step.name, self.well, f"{self.well} alone"), given)

    def _made_by(self, number: int, group: Group) -> Made:
        """Return what a call of an earlier step makes, called once."""
        at = (number, group.inputs)
        if at not in self.calls:
            stack = self._stack(number, group.inputs)
            given = self._given(self.planned[: number + 1], group)
            self.calls[at] = self._call(self.steps[number], group, stack, given)
        return self.calls[at]

    def _taken(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return those special outputs that a step takes."""
        return {name: value for name, value in values.items() if name in self.inputs}

    def _gaps(self, keys: tuple[Key, ...]) -> int:
        known = (self.planes.get(key) for key in keys)
        return sum(plane is not None and plane.state is not PlaneState.PRESENT for plane in known)

    def _chain_key(self, planned: PlanStep, keys: tuple[Key, ...]) -> str | None:
        if planned.group_by is None:
            return None
        layer = planned.layer
        group = groups_of(keys, planned, layer.axes, self.well)
        return group[0].chain if group else PASS

    def _stack(self, layer: int, keys: tuple[Key, ...]) -> Array:
        first = self._plane(layer, keys[0])
        stack = np.empty((len(keys), *first.shape), first.dtype)
        for key, room in zip(keys, stack, strict=True):
            room[...] = self._plane(layer, key)
            del self.made[layer][key]
        return stack

    def _plane(self, layer: int, key: Key) -> Array:
        if key not in self.made[layer]:
            if layer == 0:
                self.made[0][key] = self._read(self.planes[key])
            else:
                self._make(layer, key)
        return self.made[layer][key]

    def _read(self, plane: Plane) -> Array:
        out = np.zeros(self.source.plane_shape, self.source.dtype)
        if plane.state is PlaneState.PRESENT:
            self.read(plane, out)
        return out

    def _make(self, layer: int, key: Key) -> None:
        if self.planned[layer - 1].over_wells:
            self.made[layer][key] = self._plane(layer - 1, key)
            return
        group = next(group for group in self.groups[layer - 1] if key in group.outputs)
        passed = group.chain == PASS
        planes = self._stack(layer - 1, group.inputs) if passed else self._planes_by(layer - 1, group)
        self.made[layer].update(zip(group.outputs, planes, strict=True))

    def _planes_by(self, number: int, group: Group) -> Array:
        """Return the planes that a call of an earlier step makes; what it made beside them is kept."""
        made = self._made_by(number, group)
        self.calls[number, group.inputs] = Made(_NONE, self._taken(made.labels), self._taken(made.values))
        if made.planes is not _NONE:
            return made.planes
        del self.calls[number, group.inputs]
        return self._planes_by(number, group)


_NONE = np.empty(0)
"""Stands for planes that have been taken."""


def _digest(planes: Array) -> str:
    return xxhash.xxh3_128(np.ascontiguousarray(planes).view(np.uint8).data).hexdigest()


def _kinds(step: FunctionStep, made: Made) -> dict[str, str]:
    """Return the kinds of special outputs: as declared, else what they plainly are."""
    said = {one.name: one.kind for chain in step.chains.values() for call in chain for one in call.outputs}
    return {name: said.get(name) or plain_kind(value) or OBJECT for name, value in made.values.items()}


def _where(well: str, keys: tuple[Key, ...]) -> str:
    _, site, t, channel, z = keys[0]
    return f"{well} site {site} channel {channel} z {z} t {t}" + (f" (stack of {len(keys)})" if len(keys) > 1 else "")


def _agreed(step: FunctionStep, planned: PlanStep, results: dict[str | None, Probed]) -> Probed:
    kinds = {(one.dtype, one.plane_shape) for one in results.values()}
    # One plane that becomes one says neither that labels stay nor that they collapse.
    ratios = {one.planes_out == one.planes_in for one in results.values() if (one.planes_in, one.planes_out) != (1, 1)}
    if len(kinds) > 1 or len(ratios) > 1:
        told = ", ".join(
            f"{key}: {one.planes_in} → {one.planes_out} planes {one.dtype} {one.plane_shape}"
            for key, one in results.items()
        )
        raise PlanError(
            f"step {planned.number} ({step.name}) makes different kinds of images ({told}); one step makes one dtype "
            "and one size. Convert in the functions.",
            step=step.name,
        )
    labels = {name: dtype for one in results.values() for name, dtype in one.labels.items()}
    values = {name: kind for one in results.values() for name, kind in one.values.items()}
    arrays = {name: size for one in results.values() for name, size in one.arrays.items()}
    same = all(one.same for one in results.values())
    for key, one in results.items():
        if unlike := [name for name, dtype in one.labels.items() if dtype != labels[name]]:
            raise PlanError(
                f"step {planned.number} ({step.name}) makes labels {unlike[0]!r} of {labels[unlike[0]]}, and of "
                f"{one.labels[unlike[0]]} for {key}; one name has one dtype. Convert in the functions.",
                step=step.name,
            )
    if not results:
        raise _NothingToDoError(f"step {planned.number} ({step.name}) has nothing to work on.", step=step.name)
    known = [one.scratch for one in results.values()]
    scratch = None if None in known else max(one for one in known if one is not None)
    most = max(results.values(), key=lambda one: one.planes_in)
    return replace(most, labels=labels, values=values, arrays=arrays, same=same, scratch=scratch)
