"""From the ``TiffData`` of an image to its planes: which page of which file, and what is not there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openhcs.core.plate import FileSource, PlaneState
from openhcs.errors import FormatError
from openhcs.microscopes.limits import check_promise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from openhcs.core.plate import Plane
    from openhcs.microscopes.ome.files import Finder, KnownFiles, Told
    from openhcs.microscopes.ome.model import OmeBlock, OmeImage

LOOKED_AT = 400
"""Of so many files of several pages it is looked up how many they have; more are believed."""

Place = tuple[int, int, int]
"""z, c, t from 0."""


@dataclass(frozen=True, slots=True)
class Located:
    """One plane of an image: where it is, its page, and whether that is there."""

    place: Place
    source: FileSource | None
    state: PlaneState


@dataclass(slots=True)
class Locator:
    """Finds the planes of images, and counts what is odd about them."""

    files: KnownFiles
    finder: Finder
    promised: int = 0
    found: int = 0
    looked_at: set[str] = field(default_factory=set)
    shared: list[str] = field(default_factory=list)
    """Names of planes whose page is another plane's."""
    short: dict[str, int] = field(default_factory=dict)
    """Files with fewer pages than named → how many they have."""
    lost: int = 0
    """Planes that an image's sizes promise and no ``TiffData`` names."""
    renamed: dict[str, str] = field(default_factory=dict)
    """Names that documents use → the file that is meant."""

    def planes(self, told: Told, image: OmeImage) -> list[Located]:
        """Return the planes of an image; those that its sizes promise and nothing names come last.

        Raises
        ------
        FormatError
            it has several values per pixel, or promises far more planes than are there.
        """
        self._refuse_colour(told, image)
        found: dict[Place, Located] = {}
        pages: dict[tuple[str, int], Place] = {}
        skipped: set[Place] = set()
        for block in image.blocks:
            for one in self._of_block(told, image, block):
                if one.place in found and found[one.place].source == one.source:
                    continue
                page = (one.source.path, one.source.page) if one.source else None
                if page is not None and one.place not in found and pages.setdefault(page, one.place) != one.place:
                    skipped.add(one.place)
                elif one.place in found:
                    self._twice(told, image, found[one.place], one)
                else:
                    found[one.place] = one
        skipped -= found.keys()
        self.shared += [f"{image.name or image.id} z {z}, c {c}, t {t}" for z, c, t in sorted(skipped)[:3]]
        located = list(found.values())
        return [*located, *self._not_recorded(told, image, found.keys() | skipped)]

    def _refuse_colour(self, told: Told, image: OmeImage) -> None:
        samples = max((channel.samples for channel in image.channels), default=1)
        if samples > 1:
            raise FormatError(
                f"{told.path}: image {image.name or image.id} has {samples} values per pixel (RGB); a plane has one. "
                "Write each colour as a channel of its own.",
                path=told.path,
            )

    def _of_block(self, told: Told, image: OmeImage, block: OmeBlock) -> Iterator[Located]:
        sizes = dict(zip("ZCT", image.sizes, strict=True))
        axes = image.order[2:]
        place = {"Z": block.z, "C": block.c, "T": block.t}
        start, step = 0, 1
        for axis in axes:
            start, step = start + place[axis] * step, step * sizes[axis]
        file = self.finder.find(told, block.file, block.uuid)
        count = self._count(file, block, step)
        inside = all(place[axis] < sizes[axis] for axis in axes)
        if count > 1 and not inside:
            raise FormatError(
                f"{told.path}: image {image.id}: a TiffData of {count} planes begins outside the image's sizes",
                path=told.path,
            )
        count = min(count, step - start) if inside else count
        self._believe(told, file, count)
        first = block.ifd or 0
        there = None if file is None else self._pages(file, first + count)
        if file is not None and block.file and not file.path.endswith(block.file.replace("\\", "/")):
            self.renamed[block.file] = file.path
        for offset in range(count):
            where = place if count == 1 else _unravelled(start + offset, axes, sizes)
            page = first + offset
            if file is None:
                source = FileSource(_named_path(told, block.file), page) if block.file else None
                state = PlaneState.MISSING
            else:
                source = FileSource(file.path, page, file.size, file.mtime_ns)
                state = PlaneState.PRESENT if there is None or page < there else PlaneState.MISSING
                if state is PlaneState.MISSING:
                    self.short[file.path] = there or 0
            yield Located((where["Z"], where["C"], where["T"]), source, state)

    def _count(self, file: FileSource | None, block: OmeBlock, total: int) -> int:
        """Return how many planes a block names: without a count one page, or all where no page is named either."""
        if block.count is not None:
            return block.count
        if block.ifd is not None:
            return 1
        pages = None if file is None else self.files.pages(file.path)
        return total if pages is None else pages

    def _pages(self, file: FileSource, needed: int) -> int | None:
        """Return how many pages a file has where more than the first is meant, None where that is believed."""
        if needed <= 1 or (file.path not in self.looked_at and len(self.looked_at) >= LOOKED_AT):
            return None
        self.looked_at.add(file.path)
        return self.files.pages(file.path)

    def _believe(self, told: Told, file: FileSource | None, count: int) -> None:
        self.promised += count
        if file is not None:
            self.found += 1 if count == 1 else min(count, self.files.pages(file.path) or 0)
        check_promise(self.promised, self.found, told.path)

    def _twice(self, told: Told, image: OmeImage, one: Located, other: Located) -> None:
        if PlaneState.PRESENT not in {one.state, other.state}:
            return
        z, c, t = one.place
        raise FormatError(
            f"{told.path}: image {image.name or image.id}: the plane z {z}, c {c}, t {t} is said to be "
            f"{_told(one)} and {_told(other)}",
            path=told.path,
        )

    def _not_recorded(self, told: Told, image: OmeImage, known: Iterable[Place]) -> list[Located]:
        z, c, t = image.sizes
        seen = set(known)
        self.promised += max(0, z * c * t - len(seen))
        check_promise(self.promised, self.found, told.path)
        if z * c * t <= len(seen):
            return []
        places = [(k, j, i) for i in range(t) for j in range(c) for k in range(z) if (k, j, i) not in seen]
        self.lost += len(places)
        return [Located(place, None, PlaneState.NOT_RECORDED) for place in places]


