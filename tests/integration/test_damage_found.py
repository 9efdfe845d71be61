"""Every kind of damage is found by its code, and nothing is found in clean plates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from damage import VERSIONS, add_labels, copy_store, make_source, make_store
from damage_kinds import KINDS, LABELS
from openhcs import validate

if TYPE_CHECKING:
    from damage import Store


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> dict[str, Store]:
    """A plate of each version, with its ledger."""
    top = tmp_path_factory.mktemp("clean")
    source = make_source(top / "P1")
    return {version: make_store(source, top / f"p{version}.zarr", version) for version in VERSIONS}


@pytest.fixture(scope="module")
def labelled(clean, tmp_path_factory) -> dict[str, Store]:
    """A plate of each version without ledger, with a label."""
    top = tmp_path_factory.mktemp("labelled")
    found = {version: copy_store(store, top / f"p{version}.zarr") for version, store in clean.items()}
    for store in found.values():
        add_labels(store)
    return found


CASES = [pytest.param(version, one, id=f"{version} {one.name}") for one in KINDS for version in one.versions]
LABEL_CASES = [pytest.param(version, one, id=f"{version} {one.name}") for one in LABELS for version in one.versions]


def told(report):
    return {one.code for one in report.findings if one.code != "no-records"}


def damaged(store, damage):
    """Return what is found while the damage is there."""
    with store.undone():
        damage.harm(store)
        return validate(store.path, deep=damage.deep)


@pytest.mark.parametrize(("version", "damage"), CASES)
def test_damage_is_found_in_a_plate_without_records(version, damage, labelled):
    report = damaged(labelled[version], damage)
    assert damage.code in told(report), report.findings
    assert all(one.message and one.rule and (one.remedy or one.severity == "info") for one in report.findings)


@pytest.mark.parametrize(("version", "damage"), CASES)
def test_damage_is_found_in_an_output_with_records(version, damage, clean):
    report = damaged(clean[version], damage)
    assert damage.record in told(report), report.findings


@pytest.mark.parametrize(("version", "damage"), LABEL_CASES)
def test_damage_to_labels_is_found(version, damage, labelled):
    report = damaged(labelled[version], damage)
    assert damage.code in told(report), report.findings


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_is_found_in_clean_plates_nor_after_damage_was_undone(version, deep, clean, labelled):
    assert validate(clean[version].path, deep=deep).findings == ()
    assert told(validate(labelled[version].path, deep=deep)) == set()


def test_there_are_over_a_hundred_kinds_and_each_has_its_own_name():
    assert len({one.name for one in (*KINDS, *LABELS)}) == len(KINDS) + len(LABELS) > 100
