"""The course of a task's buffers: each is born once and freed once, and their peak is that of a counted run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, reject
from hypothesis import strategies as st

from openhcs.core.config import GlobalPipelineConfig, VFSConfig
from openhcs.core.special import special_inputs, special_outputs
from openhcs.core.steps import FunctionStep
from openhcs.errors import PlanError
from openhcs.plan.compile import compile_plan
from openhcs.plan.facts import Facts, Probed
from openhcs.plan.heap import Heap
from openhcs.plan.labels import labels_of, makes
from openhcs.plan.layers import groups_by_step, label_keys, planes_by_step
from openhcs.plan.peak import MARGIN, RESERVED, _Course, changes, live_peak, peak_bytes
from openhcs.plan.schedule import Scheduled, schedule
from openhcs.run.calls import Made
from openhcs.run.exchange import Exchange
from openhcs.run.gather import Gathering
from openhcs.run.mailbox import mailbox
from plates import make_index

STACKS = ([], ["z_index"], ["site"], ["channel", "z_index"], ["timepoint", "site"])
SHAPE = (8, 8)
FIELD = 300
"""Bytes of an array that is made beside images."""


def work(stack):
    return stack


@special_outputs(nuclei="labels", field="array")
def segment(stack):
    return stack, stack, stack


@special_inputs("nuclei")
def inside(stack, nuclei):
    return stack


@special_inputs("field")
def flat(stack, field):
    return stack


@st.composite
def plans(draw, **vfs):
    sizes = [draw(st.integers(1, 3)) for _ in range(4)]
    sites, channels, z, t = sizes
    places = [
        ("A01", s, c, k, time)
        for s in range(1, sites + 1)
        for c in range(1, channels + 1)
        for k in range(1, z + 1)
        for time in range(1, t + 1)
    ]
    takers = draw(st.sampled_from([[work], [work, inside, flat]]))
    gaps = draw(st.sets(st.sampled_from(places), max_size=len(places) // 2 if takers == [work] else 0))
    index = make_index(1, sites, channels, z, t, gaps=frozenset(gaps), shape=SHAPE)
    steps, probed = [], {}
    count = draw(st.integers(1, 4))
    labelled = draw(st.integers(0, 4))
    for number in range(1, count + 1):
        stacks = draw(st.sampled_from(STACKS))
        dtype = draw(st.sampled_from(["uint16", "float64"]))
        out = draw(st.sampled_from(["same", "one"]))
        taken = draw(st.sampled_from(takers)) if labelled and number > labelled else work
        func, more = segment if number == labelled else taken, {}
        if draw(st.booleans()) and "channel" not in stacks and index.dtype == dtype and not steps:
            unmatched = draw(st.sampled_from(["drop", "pass"]))
            func = {str(index.planes[0].channel): func}
            more = {"group_by": "channel", "unmatched": unmatched}
        copy = draw(st.booleans())
        steps.append(FunctionStep(func, f"w{number}", stacks, out=out, out_dtype=dtype, force_disk_output=copy, **more))
        probed[number] = Probed(
            planes_in=2,
            planes_out=2 if out == "same" else 1,
            dtype=dtype,
            plane_shape=SHAPE,
            labels={"nuclei": "uint32"},
            values={"field": "array"},
            arrays={"field": FIELD},
            scratch=draw(st.sampled_from([None, 0.0, 2.5])),
        )
    try:
        return compile_plan(index, steps, GlobalPipelineConfig(vfs=VFSConfig(**vfs)), Facts(probed=probed))
    except PlanError:  # labels of what was projected in between cannot be taken
        reject()


@given(plans())
def test_every_buffer_is_born_once_and_freed_once(plan):
    check_lives(plan)


@given(plans(intermediate_backend="disk"))
def test_every_buffer_is_born_and_freed_where_intermediates_lie_on_a_disk(plan):
    check_lives(plan)


def check_lives(plan):
    for task in plan.tasks:
        alive, seen = {}, set()
        for change in changes(plan.recipe, task.keys, task.well):
            if change.passing:
                continue
            if change.bytes > 0:
                assert change.name not in seen, "a buffer was born twice"
                seen.add(change.name)
                alive[change.name] = change.bytes
            else:
                assert alive.pop(change.name) == -change.bytes, "a buffer was freed with another size"
        assert not alive, "a buffer was never freed"


@given(plans(), st.integers(1, 3))
def test_the_peak_is_that_of_a_run_whose_arrays_are_counted_at_every_moment(plan, threads):
    for task in plan.tasks:
        counted = Count(plan, task, threads).run()
        assert live_peak(plan.recipe, task.keys, task.well, threads=threads) == counted
        assert peak_bytes(plan.recipe, task.keys, task.well, threads=threads) >= int((counted + RESERVED) * MARGIN)


def test_labels_count_as_they_are_handed_to_a_call():
    """The call that takes them has the largest peak here."""
    steps = [
        FunctionStep(func, name, ["z_index"], out="same", out_dtype="uint16")
        for func, name in ((segment, "a"), (inside, "b"))
    ]
    known = {"planes_in": 3, "planes_out": 3, "dtype": "uint16", "plane_shape": SHAPE}
    made = {"labels": {"nuclei": "uint32"}, "values": {"field": "array"}, "arrays": {"field": 0}, "scratch": 0.0}
    probed = {1: Probed(**known, **made), 2: Probed(**known, scratch=9.0)}
    plan = compile_plan(make_index(1, 1, 1, 3, shape=SHAPE), steps, GlobalPipelineConfig(), Facts(probed=probed))
    (task,) = plan.tasks
    stack, labels = 3 * 128, 3 * 256
    assert live_peak(plan.recipe, task.keys, task.well) == stack + labels + stack + 9 * stack


class Count:
    """Goes through a task's calls with arrays of zeros, and adds up all that is held after each move."""

    def __init__(self, plan, task, threads):
        (stage,) = plan.stages
        self.recipe, self.task, recipe = plan.recipe, task, plan.recipe
        self.layers = [recipe.source, *(step.layer for step in recipe.steps)]
        groups = groups_by_step(recipe, task.keys, task.well)
        self.boxes = {number: mailbox(groups[number], None) for number in range(1, len(groups))}
        self.exchange = Exchange(stage, groups, None)
        made = planes_by_step(task.keys, groups)
        models = _Course(recipe, task.keys, task.well, threads)
        self.images = [
            self.gathering(made[target.after], target.layer, models.gathers[place])
            for place, target in enumerate(recipe.targets)
        ]
        self.labels = [
            self.gathering(keys, without_channels(recipe, label), models.label_gathers[place])
            for place, (label, keys) in enumerate(zip(recipe.labels, labels_of(recipe, groups), strict=True))
        ]
        self.local = []
        self.peak = 0

    def gathering(self, keys, layer, model):
        def whole(image, pixels):
            self.look(pixels.nbytes + model.writing_bytes(image[0]))

        return Gathering(keys, axes=layer.axes, dtype=layer.dtype, plane_shape=layer.plane_shape, whole=whole)

    def look(self, more=0):
        arrays = [*self.local, *self.passed()]
        for box in self.boxes.values():
            arrays += box._waiting.values()
        for gathering in (*self.images, *self.labels):
            arrays += gathering._open.values()
        self.peak = max(self.peak, more + sum(array.nbytes for array in owners(arrays).values()))

    def passed(self):
        """Return the special values that wait for a later call: label planes and arrays."""
        for value in self.exchange._values.values():
            yield from value.values() if isinstance(value, dict) else [value]

    def keep(self, after, keys, planes):
        for target, gathering in zip(self.recipe.targets, self.images, strict=True):
            for key, plane in zip(keys, planes, strict=True) if target.after == after else ():
                gathering.put(key, plane)
                self.look()

    def run(self):
        for call in schedule(self.recipe, self.task.keys, self.task.well):
            step, group = call.step, call.group
            if step <= 0:
                stack = np.zeros((len(group.inputs), *SHAPE), self.layers[0].dtype)
                self.local = [stack]
                self.look(stack[0].nbytes)
                self.keep(0, group.inputs, stack)
            else:
                stack = self.boxes[step].take(group)
                self.local = [stack]
                self.look()
            if step >= 0:
                self.call(step, group, stack)
            self.local = []
        return self.peak

    def call(self, step, group, planes):
        if group.chain != "pass":
            taken = planes.nbytes
            call = Scheduled(step, group)
            held = [planes, *self.passed()]
            handed = self.exchange.take(call).values()
            given = [one for value in handed for one in (value if isinstance(value, list) else [value])]
            self.local = [*held, *given]
            self.look()
            self.local = [planes, *given]
            planes = np.zeros((len(group.outputs), *SHAPE), self.layers[step + 1].dtype)
            keys = label_keys(group.inputs)
            mine = [(place, label) for place, label in enumerate(self.recipe.labels)
                    if label.step == step + 1 and makes(label, group)]  # fmt: skip
            labels = {label.output: np.zeros((len(keys), *SHAPE), label.dtype) for _, label in mine}
            fields = {value.name: np.zeros(FIELD, np.uint8) for value in self.recipe.values
                      if value.step == step + 1 and group.chain in value.chains}  # fmt: skip
            more = [*labels.values(), *fields.values()]
            made = planes.nbytes + sum(array.nbytes for array in more)
            scratch = self.recipe.steps[step].scratch
            self.look(made + (taken + made if scratch is None else int(scratch * taken)))
            self.local = [planes, *more]
            self.look()
            for place, label in mine:
                for key, plane in zip(keys, labels[label.output], strict=True):
                    self.labels[place].put(key, plane)
                    self.look()
            self.look(2 * max((field.nbytes for field in fields.values()), default=0))
            self.exchange.put(call, Made(planes, labels, fields))
            self.look()
        self.local = [planes]
        self.keep(step + 1, group.outputs, planes)
        if step + 1 in self.boxes:
            self.boxes[step + 1].put(group.outputs, planes)
            self.look()