def _unravelled(number: int, axes: str, sizes: dict[str, int]) -> dict[str, int]:
    place = {}
    for axis in axes:
        number, place[axis] = divmod(number, sizes[axis])
    return place


def _named_path(told: Told, name: str) -> str:
    folder = told.path.rpartition("/")[0]
    plain = name.replace("\\", "/")
    return f"{folder}/{plain}" if folder else plain


def _told(one: Located) -> str:
    return f"page {one.source.page} of {one.source.path}" if one.source else "nowhere"


def z_offsets(planes: Iterable[Plane]) -> dict[int, float]:
    """Return the height of each channel above the lowest one in the same z, in µm, where they differ.

    Seen on the first site and time where two channels of one z tell their heights.
    """
    groups: dict[tuple[str, int, int, int, int], dict[int, float]] = {}
    for plane in planes:
        if plane.z_um is not None:
            key = (plane.well, plane.acquisition, plane.site, plane.t, plane.z)
            groups.setdefault(key, {}).setdefault(plane.channel, plane.z_um)
    heights = max(groups.values(), key=len, default={})
    lowest = min(heights.values(), default=0.0)
    offsets = {channel: round(height - lowest, 3) for channel, height in heights.items()}
    return offsets if len(set(offsets.values())) > 1 else {}


def z_step(planes: Iterable[Plane]) -> float | None:
    """Return the distance of planes in µm, seen on the first stack that tells two heights."""
    first: dict[tuple[str, int, int, int, int], Plane] = {}
    for plane in planes:
        if plane.z_um is None:
            continue
        key = (plane.well, plane.acquisition, plane.site, plane.t, plane.channel)
        other = first.setdefault(key, plane)
        if other.z_um is not None and other.z != plane.z and other.z_um != plane.z_um:
            return round(abs((plane.z_um - other.z_um) / (plane.z - other.z)), 6)
    return None
