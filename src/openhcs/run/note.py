"""A note that a worker process keeps of what it calls, for whoever has to say why the process died or hangs.

The note is a piece of memory that both processes see; writing it costs about a microsecond and nothing is
sent. Elsewhere nothing is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

ROOM = 512
"""Bytes of a note; a longer one is cut."""
_note: Any = None


def new(context: ForkServerContext | SpawnContext) -> Any:
    """Return an empty note that can be handed to a worker process of ``context``."""
    return context.RawArray("c", ROOM)


def keep(note: Any) -> None:
    """Take a note as this process's own."""
    global _note  # noqa: PLW0603 - one per process, set when it starts
    _note = note


def write(text: str) -> None:
    """Write what is done now; nothing in a process without a note."""
    if _note is not None:
        _note.value = text.encode()[: ROOM - 1]


def read(note: Any) -> str:
    """Return what a process was doing when it last said so; empty if nothing."""
    return bytes(note.value).decode(errors="ignore")
