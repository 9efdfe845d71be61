"""Going on with an output does what is not done, tells what changed, and reads nothing that it need not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading

import numpy as np
import pytest
import tifffile

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, convert
from openhcs.cli import main
from openhcs.errors import StepError, UnknownName
from openhcs.ledger.ledger import Ledger
from openhcs.run import pixels
from openhcs.testing.synthetic import make_plate
from values import ILLUMINATION, everything, results, run

SERIAL = GlobalPipelineConfig(num_workers=1, use_threading=True)
WELLS = ("A01", "A02", "B01")


@pytest.fixture
def plate(tmp_path):
    return make_plate(tmp_path / "P1", wells=WELLS, sites=1, channels=["DAPI"], size=(32, 32))


def one_of(plate, well):
    return next(path for path in sorted(plate.rglob(f"*{well}*.TIF")) if "thumb" not in path.name.lower())


def with_inputs(how):
    return GlobalPipelineConfig(num_workers=1, use_threading=True, inputs=how)


PIPELINE = """
from openhcs import FunctionStep
LEVEL = 3

def helper(stack):
    return stack + LEVEL

def first(stack, n=1):
    \"\"\"Add.\"\"\"
    return helper(stack) * n

second = lambda stack: helper(stack)

steps = [FunctionStep((first, {"n": 1}), "first", []), FunctionStep(second, "second", [])]
"""


def prints(text):
    """Return the fingerprints of a pipeline file's steps as another process sees them."""
    code = (
        "import sys\nfrom openhcs.run.pipeline_file import load_pipeline\n"
        "from openhcs.run.fingerprint import step_fingerprint\n"
        "print(*map(step_fingerprint, load_pipeline(sys.argv[1]).steps))"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "p.py")
        with open(path, "w") as file:
            file.write(text)
        return subprocess.run(
            [sys.executable, "-c", code, path], check=True, capture_output=True, text=True
        ).stdout.split()


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("", "", (False, False)),
        ("steps = [", "# a word\nsteps = [", (False, False)),
        ("LEVEL = 3", "\n\nLEVEL = 3  # levels", (False, False)),
        ('{"n": 1}', '{"n": 2}', (True, False)),
        ("* n", "* n + 0", (True, False)),
        ("n=1)", "n=4)", (True, False)),
        ("stack + LEVEL", "stack - LEVEL", (True, True)),
        ("LEVEL = 3", "LEVEL = 4", (True, True)),
        ("lambda stack: helper(stack)", "lambda stack: helper(stack) + 1", (False, True)),
    ],
    ids=["nothing", "comment", "place", "argument", "body", "default", "helper", "constant", "lambda"],
)
def test_what_changes_a_step_and_what_does_not(old, new, changed):
    before, after = prints(PIPELINE), prints(PIPELINE.replace(old, new, 1) if old else PIPELINE)
    assert tuple(a != b for a, b in zip(before, after, strict=True)) == changed


def test_a_complete_plate_goes_on_without_reading_a_pixel(plate, tmp_path, monkeypatch):
    steps = [FunctionStep(everything)]
    assert run(plate, tmp_path / "o", steps, SERIAL).ok

    def refused(*_):
        raise AssertionError("a pixel was read")

    monkeypatch.setattr(pixels.PlaneReader, "read_into", refused)
    again = run(plate, tmp_path / "o", steps, SERIAL)
    assert (again.done, again.skipped) == ((), WELLS)


def test_a_changed_file_makes_its_well_again_and_no_other(plate, tmp_path):
    steps = [FunctionStep(np.negative, out="same", out_dtype="uint16", variable_components=[])]
    for how in ("mtime", "size", "deep"):
        output = tmp_path / how
        assert run(plate, output, steps, with_inputs(how)).done == WELLS
        touched, changed = one_of(plate, "A02"), one_of(plate, "B01")
        os.utime(touched, ns=(10**18, 10**18))
        expected = {"mtime": ("A02",), "size": (), "deep": ()}[how]
        assert run(plate, output, steps, with_inputs(how)).done == expected
        data = bytearray(changed.read_bytes())
        data[-1] ^= 1
        kept = os.stat(changed)
        changed.write_bytes(bytes(data))
        os.utime(changed, ns=(kept.st_atime_ns, kept.st_mtime_ns))
        assert run(plate, output, steps, with_inputs(how)).done == (("B01",) if how == "deep" else ())


def test_a_plate_that_moved_is_the_same_plate(plate, tmp_path):
    steps = [FunctionStep(np.negative, out="same", out_dtype="uint16")]
    assert run(plate, tmp_path / "o", steps, SERIAL).ok
    (tmp_path / "elsewhere").mkdir()
    shutil.move(plate, tmp_path / "elsewhere" / "P1")
    assert run(tmp_path / "elsewhere" / "P1", tmp_path / "o", steps, SERIAL).skipped == WELLS


def test_a_changed_image_of_a_zarr_plate_is_noticed(plate, tmp_path):
    convert(plate, tmp_path / "source.zarr")
    steps = [FunctionStep(np.negative, out="same", out_dtype="uint16", variable_components=[])]
    assert run(tmp_path / "source.zarr", tmp_path / "o", steps, SERIAL).ok
    assert run(tmp_path / "source.zarr", tmp_path / "o", steps, SERIAL).skipped == WELLS
    stored = next(path for path in sorted((tmp_path / "source.zarr/A/02/0/0/c").rglob("*")) if path.is_file())
    os.utime(stored, ns=(10**18, 10**18))
    assert run(tmp_path / "source.zarr", tmp_path / "o", steps, SERIAL).done == ("A02",)


