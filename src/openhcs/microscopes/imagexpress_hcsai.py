"""ImageXpress HCS.ai: a ``.jdce`` document, tables of images beside it, or names alone.

Tables say which images there are; one that is not there is missing. What the document promises of a site
and no table names was not recorded. Sites, wavelengths, time points and planes count from 0 and are kept
so. Positions are those of the stage: y grows from row to row of the plate, so it points down.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from openhcs.core.plate import Acquisition, Channel, Plane, Unmatched
from openhcs.errors import FormatError, InputError
from openhcs.microscopes.assemble import assemble, refuse_several
from openhcs.microscopes.hcsai.promise import PLANES, PROJECTIONS, promised_planes, stacked_waves
from openhcs.microscopes.hcsai.units import (
    FORMS,
    SPELT,
    SUFFIX,
    Listing,
    home_of,
    is_skipped,
    parse_name,
    read_unit,
    sort_files,
    unit_of,
)
from openhcs.microscopes.protocol import NotMine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from openhcs.core.plate import Files, PlateIndex
    from openhcs.microscopes.hcsai.jdce import Wavelength
    from openhcs.microscopes.hcsai.units import Image, Unit


class ImageXpressHCSai:
    """Reads what MetaXpress Acquire writes for ImageXpress HCS.ai."""

    name = "imagexpress_hcsai"
    forms = FORMS

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the plate, or why the folder is none.

        Raises
        ------
        SeveralPlates
            several runs lie in the folder.
        InputError
            only folders that are no part of a plate are there.
        FormatError
            the document or a table is damaged.
        """
        found = sort_files(files)
        if not found.documents:
            if found.only_skipped:
                raise InputError(
                    f"{files.root} holds no images of a plate but those of {found.skipped[0].rpartition('/')[0]}; name "
                    "that folder itself to read them.",
                    path=files.root,
                )
            named = sum(found.named.values())
            if not named:
                return NotMine(f"no {SUFFIX} document, and no file is named {SPELT}, such as scan_t0_C05_s0_w0_z0.tif")
            if named < found.others:
                return NotMine(f"{named} of {named + found.others} TIFFs are named {SPELT}, the others are not")
        folders = sorted(found.documents or found.named)
        refuse_several(files, map(home_of, folders))
        listing = Listing(files)
        units = [read_unit(listing, folder, found.documents.get(folder, ())) for folder in folders]
        _refuse_several(files, units)
        return _Run(listing, units, found.skipped).build()


def _refuse_several(files: Files, units: Iterable[Unit]) -> None:
    """Refuse units whose documents tell of different plates."""
    plates: dict[str, str] = {}
    for unit in units:
        if unit.jdce is not None and unit.jdce.plate:
            plates.setdefault(unit.jdce.plate, unit.folder)
    refuse_several(files, plates.values())


