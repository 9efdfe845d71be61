"""Kill real runs of the command at random moments; check every output with readers of our own.

As a program, ``python kills.py FOLDER POINTS [SEED]`` prints how many kills hit which state.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from openhcs import cli
from openhcs.testing.synthetic import make_plate
from outside import all_pixels, complaints, entries, ledger_of, left_over, records_of, tree

WELLS = tuple(f"{row}{column:02d}" for row in "ABC" for column in range(1, 7))
SHARDS = tuple(",".join(WELLS[number::3]) for number in range(3))
HANG_S = 120
CHAIN = 6
DONE_BEFORE = "everything done before"
PIPELINE = """
import time
from openhcs import FunctionStep

def shift(stack):
    time.sleep({sleep})
    return stack + {shift}

def keep(stack):
    return stack

steps = [FunctionStep(shift, force_disk_output=True), FunctionStep(keep)]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A way to write an output: the words of its commands, one process each.

    ``over`` names the case whose finished output each chain begins with.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    over: str = ""
    workers: bool = False


CASES = {
    case.name: case
    for case in (
        Case(name="run-1", commands=(("run", "slow.py", "P1", "-o", "OUT", "--workers", "1"),)),
        Case(name="run-2", commands=(("run", "slow.py", "P1", "-o", "OUT", "--workers", "2"),), workers=True),
        Case(name="run-4", commands=(("run", "slow.py", "P1", "-o", "OUT", "--workers", "4"),), workers=True),
        Case(name="convert-1", commands=(("convert", "P1", "OUT", "--workers", "1"),)),
        Case(name="convert-2", commands=(("convert", "P1", "OUT", "--workers", "2"),)),
        Case(name="convert-4", commands=(("convert", "P1", "OUT", "--workers", "4"),)),
        Case(
            name="convert-3-shards",
            commands=tuple(("convert", "P1", "OUT", "--workers", "1", "--wells", wells) for wells in SHARDS),
        ),
        Case(
            name="run-3-shards",
            commands=tuple(
                ("run", "slow.py", "P1", "-o", "OUT", "--workers", "1", "--wells", wells) for wells in SHARDS
            ),
        ),
        Case(
            name="replace",
            commands=(("convert", "P1", "OUT", "--workers", "2", "--exist", "replace"),),
            over="convert-2",
        ),
        Case(
            name="replace-run",
            commands=(("run", "slow.py", "P1", "-o", "OUT", "--workers", "2", "--exist", "replace"),),
            over="run-2",
            workers=True,
        ),
        Case(
            name="replace-other",
            commands=(("run", "other.py", "P1", "-o", "OUT", "--workers", "2", "--exist", "replace"),),
            over="run-2",
            workers=True,
        ),
    )
}


@dataclass(slots=True)
class Tally:
    """What a series of kills came to."""

    states: Counter[str] = field(default_factory=Counter)
    victims: Counter[str] = field(default_factory=Counter)
    chains: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def points(self) -> int:
        """How many kills hit a process that was alive."""
        return self.states.total()

    def add(self, other: Tally) -> None:
        """Count another series as well."""
        self.states += other.states
        self.victims += other.victims
        self.chains += other.chains
        self.complaints += other.complaints

    def __str__(self) -> str:
        hit = ", ".join(f"{count} {state}" for state, count in sorted(self.states.items()))
        whom = ", ".join(f"{count} {victim}" for victim, count in sorted(self.victims.items()))
        return (
            f"{self.points} kill points in {self.chains} chains, {len(self.complaints)} complaints; "
            f"what they hit: {hit}; whom: {whom}"
        )


def prepare(folder: Path, wells: tuple[str, ...] = WELLS) -> None:
    """Make the plate and the pipelines of all cases."""
    make_plate(folder / "P1", wells=wells, sites=1, size=(64, 64))
    (folder / "slow.py").write_text(PIPELINE.format(sleep=0.015, shift=1))
    (folder / "other.py").write_text(PIPELINE.format(sleep=0.015, shift=9))


def start(words: tuple[str, ...], output: Path, folder: Path, log: Path, **more: object) -> subprocess.Popen[bytes]:
    """Start a command in a group of its own; what it says is appended to ``log``."""
    argv = [sys.executable, "-m", "openhcs", *(str(output) if word == "OUT" else word for word in words)]
    with log.open("ab") as told:
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            argv, cwd=folder, stdout=told, stderr=told, start_new_session=True, **more
        )


def without_orphans(said: str) -> str:
    """Leave out what Python's fork server says when its parent is killed while it starts a worker."""
    start = r"Traceback \(most recent call last\):\n(?:  .*\n)*?  File .*forkserver\.py.* in main\n"
    return re.sub(start + r"(?:  .*\n)*EOFError.*\n", "", said)


