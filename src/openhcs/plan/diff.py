"""What differs between two plans, in words."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from openhcs.plan.model import planes_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.core.steps import FunctionStep
    from openhcs.plan.model import Plan
    from openhcs.plan.origin import Origin
    from openhcs.plan.parts import LabelTarget, Layer, PlanStep, Target, Value

SAME = "same"
SHOWN = 8
"""Names that are told in full."""


def diff(one: Plan, other: Plan) -> str:
    """Return what changes from one plan to another, a line each; `SAME` if nothing does.

    Memory and cores of the machine are left out.
    """
    return "\n".join(changes(one, other)) or SAME


def changes(one: Plan, other: Plan) -> list[str]:
    """Return what changes from one plan to another, one text each, the plate first, the settings last."""
    found = [
        *_plate(one, other),
        *_wells(one, other),
        *_steps(one, other),
        *_kept(one, other),
        *_config(one.config, other.config, ""),
    ]
    return found or list(_changed("identity", one.id, other.id))


def _changed(what: str, before: object, after: object) -> Iterator[str]:
    if before != after:
        yield f"{what}: {_word(before)} → {_word(after)}"


def _word(value: object) -> str:
    if value is None or value in ("", ()):
        return "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(getattr(value, "value", value))


def _plate(one: Plan, other: Plan) -> Iterator[str]:
    yield from _changed("plate", one.index.name, other.index.name)
    yield from _changed("images", _image(one.recipe.source), _image(other.recipe.source))
    for place, name in enumerate(("sites", "time points", "channels", "z planes")):
        before, after = (
            tuple(sorted({label for axes in plan.recipe.source.axes.values() for label in axes[place]}))
            for plan in (one, other)
        )
        yield from _names(name, before, after)


def _image(layer: Layer) -> str:
    return f"{layer.dtype} {layer.plane_shape[0]}×{layer.plane_shape[1]}"


def _names(what: str, before: Sequence[object], after: Sequence[object]) -> Iterator[str]:
    """Tell which of some names are gone and which are new."""
    for word, gone in (
        ("without", [one for one in before if one not in set(after)]),
        ("with", [one for one in after if one not in set(before)]),
    ):
        if gone:
            rest = f" and {len(gone) - SHOWN} more" if len(gone) > SHOWN else ""
            yield f"{what} {word} {', '.join(map(str, gone[:SHOWN]))}{rest}"


def _wells(one: Plan, other: Plan) -> Iterator[str]:
    before, after = ({task.well: planes_digest(task.planes) for task in plan.tasks} for plan in (one, other))
    yield from _names("wells", list(before), list(after))
    changed = [well for well, inputs in after.items() if before.get(well, inputs) != inputs]
    if changed:
        yield from _names("input files changed: wells", (), changed)


def _steps(one: Plan, other: Plan) -> Iterator[str]:
    before, after = one.recipe.steps, other.recipe.steps
    matcher = SequenceMatcher(None, [step.name for step in before], [step.name for step in after], autojunk=False)
    for kind, low, high, new_low, new_high in matcher.get_opcodes():
        if kind == "equal":
            for step, now in zip(before[low:high], after[new_low:new_high], strict=True):
                yield from _step(step, now, one.origin, other.origin)
            continue
        yield from (f"step {step.number} ({step.name}) is gone" for step in before[low:high])
        yield from (f"step {step.number} ({step.name}) is new" for step in after[new_low:new_high])


def _step(before: PlanStep, after: PlanStep, one: Origin | None, other: Origin | None) -> Iterator[str]:
    what = f"step {after.number} ({after.name})"
    calls: list[str] = []
    if one and other:
        calls = list(_calls(what, one.steps[before.number - 1], other.steps[after.number - 1]))
        yield from calls
    if before.fingerprint != after.fingerprint and not calls:
        yield f"{what}: its functions, or what they use, changed"
    for name, word in (("stacks", "stacks"), ("group_by", "groups by"), ("unmatched", "unmatched"), ("out", "out")):
        yield from _changed(f"{what} {word}", getattr(before, name), getattr(after, name))
    picks = [", ".join(f"{value}: {key}" for value, key in step.picks.items()) for step in (before, after)]
    yield from _changed(f"{what} functions by value", *picks)
    yield from _changed(f"{what} makes", _image(before.layer), _image(after.layer))


def _calls(what: str, before: FunctionStep, after: FunctionStep) -> Iterator[str]:
    """Tell functions and arguments that changed."""
    from openhcs.plan.origin import declared

    for key in dict.fromkeys([*before.chains, *after.chains]):
        of = what if key is None else f"{what} for {key}"
        old, new = before.chains.get(key, ()), after.chains.get(key, ())
        yield from _changed(f"{of} calls", tuple(call.name for call in old), tuple(call.name for call in new))
        if [call.name for call in old] != [call.name for call in new]:
            continue
        for was, now in zip(map(declared, old), map(declared, new), strict=True):
            for name in dict.fromkeys([*was.arguments, *now.arguments]):
                told = was.arguments.get(name, "not given"), now.arguments.get(name, "not given")
                yield from _changed(f"{of}: {now.func.name} {name}", *told)


def _kept(one: Plan, other: Plan) -> Iterator[str]:
    before = {**_stored(one), **_special(one)}
    after = {**_stored(other), **_special(other)}
    yield from (f"no longer stored: {path}" for path in before if path not in after)
    yield from (f"stored as well: {path} ({told})" for path, told in after.items() if path not in before)
    for path in (path for path in before if path in after):
        yield from _changed(path, before[path], after[path])


def _stored(plan: Plan) -> dict[str, str]:
    return {target.path or "the store": _target(plan, target) for target in plan.recipe.targets}


def _target(plan: Plan, target: Target) -> str:
    return f"{_after(plan, target.after)} as {target.backend}"


def _after(plan: Plan, number: int) -> str:
    return f"the images of {plan.recipe.steps[number - 1].name}" if number else "the images as read"


def _special(plan: Plan) -> dict[str, str]:
    labels = {_label(plan, one): f"labels {one.dtype}" for one in plan.recipe.labels}
    return {**labels, **{one.path: f"{one.kind} of {_maker(plan, one)}" for one in plan.recipe.values}}


def _maker(plan: Plan, value: Value) -> str:
    return plan.recipe.steps[value.step - 1].name


def _label(plan: Plan, label: LabelTarget) -> str:
    return f"labels {label.name} beneath {plan.recipe.targets[label.target].path or 'the store'}"


def _config(before: GlobalPipelineConfig | Any, after: GlobalPipelineConfig | Any, group: str) -> Iterator[str]:
    for one in fields(before):
        was, now = getattr(before, one.name), getattr(after, one.name)
        if is_dataclass(was):
            yield from _config(was, now, f"{one.name}.")
        else:
            yield from _changed(f"setting {group}{one.name}", was, now)
