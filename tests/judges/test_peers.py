"""What other libraries write is read: every pixel as it was handed to them, channels and sizes, in each version."""

from __future__ import annotations

import numpy as np
import pytest
import verdicts
import writers

from openhcs import convert, open_plate
from openhcs.io.zarr_array import open_handle

pytestmark = pytest.mark.judges
PLATES = [name for name in writers.WRITERS if name.endswith("plate") and not name.startswith("openreadout")]
NEWER_ALONE = {"acquire-zarr plate", "yaozarrs plate"}
CASES = [
    (name, version) for name in PLATES for version in ("0.4", "0.5") if version == "0.5" or name not in NEWER_ALONE
]


def planes(plate, well):
    site = plate[well].site(plate[well].sites[0])
    return np.squeeze(site.read())


@pytest.mark.parametrize(("name", "version"), CASES)
def test_every_pixel_is_as_it_was_written(name, version, tmp_path):
    store = verdicts.make_theirs(name, version, tmp_path)
    assert not isinstance(store, str), store
    plate = open_plate(store)
    assert plate.wells[0] == "A01"
    np.testing.assert_array_equal(planes(plate, "A01"), writers.pixels(0))
    assert convert(store, tmp_path / "q.zarr").ok
    np.testing.assert_array_equal(planes(open_plate(tmp_path / "q.zarr"), "A01"), writers.pixels(0))


@pytest.mark.parametrize("name", ["ome-writers image", "ngff-zarr image"])
def test_images_alone_are_read(name, tmp_path):
    import look

    store = verdicts.make_theirs(name, "0.5", tmp_path)
    assert not isinstance(store, str), store
    np.testing.assert_array_equal(np.squeeze(open_handle(look.level(store)).read()), writers.pixels(0))


def test_a_plate_of_openreadout_is_read(tmp_path):
    store = verdicts.make_theirs("openreadout plate", "0.5", tmp_path)
    assert not isinstance(store, str), store
    ours, raw = open_plate(store), open_plate(tmp_path / "source")
    for well in raw.wells:
        np.testing.assert_array_equal(planes(ours, well), np.squeeze(raw[well].site(1).read()))
