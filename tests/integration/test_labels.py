"""Labels that steps make, stored beneath their images and read back by other people's tools."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING

import numpy as np
import ome_zarr_models
import pytest
import yaozarrs
import zarr
from scipy import ndimage

from openhcs import (
    FunctionStep,
    GlobalPipelineConfig,
    MaterializationBackend,
    PipelineOrchestrator,
    VariableComponents,
    VFSConfig,
    ZarrConfig,
    convert,
    special_outputs,
    validate,
)
from openhcs.errors import StepError
from openhcs.io.pyramid import downsample_labels
from openhcs.ledger.ledger import Ledger
from openhcs.ngff.colors import label_color
from openhcs.run.close import close
from openhcs.run.labels import LISTED, areas_of
from openhcs.run.pixels import PlaneReader
from openhcs.run.plates import index_plate
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from pathlib import Path

# Other people's libraries warn about one another; their findings about the plate are errors.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
Z, CHANNEL, SITE = VariableComponents.Z_INDEX, VariableComponents.CHANNEL, VariableComponents.SITE
WELLS = ("A01", "B03")
SHAPE = (301, 260)


def objects(plane):
    return ndimage.label(plane > np.percentile(plane, 90))[0].astype("uint32")


@special_outputs(nuclei="labels")
def find(stack):
    return stack, np.stack([objects(plane) for plane in stack])


@special_outputs(cells="labels", spots="labels")
def find_both(stack):
    brightest = stack.max(axis=0)
    return stack, objects(brightest), (brightest > 0).astype("uint8")


def brightest(stack):
    return stack.max(axis=0)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return make_plate(tmp_path_factory.mktemp("labelled") / "P1", wells=WELLS, sites=2, z=2, size=SHAPE, missing=2)


def run(source, output, steps, **changes):
    zarr_config = ZarrConfig(ngff_version=changes.pop("version", "0.5"))
    settings = {"missing": "fill", "num_workers": 1, "zarr": zarr_config} | changes
    plate = PipelineOrchestrator(source, output=output, global_config=GlobalPipelineConfig(**settings))
    return plate, plate.run(steps)


@pytest.fixture(scope="module", params=["0.4", "0.5"])
def plate(request, source, tmp_path_factory):
    """Return a store with labels of two channels, z by z, the version and the plan."""
    output = tmp_path_factory.mktemp("out") / "out"
    made, result = run(source, output, [FunctionStep(find, variable_components=[Z])], version=request.param)
    assert result.ok
    return output / "images.zarr", request.param, made.plan


def attributes(group: Path) -> dict:
    if (group / "zarr.json").exists():
        return json.loads((group / "zarr.json").read_text())["attributes"]["ome"]
    return json.loads((group / ".zattrs").read_text())


def level(group, number=0):
    return zarr.open_array(group / str(number), mode="r")[...]


def sites(store):
    return [store / place / site for place in ("A/01", "B/03") for site in ("0", "1")]


def stored_files(folder):
    named = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in named if path.name not in {"zarr.json", ".zarray", ".zattrs", ".zgroup"}]


def planes_of(source):
    index, planes = index_plate(source), {}
    reader = PlaneReader(index)
    for plane in index.planes:
        if plane.state.value == "present":
            room = np.zeros(SHAPE, "uint16")
            reader.read_into(plane, room)
            planes[plane.well, plane.site, plane.channel, plane.z] = room
    reader.close()
    return planes


def test_labels_are_those_that_the_function_made_and_zeros_where_a_plane_is_missing(plate, source):
    store, _, _ = plate
    planes, absent = planes_of(source), 0
    for well, place in (("A01", "A/01"), ("B03", "B/03")):
        for site in (1, 2):
            for channel, name in ((1, "nuclei_DAPI"), (2, "nuclei_FITC")):
                labels = level(store / place / str(site - 1) / "labels" / name)
                assert labels.dtype == "uint32"
                for z in (1, 2):
                    plane = planes.get((well, site, channel, z))
                    expected = np.zeros(SHAPE) if plane is None else objects(plane)
                    np.testing.assert_array_equal(labels[z - 1], expected)
                    absent += plane is None
    assert absent == 2


def test_labels_have_the_levels_of_their_image_without_its_channels(plate):
    store, _, _ = plate
    for image in sites(store):
        for name in attributes(image / "labels")["labels"]:
            levels = [level(image / "labels" / name, number) for number in range(2)]
            np.testing.assert_array_equal(levels[1], downsample_labels(levels[0]))
            assert set(np.unique(levels[1])) <= set(np.unique(levels[0]))
            for number, one in enumerate(levels):
                assert one.shape == (2, *level(image, number).shape[-2:])
            assert not (image / "labels" / name / "2").exists()
            entry, whole = attributes(image / "labels" / name)["multiscales"][0], attributes(image)["multiscales"][0]
            assert (entry["type"], entry["metadata"]["method"]) == ("mode", "openhcs.io.pyramid.downsample_labels")
            assert entry["axes"] == whole["axes"][1:]
            for label_level, image_level in zip(entry["datasets"], whole["datasets"], strict=True):
                steps = zip(
                    label_level["coordinateTransformations"], image_level["coordinateTransformations"], strict=True
                )
                assert all(mine[mine["type"]] == its[its["type"]][1:] for mine, its in steps)


def test_the_document_tells_colours_areas_and_the_image(plate):
    store, version, _ = plate
    for image in sites(store):
        assert attributes(image / "labels")["labels"] == ["nuclei_DAPI", "nuclei_FITC"]
        group = image / "labels" / "nuclei_FITC"
        told = attributes(group)["image-label"]
        assert (told["version"], told["source"]) == (version, {"image": "../../"})
        numbers, counts = np.unique(level(group), return_counts=True)
        known = [(int(number), int(count)) for number, count in zip(numbers, counts, strict=True) if number][:LISTED]
        assert [(one["label-value"], one["area"]) for one in told["properties"]] == known
        assert [(one["label-value"], tuple(one["rgba"])) for one in told["colors"]] == [
            (number, label_color(number)) for number, _ in known
        ]


def test_the_objects_that_were_told_before_are_those_that_are_there(plate):
    store, _, plan = plate
    assert len(stored_files(store)) == plan.stored_objects
    assert len(stored_files(store / "A/01/0/labels")) == sum(label.objects for label in plan.recipe.labels)


def test_yaozarrs_finds_nothing(plate):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yaozarrs.validate_zarr_store(str(plate[0]))
        for image in sites(plate[0]):
            yaozarrs.validate_zarr_store(str(image / "labels" / "nuclei_DAPI"))
            if plate[1] == "0.5":  # a list of labels says no version in 0.4, and yaozarrs asks for one
                yaozarrs.validate_zarr_store(str(image / "labels"))


def test_ome_zarr_models_reads_the_labels_and_their_list(plate):
    store, version, _ = plate
    for image in sites(store):
        kinds = []
        for group in (image, image / "labels", image / "labels/nuclei_DAPI", image / "labels/nuclei_FITC"):
            found = ome_zarr_models.open_ome_zarr(zarr.open_group(group, mode="r"))
            kinds.append((type(found).__name__, found.ome_zarr_version))
        names = ("Image", "Labels", "ImageLabel", "ImageLabel")
        assert kinds == [(name, version) for name in names]


def test_ngff_zarr_validates_labels(plate):
    import ngff_zarr

    store, version, _ = plate
    for image in sites(store):
        found = ngff_zarr.from_ngff_zarr(str(image / "labels/nuclei_FITC"), validate=True, version=version)
        assert (found.images[0].dims, found.images[0].scale["x"]) == (("z", "y", "x"), 0.65)


def test_ome_zarr_py_shows_labels_with_their_image(plate):
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    image = plate[0] / "A/01/0"
    nodes = {node.metadata.get("name"): node for node in Reader(parse_url(image))()}
    node = nodes["nuclei_DAPI"]
    np.testing.assert_array_equal(np.asarray(node.data[0]), level(image / "labels/nuclei_DAPI"))
    assert node.metadata["color"][1] == [one / 255 for one in label_color(1)]
    assert node.metadata["properties"][1]["area"] == int((level(image / "labels/nuclei_DAPI") == 1).sum())


def test_validate_finds_nothing_and_closing_makes_the_documents_anew(plate):
    store, version, _ = plate
    assert not validate(store.parent, deep=True).findings
    name = "zarr.json" if version == "0.5" else ".zattrs"
    documents = [store / "A/01/0/labels" / name, store / "A/01/0/labels/nuclei_DAPI" / name]
    before = [document.read_bytes() for document in documents]
    for document in documents:
        document.unlink()
    assert len(close(Ledger(str(store.parent)))) == 2
    assert [document.read_bytes() for document in documents] == before
    assert close(Ledger(str(store.parent))) == ()


def tree(folder, *leave_out):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part in path.parts for part in leave_out)
    }


@pytest.mark.parametrize(
    "changes",
    [{"num_workers": 2}, {"num_workers": 2, "use_threading": True}, {"verify": True}],
    ids=["processes", "threads", "verify"],
)
def test_any_executor_stores_the_same_bytes(source, tmp_path, changes):
    steps = [FunctionStep(find_both, variable_components=[CHANNEL], out="same", out_dtype="uint16")]
    _, result = run(source, tmp_path / "one", steps)
    _, other = run(source, tmp_path / "other", steps, **changes)
    assert result.ok
    assert other.ok
    assert tree(tmp_path / "one", ".openhcs") == tree(tmp_path / "other", ".openhcs")


def test_a_call_that_sees_all_channels_makes_one_label_image_per_plane(source, tmp_path):
    made, result = run(source, tmp_path / "out", [FunctionStep(find_both, variable_components=[CHANNEL])])
    assert result.ok
    store, planes = tmp_path / "out/images.zarr", planes_of(source)
    zero = np.zeros(SHAPE, "uint16")
    for image, well, site in zip(sites(store), ("A01", "A01", "B03", "B03"), (1, 2, 1, 2), strict=True):
        assert attributes(image / "labels")["labels"] == ["cells", "spots"]
        for z in (1, 2):
            stack = np.stack([planes.get((well, site, channel, z), zero) for channel in (1, 2)])
            np.testing.assert_array_equal(level(image / "labels/cells")[z - 1], objects(stack.max(axis=0)))
            np.testing.assert_array_equal(level(image / "labels/spots")[z - 1], stack.max(axis=0) > 0)
    assert {(one.name, one.dtype) for one in made.plan.recipe.labels} == {("cells", "uint32"), ("spots", "uint8")}


def test_a_stack_of_sites_and_channels_gives_each_site_its_labels(source, tmp_path):
    @special_outputs(order="labels")
    def ordered(stack):
        return stack, np.arange(1, 3, dtype="uint8")[:, None, None] * np.ones(stack.shape[1:], "uint8")

    _, result = run(source, tmp_path / "out", [FunctionStep(ordered, variable_components=[CHANNEL, SITE])])
    assert result.ok
    for image in sites(tmp_path / "out/images.zarr"):
        assert np.unique(level(image / "labels/order")).tolist() == [int(image.name) + 1]


def test_labels_of_a_projection_lie_beneath_it(source, tmp_path):
    steps = [
        FunctionStep(brightest, variable_components=[Z], out="one", out_dtype="uint16"),
        FunctionStep({"DAPI": find}, variable_components=[SITE], unmatched="pass"),
    ]
    made, result = run(source, tmp_path / "out", steps)
    assert result.ok
    image = tmp_path / "out/images.zarr/B/03/1"
    assert level(image).shape == (2, 1, *SHAPE)
    np.testing.assert_array_equal(level(image / "labels/nuclei")[0], objects(level(image)[0, 0]))
    assert len(stored_files(tmp_path / "out/images.zarr")) == made.plan.stored_objects


@pytest.mark.parametrize("backend", ["disk", "zarr"])
def test_an_input_that_is_stored_for_its_labels_holds_the_plate_as_it_was_read(source, tmp_path, backend):
    @special_outputs(nuclei="labels")
    def project(stack):
        return stack.max(axis=0), np.stack([objects(plane) for plane in stack])

    vfs = VFSConfig(materialization_backend=MaterializationBackend(backend))
    steps = [FunctionStep({"1": project}, variable_components=[Z], unmatched="drop")]
    made, result = run(source, tmp_path / "out", steps, vfs=vfs)
    assert result.ok
    store, planes = tmp_path / "out/steps/0_plate.zarr", planes_of(source)
    for (well, site, channel, z), plane in planes.items():
        image = store / well[0] / well[1:] / str(site - 1)
        np.testing.assert_array_equal(level(image)[channel - 1, z - 1], plane)
        if channel == 1:
            np.testing.assert_array_equal(level(image / "labels/nuclei")[z - 1], objects(plane))
    images = (
        stored_files(tmp_path / "out/images.zarr") if backend == "zarr" else list((tmp_path / "out").rglob("*.tif"))
    )
    assert len(stored_files(store)) + len(images) == made.plan.stored_objects
    yaozarrs.validate_zarr_store(str(store))
    assert not validate(tmp_path / "out", deep=True).findings


@pytest.mark.parametrize("stacked", [Z, CHANNEL])
def test_a_plane_that_is_missing_has_no_labels_whatever_the_function_makes_of_it(source, tmp_path, stacked):
    @special_outputs(all="labels")
    def everything(stack):
        planes = len(stack) if stacked is Z else 1
        return stack, np.ones((planes, *SHAPE), "uint8")

    _, result = run(source, tmp_path / "out", [FunctionStep(everything, variable_components=[stacked])])
    assert result.ok
    missing = [plane for plane in index_plate(source).planes if plane.state.value != "present"]
    assert len(missing) == 2
    names = {1: "all_DAPI", 2: "all_FITC"} if stacked is Z else {1: "all", 2: "all"}
    for plane in missing:
        image = tmp_path / "out/images.zarr" / plane.well[0] / plane.well[1:] / str(plane.site - 1)
        labels = level(image / "labels" / names[plane.channel])
        # The other channel of that place is there, so labels of both have something to go by.
        assert labels[plane.z - 1].all() == (stacked is CHANNEL)
        assert labels[2 - plane.z].all()


def test_a_run_goes_on_with_labels_and_replaces_them(source, tmp_path):
    steps = [FunctionStep(find, variable_components=[Z])]

    def plate(**more):
        config = GlobalPipelineConfig(missing="fill", num_workers=1)
        return PipelineOrchestrator(source, output=tmp_path / "out", global_config=config, **more)

    assert plate(wells="A01").run(steps).done == ("A01",)
    assert plate().run(steps).done == ("B03",)
    assert (plate().run(steps).skipped, plate().run(steps).done) == (WELLS, ())
    before = tree(tmp_path / "out", ".openhcs")
    assert plate(exist="replace").run(steps).done == WELLS
    assert tree(tmp_path / "out", ".openhcs") == before
    assert not validate(tmp_path / "out", deep=True).findings


def test_converting_a_result_keeps_its_labels(plate, tmp_path):
    store, version, _ = plate
    other = "0.4" if version == "0.5" else "0.5"
    assert convert(store, tmp_path / "p.zarr", config=GlobalPipelineConfig(zarr=ZarrConfig(ngff_version=other))).ok
    for image, made in zip(sites(store), sites(tmp_path / "p.zarr"), strict=True):
        assert attributes(made / "labels")["labels"] == ["nuclei_DAPI", "nuclei_FITC"]
        for number in range(2):
            mine, its = level(image / "labels/nuclei_FITC", number), level(made / "labels/nuclei_FITC", number)
            np.testing.assert_array_equal(mine, its)
        told = attributes(made / "labels/nuclei_FITC")["image-label"]
        assert told == attributes(image / "labels/nuclei_FITC")["image-label"] | {"version": other}
    yaozarrs.validate_zarr_store(str(tmp_path / "p.zarr"))


@pytest.mark.parametrize(
    ("func", "words"),
    [
        (lambda stack: (stack, stack / 2), "array of float64 for the labels 'nuclei'"),
        (lambda stack: (stack, stack[:, 1:]), "for the labels 'nuclei'; labels of this stack are"),
        (lambda stack: stack, r"ndarray alone; it declares \(image, nuclei\)"),
        (lambda stack: (stack, None), "None for the labels 'nuclei'"),
    ],
)
def test_what_are_no_labels_stops_before_anything_is_stored(source, tmp_path, func, words):
    with pytest.raises(StepError, match=words) as caught:
        run(source, tmp_path / "out", [FunctionStep(special_outputs(nuclei="labels")(func))])
    assert caught.value.step == "lambda"
    assert not (tmp_path / "out").exists()


def test_a_well_with_labels_of_another_dtype_fails_alone(source, tmp_path):
    calls = []

    @special_outputs(nuclei="labels")
    def turning(stack):
        calls.append(1)
        # The first call is the probe, the second is A01's.
        return stack, np.zeros((len(stack) // 2, *SHAPE), "uint8" if len(calls) < 3 else "uint16")

    _, result = run(source, tmp_path / "out", [FunctionStep(turning, variable_components=[SITE, CHANNEL, Z])])
    assert result.done == ("A01",)
    assert [failure.well for failure in result.failed] == ["B03"]
    assert "made labels 'nuclei' of uint16, the plan says uint8 (probed 8)" in str(result.failed[0])
    assert (tmp_path / "out/images.zarr/A/01/0/labels/nuclei/zarr.json").is_file()
    assert not (tmp_path / "out/images.zarr/B").exists()


def test_no_more_objects_than_a_document_bears_are_listed(tmp_path):
    source = make_plate(tmp_path / "P1", wells=("A01",), sites=1, channels=("DAPI",), size=(64, 64))

    @special_outputs(dots="labels")
    def each_pixel(stack):
        return stack, np.arange(stack.size, dtype="int64").reshape(stack.shape) * 2**40

    _, result = run(source, tmp_path / "out", [FunctionStep(each_pixel)])
    assert result.ok
    group = tmp_path / "out/images.zarr/A/01/0/labels/dots"
    told = attributes(group)["image-label"]
    assert len(told["colors"]) == len(told["properties"]) == LISTED
    assert told["properties"][-1] == {"label-value": LISTED * 2**40, "area": 1}
    assert json.loads((group / "zarr.json").read_text())["attributes"]["openhcs"]["objects"] == 64 * 64 - 1
    assert level(group).dtype == "int64"


@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint32", "uint64"])
@pytest.mark.parametrize("scale", [1, 1000, 2**24])
def test_areas_are_those_that_numpy_counts(dtype, scale):
    labels = np.random.default_rng(3).integers(0, 12, (3, 2, 20, 30))
    labels = (labels * (1 if dtype == "uint8" else scale)).astype(dtype)
    numbers, counts = np.unique(labels[labels > 0], return_counts=True)
    found, areas = areas_of(labels)
    assert (found.tolist(), areas.tolist()) == (numbers.tolist(), counts.tolist())


def test_colours_of_numbers_that_follow_each_other_differ():
    colors = np.array([label_color(number)[:3] for number in range(1, 3000)], float)
    for distance in range(1, 6):
        assert np.abs(colors[distance:] - colors[:-distance]).max(axis=1).min() > 40
    assert len({tuple(color) for color in colors[:256].tolist()}) == 256
