"""Olympus ScanR plates: ``[<well>]--W<5>--P<5>--Z<5>--T<5>--<channel>.tif``, in ``data`` below the plate's folder.

W and P count from 1, Z and T from 0; P, Z and T keep their numbers. Channels are texts: they are numbered from 1,
in the order of the documents, else of the texts. The well's name goes before its number, which counts row by
row. ``data/metadata.ome.xml`` names the images, so one that is not there is missing; it tells positions, pixels,
waves and times. What it does not tell is taken from ``experiment_descriptor.xml`` and ``AcquisitionLog.dat``. The
stage's y points up, as a public converter has it, and is turned.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from openhcs.core.plate import Acquisition, Channel, FileSource, Plane, PlaneState, Unmatched
from openhcs.core.wells import natural_key
from openhcs.microscopes.assemble import assemble
from openhcs.microscopes.by_name import caches, first_pages, folder_name, refuse_plates, sort_names, too_few
from openhcs.microscopes.forms import Form
from openhcs.microscopes.limits import check_promise
from openhcs.microscopes.olympus.documents import Descriptor, parse_descriptor, parse_log, well_of
from openhcs.microscopes.olympus.metadata import Metadata, parse_metadata
from openhcs.microscopes.olympus.names import parse_name
from openhcs.microscopes.ome.planes import z_offsets, z_step
from openhcs.microscopes.protocol import NotMine
from openhcs.microscopes.well_numbers import contradictions, find_numbering

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from openhcs.core.plate import Files, PlateIndex
    from openhcs.microscopes.by_name import Sorted
    from openhcs.microscopes.olympus.documents import Stop
    from openhcs.microscopes.olympus.metadata import Image
    from openhcs.microscopes.olympus.names import Name

TEXT, EXAMPLE = "[<well>]--W<5>--P<5>--Z<5>--T<5>--<channel>.tif", "B2--W00014--P00001--Z00000--T00000--405 nm #1.tif"
METADATA, DESCRIPTOR, LOG = "metadata.ome.xml", "experiment_descriptor.xml", "acquisitionlog.dat"
DOCUMENTS = (".xml", ".dat")
DOCUMENT_LIMIT = 256 * 2**20


class ScanR:
    """Reads what the ScanR station records."""

    name = "scanr"
    forms = (Form(TEXT, EXAMPLE, lambda base: parse_name(base) is not None),)

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the plate, or why the folder is none.

        Raises
        ------
        SeveralPlates
            images of several plates lie in the folder.
        FormatError
            a document is damaged or names far more images than there are, or two planes of one place differ.
        """
        held = sort_names(files, parse_name, _home)
        why = too_few(held, TEXT, EXAMPLE)
        if why is not None:
            return NotMine(why)
        refuse_plates(files, held.found, lambda _: "")
        plate = _Plate(files, held)
        if not plate.planes:
            return NotMine(f"no plate has wells of the numbers in the names, such as {held.found[0].file.path}")
        return plate.build()


def _home(folder: str) -> str:
    """Return the folder of the plate: that above ``data``."""
    above, _, last = folder.rpartition("/")
    return above if last.lower() == "data" else folder