def processes(group: int) -> dict[int, int]:
    """Return the living processes of a group with their parents."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                told = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                if int(told[2]) == group and told[0] not in "ZX":
                    found[int(entry)] = int(told[1])
    return found


def workers_of(run: subprocess.Popen[bytes]) -> list[int]:
    """Return the worker processes of a run: the children of the process that forks them."""
    alive = processes(run.pid)
    return [pid for pid, parent in alive.items() if alive.get(parent) == run.pid]


def wait_until_gone(run: subprocess.Popen[bytes]) -> bool:
    """Wait until no process of a run is left; False if some outlive it."""
    run.wait(HANG_S)
    until = time.monotonic() + HANG_S
    while processes(run.pid):
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What lies in a ledger: names with their inodes, since a new run may use an old name again."""

    prepared: bool
    intents: frozenset[tuple[str, int]]
    staged: frozenset[tuple[str, int]]
    records: frozenset[tuple[str, int]]

    @classmethod
    def of(cls, output: Path) -> Seen:
        ledger = ledger_of(output)
        commits = entries(ledger / "commits")
        return cls(
            prepared=(ledger / "ledger.json").exists(),
            intents=frozenset(one for one in commits if one[0].endswith(".intent")),
            staged=entries(ledger / "staging"),
            records=frozenset(one for one in commits if one[0].endswith(".json")),
        )


def state_between(before: Seen, now: Seen) -> str:
    """Name what a run was at, from what it changed since it began."""
    if now.intents - before.intents:
        return "commit"
    if now.staged - before.staged:
        return "fill"
    if now.records != before.records:
        return "close" if len(now.records) >= len(WELLS) else "between wells"
    if len(now.records) >= len(WELLS):
        return DONE_BEFORE
    return "start-up" if before.prepared or not now.prepared else "prepared"


def copied(source: Path, target: Path) -> None:
    if source.exists():
        shutil.copytree(source, target)
        if source.suffix == ".zarr":
            shutil.copytree(ledger_of(source), ledger_of(target))


