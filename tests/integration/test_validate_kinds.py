"""Whatever OME-Zarr is named is looked at as what it is: plates of ours of every kind, parts of them, collections."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import zarr

import peers
from damage import IMAGE, LABEL, VERSIONS, add_labels, copy_store, make_source, make_store
from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, VariableComponents, ZarrConfig, convert
from openhcs import validate as look
from openhcs.cli import main
from openhcs.errors import InputError, NotFound
from openhcs.steps import threshold_label
from openhcs.testing.synthetic import make_plate

BOTH = ("0.4", "0.5")


def told(report):
    return [one.code for one in report.findings if one.code != "no-records"]


def wrong(report):
    return [one for one in report.findings if one.severity != "info"]


@pytest.fixture(scope="module", params=VERSIONS)
def store(request, tmp_path_factory):
    """A plate with a label, without ledger."""
    top = tmp_path_factory.mktemp("kinds")
    made = make_store(make_source(top / "P1"), top / "made.zarr", request.param)
    found = copy_store(made, top / "p.zarr")
    add_labels(found)
    return found


@pytest.mark.parametrize(
    ("path", "kind"),
    [("", "plate"), ("A/01", "well"), (IMAGE, "image"), (f"{IMAGE}/labels", "labels"), (LABEL, "image")],
)
def test_a_part_of_a_plate_is_looked_at_as_what_it_is(store, path, kind):
    report = look(store.path / path, deep=True)
    assert (report.kind, told(report)) == (kind, [])
    assert report.bytes > 0


def test_a_part_of_an_output_is_told_whose_it_is(tmp_path):
    plate = make_plate(tmp_path / "P1", wells=("A01",), size=(80, 64))
    assert convert(plate, tmp_path / "out.zarr").ok
    (one,) = look(tmp_path / "out.zarr/A/01").findings
    assert (one.code, str(tmp_path / "out.zarr") in one.message) == ("no-records", True)


def test_a_row_and_an_array_are_no_ome_zarr(store):
    for path in ("A", f"{IMAGE}/0"):
        report = look(store.path / path)
        assert (told(report), report.valid) == (["not-ome-zarr"], False)


def test_what_is_nothing_is_refused(tmp_path):
    with pytest.raises(NotFound):
        look(tmp_path / "none.zarr")
    (tmp_path / "a.txt").write_text("x")
    for path in (tmp_path, tmp_path / "a.txt"):
        with pytest.raises(InputError, match="neither an output of openhcs nor a Zarr store"):
            look(path)


def test_a_store_in_one_file_is_to_be_unpacked(tmp_path):
    (tmp_path / "a.ozx").write_bytes(b"PK")
    with pytest.raises(InputError, match="Unpack it"):
        look(tmp_path / "a.ozx")


def test_a_half_written_plate_lists_wells_that_are_not_there_yet(store):
    with store.undone():
        for path in ("B", "D"):
            store.drop(path)
        report = look(store.path)
    assert [(one.code, one.well) for one in report.findings[1:]] == [("well-absent", "B03"), ("well-absent", "D02")]


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("layout", ["imagexpress", "opera_phenix"])
def test_nothing_is_found_in_plates_of_z_and_time_with_wells_and_sites_left_out(version, layout, tmp_path):
    how = {"wells": ("B02", "C11", "H12"), "sites": 3, "z": 2, "t": 2, "missing": 2, "size": (300, 520)}
    plate = make_plate(tmp_path / "P1", layout=layout, **how)
    for missing in ("fill", "skip"):
        out = tmp_path / f"{missing}.zarr"
        config = GlobalPipelineConfig(missing=missing, zarr=ZarrConfig(ngff_version=version))
        assert convert(plate, out, config=config).ok
        assert wrong(look(out, deep=True)) == []
        shutil.rmtree(tmp_path / f".{missing}.zarr.openhcs")
        report = look(out, deep=True)
        # How long a step of time takes is not known, and so not invented.
        assert (wrong(report), set(told(report))) == ([], {"axis-unit-missing"})


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_is_found_in_the_output_of_a_pipeline_nor_in_one_well_of_it(version, tmp_path):
    plate = make_plate(tmp_path / "P1", wells=("A01", "B02"), z=3, size=(301, 280))
    steps = [
        FunctionStep(lambda stack: stack + 1, force_disk_output=True),
        FunctionStep(lambda stack: stack.max(axis=0), variable_components=[VariableComponents.Z_INDEX]),
        FunctionStep(threshold_label),
    ]
    config = GlobalPipelineConfig(use_threading=True, zarr=ZarrConfig(ngff_version=version))
    for wells in ("A01", None):
        assert PipelineOrchestrator(plate, output=tmp_path / "out", global_config=config, wells=wells).run(steps).ok
        report = look(tmp_path / "out", deep=True)
        assert (report.findings, report.kind) == ((), "output")
    assert len(list((tmp_path / "out/steps").glob("*.zarr"))) == 1
    assert list((tmp_path / "out/images.zarr/A/01/0/labels").iterdir())


def test_damage_in_the_store_of_a_step_is_told_with_its_path(tmp_path):
    plate = make_plate(tmp_path / "P1", wells=("A01",), size=(301, 280))
    steps = [FunctionStep(lambda stack: stack + 1, force_disk_output=True), FunctionStep(lambda stack: stack + 1)]
    config = GlobalPipelineConfig(use_threading=True)
    PipelineOrchestrator(plate, output=tmp_path / "out", global_config=config).run(steps)
    (store,) = (tmp_path / "out/steps").glob("*.zarr")
    (store / "A/01/9").mkdir()
    (store / "A/01/9/zarr.json").write_bytes((store / "A/01/0/zarr.json").read_bytes())
    found = {(one.code, one.path) for one in look(tmp_path / "out").findings}
    assert ("site-unlisted", f"steps/{store.name}/A/01/9") in found


@pytest.fixture
def collection(tmp_path):
    folder = peers.quietly(peers.yaozarrs_collection, tmp_path / "c.zarr", "0.5")
    (folder / "OME/METADATA.ome.xml").write_text('<OME><Image ID="Image:0"/><Image ID="Image:1"/></OME>')
    return folder


def ome(group):
    return json.loads((group / "zarr.json").read_bytes())["attributes"]["ome"]


def change(group, **keys):
    document = json.loads((group / "zarr.json").read_bytes())
    document["attributes"]["ome"] |= keys
    (group / "zarr.json").write_text(json.dumps(document))


def no_series(folder):
    """Let the images be found by their numbers."""
    document = json.loads((folder / "OME/zarr.json").read_bytes())
    document["attributes"]["ome"].pop("series", None)
    (folder / "OME/zarr.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (lambda at: change(at, **{"bioformats2raw.layout": 2}), "collection-layout"),
        (lambda at: shutil.rmtree(at / "1"), "series-absent"),
        (lambda at: change(at / "OME", series=["0", "1", "1"]), "series-repeated"),
        (lambda at: change(at / "OME", series=["0"]), "series-unlisted"),
        (lambda at: change(at / "OME", series=[0]), "value-wrong"),
        (lambda at: change(at / "OME", series=["0", "../../x"]), "path-leads-out"),
        (lambda at: (at / "OME/METADATA.ome.xml").unlink(), "collection-xml-missing"),
        (lambda at: (at / "OME/METADATA.ome.xml").write_text("<OME><Image /></OME>"), "collection-xml-count"),
        (lambda at: (no_series(at), shutil.rmtree(at / "0")), "collection-empty"),
        (lambda at: change(at / "1", version="0.4"), "versions-mixed"),
        (lambda at: (at / "OME/zarr.json").unlink(), "group-document-missing"),
    ],
)
def test_damage_to_a_collection_is_found(collection, harm, code):
    assert set(told(look(collection))) == {"level-method-missing"}
    harm(collection)
    report = look(collection)
    assert code in told(report), report.findings


def test_images_of_a_collection_without_a_list_are_found_by_number(collection):
    no_series(collection)
    report = look(collection, deep=True)
    assert (report.kind, set(told(report))) == ("collection", {"level-method-missing"})


def test_the_images_of_a_scene_are_looked_at(collection):
    document = json.loads((collection / "zarr.json").read_bytes())
    document["attributes"]["ome"] = {"version": "0.6", "scene": {"coordinateTransformations": []}}
    (collection / "zarr.json").write_text(json.dumps(document))
    report = look(collection)
    assert report.kind == "scene"
    assert {"scene-unread", "versions-mixed", "level-method-missing"} <= set(told(report))


def test_objects_left_out_by_others_are_counted_and_a_deep_look_tells_where_another_level_has_pixels(tmp_path):
    folder = peers.quietly(peers.ngff_zarr_image, tmp_path / "p.zarr", "0.4")
    objects = sorted(path for path in folder.rglob("*") if path.is_file() and path.name.isdecimal())
    objects[0].unlink()
    for deep, codes in ((False, ["chunks-absent"]), (True, ["pixels-differ", "chunks-absent"])):
        report = look(folder, deep=deep)
        assert (told(report), report.valid) == (codes, True)
    assert report.findings[-1].message.startswith(f"1 of {len(objects)} objects")
    assert report.findings[-1].severity == "info"


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_levels_of_any_method_are_one_picture(zarr_format, tmp_path):
    rng = np.random.default_rng(0)
    image = rng.poisson(100 + 400 * (np.add.outer(np.arange(512), np.arange(512)) % 64 > 40)).astype("uint16")
    blocks = image.reshape(256, 2, 256, 2)
    for name, smaller in {
        "mean": blocks.mean(axis=(1, 3)),
        "nearest": image[::2, ::2],
        "last": image[1::2, 1::2],
        "maximum": blocks.max(axis=(1, 3)),
        "median": np.median(blocks, axis=(1, 3)),
    }.items():
        for pixels, codes in ((smaller, []), (smaller[::-1, ::-1].copy() * 0 + 1, ["pixels-differ"])):
            root = zarr.open_group(tmp_path / name, mode="w", zarr_format=zarr_format)
            root.create_array("0", data=image, chunks=(100, 130))
            root.create_array("1", data=pixels.astype("uint16"), chunks=(256, 90))
            entry = {
                "name": name,
                "type": name,
                "metadata": {},
                "axes": [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"],
                "datasets": [
                    {"path": str(n), "coordinateTransformations": [{"type": "scale", "scale": [n + 1.0] * 2}]}
                    for n in range(2)
                ],
            }
            body = {"multiscales": [entry]}
            entry |= {"version": "0.4"} if zarr_format == 2 else {}
            root.attrs.update(body if zarr_format == 2 else {"ome": {"version": "0.5", **body}})
            report = look(tmp_path / name, deep=True)
            lawful = {"dimension-names-missing", "chunk-separator", "no-records"}
            assert [one.code for one in report.findings if one.code not in lawful] == codes, (name, report.findings)


def test_many_findings_of_one_code_are_counted_in_the_text_and_listed_as_json(store, capsys):
    with store.undone():
        for path in (IMAGE, "A/01/1", "B/03/0", "B/03/1", "D/02/0"):
            with store.group(path) as body:
                body["omero"]["channels"][0]["color"] = "blue"
        assert main(["validate", str(store.path)]) == 4
        lines = capsys.readouterr().out.splitlines()
        assert main(["validate", str(store.path), "--json"]) == 4
        found = json.loads(capsys.readouterr().out)["findings"]
    first = lines.index(f"error: omero-color (5 times), {store.version} §omero-md")
    assert lines[first + 4] == "  and 2 more; all with --json"
    assert lines[first + 5].startswith("  do: Write six digits")
    assert lines[-1] == f"{store.path}: not valid: 5 errors"
    assert [one["code"] for one in found] == ["no-records"] + ["omero-color"] * 5
    assert all({"code", "severity", "path", "message", "remedy", "rule", "well"} <= set(one) for one in found[1:])
