"""What a plan must be told, since planning itself opens nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What came of calling a step's functions once: planes in, planes out, dtype, (y, x), dtypes of labels.

    ``scratch`` is as in `openhcs.plan.model.PlanStep`. ``values`` are the kinds of other special outputs,
    ``arrays`` the bytes of those that are arrays; ``same`` says that the planes are those that came in, unchanged.
    """

    planes_in: int
    planes_out: int
    dtype: str
    plane_shape: tuple[int, int]
    labels: Mapping[str, str] = field(default_factory=dict)
    scratch: float | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    arrays: Mapping[str, int] = field(default_factory=dict)
    same: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The machine and the pipeline as found.

    Parameters
    ----------
    cores, memory
        cores and bytes of memory this run may use.
    free_bytes
        space left where the output goes; None when unknown.
    probed
        by step number from 1, what a probe found; a step without one must have declared everything and
        make no labels and nothing whose kind it leaves open.
    fingerprints
        by step number, a text that changes when the step's functions or arguments do.
    opaque
        by step number, kinds of things that its functions hold and that may change unseen.
    measured
        what tasks took in an earlier run to the same output, in bytes, by plan and name of the task.
    store_output
        the output is itself a ``.zarr`` store.
    absent, narrowing
        kinds of arrays whose library is not installed, and those that would make 64 bits 32.
    lacking
        kinds of special outputs that cannot be stored here, with what to install.
    """

    cores: int = 1
    memory: int = 2**62
    free_bytes: int | None = None
    probed: Mapping[int, Probed] = field(default_factory=dict)
    fingerprints: Mapping[int, str] = field(default_factory=dict)
    opaque: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    measured: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    store_output: bool = False
    absent: tuple[str, ...] = ()
    narrowing: tuple[str, ...] = ()
    lacking: Mapping[str, str] = field(default_factory=dict)
