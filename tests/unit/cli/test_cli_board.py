"""The state of a run follows its events; time left comes from bytes."""

from __future__ import annotations

from openhcs.cli.board import Board
from openhcs.run.events import Event


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def begun(clock: Clock, *wells: str, total_bytes: int = 4000) -> Board:
    board = Board(clock)
    board.take(Event(kind="started", wells=wells, total_wells=len(wells) or 4, total_bytes=total_bytes))
    return board


def test_wells_move_through_their_states() -> None:
    board = begun(Clock(), "A01", "A02", "A03", "A04")
    for kind, well in (("well_started", "A01"), ("well_done", "A02"), ("well_failed", "A03"), ("well_skipped", "A04")):
        board.take(Event(kind=kind, well=well))
    assert board.wells == {"A01": "running", "A02": "done", "A03": "failed", "A04": "skipped"}


def test_wells_that_were_not_named_count_as_waiting() -> None:
    board = begun(Clock())
    board.take(Event(kind="well_started", well="A01"))
    assert board.states == {"running": 1, "waiting": 3}


def test_time_left_comes_from_bytes_and_leaves_skipped_ones_out() -> None:
    clock = Clock()
    board = begun(clock, "A01", "A02", "A03")
    assert board.left is None
    board.take(Event(kind="well_skipped", well="A01", bytes_in=1000))
    clock.now = 2.0
    board.take(Event(kind="well_done", well="A02", bytes_in=1000))
    assert board.rate == 500
    assert board.left == 4.0
    assert board.fraction == 0.5


def test_the_line_says_wells_speed_and_time_left() -> None:
    clock = Clock()
    board = begun(clock, "A01", "A02", "A03", total_bytes=300_000_000)
    board.take(Event(kind="well_failed", well="A03", message="no", bytes_in=0))
    clock.now = 1.0
    board.take(Event(kind="well_done", well="A01", bytes_in=100_000_000))
    assert board.line() == "1 of 3 wells done, 1 failed, 100 MB/s, about 2.0 s left"


def test_failures_and_warnings_are_news_once() -> None:
    board = begun(Clock(), "A01")
    board.take(Event(kind="warning", message="disk is slow"))
    board.take(Event(kind="well_failed", well="A01", message="step gaussian: bad sigma"))
    assert board.take_news() == ["warning: disk is slow", "well A01 failed: step gaussian: bad sigma"]
    assert board.take_news() == []
