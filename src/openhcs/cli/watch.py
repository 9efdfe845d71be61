"""One run as the user meets it: progress, the events file and Ctrl-C, set up together."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs.cli import exits

if TYPE_CHECKING:
    import threading
    from argparse import Namespace
    from collections.abc import Iterator

    from openhcs.run.events import Event, Listener


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What a run is handed: where events go, and the sign to stop."""

    on_event: Listener
    stop: threading.Event


@contextlib.contextmanager
def watching(args: Namespace) -> Iterator[Watch]:
    """Show a run on stderr, write ``--events``, and turn Ctrl-C into ``stop``."""
    from openhcs.cli.events_file import EventsFile
    from openhcs.cli.interrupt import Interrupt
    from openhcs.cli.progress import make_display

    log_to_stderr(args)
    with contextlib.ExitStack() as stack:
        listeners: list[Listener] = []
        if args.events:
            listeners.append(stack.enter_context(EventsFile(args.events)))
        display = stack.enter_context(make_display(sys.stderr, quiet=getattr(args, "quiet", False)))

        def last_words() -> None:
            display.__exit__()
            print(exits.message_for(KeyboardInterrupt(), args.words), file=sys.stderr, flush=True)

        interrupt = stack.enter_context(Interrupt(display.tell, last_words))
        listeners.append(display)

        def on_event(event: Event) -> None:
            for listener in listeners:
                listener(event)

        yield Watch(on_event=on_event, stop=interrupt.stop)


def log_to_stderr(args: Namespace) -> None:
    """Let the project's loggers speak as loud as the options say."""
    debug, verbose = getattr(args, "debug", False), getattr(args, "verbose", False)
    if not (debug or verbose):
        return
    import logging

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("openhcs")
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
