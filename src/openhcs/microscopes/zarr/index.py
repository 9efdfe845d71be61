"""The whole index of an OME-Zarr plate: every well and image that its outline leads to, looked at once."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from openhcs.core.plate import PlaneState, PlateIndex, Unmatched, sorted_planes
from openhcs.microscopes.limits import check_promise, check_size
from openhcs.microscopes.zarr.images import Lost, plane

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from openhcs.core.plate import Plane
    from openhcs.microscopes.outline import SiteImage
    from openhcs.microscopes.zarr.images import Image
    from openhcs.microscopes.zarr.outline import ZarrOutline

    Kind = tuple[str | None, tuple[int, int] | None]
    """dtype and shape of a plane"""

NO_PIXEL_SIZE = "no pixel size is known: the axes y and x have no scale with a unit of length"


def build_index(outline: ZarrOutline) -> PlateIndex:
    """Return every plane of a plate.

    Raises
    ------
    FormatError
        a document is damaged, or promises what cannot be.
    """
    return _Index(outline).build()


class _Index:
    def __init__(self, outline: ZarrOutline) -> None:
        self.outline = outline
        self.images: list[SiteImage] = []
        self.lost: list[Lost] = []
        self.lost_wells: list[str] = []
        self.unmatched: list[Unmatched] = []
        self.warnings: list[str] = list(outline.grid.warnings)

    def build(self) -> PlateIndex:
        outline = self.outline
        for well, path in outline.grid.wells.items():
            self._well(well, path)
        dtype, shape = self._common_kind()
        planes = [one for image in self.images for one in self._planes_of(image, (dtype, shape))]
        planes += self._promised(planes)
        positions = {(one.well, one.site): one.position_um for one in reversed(self.images) if one.position_um}
        document = outline.store.document
        wells = len(outline.grid.wells)
        version = f" of version {outline.version}" if outline.version else ""
        index = PlateIndex(
            name=outline.name,
            root=outline.root,
            microscope=outline.microscope,
            rows=outline.grid.rows,
            columns=outline.grid.columns,
            planes=sorted_planes(planes),
            channels=outline.numbered.all({one.channel for one in planes}),
            acquisitions=outline.known_acquisitions.all({one.acquisition for one in planes}),
            pixel_size_um=next((one.pixel_size_um for one in self.images if one.pixel_size_um), None),
            z_step_um=next((one.z_step_um for one in self.images if one.z_step_um), None),
            dtype=dtype,
            plane_shape=shape,
            positions=positions if any(any(place) for place in positions.values()) else {},
            metadata_files=() if outline.own else (document,),
            **outline.told,
            unmatched=tuple(self.unmatched),
            warnings=tuple(dict.fromkeys(self.warnings)),
            why=f"{document} describes an OME-Zarr plate{version}; it lists {wells} well{'s' * (wells != 1)}"
            + (" and was written by openhcs" if outline.own else ""),
        )
        return check_size(index)

    def _well(self, well: str, path: str) -> None:
        listed = self.outline.listed(well)
        if listed is None:
            self.warnings.append(f"well {well} is listed and not there: {path}")
            self.lost_wells.append(well)
            return
        for entry in listed:
            found = self.outline.looked(entry)
            if isinstance(found, Lost):
                self.warnings.append(found.told)
                self.lost.append(found)
                continue
            self.images.append(found)
            if found.pixel_size_um is None:
                self.warnings.append(NO_PIXEL_SIZE)

    def _common_kind(self) -> Kind:
        """Return the dtype and shape of most images; others are told of."""
        kinds: Counter[Kind] = Counter((one.dtype, one.plane_shape) for one in self.images)
        if not kinds:
            return None, None
        most = kinds.most_common(1)[0][0]
        for one in self.images:
            if (one.dtype, one.plane_shape) != most:
                reason = f"{one.dtype} of {one.plane_shape} pixels where most images are {most[0]} of {most[1]}"
                self.unmatched.append(Unmatched(path=one.levels[0], reason=reason))
        return most

    def _planes_of(self, image: SiteImage, common: Kind) -> Iterator[Plane]:
        """Yield an image's planes; those of another size or dtype than most are missing."""
        same = (image.dtype, image.plane_shape) == common
        for one in image.planes:
            lost = one.state is PlaneState.PRESENT and not same
            yield replace(one, source=None, state=PlaneState.MISSING) if lost else one

    def _promised(self, planes: Iterable[Plane]) -> Iterator[Plane]:
        """Yield a missing plane for every place of what is listed and not there."""
        axes: dict[int, tuple[set[int], set[int], set[int]]] = {}
        sites: dict[int, set[int]] = {}
        known = 0
        for known, one in enumerate(planes, start=1):  # noqa: B007
            ts, channels, zs = axes.setdefault(one.acquisition, (set(), set(), set()))
            ts.add(one.t)
            channels.add(one.channel)
            zs.add(one.z)
            sites.setdefault(one.acquisition, set()).add(one.site)
        single = ({1}, {self.outline.numbered.first}, {1})
        promised = 0
        for image in self._absent_images(sites):
            places = axes.get(image[1], single)
            promised += math.prod(map(len, places))
            check_promise(promised, known, self.outline.store.document)
            for place in itertools.product(*places):
                yield plane(image, place, PlaneState.MISSING)

    def _absent_images(self, sites: Mapping[int, Iterable[int]]) -> Iterator[Image]:
        for well in self.lost_wells:
            # A whole well would hold what other wells hold.
            for acquisition, known in (sites or {self.outline.known_acquisitions.first: self.outline.fields}).items():
                yield from ((well, acquisition, site) for site in known)
        for lost in self.lost:
            acquisition, site = lost.numbers or self.outline.expected(lost.entry)
            yield lost.entry.well, acquisition, site
