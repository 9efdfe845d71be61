"""The thirteen points of a perfect OME-Zarr plate, each a test, on plates that commands made."""

from __future__ import annotations

import json
import math
import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import yaozarrs
import zarr
from ngff_zarr.validate import validate as judge
from scipy import ndimage

from carrying import document, objects_in
from openhcs import (
    FunctionStep,
    GlobalPipelineConfig,
    PipelineOrchestrator,
    VariableComponents,
    ZarrConfig,
    convert,
    special_outputs,
)
from openhcs.cli import main
from openhcs.errors import InvalidValue
from openhcs.ngff.units import canonical
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
WELLS = ("A01", "B03", "D06")
VERSIONS = ("0.4", "0.5", "0.6")
SIZE = (301, 523)


def config(version: str, **more: Any) -> GlobalPipelineConfig:
    return GlobalPipelineConfig(num_workers=1, zarr=ZarrConfig(ngff_version=version), **more)


def brightest(stack):
    return stack.max(axis=0)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return make_plate(tmp_path_factory.mktemp("raw") / "Plate 7", wells=WELLS, sites=3, z=3, size=SIZE)


@pytest.fixture(scope="module", params=[f"{verb} {version}" for verb in ("convert", "run") for version in VERSIONS])
def plate(request, source, tmp_path_factory) -> tuple[Path, str]:
    verb, version = request.param.split()
    folder = tmp_path_factory.mktemp("out")
    if verb == "convert":
        assert convert(source, folder / "plate.zarr", config=config(version)).ok
        return folder / "plate.zarr", version
    steps = [FunctionStep(brightest, variable_components=[VariableComponents.Z_INDEX])]
    assert PipelineOrchestrator(source, output=folder / "out", global_config=config(version)).run(steps).ok
    return folder / "out/images.zarr", version


def groups(store: Path) -> dict[str, str]:
    """Return path and kind of every group that OME-Zarr has a word for, found by walking the disk."""
    names = {"plate": "plate", "well": "well", "multiscales": "image", "labels": "labels"}
    found = {}
    for path in [*sorted(store.rglob("*")), store]:
        if path.is_dir() and ((path / "zarr.json").exists() or (path / ".zattrs").exists()):
            if (path / ".zarray").exists() or _node(path) == "array":
                continue
            kind = next((kind for key, kind in names.items() if key in document(path)), "row")
            found["" if path == store else path.relative_to(store).as_posix()] = kind
    return found


def _node(path: Path) -> str:
    return json.loads((path / "zarr.json").read_text())["node_type"] if (path / "zarr.json").exists() else "group"


def images(store: Path) -> list[str]:
    return [path for path, kind in groups(store).items() if kind == "image"]


def wrapped(told: dict[str, Any], version: str) -> dict[str, Any]:
    return told if version == "0.4" else {"ome": told}


def scales(image: dict[str, Any]) -> list[dict[str, list[float]]]:
    """Return scale and translation of each level, whichever version says them."""
    found = []
    for level in image["multiscales"][0]["datasets"]:
        steps = level["coordinateTransformations"]
        steps = steps[0]["transformations"] if steps[0]["type"] == "sequence" else steps
        found.append({step["type"]: step[step["type"]] for step in steps})
    return found


def axes(image: dict[str, Any]) -> list[dict[str, Any]]:
    first = image["multiscales"][0]
    return first["axes"] if "axes" in first else first["coordinateSystems"][0]["axes"]


def test_1_schemas_and_validators_find_nothing(plate):
    store, version = plate
    kinds = {"plate", "well", "image"}
    for path, kind in groups(store).items():
        if kind in kinds:
            judge(wrapped(document(store / path), version), version, kind, strict=True)
    if version != "0.6":  # yaozarrs does not know 0.6
        with warnings.catch_warnings(action="error"):
            yaozarrs.validate_zarr_store(str(store))


def test_2_every_group_says_the_same_version(plate):
    store, version = plate
    for path, kind in groups(store).items():
        told = document(store / path)
        if version != "0.4":
            assert told["version"] == version, path
        inner = {"plate": ["plate"], "well": ["well"]}.get(kind, [])
        if version == "0.4" and kind == "image":
            assert told["multiscales"][0]["version"] == version
        for key in inner:
            assert told[key].get("version") == (None if version == "0.6" else version), path