def owners(arrays):
    """Return the arrays that own the memory of others, each once."""
    found = {}
    for array in arrays:
        owner = array
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        found[id(owner)] = owner
    return found


def without_channels(recipe, label):
    layer = recipe.targets[label.target].layer
    axes = {number: (sites, ts, (0,), zs) for number, (sites, ts, _, zs) in layer.axes.items()}
    return replace(layer, axes=axes, dtype=label.dtype)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_images_are_made_one_after_the_other_where_no_step_stacks_sites(sites, channels, z, drop):
    """Also of copies of what a later step leaves out, and of planes that are stored as they were read."""
    index = make_index(1, sites, channels, z, shape=SHAPE)
    more = {"group_by": "channel", "unmatched": "drop"} if drop else {}
    last = FunctionStep({"1": segment} if drop else segment, "s", ["z_index"], out="one", out_dtype="uint16", **more)
    steps = [FunctionStep(work, "w", [], out="same", out_dtype="uint16", force_disk_output=True), last]
    probed = Probed(planes_in=2, planes_out=1, dtype="uint16", plane_shape=SHAPE, labels={"nuclei": "uint32"})
    plan = compile_plan(index, steps, GlobalPipelineConfig(), Facts(probed={2: probed}))
    (task,) = plan.tasks
    open_images = set()
    for change in changes(plan.recipe, task.keys, task.well):
        if not change.passing and change.name[0] == "image":
            (open_images.add if change.bytes > 0 else open_images.discard)(change.name)
            assert len({name[2:] for name in open_images}) <= 1


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 9)), max_size=60))
def test_blocks_of_the_heap_never_overlap_and_all_gaps_are_used(moves):
    """Each move takes a block and frees one of those that are there, by its place; 0 frees none."""
    heap, blocks, most = Heap(), [], 0
    for size, freed in moves:
        address = heap.take(size)
        assert all(address + size <= start or start + length <= address for start, length in blocks)
        blocks.append((address, size))
        most = max(most, sum(length for _, length in blocks))
        if freed and freed <= len(blocks):
            heap.free(*blocks.pop(freed - 1))
        assert most <= heap.top
        assert heap.top >= max((start + length for start, length in blocks), default=0)
    for block in blocks:
        heap.free(*block)
    top = heap.top
    assert heap.take(max(1, top)) == 0
    assert heap.top == max(1, top)


@given(st.sets(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 2)), max_size=2), st.sampled_from(STACKS))
def test_a_well_that_lacks_a_few_planes_is_planned_with_no_less_than_it_takes(missing, stacks):
    gaps = frozenset(("A02", site, channel, z, 1) for site, channel, z in missing)
    index = make_index(2, 3, 3, 2, gaps=gaps, shape=SHAPE)
    steps = [FunctionStep(work, f"w{number}", stacks, out="same", out_dtype="uint16") for number in range(2)]
    plan = compile_plan(index, steps, GlobalPipelineConfig(), Facts())
    for task in plan.tasks:
        assert task.peak_bytes >= (live_peak(plan.recipe, task.keys, task.well) + RESERVED) * MARGIN - 1
