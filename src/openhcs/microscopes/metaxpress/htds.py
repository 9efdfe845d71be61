"""Which HTD of a folder is a plate's, and the planes that it promises and no file holds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openhcs.core.wells import well_key
from openhcs.microscopes.assemble import not_recorded
from openhcs.microscopes.limits import check_promise
from openhcs.microscopes.metaxpress.htd import parse_htd
from openhcs.microscopes.metaxpress.names import parse_folder
from openhcs.microscopes.metaxpress.waves import PLANES, PROJECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from openhcs.core.plate import Files, FileSource, Plane
    from openhcs.microscopes.metaxpress.htd import Protocol
    from openhcs.microscopes.metaxpress.waves import Settled, Spot

    Seen = dict[tuple[int, int], tuple[set[int], set[int]]]
    """(acquisition, wave) → time points and z planes of its files"""

MOST_COMPARED = 200
"""HTDs whose bytes are held against the one that is read; of more, those of equal size count as its copies."""


@dataclass(slots=True)
class Promise:
    """What the HTD of a plate says, if there is one that can be believed."""

    path: str | None = None
    protocol: Protocol | None = None
    documents: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def find_htd(files: Files, htds: Sequence[FileSource], home: str, plate: str) -> Promise:
    """Return what the HTD nearest to a plate says.

    Parameters
    ----------
    home
        the plate's own folder.
    plate
        its name as its images have it: an HTD named so goes first, the highest of them.

    Raises
    ------
    FormatError
        that HTD is damaged.
    """
    found = Promise()
    near = [htd for htd in htds if _is_near(htd.path, home)]
    if len(near) < len(htds):
        far = next(htd.path for htd in htds if not _is_near(htd.path, home))
        found.warnings.append(f"HTD files of other folders are not read: {len(htds) - len(near)}, such as {far}")
    if not near:
        return found
    chosen = min(near, key=lambda htd: (_stem(htd.path) != plate, htd.path.count("/"), htd.path))
    data = files.read_bytes(chosen.path)
    found.path, found.protocol = chosen.path, parse_htd(data, chosen.path)
    others = [htd for htd in near if htd.path != chosen.path]
    found.documents += [chosen.path, *(htd.path for htd in others)]
    differing = [
        htd.path
        for number, htd in enumerate(others)
        if htd.size != chosen.size or (number < MOST_COMPARED and files.read_bytes(htd.path) != data)
    ]
    if differing:
        found.warnings.append(
            f"HTD files differ: {chosen.path} is read, {len(differing)} others are not, such as {differing[0]}"
        )
    if not found.protocol.whole:
        found.warnings.append(f"{chosen.path} has no EndFile at its end: it may be cut short and promise too little")
    return found


def _is_near(path: str, home: str) -> bool:
    own = parse_folder(path.rpartition("/")[0])[0]
    return own in {home, ""} or home.startswith(f"{own}/")


def _stem(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0]


def believed(promise: Promise, spots: Sequence[Spot], plate: str) -> Protocol | None:
    """Return the protocol, None where it is another plate's; what it does not know is told."""
    protocol, path = promise.protocol, promise.path
    if protocol is None or path is None:
        return None
    wells = {spot.well for spot in spots}
    if wells.isdisjoint(protocol.wells):
        promise.warnings.append(
            f"{path} selects none of the {len(wells)} wells that images are of: it is another plate's, and not used"
        )
        return None
    if _stem(path) != plate:
        promise.warnings.append(f"{path} is named otherwise than the images, which are of {plate}")
    told = (
        ("wells", wells - set(protocol.wells)),
        ("sites", {spot.site for spot in spots} - {*protocol.sites, *protocol.cells}),
        ("waves", {spot.wave for spot in spots} - protocol.waves.keys()),
        ("time points", {spot.t for spot in spots} - set(range(1, protocol.time_points + 1))),
        ("z steps", {spot.z for spot in spots} - set(range(1, protocol.z_steps + 1))),
    )
    for what, unknown in told:
        if unknown:
            first = min(unknown, key=lambda one: well_key(one) if isinstance(one, str) else (one, 0))
            promise.warnings.append(
                f"images are of {what} that {path} does not tell of: {len(unknown)}, such as {first}"
            )
    return protocol


def promised_planes(protocol: Protocol, settled: Settled, document: str) -> Iterator[Plane]:
    """Yield the planes that a protocol promises and no file holds.

    A wave is a stack where two of its planes were seen, or where none of any wave were and there are folders
    of steps; it has a projection where one was seen, and is of every time point if it is of all that any wave
    has. Of a wave without a file the least is promised: one plane at the first time point.

    Raises
    ------
    FormatError
        there are absurdly many.
    """
    spots = settled.spots
    seen: Seen = defaultdict(lambda: (set(), set()))
    for spot in spots:
        known = seen[spot.acquisition, spot.wave]
        known[0].add(spot.t)
        known[1].add(spot.z)
    sites = _sites(protocol, spots)
    axes = [
        (acquisition, wave, ts, zs)
        for wave in protocol.waves
        for acquisition, ts, zs in _axes(protocol, wave, seen, stacked=settled.stacked)
    ]
    of_a_site = sum(len(times) * len(planes) for _, _, times, planes in axes)
    check_promise(len(protocol.wells) * len(sites) * of_a_site, len(spots), document)
    return not_recorded(
        (
            (well, (acquisition, site, t, wave, z))
            for well in protocol.wells
            for site in sites
            for acquisition, wave, ts, zs in axes
            for t in ts
            for z in zs
        ),
        {(spot.well, (spot.acquisition, spot.site, spot.t, spot.wave, spot.z)) for spot in spots},
    )


def _sites(protocol: Protocol, spots: Iterable[Spot]) -> tuple[int, ...]:
    """Return the sites as images number them: over the chosen cells of the grid, or over all."""
    seen = {spot.site for spot in spots}
    return protocol.sites if seen <= set(protocol.sites) or not seen <= set(protocol.cells) else protocol.cells


def _axes(
    protocol: Protocol, wave: int, seen: Seen, *, stacked: bool
) -> Iterator[tuple[int, Sequence[int], Sequence[int]]]:
    """Yield the time points and z planes that a wave promises in each acquisition."""
    if not any((acquisition, wave) in seen for acquisition in (PLANES, PROJECTIONS)):
        yield PLANES, (1,), (1,)
        return
    every_t = {t for ts, _ in seen.values() for t in ts}
    unclear = stacked and all(len(zs) == 1 for _, zs in seen.values())
    for acquisition in (PLANES, PROJECTIONS):
        ts, zs = seen.get((acquisition, wave), (set(), set()))
        if not zs:
            continue
        times = sorted(ts | set(range(1, protocol.time_points + 1))) if ts == every_t else sorted(ts)
        stack = acquisition == PLANES and (len(zs) > 1 or unclear)
        yield acquisition, times, sorted(zs | set(range(1, protocol.z_steps + 1))) if stack else sorted(zs)
