"""Run tasks: one after the other, in threads, or in worker processes.

Each executor takes the tasks in order, calls ``begun`` as each starts and yields one `Outcome` per
task as it ends. A task starts when a worker is free and its peak fits in ``room``, the bytes that
running tasks share; the next one waits its turn, so a large well is not put off for ever. When
``stop`` is set no further task starts; those that run are waited for.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor
from concurrent.futures import wait as wait_futures
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Protocol

from openhcs.errors import PlanError, TookTooLong, WorkerLost, from_oserror
from openhcs.io import ts_context
from openhcs.io.limits import memory_limit
from openhcs.plan.admit import may_start
from openhcs.run import note, worker
from openhcs.run.attempt import Broken, attempt, lacks_memory, out_of_memory
from openhcs.run.sending import sendable

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext, SpawnContext
    from multiprocessing.process import BaseProcess

    from openhcs.run.attempt import Job, Report, Task

Begun = Callable[["Task"], None]
KILLS_ALLOWED = 1
"""A task whose worker died is tried once more; after a second death it is set aside."""
POLL_S = 0.2
FILES_AT_LEAST = 24
FILES_PER_WORKER = 4
"""Files that are open at once: of the interpreter and its libraries, and of each worker."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one task ended: a report, or what stopped it."""

    task: Task
    ended: Report | Broken


class Executor(Protocol):
    """Runs tasks of one job."""

    def run(self, job: Job[Any], tasks: Sequence[Task], stop: threading.Event, begun: Begun) -> Iterator[Outcome]:
        """Yield each task's outcome as it ends."""


class Serial:
    """One task after the other, in this thread: for debugging."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def run(self, job: Job[Any], tasks: Sequence[Task], stop: threading.Event, begun: Begun) -> Iterator[Outcome]:
        """Yield each task's outcome as it ends."""
        with ts_context.configured(self._threads):
            for task in tasks:
                if stop.is_set():
                    return
                begun(task)
                yield Outcome(task, attempt(job, task))


class Threads:
    """Tasks in threads of this process."""

    def __init__(self, workers: int, threads: int, room: int) -> None:
        self._workers = workers
        self._threads = threads
        self._room = room

    def run(self, job: Job[Any], tasks: Sequence[Task], stop: threading.Event, begun: Begun) -> Iterator[Outcome]:
        """Yield each task's outcome as it ends."""
        waiting = deque(tasks)
        running: dict[Future[Report | Broken], Task] = {}
        with (
            ts_context.configured(self._threads),
            ThreadPoolExecutor(self._workers, thread_name_prefix="openhcs") as pool,
        ):
            while running or (waiting and not stop.is_set()):
                while waiting and len(running) < self._workers and not stop.is_set():
                    if not may_start(_peaks(running.values()), waiting[0].peak_bytes, self._room):
                        break
                    task = waiting.popleft()
                    begun(task)
                    try:
                        running[pool.submit(attempt, job, task)] = task
                    except RuntimeError as error:
                        if not lacks_memory(error):
                            raise
                        yield Outcome(task, out_of_memory(task))
                for future in wait_futures(running, timeout=POLL_S, return_when=FIRST_COMPLETED).done:
                    yield Outcome(running.pop(future), future.result())


class Processes:
    """Tasks in worker processes from a fork server, or spawned where there is none.

    Each worker has one task at a time, so a worker that dies names the task that killed it. With a
    ``timeout``, seconds for a task, one that takes longer is ended with its worker.
    """

    def __init__(self, workers: int, threads: int, room: int, timeout: float | None = None) -> None:
        self._workers = workers
        self._threads = threads
        self._room = room
        self._timeout = timeout

    def run(self, job: Job[Any], tasks: Sequence[Task], stop: threading.Event, begun: Begun) -> Iterator[Outcome]:
        """Yield each task's outcome as it ends."""
        refuse_unguarded_script()
        crew = _Crew(sendable(job), self._threads, self._timeout)
        waiting = deque(tasks)
        deaths: dict[str, int] = {}
        try:
            for _ in range(min(self._workers, len(waiting))):
                crew.hire()
            while crew.busy or (waiting and not stop.is_set()):
                while waiting and not stop.is_set() and (free := crew.free()) is not None:
                    if not may_start(_peaks(crew.tasks), waiting[0].peak_bytes, self._room):
                        break
                    begun(waiting[0])
                    free.give(waiting.popleft())
                for task, ended in crew.listen():
                    if not isinstance(ended, str):
                        yield Outcome(task, ended)
                        continue
                    deaths[task.id] = deaths.get(task.id, 0) + 1
                    if deaths[task.id] > KILLS_ALLOWED:
                        yield Outcome(task, Broken(error=_lost(task, ended), traceback=""))
                    else:
                        waiting.appendleft(task)
        except WorkerLost:
            # What told this run to stop may have ended the process that starts workers too.
            if not stop.wait(POLL_S):
                raise
        finally:
            crew.dismiss()


def _peaks(tasks: Iterable[Task]) -> list[int]:
    return [task.peak_bytes for task in tasks]


