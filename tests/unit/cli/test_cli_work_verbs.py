"""Convert, plan, run and status hand on what was typed and end with the right code."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from openhcs import errors
from openhcs.cli import main
from openhcs.constants.constants import WellFilterMode
from openhcs.run.events import Event
from openhcs.run.result import Failure
from unit.cli import cli_fakes as fakes

FAILURE = Failure(well="A02", step="gaussian", message="ValueError: bad sigma", traceback="Traceback …")


@pytest.fixture
def convert(monkeypatch, tmp_path):
    """Run ``openhcs convert`` on a stand-in; return (exit code, what it was called with)."""

    def run(*words: str, answer: object = None, events: tuple[Event, ...] = ()):
        calls = []

        def stand_in(source, target, **keywords):
            calls.append((source, target, keywords))
            for event in events:
                keywords["on_event"](event)
            if isinstance(answer, BaseException):
                raise answer
            return answer(keywords) if callable(answer) else answer or fakes.result()

        fakes.install(monkeypatch, "openhcs.run.convert", convert=stand_in)
        code = main(["convert", str(tmp_path), "p.zarr", *words])
        return code, calls[0] if calls else None

    return run


def test_convert_hands_on_what_was_typed(convert, tmp_path, capsys) -> None:
    words = "--wells A01 --exclude --exist replace --missing fill --pattern {well}.tif --ngff 0.4".split()  # noqa: SIM905 - as typed
    code, (source, target, keywords) = convert(*words)
    assert code == 0
    assert (source, target) == (str(tmp_path), "p.zarr")
    assert (keywords["wells"], keywords["wells_mode"]) == ("A01", WellFilterMode.EXCLUDE)
    assert (keywords["exist"], keywords["pattern"]) == ("replace", "{well}.tif")
    assert keywords["config"].zarr.ngff_version == "0.4"
    shown = capsys.readouterr().out
    assert "done   2 wells in 2.0 s: 2.00 MB read (1.00 MB/s), 900 kB stored" in shown
    assert "wrote  p.zarr" in shown


def test_json_is_all_that_stdout_gets(convert, capsys) -> None:
    events = (Event(kind="started", wells=("A01",), total_wells=1),)
    convert("--json", answer=fakes.result(failed=(FAILURE,)), events=events)
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert told["plan"] == "3f9c"
    assert told["failed"] == [{"well": "A02", "step": "gaussian", "message": "ValueError: bad sigma"}]


def test_failed_wells_end_with_3_and_are_told(convert, capsys) -> None:
    code, _ = convert(answer=fakes.result(done=("A01",), failed=(FAILURE,)))
    assert code == 3
    told = capsys.readouterr().err
    assert "1 of 2 wells failed" in told
    assert "A02  gaussian: ValueError: bad sigma" in told
    assert "Traceback" not in told


def test_a_stop_ends_with_130_and_says_how_to_go_on(convert, capsys) -> None:
    def stopped(keywords):
        keywords["stop"].set()
        return fakes.result(waiting=("A03",))

    assert convert(answer=stopped)[0] == 130
    told = capsys.readouterr().err
    assert "2 of 3 wells" in told
    assert "To go on with the rest:\n  openhcs convert" in told


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.OutputExists("out holds the work of plan 77"), 5),
        (errors.StorageFull("no space"), 6),
        (errors.OutOfBudget("needs 3 GB"), 6),
        (errors.MissingPlanes("3 planes are missing; --missing fill"), 4),
        (errors.Stopped("1 of 2 wells committed"), 130),
        (KeyboardInterrupt(), 130),
        (RuntimeError("oops"), 1),
    ],
)
def test_errors_of_the_run_end_with_their_code(convert, error, code: int, capsys) -> None:
    assert convert(answer=error)[0] == code
    assert capsys.readouterr().out == ""


def test_events_go_to_the_file(convert, tmp_path) -> None:
    path = tmp_path / "events.jsonl"
    convert("--events", str(path), "--quiet", answer=fakes.result(), events=(Event(kind="well_done", well="A01"),))
    assert json.loads(path.read_text())["well"] == "A01"


@pytest.fixture
def orchestrated(monkeypatch, tmp_path):
    """Put a stand-in for the orchestrator in place; return the list of how it was made."""
    made = []

    class StandIn:
        plan = SimpleNamespace(explain=lambda: "plan 3f9c", to_json=lambda: '{"plan": "3f9c"}')

        def __init__(self, plate, **keywords):
            made.append((plate, keywords))

        def initialize(self):
            return self

        def compile_pipelines(self, steps):
            made.append(steps)
            return {}

        def run(self, steps, *, on_event, stop):
            return fakes.result(output=made[-1][1]["output"])

    fakes.install(monkeypatch, "openhcs.orchestrator", PipelineOrchestrator=StandIn)
    pipeline = tmp_path / "pipeline.py"
    pipeline.write_text(
        "from openhcs.core.config import GlobalPipelineConfig\n"
        "from openhcs.core.steps import FunctionStep\n"
        "config = GlobalPipelineConfig(num_workers=3)\n"
        "steps = [FunctionStep(len)]\n"
    )
    for name in ("one", "two", "other/one"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return made


def test_plan_prints_the_plan_and_its_json(orchestrated, capsys) -> None:
    assert main(["plan", "pipeline.py", "one", "-o", "out"]) == 0
    assert capsys.readouterr().out == "plan 3f9c\n"
    assert main(["plan", "pipeline.py", "one", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"plan": "3f9c"}
    assert orchestrated[0] == ("one", orchestrated[0][1])
    assert orchestrated[0][1]["output"] == "out"


def test_options_stand_over_the_pipelines_own_configuration(orchestrated) -> None:
    main(["run", "pipeline.py", "one"])
    main(["run", "pipeline.py", "one", "--workers", "1"])
    assert [keywords["global_config"].num_workers for _, keywords in orchestrated] == [3, 1]
    assert orchestrated[0][1]["output"] is None


def test_several_plates_get_a_folder_each(orchestrated, capsys) -> None:
    assert main(["run", "pipeline.py", "one", "two", "-o", "out", "--json"]) == 0
    assert [keywords["output"] for _, keywords in orchestrated] == ["out/one", "out/two"]
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_two_plates_of_one_name_are_refused(orchestrated, capsys) -> None:
    assert main(["run", "pipeline.py", "one", "other/one", "-o", "out"]) == 2
    assert orchestrated == []
    assert "'one'" in capsys.readouterr().err


def test_a_pipeline_file_that_is_not_there_is_input_not_found(orchestrated, capsys) -> None:
    assert main(["run", "pipelin.py", "one"]) == 4
    assert "pipeline.py?" in capsys.readouterr().err


def test_status_tells_each_well(monkeypatch, tmp_path, capsys) -> None:
    wells = {"A01": "done", "A02": "failed", "A03": "waiting"}
    memory = ("A01", 38 * 10**6, 33 * 10**6)
    timings = {"read": 1.5, "1 blur": 75.0}
    found = SimpleNamespace(
        output="out", plan_id="3f9c", wells=wells, failures={"A02": FAILURE}, memory=memory, timings=timings
    )
    fakes.install(monkeypatch, "openhcs.run.status", status=lambda _: found)
    assert main(["status", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["wells"] == wells
    assert told["failures"]["A02"] == {"step": "gaussian", "message": "ValueError: bad sigma"}
    assert told["timings"] == timings
    assert told["memory"] == {"task": "A01", "planned": 38 * 10**6, "measured": 33 * 10**6}
    assert main(["status", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "1 done, 1 failed, 1 waiting of 3" in shown
    assert "1 blur 1 min 15 s, read 1.5 s" in shown
    assert "33.0 MB at most for one task (A01), 38.0 MB were planned" in shown
    assert "A  ●  ✗  ·" in shown
    assert "A02 failed in gaussian: ValueError: bad sigma" in shown
