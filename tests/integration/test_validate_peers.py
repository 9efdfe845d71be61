"""What validate finds in OME-Zarr that others wrote is true, and whatever other validators refuse it finds too."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

import peers
from damage import VERSIONS, add_labels, copy_store, make_source, make_store
from openhcs import validate
from refusals import refused, spoil

pytestmark = pytest.mark.filterwarnings("ignore")
BOTH = ("0.4", "0.5")
NO_METHOD = {"level-method-missing": 1}
"""Two tools name neither type nor metadata, which the specification wants of each multiscales entry."""
CASES = [
    *(("ngff_zarr_image", version, {}) for version in VERSIONS),
    ("ngff_zarr_plate", "0.4", {}),
    # The text of 0.5 says that a plate must have a version of its own; its schema does not.
    ("ngff_zarr_plate", "0.5", {"part-version-missing": 1}),
    ("ngff_zarr_plate", "0.6", {}),
    ("ome_zarr_py_image", "0.4", {"level-method-missing": 2}),
    # The group of labels has no version.
    ("ome_zarr_py_image", "0.5", {"level-method-missing": 2, "version-missing": 1}),
    *(("ome_zarr_py_plate", version, {"level-method-missing": 2}) for version in BOTH),
    ("yaozarrs_image", "0.5", NO_METHOD),
    ("yaozarrs_plate", "0.5", {"level-method-missing": 2, "part-version-missing": 1, "field-count-missing": 1}),
    ("yaozarrs_collection", "0.5", {"level-method-missing": 2, "collection-xml-missing": 1}),
]
"""Who wrote what, and the faults that are really there."""


def worse(report):
    return Counter(one.code for one in report.findings if one.severity != "info")


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(("name", "version", "faults"), CASES, ids=[f"{name} {version}" for name, version, _ in CASES])
def test_only_real_faults_are_found_in_what_peers_write(name, version, faults, deep, tmp_path):
    report = validate(peers.quietly(getattr(peers, name), tmp_path / "p.zarr", version), deep=deep)
    assert worse(report) == faults, report.findings
    assert report.kind == name.rpartition("_")[2]


def test_the_group_of_labels_that_ome_zarr_py_writes_has_no_version(tmp_path):
    folder = peers.quietly(peers.ome_zarr_py_image, tmp_path / "p.zarr", "0.5")
    assert "version" not in json.loads((folder / "labels/zarr.json").read_bytes())["attributes"].get("ome", {})


def test_an_example_without_pixels_is_told_of_with_its_missing_rows(data):
    store = data("ome-zarr-hcs-example-metadata") / "hcs_example.ome.zarr"
    told = json.loads((store / ".zattrs").read_bytes())["plate"]
    assert ([one["name"] for one in told["rows"]], [one["name"] for one in told["columns"]]) == (["B"], ["03"])
    assert {"name", "field_count"}.isdisjoint(told)
    assert "maximumfieldcount" not in told["acquisitions"][0]
    assert worse(validate(store)) == {
        "plate-lines-skipped": 2,
        "name-missing": 2,
        "field-count-missing": 1,
        "acquisition-part-missing": 1,
        "level-method-missing": 1,
    }


def test_a_plate_of_fractal_has_no_fault_but_that_its_levels_do_not_say_how_they_were_made(data):
    store = data("ome-zarr-hcs-v04-single-plane") / "single-plane-hcs.zarr"
    entry = json.loads((store / "E/08/0/.zattrs").read_bytes())["multiscales"][0]
    assert {"type", "metadata"}.isdisjoint(entry)
    report = validate(store, deep=True)
    assert (worse(report), report.bytes > 0) == ({"level-method-missing": 2}, True)


@pytest.fixture(scope="module")
def plates(tmp_path_factory):
    """A plate of each version with a label, without ledger, that nobody refuses."""
    top = tmp_path_factory.mktemp("plates")
    source = make_source(top / "P1")
    found = {}
    for version in VERSIONS:
        made = make_store(source, top / f"made{version}.zarr", version)
        found[version] = copy_store(made, top / f"p{version}.zarr")
        add_labels(found[version])
        assert refused(found[version]) == []
    return found


def missed(store, seeds):
    """Return what others refuse and validate does not find, and how many they refuse."""
    number, told = 0, []
    for seed in seeds:
        with store.undone():
            done = spoil(store, random.Random(seed))
            ours = worse(validate(store.path))
            theirs = refused(store)
        number += bool(theirs)
        told += [(seed, done, theirs[0])] if theirs and not ours else []
    return told, number


@pytest.mark.parametrize("version", VERSIONS)
def test_what_other_validators_refuse_is_found(version, plates):
    told, number = missed(plates[version], range(60))
    assert told == []
    assert number > 20


@pytest.mark.crash
@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_of_two_thousand_changes_that_others_refuse_is_missed(version, plates):
    told, number = missed(plates[version], range(2000))
    print(f"{version}: 2000 changes of documents at random, {number} refused by others, {len(told)} of them missed")
    assert told == []
