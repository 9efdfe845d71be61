"""OME-Zarr plates carried between versions: everything comes along, and pixels are equal by digest."""

from __future__ import annotations

import json
import os
import shutil
import threading
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaozarrs
import zarr

from carrying import LABELS, document, edit, in_version, objects_in, pixels_of, rich_plate, tree_of
from openhcs import ZarrCompressor, ZarrConfig, convert, open_plate, validate
from openhcs.cli import main
from openhcs.errors import FormatError, InvalidValue, MissingPlanes, OutputExists, Stopped
from openhcs.io.tree import FolderTree
from openhcs.run.carry import plan_carry
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
VERSIONS = ("0.4", "0.5", "0.6")
PAIRS = [(a, b) for a in VERSIONS for b in VERSIONS]


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return make_plate(tmp_path_factory.mktemp("raw") / "P1", wells=("A01", "B03"), sites=2, z=3, size=(301, 400))


@pytest.fixture(scope="module")
def plates(source, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("plates")
    return {version: rich_plate(source, folder / f"p{version}.zarr", version) for version in ("0.4", "0.5")}


@pytest.fixture(scope="module")
def newest(plates, tmp_path_factory) -> Path:
    store = tmp_path_factory.mktemp("newest") / "p.zarr"
    assert convert(plates["0.5"], store, config=in_version("0.6")).ok
    return store


def of(plates, newest, version: str) -> Path:
    return newest if version == "0.6" else plates[version]


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_pixels_labels_and_tables_are_equal_by_digest(plates, newest, tmp_path, before, after):
    store = of(plates, newest, before)
    assert convert(store, tmp_path / "q.zarr", config=in_version(after)).ok
    assert pixels_of(tmp_path / "q.zarr") == pixels_of(store)
    assert (tmp_path / "q.zarr/OME/METADATA.ome.xml").read_text() == "<OME/>"
    assert (tmp_path / "q.zarr/A/01/0/notes.txt").read_text() == "seen by eye"
    found = validate(tmp_path / "q.zarr", deep=True)
    assert [str(one) for one in found.findings if one.code in {"object-damaged", "document-changed", "stranger"}] == []


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_unknown_keys_labels_and_colours_come_along(plates, newest, tmp_path, before, after):
    store = of(plates, newest, before)
    assert convert(store, tmp_path / "q.zarr", config=in_version(after)).ok
    new = tmp_path / "q.zarr"
    assert document(new)["plate"]["x_operator"] == "ä"
    assert document(new / "A/01/0")["omero"]["x_lamp"] == 3
    assert document(new / LABELS)["labels"] == ["cells"]
    cells = document(new / LABELS / "cells")
    assert cells["image-label"]["colors"] == [{"label-value": 1, "rgba": [255, 0, 0, 255]}]
    assert cells["multiscales"][0]["x_by"] == "hand"
    assert document(new / "A/01/0/tables/counts") == {"kind": "table"}
    old, carried = document(store / "A/01/0")["omero"], document(new / "A/01/0")["omero"]
    assert carried["channels"] == old["channels"]


@pytest.mark.parametrize("before", VERSIONS)
def test_there_and_back_gives_the_same_documents(plates, newest, tmp_path, before):
    store = of(plates, newest, before)
    at = store
    for number, version in enumerate((*(one for one in VERSIONS if one != before), before)):
        assert convert(at, tmp_path / f"{number}.zarr", config=in_version(version)).ok
        at = tmp_path / f"{number}.zarr"
    for group in ("", "A/01", "A/01/0", "B/03/1", LABELS, f"{LABELS}/cells"):
        assert document(at / group) == document(store / group), group


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_foreign_judges_have_nothing_to_say(plates, tmp_path, version):
    other = "0.5" if version == "0.4" else "0.4"
    assert convert(plates[other], tmp_path / "q.zarr", config=in_version(version)).ok
    yaozarrs.validate_zarr_store(str(tmp_path / "q.zarr"))


def test_the_0_6_schemas_have_nothing_to_say(newest):
    import ngff_zarr
    from ngff_zarr.validate import validate as judge

    for path, kind in (("", "plate"), ("A/01", "well"), ("A/01/0", "image"), (f"{LABELS}/cells", "label")):
        for strict in (False, True):
            judge({"ome": document(newest / path)}, "0.6", kind, strict)
    seen = ngff_zarr.from_ngff_zarr(str(newest / "A/01/0"), validate=True, version="0.6")
    assert (seen.images[0].scale["x"], seen.images[1].translation["x"]) == (0.65, pytest.approx(0.325, abs=1e4))
    assert len(ngff_zarr.from_hcs_zarr(str(newest), validate=True).metadata.wells) == 2


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_the_count_of_stored_objects_is_told_before_and_met(plates, newest, tmp_path, before, after):
    store, events = of(plates, newest, before), []
    plan = plan_carry(FolderTree(store), in_version(after), store="")
    convert(store, tmp_path / "q.zarr", config=in_version(after), on_event=events.append)
    assert events[0].total_objects == plan.stored_objects == objects_in(tmp_path / "q.zarr")


def test_the_same_zarr_is_copied_byte_for_byte(plates, tmp_path):
    assert convert(plates["0.5"], tmp_path / "q.zarr", config=in_version("0.6")).ok
    old, new = tree_of(plates["0.5"]), tree_of(tmp_path / "q.zarr")
    assert {path for path in old if old[path] != new.get(path)} == {
        path for path in old if path.endswith("zarr.json") and b'"node_type":"group"' in old[path].replace(b": ", b":")
    }


def test_another_way_of_storing_is_honoured(plates, tmp_path):
    config = replace(in_version("0.5"), zarr=ZarrConfig(compressor=ZarrCompressor.NONE, shuffle=False))
    assert convert(plates["0.5"], tmp_path / "q.zarr", config=config).ok
    assert pixels_of(tmp_path / "q.zarr") == pixels_of(plates["0.5"])
    said = json.loads((tmp_path / "q.zarr/A/01/0/0/zarr.json").read_text())
    assert "blosc" not in json.dumps(said["codecs"])


def test_arrays_for_zarr_v3_name_their_axes(plates, tmp_path):
    assert convert(plates["0.4"], tmp_path / "q.zarr", config=in_version("0.5")).ok
    array = zarr.open_array(tmp_path / "q.zarr" / LABELS / "cells/0", mode="r")
    assert array.metadata.dimension_names == ("z", "y", "x")


def test_chosen_wells_come_and_others_later(plates, tmp_path):
    assert convert(plates["0.5"], tmp_path / "q.zarr", config=in_version("0.6"), wells="B03").done == ("B03",)
    assert [well["path"] for well in document(tmp_path / "q.zarr")["plate"]["wells"]] == ["B/03"]
    again = convert(plates["0.5"], tmp_path / "q.zarr", config=in_version("0.6"))
    assert (again.done, again.skipped) == (("A01",), ("B03",))
    assert len(document(tmp_path / "q.zarr")["plate"]["wells"]) == 2


def test_the_same_command_again_has_nothing_to_do_and_a_changed_well_is_carried_again(plates, tmp_path):
    shutil.copytree(plates["0.5"], tmp_path / "p.zarr")
    assert convert(tmp_path / "p.zarr", tmp_path / "q.zarr", config=in_version("0.6")).ok
    assert convert(tmp_path / "p.zarr", tmp_path / "q.zarr", config=in_version("0.6")).skipped == ("A01", "B03")
    edit(tmp_path / "p.zarr/B/03/0", "0.5", lambda told: told["omero"].update(x_new=1))
    assert convert(tmp_path / "p.zarr", tmp_path / "q.zarr", config=in_version("0.6")).done == ("B03",)
    assert document(tmp_path / "q.zarr/B/03/0")["omero"]["x_new"] == 1


def test_stopped_in_the_middle_it_goes_on(plates, tmp_path):
    stop = threading.Event()
    one_by_one = replace(in_version("0.6"), num_workers=1)
    with pytest.raises(Stopped):
        convert(
            plates["0.5"],
            tmp_path / "q.zarr",
            config=one_by_one,
            stop=stop,
            on_event=lambda event: stop.set() if event.kind == "well_done" else None,
        )
    assert convert(plates["0.5"], tmp_path / "q.zarr", config=one_by_one).done == ("B03",)


def test_closing_again_makes_the_same_documents(plates, tmp_path, capsys):
    assert convert(plates["0.5"], tmp_path / "q.zarr", config=in_version("0.6")).ok
    before = tree_of(tmp_path / "q.zarr")
    (tmp_path / "q.zarr/A/01/0/zarr.json").unlink()
    (tmp_path / "q.zarr/zarr.json").write_text("{}")
    assert main(["close", str(tmp_path / "q.zarr")]) == 0
    assert tree_of(tmp_path / "q.zarr") == before


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_flipped_bit_is_an_error_that_names_the_well_and_the_rest_is_carried(source, tmp_path, version):
    assert convert(source, tmp_path / "p.zarr", config=in_version(version)).ok
    chunk = max((path for path in (tmp_path / "p.zarr/B/03/0/0").rglob("*") if path.is_file()), key=os.path.getsize)
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 4
    chunk.write_bytes(data)
    result = convert(tmp_path / "p.zarr", tmp_path / "q.zarr", config=in_version("0.6"))
    assert (result.done, [failed.well for failed in result.failed]) == (("A01",), ["B03"])
    assert "damaged" in result.failed[0].message


def test_a_truncated_shard_of_a_store_without_ledger_is_noticed(plates, tmp_path):
    shutil.copytree(plates["0.5"], tmp_path / "p.zarr")
    shard = max((path for path in (tmp_path / "p.zarr/B/03/0/0").rglob("*") if path.is_file()), key=os.path.getsize)
    os.truncate(shard, shard.stat().st_size - 99)
    result = convert(tmp_path / "p.zarr", tmp_path / "q.zarr", config=in_version("0.6"))
    assert [failed.well for failed in result.failed] == ["B03"]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_object_that_is_gone_from_a_store_of_ours_is_noticed_without_a_ledger(plates, tmp_path, version):
    shutil.copytree(plates[version], tmp_path / "p.zarr")
    gone = next(
        path for path in sorted((tmp_path / "p.zarr/B/03/0/0").rglob("*")) if path.name == "0" and path.is_file()
    )
    gone.unlink()
    for target in ("q.zarr", "same.zarr"):
        config = in_version("0.6" if target == "q.zarr" else version)
        result = convert(tmp_path / "p.zarr", tmp_path / target, config=config)
        assert [failed.well for failed in result.failed] == ["B03"], target


def test_absent_wells_and_sites_are_refused_or_left_out(plates, tmp_path):
    shutil.copytree(plates["0.5"], tmp_path / "p.zarr")
    shutil.rmtree(tmp_path / "p.zarr/B/03")
    shutil.rmtree(tmp_path / "p.zarr/A/01/1")
    with pytest.raises(MissingPlanes, match=r"2 wells or sites .* B03, A/01/1|2 wells or sites .* A/01/1, well B03"):
        convert(tmp_path / "p.zarr", tmp_path / "q.zarr", config=in_version("0.6"))
    with pytest.raises(InvalidValue, match="no shape"):
        plan_carry(FolderTree(tmp_path / "p.zarr"), in_version("0.6", missing="fill"), store="")
    assert convert(tmp_path / "p.zarr", tmp_path / "filled.zarr", config=in_version("0.6", missing="fill")).ok
    assert not zarr.open_array(tmp_path / "filled.zarr/B/03/0/0", mode="r")[...].any()
    assert convert(tmp_path / "p.zarr", tmp_path / "q.zarr", config=in_version("0.6", missing="skip")).ok
    assert [one["path"] for one in document(tmp_path / "q.zarr/A/01")["well"]["images"]] == ["0"]
    assert [one["path"] for one in document(tmp_path / "q.zarr")["plate"]["wells"]] == ["A/01"]


def test_a_level_that_is_listed_and_gone_is_an_error_before_anything_is_written(plates, tmp_path):
    shutil.copytree(plates["0.5"], tmp_path / "p.zarr")
    shutil.rmtree(tmp_path / "p.zarr/B/03/0/1")
    with pytest.raises(FormatError, match="level 1 is listed and not there"):
        convert(tmp_path / "p.zarr", tmp_path / "q.zarr", config=in_version("0.6"))
    assert not (tmp_path / "q.zarr").exists()


def test_an_array_of_texts_is_copied_within_zarr_v3_and_refused_for_v2(plates, tmp_path):
    shutil.copytree(plates["0.5"], tmp_path / "p.zarr")
    with warnings.catch_warnings(action="ignore"):  # that texts have no specification in Zarr v3 yet
        zarr.open_group(tmp_path / "p.zarr/A/01/0/tables/counts").create_array("names", data=np.array(["a", "bc"]))
    assert convert(tmp_path / "p.zarr", tmp_path / "q.zarr", config=in_version("0.6")).ok
    assert (tmp_path / "q.zarr/A/01/0/tables/counts/names/zarr.json").exists()
    with pytest.raises(FormatError, match=r"tables/counts/names cannot be carried to Zarr v2"):
        convert(tmp_path / "p.zarr", tmp_path / "r.zarr", config=in_version("0.4"))


def test_an_output_folder_holds_the_store_and_another_plan_is_refused(plates, tmp_path):
    assert convert(plates["0.5"], tmp_path / "out", config=in_version("0.6")).ok
    assert pixels_of(tmp_path / "out/images.zarr") == pixels_of(plates["0.5"])
    with pytest.raises(OutputExists):
        convert(plates["0.5"], tmp_path / "out", config=in_version("0.4"))
    assert open_plate(tmp_path / "out").wells == ("A01", "B03")
