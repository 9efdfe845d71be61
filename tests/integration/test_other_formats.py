"""Other programs' formats through bioio: a Leica file of many scenes, read back plane by plane."""

from __future__ import annotations

import shutil
from dataclasses import replace
from os import utime
from pathlib import Path

import numpy as np
import pytest

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, convert, open_plate
from openhcs.cli import main
from openhcs.core.plate import SceneSource
from openhcs.errors import FormatError, InputError
from openhcs.run.pixels import PlaneReader
from openhcs.run.plan_file import check_inputs
from openhcs.run.plates import index_plate
from openhcs.testing.layouts.bioio import encode_lif
from openhcs.testing.scene import Scene, Wanted

pytest.importorskip("bioio_lif", reason="the extra openhcs[formats] is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")
RNG = np.random.default_rng(4)
THREADS = GlobalPipelineConfig(num_workers=2, use_threading=True)
WANTED = Wanted(
    name="P1",
    wells=("A01", "B03"),
    sites=2,
    channels=("DAPI", "FITC"),
    z=3,
    t=2,
    size=(40, 52),
    seed=0,
    missing=0,
    empty=frozenset(),
)


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    """Make a folder with one file of four scenes."""
    from openhcs.testing.layouts import bioio

    folder = tmp_path_factory.mktemp("lif")
    bioio.write(WANTED, Scene(WANTED), folder)
    return folder


def lif(folder, name, wells, channels=("DAPI",)):
    (folder / name).write_bytes(encode_lif(wells, channels))
    return folder / name


def stack(*, c=1, z=1, t=1, size=(12, 16), dtype=np.uint16):
    return RNG.integers(0, 200, (t, z, c, *size)).astype(dtype)


def test_scenes_are_sites_and_what_the_file_tells_is_known(plate):
    index = index_plate(plate)
    assert (index.microscope, index.wells, index.sites("B03")) == ("bioio", ("A01", "B03"), (1, 2))
    assert index.axes() == ((1, 2), (1, 2), (1, 2, 3))
    assert [channel.name for channel in index.channels] == ["DAPI", "FITC"]
    assert (index.dtype, index.plane_shape) == ("uint16", (40, 52))
    assert index.pixel_size_um == pytest.approx((0.65, 0.65))
    assert index.z_step_um == pytest.approx(2.0)
    assert len(index.planes) == 48
    assert not index.unmatched
    assert not index.warnings
    assert index.why == "4 scenes of .lif read by bioio"
    last = index.planes[-1].source
    assert isinstance(last, SceneSource)
    assert (last.path, last.scene, last.index) == ("P1.lif", 3, (1, 1, 2))
    assert last.size == (plate / "P1.lif").stat().st_size


def test_every_plane_is_the_one_that_was_written(plate):
    scene = Scene(WANTED)
    opened = open_plate(plate)
    for well in WANTED.wells:
        for site in (1, 2):
            pixels = opened[well].site(site).read()
            for (t, c, z), plane in np.ndenumerate(np.empty((2, 2, 3))):
                assert plane is not None
                assert np.array_equal(pixels[t, c, z], scene.plane(well, site, c + 1, z + 1, t + 1))


def test_one_file_is_a_plate_and_converts_like_its_folder(plate, tmp_path):
    assert convert(plate, tmp_path / "folder.zarr", config=THREADS).ok
    assert convert(plate / "P1.lif", tmp_path / "file.zarr", config=THREADS).ok
    one, other = open_plate(tmp_path / "folder.zarr"), open_plate(tmp_path / "file.zarr")
    for well in WANTED.wells:
        assert np.array_equal(one[well].site(2).read(), other[well].site(2).read())
        assert np.array_equal(one[well].site(2).read(), open_plate(plate)[well].site(2).read())


def test_worker_processes_read_such_files_too(plate, tmp_path):
    assert convert(plate / "P1.lif", tmp_path / "out.zarr", config=GlobalPipelineConfig(num_workers=2)).ok
    again = convert(plate / "P1.lif", tmp_path / "out.zarr", config=GlobalPipelineConfig(num_workers=2))
    assert again.skipped == WANTED.wells


def same(stack):
    return stack


