"""Where the labels of a plan go, what they are called, and what they take."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from openhcs import GlobalPipelineConfig, MaterializationBackend, VFSConfig, special_outputs
from openhcs.core.config import ZarrConfig
from openhcs.core.steps import FunctionStep
from openhcs.errors import PlanError
from openhcs.plan.compile import compile_plan
from openhcs.plan.facts import Facts, Probed
from openhcs.plan.schedule import schedule
from plates import make_index

DISK = GlobalPipelineConfig(vfs=VFSConfig(materialization_backend=MaterializationBackend.DISK))


def work(stack):
    return stack


@special_outputs(nuclei="labels")
def segment(stack):
    return stack, stack


def step(func=segment, stacks=(), **more):
    return FunctionStep(func, more.pop("name", "find"), list(stacks), **({"out": "same", "out_dtype": "uint16"} | more))


def probed(number=1, dtype="uint32", names=("nuclei",), shape=(64, 48)):
    labels = dict.fromkeys(names, dtype)
    return {number: Probed(planes_in=1, planes_out=1, dtype="uint16", plane_shape=shape, labels=labels)}


def planned(steps, index=None, config=None, *, known=None, **facts):
    facts = Facts(cores=2, probed=probed() if known is None else known, **facts)
    return compile_plan(index or make_index(channels=1), steps, config or GlobalPipelineConfig(), facts)


def homes(plan):
    targets = plan.recipe.targets
    return [(label.name, targets[label.target].after, targets[label.target].path) for label in plan.recipe.labels]


def test_labels_lie_beneath_the_output_where_the_input_is_not_stored():
    plan = planned([step()])
    assert homes(plan) == [("nuclei", 1, "images.zarr")]
    assert [target.path for target in plan.recipe.targets] == ["images.zarr"]
    label = plan.recipe.labels[0]
    assert (label.dtype, label.known, label.channel) == ("uint32", "probed 1", 1)


def test_labels_lie_beneath_the_input_where_that_is_stored():
    plan = planned([step(work, force_disk_output=True, name="blur"), step()], known=probed(2))
    assert homes(plan) == [("nuclei", 1, "steps/1_blur.zarr")]


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        ({"out": "one", "stacks": ["z_index"]}, ["images.zarr", "steps/0_plate.zarr"]),
        ({"materialize": False}, ["steps/0_plate.zarr"]),
    ],
)
def test_the_plan_stores_the_input_of_labels_that_have_no_other_home_and_says_so(changes, paths):
    plan = planned([step(**changes)], make_index(channels=1, z=3))
    assert [target.path for target in plan.recipe.targets] == paths
    assert homes(plan) == [("nuclei", 0, "steps/0_plate.zarr")]
    assert plan.recipe.targets[-1].why == "labels nuclei go beneath it"
    assert "labels nuclei go beneath it" in plan.explain()
    assert any("steps/0_plate.zarr is stored too" in warning for warning in plan.warnings)


def test_an_input_that_is_stored_for_labels_is_named_by_its_step():
    steps = [step(work, name="blur"), step(materialize=False)]
    plan = planned(steps, known=probed(2))
    assert homes(plan) == [("nuclei", 1, "steps/1_blur.zarr")]
    assert plan.recipe.steps[0].writes == ("memory", "zarr")
    assert plan.recipe.steps[0].why == "labels nuclei go beneath it"


def test_a_cropped_image_is_no_home_for_labels_of_the_whole():
    assert homes(planned([step()], known=probed(shape=(32, 48)))) == [("nuclei", 0, "steps/0_plate.zarr")]


def test_tiffs_are_no_home_for_labels():
    plan = planned([step()], config=DISK)
    assert [(target.backend, target.path) for target in plan.recipe.targets] == [
        ("disk", "images"),
        ("zarr", "steps/0_plate.zarr"),
    ]


def test_tiffs_and_a_store_of_the_same_step_stand_side_by_side():
    steps = [step(work, force_disk_output="disk", name="blur"), step(materialize=False)]
    plan = planned(steps, known=probed(2))
    assert [(target.after, target.backend, target.path) for target in plan.recipe.targets] == [
        (1, "disk", "steps/1_blur"),
        (1, "zarr", "steps/1_blur.zarr"),
    ]
    assert plan.recipe.steps[0].writes == ("memory", "disk", "zarr")


def test_a_single_store_takes_labels_only_beneath_its_own_images():
    assert homes(planned([step()], store_output=True)) == [("nuclei", 1, "")]
    with pytest.raises(PlanError, match=r"one store; .*steps/0_plate.zarr \(labels nuclei .*Name a folder"):
        planned([step(out="one", stacks=["z_index"])], make_index(channels=1, z=3), store_output=True)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("DAPI", "FITC"), {"nuclei_DAPI", "nuclei_FITC"}),
        (("Alexa 488/x", "a.b."), {"nuclei_Alexa_488_x", "nuclei_a.b"}),
        (("a b", "A/B"), {"nuclei_a_b_1", "nuclei_A_B_2"}),
        (("..", "DAPI"), {"nuclei__1", "nuclei_DAPI"}),
    ],
)
def test_labels_of_several_channels_are_named_after_them(names, expected):
    index = make_index(channels=2)
    channels = tuple(replace(one, name=name) for one, name in zip(index.channels, names, strict=True))
    plan = planned([step()], replace(index, channels=channels))
    assert {label.name for label in plan.recipe.labels} == expected
    assert [label.channel for label in plan.recipe.labels] == [1, 2]


def test_labels_of_one_channel_of_several_have_the_plain_name():
    plan = planned([step({"DAPI": segment, "FITC": work})], make_index(channels=2))
    assert [(label.name, label.channel, label.chains) for label in plan.recipe.labels] == [("nuclei", 1, ("DAPI",))]
    plan = planned([step({"2": segment}, unmatched="pass")], make_index(channels=3))
    assert [(label.name, label.channel) for label in plan.recipe.labels] == [("nuclei", 2)]


def test_a_call_that_sees_all_channels_makes_one_label_image_per_site():
    plan = planned([step(stacks=["channel"])], make_index(channels=3))
    assert [(label.name, label.channel) for label in plan.recipe.labels] == [("nuclei", None)]
    assert plan.label_images(plan.recipe.labels[0]) == 4


def test_what_is_stored_is_counted_with_labels():
    index = make_index(wells=2, sites=3, channels=2, z=2, shape=(600, 300))
    plain = planned([step(work)], index, known={})
    plan = planned([step({"1": segment, "2": work})], index, known=probed(shape=(600, 300)))
    label = plan.recipe.labels[0]
    assert (label.levels, label.objects, plan.recipe.targets[0].levels) == (3, 3, 3)
    assert plan.stored_objects == plain.stored_objects + 2 * 3 * 3
    pixels = 2 * (600 * 300 + 300 * 150 + 150 * 75)
    assert plan.raw_bytes_out == plain.raw_bytes_out + 2 * 3 * 4 * pixels
    assert plan.tasks[0].labels == (3,)
    assert plan.peak_bytes >= plain.peak_bytes + 2 * 600 * 300 * 4


def test_chunks_chosen_for_images_serve_labels_without_their_channel():
    zarr = ZarrConfig(chunk_strategy="custom", chunk_shape=(1, 1, 32, 48))
    plan = planned([step()], make_index(channels=1, z=2), GlobalPipelineConfig(zarr=zarr))
    assert plan.recipe.labels[0].objects == 2 * 2


def test_the_plan_shows_labels_beneath_their_step_as_the_table_has_it():
    lines = planned([step({"1": segment, "2": work}), step(work)], make_index(channels=2)).explain().splitlines()
    head = next(line for line in lines if line.startswith("#"))
    row = lines[lines.index(head) + 2]
    assert row.split() == ["nuclei", "site,chan", "–", "–", "labels", "u4", "probed", "1", "end", "special", "output"]
    assert row.index("nuclei") == head.index("step")
    assert any(line.split()[:4] == ["labels", "nuclei", "4", "images"] for line in lines)


def test_labels_are_part_of_the_plans_text_and_identity():
    plan = planned([step()])
    assert json.loads(plan.to_json())["recipe"]["labels"][0]["name"] == "nuclei"
    other = planned(
        [step(special_outputs(cells="labels")(lambda stack: (stack, stack)))], known=probed(names=["cells"])
    )
    wider = planned([step()], known=probed(dtype="uint16"))
    assert len({plan.id, other.id, wider.id, planned([step(work)], known={}).id}) == 4
    assert plan.id == planned([step()]).id


def test_calls_that_make_labels_run_even_if_nobody_needs_their_images():
    plan = planned([step(), step({"1": work}, unmatched="drop")], make_index(channels=2))
    task = plan.tasks[0]
    calls = [call for call in schedule(plan.recipe, task.keys, task.well) if call.step == 0]
    assert {call.group.inputs[0][3] for call in calls} == {1, 2}


BOTH = probed(1, names=("nuclei", "Nuclei", "a", "A")) | probed(2, names=("nuclei", "Nuclei"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nuclei", r"steps 1 \(find\) and 2 \(find\) both make 'nuclei'"),
        ("Nuclei", "steps 1 and 2 both make labels 'Nuclei' beneath the images of steps/1_find"),
    ],
)
def test_steps_that_make_one_name_are_refused_and_those_of_one_name_in_a_folder(name, words):
    other = step(special_outputs(**{name: "labels"})(lambda stack: (stack, stack)))
    with pytest.raises(PlanError, match=words):
        planned([step(out="same", force_disk_output=True), other], known=BOTH)


def test_a_step_that_makes_one_name_twice_is_refused():
    with pytest.raises(PlanError, match="'nuclei' twice in one chain"):
        planned([step([segment, segment])])
    with pytest.raises(PlanError, match="step 1 makes labels 'a' and 'A' beneath the same images"):
        planned([step(special_outputs(a="labels", A="labels")(lambda stack: (stack,) * 3))], known=BOTH)


def test_names_of_one_folder_beneath_images_of_different_steps_are_fine():
    steps = [step(), step(special_outputs(Nuclei="labels")(lambda stack: (stack, stack)))]
    assert homes(planned(steps, known=BOTH)) == [
        ("nuclei", 0, "steps/0_plate.zarr"),
        ("Nuclei", 2, "images.zarr"),
    ]


def test_labels_that_no_call_was_tried_of_are_refused():
    with pytest.raises(PlanError, match="no call of it was tried"):
        planned([step()], known={})


def test_acquisitions_of_other_depth_are_counted_as_they_are():
    index = make_index(wells=1, sites=1, channels=1, z=3)
    flat = replace(index.planes[0], acquisition=1)
    index = replace(index, planes=(*index.planes, flat))
    config = GlobalPipelineConfig(zarr=ZarrConfig(ngff_version="0.4"))
    assert planned([], index, config, known={}).stored_objects == 3 + 1
    plan = planned([step()], index, config)
    assert plan.stored_objects == 2 * (3 + 1)
    assert plan.raw_bytes_out == (3 + 1) * 64 * 48 * (2 + 4)
