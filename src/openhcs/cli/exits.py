"""The exit codes and the messages that go with them: one table from error to code.

0 done · 1 our bug · 2 usage · 3 some wells failed · 4 input bad or not found · 5 output exists ·
6 no space or memory · 130 interrupted. A traceback is shown with ``--debug`` only.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from openhcs import errors
from openhcs.cli.text import visible

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self, TextIO

DONE, BUG, USAGE, SOME_FAILED, BAD_INPUT, OUTPUT_EXISTS, NO_ROOM, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130

CODES: tuple[tuple[type[BaseException], int], ...] = (
    (errors.Stopped, INTERRUPTED),
    (KeyboardInterrupt, INTERRUPTED),
    (errors.StorageFull, NO_ROOM),
    (errors.OutOfBudget, NO_ROOM),
    (MemoryError, NO_ROOM),
    (errors.AlreadyExists, OUTPUT_EXISTS),
    (errors.NotFound, BAD_INPUT),
    (errors.InputError, BAD_INPUT),
    (errors.StorageError, BAD_INPUT),
    (errors.UsageError, USAGE),
    (errors.StepError, SOME_FAILED),
    (errors.WorkerLost, SOME_FAILED),
    (errors.TookTooLong, SOME_FAILED),
)
"""First match counts. What is not here is a bug of ours."""
WRITING = ("demo", "convert", "run")
"""Verbs whose work goes on when the same command is given again."""


def code_for(error: BaseException) -> int:
    """Return the exit code that an error stands for."""
    return next((code for kind, code in CODES if isinstance(error, kind)), BUG)


def ours(error: BaseException) -> BaseException:
    """Return our error for one of the operating system's, any other as it is."""
    if isinstance(error, OSError) and not isinstance(error, errors.OpenHCSError):
        return errors.from_oserror(error, doing="read or write")
    return error


def message_for(error: BaseException, words: list[str]) -> str:
    """Return what to print: what happened, where, and what to type next."""
    if isinstance(error, (KeyboardInterrupt, errors.Stopped)):
        return _interrupted(error, words)
    if isinstance(error, errors.OpenHCSError):
        places = [f"{name} {value}" for name, value in error.fields.items() if name in {"well", "site", "step"}]
        hidden = [place for place in places if place.split(" ", 1)[1] not in error.message]
        return f"error: {error.message}" + (f"\n  where: {', '.join(hidden)}" if hidden else "")
    if isinstance(error, MemoryError):
        return "error: the machine has no memory left. Run again with fewer workers (--workers 1)."
    again = "" if "--debug" in words else f" Please report it with what this prints:\n  {command([*words, '--debug'])}"
    return f"error: this is a bug in openhcs: {type(error).__name__}: {error}.{again}"


def _interrupted(error: BaseException, words: list[str]) -> str:
    verb = next((word for word in words if not word.startswith("-")), "")
    if verb not in WRITING:
        return "interrupted"
    said = str(error) or "interrupted; wells that are committed stay"
    return f"{said}\nTo go on with the rest:\n  {command(without_exist(words))}"


def without_exist(words: list[str]) -> list[str]:
    """Return the words without ``--exist …``: going on is what happens when it is not given."""
    kept: list[str] = []
    skip = False
    for word in words:
        if not skip and word != "--exist" and not word.startswith("--exist="):
            kept.append(word)
        skip = word == "--exist"
    return kept


def command(words: list[str]) -> str:
    """Return the words as a line for the shell."""
    import shlex

    return shlex.join(["openhcs", *words])


class Guard:
    """Turns what a command raises into a message and an exit code.

    Nothing passes: used once, around the whole command, with ``code`` as the answer.
    """

    def __init__(self, words: list[str], stream: TextIO | None = None) -> None:
        self.words = words
        self.stream = stream
        self.code = DONE

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            return True
        if isinstance(error, SystemExit):
            self.code = error.code if isinstance(error.code, int) else DONE if error.code is None else USAGE
            return True
        if isinstance(error, BrokenPipeError):
            self._leave_pipe()
            return True
        told = ours(error)
        self.code = code_for(told)
        stream = self.stream or sys.stderr
        if "--debug" in self.words:
            import traceback

            traceback.print_exception(kind, error, trace, file=stream)
        print(visible(message_for(told, self.words), lines=True), file=stream)
        return True

    def _leave_pipe(self) -> None:
        # Whoever read our output has seen enough; a second error at interpreter exit would be noise.
        self.code = DONE
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