@pytest.mark.parametrize("inputs", ["mtime", "size", "deep"])
def test_a_file_that_changed_is_a_changed_input(plate, tmp_path, inputs):
    copy = Path(shutil.copy(plate / "P1.lif", tmp_path / "P1.lif"))

    def run():
        config = replace(THREADS, inputs=inputs)
        job = PipelineOrchestrator(copy, global_config=config, output=tmp_path / "out").initialize()
        job.compile_pipelines([FunctionStep(same, "same", out="same", out_dtype="uint16")])
        return job, job.execute_compiled_plate()

    job, result = run()
    assert (result.ok, result.skipped) == (True, ())
    utime(copy, ns=(1, 1))
    if inputs == "mtime":
        with pytest.raises(InputError, match=r"P1\.lif was written again"):
            check_inputs(job.plan)
        return
    check_inputs(job.plan)
    assert run()[1].skipped == WANTED.wells
    data = bytearray(copy.read_bytes())
    data[-1] ^= 1
    copy.write_bytes(data if inputs == "deep" else data + b"x")
    with pytest.raises(InputError, match=r"P1\.lif"):
        check_inputs(job.plan)
    assert run()[1].skipped == ()


def test_wells_of_file_names_count_where_scenes_name_none(tmp_path):
    for well in ("B02", "C11"):
        lif(tmp_path, f"exp 1_{well}.lif", {"Image": {"1": stack(), "2": stack()}})
    index = index_plate(tmp_path)
    assert (index.wells, index.sites("C11")) == (("B02", "C11"), (1, 2))


def test_without_wells_all_scenes_are_sites_of_one(tmp_path):
    index = index_plate(lif(tmp_path, "exp.lif", {"Image": {"1": stack(), "2": stack()}}))
    assert (index.name, index.wells, index.sites("A01")) == ("exp", ("A01",), (1, 2))


def test_scenes_of_another_size_or_dtype_are_left_out_and_told(tmp_path):
    scenes = {"R1": stack(), "R2": stack(), "R3": stack(size=(8, 8)), "R4": stack(dtype=np.uint8)}
    index = index_plate(lif(tmp_path, "exp.lif", {"A1": scenes}))
    assert index.sites("A01") == (1, 2)
    assert {one.path: one.reason for one in index.unmatched} == {
        "exp.lif scene A1/R3": "uint16 of 8 × 8 pixels where most are uint16 of 12 × 16 pixels",
        "exp.lif scene A1/R4": "uint8 of 12 × 16 pixels where most are uint16 of 12 × 16 pixels",
    }
    assert any("scenes left out: 2, such as exp.lif scene A1/R3" in one for one in index.warnings)


def test_a_damaged_file_among_others_is_left_out_and_told_and_alone_refused(tmp_path):
    lif(tmp_path, "A01.lif", {"Image": {"1": stack()}})
    (tmp_path / "A02.lif").write_bytes(b"no Leica file at all")
    index = index_plate(tmp_path)
    assert index.wells == ("A01",)
    assert [one.path for one in index.unmatched] == ["A02.lif"]
    assert any("files that cannot be read: 1, such as" in one and "A02.lif" in one for one in index.warnings)
    with pytest.raises(FormatError, match=r"A02\.lif is damaged"):
        index_plate(tmp_path / "A02.lif")


def test_a_file_cut_off_names_the_plane(plate, tmp_path):
    whole = (plate / "P1.lif").read_bytes()
    (tmp_path / "P1.lif").write_bytes(whole[:-5000])
    index = index_plate(tmp_path)
    with PlaneReader(index) as reader, pytest.raises(FormatError, match=r"plane B03_s2_c2_z3_t2: .*P1\.lif") as caught:
        reader.read_into(index.planes[-1], np.empty((40, 52), np.uint16))
    assert (caught.value.well, caught.value.site) == ("B03", 2)


def test_a_plugin_that_is_not_installed_is_named(tmp_path):
    (tmp_path / "a.czi").write_bytes(b"ZISRAWFILE")
    with pytest.raises(InputError, match=r'bioio-czi, which is not installed.*"openhcs\[formats\]" bioio-czi'):
        index_plate(tmp_path / "a.czi")


def test_the_command_line_scans_and_plans_one_file(plate, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(plate / "P1.lif", tmp_path / "P1.lif")
    assert main(["scan", "P1.lif"]) == 0
    told = capsys.readouterr().out
    assert "bioio: 4 scenes of .lif" in told
    assert "next: openhcs convert P1.lif P1.zarr" in told
    assert main(["convert", "P1.lif", "P1.zarr"]) == 0
    assert main(["scan", "P1.zarr"]) == 0
