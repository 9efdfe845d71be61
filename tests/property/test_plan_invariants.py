"""What holds for every plan: each plane has one maker and one reader, and no call comes too early."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from openhcs.core.config import GlobalPipelineConfig
from openhcs.core.special import special_inputs, special_outputs
from openhcs.core.steps import FunctionStep
from openhcs.plan.compile import compile_plan
from openhcs.plan.facts import Facts, Probed
from openhcs.plan.labels import labels_of, makes
from openhcs.plan.layers import groups_by_step, label_keys, planes_by_step
from openhcs.plan.schedule import image_of, schedule
from openhcs.plan.units import units_of
from plates import make_index

COMPONENTS = ("site", "channel", "z_index", "timepoint")


def work(stack):
    return stack


@st.composite
def plates(draw):
    sizes = [draw(st.integers(1, 3)) for _ in range(4)]
    sites, channels, z, t = sizes
    places = [
        (well, s, c, k, time)
        for well in ("A01", "A02")
        for s in range(1, sites + 1)
        for c in range(1, channels + 1)
        for k in range(1, z + 1)
        for time in range(1, t + 1)
    ]
    gaps = draw(st.sets(st.sampled_from(places), max_size=len(places) // 2))
    return make_index(2, sites, channels, z, t, gaps=frozenset(gaps), shape=(8, 8))


pipelines = st.lists(
    st.tuples(st.lists(st.sampled_from(COMPONENTS), unique=True), st.sampled_from(["same", "one"]), st.booleans()),
    max_size=4,
)


@given(plates(), pipelines)
def test_every_plane_is_made_once_read_once_and_never_before_it_is_made(index, pipeline):
    steps = [
        FunctionStep(work, "w", stacks, out=out, out_dtype="uint16", force_disk_output=keep)
        for stacks, out, keep in pipeline
    ]
    plan = compile_plan(index, steps, GlobalPipelineConfig(), Facts())
    for task in plan.tasks:
        made = [set(task.keys), *(set() for _ in steps)]
        read = [set() for _ in range(len(steps) + 1)]
        for call in schedule(plan.recipe, task.keys, task.well):
            inputs, outputs = set(call.group.inputs), set(call.group.outputs)
            assert inputs <= made[call.step], "a call ran before its stack was whole"
            assert not inputs & read[call.step], "a plane was read twice"
            assert not outputs & made[call.step + 1], "a plane was made twice"
            read[call.step] |= inputs
            made[call.step + 1] |= outputs
        assert all(read[number] == made[number] for number in range(len(steps)))


@given(plates(), pipelines)
def test_the_same_input_gives_the_same_plan(index, pipeline):
    steps = [FunctionStep(work, "w", stacks, out=out, out_dtype="uint16") for stacks, out, _ in pipeline]
    plans = [compile_plan(index, steps, GlobalPipelineConfig(), Facts()) for _ in range(2)]
    assert plans[0].to_json() == plans[1].to_json()


@special_outputs(counts="table", seen="object")
def look(stack):
    return stack, [], {}


@special_inputs("seen")
@special_outputs(total="array")
def total(seen):
    return None


@given(plates(), pipelines, st.booleans())
def test_stored_objects_belong_to_one_task_each(index, pipeline, staged):
    steps = [
        FunctionStep(work, "w", stacks, out=out, out_dtype="uint16", force_disk_output=keep)
        for stacks, out, keep in pipeline
    ]
    if staged:
        looking = FunctionStep(look, "look", [], out="same", out_dtype="uint16", force_disk_output="disk")
        steps = [looking, FunctionStep(total, "total", ["well"]), *steps]
    plan = compile_plan(index, steps, GlobalPipelineConfig(), Facts())
    owned = [(unit, task.id) for stage in plan.stages for task in stage.tasks for unit in units_of(plan, stage, task)]
    assert len({unit for unit, _ in owned}) == len(owned)
    assert not [one for one, _ in owned for other, _ in owned if other.startswith(f"{one}/")]
    ids = [task.id for stage in plan.stages for task in stage.tasks]
    assert len(set(ids)) == len(ids)
    wells = [task.well for task in plan.tasks]
    assert wells == list(plan.index.wells)
    assert all(plane.well == task.well for task in plan.tasks for plane in task.planes)
    parts = [plan.shard(number, 3) for number in (1, 2, 3)]
    assert sorted(task.well for part in parts for task in part.tasks) == sorted(wells)


@given(plates())
def test_a_chain_that_stacks_nothing_carries_one_plane_at_a_time(index):
    """Planes alive between the calls, counted along the schedule, never exceed one per step."""
    steps = [FunctionStep(work, f"w{n}", [], out="same", out_dtype="uint16") for n in range(3)]
    plan = compile_plan(index, steps, GlobalPipelineConfig(), Facts())
    for task in plan.tasks:
        alive: set[tuple[int, object]] = set()
        for call in schedule(plan.recipe, task.keys, task.well):
            alive -= {(call.step, key) for key in call.group.inputs}
            if call.step + 1 < len(steps):
                alive |= {(call.step + 1, key) for key in call.group.outputs}
            assert len(alive) <= 1


@special_outputs(nuclei="labels")
def segment(stack):
    return stack, stack


PROBED = Probed(planes_in=1, planes_out=1, dtype="uint16", plane_shape=(8, 8), labels={"nuclei": "uint32"})


def uneven():
    """Return a plate whose wells have other sites in each channel."""
    there = {("A01", 2, 2), ("A02", 1, 1), ("A02", 1, 2), ("A02", 2, 1)}
    index = make_index(2, 2, 2, 1, 1, shape=(8, 8))
    return replace(index, planes=tuple(one for one in index.planes if (one.well, one.site, one.channel) in there))


@example(uneven(), [(["site"], "one", False)], 0, "channel")
@given(plates(), pipelines, st.integers(0, 3), st.sampled_from([None, "channel", "site"]))
def test_every_label_plane_is_made_once_and_lies_beneath_a_stored_image(index, pipeline, at, group_by):
    steps = []
    for number, (stacks, out, keep) in enumerate(pipeline or [([], "same", False)]):
        by_value = number == at % max(1, len(pipeline)) and group_by not in (None, *stacks)
        labelled = number == at % max(1, len(pipeline))
        there = str(min(getattr(plane, group_by) for plane in index.planes)) if by_value else ""
        func = {there: segment} if by_value else segment if labelled else work
        more = {"group_by": group_by, "unmatched": "pass"} if by_value else {}
        steps.append(
            FunctionStep(func, f"w{number}", stacks, out=out, out_dtype="uint16", force_disk_output=keep, **more)
        )
    plan = compile_plan(index, steps, GlobalPipelineConfig(), Facts(probed=dict.fromkeys(range(1, 5), PROBED)))
    assert plan.recipe.labels
    assert len({(label.target, label.name) for label in plan.recipe.labels}) == len(plan.recipe.labels)
    for task in plan.tasks:
        groups = groups_by_step(plan.recipe, task.keys, task.well)
        made = planes_by_step(task.keys, groups)
        calls = schedule(plan.recipe, task.keys, task.well)
        for label, keys, images in zip(plan.recipe.labels, labels_of(plan.recipe, groups), task.labels, strict=True):
            mine = [call.group for call in calls if call.step + 1 == label.step and makes(label, call.group)]
            planes = [key for group in mine for key in label_keys(group.inputs)]
            assert len(planes) == len(set(planes)), "a label plane was made twice"
            assert set(planes) == set(keys)
            home = plan.recipe.targets[label.target]
            assert {image_of(key) for key in planes} <= {image_of(key) for key in made[home.after]}
            assert images == len({image_of(key) for key in planes})
            for acquisition, _, t, _, z in planes:
                assert t in home.layer.axes[acquisition][1]
                assert z in home.layer.axes[acquisition][3]
