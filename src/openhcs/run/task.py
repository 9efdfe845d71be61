"""Do one task: read a well's planes, call the functions, keep the results, commit.

Nothing is published unless the whole well is there. A task can be run again at any time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.constants.constants import ZarrChunkStrategy
from openhcs.core.plate import PlaneState
from openhcs.errors import StepError
from openhcs.io.filemanager import FileManager
from openhcs.ledger.ledger import Ledger
from openhcs.ngff.naming import image_paths
from openhcs.plan.layers import PASS, groups_by_step, planes_by_step
from openhcs.plan.schedule import schedule
from openhcs.run.attempt import Report
from openhcs.run.calls import call_chain
from openhcs.run.derive import output_facts, well_documents
from openhcs.run.mailbox import Mailbox
from openhcs.run.pixels import PlaneReader
from openhcs.run.sinks import Place, make_sink, states_of
from openhcs.run.vendor import keep_documents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs.core.plate import Key, Plane, PlateIndex
    from openhcs.core.steps import Chain
    from openhcs.io.fsops import FileOps
    from openhcs.ledger.ledger import Staging
    from openhcs.plan.layers import Group
    from openhcs.plan.model import Recipe, Target, Task
    from openhcs.plan.schedule import Scheduled
    from openhcs.run.sinks import Kept, Sink

    Array = np.ndarray[Any, np.dtype[Any]]

WORK = "work"
"""Folder in staging for intermediates that a disk or zarr backend keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What all tasks of a run share; sent to each worker once.

    ``index`` is the plate without its planes; ``chains`` are the functions, step by step; ``ops``
    changes the output's files.
    """

    output: str
    index: PlateIndex
    recipe: Recipe
    chains: tuple[Mapping[str | None, Chain], ...]
    ops: FileOps

    def do(self, task: Task) -> Report:
        """Run a task and commit its well."""
        return run_task(self, task)

    def facts(self, ledger: Ledger) -> dict[str, Any]:
        """Keep the microscope's own documents in the ledger; return what the plate's documents need."""
        vendor = keep_documents(self.index, ledger.folder, ledger.ops)
        return output_facts(self.index, self.recipe, vendor_files=vendor).to_json()


def run_task(job: Job, task: Task) -> Report:
    """Run a task and commit its well."""
    start = time.perf_counter()
    ledger = Ledger(job.output, job.ops)
    with ledger.stage(task.well) as staging:
        record = _TaskRun(job, task, staging).run()
        record["timings"] = {"seconds": round(time.perf_counter() - start, 4)}
        ledger.commit(staging, record)
        stored = sum(one.bytes for one in staging.ops.written)
    return Report(bytes_in=task.bytes_in, bytes_out=stored, seconds=time.perf_counter() - start)


def target_paths(target: Target) -> dict[tuple[int, int], str]:
    """Return the group name of each site image of a target, by (acquisition, site)."""
    return image_paths({number: axes[0] for number, axes in target.layer.axes.items()})


def unit_of(target: Target, place: tuple[str, str]) -> str:
    """Return the folder of a well, relative to the output: what a commit puts in place."""
    return "/".join(part for part in (target.path, *place) if part)


class _TaskRun:
    """One run of one task."""

    def __init__(self, job: Job, task: Task, staging: Staging) -> None:
        self.job = job
        self.task = task
        self.staging = staging
        self.recipe = job.recipe
        self.planes: dict[Key, Plane] = {plane.key: plane for plane in task.planes}
        self.groups = groups_by_step(self.recipe, task.keys, task.well)
        self.sinks = self._make_sinks()
        self.reader = PlaneReader(job.index)

    def run(self) -> dict[str, Any]:
        try:
            if self.recipe.steps:
                self._run_steps()
            else:
                self._convert()
        finally:
            self.reader.close()
        kept = [self.sinks[target.after].close() for target in self.recipe.targets]
        return self._record(kept)

    def _make_sinks(self) -> dict[int, Sink]:
        made = planes_by_step(self.task.keys, self.groups)
        states = self._filled()
        place = self.job.index.well_place(self.task.well)
        return {
            target.after: make_sink(
                Place(
                    target=target,
                    number=number,
                    index=self.job.index,
                    well=self.task.well,
                    keys=made[target.after],
                    folder=self.staging.root / unit_of(target, place),
                    ops=self.staging.ops,
                    verify=self.recipe.config.verify,
                ),
                paths=target_paths(target),
                config=self.recipe.config.zarr,
                listed=states[target.after],
            )
            for number, target in enumerate(self.recipe.targets)
        }

    def _filled(self) -> list[dict[Key, str]]:
        """Return, as read and after each step, the planes made of nothing but fill values, with their state."""
        filled = [states_of(self.task.planes)]
        for groups in self.groups:
            before = filled[-1]
            filled.append(
                {
                    key: before[group.inputs[0]]
                    for group in groups
                    for key in group.outputs
                    if all(one in before for one in group.inputs)
                }
            )
        return filled

    def _convert(self) -> None:
        sink = self.sinks[0]
        for plane in self.task.planes:
            room = sink.room(plane.key)
            if room is None:
                room = np.zeros(self.recipe.source.plane_shape, self.recipe.source.dtype)
                self._read(plane, room)
                sink.put(plane.key, room)
            else:
                self._read(plane, room)
                sink.placed(plane.key)

    def _run_steps(self) -> None:
        boxes = self._mailboxes()
        for call in schedule(self.recipe, self.task.keys, self.task.well):
            stack = boxes[call.step].take(call.group) if call.step else self._read_stack(call.group)
            planes = self._call(call, stack)
            if sink := self.sinks.get(call.step + 1):
                for key, plane in zip(call.group.outputs, planes, strict=True):
                    sink.put(key, plane)
            if call.step + 1 in boxes:
                boxes[call.step + 1].put(call.group.outputs, planes)

    def _mailboxes(self) -> dict[int, Mailbox]:
        config = self.recipe.config
        name = config.vfs.intermediate_backend.value
        folder = self.staging.root.parent / f"{self.staging.root.name}.{WORK}" if name != "memory" else None
        # Chunks chosen for the results' axes need not fit a stack of planes.
        zarr = replace(config.zarr, chunk_strategy=ZarrChunkStrategy.SINGLE, chunk_shape=None, shard_shape=None)
        files = FileManager(root=folder, vfs=config.vfs, zarr=zarr, ops=self.staging.scratch)
        backend = files.backend(name)
        prefix, suffix = ("intermediate.zarr/", "") if name == "zarr" else ("", ".npy")
        return {
            number: Mailbox(backend, f"{prefix}{number}", suffix, self.groups[number])
            for number in range(1, len(self.groups))
        }

    def _read_stack(self, group: Group) -> Array:
        layer = self.recipe.source
        stack = np.empty((len(group.inputs), *layer.plane_shape), layer.dtype)
        for key, room in zip(group.inputs, stack, strict=True):
            self._read(self.planes[key], room)
        return stack

    def _read(self, plane: Plane, room: Array) -> None:
        if plane.state is PlaneState.PRESENT:
            self.reader.read_into(plane, room)
        else:
            room[...] = 0

    def _call(self, call: Scheduled, stack: Array) -> Array:
        if call.group.chain == PASS:
            return stack
        step = self.recipe.steps[call.step]
        _, site, t, channel, z = call.group.inputs[0]
        where = f"{self.task.well} site {site} channel {channel} z {z} t {t}"
        chain = self.job.chains[call.step][call.group.chain]
        planes = call_chain(chain, stack, step=step.name, well=self.task.well, where=where)
        expected = (len(call.group.outputs), *step.layer.plane_shape)
        if planes.shape != expected or planes.dtype.name != step.layer.dtype:
            raise StepError(
                f"step {step.name} on {where} made {planes.shape} {planes.dtype}, the plan says {expected} "
                f"{step.layer.dtype} ({step.known}). Declare out= and out_dtype= if the probe was misled.",
                well=self.task.well,
                site=site,
                step=step.name,
            )
        return planes

    def _record(self, kept: list[Kept]) -> dict[str, Any]:
        place = self.job.index.well_place(self.task.well)
        images = [
            {**image, "path": f"{unit_of(target, place)}/{image['path']}"}
            for target, one in zip(self.recipe.targets, kept, strict=True)
            for image in one.images
        ]
        record: dict[str, Any] = {
            "task": self.task.well,
            "plan": self.recipe.plan_id,
            "inputs": self.task.inputs,
            "images": images,
            "histograms": [one.histograms for one in kept],
            "units": [unit_of(target, place) for target in self.recipe.targets],
            "bytes_in": self.task.bytes_in,
        }
        self.staging.published.extend(record["units"])
        for path, data in well_documents(output_facts(self.job.index, self.recipe), record).items():
            self.staging.write_document(path, data)
        return record
