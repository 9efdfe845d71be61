"""Progress on stderr: a well grid in a terminal, else a plain line every ten seconds.

A display is a context manager that takes events, from any thread. It never touches stdout.
"""

from __future__ import annotations

import os
import shutil
import threading
from typing import TYPE_CHECKING, Protocol

from openhcs.cli.board import DONE, FAILED, RUNNING, SKIPPED, WAITING, Board
from openhcs.cli.text import can_show, plate_map
from openhcs.core.wells import plate_shape, row_name

if TYPE_CHECKING:
    from typing import Self, TextIO

    from rich.console import Console, RenderableType
    from rich.text import Text

    from openhcs.run.events import Event

PERIOD = 10.0
"""Seconds between two plain lines."""
GLYPHS = {WAITING: "·", RUNNING: "◐", DONE: "●", SKIPPED: "○", FAILED: "✗"}
PLAIN_GLYPHS = {WAITING: ".", RUNNING: ">", DONE: "#", SKIPPED: "=", FAILED: "x"}
STYLES = {"·": "dim", "◐": "yellow", "●": "green", "○": "cyan", "✗": "bold red", ">": "yellow", "x": "bold red"}
BAR, PLAIN_BAR, BAR_WIDTH = "━─", "=-", 40
LINES_BESIDE_GRID = 6


class Display(Protocol):
    """Something that shows a run."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(self, *exc: object) -> None:
        """Show the last state and leave the terminal as it was."""

    def __call__(self, event: Event, /) -> None:
        """Take an event."""

    def tell(self, text: str) -> None:
        """Show one line; safe inside a signal handler."""


def is_terminal(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def make_display(stream: TextIO, *, quiet: bool = False, period: float = PERIOD) -> Display:
    """Return the display that suits the stream."""
    if quiet:
        return Silent(stream)
    return Grid(stream) if is_terminal(stream) else Lines(stream, period=period)


class Lines:
    """A line every few seconds; failures and warnings at once."""

    def __init__(self, stream: TextIO, *, period: float = PERIOD, board: Board | None = None) -> None:
        self.stream = stream
        self.period = period
        self.board = board or Board()
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._tick, name="openhcs-progress", daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.over.set()
        self.thread.join()
        with self.lock:
            self._news()
            if self.board.total_wells:
                self._write(self.board.line())

    def __call__(self, event: Event, /) -> None:
        """Take an event."""
        with self.lock:
            self.board.take(event)
            self._news()

    def tell(self, text: str) -> None:
        """Write a line past the lock, which the interrupted thread may hold."""
        self._write(text)

    def _tick(self) -> None:
        while not self.over.wait(self.period):
            with self.lock:
                if self.board.total_wells:
                    self._write(self.board.line())

    def _news(self) -> None:
        for text in self.board.take_news():
            self._write(text)

    def _write(self, text: str) -> None:
        self.stream.write(f"{text}\n")
        self.stream.flush()


class Silent(Lines):
    """Nothing but what must be said; failures are told at the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return

    def __call__(self, _event: Event, /) -> None:
        """Take an event and show nothing."""


class Grid:
    """The plate as a grid of wells that changes in place."""

    def __init__(self, stream: TextIO, *, board: Board | None = None) -> None:
        from rich.console import Console
        from rich.live import Live

        self.board = board or Board()
        self.lock = threading.Lock()
        self.console: Console = Console(file=stream, stderr=True, highlight=False)
        self.glyphs = GLYPHS if can_show(stream, "".join(GLYPHS.values()) + BAR) else PLAIN_GLYPHS
        self.bar = BAR if self.glyphs is GLYPHS else PLAIN_BAR
        self.live = Live(get_renderable=self._picture, console=self.console, refresh_per_second=4, transient=False)

    def __enter__(self) -> Self:
        self.live.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._show_news()
        self.live.__exit__(None, None, None)

    def __call__(self, event: Event, /) -> None:
        """Take an event; the screen follows at its own pace."""
        with self.lock:
            self.board.take(event)
        self._show_news()

    def tell(self, text: str) -> None:
        """Show a line below the grid from the next redraw on."""
        self.board.notice = text

    def _show_news(self) -> None:
        from rich.text import Text

        with self.lock:
            news = self.board.take_news()
        for text in news:
            self.console.print(Text(text, style="red" if text.startswith("well") else "yellow"))

    def _picture(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        with self.lock:
            grid, line, fraction = self._grid(), self.board.line(), self.board.fraction
        parts: list[RenderableType] = [Text("\n").join([_styled(row) for row in grid])] if grid else []
        filled = round(fraction * BAR_WIDTH)
        bar = Text.assemble((self.bar[0] * filled, "green"), (self.bar[1] * (BAR_WIDTH - filled), "dim"))
        parts += [bar, Text(line)]
        if self.board.notice:
            parts.append(Text(self.board.notice, style="bold yellow"))
        return Group(*parts)

    def _grid(self) -> list[str]:
        wells = list(self.board.wells)
        if not wells:
            return []
        shape = plate_shape(wells)
        marks = {well: self.glyphs[state] for well, state in self.board.wells.items()}
        lines = plate_map(shape, [row_name(row) for row in range(shape[0])], marks, empty=" ")
        columns, height = shutil.get_terminal_size()
        fits = len(lines) + LINES_BESIDE_GRID <= height and max(map(len, lines)) <= columns
        return lines if fits else []


def _styled(row: str) -> Text:
    from rich.text import Text

    text = Text(row)
    for glyph, style in STYLES.items():
        text.highlight_words([glyph], style)
    return text
