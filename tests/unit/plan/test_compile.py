"""A pipeline held against a plate: what is planned, and what is refused before anything runs."""

from __future__ import annotations

import json

import pytest

from openhcs.constants.constants import GroupBy, VariableComponents
from openhcs.core.config import GlobalPipelineConfig, MaterializationBackend, VFSConfig
from openhcs.core.plate import PlaneState
from openhcs.core.special import special_inputs, special_outputs
from openhcs.core.steps import FunctionStep
from openhcs.errors import InputError, MissingPlanes, OutOfBudget, PlanError, StorageFull
from openhcs.plan.admit import PROCESS
from openhcs.plan.compile import compile_plan
from openhcs.plan.facts import Facts, Probed
from plates import make_index

SITE, CHANNEL, Z = VariableComponents.SITE, VariableComponents.CHANNEL, VariableComponents.Z_INDEX
CONFIG = GlobalPipelineConfig()


def work(stack):
    return stack


def said(name="work", stacks=(), func=work, **more):
    more.setdefault("out", "same")
    more.setdefault("out_dtype", "uint16")
    return FunctionStep(func, name, list(stacks), **more)


def planned(steps, index=None, config=CONFIG, facts=None, **more):
    return compile_plan(index or make_index(), steps, config, facts or Facts(cores=2), **more)


def test_without_steps_the_plan_keeps_the_plate_as_it_was_read():
    plan = planned([])
    assert [(target.after, target.backend, target.path) for target in plan.recipe.targets] == [
        (0, "zarr", "images.zarr")
    ]
    assert [task.calls for task in plan.tasks] == [0, 0]
    assert plan.images(plan.recipe.targets[0]) == 4


def test_a_step_runs_once_per_combination_of_the_components_it_does_not_stack():
    index = make_index(wells=1, sites=3, channels=2, z=4)
    assert planned([said(stacks=[])], index).tasks[0].calls == 3 * 2 * 4
    assert planned([said(stacks=[SITE])], index).tasks[0].calls == 2 * 4
    assert planned([said(stacks=[SITE, CHANNEL])], index).tasks[0].calls == 4
    assert planned([said(stacks=[SITE, CHANNEL, Z])], index).tasks[0].calls == 1


def test_one_collapses_the_stack_to_the_first_label_of_the_plate():
    index = make_index(wells=2, sites=1, z=3, gaps=frozenset({("A02", 1, 1, 1, 1)}))
    plan = planned([said(stacks=[Z], out="one")], index)
    assert plan.recipe.targets[0].layer.axes == {0: ((1,), (1,), (1, 2), (1,))}


def test_named_labels_replace_those_of_the_stack():
    plan = planned([said(stacks=[CHANNEL], out=[7, 8, 9])])
    assert plan.recipe.targets[0].layer.axes == {0: ((1, 2), (1,), (7, 8, 9), (1,))}


def test_what_is_not_said_is_taken_from_the_probe():
    probed = {1: Probed(planes_in=2, planes_out=1, dtype="float32", plane_shape=(32, 24))}
    step = planned([FunctionStep(work, "p", [SITE])], facts=Facts(probed=probed)).recipe.steps[0]
    assert (step.out, step.known, step.layer.dtype, step.layer.plane_shape) == ("one", "probed 2", "float32", (32, 24))


def test_a_probe_that_gives_another_number_of_planes_asks_for_labels():
    probed = {1: Probed(planes_in=4, planes_out=3, dtype="uint16", plane_shape=(64, 48))}
    with pytest.raises(PlanError, match=r"made 3 planes of 4.*out=\[1"):
        planned([FunctionStep(work, "p", [SITE])], facts=Facts(probed=probed))


def test_intermediates_stay_in_memory_and_the_last_images_are_materialised():
    steps = [said("a"), said("b", force_disk_output=True), said("c", stacks=[SITE])]
    plan = planned(steps)
    assert [(step.reads, step.writes) for step in plan.recipe.steps] == [
        ("disk", ("memory",)),
        ("memory", ("memory", "zarr")),
        ("memory", ("zarr",)),
    ]
    assert [target.path for target in plan.recipe.targets] == ["steps/2_b.zarr", "images.zarr"]


def test_force_disk_output_on_the_last_step_adds_nothing():
    assert len(planned([said("a", force_disk_output=True)]).recipe.targets) == 1


def test_a_named_backend_is_honoured():
    plan = planned([said("a", force_disk_output="disk"), said("b")])
    assert [(target.backend, target.path) for target in plan.recipe.targets] == [
        ("disk", "steps/1_a"),
        ("zarr", "images.zarr"),
    ]
    disk = GlobalPipelineConfig(vfs=VFSConfig(materialization_backend=MaterializationBackend.DISK))
    assert [(target.backend, target.path) for target in planned([said("a")], config=disk).recipe.targets] == [
        ("disk", "images")
    ]