def test_3_all_physical_rows_and_columns_are_there_and_wells_only_where_data_is(plate):
    store, _ = plate
    told = document(store)["plate"]
    rows, columns = ([one["name"] for one in told[key]] for key in ("rows", "columns"))
    assert (rows, columns) == (list("ABCD"), ["01", "02", "03", "04", "05", "06"])
    assert [well["path"] for well in told["wells"]] == ["A/01", "B/03", "D/06"]
    for well in told["wells"]:
        row, column = well["path"].split("/")
        assert (rows[well["rowIndex"]], columns[well["columnIndex"]]) == (row, column)
    assert sorted(path.name for path in store.iterdir() if path.is_dir()) == ["A", "B", "D"]


def test_4_name_field_count_and_acquisitions_are_told(plate):
    store, _ = plate
    told = document(store)["plate"]
    assert (told["name"], told["field_count"]) == ("Plate 7", 3)
    assert [(one["id"], one["maximumfieldcount"]) for one in told["acquisitions"]] == [(0, 3)]
    for path in ("A/01", "B/03", "D/06"):
        assert [one["acquisition"] for one in document(store / path)["well"]["images"]] == [0, 0, 0]


def test_5_units_have_udunits_names_and_an_unknown_pixel_size_is_not_invented(plate, tmp_path, capsys):
    store, version = plate
    named = {axis["name"]: axis.get("unit") for axis in axes(document(store / "A/01/0"))}
    assert (named["y"], named["x"], named["c"]) == ("micrometer", "micrometer", None)
    assert {canonical(unit, "space") for unit in ("µm", "um", "micron", "Micrometer")} == {"micrometer"}
    with pytest.raises(InvalidValue):
        canonical("parrot", "space")
    (tmp_path / "bare").mkdir()
    for well in ("A01", "A02"):
        tifffile.imwrite(tmp_path / f"bare/{well}_s1_w1.tif", np.zeros((40, 50), "uint16"))
    assert main(["convert", str(tmp_path / "bare"), str(tmp_path / "b.zarr"), "--ngff", version]) == 0
    image = document(tmp_path / "b.zarr/A/01/0")
    assert {axis.get("unit") for axis in axes(image)} == {None}
    assert scales(image)[0]["scale"] == [1.0] * len(axes(image))


def test_6_every_level_has_its_exact_scale_and_place(plate):
    store, _ = plate
    told = document(store / "B/03/2")
    first, *others = scales(told)
    shapes = [zarr.open_array(store / f"B/03/2/{level}", mode="r").shape for level in range(len(others) + 1)]
    dtypes = {zarr.open_array(store / f"B/03/2/{level}", mode="r").dtype for level in range(len(others) + 1)}
    assert first["scale"][-2:] == [0.65, 0.65]
    assert [shape[-2:] for shape in shapes] == [(301, 523), (151, 262), (76, 131)]
    assert len(dtypes) == 1
    for number, level in enumerate(others, start=1):
        assert level["scale"][:-2] == first["scale"][:-2]
        for axis in (-2, -1):
            assert level["scale"][axis] == 0.65 * 2**number
            shift = level["translation"][axis] - first["translation"][axis]
            assert math.isclose(shift, (level["scale"][axis] - 0.65) / 2, abs_tol=1e-9)
    assert max(shapes[-1][-2:]) <= 256 < max(shapes[-2][-2:])


def test_7_every_array_names_its_axes(plate):
    store, version = plate
    for path in images(store):
        names = [axis["name"] for axis in axes(document(store / path))]
        for level in document(store / path)["multiscales"][0]["datasets"]:
            if version == "0.4":
                told = json.loads((store / path / level["path"] / ".zattrs").read_text())["_ARRAY_DIMENSIONS"]
            else:
                told = json.loads((store / path / level["path"] / "zarr.json").read_text())["dimension_names"]
            assert told == names


def test_8_windows_are_the_same_for_a_channel_across_the_plate_and_colours_have_six_digits(plate):
    store, _ = plate
    shown = [document(store / path)["omero"]["channels"] for path in images(store)]
    assert len(shown) == 9
    assert all(one == shown[0] for one in shown)
    assert [one["label"] for one in shown[0]] == ["DAPI", "FITC"]
    for number, channel in enumerate(shown[0]):
        assert re.fullmatch(r"[0-9A-F]{6}", channel["color"])
        assert channel["window"].keys() == {"min", "max", "start", "end"}
        pixels = [zarr.open_array(store / path / "0", mode="r")[number].ravel() for path in images(store)]
        low, high = np.percentile(np.concatenate(pixels), (0.1, 99.9))
        assert channel["window"]["start"] == pytest.approx(low, rel=1 / 32)
        assert channel["window"]["end"] == pytest.approx(high, rel=1 / 32)


