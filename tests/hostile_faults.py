"""What must never happen, done on purpose, to see that the guard notices: name → (fault, what it says)."""

from __future__ import annotations

import os
import pickle
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from hostile_guard import SECRET_PIXEL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def wait(_: Path) -> None:
    time.sleep(60)


def work(_: Path) -> None:
    while True:
        pass


def take(_: Path) -> int:
    return int(np.ones(400 * 2**20, np.uint8)[-1])


def crash(_: Path) -> None:
    os.abort()


def foreign(_: Path) -> None:
    raise KeyError("a key")


def read_outside(folder: Path) -> bytes:
    return (folder / ".." / "outside" / "secret.txt").read_bytes()


def show_outside(_: Path) -> Any:
    return [{"pixels": np.full((2, 2), SECRET_PIXEL)}]


def write_outside(folder: Path) -> None:
    (folder / ".." / "outside" / "secret.txt").write_bytes(b"changed")


def run_code(_: Path) -> None:
    pickle.loads(b"cos\nsystem\n(S'true'\ntR.")


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a hang": (wait, "takes over 2 s"),
    "work without end": (work, "takes over 2 s"),
    "a crash": (crash, "ended the process"),
    "memory": (take, "MB taken"),
    "a foreign error": (foreign, "KeyError"),
    "a file read outside": (read_outside, "outside"),
    "pixels of the outside": (show_outside, "outside was read"),
    "a file written outside": (write_outside, "outside"),
    "a pickle": (run_code, "pickle.find_class"),
}


def prepare(name: str, folder: Path) -> Callable[[int], Any]:
    return lambda _: FAULTS[name][0](folder / "in")
