"""``--events FILE``: what happens, one JSON object a line, for other programs to follow.

The file is a stream like stderr, not a result: lines are appended, each in one write.
"""

from __future__ import annotations

import dataclasses
import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from openhcs.errors import from_oserror
from openhcs.run.events import Event

if TYPE_CHECKING:
    from typing import Self


class EventsFile:
    """Takes events and appends them to a file. Fields at their default are left out."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._handle = -1

    def __enter__(self) -> Self:
        try:
            self._handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise from_oserror(error, doing="open the events file", path=self.path) from error
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._handle)

    def __call__(self, event: Event) -> None:
        """Append one event with the time, UTC."""
        try:
            os.write(self._handle, line_of(event, datetime.now(UTC)).encode())
        except OSError as error:
            raise from_oserror(error, doing="write the events file", path=self.path) from error


def line_of(event: Event, now: datetime) -> str:
    r"""Return the line of an event.

    >>> line_of(Event(kind="well_done", well="A01"), datetime(2025, 1, 2, tzinfo=UTC))
    '{"time": "2025-01-02T00:00:00+00:00", "kind": "well_done", "well": "A01"}\n'
    """
    plain = Event(kind="")
    names = [field.name for field in dataclasses.fields(event)]
    told = {name: getattr(event, name) for name in names if getattr(event, name) != getattr(plain, name)}
    return json.dumps({"time": now.isoformat(), **told}, ensure_ascii=False) + "\n"
