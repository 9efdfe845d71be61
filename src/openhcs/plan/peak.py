"""The memory that a well takes, moment by moment: which buffers are born when, and when they are freed.

`changes` follows a task as it runs and names every buffer. A buffer is born once and freed after its
last reader. What a function takes for itself is what a call of it was seen to take, see `scratch_bytes`.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from openhcs.core.arrays import level_shapes, plan_chunks
from openhcs.plan.heap import Heap
from openhcs.plan.held import HeldValues
from openhcs.plan.labels import labels_of, makes
from openhcs.plan.layers import PASS, groups_by_step, label_keys, planes_by_step
from openhcs.plan.schedule import STORED_AS_READ, image_of, schedule
from openhcs.plan.sizes import DISK, ITEMSIZE, label_config, lead_of, plane_bytes

if TYPE_CHECKING:
    from collections.abc import Generator, Hashable, Iterable, Iterator, Mapping

    from openhcs.core.plate import Key
    from openhcs.plan.held import Passed
    from openhcs.plan.layers import Group
    from openhcs.plan.model import Recipe
    from openhcs.plan.parts import LabelTarget, Layer, Target
    from openhcs.plan.schedule import Scheduled

AHEAD = 1
"""Planes that are read while functions work; `_Course` counts one."""
AHEAD_FROM = 2**18
"""Bytes of a plane from which on that is done."""
MARGIN = 1.1
"""What is predicted is raised by a tenth."""
RESERVED = 4 * 10**6
"""Bytes that any task takes beside its buffers: lists of planes, open files, what decoders keep."""
ENCODED = {"u": 0.6, "i": 0.6, "b": 0.2, "f": 1.0, "c": 1.0}
"""Stored bytes per raw byte by kind of dtype, on the safe side for camera images."""
ENCODED_LABELS = 0.2
FILE_COPIES = 2
"""Copies of an array or a plane while it becomes a file of its own."""
READ_BACK = 2**25
"""Bytes up to which a level is read back at once when results are verified."""


@dataclass(frozen=True, slots=True)
class Change:
    """One moment: ``name`` is born with ``bytes``, or freed (negative), or needed for this moment only."""

    name: Hashable
    bytes: int
    passing: bool = False


def peak_bytes(recipe: Recipe, keys: tuple[Key, ...], well: str, *, threads: int = 1) -> int:
    """Return the most memory that a well takes at any moment, with a margin of a tenth.

    Counted are what is reserved for any task, stacks in and out of a call, what the function takes for
    itself, planes that wait for their reader, images and labels being gathered and written, and the gaps
    that freed buffers leave. ``threads`` encode at the same time.
    """
    heap = Heap()
    places: dict[Hashable, int] = {}
    for change in changes(recipe, keys, well, threads=threads):
        if change.bytes < 0:
            heap.free(places.pop(change.name), -change.bytes)
        elif change.passing:
            heap.free(heap.take(change.bytes), change.bytes)
        else:
            places[change.name] = heap.take(change.bytes)
    return int((RESERVED + heap.top) * MARGIN)


def reads_ahead(layer: Layer) -> bool:
    """Return whether planes are read ahead: not those so small that handing them over costs more than it saves."""
    return plane_bytes(layer) >= AHEAD_FROM


def live_peak(recipe: Recipe, keys: tuple[Key, ...], well: str, *, threads: int = 1) -> int:
    """Return the largest sum of buffers that a well has at one moment: what an allocator hands out for them."""
    live = peak = 0
    for change in changes(recipe, keys, well, threads=threads):
        peak = max(peak, live + change.bytes)
        live += 0 if change.passing else change.bytes
    return peak


def changes(recipe: Recipe, keys: tuple[Key, ...], well: str, *, threads: int = 1) -> Iterator[Change]:
    """Yield every change of what a well's task holds, in order."""
    course = _Course(recipe, keys, well, threads)
    if not recipe.steps:
        for key in keys:
            yield from course.store_as_read(key)
    for number, call in enumerate(schedule(recipe, keys, well)):
        if call.step == STORED_AS_READ:
            yield from course.store_as_read(call.group.inputs[0])
        else:
            yield from course.call(number, call)


