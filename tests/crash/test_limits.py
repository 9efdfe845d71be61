"""Full and read-only disks, few open files, little memory, signals: one clear error, and it goes on."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

import kills
import outside
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and mounts of Linux")
CONVERT = ("convert", "P1", "OUT", "--workers")
RUN = ("run", "slow.py", "P1", "-o", "OUT", "--workers")
COMMANDS = ((*CONVERT, "1"), (*CONVERT, "4"), (*RUN, "1"), (*RUN, "2"))
MIB = 2**20
BLOCK = 4096


class Bench:
    """A folder with a plate and the finished outputs of each command, to compare with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @functools.cache  # noqa: B019 - one per module
    def undisturbed(self, verb: str) -> Path:
        output = self.folder / f"undisturbed-{verb}"
        code, said = self.run((*(CONVERT if verb == "convert" else RUN), "2"), output)
        assert code == 0, said
        return output

    @functools.cache  # noqa: B019 - one per module
    def pixels(self, verb: str) -> dict[str, dict[str, bytes]]:
        return outside.all_pixels(self.undisturbed(verb))

    def blocks(self, verb: str) -> int:
        """Return how many blocks the files of a finished output take."""
        files = (path for path in self.undisturbed(verb).rglob("*") if path.is_file())
        return sum(-(-path.stat().st_size // BLOCK) for path in files)

    def start(self, words: tuple[str, ...], output: Path, **limits: int) -> subprocess.Popen[bytes]:
        set_limits = [(getattr(resource, f"RLIMIT_{name.upper()}"), value) for name, value in limits.items()]

        def limited() -> None:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, if it runs the tests, is not meant for the run
            for number, value in set_limits:
                resource.setrlimit(number, (value, value))

        return kills.start(words, output, self.folder, self.log(output), preexec_fn=limited)

    def log(self, output: Path) -> Path:
        return self.folder / f"{output.name}.log"

    def run(self, words: tuple[str, ...], output: Path, **limits: int) -> tuple[int, str]:
        """Return the exit code and all that was said."""
        self.log(output).unlink(missing_ok=True)
        code = self.start(words, output, **limits).wait(kills.HANG_S)
        return code, self.log(output).read_text()

    def check(self, output: Path, verb: str) -> int:
        """Check what is committed with other readers, and return how many wells are."""
        assert outside.complaints(output, [self.pixels(verb)]) == []
        return len(outside.records_of(output))

    def goes_on(self, words: tuple[str, ...], output: Path, *, alike: bool = True) -> None:
        """Give the same command without limits: everything is there, as if nothing had been.

        Where it is not ``alike``, pixels are compared and not bytes: a compressor that finds no memory stores
        a block as it is.
        """
        before = set(outside.records_of(output))
        code, said = self.run(words, output)
        assert code == 0, said
        assert before <= set(outside.records_of(output))
        assert outside.left_over(output) == []
        assert outside.all_pixels(output) == self.pixels(words[0])
        whole, found = outside.tree(self.undisturbed(words[0])), outside.tree(output)
        assert found.keys() == whole.keys()
        assert found == whole or not alike


def one_error(said: str) -> str:
    """Return the error that a command told, once and in words."""
    assert "Traceback" not in said, said
    assert "bug in openhcs" not in said, said
    assert "inside openhcs" not in said, said
    errors = [line for line in said.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, said
    return errors[0]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("limits")
    kills.prepare(folder)
    return Bench(folder)


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """Wells of 100 MB once they are float, so that memory ends while a well is filled."""
    folder = tmp_path_factory.mktemp("memory")
    kills.prepare(folder, wells=())
    shutil.rmtree(folder / "P1")
    make_plate(folder / "P1", wells=3, sites=1, size=(2048, 2048))
    return Bench(folder)


@contextlib.contextmanager
def disk(folder: Path, size: int):
    """Mount a file system in memory, or skip where that is not allowed."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    made = subprocess.run(words, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def fill(bench: Bench, folder: Path, words: tuple[str, ...], size: int) -> str:
    """Run on a disk of ``size`` bytes, check, enlarge it, go on; return how far it came."""
    with disk(folder, size):
        output = folder / "OUT"
        code, said = bench.run(words, output)
        if code == 0:
            bench.goes_on(words, output)
            return "it fits"
        assert code == 6, said
        assert "space" in one_error(said), said
        done = bench.check(output, words[0])
        state = f"{done:2d} wells" if output.exists() else "refused before anything"
        remount(folder, f"size={64 * MIB}")
        bench.goes_on(words, output)
        return state


@pytest.mark.parametrize(("words", "part"), list(zip(COMMANDS, (0.05, 0.6, 0.4, 0.8), strict=True)))
def test_a_disk_too_small_ends_in_one_error_and_the_same_command_goes_on_when_it_is_larger(
    bench, tmp_path, words, part
):
    size = int(bench.blocks(words[0]) * part) * BLOCK
    assert fill(bench, tmp_path / "disk", words, size) != "it fits"


@pytest.mark.crash
def test_disks_of_many_sizes_end_in_one_error_and_the_same_command_goes_on(bench, tmp_path):
    states = Counter()
    for number in range(48):
        words = COMMANDS[number % 4]
        size = int(bench.blocks(words[0]) * (number // 4 + 0.5) / 12) * BLOCK
        states[fill(bench, tmp_path / f"disk{number}", words, size)] += 1
    print(f"{sum(states.values())} sizes:", dict(sorted(states.items())))
    assert sum(states.values()) - states["it fits"] >= 40
    assert len(states) >= 8


@pytest.mark.parametrize("begun", [False, True])
def test_a_read_only_disk_is_told_and_the_same_command_goes_on_when_it_is_not(bench, tmp_path, begun):
    words = (*CONVERT, "2")
    with disk(tmp_path / "disk", 64 * MIB) as folder:
        output = folder / "OUT"
        if begun:
            assert bench.run((*words, "--wells", "row:A"), output)[0] == 0
        remount(folder, "ro")
        code, said = bench.run(words, output)
        assert code == 4
        assert "Read-only file system" in one_error(said)
        assert bench.check(output, "convert") == (6 if begun else 0)
        remount(folder, "rw")
        bench.goes_on(words, output)


def few_files(bench: Bench, output: Path, words: tuple[str, ...], files: int) -> str:
    code, said = bench.run(words, output, nofile=files)
    if code == 0:
        assert outside.tree(output) == outside.tree(bench.undisturbed(words[0]))
        return "it works"
    assert "ulimit -n" in one_error(said)
    done = bench.check(output, words[0])
    bench.goes_on(words, output)
    return f"one error after {done} wells"


@pytest.mark.parametrize("words", [(*CONVERT, "4"), (*RUN, "2")], ids=" ".join)
def test_64_open_files_are_enough(bench, tmp_path, words):
    assert few_files(bench, tmp_path / "OUT", words, 64) == "it works"


@pytest.mark.crash
@pytest.mark.parametrize("files", [64, 32, 24, 16, 8])
@pytest.mark.parametrize("words", [*COMMANDS, (*RUN, "4")], ids=" ".join)
def test_few_open_files_are_enough_or_end_in_one_error(bench, tmp_path, words, files):
    told = few_files(bench, tmp_path / "OUT", words, files)
    print(f"{files} files, {' '.join(words)}: {told}")


def little_memory(bench: Bench, output: Path, words: tuple[str, ...], size: int) -> str:
    code, said = bench.run(words, output, **{"as": size})
    done = bench.check(output, words[0])
    if code == 3:
        assert "Traceback" not in said, said
        assert "inside openhcs" not in said, said
        assert "memory" in said, said
    elif code:
        assert code == 6, said
        assert "memory" in one_error(said), said
    bench.goes_on(words, output, alike=False)
    return f"exit {code}, {done} wells"


def test_with_little_memory_a_run_ends_in_one_error_and_goes_on_with_more(big, tmp_path):
    little_memory(big, tmp_path / "OUT", (*CONVERT, "1"), 380 * MIB)


@pytest.mark.crash
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_memory_limits_of_many_sizes_end_in_one_error_and_go_on_with_more(big, tmp_path, words):
    states = Counter()
    for size in range(300, 580, 20):
        states[little_memory(big, tmp_path / f"OUT{size}", words, size * MIB)] += 1
    print(f"{sum(states.values())} limits, {' '.join(words)}:", dict(states))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_step_that_runs_out_of_memory_fails_its_well_alone_in_words(bench, tmp_path, workers):
    greedy = tmp_path / "greedy.py"
    take = "def take(stack):\n    return np.zeros((2**20, 2**30)) if {} else stack\nsteps = [FunctionStep(take)]\n"
    head = "import numpy as np\nfrom openhcs import FunctionStep\n"
    greedy.write_text(head + take.format("(tmp / 'greedy').exists() and (stack.sum() % 2)").replace("tmp", "HERE"))
    greedy.write_text(f"from pathlib import Path\nHERE = Path({str(tmp_path)!r})\n" + greedy.read_text())
    words = ("run", str(greedy), "P1", "-o", "OUT", "--workers", workers)
    assert bench.run(words, tmp_path / "WHOLE")[0] == 0
    (tmp_path / "greedy").touch()
    code, said = bench.run(words, tmp_path / "OUT")
    assert code in (3, 6), said
    assert "emory" in said, said
    assert "Traceback" not in said, said
    assert outside.complaints(tmp_path / "OUT", [outside.all_pixels(tmp_path / "WHOLE")]) == []
    (tmp_path / "greedy").unlink()
    assert bench.run(words, tmp_path / "OUT")[0] == 0
    assert outside.tree(tmp_path / "OUT") == outside.tree(tmp_path / "WHOLE")


def signalled(bench: Bench, output: Path, words: tuple[str, ...], number: int, delay: float, *, group: bool) -> str:
    run = bench.start(words, output)
    time.sleep(delay)
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(run.pid, number)
    assert kills.wait_until_gone(run)
    said = bench.log(output).read_text()
    assert run.returncode in (0, 130, -number), said
    assert "Traceback" not in said, said
    done = bench.check(output, words[0])
    if run.returncode == 130:
        assert "To go on with the rest:" in said or "interrupted" in said, said
    bench.goes_on(words, output)
    return f"exit {run.returncode}, {'all' if done == len(kills.WELLS) else 'some' if done else 'no'} wells"


@pytest.mark.parametrize(("number", "delay"), [(signal.SIGTERM, 0.8), (signal.SIGHUP, 0.7)])
def test_a_signal_ends_a_run_with_nothing_lost(bench, tmp_path, number, delay):
    signalled(bench, tmp_path / "OUT", (*RUN, "2"), number, delay, group=False)


@pytest.mark.crash
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("group", [False, True])
def test_signals_at_random_moments_end_runs_with_nothing_lost(bench, tmp_path, number, group):
    chance = random.Random(number)
    states = Counter()
    for turn in range(16):
        words = COMMANDS[turn % 4]
        delay = chance.uniform(0, 1.0 if words[0] == "convert" else 1.6)
        states[signalled(bench, tmp_path / f"OUT{turn}", words, number, delay, group=group)] += 1
    print(f"{signal.Signals(number).name} {'to the group' if group else 'to the run'}:", dict(states))
