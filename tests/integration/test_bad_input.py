"""What goes wrong in a lab: damaged files, full and read-only disks. One clear message, nothing lost."""

from __future__ import annotations

import hashlib
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import zarr

from openhcs import GlobalPipelineConfig, convert
from openhcs.cli import main
from openhcs.errors import StorageFull
from openhcs.testing.synthetic import make_plate

WELLS = ("A01", "A02", "B01")


@pytest.fixture
def plate(tmp_path) -> Path:
    return make_plate(tmp_path / "P1", wells=WELLS, sites=1, size=(300, 200))


@pytest.fixture(autouse=True)
def at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def objects(store: Path) -> dict[str, str]:
    files = (path for path in store.rglob("c/**/*") if path.is_file())
    return {str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def whole_and_readable(store: Path) -> list[str]:
    """Return the wells a plate lists, each read to the last pixel by zarr-python."""
    root = zarr.open_group(store, mode="r")
    paths = [well["path"] for well in root.attrs["ome"]["plate"]["wells"]]
    for path in paths:
        assert np.asarray(root[path]["0"]["0"]).any()
    return paths


@contextmanager
def small_disk(folder: Path, options: str):
    """Mount a file system in memory, or skip where that is not allowed."""
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("this user may not mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("damage", ["cut", "emptied", "overwritten", "another size"])
def test_a_damaged_file_fails_its_well_alone_and_is_named(plate, capsys, damage):
    victim = plate / "TimePoint_1" / "P1_A02_s1_w2.TIF"
    good = victim.read_bytes()
    if damage == "another size":
        other = make_plate(plate.parent / "other", wells=1, sites=1, size=(32, 32))
        victim.write_bytes(next(other.rglob("*.TIF")).read_bytes())
    else:
        victim.write_bytes(
            {"cut": good[: len(good) // 2], "emptied": b"", "overwritten": os.urandom(len(good))}[damage]
        )
    assert main(["convert", str(plate), "out.zarr"]) == 3
    told = capsys.readouterr().err
    assert "P1_A02_s1_w2.TIF" in told
    assert "A02" in told
    assert "Traceback" not in told
    assert whole_and_readable(Path("out.zarr")) == ["A/01", "B/01"]
    before = objects(Path("out.zarr"))
    victim.write_bytes(good)
    assert main(["convert", str(plate), "out.zarr"]) == 0
    assert whole_and_readable(Path("out.zarr")) == ["A/01", "A/02", "B/01"]
    assert before.items() <= objects(Path("out.zarr")).items()


def test_results_that_cannot_fit_are_refused_before_anything_is_written(plate, tmp_path, capsys):
    with small_disk(tmp_path / "disk", "size=100k") as disk:
        assert main(["convert", str(plate), str(disk / "out.zarr")]) == 6
        assert "Free some space" in capsys.readouterr().err
        assert not any(disk.iterdir())


def test_a_disk_that_fills_up_on_the_way_loses_nothing_and_the_same_command_goes_on(plate, tmp_path):
    assert convert(plate, tmp_path / "whole.zarr").ok
    one_by_one = GlobalPipelineConfig(num_workers=1)
    with small_disk(tmp_path / "disk", "size=8m") as disk:

        def fill(event):
            if event.kind == "well_done":
                free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
                (disk / "others").write_bytes(bytes(free - 40_000))

        with pytest.raises(StorageFull, match=r"No space left on device.*same command"):
            convert(plate, disk / "out.zarr", config=one_by_one, on_event=fill)
        assert whole_and_readable(disk / "out.zarr") == ["A/01"]
        (disk / "others").unlink()
        assert convert(plate, disk / "out.zarr", config=one_by_one).skipped == ("A01",)
        assert objects(disk / "out.zarr") == objects(tmp_path / "whole.zarr")


def test_an_output_that_is_read_only_is_told(plate, tmp_path, capsys):
    with small_disk(tmp_path / "disk", "size=8m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        assert main(["convert", str(plate), str(disk / "out.zarr")]) == 4
        told = capsys.readouterr().err
        assert "Read-only file system" in told
        assert str(disk) in told
        assert not any(disk.iterdir())


def test_running_writes_nothing_into_the_plate(plate, tmp_path):
    before = {path: path.read_bytes() for path in plate.rglob("*") if path.is_file()}
    (tmp_path / "pipeline.py").write_text(
        "from openhcs import FunctionStep\ndef spoil(stack):\n    stack[...] = 7\n    return stack\n"
        "steps = [FunctionStep(spoil, force_disk_output=True), FunctionStep(spoil)]\n"
    )
    assert main(["run", "pipeline.py", str(plate), "--workers", "1"]) == 0
    assert (tmp_path / "P1_outputs" / "images.zarr" / "zarr.json").exists()
    assert {path: path.read_bytes() for path in plate.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("output", ["P1", "P1/inside.zarr", "."])
def test_an_output_in_or_around_the_plate_is_refused(plate, capsys, output):
    assert main(["convert", str(plate), output]) in (2, 5)
    assert "Traceback" not in capsys.readouterr().err
    assert not (plate / ".openhcs").exists()
    assert not (plate / "inside.zarr").exists()