def check_open_files(workers: int) -> None:
    """Refuse to start where so few files may be open that the run would end in the middle.

    Raises
    ------
    StorageError
        the system's limit is lower than ``workers`` need.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = FILES_AT_LEAST + FILES_PER_WORKER * workers
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        raise from_oserror(
            OSError(errno.EMFILE, f"{allowed} files may be open, {needed} may be needed"),
            doing=f"start {workers} worker{'s' if workers > 1 else ''}",
            path="open files",
        )


def _lost(task: Task, doing: str) -> WorkerLost:
    at = f" at {doing}" if doing else ""
    return WorkerLost(
        f"well {task.well}: its worker process was killed twice{at}, likely out of memory: planned "
        f"{task.peak_bytes / 1e6:.0f} MB, limit {memory_limit() / 1e6:.0f} MB. Run with fewer workers (--workers 1).",
        well=task.well,
    )


def _too_slow(task: Task, doing: str, timeout: float) -> TookTooLong:
    at = f" at {doing}" if doing else " before it called any function"
    return TookTooLong(
        f"well {task.well} was ended after {timeout:g} s{at}. Raise the limit (timeout, --timeout), or look for a "
        "function that waits for ever.",
        well=task.well,
    )


def refuse_unguarded_script() -> None:
    """Raise `PlanError` when a worker's start runs the user's whole script again."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise PlanError(
            "this script starts its run again in every worker process. Put the lines that run the pipeline under\n"
            '    if __name__ == "__main__":\n        main()'
        )


class _Hand:
    """One worker process, its connection, and what it works on."""

    def __init__(self, process: BaseProcess, connection: Connection[Any, Any], doing: Any) -> None:
        self.process = process
        self.connection = connection
        self.doing = doing
        self.task: Task | None = None
        self.begun = 0.0
        self.started = False

    def give(self, task: Task) -> None:
        self.task = task
        self.begun = time.monotonic()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(task)


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Hold signals back while a process starts: it inherits that until it knows what to do with them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # starting it lets signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, worker.FOR_THE_RUN)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Crew:
    """All worker processes of a run."""

    def __init__(self, job: bytes, threads: int, timeout: float | None) -> None:
        self._context = _context()
        self._job = job
        self._threads = threads
        self._timeout = timeout
        self._hands: list[_Hand] = []

    @property
    def busy(self) -> bool:
        return bool(self.tasks)

    @property
    def tasks(self) -> list[Task]:
        return [hand.task for hand in self._hands if hand.task is not None]

    def hire(self) -> None:
        try:
            ours, theirs = self._context.Pipe()
            doing = note.new(self._context)
            given = (theirs, self._job, self._threads, doing)
            process = self._context.Process(target=worker.main, args=given, daemon=True)
            with _signals_held():
                process.start()
        except (EOFError, ConnectionError) as error:
            raise WorkerLost(
                "the process that starts workers was ended from outside. What is committed stays; run the same command "
                "again to go on."
            ) from error
        except OSError as error:
            raise from_oserror(error, doing="start a worker process") from error
        theirs.close()
        self._hands.append(_Hand(process, ours, doing))

    def free(self) -> _Hand | None:
        return next((hand for hand in self._hands if hand.task is None), None)

    def listen(self) -> list[tuple[Task, Report | Broken | str]]:
        """Return tasks that ended; a text stands for a worker that died, and says what it was doing."""
        ended: list[tuple[Task, Report | Broken | str]] = self._overdue()
        heard = wait([hand.connection for hand in self._hands], timeout=POLL_S)
        for hand in [hand for hand in self._hands if hand.connection in heard]:
            try:
                answer = hand.connection.recv()
            except (EOFError, ConnectionResetError):
                ended += self._replace(hand)
                continue
            if answer == worker.READY:
                hand.started = True
            elif hand.task is not None:
                ended.append((hand.task, answer))
                hand.task = None
        return ended

    def _overdue(self) -> list[tuple[Task, Report | Broken | str]]:
        """End the workers whose task takes too long, and return these tasks as broken."""
        if self._timeout is None:
            return []
        ended: list[tuple[Task, Report | Broken | str]] = []
        late = time.monotonic() - self._timeout
        for hand in [hand for hand in self._hands if hand.task is not None and hand.begun < late]:
            hand.process.kill()
            for task, doing in self._replace(hand):
                error = _too_slow(task, doing, self._timeout)
                ended.append((task, Broken(error=error, traceback="")))
        return ended

    def _replace(self, hand: _Hand) -> list[tuple[Task, str]]:
        hand.process.join()
        self._hands.remove(hand)
        if not hand.started:
            raise WorkerLost(
                "a worker process ended before it could start; what it said stands above. If a script of yours started "
                'this run, put the lines that run it under\n    if __name__ == "__main__":\n        main()'
            )
        self.hire()
        return [] if hand.task is None else [(hand.task, note.read(hand.doing))]

    def dismiss(self) -> None:
        """End all workers: idle ones by word, others at once."""
        for hand in self._hands:
            if hand.task is not None:
                hand.process.kill()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, OSError):
                hand.connection.send(None)
        for hand in self._hands:
            hand.process.join()
            hand.connection.close()
        self._hands.clear()


def _context() -> ForkServerContext | SpawnContext:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(worker.PRELOAD))
    return context
