"""Where the images of OME-XML documents lie: by their plate, else by names of positions, else in one well."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openhcs.core.plate import Acquisition
from openhcs.core.wells import well_name
from openhcs.errors import SeveralPlates
from openhcs.microscopes.assemble import refuse_several
from openhcs.microscopes.guesses import guess
from openhcs.microscopes.patterns import well_of
from openhcs.microscopes.position_names import Named, parse_position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openhcs.core.plate import Files
    from openhcs.microscopes.ome.files import Told
    from openhcs.microscopes.ome.model import OmeImage, OmePlate, OmeRun, OmeSample

ONLY_WELL = "A01"
SUFFIXES = (".companion.ome", ".ome.xml", ".ome", ".tif", ".tiff", ".ome.tf2", ".ome.tf8", ".ome.btf")

Entry = tuple["Told", "OmeImage"]


@dataclass(frozen=True, slots=True)
class Site:
    """The place of one image on the plate."""

    well: str
    site: int
    acquisition: int = 0
    position_um: tuple[float, float] | None = None


@dataclass(slots=True)
class Sites:
    """The places of all images, None for those of no well, and what is known of the plate."""

    places: list[Site | None]
    name: str | None = None
    barcode: str | None = None
    shape: tuple[int, int] | None = None
    acquisitions: tuple[Acquisition, ...] = (Acquisition(number=0, name="0"),)
    warnings: list[str] = field(default_factory=list)


def place_images(files: Files, entries: Sequence[Entry]) -> Sites:
    """Return the place of each image.

    Raises
    ------
    SeveralPlates
        the documents tell of several plates.
    """
    plates = _plates(files, entries)
    return _OnPlate(plates, entries).run() if plates else _by_names(entries)


def stem(path: str) -> str:
    """Return the name of a file without what says that it is of OME.

    >>> stem("a/c3_z33.companion.ome"), stem("B02.ome.tif")
    ('c3_z33', 'B02')
    """
    base = path.rpartition("/")[2]
    suffix = next((one for one in SUFFIXES if base.lower().endswith(one)), "")
    plain = base[: len(base) - len(suffix)]
    return plain[:-4] if plain.lower().endswith(".ome") else plain


def _plates(files: Files, entries: Sequence[Entry]) -> list[tuple[Told, OmePlate]]:
    """Return the parts of the one plate that has images; documents may each tell of some of its wells."""
    told: dict[str, Told] = {one.path: one for one, _ in entries}
    plates: dict[str, list[tuple[Told, OmePlate]]] = defaultdict(list)
    for one in told.values():
        for plate in one.document.plates:
            if any(sample.image for sample in plate.samples):
                plates[plate.name or plate.id].append((one, plate))
    if len(plates) > 1:
        folders = {name: parts[0][0].path.rpartition("/")[0] for name, parts in plates.items()}
        if len(set(folders.values())) == len(plates):
            refuse_several(files, folders.values())
        shown = ", ".join(sorted(plates)[:5]) + (" …" if len(plates) > 5 else "")
        raise SeveralPlates(
            f"{files.root}: the OME-XML there tells of {len(plates)} plates: {shown}. One is read at a time: give each "
            "a document of its own, in a folder of its own.",
            path=files.root,
        )
    return next(iter(plates.values()), [])


class _OnPlate:
    """Places images by the well samples of one plate."""

    def __init__(self, plates: list[tuple[Told, OmePlate]], entries: Sequence[Entry]) -> None:
        self.plates = plates
        self.numbers: dict[tuple[str, str], int] = {}
        for number, (told, image) in enumerate(entries):
            self.numbers.setdefault((told.path, image.id), number)
        self.sites = Sites(places=[None] * len(entries))
        self.odd: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    def run(self) -> Sites:
        first = self.plates[0][1]
        sites = self.sites
        sites.name = first.name or first.id
        sites.barcode = next((plate.barcode for _, plate in self.plates if plate.barcode), None)
        rows, columns = (max(getattr(p, side) or 0 for _, p in self.plates) for side in ("rows", "columns"))
        sites.shape = (rows, columns) if rows and columns else None
        runs = self._runs()
        groups: dict[tuple[int, str], list[tuple[int, int, OmeSample, int]]] = defaultdict(list)
        for order, (told, sample) in enumerate(
            (told, sample) for told, plate in self.plates for sample in plate.samples
        ):
            entry = self._entry(told, sample)
            if entry is not None:
                well = well_name(sample.row, sample.column)
                index = order if sample.index is None else sample.index
                groups[runs.get(sample.id, self.rest), well].append((index, order, sample, entry))
        for (acquisition, well), members in groups.items():
            for site, (_, _, sample, entry) in enumerate(sorted(members, key=lambda one: one[:2]), start=1):
                sites.places[entry] = Site(well, site, acquisition, sample.position_um)
        self._tell(first, {acquisition for acquisition, _ in groups})
        return sites

    def _entry(self, told: Told, sample: OmeSample) -> int | None:
        entry = self.numbers.get((told.path, sample.image))
        if not sample.image:
            self._note("well samples without an image", sample.id)
        elif entry is None:
            self._note("well samples of an image that no document tells of", f"{sample.id}: {sample.image}")
        elif entry < 0:
            self._note("well samples of an image that another sample has", f"{sample.id}: {sample.image}")
        else:
            self.numbers[told.path, sample.image] = -1
            return entry
        return None

    def _note(self, what: str, example: str) -> None:
        self.odd[what] += 1
        self.examples.setdefault(what, example)

    def _runs(self) -> dict[str, int]:
        """Return the acquisition of each sample, by the sample's id."""
        numbers: dict[str, int] = {}
        runs: list[OmeRun] = []
        samples: dict[str, int] = {}
        for _, plate in self.plates:
            for run in plate.runs:
                number = numbers.setdefault(run.id, len(runs))
                if number == len(runs):
                    runs.append(run)
                for sample in run.samples:
                    if samples.setdefault(sample, number) != number:
                        self._note("well samples of two acquisitions, which stay in the first", sample)
        self.rest = 0 if len(runs) < 2 or not samples else len(runs)
        self.sites.acquisitions = tuple(
            Acquisition(number=number, name=run.name or run.id or str(number), start_time=run.start_time)
            for number, run in enumerate(runs)
        ) or (Acquisition(number=0, name="0"),)
        return samples

    def _tell(self, plate: OmePlate, used: set[int]) -> None:
        warnings = self.sites.warnings
        if self.rest and self.rest in used:
            self.sites.acquisitions += (Acquisition(number=self.rest, name="none"),)
            warnings.append(f"well samples of no acquisition are read as acquisition {self.rest}")
        warnings += [f"{what}: {count}, such as {self.examples[what]}" for what, count in self.odd.items()]
        if tuple(word.lower() for word in plate.naming) != ("letter", "number"):
            warnings.append(
                f"the plate names its rows by {plate.naming[0]} and its columns by {plate.naming[1]}; here rows are "
                "letters and columns numbers"
            )


