"""Where the files of one wave belong: which are planes, which projections, which are copies of another.

An export writes a wave of a single plane into every ``ZStep`` folder, and one of few time points into
every ``TimePoint``, each time the same image. What is a copy is seen on one site that has most files and
held against others; a projection says so in its header, and else its folder does.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openhcs.core.plate import Unmatched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from openhcs.core.plate import FileSource
    from openhcs.microscopes.metaxpress.headers import Headers

    Spots = dict[tuple[int, int], FileSource]
    """(t, z) as the folders say → the file there"""

PLANES, PROJECTIONS = 0, 1
MOST_COMPARED = 5000
"""Files of one site along one axis that are held against each other."""
SITES_COMPARED = 20
"""Further sites on which copies are looked at."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One plane that a file holds."""

    well: str
    site: int
    wave: int
    acquisition: int
    t: int
    z: int
    source: FileSource


@dataclass(slots=True)
class Wave:
    """All files of one wave, by their site."""

    number: int
    images: dict[tuple[str, int], Spots] = field(default_factory=dict)
    copies_in_z: dict[int, int] = field(default_factory=dict)
    """z → the first z that holds the same image"""
    copies_in_t: dict[int, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def fullest(self) -> Spots:
        """Return the files of the site that has most of them."""
        return max(self.images.values(), key=len)

    def first_at(self, z: int, most: int = 3) -> list[FileSource]:
        """Return some files in a ``ZStep``."""
        found: list[FileSource] = []
        for spots in self.images.values():
            found += [source for (_, own), source in spots.items() if own == z][: most - len(found)]
            if len(found) >= most:
                break
        return found


@dataclass(slots=True)
class Settled:
    """The planes of all waves, and the files that are copies of theirs."""

    spots: list[Spot] = field(default_factory=list)
    copies: list[Unmatched] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    stacked: bool = False
    """whether some file lies in a ``ZStep`` folder of planes"""


def settle(waves: Iterable[Wave], headers: Headers) -> Settled:
    """Return where every file of a plate belongs."""
    listed = list(waves)
    for axis in ("z", "t"):
        _find_copies(listed, axis, headers)
    settled = Settled(stacked=any(z > 0 for wave in listed for spots in wave.images.values() for _, z in spots))
    for wave in listed:
        roles = _roles(wave, headers, stacked=settled.stacked)
        if wave.copies_in_z or wave.copies_in_t:
            _place_with_copies(wave, roles, settled)
        else:
            settled.spots += [
                Spot(well, site, wave.number, roles[z][0], t, roles[z][1], source)
                for (well, site), spots in wave.images.items()
                for (t, z), source in spots.items()
            ]
        settled.warnings += wave.warnings
    return settled


def _find_copies(waves: Sequence[Wave], axis: str, headers: Headers) -> None:
    """Note for each wave which of its files along an axis are copies.

    Files without a description that are alike may as well be of a camera that saw nothing; they are
    copies only where another wave has planes that differ.
    """
    found: dict[int, dict[int, int]] = {}
    differ = False
    for wave in waves:
        line = _line(wave, wave.fullest(), axis)
        if len(line) < 2:
            continue
        pattern = _pattern(line, headers)
        differ = differ or len(pattern) < len(line) - 1
        if pattern and _holds(wave, pattern, axis, headers):
            found[wave.number] = pattern
    for wave in waves:
        pattern = found.get(wave.number, {})
        if pattern and (differ or headers.tells(next(iter(_line(wave, wave.fullest(), axis).values())))):
            if axis == "z":
                wave.copies_in_z = pattern
            else:
                wave.copies_in_t = pattern


def _line(wave: Wave, spots: Spots, axis: str) -> dict[int, FileSource]:
    """Return the files of one site along an axis, originals first: planes before the folder of projections."""
    if axis == "z":
        t = min(t for t, _ in spots)
        line = {z: source for (own, z), source in spots.items() if own == t}
        return {z: line[z] for z in sorted(line, key=lambda z: (z <= 0, z))}
    depths = Counter(z for _, z in spots if z not in wave.copies_in_z)
    z = max(depths, key=lambda z: (depths[z], -z), default=None)
    return {t: spots[t, z] for t in sorted(t for t, own in spots if own == z)} if z is not None else {}


def _pattern(line: Mapping[int, FileSource], headers: Headers) -> dict[int, int]:
    if len(line) > MOST_COMPARED:
        return {}
    sizes = Counter(source.size for source in line.values())
    alike = [(number, source) for number, source in line.items() if sizes[source.size] > 1]
    if len(alike) > 1 and not headers.tells(alike[0][1]) and headers.mark(alike[0][1]) != headers.mark(alike[1][1]):
        return {}
    firsts: dict[object, int] = {}
    pattern = {}
    for number, source in alike:
        first = firsts.setdefault(headers.mark(source), number)
        if first != number:
            pattern[number] = first
    return pattern


def _holds(wave: Wave, pattern: Mapping[int, int], axis: str, headers: Headers) -> bool:
    """Return whether copies that were seen on one site are copies on others too."""
    images = list(wave.images.items())
    for (well, site), spots in images[:: max(1, len(images) // SITES_COMPARED)]:
        line = _line(wave, spots, axis)
        for number, first in pattern.items():
            if number in line and first in line and headers.mark(line[number]) != headers.mark(line[first]):
                wave.warnings.append(
                    f"wave {wave.number}: {line[number].path} is no copy of {line[first].path}, though such files "
                    f"are on other sites; all of this wave are kept as planes (seen on {well} site {site})"
                )
                return False
    return True


def _roles(wave: Wave, headers: Headers, *, stacked: bool) -> dict[int, tuple[int, int]]:
    """Return the acquisition and z of each ``ZStep`` that is no copy."""
    seen = {z for spots in wave.images.values() for _, z in spots}
    originals = sorted(seen - wave.copies_in_z.keys())
    steps = [z for z in originals if z > 0]
    flats = [z for z in originals if z <= 0]
    roles = {z: (PLANES, z) for z in steps}
    if len(steps) == 1 and not flats and _is_projection(wave, steps[0], headers):
        roles[steps[0]] = (PROJECTIONS, 1)
    for z in flats:
        said = _is_projection(wave, z, headers)
        by_folder = bool(steps) or (stacked and said is None)
        roles[z] = (PROJECTIONS, 1) if said or by_folder else (PLANES, 1)
    return roles


def _is_projection(wave: Wave, z: int, headers: Headers) -> bool | None:
    """Return what the headers say; None where they say nothing."""
    for source in wave.first_at(z):
        if headers.tells(source):
            return headers.facts(source).projection is not None
    return None


def _place_with_copies(wave: Wave, roles: Mapping[int, tuple[int, int]], settled: Settled) -> None:
    before = len(settled.copies)
    odd: list[str] = []
    for (well, site), spots in wave.images.items():
        held: dict[tuple[int, int, int], FileSource] = {}
        for (t, z), source in sorted(spots.items(), key=lambda one: _is_copy(wave, *one[0])):
            own_t, own_z = wave.copies_in_t.get(t, t), wave.copies_in_z.get(z, z)
            acquisition, plane = roles.get(own_z, (PLANES, max(own_z, 1)))
            place = (acquisition, own_t, plane)
            first = held.get(place)
            if first is not None and first.size == source.size:
                reason = f"the same image as {first.path}, kept once"
                settled.copies.append(Unmatched(path=source.path, reason=reason))
                continue
            if first is not None:
                odd.append(source.path)
                place = (acquisition, t, max(z, 1))
            held[place] = source
            settled.spots.append(Spot(well, site, wave.number, *place, source))
    copies = settled.copies[before:]
    if copies:
        settled.warnings.append(
            f"wave {wave.number}: {_told(wave)}; copies left out: {len(copies)}, such as {copies[0].path}"
        )
    if odd:
        settled.warnings.append(
            f"wave {wave.number}: files that differ from what they should be copies of are kept as planes: {len(odd)}, "
            f"such as {odd[0]}"
        )


def _is_copy(wave: Wave, t: int, z: int) -> tuple[bool, int, int]:
    return (t in wave.copies_in_t or z in wave.copies_in_z, t, z)


def _told(wave: Wave) -> str:
    axes = [("ZStep", wave.copies_in_z), ("TimePoint", wave.copies_in_t)]
    where = " and ".join(f"{name} folders" for name, pattern in axes if pattern)
    return f"the same image lies in several {where} and is kept once"
