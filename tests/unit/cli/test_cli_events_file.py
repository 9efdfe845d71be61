"""The events file holds one JSON object a line and is appended to."""

from __future__ import annotations

import json

import pytest

from openhcs.cli.events_file import EventsFile
from openhcs.errors import NotFound
from openhcs.run.events import Event


def test_events_are_appended_line_by_line(tmp_path) -> None:
    path = tmp_path / "events.jsonl"
    for kind in ("started", "finished"):
        with EventsFile(str(path)) as events:
            events(Event(kind=kind, wells=("A01",), message="µ"))
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["kind"] for line in lines] == ["started", "finished"]
    assert lines[0]["wells"] == ["A01"]
    assert "bytes_in" not in lines[0]


def test_a_file_in_a_folder_that_is_not_there_is_told_before_the_run(tmp_path) -> None:
    with pytest.raises(NotFound, match="events file"), EventsFile(str(tmp_path / "no" / "events.jsonl")):
        pass
