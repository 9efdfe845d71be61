"""File names as they come: kept byte for byte when read, written out where a document or a screen cannot hold them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tifffile
import zarr

from openhcs import GlobalPipelineConfig, convert, open_plate
from openhcs.cli import main
from openhcs.constants.constants import MaterializationBackend
from openhcs.core.config import VFSConfig
from openhcs.core.plate import FileSource
from openhcs.run.plates import index_plate
from openhcs.testing.image_kinds import ENCODERS

NAMES = {
    "spaces": "a b  c ",
    "hash": "405 nm #1",
    "micro sign": "1 \u00b5m",
    "Greek mu": "1 \u03bcm",
    "brackets": "[x](y){z}<w>",
    "emoji": "\N{MICROSCOPE} cells \U0001f469\u200d\U0001f52c",
    "newline": "two\nlines",
    "quotes": 'it\'s "it"',
    "percent": "%s%n%20",
    "backslash": "a\\b",
    "escape": "\x1b[31mred\x07",
    "composed": "\u00e9",
    "decomposed": "e\u0301",
    "turned round": "\u202egpj",
    "shell": "$(x);`y`&|*?!~",
    "only dots": "..",
    "leading dash": "-rf",
}
THREADS = GlobalPipelineConfig(num_workers=1, use_threading=True)
TIFFS = GlobalPipelineConfig(
    num_workers=1, use_threading=True, vfs=VFSConfig(materialization_backend=MaterializationBackend.DISK)
)


def plane(well):
    return np.random.default_rng(list(well.encode())).integers(0, 255, (12, 16)).astype(np.uint8)


def fill(folder, text, suffix=".tif"):
    folder.mkdir(parents=True)
    for well in ("A01", "B02"):
        (folder / f"{well}_w{text}{suffix}").write_bytes(ENCODERS[suffix](plane(well)))
    return folder


@pytest.mark.parametrize("suffix", [".tif", ".png", ".c01"])
@pytest.mark.parametrize("kind", NAMES)
def test_a_plate_of_odd_names_is_converted_with_every_name_as_it_is(tmp_path, kind, suffix):
    text = NAMES[kind]
    folder = fill(tmp_path / f"P {text}", text, suffix)
    pattern = "{well}_w{channel}" + suffix
    index = index_plate(folder, pattern=pattern)
    sources = {plane.source.path for plane in index.planes if isinstance(plane.source, FileSource)}
    assert {os.fsencode(path) for path in sources} == set(os.listdir(os.fsencode(folder)))
    assert convert(folder, tmp_path / "out.zarr", pattern=pattern, config=THREADS).ok
    assert convert(folder, tmp_path / "out.zarr", pattern=pattern, config=THREADS).skipped == ("A01", "B02")
    found = open_plate(tmp_path / "out.zarr")
    assert found.name == f"P {text}"
    assert [channel.name for channel in found.channels] == [text]
    told = zarr.open_group(tmp_path / "out.zarr", mode="r")["A/01/0"].attrs["ome"]["omero"]["channels"]
    assert [channel["label"] for channel in told] == [text]
    for well in ("A01", "B02"):
        assert np.array_equal(found[well].site(1).read().squeeze(), plane(well))


@pytest.mark.parametrize("kind", NAMES)
def test_tiff_outputs_hold_the_names_too(tmp_path, kind):
    folder = fill(tmp_path / "P", NAMES[kind])
    assert convert(folder, tmp_path / "out", pattern="{well}_w{channel}.tif", config=TIFFS).ok
    assert [channel.name for channel in open_plate(tmp_path / "out").channels] == [NAMES[kind]]
    file = next((tmp_path / "out" / "images").rglob("A01_*.tif"))
    assert np.array_equal(tifffile.imread(file), plane("A01"))


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("words", [("scan",), ("scan", "--explain"), ("scan", "--json")])
def test_what_is_printed_moves_no_cursor_and_breaks_no_line(tmp_path, capsys, kind, words):
    folder = fill(tmp_path / "P", NAMES[kind])
    (folder / f"no plane {NAMES[kind]}.txt").write_text("x")
    assert main([*words, str(folder), "--pattern", "{well}_w{channel}.tif"]) == 0
    told = capsys.readouterr().out
    assert not set(told) & {"\x1b", "\x07", "\u202e", "\r"} or words[-1] == "--json"
    if words[-1] == "--json":
        files = [one["path"] for one in json.loads(told)["unmatched"]]
        assert files == [f"no plane {NAMES[kind]}.txt"]
    elif words[-1] == "--explain":
        lines = told.split("\n")
        assert sum(line.startswith(("A01_w", "B02_w")) for line in lines) == 2
        assert all("_s1_c1_z1_t1" in line for line in lines if line.startswith(("A01_w", "B02_w")))


def test_names_that_are_no_text_are_read_and_written_out(tmp_path):
    text = os.fsdecode(b"Zelle \xe4\xff")
    folder = fill(tmp_path / os.fsdecode(b"P \xfc"), text)
    assert convert(folder, tmp_path / "out.zarr", pattern="{well}_w{channel}.tif", config=THREADS).ok
    found = open_plate(tmp_path / "out.zarr")
    assert (found.name, [channel.name for channel in found.channels]) == (r"P \xfc", [r"Zelle \xe4\xff"])
    assert np.array_equal(found["B02"].site(1).read().squeeze(), plane("B02"))
    for words in (["scan", "--explain"], ["scan", "--json"], ["convert"]):
        target = [str(tmp_path / "other.zarr")] if words == ["convert"] else []
        done = subprocess.run(
            [sys.executable, "-m", "openhcs", *words, folder, *target, "--pattern", "{well}_w{channel}.tif"],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        done.stdout.decode()
        if "--json" in words:
            assert json.loads(done.stdout)["channels"] == [r"Zelle \xe4\xff"]


def test_names_that_differ_only_in_case_are_two_files_and_told(tmp_path):
    folder = tmp_path / "P"
    folder.mkdir()
    for number, name in enumerate(("A01_wDAPI.tif", "A01_wdapi.tif", "B02_wDAPI.tif")):
        (folder / name).write_bytes(ENCODERS[".tif"](np.full((12, 16), number, np.uint8)))
    if len(os.listdir(folder)) < 3:
        pytest.skip("this file system takes names that differ in case for one")
    index = index_plate(folder, pattern="{well}_w{channel}.tif")
    assert [channel.name for channel in index.channels] == ["DAPI", "dapi"]
    assert any("differ only in the case of letters: 1 pairs" in one for one in index.warnings)
    config = GlobalPipelineConfig(num_workers=1, use_threading=True)
    assert convert(folder, tmp_path / "out.zarr", pattern="{well}_w{channel}.tif", config=config).ok
    site = open_plate(tmp_path / "out.zarr")["A01"].site(1)
    assert site.channel("DAPI").read().max() == 0
    assert site.channel("dapi").read().min() == 1
