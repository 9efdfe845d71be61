"""Progress: a grid in a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import io
import time

import pytest

from openhcs.cli.progress import Grid, Lines, Silent, make_display
from openhcs.run.events import Event

WELLS = ("A01", "A02", "B01", "B02")
STARTED = Event(kind="started", wells=WELLS, total_wells=4, total_bytes=4000)
FAILED = Event(kind="well_failed", well="B02", message="no such [bold] filter")


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def roomy(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "40")
    monkeypatch.setenv("TERM", "xterm")


def test_the_display_suits_the_stream(roomy, monkeypatch) -> None:
    assert type(make_display(io.StringIO())) is Lines
    assert type(make_display(Terminal())) is Grid
    assert type(make_display(Terminal(), quiet=True)) is Silent
    monkeypatch.setenv("TERM", "dumb")
    assert type(make_display(Terminal())) is Lines


def test_lines_come_by_the_clock_and_failures_at_once() -> None:
    stream = io.StringIO()
    with Lines(stream, period=0.02) as display:
        display(STARTED)
        display(FAILED)
        assert stream.getvalue().endswith("well B02 failed: no such [bold] filter\n")
        time.sleep(0.1)
        assert "0 of 4 wells done, 1 failed" in stream.getvalue()
        display(Event(kind="well_done", well="A01", bytes_in=1000))
    assert stream.getvalue().splitlines()[-1].startswith("1 of 4 wells done, 1 failed")


def test_a_run_that_never_started_prints_no_line() -> None:
    stream = io.StringIO()
    with Lines(stream):
        pass
    assert stream.getvalue() == ""


def test_quiet_shows_nothing_but_what_must_be_said() -> None:
    stream = io.StringIO()
    with Silent(stream) as display:
        display(STARTED)
        display(Event(kind="warning", message="slow"))
        display(FAILED)
        display.tell("stopping")
    assert stream.getvalue() == "stopping\n"


def test_the_grid_shows_wells_by_state_and_a_message_as_it_is(roomy) -> None:
    stream = Terminal()
    with Grid(stream) as display:
        display(STARTED)
        display(Event(kind="well_started", well="A02"))
        display(Event(kind="well_done", well="A01", bytes_in=1000))
        display(FAILED)
        display.tell("stopping")
    shown = stream.getvalue()
    assert "well B02 failed: no such [bold] filter" in shown
    assert "1 of 4 wells done, 1 running, 1 failed" in shown
    assert {"●", "◐", "·", "✗"} <= set(shown)
    assert "stopping" in shown


def test_no_color_leaves_colours_out(roomy, monkeypatch) -> None:
    def shown() -> str:
        stream = Terminal()
        with Grid(stream) as display:
            display(STARTED)
            display(FAILED)
        return stream.getvalue()

    assert "\x1b[31m" in shown()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in shown()


def test_a_grid_too_large_for_the_terminal_gives_way_to_the_line(roomy, monkeypatch) -> None:
    monkeypatch.setenv("LINES", "8")
    stream = Terminal()
    with Grid(stream) as display:
        display(STARTED)
    assert "·" not in stream.getvalue()
    assert "0 of 4 wells done" in stream.getvalue()
