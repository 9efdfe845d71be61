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
from openhcs.plan.labels import labels_of, makes
from openhcs.plan.layers import PASS, filled_by_step, groups_by_step, label_keys, planes_by_step
from openhcs.plan.model import PlateTask
from openhcs.plan.schedule import STORED_AS_READ, schedule
from openhcs.plan.units import unit_of
from openhcs.run.ahead import Ahead
from openhcs.run.attempt import Report
from openhcs.run.calls import Made, call_chain
from openhcs.run.calls import Place as CallPlace
from openhcs.run.derive import output_facts, well_documents
from openhcs.run.earlier import Earlier, reader_for
from openhcs.run.exchange import Exchange, Keeper, materialisers_of
from openhcs.run.labels import LabelSink
from openhcs.run.mailbox import mailbox
from openhcs.run.memory import PeakOfTask
from openhcs.run.places import target_paths
from openhcs.run.plate_task import PlateTaskRun
from openhcs.run.shelf import BackendShelf, SpillShelf
from openhcs.run.sinks import Place, make_sink, states_of
from openhcs.run.vendor import keep_documents

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openhcs.core.plate import Key, Plane, PlateIndex
    from openhcs.core.steps import Chain
    from openhcs.io.fsops import FileOps
    from openhcs.ledger.ledger import Staging
    from openhcs.plan.layers import Group
    from openhcs.plan.model import Recipe, Stage, Task
    from openhcs.plan.schedule import Scheduled
    from openhcs.run.mailbox import Mailbox
    from openhcs.run.shelf import Shelf
    from openhcs.run.sinks import Kept, Sink

    Array = np.ndarray[Any, np.dtype[Any]]

READ, STORE = "read", "store"
"""Parts of a task's time beside its steps, which are told by number and name."""
WORK = "work"
"""Folder in staging for intermediates that a disk or zarr backend keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What all tasks of a stage share; sent to each worker once.

    ``index`` is the plate without its planes; ``recipe`` is the whole plan's, ``stage`` is without tasks;
    ``chains`` are the functions of the stage, step by step; ``ops`` changes the output's files. ``watch`` is told
    of each call before it is made: where it is, and its stack (n, y, x).
    """

    output: str
    index: PlateIndex
    recipe: Recipe
    stage: Stage
    chains: tuple[Mapping[str | None, Chain], ...]
    ops: FileOps
    watch: Callable[[str, Array], None] | None = None

    def do(self, task: Task | PlateTask) -> Report:
        """Run a task and commit what it made."""
        return run_task(self, task)

    def keeper(self, well: str, staging: Staging) -> Keeper:
        """Return what stores the values of one task, of a well or of all of them."""
        return Keeper(
            self.stage.recipe.values,
            well=well,
            staging=staging,
            channels={channel.number: channel.name for channel in self.index.channels},
            materialisers=materialisers_of(self.chains),
        )

    def facts(self, ledger: Ledger) -> dict[str, Any]:
        """Keep the microscope's own documents in the ledger; return what the plate's documents need."""
        vendor = keep_documents(self.index, ledger.folder, ledger.ops)
        return output_facts(self.index, self.recipe, vendor_files=vendor).to_json()


def run_task(job: Job, task: Task | PlateTask) -> Report:
    """Run a task and commit what it made."""
    start = time.perf_counter()
    ledger = Ledger(job.output, job.ops)
    with ledger.stage(task.id) as staging, PeakOfTask() as memory:
        run = PlateTaskRun(job, task, staging, ledger) if isinstance(task, PlateTask) else TaskRun(job, task, staging)
        record = run.run()
        record["memory"] = {"planned": task.peak_bytes, "measured": memory.bytes, "spill": job.stage.recipe.spill}
        timings = {name: round(seconds, 4) for name, seconds in run.timings.items()}
        record["timings"] = {"seconds": round(time.perf_counter() - start, 4), "parts": timings}
        stored = sum(one.bytes for one in staging.ops.written)
        record["bytes_out"] = stored
        ledger.commit(staging, record)
    seconds = time.perf_counter() - start
    return Report(bytes_in=task.bytes_in, bytes_out=stored, seconds=seconds, timings=timings)


