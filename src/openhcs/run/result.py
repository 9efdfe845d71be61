"""What came of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a well failed. ``traceback`` is text, innermost call last."""

    well: str
    step: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """Wells by outcome; bytes of raw pixels read and bytes stored by this run.

    ``done`` were committed by this run, ``skipped`` were committed before it. ``awaited`` are wells of other shards,
    or the plate where it is a step over wells, that come before those in ``waiting``.
    """

    output: str
    plan_id: str
    done: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = ()
    waiting: tuple[str, ...] = ()
    awaited: tuple[str, ...] = ()
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every well of the plan is committed."""
        return not self.failed and not self.waiting