def scratch_bytes(recipe: Recipe, step: int, inputs: int, outputs: int) -> int:
    """Return what a call takes beyond its stack and what comes out of it.

    In proportion to its stack as the probe saw it; where nothing was tried, as much again as goes in
    and comes out: a function that works on a copy takes that.
    """
    seen = recipe.steps[step].scratch
    return inputs + outputs if seen is None else math.ceil(seen * inputs)


def largest_call(recipe: Recipe, keys: tuple[Key, ...], well: str) -> tuple[int, int, int]:
    """Return the call that takes most: number of its step from 1, planes that go in, bytes; zeros without steps."""
    found = (0, 0, 0)
    layers = [recipe.source, *(step.layer for step in recipe.steps)]
    for number, groups in enumerate(groups_by_step(recipe, keys, well)):
        for group in groups:
            inputs = len(group.inputs) * plane_bytes(layers[number])
            outputs = len(group.outputs) * plane_bytes(layers[number + 1])
            size = inputs + outputs + scratch_bytes(recipe, number, inputs, outputs)
            found = max(found, (number + 1, len(group.inputs), size), key=lambda one: one[2])
    return found


def waits_in_memory(recipe: Recipe) -> bool:
    """Return whether planes that wait for their reader do so in memory."""
    return not recipe.spill and recipe.config.vfs.intermediate_backend.value == "memory"


