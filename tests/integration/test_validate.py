"""What validate finds: any flipped bit, and what to do about it, which then helps."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys

import numcodecs
import numpy as np
import pytest
import zarr

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, ZarrConfig, convert, validate
from openhcs.cli import main
from openhcs.errors import InputError, NotFound
from openhcs.ledger.ledger import Ledger
from openhcs.run.status import status
from openhcs.testing.synthetic import make_plate

HOW = {"variable_components": [], "out": "same", "out_dtype": "uint16"}
KINDS = ("0.5", "0.4 without checksums", "steps, one as TIFF")


def brighter(stack):
    return stack + 1


def dimmer(stack):
    return stack // 2


class Output:
    """An output of one kind, and the command that makes it."""

    def __init__(self, kind, plate, top):
        self.kind, self.plate = kind, plate
        self.path = top / ("out" if "steps" in kind else "out.zarr")
        self.ledger = Ledger(self.path).folder

    def run(self, **how):
        if "steps" in self.kind:
            config = GlobalPipelineConfig(use_threading=True)
            steps = [FunctionStep(brighter, force_disk_output="disk", **HOW), FunctionStep(dimmer, **HOW)]
            return PipelineOrchestrator(self.plate, output=self.path, global_config=config, **how).run(steps)
        zarr_config = ZarrConfig(ngff_version="0.4", compressor="none") if "0.4" in self.kind else ZarrConfig()
        return convert(self.plate, self.path, config=GlobalPipelineConfig(zarr=zarr_config), **how)

    def files(self):
        """All files but locks, which hold nothing."""
        found = {path for top in (self.path, self.ledger) for path in top.rglob("*") if path.is_file()}
        return sorted(path for path in found if path.stat().st_size)

    @property
    def stored(self):
        """A file of pixels."""
        return next(path for path in self.files() if "/c/" in str(path) or path.suffix == ".tif" or path.name == "0")

    @property
    def root(self):
        """The plate's first document."""
        store = self.path / "images.zarr" if "steps" in self.kind else self.path
        return store / (".zattrs" if "0.4" in self.kind else "zarr.json")

    def shown(self, path):
        return os.path.relpath(path, self.path)


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    return make_plate(tmp_path_factory.mktemp("in") / "P1", wells=("A01", "B02"), sites=2, size=(80, 64))


@pytest.fixture(params=KINDS)
def output(request, plate, tmp_path):
    made = Output(request.param, plate, tmp_path)
    assert made.run().ok
    return made


def flip(path, chance):
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def flips(output, number):
    """Flip that many bits, one after the other, each found, located and put back; return how many of pixels."""
    files = output.files()
    records = [json.loads(path.read_bytes()) for path in (output.ledger / "commits").iterdir()]
    rows = {row["path"]: row for record in records for row in record["images"]}
    assert validate(output.path, deep=True).findings == ()
    located = 0
    for seed in range(number):
        chance = random.Random(seed)
        path = chance.choice(files)
        before = path.read_bytes()
        flip(path, chance)
        report = validate(output.path, deep=True)
        path.write_bytes(before)
        assert not report.valid, (seed, path)
        found = [one for one in report.findings if one.path == output.shown(path)]
        assert len(found) == 1, (seed, path, report.findings)
        row = next((row for at, row in rows.items() if f"{found[0].path}/".startswith(f"{at}/")), None)
        if found[0].code == "object-damaged":
            assert (found[0].well, found[0].site) == (row["well"], row["site"]), (seed, path)
            assert found[0].chunk, (seed, path)
            located += 1
    assert validate(output.path, deep=True).findings == ()
    return located


def test_a_flipped_bit_anywhere_is_found_and_located(output):
    assert flips(output, 120) > 20


@pytest.mark.crash
def test_ten_thousand_flipped_bits_are_found_and_located(output):
    number = 3400
    located = flips(output, number)
    print(f"{output.kind}: {number} flips of single bits, all found, {located} of them in stored objects, all located")


