"""What holds for every plan: each plane has one maker and one reader, and no call comes too early."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openhcs.core.config import GlobalPipelineConfig
from openhcs.core.steps import FunctionStep
from openhcs.plan.compile import compile_plan
from openhcs.plan.facts import Facts
from openhcs.plan.schedule import schedule
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


@given(plates(), pipelines)
def test_stored_objects_belong_to_one_task_each(index, pipeline):
    steps = [FunctionStep(work, "w", stacks, out=out, out_dtype="uint16") for stacks, out, _ in pipeline]
    plan = compile_plan(index, steps, GlobalPipelineConfig(), Facts())
    wells = [task.well for task in plan.tasks]
    assert len(set(wells)) == len(wells)
    assert all(plane.well == task.well for task in plan.tasks for plane in task.planes)


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
