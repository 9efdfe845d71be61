"""One well's frozen view of a plan: what will be read, called and written for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openhcs.core.plate import Plane


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One step as it runs for this well."""

    number: int
    name: str
    calls: int
    reads: str
    writes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingContext:
    """What happens to one well. Setting an attribute raises.

    ``planes`` are the inputs in reading order, ``outputs`` the images relative to ``output_path``,
    ``peak_bytes`` the memory that the well's buffers take at most.
    """

    well: str
    plate_name: str
    plan_id: str
    output_path: str
    planes: tuple[Plane, ...]
    steps: tuple[StepView, ...]
    outputs: tuple[str, ...]
    peak_bytes: int