def test_a_shard_names_the_chunk_that_is_damaged(plate, tmp_path):
    made = Output("0.5", plate, tmp_path)
    made.run()
    shard = made.path / "A/01/0/0/c/0/0/0/0"
    data = bytearray(shard.read_bytes())
    data[10] ^= 1
    shard.write_bytes(data)
    (one,) = validate(made.path, deep=True).findings
    assert one.chunk == "level 0, chunk (0, 0, 0, 0) (c 0, z 0, y 0 to 79, x 0 to 63)"
    assert (one.code, one.well, one.site) == ("object-damaged", "A01", 1)


def test_quick_finds_what_is_gone_cut_or_changed_in_documents(output):
    stored, root = output.stored, output.root
    for path, harm, code in (
        (stored, stored.unlink, "object-missing"),
        (stored, lambda: stored.write_bytes(stored.read_bytes()[:-1]), "object-size"),
        (root, root.unlink, "document-missing"),
        (root, lambda: root.write_bytes(root.read_bytes() + b" "), "document-changed"),
    ):
        before = path.read_bytes()
        harm()
        report = validate(output.path)
        assert [(one.code, one.path) for one in report.findings] == [(code, output.shown(path))]
        assert not report.valid
        path.write_bytes(before)
    (output.path / "notes.txt").write_text("mine")
    report = validate(output.path)
    assert ([one.code for one in report.findings], report.valid) == (["stranger"], True)


def harmed(output, path):
    flip(path, random.Random(1))
    (one,) = [one for one in validate(output.path, deep=True).findings if one.path == output.shown(path)]
    return one


def test_every_remedy_helps(output):
    wanted = {path: path.read_bytes() for path in output.files() if ".openhcs" not in str(path)}

    one = harmed(output, output.stored)
    assert one.remedy == f"Run the command that made this output again with --wells {one.well} --exist replace."
    assert output.run(wells=one.well, exist="replace").done == (one.well,)
    assert validate(output.path, deep=True).findings == ()

    for path in (output.root, output.ledger / "documents.json"):
        assert harmed(output, path).remedy == "Run: openhcs close OUT."
        assert main(["close", str(output.path)]) == 0
        assert validate(output.path, deep=True).findings == ()

    for name in ("plan.json", "facts.json"):
        assert harmed(output, output.ledger / name).remedy == "Run the command that made this output again."
        assert output.run().skipped == ("A01", "B02")
        assert validate(output.path, deep=True).findings == ()

    vendor = next((output.ledger / "vendor").rglob("*.HTD"))
    assert "while the plate is at hand" in harmed(output, vendor).remedy
    assert output.run().ok
    assert validate(output.path, deep=True).findings == ()

    record = next((output.ledger / "commits").glob("B02.*.json"))
    units = json.loads(record.read_bytes())["units"]
    assert harmed(output, record).remedy.startswith("Remove it and the folders of that well.")
    record.unlink()
    for unit in units:
        shutil.rmtree(output.path / unit)
    assert output.run().done == ("B02",)
    assert validate(output.path, deep=True).findings == ()
    assert {path: path.read_bytes() for path in wanted} == wanted


