"""The benches' judge of what a peer wrote, and the process a peer lives in, each run as a program of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from openhcs import GlobalPipelineConfig, ZarrConfig, convert
from openhcs.testing.synthetic import make_plate

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def plate(tmp_path):
    return make_plate(tmp_path / "plate", wells=("A01", "B03"), sites=2, size=(300, 300))


def check(plate: Path, out: Path) -> subprocess.CompletedProcess:
    call = [sys.executable, BENCH / "peers" / "check.py", plate, out]
    return subprocess.run(call, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_right_plate_is_counted(plate, tmp_path, version):
    out = tmp_path / "out.zarr"
    assert convert(plate, out, config=GlobalPipelineConfig(zarr=ZarrConfig(ngff_version=version))).ok
    said = check(plate, out)
    assert said.returncode == 0, said.stderr
    assert f"'ngff': '{version}'" in said.stdout
    assert "'levels': '[(300, 150)]'" in said.stdout


def test_sites_that_changed_places_are_wrong(plate, tmp_path):
    out = tmp_path / "out.zarr"
    assert convert(plate, out).ok
    well = out / "B" / "03" / "zarr.json"
    document = json.loads(well.read_bytes())
    document["attributes"]["ome"]["well"]["images"].reverse()
    well.write_text(json.dumps(document))
    said = check(plate, out)
    assert said.returncode != 0
    assert "level 0 of ('B03', 1) differs" in said.stderr


def test_a_missing_site_is_wrong(plate, tmp_path):
    out = tmp_path / "out.zarr"
    assert convert(plate, out).ok
    (plate / "TimePoint_1").mkdir(exist_ok=True)
    extra = next(plate.rglob("*_A01_s1_w1.TIF"))
    extra.with_name(extra.name.replace("_s1_", "_s3_")).write_bytes(extra.read_bytes())
    assert "sites differ: [('A01', 3)]" in check(plate, out).stderr


PEER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from peers import client
client.HERE = Path(sys.argv[2])
with client.Peer("numpy", Path(sys.argv[2]) / "env") as peer:
    first, again = peer.ask(do="count", most=3), peer.ask(do="count", most=4)
    assert (first["most"], first["times"], again["times"]) == (3, 1, 2), (first, again)
    assert first["wall_s"] >= 0.05 and first["cpu_s"] < 5 and first["peak_mb"] > 5, first
    assert peer.ask(do="about")["settings"] == "Counts."
    try:
        peer.ask(do="fail")
    except client.PeerDied as error:
        print(error)
"""

COUNTS = '''"""Counts."""
import time
times = 0
def count(most):
    global times
    times += 1
    time.sleep(0.05)
    print("what a library prints")
    return {"most": most, "times": times}
def fail():
    raise OSError("the disk is gone")
'''


def test_a_peer_stays_warm_and_says_why_it_died(tmp_path):
    folder = tmp_path / "peers"
    (folder / "env" / "bin").mkdir(parents=True)
    (folder / "env" / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (folder / "env" / "bin" / "python").chmod(0o755)
    (folder / "serve.py").write_text((BENCH / "peers" / "serve.py").read_text())
    (folder / "numpy.py").write_text(COUNTS)
    call = [sys.executable, "-c", PEER, BENCH, folder]
    said = subprocess.run(call, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert "numpy ended with 1" in said.stdout
    assert "OSError: the disk is gone" in said.stdout
