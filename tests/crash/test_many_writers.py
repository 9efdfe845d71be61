"""Four processes on one plate, and on one path: no lost well, no mixed well, refused where it must be."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
import zarr

import kills
import outside

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds worker processes in /proc")
QUARTERS = tuple(",".join(kills.WELLS[number::4]) for number in range(4))
CONVERT = ("convert", "P1", "OUT", "--workers", "1")
RUN = ("run", "slow.py", "P1", "-o", "OUT", "--workers")
OTHER = ("run", "other.py", "P1", "-o", "OUT", "--workers", "1")
ROUNDS = 25


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("writers")
    kills.prepare(made)
    for words in (CONVERT, (*RUN, "2"), OTHER):
        assert start(words, undisturbed(made, words), made).wait(kills.HANG_S) == 0
    return made


def undisturbed(folder: Path, words: tuple[str, ...]) -> Path:
    return folder / f"undisturbed-{words[1].removesuffix('.py')}"


def start(words: tuple[str, ...], output: Path, folder: Path) -> subprocess.Popen[bytes]:
    return kills.start(words, output, folder, folder / f"{output.name}.log")


def ended(runs: list[subprocess.Popen[bytes]]) -> list[int]:
    assert all(kills.wait_until_gone(run) for run in runs)
    return [run.returncode for run in runs]


def said(output: Path) -> str:
    return output.with_name(f"{output.name}.log").read_text()


def whole(output: Path, like: Path) -> None:
    """Check that nothing tells an output from an undisturbed one, then remove it."""
    assert outside.complaints(output, [outside.all_pixels(like)]) == []
    assert outside.left_over(output) == []
    assert set(outside.records_of(output)) == set(kills.WELLS)
    assert {well.partition("/")[2] for well in outside.all_pixels(output)} == {
        f"{well[0]}/{well[1:]}" for well in kills.WELLS
    }
    assert outside.tree(output) == outside.tree(like)
    assert set(kills.status_of(output).values()) == {"done"}
    shutil.rmtree(output)


def together(folder: Path, words: tuple[str, ...], more: tuple[tuple[str, ...], ...], name: str) -> None:
    output = folder / name
    codes = ended([start((*words, *extra), output, folder) for extra in more])
    assert codes == [0] * len(more), said(output)
    assert "Traceback" not in said(output)
    whole(output, undisturbed(folder, words))


def quarters() -> tuple[tuple[str, ...], ...]:
    return tuple(("--wells", wells) for wells in QUARTERS)


def refused(folder: Path, name: str, wait: float | None) -> str:
    """Run two plans on one output, the second after ``wait`` seconds or once the first runs."""
    output = folder / name
    first = start((*RUN, "2"), output, folder)
    if wait is None:
        while first.poll() is None and not outside.entries(output / ".openhcs" / "holders"):
            time.sleep(0.005)
    else:
        time.sleep(wait)
    second = kills.start(OTHER, output, folder, folder / f"{name}-second.log")
    codes = ended([first, second])
    told = (folder / f"{name}-second.log").read_text() + said(output)
    assert sorted(codes) == [0, 5], told
    assert "Traceback" not in told
    winner = (*RUN, "2") if codes[0] == 0 else OTHER
    if f"process {first.pid} on {socket.gethostname()}" in told:
        state = "refused by pid and host of the one at work"
    elif f"process {second.pid} on {socket.gethostname()}" in told:
        state = "the first one refused by pid and host of the second"
    else:
        assert wait is not None, told
        assert "another plan" in told or "in use" in told, told
        state = "refused for the plan that has it"
    whole(output, undisturbed(folder, winner))
    return state


def killed_while_others_write(folder: Path, words: tuple[str, ...], name: str, chance: random.Random) -> int:
    """Kill some of four writers, or their workers, while the rest write; then finish with one run."""
    output = folder / name
    runs = [start((*words, *extra), output, folder) for extra in quarters()]
    hits = 0
    for run in chance.sample(runs, chance.randint(1, 3)):
        time.sleep(chance.uniform(0, 0.5))
        workers = kills.workers_of(run)
        with contextlib.suppress(ProcessLookupError):
            if run.poll() is None:
                hits += 1
                os.kill(chance.choice(workers) if workers else run.pid, signal.SIGKILL)
    assert set(ended(runs)) <= {0, 3, -signal.SIGKILL}, said(output)
    assert outside.complaints(output, [outside.all_pixels(undisturbed(folder, words))]) == []
    assert ended([start(words, output, folder)]) == [0], said(output)
    assert "Traceback" not in said(output)
    whole(output, undisturbed(folder, words))
    return hits


def test_four_processes_write_a_quarter_of_the_wells_each(folder):
    together(folder, CONVERT, quarters(), "quarters")


def test_four_processes_write_the_same_wells(folder):
    together(folder, CONVERT, ((),) * 4, "same")


def test_another_plan_on_an_output_in_use_is_refused_by_pid_and_host(folder):
    assert "pid and host" in refused(folder, "plans", None)


def test_writers_killed_while_others_write_lose_nothing(folder):
    assert killed_while_others_write(folder, CONVERT, "killed", random.Random(1))


@pytest.mark.crash
@pytest.mark.parametrize("words", [CONVERT, (*RUN, "1"), (*RUN, "2")], ids=["convert", "run-1", "run-2"])
def test_four_processes_write_a_quarter_each_many_times(folder, words):
    for turn in range(ROUNDS):
        together(folder, words, quarters(), f"quarters-{turn}")


@pytest.mark.crash
@pytest.mark.parametrize("words", [CONVERT, (*RUN, "2")], ids=["convert", "run"])
def test_four_processes_write_the_same_wells_many_times(folder, words):
    for turn in range(ROUNDS):
        together(folder, words, ((),) * 4, f"same-{turn}")


@pytest.mark.crash
def test_of_two_plans_one_is_refused_whenever_it_comes(folder):
    chance = random.Random(3)
    waits = [None] * 5 + [chance.uniform(0, 0.6) for _ in range(ROUNDS)]
    states = [refused(folder, f"plans-{turn}", wait) for turn, wait in enumerate(waits)]
    told = {state: states.count(state) for state in set(states)}
    print(f"{len(states)} rounds:", told)


@pytest.mark.crash
@pytest.mark.parametrize("words", [CONVERT, (*RUN, "2")], ids=["convert", "run"])
def test_writers_killed_many_times_while_others_write_lose_nothing(folder, words):
    chance = random.Random(5)
    hits = sum(killed_while_others_write(folder, words, f"killed-{turn}", chance) for turn in range(ROUNDS))
    print(f"{ROUNDS} rounds, {hits} processes killed")
    assert hits >= ROUNDS


WRITER = """
import json, sys, time
import numpy as np
from openhcs import FileManager
from openhcs.errors import AlreadyExists