class TaskRun:
    """One run of one task: reads, calls, stores into ``staging`` and gives the record to commit."""

    def __init__(self, job: Job, task: Task, staging: Staging) -> None:
        self.job = job
        self.task = task
        self.staging = staging
        self.recipe = job.stage.recipe
        self.planes: dict[Key, Plane] = {plane.key: plane for plane in task.planes}
        self.groups = groups_by_step(self.recipe, task.keys, task.well)
        self.filled = filled_by_step(states_of(task.planes), self.groups)
        self.spilled = self._spilled()
        self.sinks = self._make_sinks()
        self.labels = self._make_label_sinks()
        self.earlier = Earlier(job.output, task.well)
        self.exchange = Exchange(job.stage, self.groups, self.earlier.of)
        self.keeper = job.keeper(task.well, staging)
        self.numbers = [{group.first: number for number, group in enumerate(groups)} for groups in self.groups]
        self.reader = reader_for(job.index, job.stage, job.recipe, job.output)
        self.timings: dict[str, float] = {}

    def _spent(self, part: str, since: float) -> float:
        """Add what has passed since a moment to the time of a part, and return the moment it is now."""
        now = time.perf_counter()
        self.timings[part] = self.timings.get(part, 0.0) + now - since
        return now

    def run(self) -> dict[str, Any]:
        """Return the record of what was stored."""
        try:
            if self.recipe.steps:
                self._run_steps()
            else:
                self._convert()
        finally:
            self.reader.close()
            if self.spilled is not None:
                self.spilled.close()
        return self._record([sink.close() for sink in self.sinks])

    def _make_sinks(self) -> list[Sink]:
        made = planes_by_step(self.task.keys, self.groups)
        return [
            make_sink(
                self._place(number, made[target.after]),
                paths=target_paths(target),
                config=self.recipe.config.zarr,
                listed=self.filled[target.after],
            )
            for number, target in enumerate(self.recipe.targets)
        ]

    def _make_label_sinks(self) -> list[LabelSink]:
        found = zip(self.recipe.labels, labels_of(self.recipe, self.groups), strict=True)
        return [
            LabelSink(
                self._place(label.target, keys),
                label,
                paths=target_paths(self.recipe.targets[label.target]),
                config=self.recipe.config.zarr,
            )
            for label, keys in found
        ]

    def _place(self, number: int, keys: tuple[Key, ...]) -> Place:
        target = self.recipe.targets[number]
        return Place(
            target=target,
            number=number,
            index=self.job.index,
            well=self.task.well,
            keys=keys,
            folder=self.staging.root / unit_of(target, self.job.index.well_place(self.task.well)),
            ops=self.staging.ops,
            verify=self.recipe.config.verify,
            shelf=self.spilled,
            planes=self.planes if target.layer.axes == self.job.recipe.source.axes else {},
        )

    def _convert(self) -> None:
        sink = self.sinks[0]
        for plane in self.task.planes:
            self._pass_on(plane, sink)

    def _pass_on(self, plane: Plane, sink: Sink) -> None:
        """Read a plane into a sink."""
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
        calls = schedule(self.recipe, self.task.keys, self.task.well)
        keys = [key for call in calls if call.step == 0 for key in call.group.inputs]
        self.ahead = Ahead(keys, self.recipe.source, lambda key, room: self._read(self.planes[key], room))
        try:
            self._make(calls, boxes)
        finally:
            self.ahead.close()

    def _make(self, calls: tuple[Scheduled, ...], boxes: Mapping[int, Mailbox]) -> None:
        for call in calls:
            if call.step == STORED_AS_READ:
                for sink in self._sinks_after(0):
                    self._pass_on(self.planes[call.group.inputs[0]], sink)
            else:
                self._carry(call, boxes)

    def _carry(self, call: Scheduled, boxes: Mapping[int, Mailbox]) -> None:
        """Make a call and pass on what it made; nothing of it is held when this returns."""
        start = time.perf_counter()
        stack = boxes[call.step].take(call.group) if call.step else self._read_stack(call.group)
        start = self._spent(READ, start)
        if not call.step:
            self._keep(0, call.group.inputs, stack)
            start = self._spent(STORE, start)
        step = self.recipe.steps[call.step]
        made = self._call(call, stack)
        start = self._spent(f"{step.number} {step.name}", start)
        del stack
        self._keep_labels(call, made)
        for name, value in made.values.items():
            number = self.numbers[call.step][call.group.first]
            self.keeper.keep(name, value, call.group.first, number, self._place_of(call))
        self.exchange.put(call, made)
        planes = made.planes
        del made
        self._keep(call.step + 1, call.group.outputs, planes)
        if call.step + 1 in boxes:
            boxes[call.step + 1].put(call.group.outputs, planes)
        self._spent(STORE, start)

    def _sinks_after(self, number: int) -> list[Sink]:
        return [sink for target, sink in zip(self.recipe.targets, self.sinks, strict=True) if target.after == number]

    def _keep(self, number: int, keys: tuple[Key, ...], planes: Array) -> None:
        for sink in self._sinks_after(number):
            for key, plane in zip(keys, planes, strict=True):
                sink.put(key, plane)

    def _keep_labels(self, call: Scheduled, made: Made) -> None:
        """Store the labels of a call; those of planes that are not there are background."""
        filled = self.filled[call.step]
        keys = label_keys(call.group.inputs)
        present = set(label_keys(key for key in call.group.inputs if key not in filled))
        for sink in self.labels:
            label = sink.label
            if label.step != call.step + 1 or not makes(label, call.group):
                continue
            planes = made.labels[label.output]
            if planes.dtype.name != label.dtype:
                _, site, *_ = call.group.inputs[0]
                step = self.recipe.steps[call.step].name
                raise StepError(
                    f"step {step} on {self._where(call.group)} made labels {label.output!r} of {planes.dtype}, the "
                    f"plan says {label.dtype} ({label.known}). Convert them in the function.",
                    well=self.task.well,
                    site=site,
                    step=step,
                )
            for key, plane in zip(keys, planes, strict=True):
                sink.put(key, plane if key in present else None)

    def _mailboxes(self) -> dict[int, Mailbox]:
        return {
            number: mailbox(self.groups[number], self._intermediate(number)) for number in range(1, len(self.groups))
        }

    def _intermediate(self, number: int) -> Shelf | None:
        """Return where planes wait for a step; None: in memory."""
        config = self.recipe.config
        name = config.vfs.intermediate_backend.value
        if name == "memory":
            return self.spilled
        folder = self.staging.root.parent / f"{self.staging.root.name}.{WORK}"
        # Chunks chosen for the results' axes need not fit a stack of planes.
        zarr = replace(config.zarr, chunk_strategy=ZarrChunkStrategy.SINGLE, chunk_shape=None, shard_shape=None)
        backend = FileManager(root=folder, zarr=zarr, ops=self.staging.scratch).backend(name)
        prefix, suffix = ("intermediate.zarr/", "") if name == "zarr" else ("", ".npy")
        return BackendShelf(backend, f"{prefix}{number}", suffix)

    def _spilled(self) -> Shelf | None:
        """Return where planes wait that memory has no room for."""
        if not self.recipe.spill:
            return None
        folder = self.recipe.config.vfs.spill_dir
        return self._intermediate(0) if folder is None else SpillShelf(str(folder), self.staging.scratch)

    def _read_stack(self, group: Group) -> Array:
        layer = self.recipe.source
        stack = np.empty((len(group.inputs), *layer.plane_shape), layer.dtype)
        for key, room in zip(group.inputs, stack, strict=True):
            self.ahead.into(key, room)
        return stack

    def _read(self, plane: Plane, room: Array) -> None:
        if plane.state is PlaneState.PRESENT:
            self.reader.read_into(plane, room)
        else:
            room[...] = 0

    def _place_of(self, call: Scheduled) -> CallPlace:
        return CallPlace(self.recipe.steps[call.step].name, self.task.well, self._where(call.group))

    def _where(self, group: Group) -> str:
        _, site, t, channel, z = group.inputs[0]
        return f"{self.task.well} site {site} channel {channel} z {z} t {t}"

    def _call(self, call: Scheduled, stack: Array) -> Made:
        if call.group.chain == PASS:
            return Made(stack, {}, {})
        step = self.recipe.steps[call.step]
        site, where = call.group.inputs[0][1], self._where(call.group)
        if self.job.watch is not None:
            self.job.watch(f"step {step.number} {step.name} on {where}", stack)
        passes = step.passes and self.job.stage.passes_on
        if passes:
            stack.flags.writeable = False
        made = call_chain(
            self.job.chains[call.step][call.group.chain],
            stack,
            self._place_of(call),
            given=self.exchange.take(call),
            label_planes=len(label_keys(call.group.inputs)),
        )
        if passes:
            stack.flags.writeable = True
        planes = made.planes
        if passes and not made.same:
            raise StepError(
                f"step {step.name} on {where} returned an image of its own; the plan says that it passes on the one it "
                "gets, so that the plate can be read again in the next stage. Return the very array that came in, "
                "always or never.",
                well=self.task.well,
                site=site,
                step=step.name,
            )
        expected = (len(call.group.outputs), *step.layer.plane_shape)
        if planes.shape != expected or planes.dtype.name != step.layer.dtype:
            raise StepError(
                f"step {step.name} on {where} made {planes.shape} {planes.dtype}, the plan says {expected} "
                f"{step.layer.dtype} ({step.known}). Declare out= and out_dtype= if the probe was misled.",
                well=self.task.well,
                site=site,
                step=step.name,
            )
        return made

    def _record(self, kept: list[Kept]) -> dict[str, Any]:
        place = self.job.index.well_place(self.task.well)
        stage = self.job.stage
        images = [
            {**image, "target": number, "path": f"{unit_of(target, place)}/{image['path']}"}
            for number, target, one in zip(stage.targets, self.recipe.targets, kept, strict=True)
            for image in one.images
        ]
        for sink in self.labels:
            for (acquisition, site), told in sink.close().items():
                place_of = (stage.targets[sink.label.target], acquisition, site)
                row = next(one for one in images if (one["target"], one["acquisition"], one["site"]) == place_of)
                row.setdefault("labels", []).append({**told, "step": told["step"] + stage.skipped})
        by_target = dict(zip(stage.targets, kept, strict=True))
        self.staging.published.extend(unit_of(target, place) for target in self.recipe.targets)
        record: dict[str, Any] = {
            "well": self.task.well,
            "plan": self.recipe.plan_id,
            "inputs": self.task.inputs,
            "images": images,
            "histograms": [
                by_target[number].histograms if number in by_target else {}
                for number in range(len(self.job.recipe.targets))
            ],
            "values": self.keeper.close(),
            "bytes_in": self.task.bytes_in,
        }
        for path, data in well_documents(output_facts(self.job.index, self.recipe), record).items():
            self.staging.write_document(path, data)
        return record
