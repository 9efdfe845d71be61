"""The plan: what will be read, called, kept and written, for every well, and why.

A plan is data. It is made by `openhcs.plan.compile`, printed by `Plan.explain`, and holds no code:
functions stay with the pipeline and are named by their fingerprints.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from openhcs.core.wells import well_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.core.plate import Key, Plane, PlateIndex

Axes = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Sites, time points, channels and z planes of one acquisition, over the whole plate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What the images look like after a step: labels per acquisition, dtype, (y, x)."""

    axes: Mapping[int, Axes]
    dtype: str
    plane_shape: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One step of the plan, the same for every well.

    ``picks`` maps a component's value to the key of its functions; empty when one chain serves all.
    ``out`` is "same", "one" or labels; ``known`` says how that became known. ``scratch`` is what a call was seen
    to take beyond its stack and what comes out, in bytes per byte of its stack; None: no call was tried.
    """

    number: int
    name: str
    stacks: tuple[str, ...]
    group_by: str | None = None
    picks: Mapping[str, str] = field(default_factory=dict)
    unmatched: str = "error"
    out: str | tuple[int, ...] = "same"
    known: str = "said"
    scratch: float | None = None
    layer: Layer
    reads: str = "memory"
    writes: tuple[str, ...] = ()
    why: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Images that are kept: after which step (0: as read), through which backend, where in the output.

    ``levels`` counts resolution levels; ``objects`` and ``raw_bytes`` are for one full site image. ``why``
    is told of images that are kept for something else's sake.
    """

    after: int
    backend: str
    path: str
    layer: Layer
    levels: int
    objects: int
    raw_bytes: int
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTarget:
    """Label images that are kept: one beneath each site image of a target that has labels.

    Parameters
    ----------
    step, output
        number of the step that makes them, and their name as it declares it.
    name
        of the label image.
    channel
        the channel whose calls make them; None where one call sees all channels.
    chains
        keys of the step's functions that make them.
    target
        place among the plan's targets.
    known
        how the dtype became known.
    objects, raw_bytes
        of one label image with its levels.
    """

    step: int
    output: str
    name: str
    channel: int | None
    chains: tuple[str | None, ...]
    target: int
    dtype: str
    known: str
    levels: int
    objects: int
    raw_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One well: what it reads and what that takes.

    ``planes`` are in reading order; those without pixels hold the fill value. Bytes are raw pixels;
    ``images`` counts the site images of each target, ``labels`` those of each of the plan's labels;
    ``stored`` are objects and raw bytes of each target, then of each of the labels.
    """

    well: str
    planes: tuple[Plane, ...]
    calls: int
    peak_bytes: int
    bytes_in: int
    images: tuple[int, ...]
    labels: tuple[int, ...]
    stored: tuple[tuple[int, int], ...]

    @property
    def objects(self) -> int:
        """Files with pixels that the well will have."""
        return sum(objects for objects, _ in self.stored)

    @property
    def inputs(self) -> str:
        """Digest that tells whether a committed well was made of the same input."""
        return planes_digest(self.planes)

    @property
    def keys(self) -> tuple[Key, ...]:
        """Places of the planes within the well."""
        return tuple(plane.key for plane in self.planes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What all tasks of a plan share.

    ``spill``: memory has no room for a well; planes that wait do so in the spill folder, or the intermediate
    backend where none is set.
    """

    plan_id: str
    source: Layer
    steps: tuple[PlanStep, ...]
    targets: tuple[Target, ...]
    config: GlobalPipelineConfig
    labels: tuple[LabelTarget, ...] = ()
    spill: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A compiled pipeline for a plate.

    ``index`` holds the wells of the plan after the user's word on missing planes. ``budget`` are the bytes that a
    run may take with all its processes, ``room`` those of them that are left for the tasks that run at once.
    """

    id: str
    index: PlateIndex
    recipe: Recipe
    tasks: tuple[Task, ...]
    workers: int
    budget: int
    room: int
    warnings: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Where the plate lies."""
        return self.index.root

    @property
    def config(self) -> GlobalPipelineConfig:
        """What the user chose."""
        return self.recipe.config

    @property
    def calls_functions(self) -> bool:
        """Whether code of the user runs."""
        return bool(self.recipe.steps)

    @property
    def peak_bytes(self) -> int:
        """Memory that one task takes at most."""
        return max((task.peak_bytes for task in self.tasks), default=0)

    @cached_property
    def stored_objects(self) -> int:
        """Files with pixels that the output will hold."""
        return sum(task.objects for task in self.tasks)

    @cached_property
    def raw_bytes_out(self) -> int:
        """Bytes of raw pixels that the output will hold, all levels."""
        return sum(raw for task in self.tasks for _, raw in task.stored)

    def stored(self, kept: Target | LabelTarget) -> tuple[int, int]:
        """Return how many objects and bytes of raw pixels a target, or one of the labels, will hold."""
        place = [*self.recipe.targets, *self.recipe.labels].index(kept)
        return sum(task.stored[place][0] for task in self.tasks), sum(task.stored[place][1] for task in self.tasks)

    def images(self, target: Target) -> int:
        """Return how many site images a target will hold."""
        place = self.recipe.targets.index(target)
        return sum(task.images[place] for task in self.tasks)

    def label_images(self, label: LabelTarget) -> int:
        """Return how many label images there will be of one kind."""
        place = self.recipe.labels.index(label)
        return sum(task.labels[place] for task in self.tasks)

    @cached_property
    def bytes_in(self) -> int:
        """Bytes of raw pixels that will be read."""
        return sum(task.bytes_in for task in self.tasks)

    def explain(self) -> str:
        """Return the plan as text."""
        from openhcs.plan.explain import explain

        return explain(self)

    def to_json(self) -> str:
        """Return the plan as JSON text: templates per step, one line of numbers per task."""
        return json.dumps(
            {
                "plan": self.id,
                "plate": self.index.name,
                "microscope": self.index.microscope,
                "source": _plain(asdict(self.recipe.source)),
                "steps": [_plain(asdict(step)) for step in self.recipe.steps],
                "targets": [_plain(asdict(target)) for target in self.recipe.targets],
                "labels": [_plain(asdict(label)) for label in self.recipe.labels],
                "config": self.recipe.config.to_toml(),
                "workers": self.workers,
                "tasks": [
                    {"well": task.well, "planes": len(task.planes), "inputs": task.inputs}
                    | {"calls": task.calls, "peak_bytes": task.peak_bytes, "objects": task.objects}
                    for task in self.tasks
                ],
                "warnings": list(self.warnings),
            },
            ensure_ascii=False,
            indent=1,
        )

    def __repr__(self) -> str:
        return f"<Plan {self.id} of {self.index.name}: {len(self.tasks)} wells, {len(self.recipe.steps)} steps>"


def with_wells_of(plan_json: str, earlier_json: str) -> str:
    """Return a plan's text with the wells that it was run for earlier as well; its own count where both have one."""
    plan, earlier = json.loads(plan_json), json.loads(earlier_json)
    tasks = {task["well"]: task for task in [*earlier["tasks"], *plan["tasks"]]}
    plan["tasks"] = [tasks[well] for well in sorted(tasks, key=well_key)]
    return json.dumps(plan, ensure_ascii=False, indent=1)


def planes_digest(planes: tuple[Plane, ...]) -> str:
    """Return a digest of which planes there are and which files they come from."""
    digest = hashlib.sha256()
    for plane in planes:
        digest.update(repr((plane.well, plane.key, plane.state.value, plane.source)).encode())
    return digest.hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value
