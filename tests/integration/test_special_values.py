"""Special outputs of every kind end in files that others read; special inputs reach the calls they belong to."""

from __future__ import annotations

import csv
import functools
import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
import roifile
import tifffile

from openhcs import FunctionStep, GlobalPipelineConfig, open_plate, special_inputs, special_outputs, validate
from openhcs.errors import FormatError, PlanError, StepError
from openhcs.ledger.ledger import Ledger
from openhcs.run.close import close
from openhcs.run.plates import index_plate
from openhcs.testing.synthetic import make_plate
from values import LEVEL, SITE, WELL, count, everything, find, measure, results, run, sums, twice

SERIAL = GlobalPipelineConfig(num_workers=1, use_threading=True)
THREADS = GlobalPipelineConfig(num_workers=3, use_threading=True)
PROCESSES = GlobalPipelineConfig(num_workers=2)


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plates") / "P1"
    return make_plate(folder, wells=["A01", "A02", "B01"], sites=2, channels=["DAPI", "FITC"], size=(64, 48))


@functools.cache
def raw(plate):
    """Return every plane by well and key as tifffile reads it."""
    index = index_plate(plate)
    return {(one.well, one.key): tifffile.imread(f"{index.root}/{one.source.path}") for one in index.planes}


def table(output, name):
    with (output / "results" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_kind_ends_in_a_file_that_others_read(plate, tmp_path):
    assert run(plate, tmp_path / "o", [FunctionStep(everything)], SERIAL).ok
    found = tmp_path / "o" / "results"
    stack = np.stack([raw(plate)["A02", (0, site, 1, 2, 1)] for site in (1, 2)])
    bright = stack > LEVEL
    assert np.array_equal(np.load(found / "field/A02/A02_c2_z1_t1.npy"), stack.mean(axis=0))
    assert json.loads((found / "facts/A02/A02_c2_z1_t1.json").read_text()) == {"bright": bright.sum(), "of": [1, None]}
    assert (found / "picture/A02/A02_c2_z1_t1.svg").read_text() == f"<svg>{bright.sum()}</svg>"
    polygons = roifile.roiread(found / "rim/A02/A02_c2_z1_t1.zip")
    assert [one.coordinates().tolist() for one in polygons] == [
        [[2, 1], [2, 7], [9.5, 7]],
        [[5, 4], [5, 10], [12.5, 10]],
    ]
    assert sorted(path.name for path in (found / "rim").iterdir()) == ["A01", "A02", "B01"]
    rows = pq.read_table(found / "counts.parquet").to_pylist()
    expected = [
        {"well": well, "channel": name, "z_index": 1, "timepoint": 1, "plane": site - 1}
        | {"bright": int((raw(plate)[well, (0, site, 1, channel, 1)] > LEVEL).sum())}
        for well in ("A01", "A02", "B01")
        for channel, name in ((1, "DAPI"), (2, "FITC"))
        for site in (1, 2)
    ]
    assert rows == expected
    assert [{name: str(cell) for name, cell in row.items()} for row in expected] == table(tmp_path / "o", "counts")
    assert open_plate(tmp_path / "o" / "images.zarr")["A01"].site(1).labels == ("nuclei_DAPI", "nuclei_FITC")
    assert [one for one in validate(tmp_path / "o", deep=True).findings if one.severity == "error"] == []


def test_labels_of_one_channel_reach_the_calls_of_every_other(plate, tmp_path):
    steps = [
        FunctionStep({"DAPI": find}, variable_components=[], unmatched="pass"),
        FunctionStep(measure, variable_components=[SITE]),
    ]
    assert run(plate, tmp_path / "o", steps, SERIAL).ok
    expected = []
    for well in ("A01", "A02", "B01"):
        for channel, name in ((1, "DAPI"), (2, "FITC")):
            for site in (1, 2):
                inside = raw(plate)[well, (0, site, 1, 1, 1)] > LEVEL
                total = int(raw(plate)[well, (0, site, 1, channel, 1)][inside].sum())
                expected.append((well, name, str(inside.sum()), str(total)))
    found = [(row["well"], row["channel"], row["area"], row["total"]) for row in table(tmp_path / "o", "cells")]
    assert found == expected


def test_what_each_channel_has_of_its_own_comes_as_a_list_to_who_stacks_channels(plate, tmp_path):
    seen = []

    @special_inputs("nuclei", "sums")
    def both(stack, nuclei, sums):
        seen.append((len(nuclei), [one.shape for one in nuclei], [one[1].max() for one in sums]))
        assert not nuclei[0].flags.writeable
        assert not sums[0].flags.writeable
        return stack

    steps = [
        FunctionStep(find, variable_components=[]),
        FunctionStep(sums, variable_components=[SITE]),
        FunctionStep(both, variable_components=["channel"], out="same", out_dtype="uint16"),
    ]
    assert run(plate, tmp_path / "o", steps, SERIAL, wells="A01").ok
    assert seen == [(2, [(1, 64, 48), (1, 64, 48)], [2.0, 2.0])] * 2


def test_a_chain_hands_on_within_itself(plate, tmp_path):
    assert run(plate, tmp_path / "o", [FunctionStep([find, measure], variable_components=[])], SERIAL).ok
    assert len(table(tmp_path / "o", "cells")) == 3 * 2 * 2


def test_a_projection_in_between_leaves_a_list_for_the_planes_that_became_one(tmp_path):
    plate = make_plate(tmp_path / "P", wells=["A01"], sites=1, channels=["DAPI"], z=3, size=(32, 32))
    seen = []

    @special_inputs("sums")
    def after(stack, sums):
        seen.append([one[0].sum() for one in sums])
        return stack

    steps = [
        FunctionStep(sums, variable_components=[]),
        FunctionStep(lambda stack: stack.max(axis=0), "project", variable_components=["z_index"]),
        FunctionStep(after, variable_components=[], out="same", out_dtype="uint16"),
    ]
    assert run(plate, tmp_path / "o", steps, SERIAL).ok
    assert seen == [[raw(plate)["A01", (0, 1, 1, 1, z)].sum() for z in (1, 2, 3)]]


def test_every_executor_and_number_of_workers_leaves_the_same_bytes(plate, tmp_path):
    steps = [FunctionStep(everything), FunctionStep(measure, variable_components=[])]
    trees = []
    for number, config in enumerate((SERIAL, THREADS, PROCESSES)):
        assert run(plate, tmp_path / str(number), steps, config).ok
        trees.append(results(tmp_path / str(number)))
    assert len(trees[0]) > 60
    assert trees[0] == trees[1] == trees[2]


def test_tables_alone_are_enough_and_going_on_writes_nothing_again(plate, tmp_path):
    steps = [FunctionStep(count, variable_components=[], materialize=False)]
    assert run(plate, tmp_path / "o", steps, SERIAL, wells="A01").ok
    assert not (tmp_path / "o" / "images.zarr").exists()
    assert run(plate, tmp_path / "o", steps, SERIAL).skipped == ("A01",)
    before = (tmp_path / "o/results/counts.csv").stat().st_mtime_ns
    again = run(plate, tmp_path / "o", steps, SERIAL)
    assert (again.done, len(again.skipped)) == ((), 3)
    assert (tmp_path / "o/results/counts.csv").stat().st_mtime_ns == before
    assert [row["well"] for row in table(tmp_path / "o", "counts")[::4]] == ["A01", "A02", "B01"]


def test_columns_that_not_all_wells_have_are_null_there_and_kinds_widen(plate, tmp_path):
    @special_outputs(counts="table")
    def varied(stack):
        top = int(stack.max())
        if top % 3 == 0:
            return stack, []
        return stack, [{"top": top}] if top % 2 else [{"top": top + 0.5, "even": "yes"}]

    steps = [FunctionStep(varied, variable_components=[])]
    assert run(plate, tmp_path / "o", steps, SERIAL).ok
    expected = []
    for (well, key), plane in sorted(raw(plate).items(), key=lambda one: (one[0][0], one[0][1])):
        top = int(plane.max())
        if top % 3:
            expected.append((well, key[1], float(top) if top % 2 else top + 0.5, None if top % 2 else "yes"))
    rows = pq.read_table(tmp_path / "o/results/counts.parquet").to_pylist()
    assert [(row["well"], row["site"], row["top"], row.get("even")) for row in rows] == expected


def test_a_value_that_is_not_of_its_kind_fails_its_well_and_says_where(plate, tmp_path):
    def returning(value, **kinds):
        @special_outputs(**kinds)
        def give(stack):
            return stack, value

        return FunctionStep(give, variable_components=[], out="same", out_dtype="uint16")

    for value, kinds, words in [
        ([{"a": 1}, {"b": 2}], {"t": "table"}, "no table: its rows do not all have the same names, for the table 't'"),
        ({"a": [1, 2], "b": [1]}, {"t": "table"}, r"its columns have \[1, 2\] cells"),
        (3, {"t": "table"}, "for the table 't'"),
        (None, {"t": "table"}, "None for the table 't'"),
        ([{"well": 1}], {"t": "table"}, "'well' is added to every table"),
        ({1, 2}, {"o": "object"}, "JSON has no set"),
        (float("nan"), {"o": "object"}, "JSON has no nan"),
        ([np.zeros((3, 3))], {"r": "roi"}, "a polygon of shape"),
        (np.array(["a"]), {"f": "array"}, "an array of <U1"),
        (1, {"own": lambda value, stem: {"elsewhere.txt": "x"}}, "names that begin with 'A01_s1_c1_z1_t1'"),
        (1, {"own": lambda value, stem: 1 / 0}, "the materialiser of 'own' raised .* ZeroDivisionError"),
    ]:
        output = tmp_path / str(len(list(tmp_path.iterdir())))
        orchestrator_fails(plate, output, [returning(value, **kinds)], words)


def orchestrator_fails(plate, output, steps, words):
    try:
        failed = run(plate, output, steps, SERIAL, wells="A01").failed
    except StepError as error:
        told = str(error)
    else:
        (one,) = failed
        told = one.message
    assert re.search(words, told), told
    assert "step give" in told
    assert "A01 site 1 channel 1" in told


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([FunctionStep(measure)], "takes 'nuclei', which no earlier step makes; no earlier step makes any"),
        ([FunctionStep(sums), FunctionStep(measure)], "takes 'nuclei', .* known: sums"),
        ([FunctionStep(sums), FunctionStep(sums)], r"steps 1 \(sums\) and 2 \(sums\) both make 'sums'"),
        ([FunctionStep([sums, sums])], "makes 'sums' twice in one chain"),
        ([FunctionStep(twice, variable_components=[WELL])], "no place for an image of several wells"),
        (
            [FunctionStep(find), FunctionStep(lambda s: s.max(axis=0), "p", ["site"]), FunctionStep(measure)],
            "takes the labels 'nuclei', .* site was put together in between",
        ),
    ],
)
def test_what_cannot_be_handed_over_is_known_before_anything_runs(plate, tmp_path, steps, words):
    with pytest.raises(PlanError, match=words):
        run(plate, tmp_path / "o", steps, SERIAL)
    assert not (tmp_path / "o").exists()


