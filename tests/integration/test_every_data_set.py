"""Each real data set is what its description says: wells, sites, channels, z, t, pixel size, states.

Expectations are written down from the data sets' own descriptions, not from what is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from openhcs.core.plate import PlaneState
from openhcs.run.plates import index_plate


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a data set's description says; ``sites``, ``z`` and ``t`` are counts, projections left out."""

    folder: str = "."
    microscope: str
    wells: str
    sites: int = 1
    channels: int = 1
    z: int = 1
    t: int = 1
    present: int = 0
    missing: int = 0
    not_recorded: int = 0
    shape: tuple[int, int] | None = None
    dtype: str | None = None
    pixel_um: float | None = None
    z_step_um: float | None = None
    projections: int = 0


SETS = {
    "bbbc013-sbs-plate-8bit": Expected(
        microscope="sbs", wells="A01 A02 A12 D01 H12", channels=2, present=10, shape=(640, 640), dtype="uint8"
    ),
    "cellomics-as09047-three-wells": Expected(
        microscope="cellomics", wells="O01 O02 O24", sites=3, present=9, shape=(512, 512), dtype="uint8"
    ),
    "cv7000-timelapse-31z-metadata": Expected(
        microscope="cellvoyager",
        wells="C03 D03 E03 F03",
        sites=16,
        channels=4,
        z=31,
        missing=1984,
        shape=(2160, 2560),
        z_step_um=1.0,
    ),
    "cv8000-minimal-2c-3w-4s-4z": Expected(
        folder="CV8000-Minimal-DataSet-2C-3W-4S-FP2-stack",
        microscope="cellvoyager",
        wells="D08 E03 F08",
        sites=4,
        channels=2,
        z=4,
        present=96,
        shape=(2000, 2000),
        dtype="uint16",
        z_step_um=3.0,
    ),
    "embl-almf-jpeg-positions": Expected(
        folder="ALMF-EMBL-JPEG", microscope="embl_almf", wells="A01", sites=4, channels=2, present=8
    ),
    "imagexpress-9987-plate3420-single": Expected(
        microscope="imagexpress", wells="B02", present=1, shape=(256, 256), dtype="uint16"
    ),
    "imagexpress-9987-plate3434-zmixed": Expected(
        microscope="imagexpress",
        wells="B02 B03",
        sites=2,
        channels=3,
        z=3,
        present=20,
        not_recorded=8,
        projections=8,
        shape=(256, 256),
        dtype="uint16",
    ),
    "imagexpress-hcsai-jdce-metadata": Expected(
        microscope="imagexpress_hcsai", wells="C05", missing=1, shape=(576, 576)
    ),
    "imagexpress-projection-mix": Expected(
        microscope="imagexpress",
        wells="E07",
        channels=2,
        z=10,
        present=13,
        projections=2,
        shape=(512, 512),
        dtype="uint16",
    ),
    "imagexpress-single-channel-guid": Expected(
        microscope="imagexpress", wells="E07 E08", z=2, present=6, projections=2, shape=(512, 512), dtype="uint16"
    ),
    "leica-matrix-screener": Expected(
        microscope="leica_matrix",
        wells="A01",
        sites=2,
        channels=2,
        present=2,
        missing=2,
        shape=(1024, 1024),
        dtype="uint8",
    ),
    "ome-tiff-companion-c3-z33": Expected(microscope="ome_tiff", wells="A01", channels=3, z=33, missing=99),
    "ome-zarr-hcs-v04-single-plane": Expected(
        folder="single-plane-hcs.zarr", microscope="ome_zarr", wells="E07 E08", channels=3, present=6, shape=(256, 512)
    ),
    "opera-phenix-harmonyv5-br00122249-partial": Expected(
        microscope="opera_phenix",
        wells="A01",
        channels=6,
        present=1,
        missing=5,
        shape=(1080, 1080),
        dtype="uint16",
        pixel_um=0.5979760809567617,
    ),
    "opera-phenix-harmonyv7-index-only": Expected(
        microscope="opera_phenix", wells="A01", channels=7, missing=7, shape=(2160, 2160)
    ),
    "opera-phenix-zstack-names-only": Expected(
        microscope="opera_phenix", wells="K06", z=4, present=4, shape=(540, 540), dtype="uint16"
    ),
    "operetta-sonata-2-fields": Expected(
        folder="operetta_plate",
        microscope="opera_phenix",
        wells="C03",
        sites=2,
        present=2,
        shape=(1080, 1080),
        dtype="uint16",
        pixel_um=1.1959521619135234,
    ),
    "scanr-c2-s1-t1": Expected(
        microscope="scanr", wells="B01", channels=2, present=2, shape=(1024, 1344), dtype="uint16"
    ),
}


@pytest.mark.parametrize("name", SETS)
def test_a_data_set_is_what_its_description_says(data, name):
    expected = SETS[name]
    index = index_plate(data(name) / expected.folder)
    projections = {one.number for one in index.acquisitions if one.projection}
    planes = [plane for plane in index.planes if plane.acquisition not in projections]
    assert index.microscope == expected.microscope
    assert " ".join(index.wells) == expected.wells
    assert max(len({p.site for p in planes if p.well == well}) for well in index.wells) == expected.sites
    assert len({plane.channel for plane in planes}) == expected.channels
    assert len({plane.z for plane in planes}) == expected.z
    assert len({plane.t for plane in planes}) == expected.t
    assert index.states[PlaneState.PRESENT] == expected.present
    assert index.states[PlaneState.MISSING] == expected.missing
    assert index.states[PlaneState.NOT_RECORDED] == expected.not_recorded
    assert sum(plane.acquisition in projections for plane in index.planes) == expected.projections
    if expected.shape is not None:
        assert index.plane_shape == expected.shape
    if expected.dtype is not None:
        assert index.dtype == expected.dtype
    if expected.pixel_um is not None:
        assert index.pixel_size_um == pytest.approx((expected.pixel_um, expected.pixel_um))
    if expected.z_step_um is not None:
        assert index.z_step_um == pytest.approx(expected.z_step_um)


def test_the_files_of_every_data_set_are_each_accounted_for(data):
    for name, expected in SETS.items():
        index = index_plate(data(name) / expected.folder)
        if index.microscope == "ome_zarr":
            continue
        root = data(name) / expected.folder
        there = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and not p.name.startswith(".")}
        used = {plane.source.path for plane in index.planes if plane.source and plane.state is PlaneState.PRESENT}
        told = [one.path for one in index.unmatched]
        assert used | set(told) | set(index.metadata_files) == there, name
        assert not used & set(told), name
