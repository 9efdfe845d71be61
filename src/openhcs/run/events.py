"""What a run tells while it works, for progress displays and logs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    ``kind`` is plate_started (where there are several), started, stage_started, well_started,
    well_staged (done in this stage, waiting for the next), well_done, well_skipped, well_failed, warning or finished.
    Bytes are raw pixels read and bytes stored by that well; totals, of what is to do yet, and the names of
    all wells come with ``started``; ``timings`` are the seconds of a well's parts: read, store, and each step
    by number and name.
    """

    kind: str
    well: str | None = None
    message: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    total_wells: int = 0
    total_bytes: int = 0
    total_objects: int = 0
    seconds: float = 0.0
    wells: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)


Listener = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """Take an event and do nothing."""
