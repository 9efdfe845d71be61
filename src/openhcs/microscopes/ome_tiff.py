"""OME-TIFF plates: files that hold their own OME-XML, a companion document that names them, or both.

Every plane comes from a ``TiffData`` element, which says which page of which file it is; a file that is
named and not there is missing. Well samples of a plate say where images lie; without a plate each image
is a site of well A01 unless names of positions tell a well (``A1-Site_0``). Numbers count from 1.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from os.path import abspath
from typing import TYPE_CHECKING, Any

from openhcs.core.plate import Channel, Plane, PlaneState, Unmatched
from openhcs.microscopes.assemble import assemble
from openhcs.microscopes.forms import Form, is_image
from openhcs.microscopes.ome.files import OME_TIFF, Finder, KnownFiles, gather
from openhcs.microscopes.ome.model import TYPES, OmeChannel
from openhcs.microscopes.ome.planes import Locator, z_offsets, z_step
from openhcs.microscopes.ome.sites import place_images, stem
from openhcs.microscopes.protocol import NotMine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openhcs.core.plate import Acquisition, Files, PlateIndex
    from openhcs.microscopes.ome.files import Gathered, Told
    from openhcs.microscopes.ome.model import OmeImage
    from openhcs.microscopes.ome.planes import Located
    from openhcs.microscopes.ome.sites import Site


class OmeTiff:
    """Reads OME-TIFFs with or without companion files, and OME-XML documents alone."""

    name = "ome_tiff"
    # A name that ends in .ome.tif says nothing of the vendor: no file is claimed by its name alone.
    forms = (Form("<name>.ome.tif", "image.ome.tif", lambda _: False),)

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the plate, or why the folder is none.

        Raises
        ------
        SeveralPlates
            the documents tell of several plates.
        FormatError
            a document is damaged, promises too much, or tells of images in colour.
        """
        known = KnownFiles(files)
        finder = Finder(known)
        gathered = gather(known, finder)
        if isinstance(gathered, NotMine):
            return gathered
        return _Plate(known, finder, gathered).build()


class _Plate:
    """Builds the index of one plate from its documents."""

    def __init__(self, files: KnownFiles, finder: Finder, gathered: Gathered) -> None:
        self.files = files
        self.gathered = gathered
        self.locator = Locator(files, finder)
        self.entries = [(told, image) for told in gathered.told for image in told.document.images if image.shape[0]]
        self.channels = Channels()
        self.left_out: dict[str, str] = dict(gathered.reasons)
        self.exposures: dict[int, float] = {}

    def build(self) -> PlateIndex:
        sites = place_images(self.files, self.entries)
        planes: list[Plane] = []
        positions: dict[tuple[str, int], tuple[float, float]] = {}
        apart = 0
        for (told, image), site in zip(self.entries, sites.places, strict=True):
            located = self.locator.planes(told, image)
            if site is None:
                apart += 1
                self._leave_out(image, located)
                continue
            planes += self._planes(told, image, site, located)
            position = _position(image) or site.position_um
            if position is not None:
                positions.setdefault((site.well, site.site), position)
        images = [image for _, image in self.entries]
        warnings = [*sites.warnings, *self._warnings(apart)]
        used = {plane.source.path for plane in planes if plane.source is not None}
        offsets = z_offsets(planes)
        return assemble(
            self.files,
            microscope=OmeTiff.name,
            name=sites.name or self._name(),
            planes=planes,
            why=self._why(),
            channels=[
                replace(one, z_offset_um=offsets.get(one.number), exposure_ms=self.exposures.get(one.number))
                for one in self.channels.known.values()
            ],
            acquisitions=_started(sites.acquisitions, images),
            shape=sites.shape,
            documents=[told.path for told in self.gathered.told if told.own is None],
            left_out=self._unnamed(used),
            warnings=warnings,
            positions=positions,
            pixel_size_um=next((image.pixel_um for image in images if image.pixel_um), None),
            z_step_um=next((image.z_um for image in images if image.z_um and image.sizes[0] > 1), None)
            or z_step(planes),
            barcode=sites.barcode,
            instrument=next((t.document.instrument for t in self.gathered.told if t.document.instrument), None),
            **_kind(images),
        )

    def _planes(self, told: Told, image: OmeImage, site: Site, located: Sequence[Located]) -> Iterator[Plane]:
        facts = {(plane.z, plane.c, plane.t): plane for plane in image.planes}
        numbers = self.channels.numbers(told, image)
        for one in located:
            z, c, t = one.place
            fact = facts.get(one.place)
            channel = numbers[c]
            if fact is not None and fact.exposure_s is not None:
                self.exposures.setdefault(channel, round(fact.exposure_s * 1e3, 6))
            yield Plane(
                well=site.well,
                site=site.site,
                channel=channel,
                z=z + 1,
                t=t + 1,
                acquisition=site.acquisition,
                source=one.source,
                state=one.state,
                z_um=None if fact is None or fact.height is None else round(fact.height, 3),
                time_s=None if fact is None or fact.delta_s is None else round(fact.delta_s, 3),
            )

    def _leave_out(self, image: OmeImage, located: Sequence[Located]) -> None:
        for one in located:
            if one.source is not None and one.state is PlaneState.PRESENT:
                self.left_out.setdefault(one.source.path, f"it is of {image.name or image.id}, an image of no well")

    def _unnamed(self, used: set[str]) -> list[Unmatched]:
        """Return a reason for every image and document that is no plane."""
        first = self.gathered.told[0].path
        named = f"{first} does not name it" if len(self.gathered.told) == 1 else "no document names it"
        documents = {told.path for told in self.gathered.told if told.own is None}
        return [
            Unmatched(path=file.path, reason=self.left_out.get(file.path, named))
            for file in self.files.list()
            if file.path not in used
            and file.path not in documents
            and (file.path in self.left_out or is_image(file.path) or file.path.lower().endswith(OME_TIFF))
        ]

    def _warnings(self, apart: int) -> Iterator[str]:
        locator, unitless = self.locator, sum(told.document.unitless for told in self.gathered.told)
        inline = [image for _, image in self.entries if image.inline and not image.blocks]
        if inline:
            yield f"images whose pixels are within the XML, which is not read: {len(inline)}, such as {inline[0].id}"
        if apart:
            yield f"images of no well are left out: {apart}"
        if locator.lost:
            yield f"planes that sizes of images promise and no TiffData names: {locator.lost}"
        if locator.shared:
            yield f"planes that share the page of another are left out, such as {locator.shared[0]}"
        if locator.short:
            path, pages = next(iter(locator.short.items()))
            yield f"files with fewer pages than named: {len(locator.short)}, such as {path} with {pages}"
        if locator.renamed:
            name, path = next(iter(locator.renamed.items()))
            yield f"files found under another name than told: {len(locator.renamed)}, such as {path} for {name}"
        if self.gathered.reasons:
            path, why = next(iter(self.gathered.reasons.items()))
            yield f"OME-TIFFs left out: {len(self.gathered.reasons)}, such as {path}: {why}"
        if unitless:
            yield f"positions without a unit are taken as µm: {unitless}"

    def _name(self) -> str:
        told = self.gathered.told
        if len(told) == 1 and stem(told[0].path):
            return stem(told[0].path)
        parts = [part for part in re.split(r"[/\\]", abspath(self.files.root)) if part]
        return parts[-1] if parts else "plate"

    def _why(self) -> str:
        told = self.gathered.told
        documents = sum(one.own is None for one in told)
        held = f"{told[0].path} is OME-XML" if documents else f"{told[0].path} begins with OME-XML"
        more = f" ({len(told)} such files)" if len(told) > 1 else ""
        return f"{held}{more}, of {len(self.entries)} images"