mode, folder, backend, suffix, me, turns, start = sys.argv[1:]
me, turns = int(me), int(turns)
files = FileManager(folder)

def made(number):
    return np.random.default_rng(number).integers(0, 50 + number % 40000, (150, 170), dtype=np.uint16)

def path(name):
    return f"s.zarr/{name}" if backend == "zarr" else f"{name}{suffix}"

time.sleep(max(0, float(start) - time.time()))
said = []
for turn in range(turns):
    number = me * 1000 + turn
    if mode == "different":
        files.save(made(number), path(f"a{number}"), backend)
    elif mode == "overwrite":
        files.save(made(number), path("one"), backend, overwrite=True)
    elif mode == "exclusive":
        try:
            files.save(made(number), path(f"x{turn}"), backend)
            said.append(turn)
        except AlreadyExists:
            pass
    else:
        seen = files.load(path("one"), backend)
        if not any(np.array_equal(seen, made(n)) for n in [1, *(w * 1000 + t for w in range(4) for t in range(turns))]):
            said.append(turn)
print(json.dumps(said))
"""
KINDS = {"zarr": ("zarr", ""), "npy": ("disk", ".npy"), "tif": ("disk", ".tif")}


def pattern(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 50 + number % 40000, (150, 170), dtype=np.uint16)


def read(folder: Path, kind: str, name: str) -> np.ndarray:
    """Return an array as a reader of its format sees it, not ours."""
    if kind == "zarr":
        return np.asarray(zarr.open_array(folder / "s.zarr" / name, mode="r"))
    path = folder / f"{name}.{kind}"
    return np.load(path) if kind == "npy" else tifffile.imread(path)


def writers(folder: Path, kind: str, modes: list[str], turns: int) -> list[list[int]]:
    backend, suffix = KINDS[kind]
    begin = str(time.time() + 0.7)
    argv = [[mode, str(folder), backend, suffix, str(me), str(turns), begin] for me, mode in enumerate(modes)]
    runs = [
        subprocess.Popen([sys.executable, "-c", WRITER, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for words in argv
    ]
    told = [run.communicate(timeout=kills.HANG_S) for run in runs]
    assert all(run.returncode == 0 for run in runs), b"\n".join(err for _, err in told).decode()
    assert not [path for path in folder.rglob("*") if path.name.startswith(".openhcs-tmp-")]
    return [json.loads(out) for out, _ in told]


def save_together(folder: Path, kind: str, turns: int) -> None:
    from openhcs import FileManager

    writers(folder, kind, ["different"] * 4, turns)
    for number in (me * 1000 + turn for me in range(4) for turn in range(turns)):
        assert np.array_equal(read(folder, kind, f"a{number}"), pattern(number))
    won = writers(folder, kind, ["exclusive"] * 4, turns)
    assert sorted(turn for turns_won in won for turn in turns_won) == list(range(turns))
    for me, turns_won in enumerate(won):
        for turn in turns_won:
            assert np.array_equal(read(folder, kind, f"x{turn}"), pattern(me * 1000 + turn))
    backend, suffix = KINDS[kind]
    FileManager(folder).save(pattern(1), "s.zarr/one" if kind == "zarr" else f"one{suffix}", backend)
    mixed = writers(folder, kind, ["overwrite"] * 4 + ["read"] * 2, turns)
    assert mixed[4:] == [[], []]
    assert any(np.array_equal(read(folder, kind, "one"), pattern(me * 1000 + turns - 1)) for me in range(4))


@pytest.mark.parametrize("kind", KINDS)
def test_four_processes_save_into_one_place_and_each_value_is_whole(tmp_path, kind):
    save_together(tmp_path, kind, 12)


@pytest.mark.crash
@pytest.mark.parametrize("kind", KINDS)
def test_four_processes_save_into_one_place_many_times(tmp_path, kind):
    for turn in range(ROUNDS // 5):
        (tmp_path / str(turn)).mkdir()
        save_together(tmp_path / str(turn), kind, 60)
