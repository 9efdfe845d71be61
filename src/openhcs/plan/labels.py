"""Labels: which label images the steps of a plan make, and beneath which stored images they go.

Labels have the sites, t, z and plane shape of the stack they were made of, and no channel. They lie
beneath a stored image of the same: the step's input, else its output, else the plan stores the input.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from openhcs.core.special import LABELS
from openhcs.errors import PlanError
from openhcs.plan.layers import label_keys
from openhcs.plan.parts import LabelTarget
from openhcs.plan.sizes import ZARR, stored, zarr_target
from openhcs.plan.stages import cuts_of
from openhcs.plan.values import outputs_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.core.plate import Key, PlateIndex
    from openhcs.core.steps import FunctionStep
    from openhcs.plan.facts import Facts
    from openhcs.plan.layers import Group
    from openhcs.plan.model import Recipe
    from openhcs.plan.parts import Layer, PlanStep, Target

_UNLAWFUL = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Output:
    """One declared name of one step: the chains that give it."""

    step: FunctionStep
    planned: PlanStep
    name: str
    chains: tuple[str | None, ...]


def with_labels(
    index: PlateIndex,
    steps: Sequence[FunctionStep],
    source: Layer,
    planned: Sequence[PlanStep],
    targets: tuple[Target, ...],
    *,
    config: GlobalPipelineConfig,
    facts: Facts,
) -> tuple[tuple[Target, ...], tuple[LabelTarget, ...]]:
    """Return the sets of images that are kept, with those that labels need, and every label image.

    Raises
    ------
    PlanError
        two label images of one name beneath one image, or a dtype that is not known.
    """
    layers = [source, *(step.layer for step in planned)]
    made: list[LabelTarget] = []
    for step, plan in zip(steps, planned, strict=True):
        for output in _outputs(step, plan):
            before = layers[plan.number - 1]
            cut = plan.number - 1 in cuts_of(planned)
            # A step that makes one site of several may give a well fewer images than it took.
            merges = "site" in plan.stacks and plan.out != "same"
            after = [*([] if cut else [plan.number - 1]), *([] if merges else [plan.number])]
            at = _home(targets, plan.number, layers, after)
            if at is None and cut:
                raise PlanError(
                    f"step {plan.number} ({plan.name}) makes labels {output.name!r} of images that an earlier stage of "
                    "the plan stored, and labels are stored with their images. Keep the images that this step gives "
                    "(force_disk_output=True), or make the labels a step later.",
                    step=plan.name,
                )
            if at is None:
                targets = (*targets, _added(output, planned, before, config))
                at = len(targets) - 1
            made += _images(index, output, before, targets[at], at=at, config=config, facts=facts)
    _check_names(made, targets)
    return targets, tuple(made)


def labels_of(recipe: Recipe, groups: Sequence[list[Group]]) -> list[tuple[Key, ...]]:
    """Return, for each label image of a plan, the label planes that a well's calls make."""
    return [
        tuple(
            dict.fromkeys(
                key for group in groups[label.step - 1] if makes(label, group) for key in label_keys(group.inputs)
            )
        )
        for label in recipe.labels
    ]


def makes(label: LabelTarget, group: Group) -> bool:
    """Return whether a call of the label's step makes it."""
    return group.chain in label.chains and label.channel in (None, group.inputs[0][3])


def _outputs(step: FunctionStep, planned: PlanStep) -> list[_Output]:
    found = {name: keys for name, (kind, keys) in outputs_of(step).items() if kind == LABELS}
    return [_Output(step=step, planned=planned, name=name, chains=keys) for name, keys in found.items()]


def _home(targets: tuple[Target, ...], number: int, layers: list[Layer], steps: Sequence[int]) -> int | None:
    """Return the place of the stored images that the labels of a step go beneath, kept after one of ``steps``."""
    for after in steps:
        for place, target in enumerate(targets):
            if target.after == after and target.backend == ZARR and _grid(layers[after]) == _grid(layers[number - 1]):
                return place
    return None


def _grid(layer: Layer) -> tuple[object, ...]:
    return layer.plane_shape, [(number, axes[0], axes[1], axes[3]) for number, axes in sorted(layer.axes.items())]


def _added(output: _Output, planned: Sequence[PlanStep], before: Layer, config: GlobalPipelineConfig) -> Target:
    after = output.planned.number - 1
    folder = f"{after}_{planned[after - 1].name}" if after else "0_plate"
    why = f"labels {output.name} go beneath it"
    return replace(zarr_target(after, f"steps/{folder}.zarr", before, config), why=why)


def _images(
    index: PlateIndex,
    output: _Output,
    before: Layer,
    target: Target,
    *,
    at: int,
    config: GlobalPipelineConfig,
    facts: Facts,
) -> list[LabelTarget]:
    plan = output.planned
    probed = facts.probed.get(plan.number)
    dtype = probed.labels.get(output.name) if probed else None
    if dtype is None or probed is None:
        raise PlanError(
            f"step {plan.number} ({plan.name}) makes labels {output.name!r}, and no call of it was tried, so their "
            "dtype is not known. Choose wells (--wells) in which it has work.",
            step=plan.name,
        )
    axes = {number: (sites, ts, (0,), zs) for number, (sites, ts, _, zs) in before.axes.items()}
    size = stored(replace(before, axes=axes, dtype=dtype), config.zarr, without_channels=True)
    return [
        LabelTarget(
            step=plan.number,
            output=output.name,
            name=name,
            channel=channel,
            chains=output.chains,
            target=at,
            dtype=dtype,
            known=f"probed {probed.planes_in}",
            levels=target.levels,
            objects=size.objects,
            raw_bytes=size.raw_bytes,
        )
        for channel, name in _names_by_channel(index, output, before).items()
    ]


def _names_by_channel(index: PlateIndex, output: _Output, before: Layer) -> Mapping[int | None, str]:
    """Return the names of the label images by channel; None where one call sees all channels."""
    if "channel" in output.planned.stacks:
        return {None: output.name}
    channels = _channels(output, before)
    if len(channels) == 1:
        return {channels[0]: output.name}
    known = {channel.number: channel.name for channel in index.channels}
    words = {number: _UNLAWFUL.sub("_", known.get(number, str(number))).strip(".") for number in channels}
    counts = Counter(word.casefold() for word in words.values())
    return {
        number: f"{output.name}_{word}" if word and counts[word.casefold()] == 1 else f"{output.name}_{word}_{number}"
        for number, word in words.items()
    }


def _channels(output: _Output, before: Layer) -> list[int]:
    """Return the channels, over the plate, whose calls give an output."""
    plan = output.planned
    channels = sorted({channel for axes in before.axes.values() for channel in axes[2]})
    if plan.group_by != "channel":
        return channels
    return [channel for channel in channels if plan.picks.get(str(channel)) in output.chains]


def _check_names(made: Sequence[LabelTarget], targets: Sequence[Target]) -> None:
    seen: dict[tuple[int, str], LabelTarget] = {}
    for label in made:
        # Many file systems do not tell capitals from small letters.
        other = seen.setdefault((label.target, label.name.casefold()), label)
        if other is not label:
            where = targets[label.target].path or "the store"
            raise PlanError(
                f"steps {other.step} and {label.step} both make labels {label.name!r} beneath the images of {where}. "
                "Give one of them another name in special_outputs."
                if other.step != label.step
                else f"step {label.step} makes labels {other.name!r} and {label.name!r} beneath the same images; "
                "give one of them another name in special_outputs."
            )
