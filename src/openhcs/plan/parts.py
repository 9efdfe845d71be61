"""What a plan is made of: images between steps, steps, and what is kept of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Axes = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Sites, time points, channels and z planes of one acquisition, over the whole plate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What the images look like after a step: labels per acquisition, dtype, (y, x)."""

    axes: Mapping[int, Axes]
    dtype: str
    plane_shape: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """A special input of a step.

    Parameters
    ----------
    name
        of the special output that it is.
    step, made_by
        number of the step that makes it, and the keys of its functions that do; 0 and below: a step of
        an earlier stage.
    kind
        of the output.
    chains
        keys of the functions that take it.
    match
        components in which the maker's call and the taker's must agree.
    several
        whether the functions get a list: calls that differ in other components belong to one of theirs.
    """

    name: str
    step: int
    made_by: tuple[str | None, ...]
    kind: str
    chains: tuple[str | None, ...]
    match: tuple[str, ...] = ()
    several: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One step of the plan, the same for every well.

    ``picks`` maps a component's value to the key of its functions; empty when one chain serves all.
    ``out`` is "same", "one" or labels; ``known`` says how that became known. ``scratch`` is what a call was seen
    to take beyond its stack and what comes out, in bytes per byte of its stack; None: no call was tried.
    ``takes`` are its special inputs. ``opaque`` are kinds of things that its functions hold and no fingerprint
    tells. ``passes`` says that its images are the very ones that came in.
    """

    number: int
    name: str
    stacks: tuple[str, ...]
    group_by: str | None = None
    picks: Mapping[str, str] = field(default_factory=dict)
    unmatched: str = "error"
    out: str | tuple[int, ...] = "same"
    known: str = "said"
    scratch: float | None = None
    layer: Layer
    reads: str = "memory"
    writes: tuple[str, ...] = ()
    why: str = ""
    fingerprint: str = ""
    opaque: tuple[str, ...] = ()
    takes: tuple[Take, ...] = ()
    passes: bool = False

    @property
    def over_wells(self) -> bool:
        """Whether it stacks wells: then it is called once for all wells, with special inputs alone."""
        return "well" in self.stacks


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Images that are kept: after which step (0: as read), through which backend, where in the output.

    ``levels`` counts resolution levels; ``objects`` and ``raw_bytes`` are for one full site image. ``why``
    is told of images that are kept for something else's sake.
    """

    after: int
    backend: str
    path: str
    layer: Layer
    levels: int
    objects: int
    raw_bytes: int
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTarget:
    """Label images that are kept: one beneath each site image of a target that has labels.

    Parameters
    ----------
    step, output
        number of the step that makes them, and their name as it declares it.
    name
        of the label image.
    channel
        the channel whose calls make them; None where one call sees all channels.
    chains
        keys of the step's functions that make them.
    target
        place among the plan's targets.
    known
        how the dtype became known.
    objects, raw_bytes
        of one label image with its levels.
    """

    step: int
    output: str
    name: str
    channel: int | None
    chains: tuple[str | None, ...]
    target: int
    dtype: str
    known: str
    levels: int
    objects: int
    raw_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A special output that is no label image: a table, polygons, an array, an object, or files of its own.

    Parameters
    ----------
    step, name, kind
        number of the step that makes it, its name, and what it is.
    chains
        keys of the step's functions that make it.
    place
        components that a call of it has one of: site, timepoint, channel, z_index.
    path
        where it goes in the output: a folder with one for each well, for tables two files of this name.
    over_wells
        it is one for the whole plate.
    bytes
        of an array that one call makes, as far as it was seen.
    """

    step: int
    name: str
    kind: str
    chains: tuple[str | None, ...]
    place: tuple[str, ...]
    path: str
    over_wells: bool = False
    bytes: int = 0
