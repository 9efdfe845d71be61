"""Bind: hold the steps against the plate before anything is read.

Which planes take part, which functions serve which values, what a step may stack. Everything that
can be known to fail is told here, for all wells.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from openhcs.constants.constants import GroupBy
from openhcs.core.plate import PlaneState
from openhcs.errors import InputError, MissingPlanes, PlanError, suggest
from openhcs.plan.layers import AXIS
from openhcs.plan.parts import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.core.plate import Plane, PlateIndex
    from openhcs.core.steps import FunctionStep

ABSENT = (PlaneState.MISSING, PlaneState.NOT_RECORDED)
READABLE = (PlaneState.PRESENT, *ABSENT)


def planes_to_read(index: PlateIndex, missing: str) -> PlateIndex:
    """Return the plate with the planes that take part, after the user's word on missing ones.

    "error" refuses a plate with planes missing or not recorded, "skip" leaves their sites out,
    "fill" keeps them, to be read as the fill value.

    Raises
    ------
    MissingPlanes
        how many, which, and the ways out.
    """
    absent = [plane for plane in index.planes if plane.state in ABSENT]
    if absent and missing == "error":
        raise MissingPlanes(_missing_text(index, absent), path=index.root, well=absent[0].well, site=absent[0].site)
    planes = readable(index).planes
    if missing == "skip":
        bad = {(plane.well, plane.site) for plane in absent}
        planes = tuple(plane for plane in planes if (plane.well, plane.site) not in bad)
    if not any(plane.state is PlaneState.PRESENT for plane in planes):
        tail = f"; {len(absent)} planes are missing or not recorded" if absent else ""
        raise InputError(f"plate {index.name} has no plane to read{tail}: {index.root}", path=index.root)
    return replace(index, planes=planes)


def readable(index: PlateIndex) -> PlateIndex:
    """Return the plate without the planes that the protocol excludes."""
    return replace(index, planes=tuple(plane for plane in index.planes if plane.state in READABLE))


def absent_notes(index: PlateIndex, missing: str) -> tuple[str, ...]:
    """Return what is said about planes that are not there and were filled or left out."""
    absent = [plane for plane in index.planes if plane.state in ABSENT]
    if not absent:
        return ()
    if missing == "skip":
        sites = sorted({f"{plane.well} site {plane.site}" for plane in absent})
        return (f"{len(sites)} sites with missing planes are left out: {_some(sites)}",)
    return (f"{len(absent)} planes are missing and stored as zeros: {_some([plane.name for plane in absent])}",)


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")


def _missing_text(index: PlateIndex, absent: list[Plane]) -> str:
    counts = Counter(plane.state for plane in absent)
    kinds = " and ".join(f"{count} {state.value.replace('_', ' ')}" for state, count in counts.items())
    shown = _some([plane.name for plane in absent])
    sites = len({(plane.well, plane.site) for plane in absent})
    return (
        f"plate {index.name}: of {len(index.planes)} planes {kinds} (in {sites} sites): {shown}. "
        "Choose what to do: --missing skip leaves these sites out, --missing fill stores zeros in their place "
        'and lists them (in Python: GlobalPipelineConfig(missing="skip")).'
    )


def source_layer(index: PlateIndex) -> Layer:
    """Return the layer that the plate itself is."""
    if index.dtype is None or index.plane_shape is None:
        raise InputError(f"plate {index.name} has no plane whose size is known: {index.root}", path=index.root)
    acquisitions = {plane.acquisition for plane in index.planes}
    sites = {
        number: tuple(sorted({plane.site for plane in index.planes if plane.acquisition == number}))
        for number in sorted(acquisitions)
    }
    axes = {number: (sites[number], *index.axes(number)) for number in sites}
    return Layer(axes=axes, dtype=index.dtype, plane_shape=index.plane_shape)


def pipeline_planes(index: PlateIndex) -> tuple[PlateIndex, tuple[str, ...]]:
    """Return the plate without projections, which a pipeline leaves out unless there is nothing else."""
    projections = {one.number for one in index.acquisitions if one.projection}
    kept = tuple(plane for plane in index.planes if plane.acquisition not in projections)
    if not kept or len(kept) == len(index.planes):
        return index, ()
    left_out = len(index.planes) - len(kept)
    return replace(index, planes=kept), (
        f"{left_out} planes are projections made by the microscope; pipelines leave them out, convert keeps them",
    )


def stacks_of(step: FunctionStep, number: int) -> tuple[str, ...]:
    """Return the names of the components a step stacks."""
    names = tuple(component.value for component in step.variable_components)
    if isinstance(step.out, tuple) and len(names) != 1:
        raise PlanError(
            f"step {number} ({step.name}) names the labels {list(step.out)} that come out; that needs exactly one "
            f"component in variable_components, not {len(names)}.",
            step=step.name,
        )
    return names


def grouping(step: FunctionStep, number: int, stacks: tuple[str, ...]) -> str | None:
    """Return the component whose value picks the functions, or None when one chain serves all."""
    group_by = step.group_by.value if step.group_by is not None else None
    if group_by in stacks:
        raise PlanError(
            f"step {number} ({step.name}) groups by {group_by} and stacks {group_by} as well: a stack holds every "
            f"{group_by}, so none can pick a function. Either take {group_by} out of variable_components, or group "
            "by another component.",
            step=step.name,
        )
    if not step.by_value:
        return None
    if group_by is None and GroupBy.CHANNEL.value in stacks:
        raise PlanError(
            f"step {number} ({step.name}) gives functions by value and stacks channel; say group_by, or take "
            "channel out of variable_components.",
            step=step.name,
        )
    return group_by or GroupBy.CHANNEL.value


def _value_names(
    group_by: str, axes: Mapping[int, Sequence[Sequence[int]]], index: PlateIndex
) -> dict[str, tuple[str, ...]]:
    """Return each value of a component with the names that a dict pattern may call it by."""
    if group_by == GroupBy.WELL.value:
        return {well: (well,) for well in index.wells}
    labels = sorted({label for one in axes.values() for label in one[AXIS[group_by]]})
    if group_by != GroupBy.CHANNEL.value:
        return {str(label): (str(label),) for label in labels}
    named = {channel.number: channel.name for channel in index.channels}
    return {str(label): (str(label), named.get(label, str(label))) for label in labels}


def picks(
    step: FunctionStep, number: int, group_by: str, axes: Mapping[int, Sequence[Sequence[int]]], index: PlateIndex
) -> dict[str, str]:
    """Return which key of a dict pattern serves which value of the plate.

    Raises
    ------
    PlanError
        a key without data, or data without a key while ``unmatched`` is "error".
    """
    names = _value_names(group_by, axes, index)
    keys = [key for key in step.chains if key is not None]
    found = {value: key for value, known in names.items() for key in keys if key in known}
    unused = [str(key) for key in step.chains if key not in found.values()]
    if unused:
        offered = list(dict.fromkeys(name for known in names.values() for name in known))
        raise PlanError(
            f"step {number} ({step.name}) has functions for {group_by} {unused[0]!r}, which this plate does not have; "
            f"{suggest(unused[0], offered)}",
            step=step.name,
        )
    without = [known[-1] for value, known in names.items() if value not in found]
    if without and step.unmatched == "error":
        raise PlanError(
            f"step {number} ({step.name}) has no function for {group_by} {', '.join(without)}. Add a function, or say "
            'unmatched="pass" (they go on as they are) or unmatched="drop" (they are left out).',
            step=step.name,
        )
    return found