def test_a_dtype_that_ome_tiff_cannot_hold_is_refused_before_anything_runs():
    from openhcs.io.tiff import OME_TYPES
    from openhcs.plan.declare import OME_TIFF

    assert set(OME_TYPES) == OME_TIFF
    with pytest.raises(PlanError, match=r"step 1 \(a\).*OME-TIFF.*int64.*zarr"):
        planned([said("a", force_disk_output="disk", out_dtype="int64"), said("b")])
    assert planned([said("a", force_disk_output="zarr", out_dtype="int64"), said("b")]).tasks


def test_a_plan_that_keeps_nothing_is_refused():
    with pytest.raises(PlanError, match="keep nothing"):
        planned([said("a", materialize=False)])


def test_functions_are_picked_by_channel_number_or_name():
    step = said(func={"DAPI": work, "2": work})
    assert planned([step]).recipe.steps[0].picks == {"1": "DAPI", "2": "2"}


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (said(func={"1": work, "2": work, "9": work}), "channel '9'.*does not have"),
        (said(func={"DAPY": work, "2": work}), "did you mean 'DAPI'"),
        (said(func={"1": work}), "no function for channel FITC.*unmatched"),
        (said(func={"1": work}, stacks=[CHANNEL]), "say group_by"),
        (said(stacks=[SITE], group_by=GroupBy.SITE), "groups by site and stacks site.*Either take"),
        (said(stacks=[VariableComponents.WELL]), "stacks wells"),
        (said(stacks=[SITE, CHANNEL], out=[1, 2]), "exactly one component"),
        (said(func={"1": work}, unmatched="drop", group_by="z_index", stacks=[]), None),
    ],
)
def test_a_step_that_cannot_work_is_refused_with_the_way_out(step, words):
    if words is None:
        planned([step])
        return
    with pytest.raises(PlanError, match=f"(?s){words}"):
        planned([step])


def test_groups_without_functions_are_dropped_or_passed_on():
    dropped = planned([said(func={"1": work}, unmatched="drop")])
    assert dropped.recipe.targets[0].layer.axes[0][2] == (1,)
    passed = planned([said(func={"1": work}, unmatched="pass")])
    assert passed.recipe.targets[0].layer.axes[0][2] == (1, 2)


@pytest.mark.parametrize(("dtype", "shape"), [("uint8", (64, 48)), ("uint16", (32, 24))])
def test_images_passed_on_beside_others_of_another_kind_are_refused(dtype, shape):
    facts = Facts(probed={1: Probed(planes_in=1, planes_out=1, dtype=dtype, plane_shape=shape)})
    with pytest.raises(PlanError, match=rf"makes {dtype}.*passes on images of uint16.*unmatched=\"drop\""):
        planned([FunctionStep({"1": work}, "p", [], unmatched="pass")], facts=facts)
    assert planned([FunctionStep({"1": work}, "p", [], unmatched="drop")], facts=facts).tasks


def test_missing_planes_are_counted_and_the_flag_is_shown():
    absent = {("A01", 2, 1, 1, 1): PlaneState.MISSING, ("A02", 1, 2, 1, 1): PlaneState.NOT_RECORDED}
    with pytest.raises(MissingPlanes, match=r"1 missing and 1 not recorded.*A01_s2_c1_z1_t1.*--missing skip"):
        planned([], make_index(absent=absent))


def test_skip_leaves_the_whole_site_out_and_fill_keeps_it():
    index = make_index(absent={("A01", 2, 1, 1, 1): PlaneState.MISSING})
    skipped = planned([], index, GlobalPipelineConfig(missing="skip"))
    assert {plane.site for plane in skipped.tasks[0].planes} == {1}
    filled = planned([], index, GlobalPipelineConfig(missing="fill"))
    assert len(filled.tasks[0].planes) == 4
    assert filled.tasks[0].bytes_in == 3 * 64 * 48 * 2


def test_missing_planes_of_wells_left_out_do_not_matter():
    index = make_index(absent={("A01", 2, 1, 1, 1): PlaneState.MISSING})
    assert [task.well for task in planned([], index, wells=["A02"]).tasks] == ["A02"]


def test_a_plan_for_some_wells_goes_on_as_the_plan_for_all():
    index = make_index(wells=3, gaps=frozenset({("A02", 2, 1, 1, 1), ("A02", 2, 2, 1, 1)}))
    assert planned([], index, wells=["A02"]).id == planned([], index).id


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"config": GlobalPipelineConfig(num_workers=7)}, True),
        ({"facts": Facts(cores=99, memory=2**40)}, True),
        ({"config": GlobalPipelineConfig(missing="fill")}, False),
        ({"steps": [said("other")]}, False),
        ({"facts": Facts(fingerprints={1: "changed"})}, False),
    ],
)
def test_identity_follows_the_work_and_not_the_machine(change, same):
    base = {"steps": [said()], "config": CONFIG, "facts": Facts(cores=2)}
    assert (planned(**{**base, **change}).id == planned(**base).id) is same


