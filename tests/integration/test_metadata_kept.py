"""What a microscope told of a plate is in the converted plate, and comes back from it whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
import zarr

from openhcs import convert
from openhcs.core.plate import Acquisition, Channel, FlatField, PlaneState
from openhcs.microscopes import imagexpress
from openhcs.run.plates import index_plate
from openhcs.testing.synthetic import make_plate

CHANNELS = (
    Channel(
        number=1,
        name="µ DAPI/405",
        excitation_nm=405.0,
        emission_nm=450.5,
        exposure_ms=12.5,
        color="0000FF",
        kind="fluorescence",
        objective="20x v2",
        magnification=20.0,
        numerical_aperture=0.75,
        binning=(2, 2),
        z_offset_um=0.0,
    ),
    Channel(number=2, name="BF", kind="brightfield", z_offset_um=-3.25),
)
FLAT = FlatField(coefficients=((1.25,), (0.5, -0.25)), origin=(31.5, 31.5), scale=(0.0625, 0.0625), shape=(64, 64))


@pytest.fixture
def told(monkeypatch):
    """Let the reader of plates tell all that the model can hold."""
    read = imagexpress.ImageXpress.index

    def index(self, files):
        found = read(self, files)
        planes = [
            replace(plane, z_um=1.5 * plane.z, time_s=number / 4 if plane.channel == 1 else None)
            for number, plane in enumerate(found.planes)
        ]
        return replace(
            found,
            planes=tuple(planes),
            channels=CHANNELS,
            acquisitions=(Acquisition(number=0, name="day 1", start_time="2024-07-09T13:13:03+02:00"),),
            plate_type="384 Greiner µClear",
            barcode="BR00122249",
            instrument="Phenix",
            flat_fields={1: FLAT},
        )

    monkeypatch.setattr(imagexpress.ImageXpress, "index", index)


@pytest.mark.parametrize("kind", ["zarr", "twice"])
def test_a_converted_plate_tells_what_its_source_told(tmp_path, told, kind):
    plate = make_plate(tmp_path / "in", wells=2, z=2, size=(64, 64))
    before = index_plate(plate)
    assert convert(plate, tmp_path / "out.zarr").ok
    if kind == "twice":
        assert convert(tmp_path / "out.zarr", tmp_path / "again.zarr").ok
    after = index_plate(tmp_path / ("again.zarr" if kind == "twice" else "out.zarr"))
    for name in ("channels", "acquisitions", "plate_type", "barcode", "instrument", "flat_fields", "positions"):
        assert getattr(after, name) == getattr(before, name), name
    assert {(p.well, p.key): (p.z_um, p.time_s) for p in after.planes} == {
        (p.well, p.key): (p.z_um, p.time_s) for p in before.planes
    }
    assert all(plane.state is PlaneState.PRESENT for plane in after.planes)


def test_heights_and_times_stand_in_the_image(tmp_path, told):
    plate = make_plate(tmp_path / "in", wells=1, sites=1, z=2, size=(64, 64))
    assert convert(plate, tmp_path / "out.zarr").ok
    own = zarr.open_group(tmp_path / "out.zarr/A/01/0", mode="r").attrs["openhcs"]
    assert own["z_um"] == [1.5, 3.0, 1.5, 3.0]
    assert own["time_s"] == [0.0, 0.25, None, None]
