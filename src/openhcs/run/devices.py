"""GPUs: which one a function's arrays go to, how many tasks share it, and what happens when its memory ends.

The device with most free bytes is taken at run time. Worker processes share a device through slots, files in
the system's temporary folder that are locked while a call runs: as many as calls fit in its memory at once.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from openhcs.errors import OutOfBudget
from openhcs.io import locks
from openhcs.io.fsops import FileOps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

NEEDS = 8
"""Bytes of device memory that a call is expected to take per byte of its stack: float32 copies and scratch."""
MOST_SLOTS = 16
PAUSE_S = 0.01
OUT_OF_MEMORY = ("OutOfMemoryError", "XlaRuntimeError", "ResourceExhaustedError", "JaxRuntimeError")
"""Names of what libraries raise when a device has no memory; of the last three, those that say so."""


class Devices(Protocol):
    """The devices that one library sees."""

    def free(self) -> Sequence[int]:
        """Return the free bytes of each device; nothing where there is none."""

    def name(self, number: int) -> Any:
        """Return a device as the library takes it."""


class Torch:
    """Devices that torch sees through CUDA."""

    def free(self) -> Sequence[int]:
        """Return the free bytes of each device."""
        cuda = importlib.import_module("torch").cuda
        return [cuda.mem_get_info(number)[0] for number in range(cuda.device_count())] if cuda.is_available() else []

    def name(self, number: int) -> Any:
        """Return a device as torch takes it."""
        return f"cuda:{number}"


class Cupy:
    """Devices that cupy sees."""

    def free(self) -> Sequence[int]:
        """Return the free bytes of each device."""
        runtime = importlib.import_module("cupy").cuda.runtime
        found = []
        for number in range(runtime.getDeviceCount()):
            runtime.setDevice(number)
            found.append(int(runtime.memGetInfo()[0]))
        return found

    def name(self, number: int) -> Any:
        """Return a device as cupy takes it."""
        return number


SEEN: dict[str, Devices] = {"torch": Torch(), "cupy": Cupy()}
"""Kinds whose device is chosen here; jax, tensorflow and pyclesperanto choose theirs."""


@contextlib.contextmanager
def slot(kind: str, size: int, folder: Path | None = None) -> Iterator[Any]:
    """Hold a place on the device with most free memory, for a call whose stack has ``size`` bytes.

    Yields the device, or None where the library has none or chooses itself. Waits while all places are taken.
    """
    devices = SEEN.get(kind)
    free = list(devices.free()) if devices is not None else []
    if devices is None or not free:
        yield None
        return
    number = max(range(len(free)), key=lambda one: free[one])
    places = max(1, min(MOST_SLOTS, free[number] // max(1, size * NEEDS)))
    lock = _taken(folder or Path(tempfile.gettempdir()), f"openhcs-{_user()}-gpu{number}", places)
    try:
        yield devices.name(number)
    finally:
        lock.release()


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else "user"


def _taken(folder: Path, name: str, places: int) -> locks.Lock:
    ops = FileOps(durable=False)
    while True:
        for place in range(places):
            lock = locks.take(folder / f"{name}-{place}.lock", ops, exclusive=True)
            if lock is not None:
                return lock
        time.sleep(PAUSE_S)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device has no memory left."""
    name = type(error).__name__
    if name == OUT_OF_MEMORY[0]:
        return True
    said = str(error).lower()
    return name in OUT_OF_MEMORY and ("out of memory" in said or "resource_exhausted" in said)


def in_parts(call: Callable[[Any], Any], planes: int, *, joined: Callable[[list[Any]], Any]) -> Any:
    """Return what a slice-wise call makes of a stack, given whole or, where a device has no memory, in halves.

    Parameters
    ----------
    call
        takes a slice of the stack's planes.
    planes
        how many there are.
    joined
        puts the results of parts together.

    Raises
    ------
    OutOfBudget
        a single plane does not fit.
    """
    count = planes
    while True:
        try:
            parts = [call(slice(start, start + count)) for start in range(0, planes, count)]
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if count == 1:
                raise OutOfBudget(f"the device has no memory for one plane of {planes}: {error}") from error
            count = -(-count // 2)
            continue
        return parts[0] if len(parts) == 1 else joined(parts)
