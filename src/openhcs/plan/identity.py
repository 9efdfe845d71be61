"""The identity of a plan: equal for plans that make the same of the same plate, on any machine."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openhcs.core.plate import PlateIndex
    from openhcs.plan.model import Recipe
    from openhcs.plan.parts import PlanStep


def identity(index: PlateIndex, recipe: Recipe) -> str:
    """Return the identity of a plan: what it makes of which plate, and nothing of the machine."""
    source, config = recipe.source, recipe.config
    said: dict[str, object] = {
        "plate": index.name,
        "source": [sorted(source.axes.items()), source.dtype, source.plane_shape],
        "steps": [_step_identity(step) for step in recipe.steps],
        "targets": [[target.after, target.backend, target.path] for target in recipe.targets],
        "zarr": {name: str(value) for name, value in asdict(config.zarr).items()},
        "missing": config.missing,
    }
    if recipe.labels:
        said["labels"] = [[one.step, one.name, one.channel, one.target, one.dtype] for one in recipe.labels]
    if recipe.values:
        said["values"] = [[one.step, one.name, one.kind, one.path] for one in recipe.values]
    if any(step.over_wells for step in recipe.steps):
        said["wells"] = list(index.wells)
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]


def _step_identity(step: PlanStep) -> list[object]:
    shape = list(step.layer.plane_shape)
    said = [step.name, step.stacks, step.group_by, dict(step.picks), step.unmatched, step.out]
    return [*said, step.layer.dtype, shape, step.fingerprint]
