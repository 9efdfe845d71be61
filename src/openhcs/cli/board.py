"""What a run looks like at this moment: wells by state, speed, time left. Pure but for the clock it is given.

Time left comes from bytes, not from wells: wells differ in how much they hold.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from openhcs.cli.text import count, duration, size
from openhcs.plan.model import PLATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from openhcs.run.events import Event

WAITING, RUNNING, DONE, SKIPPED, FAILED = "waiting", "running", "done", "skipped", "failed"
STATES = {
    "well_started": RUNNING,
    "well_staged": WAITING,
    "well_done": DONE,
    "well_skipped": SKIPPED,
    "well_failed": FAILED,
}


class Board:
    """The state of one run, told by its events.

    ``news`` holds failures and warnings that nobody has shown yet; ``notice`` is one line from the
    command itself.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.begun = clock()
        self.wells: dict[str, str] = {}
        self.total_wells = 0
        self.total_bytes = 0
        self.bytes_read = 0
        self.bytes_skipped = 0
        self.news: list[str] = []
        self.notice = ""

    def take(self, event: Event) -> None:
        """Note one event."""
        if event.kind == "started":
            self.begun = self.clock()
            self.bytes_read = self.bytes_skipped = 0
            self.total_wells = event.total_wells or len(event.wells)
            self.total_bytes = event.total_bytes
            self.wells = dict.fromkeys(event.wells, WAITING)
            if event.total_objects:
                stored = count(event.total_objects, "file")
                self.news.append(f"{size(event.total_bytes)} of pixels to read, {stored} to store")
        elif event.kind == "warning":
            self.news.append(f"warning: {f'{event.well}: ' if event.well else ''}{event.message}")
        elif event.kind in {"plate_started", "stage_started"}:
            self.news.append(event.message)
        elif event.well not in {None, PLATE} and event.kind in STATES:
            self.wells[str(event.well)] = STATES[event.kind]
            self._count(event)

    def _count(self, event: Event) -> None:
        if event.kind == "well_skipped":
            self.bytes_skipped += event.bytes_in
        elif event.kind in {"well_done", "well_staged", "well_failed"}:
            self.bytes_read += event.bytes_in
        if event.kind == "well_failed":
            self.news.append(f"well {event.well} failed: {event.message}")

    @property
    def states(self) -> Counter[str]:
        """How many wells are in each state."""
        counts = Counter(self.wells.values())
        counts[WAITING] += max(0, self.total_wells - len(self.wells))
        return counts

    @property
    def rate(self) -> float:
        """Bytes read per second since the start; 0 until a well is done."""
        return self.bytes_read / max(self.clock() - self.begun, 1e-3)

    @property
    def left(self) -> float | None:
        """Seconds left, or None while nothing can be said."""
        rest = self.total_bytes - self.bytes_read - self.bytes_skipped
        return rest / self.rate if self.bytes_read and rest >= 0 else None

    @property
    def fraction(self) -> float:
        """Part of the work that is over, 0 to 1, by bytes."""
        over = self.bytes_read + self.bytes_skipped
        return min(1.0, over / self.total_bytes) if self.total_bytes else 0.0

    def line(self) -> str:
        """Return the run in one line."""
        states = self.states
        total = self.total_wells or len(self.wells)
        parts = [f"{states[DONE] + states[SKIPPED]} of {count(total, 'well')} done"]
        parts += [f"{states[name]} {name}" for name in (RUNNING, FAILED) if states[name]]
        if self.bytes_read:
            parts.append(f"{size(self.rate)}/s")
        if self.left is not None and states[WAITING] + states[RUNNING]:
            parts.append(f"about {duration(self.left)} left")
        return ", ".join(parts)

    def take_news(self) -> list[str]:
        """Return what is new, once."""
        news, self.news = self.news, []
        return news