def test_what_a_killed_run_left_is_told_and_close_settles_it(plate, tmp_path, capsys):
    ledger = Ledger(tmp_path / "out.zarr")
    convert(plate, tmp_path / "out.zarr", wells="A01")
    script = (
        "import sys, time\nfrom openhcs.ledger.ledger import Ledger\n"
        "with Ledger(sys.argv[1]).stage('B02'): print('on', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, tmp_path / "out.zarr"], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert [one.code for one in validate(tmp_path / "out.zarr").findings] == ["in-use"]
        child.send_signal(signal.SIGKILL)
    report = validate(tmp_path / "out.zarr")
    assert ([one.code for one in report.findings], report.valid) == (["staging-left"], True)
    assert main(["close", str(tmp_path / "out.zarr")]) == 0
    assert validate(tmp_path / "out.zarr").findings == ()
    assert list(ledger.records()) == ["A01"]
    assert main(["close", str(tmp_path / "out.zarr")]) == 0
    assert "1 committed well, nothing to do" in capsys.readouterr().out


def test_clean_takes_what_other_machines_left(plate, tmp_path, capsys):
    convert(plate, tmp_path / "out.zarr")
    left = Ledger(tmp_path / "out.zarr").folder / "staging" / "B02-1"
    left.mkdir()
    (left / "owner").write_text('{"pid": 1, "host": "elsewhere"}')
    (found,) = validate(tmp_path / "out.zarr").findings
    assert (found.code, "openhcs clean OUT" in found.remedy) == ("staging-left", True)
    assert main(["close", str(tmp_path / "out.zarr")]) == 0
    assert left.exists()
    assert main(["clean", str(tmp_path / "out.zarr")]) == 0
    assert not left.exists()
    assert "1 leftover settled" in capsys.readouterr().out
    assert validate(tmp_path / "out.zarr").findings == ()


def test_the_command_prints_findings_and_ends_with_4_for_damage(plate, tmp_path, capsys):
    made = Output("0.5", plate, tmp_path)
    made.run()
    assert main(["validate", str(made.path), "--deep"]) == 0
    assert f"{made.path}: valid; 2 committed wells, " in capsys.readouterr().out
    (made.path / "A/01/0/0/c/0/0/0/0").unlink()
    assert main(["validate", str(made.path), "--json"]) == 4
    told = json.loads(capsys.readouterr().out)
    assert told["valid"] is False
    assert told["findings"] == [
        {
            "code": "object-missing",
            "severity": "error",
            "path": "A/01/0/0/c/0/0/0/0",
            "message": "a stored file of well A01 is gone (No such file or directory)",
            "remedy": "Run the command that made this output again with --wells A01 --exist replace.",
            "rule": "openhcs commit record",
            "well": "A01",
            "site": 1,
        }
    ]
    assert main(["validate", str(made.path)]) == 4
    assert "not valid: 1 error" in capsys.readouterr().out


def test_a_store_inside_an_output_is_checked_with_its_output(plate, tmp_path):
    made = Output("steps, one as TIFF", plate, tmp_path)
    made.run()
    assert validate(made.path / "images.zarr").path == str(made.path)


def test_a_store_without_records_is_decoded(tmp_path):
    group = zarr.create_group(tmp_path / "foreign.zarr", zarr_format=2)
    compressor = numcodecs.Zstd(checksum=True)
    array = group.create_array("a", shape=(20, 30), chunks=(10, 30), dtype="u2", compressors=compressor)
    array[...] = np.arange(600, dtype="u2").reshape(20, 30)
    report = validate(tmp_path / "foreign.zarr", deep=True)
    assert ([one.code for one in report.findings], report.bytes) == (["no-records", "not-ome-zarr"], 1200)
    flip(tmp_path / "foreign.zarr/a/1.0", random.Random(0))
    report = validate(tmp_path / "foreign.zarr", deep=True)
    assert [one.code for one in report.findings] == ["no-records", "chunk-unreadable", "not-ome-zarr"]
    assert "chunk (1, 0)" in report.findings[1].message


def test_what_is_no_output_says_so(tmp_path):
    with pytest.raises(InputError, match="neither an output of openhcs nor a Zarr store"):
        validate(tmp_path)
    with pytest.raises(NotFound):
        validate(tmp_path / "none")


def test_a_damaged_note_of_a_failure_does_not_hide_the_others(plate, tmp_path):
    def fails(stack):
        raise ValueError("no")

    steps = [FunctionStep(fails, **HOW)]
    config = GlobalPipelineConfig(use_threading=True)
    PipelineOrchestrator(plate, output=tmp_path / "out", global_config=config).run(steps)
    flip(tmp_path / "out/.openhcs/failures/A01.json", random.Random(0))
    told = status(tmp_path / "out")
    assert told.wells == {"A01": "failed", "B02": "failed"}
    assert "damaged" in told.failures["A01"].message
    assert "no" in told.failures["B02"].message
