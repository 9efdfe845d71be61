"""What a plan was compiled from, without code, so that it can be compiled again with something changed.

Functions are told by name, arguments and what they declare: that is all that planning needs of them.
"""

from __future__ import annotations

import dataclasses
from ast import literal_eval
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from openhcs.core.special import INPUTS, OUTPUTS
from openhcs.core.steps import Call, FunctionStep
from openhcs.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.core.plate import PlateIndex
    from openhcs.core.special import Output
    from openhcs.plan.facts import Facts

PLAIN = (bool, int, float, complex, str, bytes, type(None))
LONGEST = 80
"""Letters of the longest argument that is told in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineFile:
    """The file that defines a plan's steps: where it lies, and the digest of its bytes."""

    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """Stands for a function: its name and module, and what it says of itself.

    ``told`` are other declarations on it, by the name of the attribute, as texts.
    """

    name: str
    module: str
    outputs: tuple[Output, ...] = ()
    inputs: tuple[str, ...] = ()
    told: Mapping[str, str | tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        more = {"__name__": self.name, "__module__": self.module, OUTPUTS: self.outputs, INPUTS: self.inputs}
        self.__dict__.update({**self.told, **more})

    def __call__(self, *_: object, **__: object) -> Any:
        """Raise: there is no code here."""
        raise PlanError(f"a plan holds no code, so {self.name} cannot be called; run it with its pipeline file")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredCall:
    """A function with its arguments, as texts."""

    func: Declaration
    arguments: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def as_call(self) -> Call:
        """Return the call; numbers among the arguments are numbers again."""
        return Call(self.func, {name: _evaluated(text) for name, text in self.arguments.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What `openhcs.plan.compile.compile_plan` was handed: plate, steps, facts and wells."""

    plate: PlateIndex
    steps: tuple[FunctionStep, ...]
    facts: Facts
    wells: tuple[str, ...] | None


def origin_of(plate: PlateIndex, steps: Sequence[FunctionStep], facts: Facts, wells: Sequence[str] | None) -> Origin:
    """Return what a plan is compiled from, without code and without what is true for a moment only."""
    return Origin(
        plate=plate,
        steps=tuple(map(without_code, steps)),
        facts=replace(facts, free_bytes=None),
        wells=None if wells is None else tuple(wells),
    )


def without_code(step: FunctionStep) -> FunctionStep:
    """Return a step whose functions are declarations."""
    return step_with(step, {key: [declared(call).as_call() for call in chain] for key, chain in step.chains.items()})


def step_with(step: FunctionStep, chains: Mapping[str | None, Sequence[Call]], **changes: Any) -> FunctionStep:
    """Return a step with other chains, and with settings changed."""
    settings = {one.name: getattr(step, one.name) for one in dataclasses.fields(step) if one.name != "chains"}
    pattern = {key: [(call.func, dict(call.kwargs)) for call in chain] for key, chain in chains.items()}
    return FunctionStep(pattern.get(None, pattern), **{**settings, **changes})


def declared(call: Call) -> DeclaredCall:
    """Return a call without code."""
    own = call.func
    if isinstance(own, Declaration):
        return DeclaredCall(func=own, arguments={name: _told(value) for name, value in call.kwargs.items()})
    func = Declaration(
        name=call.name,
        module=str(getattr(own, "__module__", "")),
        outputs=tuple(replace(one, materialiser=None) for one in call.outputs),
        inputs=call.inputs,
        told={name: value for name, value in getattr(own, "__dict__", {}).items() if _is_told(name, value)},
    )
    return DeclaredCall(func=func, arguments={name: _told(value) for name, value in call.kwargs.items()})


def _is_told(name: str, value: object) -> bool:
    texts = isinstance(value, tuple) and all(isinstance(one, str) for one in value)
    return name.startswith("__") and name not in {OUTPUTS, INPUTS} and (texts or isinstance(value, str))


def _told(value: object) -> str:
    if isinstance(value, _Text):
        return value.text
    if isinstance(value, PLAIN) and len(text := repr(value)) <= LONGEST:
        return text
    if isinstance(value, (tuple, list)) and all(isinstance(one, PLAIN) for one in value):
        text = repr(value)
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 2]} …"
    return f"<{type(value).__name__}>"


@dataclass(frozen=True, slots=True)
class _Text:
    """An argument of which only a text is known."""

    text: str


def _evaluated(text: str) -> Any:
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return _Text(text)
