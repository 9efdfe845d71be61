"""Nobody finds anything in our plates, and all see the same pixels, channels, colours, sizes and labels."""

from __future__ import annotations

import pytest
import verdicts

pytestmark = pytest.mark.judges


@pytest.fixture(scope="module", params=verdicts.OURS)
def plate(request, tmp_path_factory):
    name = request.param
    store = verdicts.make_ours(name, tmp_path_factory.mktemp("ours"))
    version = name.split()[-1]
    return {judge: verdicts.ask(judge, store) for judge in verdicts.judges() if verdicts.knows(judge, version)}


def test_nobody_finds_anything(plate):
    assert {judge: told["findings"] for judge, told in plate.items() if told["findings"]} == {}


@pytest.mark.parametrize("fact", ["pixels", "channels", "colors", "pixel_size", "labels"])
def test_all_see_the_same(plate, fact):
    seen = {
        judge: {image: one[fact] for image, one in told["seen"].items() if one.get(fact)}
        for judge, told in plate.items()
    }
    told = {judge: facts for judge, facts in seen.items() if facts}
    reference = told.get("zarr-python") or next(iter(told.values()), {})
    assert all(facts == reference for facts in told.values()), told
    if fact != "labels":
        assert len(reference) == 6
    meant = {"channels": ["DAPI", "FITC"], "colors": ["0000FF", "00FF00"], "pixel_size": [0.65, 0.65]}
    if fact in meant:
        assert all(one == meant[fact] for one in reference.values())


@pytest.mark.parametrize("name", ["openhcs run 0.4", "openhcs run 0.5"])
def test_labels_of_every_image_are_seen(name, tmp_path):
    store = verdicts.make_ours(name, tmp_path)
    for judge in ("zarr-python", "ngio", "ome-zarr-py", "napari"):
        seen = verdicts.ask(judge, store)["seen"]
        assert [list(one["labels"]) for one in seen.values()] == [["nuclei"]] * 6, judge
