"""Ctrl-C: the first press stops after the running wells, the second at once.

The handler runs between two bytecodes of the main thread, which may hold any lock, so the event is
set by a thread of its own. A SIGTERM (a scheduler's time limit) counts as a press.

At once means within a few seconds: threads cannot be broken off, so a process that still waits for
them then is left. That loses nothing, as a well counts only once it is committed.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)
FIRST = "stopping once the running wells are done; press Ctrl-C again to stop at once"
SECOND = "stopping at once"
GRACE_S = 3.0
INTERRUPTED = 130


class Interrupt:
    """While entered, the first signal sets ``stop`` and the second raises `KeyboardInterrupt`.

    ``last_words`` is called before a process that cannot unwind is left. Does nothing outside the
    main thread, where Python allows no handlers.
    """

    def __init__(self, tell: Callable[[str], None], last_words: Callable[[], None] = lambda: None) -> None:
        self.stop = threading.Event()
        self.tell = tell
        self.last_words = last_words
        self.over = threading.Event()
        self.presses = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._pressed) for number in SIGNALS}
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
        self.over.set()

    def _pressed(self, _number: int, _frame: object) -> None:
        self.presses += 1
        if self.presses > 1:
            self.tell(SECOND)
            threading.Thread(target=self._leave, name="openhcs-leave", daemon=True).start()
            raise KeyboardInterrupt
        self.tell(FIRST)
        threading.Thread(target=self.stop.set, name="openhcs-stop", daemon=True).start()

    def _leave(self) -> None:
        if not self.over.wait(GRACE_S):
            self.last_words()
            os._exit(INTERRUPTED)
        # The command has ended; an interpreter that ends with it waits for threads that run on.
        threading.main_thread().join(GRACE_S)
        if not threading.main_thread().is_alive():
            os._exit(INTERRUPTED)
