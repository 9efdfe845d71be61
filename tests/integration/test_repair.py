"""Damaged plates are repaired: documents made anew, no chunk touched, nothing removed, what is lost told."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
import xxhash
import yaozarrs

from carrying import tree_of
from damage import IMAGE, VERSIONS, add_labels, copy_store, make_source, make_store
from damage_kinds import KINDS, LABELS
from openhcs import validate
from openhcs.cli import main
from openhcs.errors import InputError, NotFound
from openhcs.repair import repair

if TYPE_CHECKING:
    from pathlib import Path

    from damage import Store

DOCUMENTS = ("zarr.json", ".zarray", ".zattrs", ".zgroup")
ALL = [(version, one) for one in (*KINDS, *LABELS) for version in one.versions]
WITH_RECORDS = [(version, one) for one in KINDS for version in one.versions]


def cases(found, step):
    """Every so many of them each time, all in the heavy run."""
    return [
        pytest.param(version, one, id=f"{version} {one.name}", marks=() if number % step == 0 else pytest.mark.crash)
        for number, (version, one) in enumerate(found)
    ]


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> dict[str, Store]:
    top = tmp_path_factory.mktemp("clean")
    source = make_source(top / "P1")
    return {version: make_store(source, top / f"p{version}.zarr", version) for version in VERSIONS}


@pytest.fixture(scope="module")
def labelled(clean, tmp_path_factory) -> dict[str, Store]:
    top = tmp_path_factory.mktemp("labelled")
    found = {version: copy_store(store, top / f"p{version}.zarr") for version, store in clean.items()}
    for store in found.values():
        add_labels(store)
    return found


def chunks(folder: Path) -> dict[str, str]:
    """Return the digest of every file that is no document."""
    return {
        path: xxhash.xxh3_64_hexdigest(data) for path, data in tree_of(folder).items() if not path.endswith(DOCUMENTS)
    }


def errors(report):
    return {one.path for one in report.findings if one.severity == "error"}


def check(folder: Path, *, deep: bool) -> None:
    """Repair a damaged store and look at what became of it."""
    before, names = chunks(folder), tree_of(folder)
    told = repair(folder, deep=deep)
    assert tree_of(folder) == names
    assert not told.applied
    done = repair(folder, apply=True, deep=deep)
    assert chunks(folder) == before
    assert set(names) <= set(tree_of(folder))
    left = errors(validate(folder, deep=deep))
    assert left <= {one.path for one in done.lost}
    assert [path for path, _ in done.changes] == [path for path, _ in told.changes]
    again = repair(folder, apply=True, deep=deep)
    assert again.changes == ()


BEYOND = {
    "a level says another dtype",
    "a level says another shape",
    "a level says the size of the one before",
    "a level is of another zarr version",
    "a level on disk is not listed",
    "a listed level is absent",
    "a further system starts from another than the levels lead to",
    "a label is of floats",
    "a label has another size",
    "a row is of another zarr version",
    "documents of two zarr versions lie in one well",
    "two rows differ in case only",
    "objects are named by another encoding",
}
"""Kinds beside damage to objects that leave an error, in one version at least; each is told as lost."""
OF_OBJECTS = ("an object", "a shard", "a bit of", "an entry of", "entries of", "objects of")


@pytest.mark.parametrize(("version", "damage"), cases(ALL, 9))
def test_damage_without_records_is_mended_or_told_as_lost(version, damage, labelled, tmp_path):
    store = labelled[version]
    with store.undone():
        damage.harm(store)
        shutil.copytree(store.path, tmp_path / "p.zarr")
    check(tmp_path / "p.zarr", deep=damage.deep)
    if damage.name not in BEYOND and not damage.name.startswith(OF_OBJECTS):
        assert errors(validate(tmp_path / "p.zarr", deep=damage.deep)) == set()


@pytest.mark.parametrize(("version", "damage"), cases(WITH_RECORDS, 13))
def test_damage_with_records_is_mended_or_told_as_lost(version, damage, clean, tmp_path):
    store = clean[version]
    with store.undone():
        damage.harm(store)
        shutil.copytree(store.path, tmp_path / "p.zarr")
    shutil.copytree(store.path.with_name(f".{store.path.name}.openhcs"), tmp_path / ".p.zarr.openhcs")
    check(tmp_path / "p.zarr", deep=damage.deep)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_plate_that_lost_its_documents_is_a_plate_again_for_others(version, labelled, tmp_path):
    shutil.copytree(labelled[version].path, tmp_path / "p.zarr")
    for path in ("", "A", "A/01", IMAGE):
        for name in (".zattrs", ".zgroup", "zarr.json"):
            (tmp_path / "p.zarr" / path / name).unlink(missing_ok=True)
    # Without a document at the root it is no Zarr store to anybody.
    (tmp_path / "p.zarr" / (".zgroup" if version == "0.4" else "zarr.json")).write_text("{}")
    assert [one.path for one in repair(tmp_path / "p.zarr", apply=True).lost] == [IMAGE]  # its stage position
    yaozarrs.validate_zarr_store(str(tmp_path / "p.zarr"))
    assert validate(tmp_path / "p.zarr", deep=True).valid


@pytest.mark.parametrize("version", VERSIONS)
def test_a_lost_array_document_is_found_by_its_digest_or_made_of_the_plan(version, clean, tmp_path):
    shutil.copytree(clean[version].path, tmp_path / "p.zarr")
    shutil.copytree(clean[version].path.with_name(f".p{version}.zarr.openhcs"), tmp_path / ".p.zarr.openhcs")
    name = ".zarray" if version == "0.4" else "zarr.json"
    before = tree_of(tmp_path / "p.zarr")
    (tmp_path / "p.zarr" / IMAGE / "0" / name).unlink()
    for level in (tmp_path / "p.zarr").glob("*/*/*/1"):
        (level / name).write_text("{}")
    assert repair(tmp_path / "p.zarr", apply=True).lost == ()
    assert tree_of(tmp_path / "p.zarr") == before


@pytest.mark.parametrize("version", VERSIONS)
def test_a_clean_plate_needs_nothing(version, clean, labelled):
    for store in (clean[version], labelled[version]):
        before = tree_of(store.path)
        report = repair(store.path, apply=True, deep=True)
        assert (report.changes, report.lost, report.kept) == ((), (), "")
        assert tree_of(store.path) == before


def test_unknown_keys_survive_and_the_old_documents_are_kept(labelled, tmp_path):
    shutil.copytree(labelled["0.5"].path, tmp_path / "p.zarr")
    root = tmp_path / "p.zarr/zarr.json"
    told = json.loads(root.read_text())
    told["attributes"]["ome"]["plate"] |= {"x_mine": 1, "field_count": 99}
    told["attributes"]["beside"] = [2]
    root.write_text(json.dumps(told))
    damaged = root.read_bytes()
    report = repair(tmp_path / "p.zarr", apply=True)
    new = json.loads(root.read_text())["attributes"]
    assert (new["ome"]["plate"]["x_mine"], new["ome"]["plate"]["field_count"], new["beside"]) == (1, 2, [2])
    assert report.kept == str(tmp_path / ".p.zarr.repair/1")
    assert (tmp_path / ".p.zarr.repair/1/zarr.json").read_bytes() == damaged


def test_what_an_image_says_lawfully_stays_and_another_fills_in_the_rest(labelled, tmp_path):
    shutil.copytree(labelled["0.5"].path, tmp_path / "p.zarr")
    path = tmp_path / "p.zarr/B/03/1/zarr.json"
    told = json.loads(path.read_text())
    entry, omero = told["attributes"]["ome"]["multiscales"][0], told["attributes"]["ome"]["omero"]
    for number, level in enumerate(entry["datasets"]):
        level["coordinateTransformations"][0]["scale"][-2:] = [1.3 * 2**number] * 2
        level["coordinateTransformations"][1]["translation"][-2:] = [0.65 * (2**number - 1)] * 2
    omero["channels"][0]["label"] = "MINE"
    del omero["channels"][1]["label"]
    omero["channels"][1]["color"] = "blue"
    path.write_text(json.dumps({**told, "x_beside": 1}))
    assert repair(tmp_path / "p.zarr", apply=True).lost == ()
    new = json.loads(path.read_text())
    assert new["x_beside"] == 1
    ome = new["attributes"]["ome"]
    assert ome["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"][-2:] == [1.3, 1.3]
    assert [(one["label"], one["color"]) for one in ome["omero"]["channels"]] == [
        ("MINE", "0000FF"),
        ("FITC", "00FF00"),
    ]
    assert validate(tmp_path / "p.zarr").valid


def test_a_damaged_record_is_told_and_nothing_is_raised(clean, tmp_path):
    shutil.copytree(clean["0.5"].path, tmp_path / "p.zarr")
    shutil.copytree(clean["0.5"].path.with_name(".p0.5.zarr.openhcs"), tmp_path / ".p.zarr.openhcs")
    (record,) = (tmp_path / ".p.zarr.openhcs/commits").glob("A01.*.json")
    record.write_bytes(record.read_bytes()[:-9])
    report = repair(tmp_path / "p.zarr", apply=True)
    assert any("A01" in one.message for one in report.lost)


def test_the_command_tells_first_and_changes_when_it_is_told_to(labelled, tmp_path, capsys):
    shutil.copytree(labelled["0.5"].path, tmp_path / "p.zarr")
    (tmp_path / "p.zarr/A/zarr.json").unlink()
    shutil.rmtree(tmp_path / "p.zarr/B/03/1")
    before = tree_of(tmp_path / "p.zarr")
    assert main(["repair", str(tmp_path / "p.zarr")]) == 4
    told = capsys.readouterr().out
    assert "lost: B/03/1: this site is listed and not there" in told
    assert told.splitlines()[-1] == f"next: openhcs repair {tmp_path / 'p.zarr'} --apply"
    assert tree_of(tmp_path / "p.zarr") == before
    assert main(["repair", str(tmp_path / "p.zarr"), "--apply", "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["applied"] is True
    assert main(["validate", str(tmp_path / "p.zarr")]) == 0
    assert main(["repair", str(tmp_path / "p.zarr")]) == 0


def test_what_is_no_plate_is_refused(labelled, tmp_path):
    with pytest.raises(NotFound):
        repair(tmp_path / "none.zarr")
    (tmp_path / "a.ozx").write_bytes(b"")
    with pytest.raises(InputError, match="store in one file"):
        repair(tmp_path / "a.ozx")
    shutil.copytree(labelled["0.5"].path / IMAGE, tmp_path / "image.zarr")
    (tmp_path / "image.zarr/0/zarr.json").unlink()
    with pytest.raises(InputError, match="holds no wells"):
        repair(tmp_path / "image.zarr")