class _Run:
    """Builds the index of one run from its units."""

    def __init__(self, listing: Listing, units: list[Unit], skipped: list[str]) -> None:
        self.listing = listing
        self.skipped = skipped
        self.units = sorted(units, key=lambda unit: not unit.stacks)
        self.jdce = next((unit.jdce for unit in self.units if unit.jdce), None)
        self.warnings = [warning for unit in self.units for warning in unit.warnings]
        self.rows = [image.row for unit in self.units for image in unit.images]
        self.start = min((row.time for row in self.rows if row.time), default=None)

    def build(self) -> PlateIndex:
        """Return the index.

        Raises
        ------
        FormatError
            there are no images, two at one place differ, or a document promises absurdly much.
        """
        planes = self._planes()
        if not planes:
            raise FormatError(
                f"{self.listing.files.root}: {self._documents()[0]} and its tables name no image",
                path=self.listing.files.root,
            )
        planes += promised_planes(self.units, planes, self.listing.files.root)
        left_out = self._left_out()
        self._tell()
        jdce = self.jdce
        sizes = Counter((row.height, row.width) for row in self.rows if row.height and row.width)
        shape = sizes.most_common(1)[0][0] if sizes else jdce.camera if jdce else None
        start = _utc(self.start) if self.start else jdce.created if jdce else None
        return assemble(
            self.listing.files,
            microscope=ImageXpressHCSai.name,
            name=self._name(),
            planes=planes,
            why=self._why(),
            channels=self._channels(),
            acquisitions=tuple(
                _acquisition(number, start) for number in sorted({plane.acquisition for plane in planes})
            ),
            shape=(jdce.rows, jdce.columns) if jdce and jdce.rows and jdce.columns else None,
            documents=self._documents(),
            left_out=left_out,
            promised=jdce is not None,
            warnings=self.warnings,
            pixel_size_um=jdce.pixel_size_um if jdce else None,
            z_step_um=jdce.z_step_um if jdce else None,
            plane_shape=(int(shape[0] or 0), int(shape[1] or 0)) if shape else None,
            positions=self._positions(),
            plate_type=jdce.product if jdce else None,
            barcode=jdce.barcode if jdce else None,
            instrument=jdce.instrument if jdce else None,
        )

    def _planes(self) -> list[Plane]:
        stacked = stacked_waves(self.units)
        kept: list[str] = []
        planes = []
        for unit in self.units:
            for image in unit.images:
                beside = not unit.stacks and image.row.wave in stacked
                if beside and not image.projection and image.source:
                    kept.append(image.source.path)
                planes.append(self._plane(image, PROJECTIONS if image.projection or beside else PLANES))
        if kept:
            self.warnings.append(
                f"single planes of wavelengths that have stacks are kept with the projections: {len(kept)}, such as "
                f"{kept[0]}"
            )
        return planes

    def _plane(self, image: Image, acquisition: int) -> Plane:
        row = image.row
        return Plane(
            well=row.well,
            site=row.site,
            channel=row.wave,
            z=row.z,
            t=row.t,
            acquisition=acquisition,
            source=image.source,
            state=image.state,
            z_um=None if row.z_um is None else round(row.z_um, 3),
            time_s=round(row.time - self.start, 3) if row.time and self.start else None,
        )

    def _left_out(self) -> list[Unmatched]:
        used = {image.source.path for unit in self.units for image in unit.images if image.source}
        folders = {unit.folder for unit in self.units if unit.tables}
        extra = [
            path
            for path in self.listing.there
            if path not in used
            and not is_skipped(path)
            and path.lower().endswith((".tif", ".tiff"))
            and unit_of(path.rpartition("/")[0]) in folders
        ]
        if extra:
            self.warnings.append(f"images that no table names are left out: {len(extra)}, such as {extra[0]}")
        return [
            *(Unmatched(path=path, reason="no table of images names it") for path in extra),
            *(
                Unmatched(path=path, reason="of the autofocus or a stitched image, no part of the plate")
                for path in self.skipped
            ),
        ]

    def _tell(self) -> None:
        other = self.listing.other_case
        if other:
            self.warnings.append(f"files are there in another case of letters: {len(other)}, such as {other[0]}")
        for unit in self.units:
            if unit.jdce is not None and not unit.jdce.complete:
                self.warnings.append(f"{unit.document} says that the collection was not completed")
        tables = {path for unit in self.units for path in unit.tables}
        folders = {unit.folder for unit in self.units if unit.jdce}
        unread = [
            path
            for path in self.listing.there
            if path.lower().endswith(".csv")
            and path.rpartition("/")[2].lower().startswith("image_metadata")
            and path.rpartition("/")[0] in folders
            and path not in tables
        ]
        if unread:
            self.warnings.append(f"tables that no document lists are not read: {len(unread)}, such as {unread[0]}")

    def _documents(self) -> list[str]:
        own = [path for unit in self.units for path in (unit.document, *unit.tables) if path]
        protocols = [path for path in self.listing.there if path.lower().endswith(".mxprotocol")]
        return [*own, *protocols]

    def _name(self) -> str:
        if self.jdce is not None and self.jdce.plate:
            return self.jdce.plate
        document = next((unit.document for unit in self.units if unit.document), None)
        if document is not None:
            return document.rpartition("/")[2].rpartition(".")[0]
        names = (
            parse_name(image.source.path.rpartition("/")[2])
            for unit in self.units
            for image in unit.images
            if image.source
        )
        return Counter(name.protocol for name in names if name).most_common(1)[0][0]

    def _why(self) -> str:
        told = []
        for unit in self.units:
            if unit.document:
                told.append(f"{unit.document} is a document of HCS.ai, its tables name {len(unit.images)} images")
            else:
                told.append(f"{len(unit.images)} files are named {SPELT}, no {SUFFIX} document")
        if self.skipped:
            told.append(f"{len(self.skipped)} files of autofocus or montage are left out")
        return "; ".join(told)

    def _channels(self) -> list[Channel]:
        described: dict[int, Wavelength] = {}
        for unit in reversed(self.units):
            described.update({wave.number: wave for wave in (unit.jdce.wavelengths if unit.jdce else ())})
        exposures: dict[int, Counter[float]] = defaultdict(Counter)
        for row in self.rows:
            if row.exposure_ms:
                exposures[row.wave][row.exposure_ms] += 1
        return [self._channel(wave, exposures.get(number)) for number, wave in described.items()]

    def _channel(self, wave: Wavelength, exposures: Counter[float] | None) -> Channel:
        jdce = self.jdce
        return Channel(
            number=wave.number,
            name=wave.name,
            excitation_nm=wave.excitation_nm,
            emission_nm=wave.emission_nm,
            exposure_ms=exposures.most_common(1)[0][0] if exposures else None,
            objective=jdce.objective if jdce else None,
            magnification=jdce.magnification if jdce else None,
            binning=jdce.binning if jdce else None,
        )

    def _positions(self) -> Mapping[tuple[str, int], tuple[float, float]]:
        found: dict[tuple[str, int], tuple[float, float]] = {}
        for row in self.rows:
            if row.x_um is not None and row.y_um is not None:
                found.setdefault((row.well, row.site), (row.x_um, row.y_um))
        return found


def _utc(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return ""


def _acquisition(number: int, start: str | None) -> Acquisition:
    projection = number == PROJECTIONS
    return Acquisition(
        number=number, name="projection" if projection else "0", projection=projection, start_time=start or None
    )