def test_a_well_that_does_not_fit_tells_the_numbers():
    tight = GlobalPipelineConfig(vfs=VFSConfig(memory_budget=10_000))
    with pytest.raises(OutOfBudget, match=r"needs \d+ MB at once.*budget is 1 MB.*vfs.memory_budget of \d+ MB"):
        planned([], config=tight)


def test_workers_are_as_many_as_fit_in_the_budget():
    peak = planned([]).peak_bytes
    config = GlobalPipelineConfig(num_workers=8, vfs=VFSConfig(memory_budget=PROCESS + 3 * peak + 1))
    assert planned([], make_index(wells=12), config).workers == 3


def test_results_that_cannot_fit_on_the_disk_are_refused():
    with pytest.raises(StorageFull, match="are free"):
        planned([], facts=Facts(free_bytes=1000))


def test_a_store_as_output_holds_one_set_of_images():
    with pytest.raises(PlanError, match=r"steps/1_a.zarr.*Name a folder"):
        planned([said("a", force_disk_output=True), said("b")], facts=Facts(store_output=True))
    assert planned([], facts=Facts(store_output=True)).recipe.targets[0].path == ""


def test_projections_stay_out_of_pipelines_and_are_told():
    from dataclasses import replace

    from openhcs.core.plate import Acquisition

    index = make_index(wells=1)
    projected = tuple(replace(plane, acquisition=1) for plane in index.planes)
    both = replace(
        index,
        planes=index.planes + projected,
        acquisitions=(*index.acquisitions, Acquisition(number=1, name="projection", projection=True)),
    )
    plan = planned([said()], both)
    assert {plane.acquisition for plane in plan.tasks[0].planes} == {0}
    assert "4 planes are projections" in plan.warnings[0]
    assert {plane.acquisition for plane in planned([], both).tasks[0].planes} == {0, 1}


def test_a_plate_without_any_plane_to_read_is_refused():
    index = make_index(wells=1, sites=1, channels=1, absent={("A01", 1, 1, 1, 1): PlaneState.MISSING})
    with pytest.raises(InputError, match="no plane to read"):
        planned([], index, GlobalPipelineConfig(missing="fill"))


def test_a_scipy_filter_that_blurs_across_sites_is_warned_about():
    from scipy.ndimage import gaussian_filter

    plan = planned([said(func=(gaussian_filter, {"sigma": 2}), stacks=[SITE])])
    assert "blurs across sites" in plan.warnings[0]
    assert not planned([said(func=(gaussian_filter, {"sigma": (0, 2, 2)}), stacks=[SITE])]).warnings


def test_the_plan_is_text_that_names_every_step_and_json_that_parses():
    plan = planned([said("normalise"), said("project", stacks=[SITE], out="one")], make_index(wells=3, sites=4))
    text = plan.explain()
    assert "3 wells × 4 sites × 2 channels" in text
    assert "normalise" in text
    assert "images.zarr" in text
    assert json.loads(plan.to_json())["plan"] == plan.id


def test_lines_of_the_table_stay_within_120_letters_for_long_names_and_stages():
    @special_outputs(level="object")
    def look(stack):
        return stack, {}

    @special_inputs("level")
    @special_outputs(shared="object")
    def gather(level):
        return None

    @special_inputs("shared")
    def shift(stack, shared):
        return stack

    long = "a_name_that_is_far_longer_than_anybody_needs_and_goes_on_for_a_while"
    again = {"out": "same", "out_dtype": "uint16"}
    steps = [
        FunctionStep(look, long, [], force_disk_output="zarr", **again),
        FunctionStep(gather, "gather", ["well"]),
        FunctionStep(shift, long, ["site", "z_index"], **again),
    ]
    text = compile_plan(make_index(2, 2, 2, 2, 2), steps, GlobalPipelineConfig(), Facts()).explain()
    table = [line for line in text.splitlines() if not line.startswith(("out", "note"))]
    heads = [line for line in table if line.lstrip().startswith("──")]
    assert [line.split("── ")[1] for line in heads] == [
        "once every well is there",
        f"then, well by well, steps/1_{long}.zarr is read",
    ]
    rows = [line for line in table if line not in heads]
    assert max(map(len, rows)) <= 120
    assert sum(" a_name_that_is_f" in line for line in rows) == 2
    where = table[3].index("why")
    assert all(line[where - 2 : where] == "  " for line in rows[4:])


def test_two_writers_of_one_file_are_refused():
    from openhcs.core.special import special_outputs

    @special_outputs(**{"seen": "table", "seen.csv": "object"})
    def look(stack):
        return stack, [], {}

    with pytest.raises(PlanError, match=r"would both write results/seen\.csv"):
        planned([FunctionStep(look, "look", [], out="same", out_dtype="uint16")])
    other = special_outputs(seen="object", Seen="array")(lambda stack: (stack, {}, stack))
    with pytest.raises(PlanError, match="would both write results/seen/a01"):
        planned([FunctionStep(other, "look", [], out="same", out_dtype="uint16")])