class Channels:
    """The channels of a plate: a name keeps its number in all images, one without a name counts by its place."""

    def __init__(self) -> None:
        self.known: dict[int, Channel] = {}
        self.named: dict[str, list[int]] = {}

    def numbers(self, told: Told, image: OmeImage) -> list[int]:
        """Return the number of each of an image's channels."""
        numbers: list[int] = []
        taken: set[int] = set()
        nameless = [OmeChannel()] * (image.sizes[1] - len(image.channels))
        for place, one in enumerate([*image.channels[: image.sizes[1]], *nameless], start=1):
            number = self._number(place, one.name, taken)
            numbers.append(number)
            taken.add(number)
            if number not in self.known:
                if one.name:
                    self.named.setdefault(one.name, []).append(number)
                objective = told.document.objectives.get(image.objective)
                self.known[number] = Channel(
                    number=number,
                    name=one.name or str(number),
                    excitation_nm=one.excitation_nm,
                    emission_nm=one.emission_nm,
                    color=one.color,
                    kind=one.kind,
                    binning=one.binning,
                    objective=objective.model if objective else None,
                    magnification=objective.magnification if objective else None,
                    numerical_aperture=objective.aperture if objective else None,
                )
        return numbers

    def _number(self, place: int, name: str, taken: set[int]) -> int:
        there = self.known.get(place)
        if place not in taken and (there is None or not name or there.name == name):
            return place
        same = next((number for number in self.named.get(name, ()) if number not in taken), None)
        return same if same is not None else max(max(self.known, default=0), max(taken, default=0), place) + 1


def _position(image: OmeImage) -> tuple[float, float] | None:
    if image.stage_um is not None:
        return image.stage_um
    return next(((one.x, one.y) for one in image.planes if one.x is not None and one.y is not None), None)


def _started(acquisitions: tuple[Acquisition, ...], images: Sequence[OmeImage]) -> tuple[Acquisition, ...]:
    """Return acquisitions with a start: that of the first image, where only one is told of without one."""
    dates = sorted(image.acquired for image in images if image.acquired)
    if len(acquisitions) > 1 or acquisitions[0].start_time or not dates:
        return acquisitions
    return (replace(acquisitions[0], start_time=dates[0]),)


def _kind(images: Sequence[OmeImage]) -> dict[str, Any]:
    """Return the dtype and shape that most images are told to have."""
    kinds = Counter((image.type, image.shape) for image in images).most_common(1)
    if not kinds:
        return {}
    (kind, shape), _ = kinds[0]
    return {"dtype": TYPES.get(kind, kind or None), "plane_shape": shape}
