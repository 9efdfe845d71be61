"""CellVoyager plates from folder to OME-Zarr: pixels as tifffile reads them, gaps and copies told, damage refused."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tifffile
import zarr

from cellvoyager_documents import MLF, error, image, mes, put, timeline, write
from openhcs import GlobalPipelineConfig, convert
from openhcs.cli import main
from openhcs.core.plate import PlaneState
from openhcs.errors import FormatError, InputError
from openhcs.run.plates import index_plate
from openhcs.testing.synthetic import make_plate

CV8000 = "cv8000-minimal-2c-3w-4s-4z"
CV7000 = "cv7000-timelapse-31z-metadata"
FILL = GlobalPipelineConfig(missing="fill", num_workers=1)


def stored(output):
    """Yield what each site image says of itself, and its array as zarr-python reads it."""
    root = zarr.open_group(output, mode="r")
    for well in root.attrs["ome"]["plate"]["wells"]:
        group = root[well["path"]]
        for one in group.attrs["ome"]["well"]["images"]:
            yield group[one["path"]].attrs["openhcs"], np.asarray(group[one["path"]]["0"])


def check_pixels(plate, output):
    """Compare every plane with its file, and return how many were compared."""
    index = index_plate(plate)
    images = {(said["well"], said["acquisition"], said["site"]): (said, array) for said, array in stored(output)}
    assert set(images) == {(plane.well, plane.acquisition, plane.site) for plane in index.planes}
    for plane in index.planes:
        said, array = images[plane.well, plane.acquisition, plane.site]
        lead = (said["t"].index(plane.t),) if array.ndim == 5 else ()
        pixels = array[(*lead, said["channels"].index(plane.channel), said["z"].index(plane.z))]
        if plane.state is PlaneState.PRESENT:
            assert np.array_equal(pixels, tifffile.imread(f"{index.root}/{plane.source.path}"))
        else:
            assert not pixels.any()
    return len(index.planes)


def test_a_real_cv8000_plate_is_converted_whole_with_its_documents(data, tmp_path):
    result = convert(data(CV8000), tmp_path / "out.zarr", config=GlobalPipelineConfig(num_workers=2))
    assert result.ok
    assert check_pixels(data(CV8000), tmp_path / "out.zarr") == 96
    kept = {path.suffix for path in (tmp_path / ".out.zarr.openhcs" / "vendor").rglob("*") if path.is_file()}
    assert kept == {".mlf", ".mrf", ".mes", ".wpi", ".wpp", ".xml"}


def test_a_measurement_without_its_images_is_refused_with_counts(data, tmp_path):
    with pytest.raises(InputError, match="of 1984 planes 1984 missing"):
        convert(data(CV7000), tmp_path / "out.zarr")
    assert not (tmp_path / "out.zarr").exists()


@pytest.mark.parametrize(("z", "t"), [(1, 1), (3, 1), (1, 3), (2, 2)])
def test_a_made_up_plate_is_read_as_it_was_made(tmp_path, z, t):
    folder = make_plate(
        tmp_path / "Made #1", layout="cellvoyager", sites=3, channels=("DAPI", "FITC", "BF"), z=z, t=t, size=(32, 48)
    )
    index = index_plate(folder)
    assert (index.microscope, index.name, index.warnings) == ("cellvoyager", "Made #1", ())
    assert index.axes() == (tuple(range(1, t + 1)), (1, 2, 3), tuple(range(1, z + 1)))
    assert index.states[PlaneState.PRESENT] == len(index.planes) == 4 * 3 * 3 * z * t
    assert [one.name for one in index.channels] == ["DAPI", "FITC", "BF"]
    assert [one.emission_nm for one in index.channels] == [450, 525, None]
    assert (index.pixel_size_um, index.plate_type) == ((0.65, 0.65), "Cellvis #P96-1.5H-N")
    assert index.z_step_um == (2.0 if z > 1 else None)
    assert index.positions["A01", 3] == pytest.approx((0.0, 32 * 0.65), abs=0.06)
    assert convert(folder, tmp_path / "out.zarr", config=FILL).ok
    assert check_pixels(folder, tmp_path / "out.zarr") == len(index.planes)


def test_planes_left_out_of_a_made_up_plate_are_missing(tmp_path):
    folder = make_plate(tmp_path / "P", layout="cellvoyager", size=(32, 32), missing=3)
    index = index_plate(folder)
    assert (index.states[PlaneState.MISSING], index.states[PlaneState.NOT_RECORDED]) == (3, 0)
    assert convert(folder, tmp_path / "out.zarr", config=FILL).ok
    check_pixels(folder, tmp_path / "out.zarr")


def test_every_kind_of_gap_is_stored_and_listed(tmp_path):
    wells = ["A01", "A02", "B01"]
    records = [image("A01", field, ch, z) for field in (1, 2) for ch in (1, 2) for z in (1, 2)]
    records += [image("A02", 1, ch, z) for ch in (1, 2) for z in (1, 2)]
    records.append(error("A02", "AF Error at A02 No. 2 (P1)", field=2))
    records.append(image("A01", 1, 2, file="max.tif", ZImageProcessing="Maximum"))
    folder = write(tmp_path / "P", records, mes=mes([timeline(wells, [[1], [2]], points=2, slices=2)]))
    (folder / image("A01", 2, 1, 2)[1]).unlink()
    index = index_plate(folder)
    counts = {state.value: count for state, count in index.states.items()}
    assert counts == {"present": 12, "missing": 1, "not_recorded": 12 + 5, "not_acquired": 0}
    assert convert(folder, tmp_path / "out.zarr", config=FILL).ok
    assert check_pixels(folder, tmp_path / "out.zarr") == 30
    with pytest.raises(InputError, match="of 30 planes 1 missing and 17 not recorded"):
        convert(folder, tmp_path / "other.zarr")


def test_images_renamed_by_a_copy_are_found_and_converted(tmp_path):
    folder = make_plate(tmp_path / "P", layout="cellvoyager", size=(32, 32), channels=("DAPI",))
    for path in folder.glob("*.tif"):
        path.rename(path.with_suffix(".TIFF"))
    index = index_plate(folder)
    assert index.states[PlaneState.PRESENT] == len(index.planes) == 8
    assert any("another extension or spelling: 8" in warning for warning in index.warnings)
    assert convert(folder, tmp_path / "out.zarr").ok
    assert check_pixels(folder, tmp_path / "out.zarr") == 8


DAMAGE = {
    "cut short": (lambda data: data[: len(data) // 2], r"line [0-9]+, column [0-9]+"),
    "saved in another encoding": (lambda data: data.replace(b"P_A01", b"\xb5_A01"), "line [0-9]+"),
    "with an entity bomb": (
        lambda data: data.replace(
            b"<bts:MeasurementData ",
            b'<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>\n<bts:MeasurementData ',
            1,
        ),
        "declares a document type",
    ),
    "with a number that is none": (lambda data: data.replace(b'Row="1"', b'Row="A"', 1), "record .* is damaged"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_records_are_refused_with_the_place(tmp_path, name, capsys):
    folder = make_plate(tmp_path / "P", layout="cellvoyager", size=(16, 16), wells=1, channels=("DAPI",))
    damage, told = DAMAGE[name]
    path = folder / MLF
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FormatError, match=told) as caught:
        index_plate(folder)
    assert MLF in str(caught.value)
    assert main(["scan", str(folder)]) != 0
    assert MLF in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".mrf", ".mes", ".wpi", ".wpp"])
def test_a_damaged_document_is_refused_and_a_plate_without_it_is_read(tmp_path, suffix):
    folder = make_plate(tmp_path / "P", layout="cellvoyager", size=(16, 16), wells=1, channels=("DAPI",))
    (path,) = folder.glob(f"*{suffix}")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FormatError, match=r"line [0-9]+, column [0-9]+"):
        index_plate(folder)
    path.unlink()
    assert index_plate(folder).states[PlaneState.PRESENT] == 2


def test_scan_explains_every_file(tmp_path, capsys):
    folder = write(tmp_path / "P", [image(), image(field=2)])
    (folder / image(field=2)[1]).unlink()
    for name in ("DC_DCAM#1_CAM3.tif", "SC_BP445-45_20x v2_M01_CH01.tif", image(field=7)[1]):
        put(folder / name)
    assert main(["scan", str(folder), "--explain"]) == 0
    shown = capsys.readouterr().out
    assert "DC_DCAM#1_CAM3.tif" in shown
    assert "dark image of a camera, for correction" in shown
    assert "shading of a channel, for correction" in shown
    assert "MeasurementData.mlf does not name it" in shown


def test_two_copies_of_a_record_with_different_pixels_are_refused(tmp_path):
    folder = write(tmp_path / "P", [image(), image(file="again.tif")])
    with pytest.raises(FormatError, match="twice, with different pixels"):
        index_plate(folder)
    shutil.copy(folder / image()[1], folder / "again.tif")
    assert index_plate(folder).states[PlaneState.PRESENT] == 1


def test_images_of_another_microscope_in_the_folder_are_refused(tmp_path):
    folder = write(tmp_path / "P", [image()])
    put(folder / "Channel 1-12-A-12-00.tif")
    with pytest.raises(InputError, match=r"1 are of cellvoyager; 1 images are named as sbs"):
        index_plate(folder)
    assert index_plate(folder, microscope="cellvoyager").states[PlaneState.PRESENT] == 1
    (folder / MLF).unlink()
    with pytest.raises(InputError, match="1 are of cellvoyager; 1 images are named as sbs"):
        index_plate(folder)
