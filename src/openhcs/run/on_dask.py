"""Run tasks on a Dask cluster: one call on the cluster for each task, small records as answers.

No array travels: a task reads its input and writes its output where it runs, so the plate and the output
must have the same paths on every machine. As many run at once as the workers have threads and memory.
"""

from __future__ import annotations

import contextlib
import os
import queue
import secrets
import sys
import time
from collections import deque
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

from openhcs.errors import FormatError, InvalidType, NotFound, OpenHCSError, PlanError, UsageError, WorkerLost
from openhcs.ledger.ledger import Ledger
from openhcs.run.attempt import Broken, Report, attempt, configure
from openhcs.run.pool import Outcome
from openhcs.run.sending import sendable

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping, Sequence

    from openhcs.run.attempt import Job, Task
    from openhcs.run.pool import Begun

WAIT_S = 30.0
"""Seconds in which a first worker must be there."""
PATIENCE_S = 300.0
"""Seconds that a run goes on without any worker: time for a cluster to start others."""
UNKNOWN = ("cancelled", "lost")
"""States of a call that nobody knows any more, because its scheduler is gone."""
POLL_S = 0.5
SHARE = 0.8
"""Part of a worker's memory limit that tasks may plan with: Dask pauses a worker at this part of it."""


class OnDask:
    """Tasks on a cluster.

    Parameters
    ----------
    client
        a `distributed.Client`, or the address of a scheduler, such as ``tcp://127.0.0.1:8786``.
    """

    def __init__(self, client: Any) -> None:
        self._given = client

    def run(self, job: Job[Any], tasks: Sequence[Task], stop: threading.Event, begun: Begun) -> Iterator[Outcome]:
        """Yield each task's outcome as it ends."""
        client, ours = _client(self._given)
        try:
            _check(client, job.output)
            with _left_in_output(job) as sent:
                yield from _Cluster(client, sent, Ledger(job.output, job.ops)).run(tasks, stop, begun)
        finally:
            if ours:
                client.close()


@dataclass(frozen=True, slots=True)
class Sent:
    """A job for workers to fetch: the file it is in, and the digest that its bytes must have."""

    path: str
    digest: str


@contextlib.contextmanager
def _left_in_output(job: Job[Any]) -> Iterator[Sent]:
    """Leave a job in the output's ledger while tasks run: every worker sees it there, and none can take it along."""
    data = sendable(job)
    path = Ledger(job.output, job.ops).places.tmp / f"job-{secrets.token_hex(8)}"
    job.ops.write_new(path, data)
    try:
        yield Sent(str(path), xxhash.xxh3_128_hexdigest(data))
    finally:
        with contextlib.suppress(OpenHCSError):
            job.ops.unlink(path)


class _Cluster:
    """The workers of a cluster, and what each has to do."""

    def __init__(self, client: Any, job: Sent, ledger: Ledger) -> None:
        self._client = client
        self._job = job
        self._ledger = ledger
        self._running: dict[Any, Task] = {}
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._seen = time.monotonic()

    def run(self, tasks: Sequence[Task], stop: threading.Event, begun: Begun) -> Iterator[Outcome]:
        waiting = deque(tasks)
        try:
            while self._running or (waiting and not stop.is_set()):
                while waiting and not stop.is_set() and self._has_room(waiting[0]):
                    begun(waiting[0])
                    self._give(waiting.popleft())
                yield from self._ended()
        finally:
            if self._client.status == "running":
                self._client.cancel(list(self._running), force=True)

    def _give(self, task: Task) -> None:
        # Dask chooses the worker: a task that names one waits for ever if that one dies before it starts.
        future = self._client.submit(do_there, self._job, task, pure=False, retries=0)
        self._running[future] = task
        future.add_done_callback(self._done.put)

    def _has_room(self, task: Task) -> bool:
        """Return whether the workers have room for one more task beside those that run."""
        told = _workers(self._client).values()
        room = sum(slots(one["nthreads"], one["memory_limit"], task.peak_bytes) for one in told)
        return len(self._running) < room

    def _ended(self) -> list[Outcome]:
        """Return the tasks that ended since the last look, after a short wait for one."""
        outcomes = []
        try:
            future = self._done.get(timeout=POLL_S)
        except queue.Empty:
            self._look_for_workers()
            return []
        with contextlib.suppress(queue.Empty):
            while True:
                if future.status in UNKNOWN:
                    raise _gone(self._client)
                task = self._running.pop(future)
                outcomes.append(Outcome(task, _answer(future, task, self._ledger)))
                future = self._done.get_nowait()
        return outcomes

    def _look_for_workers(self) -> None:
        """Raise `WorkerLost` when there has been no worker for a long time."""
        if _workers(self._client):
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > PATIENCE_S:
            raise WorkerLost(
                f"the Dask cluster has had no worker for {PATIENCE_S:.0f} s. What is committed stays; start workers, "
                "then run the same command again to go on."
            )


def slots(threads: int, memory: int, peak: int) -> int:
    """Return how many tasks a worker runs at once: one for each thread, as far as memory goes, and at least one.

    >>> slots(4, 8 * 10**9, 3 * 10**9), slots(4, 0, 3 * 10**9), slots(2, 10**9, 3 * 10**9)
    (2, 4, 1)
    """
    fitting = int(memory * SHARE) // max(1, peak) if memory else threads
    return max(1, min(threads, fitting))