def test_a_value_that_some_calls_lack_is_known_before_anything_runs(plate, tmp_path):
    taker = special_inputs("sums")(lambda stack, sums: stack)
    both = {"A01": sums, "A02": sums, "B01": twice}
    steps = [FunctionStep(both, variable_components=[], group_by="well"), FunctionStep(taker, "t", [])]
    with pytest.raises(PlanError, match=r"step 2 \(t\) takes 'sums', and step 1 \(A01|sums.* makes none for"):
        run(plate, tmp_path / "o", steps, SERIAL)


def test_an_unplain_kind_must_be_said(plate, tmp_path):
    @special_outputs("thing")
    def give(stack):
        return stack, np.zeros(3)

    with pytest.raises(Exception, match="whose kind is not plain; say it, as in @special_outputs"):
        run(plate, tmp_path / "o", [FunctionStep(give)], SERIAL)


def test_a_store_as_output_has_no_room_for_values(plate, tmp_path):
    with pytest.raises(PlanError, match="one store; this pipeline keeps results/sums too"):
        run(plate, tmp_path / "o.zarr", [FunctionStep(sums)], SERIAL)


def test_a_channel_that_lacks_a_plane_has_no_objects_there(tmp_path):
    (tmp_path / "P").mkdir()
    for channel, z in ((1, 2), (2, 1), (2, 2)):
        tifffile.imwrite(tmp_path / f"P/A01_s1_w{channel}_z{z}.tif", np.full((8, 8), LEVEL + 1, np.uint16))
    seen = []

    @special_inputs("nuclei")
    def inside(stack, nuclei):
        seen.append([one.any(axis=(1, 2)).tolist() for one in nuclei])
        return stack

    steps = [
        FunctionStep(find, None, []),
        FunctionStep(inside, None, ["channel", "z_index"], out="same", out_dtype="uint16"),
    ]
    names = "{well}_s{site}_w{channel}_z{z}.tif"
    assert run(tmp_path / "P", tmp_path / "o", steps, SERIAL, pattern=names).ok
    assert seen[-1] == [[True, False], [True, True]]  # planes as the stack has them: z 2 comes first


def test_a_damaged_part_of_a_table_is_named_and_nothing_is_merged_from_it(plate, tmp_path):
    steps = [FunctionStep(count, variable_components=[], materialize=False)]
    assert run(plate, tmp_path / "o", steps, SERIAL).ok
    part, merged = tmp_path / "o/.openhcs/parts/counts/A02.parquet", tmp_path / "o/results/counts.csv"
    whole = part.read_bytes()
    data = bytearray(whole)
    data[data.index(b"A02")] ^= 1
    part.write_bytes(bytes(data))
    merged.unlink()
    with pytest.raises(FormatError, match=r"A02\.parquet is damaged: .*make its well again"):
        close(Ledger(tmp_path / "o"))
    assert not merged.exists()
    part.write_bytes(whole)
    assert "results/counts.csv" in close(Ledger(tmp_path / "o"))
