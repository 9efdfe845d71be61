"""The command as a process: how fast it answers, what it imports, how it is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

HEAVY = ("numpy", "tensorstore", "tifffile", "zarr", "rich", "torch", "scipy", "logging")
SLOW_CONVERT = """
import sys, time, types
from concurrent.futures import ThreadPoolExecutor
from openhcs.run.events import Event
from openhcs.run.result import RunResult

def forever():
    while True:
        time.sleep(0.01)

def convert(source, target, *, on_event, stop, **_):
    on_event(Event(kind="started", wells=("A01", "A02"), total_wells=2))
    on_event(Event(kind="warning", message="ready"))
    while MODE == "threads":
        with ThreadPoolExecutor(1) as pool:
            pool.submit(forever).result()
    while not stop.wait(0.05) or MODE == "busy":
        pass
    return RunResult(output=target, plan_id="p", done=("A01",), waiting=("A02",))

MODE = sys.argv.pop(1)
module = types.ModuleType("openhcs.run.convert")
module.convert = convert
sys.modules["openhcs.run.convert"] = module
from openhcs.cli import main
sys.exit(main())
"""


def seconds(*words: str) -> float:
    best = 10.0
    for _ in range(7):
        begun = time.perf_counter()
        subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
        best = min(best, time.perf_counter() - begun)
    return best


@pytest.mark.parametrize("words", [("--help",), ("convert", "--help")])
def test_help_answers_within_a_tenth_of_a_second_of_a_bare_interpreter(words) -> None:
    assert seconds("-m", "openhcs", *words) - seconds("-c", "pass") < 0.1


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["scan", "/nope/x"]])
def test_help_and_a_wrong_path_import_nothing_heavy(words) -> None:
    code = (
        f"import sys; from openhcs.cli import main; main({words!r}); print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "[]"


def test_python_m_openhcs_is_the_command() -> None:
    answer = subprocess.run([sys.executable, "-m", "openhcs", "scna"], capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert "did you mean 'scan'?" in answer.stderr


def test_a_closed_pipe_is_no_error() -> None:
    line = f"{sys.executable} -m openhcs --help | true; exit ${{PIPESTATUS[0]}}"
    answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")


def interrupted(tmp_path, *, mode: str, presses: int) -> tuple[int, str]:
    words = [sys.executable, "-c", SLOW_CONVERT, mode, "convert", str(tmp_path), "out.zarr"]
    with subprocess.Popen(
        words, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        assert process.stderr is not None
        assert "ready" in process.stderr.readline()
        shown = ""
        for _ in range(presses):
            process.send_signal(signal.SIGINT)
            shown += process.stderr.readline()
        try:
            shown += process.communicate(timeout=20)[1]
        finally:
            process.kill()
        return process.returncode, shown


def test_ctrl_c_once_stops_after_the_running_wells(tmp_path) -> None:
    code, shown = interrupted(tmp_path, mode="gentle", presses=1)
    assert code == 130
    assert "once the running wells are done" in shown
    assert "1 of 2 wells" in shown
    assert f"openhcs convert {tmp_path} out.zarr" in shown


@pytest.mark.parametrize("mode", ["busy", "threads"])
def test_ctrl_c_twice_stops_at_once_and_says_how_to_go_on(tmp_path, mode: str) -> None:
    code, shown = interrupted(tmp_path, mode=mode, presses=2)
    assert code == 130
    assert "stopping at once" in shown
    assert f"To go on with the rest:\n  openhcs convert {tmp_path} out.zarr" in shown
    assert "Traceback" not in shown