class _Course:
    """A task, as far as its buffers go."""

    def __init__(self, recipe: Recipe, keys: tuple[Key, ...], well: str, threads: int) -> None:
        self.recipe = recipe
        self.threads = threads
        self.sizes = [plane_bytes(layer) for layer in (recipe.source, *(step.layer for step in recipe.steps))]
        groups = groups_by_step(recipe, keys, well)
        made = planes_by_step(keys, groups)
        self.readers = [{key: number for number, group in enumerate(step) for key in group.inputs} for step in groups]
        self.stacks = [[group.inputs for group in step] for step in groups]
        self.values = HeldValues(recipe, groups)
        self.in_memory = waits_in_memory(recipe)
        self.to_read = sum(len(group.inputs) for group in groups[0]) if groups else 0
        self.read = 0
        self.waiting: dict[tuple[int, int], tuple[Hashable, int]] = {}
        self.pieces: dict[tuple[int, int], list[int]] = {}
        self.gathers = [
            _Gather(("image", place), recipe, target, made[target.after], threads=threads)
            for place, target in enumerate(recipe.targets)
        ]
        found = labels_of(recipe, groups)
        self.label_gathers = [
            _Gather(("labels", place), recipe, recipe.targets[label.target], found[place], threads=threads, label=label)
            for place, label in enumerate(recipe.labels)
        ]

    def store_as_read(self, key: Key) -> Iterator[Change]:
        """Read a plane and store it."""
        size = self.sizes[0]
        yield Change(("read", key), size)
        yield Change(("decoder", key), size, passing=True)
        for gather in self._after(0):
            yield from gather.take(key)
        yield Change(("read", key), -size)

    def call(self, number: int, call: Scheduled) -> Iterator[Change]:
        """Bring the stack, call, store the labels, keep the planes, let them wait for their reader."""
        group, step = call.group, call.step
        size = len(group.inputs) * self.sizes[step]
        if step:
            stack = yield from self._waited_for(number, step, group, size)
        else:
            stack = ("stack", number)
            yield Change(stack, size)
            yield from self._read_ahead(len(group.inputs))
            yield Change(("decoder", number), self.sizes[0], passing=True)
            for gather in self._after(0):
                for key in group.inputs:
                    yield from gather.take(key)
        outputs = len(group.outputs) * self.sizes[step + 1]
        if group.chain == PASS:
            planes = stack
        else:
            planes = ("planes", number)
            yield from self._made(number, call, stack, size)
        for gather in self._after(step + 1):
            for key in group.outputs:
                yield from gather.take(key)
        kept = yield from self._post(step + 1, group.outputs, planes, outputs)
        if not kept:
            yield Change(planes, -outputs)

    def _read_ahead(self, planes: int) -> Iterator[Change]:
        """Take planes that were read ahead, and begin with the next: its pixels, and the bytes of its file."""
        for _ in range(planes if reads_ahead(self.recipe.source) and self.to_read > 1 else 0):
            if self.read:
                yield Change(("ahead", self.read), -2 * self.sizes[0])
            self.read += 1
            if self.read < self.to_read:
                yield Change(("ahead", self.read), 2 * self.sizes[0])

    def _made(self, number: int, call: Scheduled, stack: Hashable, size: int) -> Iterator[Change]:
        """Hand the call what it takes, call, drop the stack, store labels and arrays; the planes stay."""
        group, step = call.group, call.step
        given = self.values.given(step, group)
        if given:
            yield Change(("given", number), given)
        before, after = self.values.dropped(step, group)
        for at, bytes_of in before:
            yield Change(("value", *at), -bytes_of)
        labels = self._labels(call)
        arrays = [one for one in self.values.arrays(step, group) if one.bytes]
        outputs = len(group.outputs) * self.sizes[step + 1]
        made = outputs + sum(labels.values()) + sum(one.bytes for one in arrays)
        yield Change(("call", number), made + scratch_bytes(self.recipe, step, size, made), passing=True)
        if given:
            yield Change(("given", number), -given)
        for at, bytes_of in after:
            yield Change(("value", *at), -bytes_of)
        yield Change(stack, -size)
        yield Change(("planes", number), outputs)
        yield from self._store(call, labels, arrays)

    def _store(self, call: Scheduled, labels: Mapping[int, int], arrays: list[Passed]) -> Iterator[Change]:
        """Store what a call made beside planes, and hold what later calls take."""
        keys = label_keys(call.group.inputs)
        for place, size in labels.items():
            yield Change(("made labels", place, keys), size)
        for one in arrays:
            yield Change(("value", *one.at), one.bytes)
        for place in labels:
            for key in keys:
                yield from self.label_gathers[place].take(key)
        for one in arrays:
            yield Change(("file", *one.at), FILE_COPIES * one.bytes, passing=True)
        for one in self.values.labels(call.step, call.group):
            yield Change(("value", *one.at), one.bytes)
        for place, size in labels.items():
            yield Change(("made labels", place, keys), -size)
        for one in arrays:
            if not one.wanted:
                yield Change(("value", *one.at), -one.bytes)

    def _labels(self, call: Scheduled) -> dict[int, int]:
        """Return the bytes of the label planes that a call makes, by place of their images in the plan."""
        count = len(label_keys(call.group.inputs))
        before = self.recipe.steps[call.step - 1].layer if call.step else self.recipe.source
        pixels = math.prod(before.plane_shape)
        return {
            place: count * pixels * ITEMSIZE[label.dtype]
            for place, label in enumerate(self.recipe.labels)
            if label.step == call.step + 1 and makes(label, call.group)
        }

    def _waited_for(self, number: int, step: int, group: Group, size: int) -> Generator[Change, None, Hashable]:
        reader = self.readers[step][group.inputs[0]]
        if self.in_memory:
            return self.waiting.pop((step, reader))[0]
        stack = ("stack", number)
        pieces = self.pieces.pop((step, reader))
        yield Change(stack, size)
        if len(pieces) > 1:
            yield Change(("piece", number), max(pieces) * self.sizes[step], passing=True)
        return stack

    def _post(self, step: int, keys: tuple[Key, ...], planes: Hashable, size: int) -> Generator[Change, None, bool]:
        """Let planes wait for their readers; return whether the block itself does."""
        if step == len(self.readers):
            return False
        readers = Counter(self.readers[step][key] for key in keys if key in self.readers[step])
        if not self.in_memory:
            for reader, count in readers.items():
                self.pieces.setdefault((step, reader), []).append(count)
            parts = [count * self.sizes[step] for count in readers.values() if count < len(keys)]
            encoded = size if self.recipe.config.vfs.intermediate_backend.value == "zarr" else 0
            yield Change(("sent away", planes), max(parts, default=0) + encoded, passing=True)
            return False
        for reader in readers:
            stack = self.stacks[step][reader]
            if stack == keys:
                self.waiting[step, reader] = (planes, size)
                return True
            if (step, reader) not in self.waiting:
                room = ("waiting", step, reader)
                self.waiting[step, reader] = (room, len(stack) * self.sizes[step])
                yield Change(room, len(stack) * self.sizes[step])
        return False

    def _after(self, number: int) -> Iterable[_Gather]:
        return [
            gather for gather, target in zip(self.gathers, self.recipe.targets, strict=True) if target.after == number
        ]


