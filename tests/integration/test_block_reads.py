"""A part of a site that is one block of its array is read at once, and gives what its planes give one by one."""

from __future__ import annotations

import numpy as np
import pytest
import tensorstore as ts

from openhcs import GlobalPipelineConfig, ZarrConfig, convert, open_plate
from openhcs.errors import FormatError
from openhcs.io import ts_context
from openhcs.io.zarr_array import ZarrHandle
from openhcs.testing.synthetic import make_plate

PARTS = {
    "all": lambda site: site,
    "a channel": lambda site: site.channel("FITC"),
    "a z plane": lambda site: site.z(2),
    "a time point": lambda site: site.t(2),
    "a channel's z plane": lambda site: site.channel("FITC").z(3),
    "one plane": lambda site: site.channel("FITC").z(3).t(1),
}


@pytest.fixture(scope="module", params=["0.4", "0.5"])
def store(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("blocks")
    plate = make_plate(folder / "P", wells=("A01",), sites=1, channels=("DAPI", "FITC", "Cy5"), z=3, t=2, size=(20, 30))
    config = GlobalPipelineConfig(zarr=ZarrConfig(ngff_version=request.param), durability="fast")
    assert convert(plate, folder / "out.zarr", config=config).ok
    return folder / "out.zarr"


@pytest.fixture
def reads(monkeypatch):
    """Return the regions that arrays are asked for."""
    asked, read = [], ZarrHandle.read
    monkeypatch.setattr(ZarrHandle, "read", lambda self, *part, **to: asked.append(part) or read(self, *part, **to))
    return asked


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_what_its_planes_are_and_takes_one_read(store, reads, name):
    part = PARTS[name](open_plate(store)["A01"].site(1))
    found = part.read()
    assert len(reads) == 1
    reader = part.well.plate._reader
    planes = [np.empty(found.shape[-2:], found.dtype) for _ in part.planes]
    for plane, room in zip(part.planes, planes, strict=True):
        reader.read_into(plane, room)
    assert np.array_equal(found, np.reshape(planes, found.shape))


def _spec(store):
    (array,) = [path.parent for path in store.glob("A/*/*/0/*") if path.name in {"zarr.json", ".zarray"}]
    driver = "zarr3" if (array / "zarr.json").exists() else "zarr"
    return {"driver": driver, "kvstore": {"driver": "file", "path": str(array)}, "open": True}


def test_all_of_a_site_is_what_tensorstore_reads(store):
    assert np.array_equal(open_plate(store)["A01"].site(1).read(), ts.open(_spec(store)).result().read().result())


def test_a_damaged_block_names_its_first_plane_that_cannot_be_read(store, tmp_path):
    plate = make_plate(tmp_path / "P", wells=("A01",), sites=1, channels=("DAPI", "FITC"), size=(64, 64))
    assert convert(plate, tmp_path / "o.zarr", config=GlobalPipelineConfig(durability="fast")).ok
    (shard,) = (tmp_path / "o.zarr/A/01/0/0/c").rglob("0/0/0/0")
    data = bytearray(shard.read_bytes())
    data[len(data) * 3 // 5] ^= 1
    shard.write_bytes(data)
    with pytest.raises(FormatError, match="plane A01_s1_c2_z1_t1"):
        open_plate(tmp_path / "o.zarr")["A01"].site(1).read()


def test_a_run_in_this_process_leaves_the_number_of_threads_as_it_was(tmp_path):
    plate = make_plate(tmp_path / "P", wells=2, sites=1, channels=("DAPI",), size=(16, 16))
    with ts_context.configured(3):
        assert convert(plate, tmp_path / "o.zarr", config=GlobalPipelineConfig(num_workers=2)).ok
        assert ts_context.threads() == 3
