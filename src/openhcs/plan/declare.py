"""Declaration: what is kept, where, in which form; and where each step reads and writes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from openhcs.core.steps import DTYPES
from openhcs.errors import PlanError
from openhcs.plan.parts import Target
from openhcs.plan.sizes import DISK, ZARR, lead_of, plane_bytes, zarr_target
from openhcs.plan.stages import cuts_of, last_image_step, reads_again

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.core.plate import PlateIndex
    from openhcs.core.steps import FunctionStep
    from openhcs.plan.facts import Facts
    from openhcs.plan.parts import Layer, PlanStep, Value

OME_TIFF = frozenset(DTYPES) - {"uint64", "int64", "float16"}
"""Dtypes that OME-TIFF has a name for."""


def declare(
    steps: Sequence[FunctionStep],
    source: Layer,
    planned: tuple[PlanStep, ...],
    config: GlobalPipelineConfig,
    facts: Facts,
) -> tuple[Target, ...]:
    """Return every set of images that is kept of itself: forced copies first, the last step's images last."""
    chosen = config.vfs.materialization_backend.value
    layers = [source, *(step.layer for step in planned)]
    last = last_image_step(planned)
    steps = steps[:last]
    targets = []
    for number, step in enumerate(steps, start=1):
        wanted = step.force_disk_output or (number < last and step.materialize)
        if wanted and planned[number - 1].over_wells:
            raise PlanError(f"step {number} ({step.name}) stacks wells, so there is no image to keep.", step=step.name)
        if wanted and number < last:
            backend = wanted if isinstance(wanted, str) else chosen
            folder = f"steps/{number}_{step.name}"
            targets.append(
                _target(number, backend, f"{folder}.zarr" if backend == ZARR else folder, layers[number], config)
            )
    if not steps or steps[-1].materialize is not False:
        named = steps[-1].materialize if steps and isinstance(steps[-1].materialize, str) else None
        backend = named or (
            steps[-1].force_disk_output if steps and isinstance(steps[-1].force_disk_output, str) else chosen
        )
        path = config.zarr.store_name if backend == ZARR else "images"
        targets.append(_target(last, backend, "" if facts.store_output else path, layers[last], config))
    for target in targets:
        _check_dtype(target, planned)
    return tuple(targets)


def check_kept(targets: Sequence[Target], values: Sequence[Value], facts: Facts) -> None:
    """Raise `PlanError` unless something is kept, and a single store where the output is one."""
    if not targets and not values:
        raise PlanError("the plan would keep nothing: the last step says materialize=False and no step is kept.")
    if facts.store_output and (len(targets) != 1 or targets[0].backend != ZARR or values):
        told = [*(_told(target) for target in targets if target.path), *(value.path for value in values)]
        others = ", ".join(told) or "TIFFs"
        raise PlanError(f"an output ending in .zarr is one store; this pipeline keeps {others} too. Name a folder.")


def _told(target: Target) -> str:
    return f"{target.path} ({target.why})" if target.why else target.path


def _check_dtype(target: Target, planned: tuple[PlanStep, ...]) -> None:
    if target.backend != DISK or target.layer.dtype in OME_TIFF:
        return
    step = planned[target.after - 1].name if target.after else None
    maker = f"step {target.after} ({step})" if step else "the plate"
    raise PlanError(
        f"{maker} gives {target.layer.dtype}, which {target.path} cannot hold: OME-TIFF has no name for "
        f"{target.layer.dtype}. Convert it, or keep it as zarr.",
        step=step,
    )


def _target(after: int, backend: str, path: str, layer: Layer, config: GlobalPipelineConfig) -> Target:
    if backend == ZARR:
        return zarr_target(after, path, layer, config)
    count = math.prod(lead_of(layer))
    return Target(
        after=after,
        backend=backend,
        path=path,
        layer=layer,
        levels=1,
        objects=count,
        raw_bytes=count * plane_bytes(layer),
    )


def with_places(
    index: PlateIndex,
    source: Layer,
    planned: tuple[PlanStep, ...],
    targets: tuple[Target, ...],
    config: GlobalPipelineConfig,
) -> tuple[PlanStep, ...]:
    """Return the steps with where each reads and writes, and why."""
    kept: dict[int, tuple[str, ...]] = {}
    for target in targets:
        kept[target.after] = (*kept.get(target.after, ()), target.backend)
    owed = {target.after: target.why for target in targets if target.why}
    between = config.vfs.intermediate_backend.value
    plate = ZARR if index.microscope == "ome_zarr" else DISK
    again = reads_again(planned, source)
    reads = plate
    placed = []
    for step in planned:
        if step.over_wells:
            placed.append(replace(step, reads="results", why="over all wells"))
            continue
        if step.number in again:
            reads = plate if again[step.number] else ZARR
        ends = step.number == last_image_step(planned) or step.number in cuts_of(planned)
        why = _why(step, planned, kept)
        writes = (() if ends else (between,)) + kept.get(step.number, ())
        placed.append(replace(step, reads=reads, writes=writes, why=owed.get(step.number, why)))
        reads = between
    return tuple(placed)


def _why(step: PlanStep, planned: Sequence[PlanStep], kept: Mapping[int, tuple[str, ...]]) -> str:
    """Return why a step's images go where they go."""
    if step.number == last_image_step(planned):
        return "last image step" if step.number in kept else "materialize=False"
    if step.number in kept:
        return "force_disk_output"
    return "the plate is read again" if step.number in cuts_of(planned) else "intermediate"
