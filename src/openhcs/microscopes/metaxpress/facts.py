"""What the headers of a plate's images say, gathered: channels, sizes, places, heights."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from openhcs.core.plate import Channel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.microscopes.metaxpress.headers import Headers
    from openhcs.microscopes.metaxpress.metaseries import Facts
    from openhcs.microscopes.metaxpress.waves import Spot

ALL_READ = 2000
"""Of a plate of up to so many planes every header is read."""
STACK_READ = 500
"""Of a larger one, so many of its first site,"""
SITES_READ = 20_000
"""and one of each of so many sites, and of each wave."""
COPIED = "Copy of "


def sample(spots: Sequence[Spot]) -> list[Spot]:
    """Return the planes whose headers are read."""
    if len(spots) <= ALL_READ:
        return list(spots)
    chosen: list[Spot] = []
    kinds: set[tuple[int, int]] = set()
    sites: set[tuple[str, int]] = set()
    of_first = 0
    for spot in spots:
        site, kind = (spot.well, spot.site), (spot.acquisition, spot.wave)
        of_first += site == (spots[0].well, spots[0].site)
        if (
            kind not in kinds
            or (site not in sites and len(sites) < SITES_READ)
            or (of_first <= STACK_READ and site == (spots[0].well, spots[0].site))
        ):
            chosen.append(spot)
            kinds.add(kind)
            sites.add(site)
    return chosen


class Gathered:
    """The facts of the planes of a sample."""

    def __init__(self, spots: Sequence[Spot], headers: Headers) -> None:
        self.known: dict[str, Facts] = {spot.source.path: headers.facts(spot.source) for spot in spots}
        self.told = [(spot, self.known[spot.source.path]) for spot in spots]
        self.start = min((one.acquired for one in self.known.values() if one.acquired), default=None)
        self.warnings: list[str] = []

    def first(self, field: str) -> str | None:
        """Return what the first image says that says anything of it."""
        return next((text for _, facts in self.told if (text := getattr(facts, field))), None)

    def measures(self, path: str) -> tuple[float | None, float | None]:
        """Return the height in µm and the seconds since the start of an image, None where not known."""
        facts = self.known.get(path)
        if facts is None:
            return None, None
        late = (facts.acquired - self.start).total_seconds() if facts.acquired and self.start else None
        return (
            None if facts.z_um is None else round(facts.z_um, 3),
            None if late is None else round(late, 3),
        )

    def pixel_size(self) -> tuple[float, float] | None:
        """Return the size that most images tell, (y, x)."""
        sizes = Counter(facts.pixel_size_um for _, facts in self.told if facts.pixel_size_um)
        if len(sizes) > 1:
            told = ", ".join(f"{y} × {x} µm: {count}" for (y, x), count in sizes.most_common(3))
            self.warnings.append(f"images tell of {len(sizes)} pixel sizes, and the most common is taken: {told}")
        return sizes.most_common(1)[0][0] if sizes else None

    def positions(self) -> dict[tuple[str, int], tuple[float, float]]:
        """Return the stage position (x, y) of each site, of its first image that tells one."""
        found: dict[tuple[str, int], tuple[float, float]] = {}
        for spot, facts in self.told:
            if facts.position_um is not None:
                found.setdefault((spot.well, spot.site), facts.position_um)
        return found

    def z_step(self) -> float | None:
        """Return the distance of planes: the one set on the microscope, else the usual one measured in a stack."""
        told = Counter(facts.z_step_um for _, facts in self.told if facts.z_step_um)
        if told:
            return told.most_common(1)[0][0]
        stacks: dict[tuple[object, ...], dict[int, float]] = defaultdict(dict)
        for spot, facts in self.told:
            if facts.z_um is not None and spot.acquisition == 0:
                stacks[spot.well, spot.site, spot.wave, spot.t][spot.z] = facts.z_um
        heights = max(stacks.values(), key=len, default={})
        steps = [abs(heights[b] - heights[a]) / (b - a) for a, b in pairwise(sorted(heights))]
        return round(median(steps), 6) or None if steps else None

    def channels(self, promised: Mapping[int, str]) -> list[Channel]:
        """Return all channels: named by the protocol, else by the setting of the light.

        Where several have one setting, by their images, if that tells them apart.
        """
        facts: dict[int, Facts] = {}
        for spot, one in self.told:
            if spot.wave not in facts or facts[spot.wave].acquired is None:
                facts[spot.wave] = one
        names = {wave: promised.get(wave) or facts[wave].illumination or str(wave) for wave in facts}
        if len(set(names.values())) < len(names):
            apart = {wave: (facts[wave].image_name or "").removeprefix(COPIED) for wave in facts}
            if all(apart.values()) and len(set(apart.values())) == len(apart):
                names = apart
        return [
            *(_channel(wave, names[wave], one) for wave, one in facts.items()),
            *(Channel(number=wave, name=name or str(wave)) for wave, name in promised.items() if wave not in facts),
        ]


def _channel(number: int, name: str, facts: Facts) -> Channel:
    return Channel(
        number=number,
        name=name,
        emission_nm=facts.emission_nm,
        exposure_ms=facts.exposure_ms,
        objective=facts.objective,
        magnification=facts.magnification,
        numerical_aperture=facts.numerical_aperture,
        binning=facts.binning,
    )