class _Plate:
    """The images of one plate and what its documents tell."""

    def __init__(self, files: Files, held: Sorted[Name]) -> None:
        self.files = files
        self.held = held
        self.found = held.found
        self.metadata = Metadata()
        self.descriptor = Descriptor()
        self.stops: Mapping[tuple[int, int, int, int], Stop] = {}
        self._read_documents()
        self.there = {one.name for one in self.found}
        self.lost: list[Unmatched] = []
        self.names = [*self.there, *(name for name in self.metadata.images if name not in self.there)]
        check_promise(len(self.names) - len(self.there), len(self.there), self.metadata.path)
        self.numbering = find_numbering(
            ((name.number, self._label(name)) for name in self.names), self.descriptor.shape
        )
        self.channels = self._numbered()
        self.planes = list(self._planes())

    def _read_documents(self) -> None:
        wanted = {METADATA, DESCRIPTOR, LOG}
        folders = {"", self.found[0].home, self.found[0].file.path.rpartition("/")[0]}
        paths: dict[str, str] = {}
        for file in self.held.others:
            folder, _, base = file.path.rpartition("/")
            if folder in folders and base.lower() in wanted:
                paths.setdefault(base.lower(), file.path)
        read = {base: (self.files.read_bytes(path, limit=DOCUMENT_LIMIT), path) for base, path in paths.items()}
        if METADATA in read:
            self.metadata = parse_metadata(*read[METADATA])
        if DESCRIPTOR in read:
            self.descriptor = parse_descriptor(*read[DESCRIPTOR])
        if LOG in read:
            self.stops = parse_log(read[LOG][0])

    def _label(self, name: Name) -> str | None:
        return well_of(name.label) or self.descriptor.wells.get(name.number)

    def _well(self, name: Name) -> str | None:
        return self._label(name) or self.numbering.well(name.number)

    def _numbered(self) -> dict[str, int]:
        """Return the number of each channel: in the order of the documents, then of the texts."""
        order: dict[str, int] = {text: number for number, text in enumerate(self.descriptor.channels)}
        order |= {name.channel: image.channel for name, image in self.metadata.images.items()}
        texts = {name.channel for name in self.names}
        ordered = sorted(texts, key=lambda text: (order.get(text, len(order)), natural_key(text)))
        return {text: number for number, text in enumerate(ordered, start=1)}

    def _planes(self) -> Iterator[Plane]:
        for one in self.found:
            well = self._well(one.name)
            if well is None:
                reason = f"no well is named, and no plate has {one.name.number} of them"
                self.lost.append(Unmatched(path=one.file.path, reason=reason))
                continue
            yield self._plane(one.name, well, one.file, PlaneState.PRESENT)
        for name, image in self.metadata.images.items():
            well = self._well(name)
            if name not in self.there and well is not None:
                yield self._plane(name, well, FileSource(image.path), PlaneState.MISSING)

    def _plane(self, name: Name, well: str, source: FileSource, state: PlaneState) -> Plane:
        told, stop = self.metadata.images.get(name), self.stops.get(name.place)
        height = told.height if told and told.height is not None else stop.z if stop else None
        seconds = told.seconds if told and told.seconds is not None else stop.seconds if stop else None
        return Plane(
            well=well,
            site=name.position,
            channel=self.channels[name.channel],
            z=name.z,
            t=name.t,
            source=source,
            state=state,
            z_um=None if height is None else round(height, 3),
            time_s=None if seconds is None else round(seconds, 3),
        )

    def build(self) -> PlateIndex:
        """Return the index of the plate."""
        pixel = self.descriptor.pixel_um
        fits = all(self.numbering.holds(plane.well) for plane in self.planes)
        return assemble(
            self.files,
            microscope=ScanR.name,
            name=self.descriptor.name or folder_name(self.files, self.found[0].home, inner="data"),
            planes=self.planes,
            why=f"{len(self.found)} files are named {TEXT}",
            channels=self._described(),
            acquisitions=(Acquisition(number=0, name="0", start_time=self.metadata.start_time),),
            shape=self.numbering.shape if fits else None,
            documents=self.held.documents(*DOCUMENTS),
            left_out=[*caches(self.held.others), *self.lost],
            warnings=[*self._warnings()],
            pixel_size_um=self.metadata.pixel_um or ((pixel, pixel) if pixel else None),
            z_step_um=self.metadata.z_um or z_step(self.planes) or self._told_step(),
            instrument=self.metadata.instrument,
            positions=self._positions(),
        )

    def _told_step(self) -> float | None:
        return self.descriptor.z_step_um if len({plane.z for plane in self.planes}) > 1 else None

    def _described(self) -> Iterator[Channel]:
        """Yield the channels as the metadata describes them, with what the descriptor adds."""
        images: dict[str, list[Image]] = {}
        for name, image in self.metadata.images.items():
            images.setdefault(name.channel, []).append(image)
        offsets = z_offsets(self.planes)
        lens = self.metadata.objective
        for text, number in self.channels.items():
            told = images.get(text, [])
            wave = next((one.wave for one in told if one.wave), None)
            exposure = next((one.exposure_s for one in told if one.exposure_s is not None), None)
            channel = Channel(
                number=number,
                name=text,
                exposure_ms=self.descriptor.exposures_ms.get(text) if exposure is None else round(exposure * 1e3, 6),
                objective=lens.model if lens else None,
                magnification=lens.magnification if lens else None,
                numerical_aperture=lens.aperture if lens else None,
                z_offset_um=offsets.get(number),
            )
            if wave is not None:
                channel = replace(
                    channel,
                    excitation_nm=wave.excitation_nm,
                    emission_nm=wave.emission_nm,
                    color=wave.color,
                    kind=wave.kind,
                    binning=wave.binning,
                )
            yield channel

    def _positions(self) -> dict[tuple[str, int], tuple[float, float]]:
        """Return where sites are, as told first of their images, with y down."""
        positions: dict[tuple[str, int], tuple[float, float]] = {}
        for name in sorted(self.names, key=lambda name: (name.place, self.channels[name.channel])):
            well, told, stop = self._well(name), self.metadata.images.get(name), self.stops.get(name.place)
            place = told.place if told and told.place else (stop.x, stop.y) if stop else (None, None)
            x, y = place
            if well is not None and x is not None and y is not None:
                positions.setdefault((well, name.position), (round(x, 3), round(0.0 - y, 3)))
        return positions

    def _warnings(self) -> Iterator[str]:
        """Yield what does not agree, and what is taken for granted."""
        yield from contradictions(
            [(one.name.number, self._label(one.name), one.file.path) for one in self.found], self.numbering
        )
        strange = [one for one in self.found if one.name.label and well_of(one.name.label) is None]
        if strange:
            yield f"texts in place of wells that name none: {len(strange)}, such as {strange[0].file.path}"
        unnamed = [one for one in self.found if self._label(one.name) is None]
        if unnamed and self.descriptor.shape is None:
            rows, columns = self.numbering.shape
            number = unnamed[0].name.number
            yield (
                f"wells told by their number alone are those of {rows} × {columns}: {len(unnamed)} images, such as "
                f"W{number:05d}, which is {self.numbering.well(number)}"
            )
        if self.metadata.elsewhere:
            yield (
                f"images whose well or position is another in {self.metadata.path}: {self.metadata.elsewhere}; the "
                "names are taken"
            )
        untold = sum(name not in self.metadata.images for name in self.there) if self.metadata.images else 0
        if untold:
            yield f"images that {self.metadata.path} does not name: {untold}"
        empty = self.descriptor.wells.keys() - {name.number for name in self.there}
        if empty and self.descriptor.wells.keys() - empty:
            first = min(empty)
            yield (
                f"wells that the experiment selects and that have no image: {len(empty)}, such as "
                f"{self.descriptor.wells[first] or self.numbering.well(first) or first}"
            )
        pages = first_pages(self.files, self.found)
        if pages > 1:
            yield f"images have {pages} pages; the first of each is read"
