"""A step over wells waits for every well; what comes after it sees what the whole plate gave."""

from __future__ import annotations

import csv
import json
import os

import numpy as np
import pytest
import tifffile
import zarr

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, special_inputs, special_outputs, validate
from openhcs.errors import PlanError, UsageError
from openhcs.run.plates import index_plate
from openhcs.run.status import status
from openhcs.testing.synthetic import make_plate
from values import ILLUMINATION, SITE, WELL, combine, find, results, run, sums, twice

SERIAL = GlobalPipelineConfig(num_workers=1, use_threading=True)
WELLS = ["A01", "A02", "B01"]


@pytest.fixture
def plate(tmp_path):
    return make_plate(tmp_path / "P1", wells=WELLS, sites=2, size=(64, 48))


def raw(plate):
    """Return every plane by well and key as tifffile reads it."""
    index = index_plate(plate)
    return {(one.well, one.key): tifffile.imread(f"{index.root}/{one.source.path}") for one in index.planes}


def image(output, well, site, store="images.zarr"):
    return zarr.open_array(output / store / well[0] / well[1:] / str(site - 1) / "0", mode="r")[...]


def corrected(planes, factor=1):
    """Return what the pipeline should make, from all planes at once."""
    expected = {}
    for channel in (1, 2):
        own = {at: plane * np.uint16(factor) for at, plane in planes.items() if at[1][3] == channel}
        mean = np.mean(list(own.values()), axis=0)
        field = mean / mean.mean()
        expected |= {at: np.clip(plane / field + 0.5, 0, 65535).astype(np.uint16) for at, plane in own.items()}
    return expected


def test_the_illumination_of_a_plate_is_taken_out_as_a_loop_over_all_planes_would(plate, tmp_path):
    assert run(plate, tmp_path / "o", ILLUMINATION, SERIAL).done == tuple(WELLS)
    for (well, (_, site, _, channel, _)), plane in corrected(raw(plate)).items():
        assert np.array_equal(image(tmp_path / "o", well, site)[channel - 1, 0], plane)
    assert not (tmp_path / "o/steps").exists()
    assert [one for one in validate(tmp_path / "o", deep=True).findings if one.severity == "error"] == []


def test_images_that_changed_before_the_cut_are_stored_and_read_back(plate, tmp_path):
    steps = [FunctionStep(twice, variable_components=[]), *ILLUMINATION]
    orchestrator = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL)
    assert orchestrator.run(steps).ok
    assert "steps/2_sums.zarr" in orchestrator.plan.explain()
    for (well, (_, site, _, channel, _)), plane in corrected(raw(plate), 2).items():
        assert np.array_equal(image(tmp_path / "o", well, site)[channel - 1, 0], plane)
        stored = image(tmp_path / "o", well, site, "steps/2_sums.zarr")[channel - 1, 0]
        assert np.array_equal(stored, raw(plate)[well, (0, site, 1, channel, 1)] * 2)


def test_gaps_stay_gaps_through_stored_images(tmp_path):
    plate = make_plate(tmp_path / "P", wells=WELLS, sites=2, size=(64, 48), missing=2)
    config = GlobalPipelineConfig(num_workers=1, use_threading=True, missing="fill")
    steps = [
        FunctionStep([twice, sums], variable_components=[]),
        FunctionStep(combine, variable_components=[WELL, SITE]),
        ILLUMINATION[2],
    ]
    assert run(plate, tmp_path / "o", steps, config).ok
    gaps = [
        gap
        for path in sorted((tmp_path / "o/images.zarr").glob("*/*/*/zarr.json"))
        for gap in json.loads(path.read_text())["attributes"].get("openhcs", {}).get("gaps", ())
    ]
    assert len(gaps) == 2


def test_every_executor_leaves_the_same_bytes(plate, tmp_path):
    trees = []
    for number, config in enumerate((SERIAL, GlobalPipelineConfig(num_workers=2))):
        assert run(plate, tmp_path / str(number), ILLUMINATION, config).ok
        trees.append(results(tmp_path / str(number)))
    assert trees[0] == trees[1]


def test_a_table_over_the_plate_comes_after_the_last_images(plate, tmp_path):
    @special_outputs(spots="table")
    def spots(stack):
        return stack, [{"top": int(plane.max())} for plane in stack]

    @special_inputs("spots")
    @special_outputs(plate="table")
    def over(spots):
        return {"wells": ",".join(one["well"][0] for one in spots), "top": max(max(one["top"]) for one in spots)}

    steps = [FunctionStep(spots), FunctionStep(over, variable_components=[WELL])]
    assert run(plate, tmp_path / "o", steps, SERIAL).ok
    with (tmp_path / "o/results/plate.csv").open() as file:
        rows = list(csv.DictReader(file))
    tops = [max(plane.max() for (_, key), plane in raw(plate).items() if key[3] == channel) for channel in (1, 2)]
    assert [(row["channel"], row["wells"], row["top"]) for row in rows] == [
        ("DAPI", "A01,A02,B01", str(tops[0])),
        ("FITC", "A01,A02,B01", str(tops[1])),
    ]