def _by_names(entries: Sequence[Entry]) -> Sites:
    named = _named(entries)
    sites = Sites(places=[])
    some = sum(one is not None for one in named)
    if some < len(entries):
        sites.places = [
            Site(ONLY_WELL, number, 0, image.stage_um) for number, (_, image) in enumerate(entries, start=1)
        ]
        if some:
            sites.warnings.append(
                f"names of {some} of {len(entries)} images tell a well, so each is a site of well {ONLY_WELL}"
            )
        return sites
    told = {(one.well, one.site) for one in named if one is not None and one.site is not None}
    sure = len(told) == len(entries)
    counts: Counter[str] = Counter()
    for one, (_, image) in zip(named, entries, strict=True):
        if one is None:
            continue
        counts[one.well] += 1
        site = one.site if sure and one.site is not None else counts[one.well]
        sites.places.append(Site(one.well, site, 0, image.stage_um))
    return sites


def _named(entries: Sequence[Entry]) -> list[Named | None]:
    """Return the well that each image's stage label, name or, where it is the only one there, file tells."""
    labels = [parse_position(image.stage) or parse_position(image.name) for _, image in entries]
    alone = len({told.path for told, _ in entries}) == len(entries)
    if all(labels) or not alone:
        return labels
    paths = [told.path for told, _ in entries]
    form = guess(paths) if len(paths) > 1 else None
    return [
        label or parse_position(stem(path)) or _guessed(form.match(path) if form else None)
        for label, path in zip(labels, paths, strict=True)
    ]


def _guessed(values: dict[str, str] | None) -> Named | None:
    well = well_of(values) if values else None
    if values is None or well is None:
        return None
    return Named(well, int(values["site"]) if "site" in values else None)
