"""A plan changes without its plate and functions, and tells in words what differs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from openhcs.core.config import GlobalPipelineConfig, ZarrConfig
from openhcs.core.special import special_outputs
from openhcs.core.steps import FunctionStep
from openhcs.errors import FormatError, InvalidValue, OutOfBudget, PlanError, UnknownName
from openhcs.plan.again import fitted
from openhcs.plan.compile import compile_plan
from openhcs.plan.document import with_wells_of
from openhcs.plan.facts import Facts, Probed
from openhcs.plan.model import Plan
from plates import make_index


def tophat(stack, radius=3):
    return stack


def project(stack):
    return stack


@special_outputs(spots="labels")
def find(stack):
    return stack, stack


def step(func=tophat, name=None, stacks=(), out="same", **more) -> FunctionStep:
    return FunctionStep(func, name, list(stacks), out=out, out_dtype="uint16", **more)


PROBED = Probed(planes_in=1, planes_out=1, dtype="uint16", plane_shape=(64, 48), labels={"spots": "uint8"})
CONFIG = GlobalPipelineConfig(num_workers=2)


def planned(*steps: FunctionStep, index=None, config=CONFIG, wells=None, **facts) -> Plan:
    prints = {number: str(hash(one.chains[next(iter(one.chains))][0].func)) for number, one in enumerate(steps, 1)}
    facts = Facts(cores=4, fingerprints=prints, probed=dict.fromkeys(range(1, len(steps) + 1), PROBED), **facts)
    return compile_plan(index or make_index(), steps, config, facts, wells=wells)


STEPS = (step(), step(project, stacks=["site"], out="one"))


def test_a_replaced_step_gives_the_plan_that_the_changed_pipeline_gives():
    for again in (planned(*STEPS), Plan.from_json(planned(*STEPS).to_json())):
        assert again.replace(step="tophat", materialize="zarr") == planned(step(materialize="zarr"), STEPS[1])
        assert again.replace(step=2, force_disk_output="disk") == planned(
            STEPS[0], step(project, stacks=["site"], out="one", force_disk_output="disk")
        )


def test_replaced_wells_and_settings_give_the_plan_that_they_give():
    plan = planned(*STEPS)
    assert plan.replace(wells="A02") == planned(*STEPS, wells=("A02",))
    assert plan.replace(wells=["A02"]).id == plan.id
    assert plan.replace(workers=1) == planned(*STEPS, config=replace(CONFIG, num_workers=1))
    assert plan.replace(levels=1) == planned(*STEPS, config=replace(CONFIG, zarr=ZarrConfig(levels=1)))


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"step": "tophut", "materialize": "zarr"}, UnknownName, "did you mean 'tophat'"),
        ({"step": 3, "materialize": "zarr"}, UnknownName, "no step 3; it has 2"),
        ({"step": 0, "materialize": "zarr"}, UnknownName, "no step 0"),
        ({"step": "tophat", "materialise": "zarr"}, UnknownName, "did you mean 'materialize'"),
        ({"step": "tophat", "func": "f"}, UnknownName, "no setting 'func'"),
        ({"step": "tophat", "materialize": "zar"}, UnknownName, "zar"),
        ({"step": "project", "materialize": False}, PlanError, "keep nothing"),
        ({"workerz": 2}, UnknownName, "did you mean 'workers'"),
        ({"materialize": "zarr"}, UnknownName, "step="),
        ({"wells": "Z99"}, UnknownName, "Z99"),
        ({"memory_budget": 1000}, OutOfBudget, "budget"),
    ],
)
def test_what_cannot_be_replaced_is_refused_with_what_can(change, error, told):
    with pytest.raises(error, match=told):
        planned(*STEPS).replace(**change)


def test_a_name_that_two_steps_have_asks_for_a_number():
    with pytest.raises(InvalidValue, match="steps 1, 2 are named 'tophat'"):
        planned(step(), step()).replace(step="tophat", materialize="zarr")


def test_other_stacks_are_refused_where_only_a_probe_knew_what_comes_out():
    plan = planned(FunctionStep(tophat, variable_components=[]))
    with pytest.raises(PlanError, match="nor was it probed"):
        plan.replace(step="tophat", variable_components=["site"])


def test_a_plan_without_code_cannot_be_called():
    (first, _) = planned(*STEPS).origin.steps
    with pytest.raises(PlanError, match="no code"):
        first.chains[None][0](None)


def test_a_plan_fits_another_machine_and_stays_the_same_plan():
    plan = planned(*STEPS, memory=10**9)
    here = fitted(plan, Facts(cores=1, memory=5 * 10**9))
    assert (here.id, here.budget) == (plan.id, 3 * 10**9)
    assert here.to_json() != plan.to_json()
    with pytest.raises(OutOfBudget):
        fitted(plan, Facts(cores=1, memory=10**6))


def test_a_plan_with_other_content_than_its_name_says_is_refused():
    plan = planned(*STEPS)
    text = plan.to_json()
    with pytest.raises(FormatError, match="calls itself"):
        Plan.from_json(text.replace('"after": 2', '"after": 1').replace('"after":2', '"after":1'))
    forged = replace(plan, origin=replace(plan.origin, steps=plan.origin.steps[:1]))
    with pytest.raises(PlanError, match="compiled here is plan"):
        fitted(Plan.from_json(forged.to_json()), Facts())


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (lambda: planned(*STEPS), "same"),
        (lambda: planned(*STEPS, memory=10**9), "same"),
        (lambda: planned(*STEPS, step(find)), "step 3 (find) is new"),
        (lambda: planned(STEPS[0]), "step 2 (project) is gone"),
        (lambda: planned(step((tophat, {"radius": 5})), STEPS[1]), "step 1 (tophat): tophat radius: not given → 5"),
        (lambda: planned(step(project, "tophat"), STEPS[1]), "step 1 (tophat) calls: tophat → project"),
        (lambda: planned(FunctionStep(tophat, None, [], out="same", out_dtype="float32"), STEPS[1]), "uint16"),
        (lambda: planned(step(stacks=["channel"]), STEPS[1]), "step 1 (tophat) stacks: none → channel"),
        (lambda: planned(step(materialize="disk"), STEPS[1]), "stored as well: steps/1_tophat"),
        (lambda: planned(*STEPS, wells=("A02",)), "wells without A01"),
        (lambda: planned(*STEPS, index=make_index(3)), "wells with A03"),
        (lambda: planned(*STEPS, index=make_index(channels=3)), "channels with 3"),
        (lambda: planned(*STEPS, index=replace(make_index(), name="P2")), "plate: P1 → P2"),
        (
            lambda: planned(*STEPS, config=replace(CONFIG, zarr=ZarrConfig(ngff_version="0.4"))),
            "zarr.ngff_version: 0.5",
        ),
        (lambda: planned(*STEPS, config=replace(CONFIG, verify=True)), "setting verify: False → True"),
    ],
)
def test_a_difference_is_told_in_words(other, told):
    assert told in planned(*STEPS).diff(other())


def test_differences_stand_in_the_order_of_the_plan():
    names = ["m", "b", "x", "a", "k", "z", "c"]

    def measured(kind):
        return special_outputs(**dict.fromkeys(names, kind))(lambda stack: stack)

    tables, objects = (planned(step(measured(kind), "measure")) for kind in ("table", "object"))
    lines = [line for line in tables.diff(objects).splitlines() if line.startswith("results/")]
    assert lines == [f"results/{name}: table of measure → object of measure" for name in names]


def test_changed_files_and_changed_code_are_told():
    index = make_index()
    moved = replace(index.planes[0], source=replace(index.planes[0].source, size=10))
    other = planned(*STEPS, index=replace(index, planes=(moved, *index.planes[1:])))
    assert planned(*STEPS).diff(other) == "input files changed: wells with A01"
    plan = planned(*STEPS)
    facts = replace(plan.origin.facts, fingerprints={1: "other", 2: plan.recipe.steps[1].fingerprint})
    other = compile_plan(make_index(), STEPS, CONFIG, facts)
    assert plan.diff(other) == "step 1 (tophat): its functions, or what they use, changed"


def test_shards_have_every_well_once():
    plan = planned(*STEPS, index=make_index(7))
    parts = [plan.shard(number, 3) for number in (1, 2, 3)]
    assert sorted(task.well for part in parts for task in part.tasks) == sorted(plan.index.wells)
    assert [len(part.tasks) for part in parts] == [3, 2, 2]
    assert plan.shard(9, 9).tasks == ()


def test_machine_facts_change_the_text_and_not_the_identity():
    one, other = (planned(*STEPS, memory=memory) for memory in (10**9, 10**10))
    assert one.id == other.id
    assert one.to_json() != other.to_json()
    assert one.to_json() == planned(*STEPS, memory=10**9).to_json()
    assert one.to_json() == planned(*STEPS, memory=10**9, free_bytes=10**12).to_json()


def test_a_text_with_the_wells_of_earlier_runs_is_still_the_plan():
    one, other = planned(*STEPS, wells=("A01",)), planned(*STEPS, wells=("A02",))
    text = with_wells_of(other.to_json(), one.to_json())
    assert sorted(task["well"] for task in json.loads(text)["tasks"]) == ["A01", "A02"]
    assert Plan.from_json(text) == other
    assert with_wells_of(text, one.to_json()) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no JSON"),
        ("[]", "no plan"),
        ('{"plan": 1}', "no plan"),
        ('{"plan": "p", "tasks": [{"well": "A01"}]}', "another version"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_texts_that_are_no_plans_are_refused(text, told):
    with pytest.raises(FormatError, match=told):
        Plan.from_json(text)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            '"number": 1, "name": "tophat"',
            '"number": "1", "name": "tophat"',
            r"steps\[0\]\.number must be a whole number",
        ),
        ('"dtype": "uint16"', '"dtype": 5', r"dtype must be a text"),
        ('"workers": 2', '"workers": true', "workers must be a whole number"),
        ('"workers": 2', '"workers": 2, "strange": 1', r"strange must be left out"),
        ('"run": [0,1]', '"run": [0,7]', r"run\[1\] must be a number below 2"),
        ('"run": [0,1]', '"run": {}', "run must be a list"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(old, new, told):
    text = json.dumps(json.loads(planned(*STEPS).to_json())).replace('"run": [0, 1]', '"run": [0,1]')
    assert old in text
    with pytest.raises(FormatError, match=told):
        Plan.from_json(text.replace(old, new, 1))


def test_a_small_text_cannot_ask_for_more_planes_than_a_plate_has():
    document = json.loads(planned(*STEPS).to_json())
    row = document["planes"][0]
    row[1:] = [10**5, *(part for first in row[2::2] for part in (first, None))]
    document["index"]["planes"] = [0] * 1000
    with pytest.raises(FormatError, match="up to 20000000 planes"):
        Plan.from_json(json.dumps(document))
