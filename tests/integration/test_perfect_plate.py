"""A whole plate of ours, its documents made from commit records, judged by other people's tools."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import ome_zarr_models
import pytest
import yaozarrs
import zarr

from openhcs.core.arrays import level_shapes
from openhcs.core.config import GlobalPipelineConfig, ZarrConfig
from openhcs.core.plate import Acquisition, Channel, PlateIndex
from openhcs.io.fsops import FileOps
from openhcs.io.pyramid import downsample
from openhcs.io.zarr_array import write_array
from openhcs.io.zarr_spec import make_spec
from openhcs.ngff.naming import image_paths
from openhcs.ngff.windows import merge
from openhcs.plan.model import Recipe
from openhcs.plan.parts import Layer, Target
from openhcs.run.derive import documents, output_facts, well_documents
from openhcs.run.histogram import histogram

if TYPE_CHECKING:
    from pathlib import Path

# Other people's libraries warn about one another; their findings about the plate are errors.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SHAPE = (301, 260)
AXES = {0: ((3, 7), (1,), (1, 2), (1, 2, 3)), 1: ((3,), (1,), (1, 2), (1,))}
WELLS = ("A01", "B03")
VERSIONS = ["0.4", "0.5"]
NAMES = ("c", "z", "y", "x")


def plate_index() -> PlateIndex:
    return PlateIndex(
        name="plate ä",
        root="/nowhere",
        microscope="imagexpress",
        rows=tuple("ABCDEFGH"),
        columns=tuple(f"{n:02d}" for n in range(1, 13)),
        planes=(),
        channels=(Channel(number=1, name="DAPI"), Channel(number=2, name="GFP", emission_nm=520.0)),
        acquisitions=(
            Acquisition(number=0, name="0", start_time="2024-05-01T10:00:00+00:00"),
            Acquisition(number=1, name="projection", projection=True),
        ),
        pixel_size_um=(0.65, 0.65),
        z_step_um=2.0,
        dtype="uint16",
        plane_shape=SHAPE,
        positions={("A01", 3): (1000.5, -20.0)},
        metadata_files=("plate.HTD",),
    )


def recipe(
    config: ZarrConfig, *, path: str = "images.zarr", plane_shape: tuple[int, int] = SHAPE, axes: Any = AXES
) -> Recipe:
    layer = Layer(axes=axes, dtype="uint16", plane_shape=plane_shape)
    levels = len(level_shapes(plane_shape, config.levels))
    target = Target(after=0, backend="zarr", path=path, layer=layer, levels=levels, objects=1, raw_bytes=1)
    source = replace(layer, plane_shape=SHAPE)
    return Recipe(plan_id="abc", source=source, steps=(), targets=(target,), config=GlobalPipelineConfig(zarr=config))


def pixels(well: str, acquisition: int, site: int) -> np.ndarray:
    rng = np.random.default_rng([ord(well[0]), int(well[1:]), acquisition, site])
    top = 900 if well == "A01" else 4000
    return rng.integers(100, top, (2, 3 if acquisition == 0 else 1, *SHAPE), "uint16")


def derived(index: PlateIndex, how: Recipe, records: list[dict[str, Any]], **more: bool) -> dict[str, bytes]:
    return documents(output_facts(index, how), records, **more)


def write(folder: Path, documents: dict[str, bytes]) -> None:
    for path, data in documents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def write_well(output: Path, well: str, config: ZarrConfig, axes: Any = AXES) -> dict[str, Any]:
    """Write a well's arrays and return its commit record."""
    images: list[dict[str, Any]] = []
    counts: dict[str, Any] = {}
    for (acquisition, site), name in image_paths({number: labels[0] for number, labels in axes.items()}).items():
        path = f"images.zarr/{well[0]}/{well[1:]}/{name}"
        level = image = pixels(well, acquisition, site)
        for number, _ in enumerate(level_shapes(SHAPE)):
            level = level if number == 0 else downsample(level)
            spec = make_spec(level.shape, level.dtype.name, config, dimension_names=NAMES)
            write_array(output / path / str(number), level, spec, FileOps(durable=False))
        row = {"target": 0, "path": path, "well": well, "acquisition": acquisition, "site": site}
        images.append(row | {"shape": list(image.shape), "gaps": []})
        for channel in ("1", "2"):
            found = [counts[channel]] if channel in counts else []
            counts[channel] = merge([*found, histogram(image[int(channel) - 1])])
    return {"task": well, "images": images, "histograms": [counts]}