def test_9_multiscales_say_how_levels_were_made_truly(plate):
    store, _ = plate
    first = document(store / "A/01/0")["multiscales"][0]
    assert (first["name"], first["type"]) == ("A01 site 1", "mean")
    assert "2 x 2" in first["metadata"]["description"]
    level = zarr.open_array(store / "A/01/0/0", mode="r")[...].astype("u8")[..., :300, :522]
    blocks = level.reshape(*level.shape[:-2], 150, 2, 261, 2).sum(axis=(-3, -1))
    made = zarr.open_array(store / "A/01/0/1", mode="r")[...][..., :150, :261]
    np.testing.assert_array_equal(made, (blocks + 2) // 4)


@special_outputs(nuclei="labels")
def find(stack):
    return stack, np.stack([ndimage.label(plane > 600)[0] for plane in stack]).astype("uint32")


@pytest.mark.parametrize("version", VERSIONS)
def test_10_labels_are_whole_numbers_with_levels_colours_properties_and_source(source, tmp_path, version):
    steps = [FunctionStep({"DAPI": find}, variable_components=[], unmatched="pass")]
    assert PipelineOrchestrator(source, output=tmp_path / "out", global_config=config(version)).run(steps).ok
    image = tmp_path / "out/images.zarr/B/03/1"
    assert document(image / "labels")["labels"] == ["nuclei"]
    told = document(image / "labels/nuclei")
    judge(wrapped(told, version), version, "label", strict=True)
    levels = [zarr.open_array(image / f"labels/nuclei/{level}", mode="r")[...] for level in range(3)]
    pixels = zarr.open_array(image / "0", mode="r")[0]
    np.testing.assert_array_equal(levels[0], np.stack([ndimage.label(plane > 600)[0] for plane in pixels]))
    assert [level.shape[-2:] for level in levels] == [(301, 523), (151, 262), (76, 131)]
    known = set(np.unique(levels[0]))
    assert all(set(np.unique(level)) <= known for level in levels)
    assert [axis["name"] for axis in axes(told)] == ["z", "y", "x"]
    label = told["image-label"]
    assert (label["source"], label.get("version")) == ({"image": "../../"}, None if version == "0.6" else version)
    assert {one["label-value"] for one in label["colors"]} == known - {0}
    areas = {one["label-value"]: one["area"] for one in label["properties"]}
    assert areas == {int(value): int((levels[0] == value).sum()) for value in known - {0}}
    assert told["multiscales"][0]["type"] != "mean"


def test_11_stage_positions_are_translations_and_nothing_names_this_machine(plate, source):
    store, _ = plate
    places = {tuple(scales(document(store / f"A/01/{site}"))[0]["translation"][-2:]) for site in range(3)}
    assert len(places) == 3
    for path in store.rglob("*"):
        if path.name in {"zarr.json", ".zattrs"}:
            assert str(source.parent).encode() not in path.read_bytes()
    own = json.loads(next(store.glob("zarr.json"), store / ".zattrs").read_text())
    own = own.get("attributes", own)["openhcs"]
    assert {one["path"].rpartition(".")[2] for one in own["vendor_files"]} == {"HTD"}


@pytest.mark.parametrize("version", VERSIONS)
def test_12_the_count_of_stored_objects_is_told_before_and_met(source, tmp_path, version):
    events: list[Any] = []
    assert convert(source, tmp_path / "p.zarr", config=config(version), on_event=events.append).ok
    assert events[0].total_objects == objects_in(tmp_path / "p.zarr")


@pytest.mark.parametrize("version", VERSIONS)
def test_13_only_finished_wells_are_listed_and_there_is_no_store_before_the_first(
    source, tmp_path, version, monkeypatch
):
    store, root = tmp_path / "p.zarr", "zarr.json" if version != "0.4" else ".zattrs"
    finished: list[str] = []
    listed: list[list[str]] = []

    def look(event: Any) -> None:
        if not finished:
            assert not (store / root).exists()
        elif (store / root).exists():
            listed.append([well["path"].replace("/", "") for well in document(store)["plate"]["wells"]])
            assert set(listed[-1]) <= set(finished)
        if event.kind == "well_done":
            finished.append(event.well)

    monkeypatch.setattr("openhcs.run.execute.DERIVE_EVERY_S", 0)
    assert convert(source, store, config=config(version), on_event=look).ok
    assert [len(one) for one in listed] == sorted(len(one) for one in listed)
    assert listed[0] == ["A01"]
    assert listed[-1] == ["A01", "B03", "D06"]
