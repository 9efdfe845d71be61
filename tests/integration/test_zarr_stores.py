"""Every array of other people's plates is read as zarr-python reads it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import zarr

from openhcs.io.zarr_array import open_handle
from openhcs.io.zarr_tree import Node, node_of

SETS = ("ome-zarr-hcs-example-metadata", "ome-zarr-hcs-v04-single-plane")


@pytest.mark.parametrize("name", SETS)
def test_arrays_of_a_published_plate_are_equal_in_both_readers(data, name):
    found = 0
    for folder, _, files in os.walk(data(name)):
        document = ".zarray" in files or "zarr.json" in files
        if not document or node_of(Path(folder)) is not Node.ARRAY:
            continue
        ours = open_handle(folder)
        theirs = zarr.open_array(folder, mode="r")
        np.testing.assert_array_equal(ours.read(), theirs[...])
        assert ours.spec.chunks == theirs.chunks
        found += 1
    assert found