def test_rerun_from_a_step_makes_its_stage_and_what_follows_again(plate, tmp_path):
    assert run(plate, tmp_path / "o", ILLUMINATION, SERIAL).ok
    before = results(tmp_path / "o")

    def staged(step):
        events = []
        orchestrator = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL)
        assert orchestrator.run(ILLUMINATION, rerun_from=step, on_event=events.append).done == WELLS
        return [event.well for event in events if event.kind == "well_staged"]

    assert staged("correct") == []
    assert staged("combine") == ["plate"]
    assert staged(1) == [*WELLS, "plate"]
    assert results(tmp_path / "o") == before
    with pytest.raises(UnknownName, match="no step 'corect'; did you mean 'correct'"):
        staged("corect")


def broken_pipeline(folder):
    path = folder / "pipeline.py"
    path.write_text(
        textwrap.dedent(
            """
            from openhcs import FunctionStep

            def fails_on_some(stack, bad):
                total = int(stack.sum())
                if total == bad:
                    raise KeyError("nuclei")
                return stack

            steps = [FunctionStep((fails_on_some, {"bad": BAD}), None, [], out="same", out_dtype="uint16")]
            """
        )
    )
    return path


def test_debug_replays_a_failed_well_with_what_went_in_and_the_users_lines(plate, tmp_path, capsys):
    path = broken_pipeline(tmp_path)
    bad = int(tifffile.imread(one_of(plate, "A02")).sum())
    path.write_text(path.read_text().replace("BAD", str(bad)))
    assert main(["run", str(path), str(plate), "-o", str(tmp_path / "o"), "--threads"]) == 3
    noted = Ledger(tmp_path / "o").notes.failures()["A02"]
    assert noted["inputs"] == [one_of(plate, "A02").relative_to(plate).as_posix()]
    before = results(tmp_path / "o")
    capsys.readouterr()
    assert main(["debug", str(tmp_path / "o"), "A02"]) == 3
    told = capsys.readouterr()
    assert "step 1 fails_on_some on A02 site 1 channel 1 z 1 t 1: (1, 32, 32) uint16," in told.out
    assert 'raise KeyError("nuclei")' in told.err
    assert "openhcs/run/" not in told.err
    assert main(["debug", str(tmp_path / "o"), "A01"]) == 0
    assert results(tmp_path / "o") == before
    path.write_text(path.read_text() + "# changed\n")
    assert main(["debug", str(tmp_path / "o"), "A02"]) == 2
    assert "changed" in capsys.readouterr().err


def test_debug_of_work_from_python_is_done_in_python(plate, tmp_path, capsys):
    def broken(stack):
        raise KeyError("nuclei")

    steps = [FunctionStep(broken, out="same", out_dtype="uint16")]
    orchestrator = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL)
    assert not orchestrator.run(steps).ok
    assert main(["debug", str(tmp_path / "o"), "A01"]) == 2
    assert '.debug("A01")' in capsys.readouterr().err
    with pytest.raises(StepError) as caught:
        orchestrator.debug("A01")
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(UnknownName, match="no well 'C09'"):
        orchestrator.debug("C09")


def test_debug_after_a_step_over_wells_takes_what_the_output_has(plate, tmp_path, capsys):
    orchestrator = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL)
    assert orchestrator.run(ILLUMINATION).ok
    orchestrator.debug("B01")
    assert "step 3 correct on B01" in capsys.readouterr().out


def test_records_events_and_status_tell_where_time_went(plate, tmp_path, capsys):
    path = tmp_path / "pipeline.py"
    path.write_text("import numpy as np\nfrom openhcs import FunctionStep as F\nsteps = [F(np.negative, 'turn', [])]\n")
    events = tmp_path / "events.jsonl"
    assert main(["run", str(path), str(plate), "-o", str(tmp_path / "o"), "--events", str(events)]) == 0
    record = Ledger(tmp_path / "o").records()["A01"]
    assert set(record["timings"]["parts"]) == {"read", "1 turn", "store"}
    assert record["bytes_in"] == 32 * 32 * 2
    assert record["bytes_out"] == sum(one["bytes"] for one in record["objects"])
    told = [json.loads(line) for line in events.read_text().splitlines()]
    assert [set(one["timings"]) for one in told if one["kind"] == "well_done"] == [{"read", "1 turn", "store"}] * 3
    capsys.readouterr()
    assert main(["status", str(tmp_path / "o")]) == 0
    assert "1 turn" in capsys.readouterr().out


def test_wells_are_made_again_where_nobody_can_tell_whether_a_function_changed(plate, tmp_path):
    held = threading.Lock()
    plain = FunctionStep(lambda stack: stack, "plain", [], out="same", out_dtype="uint16")
    steps = [plain, FunctionStep((lambda stack, held: stack, {"held": held}), "locked", [])]
    orchestrator = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL)
    assert orchestrator.run(steps).done == WELLS
    assert "step 2 (locked) holds lock, which may change without being seen" in orchestrator.plan.explain()
    assert run(plate, tmp_path / "o", steps, SERIAL).done == WELLS


def test_the_input_is_never_written_to(plate, tmp_path):
    def state():
        return {
            path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in plate.rglob("*")
        }

    before = state()
    orchestrator = PipelineOrchestrator(plate, output=tmp_path / "o")
    assert orchestrator.run(ILLUMINATION).ok
    orchestrator.debug("A01")
    convert(plate, tmp_path / "c.zarr")
    assert main(["scan", str(plate)]) == 0
    assert main(["info", str(plate)]) == 0
    assert state() == before
