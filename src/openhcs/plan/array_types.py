"""Which kinds of arrays the functions of a plan take, where arrays change kind, and what cannot go well.

Pure: libraries are known by name alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openhcs.core.array_types import ARRAY_API, LIBRARIES, NUMPY
from openhcs.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openhcs.core.steps import Chain, FunctionStep
    from openhcs.plan.facts import Facts
    from openhcs.plan.parts import Layer, PlanStep

NARROWED = ("int64", "uint64", "float64", "complex128")
_TORCH = {"uint16": "float32", "uint32": "int64", "uint64": None}


def torch_dtype(dtype: str, *, numbers: bool = False) -> str | None:
    """Return the dtype in which torch gets an array: it cannot compute in unsigned ones of more than 8 bits.

    ``numbers``: what it holds are names of objects, not measurements, so it stays whole.

    >>> torch_dtype("uint16"), torch_dtype("float64"), torch_dtype("uint64")
    ('float32', 'float64', None)
    """
    return "int32" if numbers and dtype == "uint16" else _TORCH.get(dtype, dtype)


def numpy_alone(chain: Chain) -> bool:
    """Return whether a chain works with numpy arrays only: memory of other libraries is not seen from Python."""
    return set(kinds_of(chain)) <= {NUMPY}


def kinds_of(chain: Chain) -> tuple[str, ...]:
    """Return the kind of array that each function of a chain takes."""
    return tuple(call.array_type.kind for call in chain)


def conversions(steps: Sequence[FunctionStep], planned: Sequence[PlanStep], source: Layer, facts: Facts) -> list[str]:
    """Return a note for each step whose functions take other arrays than numpy.

    Raises
    ------
    PlanError
        a library that is not installed, or one that would change the values.
    """
    check_installed(steps, facts.absent)
    notes = []
    for step, plan in zip(steps, planned, strict=True):
        before = source if plan.number == 1 else planned[plan.number - 2].layer
        for chain in step.chains.values():
            _check(plan, kinds_of(chain)[0], before.dtype, facts)
            told = _told(kinds_of(chain), before.dtype)
            if told and (note := f"step {plan.number} ({plan.name}) takes {told}") not in notes:
                notes.append(note)
    return notes


def check_installed(steps: Sequence[FunctionStep], absent: Sequence[str]) -> None:
    """Raise `PlanError` where a function takes arrays of a library that is not installed."""
    for number, step in enumerate(steps, start=1):
        for kind in (kind for chain in step.chains.values() for kind in kinds_of(chain)):
            if kind in absent:
                raise PlanError(
                    f"step {number} ({step.name}) takes arrays of {kind}, which is not installed here: pip install "
                    f"{LIBRARIES[kind]}",
                    step=step.name,
                )


def _check(plan: PlanStep, kind: str, dtype: str, facts: Facts) -> None:
    """Raise `PlanError` where the first function of a chain gets an array that its library would change."""
    if kind in facts.narrowing and dtype in NARROWED:
        raise PlanError(
            f"step {plan.number} ({plan.name}) takes arrays of {kind}, which makes {dtype} narrower without a word. "
            "Convert in the step before (float32, int32), or set JAX_ENABLE_X64=1.",
            step=plan.name,
        )
    if kind == "torch" and torch_dtype(dtype) is None:
        raise PlanError(
            f"step {plan.number} ({plan.name}) takes arrays of torch, which cannot compute in {dtype}. Convert in the "
            "step before.",
            step=plan.name,
        )


def _told(kinds: Sequence[str], dtype: str) -> str:
    changes = []
    at = NUMPY
    for kind in kinds:
        if kind not in {at, ARRAY_API}:
            as_dtype = torch_dtype(dtype) if kind == "torch" and at == NUMPY else dtype
            changes.append(kind + (f" (as {as_dtype})" if as_dtype != dtype else ""))
            at = kind
    if at != NUMPY:
        changes.append(NUMPY)
    return f"arrays numpy → {' → '.join(changes)}" if changes else ""