def status_of(output: Path) -> dict[str, str]:
    """Return what ``openhcs status --json`` says about each well."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert cli.main(["status", "--json", str(output)]) == 0
    return dict(json.loads(said.getvalue())["wells"])


class Kills:
    """Chains of killed runs of one case in ``folder``, which holds what `prepare` made."""

    def __init__(self, folder: Path, case: Case, seed: int) -> None:
        self.folder = folder
        self.case = case
        self.chance = random.Random(f"{case.name} {seed}")
        self.tally = Tally()
        self.ended = False
        self.pace = 1.0
        self.reference = self._reference(case)
        self.allowed = [all_pixels(self.reference)]
        self.seed = None
        if case.over:
            self.seed = self._reference(CASES[case.over])
            self.allowed.append(all_pixels(self.seed))
        self.plan = next(iter(records_of(self.reference).values()))["plan"]
        self.tree = tree(self.reference)
        self.full, self.idle = self._measured()

    def _reference(self, case: Case) -> Path:
        """Return the output of an undisturbed run; all cases that should write the same bytes share it."""
        words = case.commands[0][: case.commands[0].index("--workers")]
        output = self.folder / f"undisturbed-{words[0]}-{Path(words[1]).stem}"
        if not output.exists():
            run = start((*words, "--workers", "2"), output, self.folder, self.folder / "reference.log")
            assert run.wait(HANG_S) == 0, (self.folder / "reference.log").read_text()
        return output

    def _measured(self) -> tuple[float, float]:
        """Return about the seconds of an undisturbed run, and of one that finds everything done."""
        output = self.folder / "measured"
        seconds = []
        for _ in range(2):
            begun = time.perf_counter()
            for run in [self._start(self._anew(words), output) for words in self.case.commands]:
                run.wait(HANG_S)
            seconds.append(time.perf_counter() - begun)
        shutil.rmtree(output)
        return seconds[0], min(seconds)

    @staticmethod
    def _anew(words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(word for word in words if word not in {"--exist", "replace"})

    def _start(self, words: tuple[str, ...], output: Path) -> subprocess.Popen[bytes]:
        return start(words, output, self.folder, self.log)

    @property
    def log(self) -> Path:
        return self.folder / f"{self.case.name}.log"

    def until(self, points: int) -> Tally:
        """Do chains until so many processes were killed, and return what came of it."""
        while self.tally.points < points and not self.tally.complaints:
            self.chain()
        return self.tally

    def chain(self) -> None:
        """Kill a run, go on, kill that as well, … then let one finish, and compare."""
        output = self.folder / f"{self.case.name}-{self.tally.chains}"
        if self.seed:
            copied(self.seed, output)
        self.tally.chains += 1
        committed: set[str] = set()
        for _ in range(self.chance.randint(3, CHAIN)):
            if self._killed_once(output):
                self._complain(complaints(output, self.allowed))
                now = self._committed(output)
                self._complain([f"lost: {well} had a record before" for well in committed - now])
                committed = now
            if self.tally.complaints:
                return
            if self.ended or (len(committed) == len(WELLS) and not self.seed and self.chance.random() < 0.8):
                break
        self._finished(output)
        if not self.tally.complaints:
            shutil.rmtree(output)
            self.log.unlink()

    def _committed(self, output: Path) -> set[str]:
        """Return the wells with a record of this case's plan."""
        return {well for well, record in records_of(output).items() if record["plan"] == self.plan}

    def _killed_once(self, output: Path) -> bool:
        """Start all commands, kill some of them at a random moment; whether all their processes were waited for."""
        done = len(self._committed(output)) / len(WELLS) if self.case.name != "replace" else 0
        span = self.idle + (self.full - self.idle) * (1 - done)
        before = Seen.of(output)
        self.ended = False
        runs = [self._start(words, output) for words in self.case.commands]
        victim = self.chance.choice(("group", "group", "parent", "worker")) if self.case.workers else "group"
        time.sleep(self.chance.uniform(0, 1.1 * span * self.pace) if victim != "worker" else 0)
        spared = self.chance.sample(runs, self.chance.randrange(len(runs)))
        hit = [run for run in runs if run not in spared and self._kill(run, victim, output, before)]
        # A busy machine is slower than it was when it was measured, or faster: a fifth of all moments is too late.
        if victim != "worker":
            self.pace = max(0.2, min(4.0, self.pace * (1.03 if hit else 0.88)))
        if victim == "parent" and hit and self.chance.random() < 0.5:
            runs[0].wait(HANG_S)
            return False
        for run in runs:
            if not wait_until_gone(run):
                self._complain([f"processes of a run outlive it: {processes(run.pid)}"])
            lawful = {0, 3} if run in hit and victim == "worker" else {0}
            if self.case.name == "replace-other":
                lawful.add(5)  # workers of the run killed before may have been alive for an instant
            if run.returncode != -signal.SIGKILL and run.returncode not in lawful:
                self._complain([f"a run that was not killed ended with {run.returncode}: {self.log.read_text()}"])
        self.ended = all(run.returncode == 0 for run in runs)
        said = self.log.read_text()
        self._complain([f"a traceback: {said}"] if "Traceback" in without_orphans(said) else [])
        return True

    def _kill(self, run: subprocess.Popen[bytes], victim: str, output: Path, before: Seen) -> bool:
        """Kill a run's processes; False if it had ended before."""
        if victim == "worker":
            return self._kill_workers(run, output, before)
        if run.poll() is not None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(run.pid, signal.SIGKILL) if victim == "parent" else os.killpg(run.pid, signal.SIGKILL)
        self._count(victim, output, before)
        return True

    def _kill_workers(self, run: subprocess.Popen[bytes], output: Path, before: Seen) -> bool:
        """Kill one worker or more, at times the run after them; False if there was none."""
        killed = False
        for _ in range(self.chance.randint(1, 4)):
            while run.poll() is None and not workers_of(run):
                time.sleep(0.01)
            time.sleep(self.chance.uniform(0, 0.3 * (self.full - self.idle)))
            if run.poll() is None and (workers := workers_of(run)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.chance.choice(workers), signal.SIGKILL)
                self._count("worker", output, before)
                killed = True
        if killed and self.chance.random() < 0.6:
            time.sleep(self.chance.uniform(0, 0.3 * (self.full - self.idle)))
            self._kill(run, "group", output, before)
        return killed

    def _count(self, victim: str, output: Path, before: Seen) -> None:
        state = state_between(before, Seen.of(output))
        self.tally.states["start-up" if self.seed and state == DONE_BEFORE else state] += 1
        self.tally.victims[victim] += 1

    def _finished(self, output: Path) -> None:
        """Go on until all is done, unless the last runs said it is; then nothing tells the output from another."""
        runs = [] if self.ended else [self._start(words, output) for words in self.case.commands]
        codes = [run.wait(HANG_S) for run in runs]
        if any(codes):
            self._complain([f"the last run of a chain ended with {codes}: {self.log.read_text()}"])
            return
        self._complain(complaints(output, self.allowed[:1]))
        now = tree(output)
        self._complain([f"{path} differs" for path in now.keys() | self.tree if now.get(path) != self.tree.get(path)])
        self._complain(left_over(output))
        waiting = {well: state for well, state in status_of(output).items() if state != "done"}
        self._complain([f"status says {waiting}"] if waiting or len(records_of(output)) != len(WELLS) else [])

    def _complain(self, found: list[str]) -> None:
        self.tally.complaints += [f"{self.case.name} chain {self.tally.chains}: {one}" for one in found]


def main() -> None:
    """Kill runs of all cases and print what was hit."""
    folder, points = Path(sys.argv[1]), int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    only = sys.argv[4].split(",") if len(sys.argv) > 4 else list(CASES)
    prepare(folder)
    total = Tally()
    for number, name in enumerate(only):
        kills = Kills(folder, CASES[name], seed)
        total.add(kills.until(points * (number + 1) // len(only) - points * number // len(only)))
        print(f"{name} ({kills.full:.2f} s, {kills.idle:.2f} s with nothing to do): {kills.tally}", flush=True)
        for one in kills.tally.complaints:
            print("  ", one)
    print("all:", total)
    sys.exit(bool(total.complaints))


if __name__ == "__main__":
    main()