class BrokenThereError(Exception):
    """Carries how a task broke from a worker; what raises is kept by the scheduler, a result dies with its worker."""

    def __init__(self, broken: Broken) -> None:
        super().__init__(broken)
        self.broken = broken


def _answer(future: Any, task: Task, ledger: Ledger) -> Report | Broken:
    """Return what a call on the cluster came to: done is what the ledger says is done."""
    error = future.exception() if future.status == "error" else None
    if isinstance(error, BrokenThereError):
        return error.broken
    record = next(iter(ledger.places.newest(task.id).values()), None)
    if future.status == "finished" and record is not None:
        stored = sum(one["bytes"] for one in record["objects"])
        told = record.get("timings", {})
        seconds, parts = float(told.get("seconds", 0.0)), told.get("parts", {})
        return Report(bytes_in=task.bytes_in, bytes_out=stored, seconds=seconds, timings=parts)
    said = f"{type(error).__name__}: {error}" if error is not None else "it has no commit record"
    lost = WorkerLost(
        f"well {task.well}: its worker on the cluster was lost again and again, likely out of memory: planned "
        f"{task.peak_bytes / 1e6:.0f} MB. Give workers more memory or fewer threads ({said})",
        well=task.well,
    )
    return Broken(error=lost, traceback="")


_jobs: dict[str, Any] = {}
"""The job that this worker has, by its digest: unpacking it for every task would import the user's code anew."""


def do_there(sent: Sent, task: Task) -> None:
    """Do a task in a worker of the cluster; what it came to stands in the ledger.

    Raises
    ------
    BrokenThereError
        it did not commit.
    """
    job = _jobs.get(sent.digest)
    if job is None:
        from distributed import get_worker

        from openhcs.run.cores import share
        from openhcs.run.worker import keep_freed_memory

        share(1)
        keep_freed_memory()
        configure(get_worker().state.nthreads)
        _jobs.clear()
        job = _jobs[sent.digest] = _fetched(sent)
    ended = attempt(job, task)
    if isinstance(ended, Broken):
        raise BrokenThereError(ended)


def _fetched(sent: Sent) -> Any:
    import cloudpickle

    data = Path(sent.path).read_bytes()
    if xxhash.xxh3_128_hexdigest(data) != sent.digest:
        raise FormatError(f"{sent.path} is not what this run left there", path=sent.path)
    return cloudpickle.loads(data)


def _client(given: Any) -> tuple[Any, bool]:
    """Return a client, and whether it is ours to close.

    Raises
    ------
    UsageError
        `distributed` is not installed, the address is none, or the client is of another kind.
    NotFound
        nobody answers there.
    """
    try:
        import distributed
    except ImportError as error:
        raise UsageError("a Dask cluster needs dask.distributed: pip install 'openhcs[dask]'") from error
    if not isinstance(given, str):
        if not isinstance(given, distributed.Client) or given.asynchronous:
            raise InvalidType(f"client takes a distributed.Client that is not asynchronous, not {given!r}")
        return given, False
    try:
        return distributed.Client(given, timeout=WAIT_S, set_as_default=False), True
    except ValueError as error:
        raise UsageError(
            f"{given!r} is no address of a Dask scheduler, such as tcp://127.0.0.1:8786: {error}"
        ) from None
    except OSError as error:
        raise NotFound(f"no Dask scheduler answers at {given}: {error}. Start one, or check the address.") from error


def _workers(client: Any) -> Mapping[str, Mapping[str, Any]]:
    try:
        found: Mapping[str, Mapping[str, Any]] = client.scheduler_info(n_workers=-1)["workers"]
    except (KeyError, OSError) as error:
        raise _gone(client) from error
    return found


def _gone(client: Any) -> WorkerLost:
    return WorkerLost(
        f"the Dask scheduler at {client.scheduler.address} no longer answers. What is committed stays; start the "
        "cluster anew, then run the same command again to go on."
    )


def _check(client: Any, output: str) -> None:
    """Refuse a cluster without workers, with another openhcs, or that does not see the output.

    Raises
    ------
    WorkerLost, PlanError, NotFound
        which of these, and what to do.
    """
    from distributed import TimeoutError as TooLate

    try:
        client.wait_for_workers(1, timeout=WAIT_S)
    except (TooLate, TimeoutError):
        raise WorkerLost(
            f"the Dask cluster at {client.scheduler.address} has no worker after {WAIT_S:.0f} s. Start workers, then "
            "run the same command again."
        ) from None
    told = client.run(_look, output, on_error="return")
    ours = _look(output)
    for address, answer in told.items():
        if isinstance(answer, BaseException):
            raise PlanError(f"worker {address} cannot run openhcs ({answer}). Install {ours[0]} where workers run.")
        version, sees = answer
        if version != ours[0]:
            raise PlanError(f"worker {address} has openhcs {version}, here it is {ours[0]}. Install the same version.")
        if not sees:
            raise NotFound(
                f"worker {address} does not see {output}. Plate and output must lie on a file system that all machines "
                "have at the same path.",
                path=output,
            )


def _look(output: str) -> tuple[str, bool]:
    """Return which openhcs runs here, on which Python, and whether it sees the output."""
    version = metadata.version("openhcs")
    return f"{version} on Python {sys.version_info.major}.{sys.version_info.minor}", os.path.isdir(output)
