"""What the documents of an ImageXpress HCS.ai run promise of the sites that its tables name."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from openhcs.microscopes.assemble import not_recorded
from openhcs.microscopes.limits import check_promise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from openhcs.core.plate import Key, Plane
    from openhcs.microscopes.hcsai.table import Row
    from openhcs.microscopes.hcsai.units import Unit

    Axes = tuple[int, int, list[int], list[int]]
    """wavelength, acquisition, time points, planes"""

PLANES, PROJECTIONS = 0, 1
STACK = "3-D"
"""The mode of a wavelength that is imaged in several planes."""


def stacked_waves(units: Iterable[Unit]) -> set[int]:
    """Return the wavelengths whose stacks lie in a unit of their own."""
    return {image.row.wave for unit in units if unit.stacks for image in unit.images}


def promised_planes(units: Sequence[Unit], planes: Sequence[Plane], root: str) -> list[Plane]:
    """Return the planes that documents promise and that are not among ``planes``.

    A wavelength has the planes that it tells where it is imaged in 3-D, and every time point if it is of all
    that any wavelength of its unit has.

    Raises
    ------
    FormatError
        there are absurdly many.
    """
    there = {(plane.well, plane.key) for plane in planes}
    return [plane for unit in units for plane in _of_unit(unit, units, there, root)]


def _of_unit(unit: Unit, units: Sequence[Unit], there: set[tuple[str, Key]], root: str) -> Iterable[Plane]:
    if unit.jdce is None or not unit.images:
        return ()
    axes = list(_axes(unit, units))
    places = sorted({(image.row.well, image.row.site) for image in unit.images})
    promised = len(places) * sum(len(ts) * len(zs) for _, _, ts, zs in axes)
    check_promise(promised, len(unit.images), f"{root}/{unit.document}")
    return not_recorded(
        (
            (well, (acquisition, site, t, wave, z))
            for well, site in places
            for wave, acquisition, ts, zs in axes
            for t in ts
            for z in zs
        ),
        there,
    )


def _axes(unit: Unit, units: Sequence[Unit]) -> Iterator[Axes]:
    seen: dict[int, list[Row]] = defaultdict(list)
    projections: dict[int, int] = defaultdict(int)
    for image in unit.images:
        seen[image.row.wave].append(image.row)
        projections[image.row.wave] += image.projection
    every_t = {image.row.t for image in unit.images}
    stacked = set() if unit.stacks else stacked_waves(units)
    for wave in unit.jdce.wavelengths if unit.jdce else ():
        rows = seen.get(wave.number, [])
        if rows:
            projected = wave.number in stacked or projections[wave.number] * 2 > len(rows)
            ts, zs = {row.t for row in rows}, {row.z for row in rows}
            if wave.mode == STACK and not projected:
                zs |= set(range(wave.slices or 1))
            if ts == every_t:
                ts |= set(range(unit.jdce.time_points or 0 if unit.jdce else 0))
            yield wave.number, PROJECTIONS if projected else PLANES, sorted(ts), sorted(zs)
        elif len(units) == 1:
            steps = wave.slices or 1 if wave.mode == STACK else 1
            yield wave.number, PROJECTIONS if wave.projection else PLANES, [min(every_t)], list(range(steps))