def write_plate(output: Path, version: str, axes: Any = AXES) -> Path:
    how = recipe(ZarrConfig(ngff_version=version), axes=axes)
    records = [write_well(output, well, how.config.zarr, axes) for well in WELLS]
    for record in records:
        write(output, well_documents(output_facts(plate_index(), how), record))
    write(output, derived(plate_index(), how, records))
    return output / "images.zarr"


@pytest.fixture(scope="module", params=VERSIONS)
def plate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return write_plate(tmp_path_factory.mktemp("out"), request.param), request.param


def attributes(group: Path) -> dict[str, Any]:
    if (group / "zarr.json").exists():
        return json.loads((group / "zarr.json").read_text())["attributes"]["ome"]
    return json.loads((group / ".zattrs").read_text())


def test_yaozarrs_finds_nothing(plate: tuple[Path, str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yaozarrs.validate_zarr_store(str(plate[0]))


def test_ome_zarr_models_reads_the_plate_and_every_image(plate: tuple[Path, str]) -> None:
    store, version = plate
    group = ome_zarr_models.open_ome_zarr(zarr.open_group(store, mode="r"))
    assert group.ome_zarr_version == version
    wells = list(group.well_groups)
    assert len(wells) == 2
    for path in ("A/01/0", "A/01/1", "A/01/a1s0", "B/03/0", "B/03/1", "B/03/a1s0"):
        image = ome_zarr_models.open_ome_zarr(zarr.open_group(store / path, mode="r"))
        assert type(image).__name__ == "Image"


def test_zarr_python_sees_equal_pixels_on_every_level(plate: tuple[Path, str]) -> None:
    root = zarr.open_group(plate[0], mode="r")
    level = pixels("B03", 0, 7)
    np.testing.assert_array_equal(root["B/03/1/0"][...], level)
    np.testing.assert_array_equal(root["B/03/1/1"][...], downsample(level))


def test_ome_zarr_py_reads_images_channels_and_windows(plate: tuple[Path, str]) -> None:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Multiscales, Reader

    location = parse_url(plate[0] / "A/01/0")
    assert location is not None
    node = next(iter(Reader(location)()))
    assert any(isinstance(spec, Multiscales) for spec in node.specs)
    np.testing.assert_array_equal(np.asarray(node.data[0]), pixels("A01", 0, 3))
    assert node.metadata["channel_names"] == ["DAPI", "GFP"]


@pytest.mark.parametrize("version", VERSIONS)
def test_ome_zarr_py_shows_the_whole_plate(tmp_path: Path, version: str) -> None:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    # Its mosaic wants images of one shape, so a plate of one acquisition.
    store = write_plate(tmp_path, version, {0: AXES[0]})
    location = parse_url(store)
    assert location is not None
    nodes = list(Reader(location)())
    mosaic = np.asarray(nodes[0].data[0])
    np.testing.assert_array_equal(mosaic[..., : SHAPE[0], : SHAPE[1]], pixels("A01", 0, 3))


@pytest.mark.parametrize("strict", [False, True])
def test_the_json_schemas_have_nothing_to_say(plate: tuple[Path, str], strict: bool) -> None:
    from ngff_zarr.validate import validate

    store, version = plate
    for path, model in (("", "plate"), ("A/01", "well"), ("A/01/0", "image"), ("B/03/a1s0", "image")):
        told = attributes(store / path)
        validate({"ome": told} if version == "0.5" else told, version, model, strict)


def test_ngff_zarr_validates_the_plate_and_every_image(plate: tuple[Path, str]) -> None:
    import ngff_zarr

    store, version = plate
    found = ngff_zarr.from_hcs_zarr(str(store), validate=True)
    assert len(found.metadata.wells) == 2
    for well in attributes(store)["plate"]["wells"]:
        for image in attributes(store / well["path"])["well"]["images"]:
            shown = ngff_zarr.from_ngff_zarr(str(store / well["path"] / image["path"]), validate=True, version=version)
            assert len(shown.images) == 2
            assert shown.images[0].dims == NAMES
            assert shown.images[0].scale["x"] == 0.65


def test_all_physical_rows_and_columns_and_only_committed_wells_are_listed(plate: tuple[Path, str]) -> None:
    body = attributes(plate[0])["plate"]
    assert (len(body["rows"]), len(body["columns"])) == (8, 12)
    assert body["wells"] == [
        {"path": "A/01", "rowIndex": 0, "columnIndex": 0},
        {"path": "B/03", "rowIndex": 1, "columnIndex": 2},
    ]
    assert body["field_count"] == 2
    assert body["acquisitions"] == [
        {"id": 0, "name": "0", "maximumfieldcount": 2, "starttime": 1714557600},
        {"id": 1, "name": "projection", "maximumfieldcount": 1},
    ]


def test_windows_are_the_same_for_a_channel_across_the_plate(plate: tuple[Path, str]) -> None:
    windows = [
        attributes(plate[0] / image)["omero"]["channels"][0]["window"]
        for image in ("A/01/0", "A/01/1", "B/03/0", "B/03/a1s0")
    ]
    assert all(one == windows[0] for one in windows)
    images = [(0, 3), (0, 7), (1, 3)]
    values = np.concatenate([pixels(well, *image)[0].ravel() for well in WELLS for image in images])
    low, high = np.percentile(values, [0.1, 99.9])
    assert windows[0]["start"] == pytest.approx(low, rel=1 / 32)
    assert windows[0]["end"] == pytest.approx(high, rel=1 / 32)
    assert (windows[0]["min"], windows[0]["max"]) == (0, 65535)


def test_levels_have_the_exact_scale_and_lie_where_their_pixels_are(plate: tuple[Path, str]) -> None:
    first, second = attributes(plate[0] / "A/01/0")["multiscales"][0]["datasets"]
    assert first["coordinateTransformations"][0]["scale"] == [1.0, 2.0, 0.65, 0.65]
    assert first["coordinateTransformations"][1]["translation"] == [0.0, 0.0, -20.0, 1000.5]
    assert second["coordinateTransformations"][0]["scale"] == [1.0, 2.0, 1.3, 1.3]
    assert second["coordinateTransformations"][1]["translation"] == [0.0, 0.0, -20.0 + 0.325, 1000.5 + 0.325]


def test_an_image_with_other_pixels_says_that_its_pixel_size_is_unknown() -> None:
    how = recipe(ZarrConfig(), plane_shape=(100, 90))
    row = {"target": 0, "path": "images.zarr/A/01/0", "well": "A01", "acquisition": 0, "site": 3, "gaps": []}
    record = {"task": "A01", "images": [row | {"shape": [2, 3, 100, 90]}], "histograms": [{}]}
    made = well_documents(output_facts(plate_index(), how), record)
    told = json.loads(made["images.zarr/A/01/0/zarr.json"])["attributes"]
    assert told["openhcs"]["pixel_size_um"] is None
    assert "unit" not in told["ome"]["multiscales"][0]["axes"][-1]
    assert told["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"][-1] == 1.0


def test_an_axis_of_one_pixel_is_not_scaled_further() -> None:
    how = recipe(ZarrConfig(), plane_shape=(1100, 2))
    row = {"target": 0, "path": "images.zarr/A/01/0", "well": "A01", "acquisition": 0, "site": 3, "gaps": []}
    record = {"task": "A01", "images": [row | {"shape": [2, 3, 1100, 2]}], "histograms": [{}]}
    made = well_documents(output_facts(plate_index(), how), record)
    datasets = json.loads(made["images.zarr/A/01/0/zarr.json"])["attributes"]["ome"]["multiscales"][0]["datasets"]
    scales = [level["coordinateTransformations"][0]["scale"][-2:] for level in datasets]
    assert scales == [[1.0, 1.0], [2.0, 2.0], [4.0, 2.0], [8.0, 2.0]]


def test_before_the_first_commit_there_is_no_document() -> None:
    assert derived(plate_index(), recipe(ZarrConfig()), []) == {}


def a_record() -> dict[str, Any]:
    row = {"target": 0, "path": "images.zarr/A/01/0", "well": "A01", "acquisition": 0, "site": 3, "gaps": []}
    return {"task": "A01", "images": [row | {"shape": [2, 3, *SHAPE]}], "histograms": [{}]}


def test_without_ome_metadata_groups_are_plain_and_lie_in_the_same_place() -> None:
    full = derived(plate_index(), recipe(ZarrConfig()), [a_record()])
    plain = derived(plate_index(), recipe(ZarrConfig(ome_zarr_metadata=False)), [a_record()])
    assert set(full) == set(plain)
    assert not any(b'"ome"' in data for data in plain.values())


def test_without_plate_metadata_images_alone_are_described() -> None:
    made = derived(plate_index(), recipe(ZarrConfig(write_plate_metadata=False)), [a_record()])
    told = {path: json.loads(data)["attributes"]["ome"] for path, data in made.items()}
    assert "plate" not in told["images.zarr/zarr.json"]
    assert "well" not in told["images.zarr/A/01/zarr.json"]
    assert "multiscales" in told["images.zarr/A/01/0/zarr.json"]


def test_a_bare_store_has_its_documents_at_the_top() -> None:
    made = derived(plate_index(), recipe(ZarrConfig(), path=""), [a_record()], final=False)
    assert set(made) == {"zarr.json", "A/zarr.json"}


def test_documents_of_the_same_records_are_the_same_bytes() -> None:
    first = derived(plate_index(), recipe(ZarrConfig()), [a_record()])
    assert first == derived(plate_index(), recipe(ZarrConfig()), [a_record()])


def test_an_output_can_be_closed_from_facts_kept_as_json() -> None:
    from openhcs.errors import FormatError
    from openhcs.run.derive import OutputFacts, documents, output_facts

    how = recipe(ZarrConfig(ngff_version="0.4"))
    facts = output_facts(plate_index(), how, vendor_files={"plate.HTD": "ff"})
    kept = OutputFacts.from_json(json.loads(json.dumps(facts.to_json())))
    assert kept == facts
    assert documents(kept, [a_record()]) == documents(facts, [a_record()])
    with pytest.raises(FormatError, match="facts"):
        OutputFacts.from_json({"plate": 3})


def test_images_are_listed_by_site_however_they_were_finished() -> None:
    record = a_record()
    first = record["images"][0]
    record["images"] = [first | {"site": 7, "path": "images.zarr/A/01/1"}, first]
    made = derived(plate_index(), recipe(ZarrConfig()), [record])
    told = json.loads(made["images.zarr/A/01/zarr.json"])["attributes"]["ome"]["well"]
    assert [image["path"] for image in told["images"]] == ["0", "1"]


def test_gaps_and_original_numbers_are_told_in_the_image() -> None:
    record = a_record()
    record["images"][0] |= {"gaps": [{"t": 1, "c": 2, "z": 3, "state": "missing"}]}
    made = derived(plate_index(), recipe(ZarrConfig()), [record])
    own = json.loads(made["images.zarr/A/01/0/zarr.json"])["attributes"]["openhcs"]
    assert own["gaps"] == [{"t": 1, "c": 2, "z": 3, "state": "missing"}]
    assert (own["well"], own["site"], own["channels"], own["z"], own["t"]) == ("A01", 3, [1, 2], [1, 2, 3], [1])


def test_tiff_outputs_get_a_plate_document_that_reads_back() -> None:
    from openhcs.ngff.facts import PlateFacts

    how = recipe(ZarrConfig(), path="images")
    how = replace(how, targets=(replace(how.targets[0], backend="disk"),))
    record = a_record() | {"histograms": [{}]}
    made = derived(plate_index(), how, [record])
    told = json.loads(made["images/plate.json"])
    assert set(made) == {"images/plate.json"}
    assert told["wells"] == ["A01"]
    assert PlateFacts.from_json(told) == PlateFacts.of(plate_index(), plan="abc")