def test_a_well_that_fails_keeps_the_plate_from_going_on_and_the_same_command_goes_on(plate, tmp_path):
    bad = next(path for path in plate.rglob("*B01*_s2_*w1*.TIF") if "thumb" not in path.name.lower())
    whole = bad.read_bytes()
    bad.write_bytes(whole[: len(whole) // 2])
    first = run(plate, tmp_path / "o", ILLUMINATION, SERIAL)
    assert [one.well for one in first.failed] == ["B01"]
    assert first.waiting == ("A01", "A02")
    assert not (tmp_path / "o/results/field").exists()
    assert status(tmp_path / "o").wells == {"A01": "waiting", "A02": "waiting", "B01": "failed"}
    bad.write_bytes(whole)
    events = []
    orchestrator = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL)
    assert orchestrator.run(ILLUMINATION, on_event=events.append).ok
    assert [event.well for event in events if event.kind == "well_staged"] == ["B01", "plate"]
    for (well, (_, site, _, channel, _)), plane in corrected(raw(plate)).items():
        assert np.array_equal(image(tmp_path / "o", well, site)[channel - 1, 0], plane)


def test_a_plan_for_other_wells_is_another_plan(plate, tmp_path):
    plans = []
    for wells in (None, "A01,A02"):
        orchestrator = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL, wells=wells)
        contexts = orchestrator.initialize().compile_pipelines(ILLUMINATION)
        plans.append(orchestrator.plan.id)
    assert plans[0] != plans[1]
    with pytest.raises(UsageError, match="one for all of them"):
        orchestrator.execute_compiled_plate({"A01": contexts["A01"]})


def test_an_image_that_is_only_sometimes_passed_on_is_refused_where_the_plate_is_read_again(plate, tmp_path):
    @special_outputs(sums="array")
    def fickle(stack):
        image = stack if stack[0, 0, 0] == raw(plate)["A01", (0, 1, 1, 1, 1)][0, 0] else stack + 1
        return image, sums(stack)[1]

    steps = [FunctionStep(fickle), *ILLUMINATION[1:]]
    told = [one.message for one in run(plate, tmp_path / "o", steps, SERIAL).failed]
    assert told
    assert all("passes on the one it gets" in one for one in told)


def test_a_function_that_writes_into_what_it_passes_on_is_not_taken_to_pass_it_on(plate, tmp_path):
    @special_outputs(sums="array")
    def writing(stack):
        stack += 1
        return stack, sums(stack)[1]

    orchestrator = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL)
    assert orchestrator.run([FunctionStep(writing), *ILLUMINATION[1:]]).ok
    assert (tmp_path / "o/steps/1_writing.zarr").is_dir()


@special_inputs("nuclei")
@special_outputs(many="object")
def over_labels(nuclei):
    return len(nuclei)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([FunctionStep(find), FunctionStep(over_labels, "c", [WELL])], "it sees no image"),
        (
            [FunctionStep(sums), FunctionStep(special_inputs("sums")(lambda sums: 1), "c", [WELL])],
            "no place for an image",
        ),
        (
            [
                FunctionStep(find),
                *ILLUMINATION[:2],
                FunctionStep(special_inputs("nuclei")(lambda s, nuclei: s), "u", []),
            ],
            r"takes the labels 'nuclei' of step 1, and in between the plan waits for every well",
        ),
        (
            [
                FunctionStep(sums),
                FunctionStep(combine, variable_components=[WELL], force_disk_output=True),
                ILLUMINATION[2],
            ],
            "stacks wells, so there is no image to keep",
        ),
    ],
)
def test_what_cannot_cross_wells_is_known_before_anything_runs(plate, tmp_path, steps, words):
    with pytest.raises(PlanError, match=words):
        run(plate, tmp_path / "o", steps, SERIAL)
    assert not (tmp_path / "o").exists()


def test_a_function_over_wells_that_fails_is_told_as_the_plates_own(plate, tmp_path):
    @special_inputs("sums")
    @special_outputs(field="array")
    def broken(sums):
        raise KeyError("nothing")

    steps = [FunctionStep(sums), FunctionStep(broken, variable_components=[WELL])]
    result = run(plate, tmp_path / "o", steps, SERIAL)
    (failed,) = result.failed
    assert (failed.well, failed.step) == ("plate", "broken")
    assert "broken raised on all wells channel 1" in failed.message
    assert not result.ok


def test_stacking_sites_over_wells_gives_one_list_for_the_whole_channel(plate, tmp_path):
    @special_inputs("sums")
    @special_outputs(many="object")
    def over(sums):
        return len(sums)

    steps = [FunctionStep(sums, variable_components=[]), FunctionStep(over, variable_components=[WELL, SITE])]
    assert run(plate, tmp_path / "o", steps, SERIAL).ok
    found = sorted((tmp_path / "o/results/many/plate").iterdir())
    assert [path.read_text().strip() for path in found] == ["6", "6"]


def test_an_input_that_changed_is_measured_again_and_all_that_follows(plate, tmp_path):
    assert run(plate, tmp_path / "o", ILLUMINATION, SERIAL).ok
    assert run(plate, tmp_path / "o", ILLUMINATION, SERIAL).skipped == tuple(WELLS)
    changed = next(path for path in plate.rglob("*B01*_s2_*w1*.TIF") if "thumb" not in path.name.lower())
    tifffile.imwrite(changed, tifffile.imread(changed) // 2)
    os.utime(changed, ns=(1, 1))
    assert run(plate, tmp_path / "o", ILLUMINATION, SERIAL).done == tuple(WELLS)
    for (well, (_, site, _, channel, _)), plane in corrected(raw(plate)).items():
        assert np.array_equal(image(tmp_path / "o", well, site)[channel - 1, 0], plane)