class _Gather:
    """Images put together from planes, as far as their bytes go."""

    def __init__(
        self,
        name: tuple[str, int],
        recipe: Recipe,
        target: Target,
        keys: Iterable[Key],
        *,
        threads: int,
        label: LabelTarget | None = None,
    ) -> None:
        self.name = name
        self.layer = target.layer if label is None else replace(target.layer, dtype=label.dtype)
        self.labels = label is not None
        self.files = target.backend == DISK
        self.one_by_one = recipe.spill
        self.zarr = label_config(recipe.config.zarr) if self.labels else recipe.config.zarr
        self.verify = recipe.config.verify
        self.threads = threads
        self.left = Counter(image_of(key) for key in keys)
        self.open: set[tuple[int, int]] = set()

    def take(self, key: Key) -> Iterator[Change]:
        """Take a plane; when its image is whole, write and drop it."""
        if self.files:
            copies = 2 * FILE_COPIES if self.verify else FILE_COPIES
            yield Change((*self.name, "file", key), copies * plane_bytes(self.layer), passing=True)
            return
        image = image_of(key)
        size = self.image_bytes(key[0])
        name = (*self.name, *image)
        self.left[image] -= 1
        if self.one_by_one and self.left[image]:
            yield Change((*name, "sent away"), plane_bytes(self.layer), passing=True)
            return
        if image not in self.open:
            self.open.add(image)
            yield Change(name, size)
        if not self.left[image]:
            yield Change((*name, "writing"), self.writing_bytes(key[0]), passing=True)
            yield Change(name, -size)

    def image_bytes(self, acquisition: int) -> int:
        """Return the bytes of one site image."""
        return plane_bytes(self.layer) * math.prod(lead_of(self.layer, acquisition, without_channels=self.labels))

    def writing_bytes(self, acquisition: int) -> int:
        """Return what an image takes beside itself while it is written: two levels, and chunks being encoded."""
        lead = lead_of(self.layer, acquisition, without_channels=self.labels)
        shapes = level_shapes(self.layer.plane_shape, self.zarr.levels)
        item = ITEMSIZE[self.layer.dtype]
        levels = math.prod(lead) * sum(math.prod(shape) for shape in shapes[1:3]) * item
        whole = (*lead, *shapes[0])
        if self.verify:
            levels += 2 * min(math.prod(whole) * item, max(READ_BACK, plane_bytes(self.layer)))
        return levels + self._encoding_bytes(whole, item)

    def _encoding_bytes(self, shape: tuple[int, ...], item: int) -> int:
        """Return the bytes of chunks that are encoded or wait to be written: two for each thread."""
        chunks, shards = plan_chunks(shape, item, self.zarr)
        sides = zip(shards or chunks, shape, chunks, strict=True)
        at_once = min(
            math.prod(-(-min(side, size) // chunk) for side, size, chunk in sides),
            1 if self.threads == 1 else 2 * self.threads,
        )
        share = ENCODED_LABELS if self.labels else ENCODED[self.layer.dtype[0]]
        # A chunk that is cut out of its plane is copied first.
        share += 0 if chunks[-2:] == shape[-2:] else 1
        return int(at_once * math.prod(chunks) * item * share)
