"""Runs hostile cases in children that may hang, crash, take memory or reach outside, and tells which did.

As a program it reads requests from its standard input, one JSON object a line, and answers in the
same way. It loads the libraries once and forks a child for each request, so it is a process of its
own. A child is ended by the system when one case works for over two seconds, or waits for six, since a
busy machine lets everybody wait a little; what it opens is watched.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import sysconfig
import tempfile
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 2.0
WAITING = 6.0
CLOCKS = {signal.SIGPROF: (signal.ITIMER_PROF, SECONDS), signal.SIGALRM: (signal.ITIMER_REAL, WAITING)}
"""Signal that ends a child → its clock, of work or of the wall, and how far it runs."""
MEGABYTES = 300
SECRET = b"the outside was read"
SECRET_PIXEL = 54321
READABLE = ("/proc/", "/sys/", "/dev/null", "/dev/urandom", "/usr/share/zoneinfo", "/usr/lib", "/etc/localtime")
RUNS_CODE = frozenset(
    {"os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class", "socket.connect"}
)
TOUCHES = {
    "open": (0,),
    "os.scandir": (0,),
    "os.listdir": (0,),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rmdir": (0,),
} | dict.fromkeys(("os.rename", "os.link", "os.symlink"), (0, 1))


class Watch:
    """Notes what a child opens outside the folders it may use, and code that it runs."""

    def __init__(self) -> None:
        self.allowed: tuple[str, ...] = ()
        self.found: list[str] = []

    def start(self, folder: str) -> None:
        homes = {folder, *sys.path, sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()}
        self.allowed = (*(os.path.realpath(one) for one in homes if one), *READABLE)
        sys.addaudithook(self)

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if event in RUNS_CODE:
            self.found.append(f"{event} {args!r:.100}")
        for place in TOUCHES.get(event, ()):
            path = args[place]
            if isinstance(path, (str, bytes, os.PathLike)):
                real = os.path.realpath(os.fsdecode(path))
                if not real.startswith(self.allowed):
                    self.found.append(f"{event} {real}")


def leaks(value: Any) -> bool:
    """Return whether a result holds what lies outside."""
    import numpy as np

    rest = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, dict):
            rest += [*one.keys(), *one.values()]
        elif isinstance(one, (list, tuple)):
            rest += one
        elif isinstance(one, np.ndarray):
            if one.dtype.kind in "iuf" and bool((one == SECRET_PIXEL).any()):
                return True
        elif SECRET.decode() in one if isinstance(one, str) else isinstance(one, bytes) and SECRET in one:
            return True
    return False


class Board:
    """Memory that parent and child share: number of the case at work, refused so far."""

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, 64)

    def put(self, number: int, refused: int) -> None:
        self._map[:16] = struct.pack("qq", number, refused)

    def get(self) -> tuple[int, int]:
        number, refused = struct.unpack("qq", self._map[:16])
        return number, refused


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Batch:
    """Cases by number, done one after the other in a child; another child goes on after one that ended."""

    def __init__(self, name: str, make: Callable[[], Callable[[int], Any]], folder: str) -> None:
        self._name = name
        self._make = make
        self._folder = folder
        self._board = Board()

    def run(self, first: int, count: int) -> dict[str, Any]:
        told: dict[str, Any] = {"name": self._name, "cases": count, "refused": 0, "failures": []}
        at, again = first, -1
        while at < first + count and len(told["failures"]) < 5:
            status, found = self._child(at, first + count)
            number, refused = self._board.get()
            told["refused"] += refused
            told["failures"] += found
            if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
                break
            slow = os.WIFSIGNALED(status) and os.WTERMSIG(status) in CLOCKS
            if slow and again != number and os.WTERMSIG(status) == signal.SIGPROF:
                # Only work that is slow twice is slow: the first time may have loaded libraries.
                at = again = number
                continue
            if not found:
                what = f"takes over {SECONDS:.0f} s" if slow else f"ended the process (status {status})"
                told["failures"].append(f"{self._name} {number}: {what}")
            at = number + 1
        return told

    def _child(self, at: int, end: int) -> tuple[int, list[str]]:
        self._board.put(at, 0)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            status = 1
            try:
                status = self._work(at, end, writer)
            except BaseException:
                os.write(writer, json.dumps([f"{self._name} {at}: {traceback.format_exc()[-1500:]}"]).encode())
            finally:
                os._exit(status)
        os.close(writer)
        with os.fdopen(reader, "rb") as file:
            data = file.read()
        return os.waitpid(child, 0)[1], json.loads(data) if data else []

    def _work(self, at: int, end: int, writer: int) -> int:
        base = memory_mb()
        space = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
        resource.setrlimit(resource.RLIMIT_AS, (space + 2**33, space + 2**33))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for number in CLOCKS:
            signal.signal(number, signal.SIG_DFL)
        call = self._make()
        # Names that are relative to an open folder are seen without it, so the whole child stays inside.
        os.chdir(self._folder)
        watch = Watch()
        watch.start(self._folder)
        refused = 0
        for number in range(at, end):
            self._board.put(number, refused)
            for clock, seconds in CLOCKS.values():
                signal.setitimer(clock, seconds)
            said, wrong = judged(call, number)
            for clock, _ in CLOCKS.values():
                signal.setitimer(clock, 0)
            refused += said
            wrong = [*wrong, *watch.found]
            if (grown := memory_mb() - base) > MEGABYTES:
                wrong.append(f"{grown:.0f} MB taken")
            if wrong:
                os.write(writer, json.dumps([f"{self._name} {number}: {one}" for one in wrong[:3]])[:60_000].encode())
                self._board.put(number, refused)
                return 1
        self._board.put(end, refused)
        return 0


def judged(call: Callable[[int], Any], number: int) -> tuple[bool, list[str]]:
    """Return whether a case was refused in our words, and what is wrong about how it ended."""
    from openhcs.errors import OpenHCSError

    try:
        value = call(number)
    except OpenHCSError as error:
        return True, [] if str(error).strip() else ["an error without words"]
    except BaseException as error:
        if isinstance(error, AssertionError) and str(error):
            return False, [str(error)]
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = [one for one in traceback.extract_tb(error.__traceback__) if "/openhcs/" in one.filename][-1:]
        ours = "".join(f" through {Path(one.filename).name}:{one.lineno}" for one in place)
        return False, [
            f"{type(error).__name__}: {str(error)[:200]} at {Path(where.filename).name}:{where.lineno}{ours}"
        ]
    return False, ["what lies outside was read"] if leaks(value) else []


def serve() -> None:
    """Answer requests until the input ends."""
    logging.disable()
    warnings.simplefilter("ignore")
    import imagecodecs  # noqa: F401
    import numcodecs  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import tensorstore  # noqa: F401

    import hostile_corpus
    import hostile_faults
    import hostile_seeds
    import hostile_targets

    home = Path(tempfile.mkdtemp(prefix="openhcs-hostile-"))
    os.environ["OPENHCS_HOSTILE_SEEDS"] = str(home)
    _in_child(lambda: hostile_seeds.build(home))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        kinds = {"fuzz": hostile_targets, "corpus": hostile_corpus, "fault": hostile_faults}
        make = kinds[asked["kind"]].prepare
        folder = asked["folder"]
        shutil.copytree(home / "outside", Path(folder) / "outside")
        (Path(folder) / "in").mkdir()
        before = _marks(Path(folder) / "outside")
        batch = Batch(asked["name"], lambda: make(asked["name"], Path(folder)), f"{folder}/in")  # noqa: B023
        told = batch.run(asked["first"], asked["count"])
        if _marks(Path(folder) / "outside") != before:
            told["failures"].append(f"{asked['name']}: what lies outside was changed")
        answers.write(json.dumps(told) + "\n")
        answers.flush()
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(home)


def _marks(folder: Path) -> dict[str, tuple[int, int]]:
    found = {str(path): path.lstat() for path in folder.rglob("*")}
    return {path: (told.st_size, told.st_mtime_ns) for path, told in found.items()}


def _in_child(work: Callable[[], None]) -> None:
    """Do work that a process which forks later must not do itself."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, "the samples could not be made"


class Guard:
    """The program at work, asked from a test."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, kind: str, name: str, folder: Path, *, first: int = 0, count: int = 1) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        asked = {"kind": kind, "name": name, "folder": str(folder), "first": first, "count": count}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def guard() -> Iterator[Guard]:
    # A checkout that is tested by way of PYTHONPATH is the one that is watched.
    sources = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sources)}
    process = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | one_thread,
    )
    try:
        yield Guard(process)
    finally:
        assert process.stdin
        assert process.stdout
        process.stdin.close()
        process.stdout.close()
        process.wait()


if __name__ == "__main__":
    serve()
