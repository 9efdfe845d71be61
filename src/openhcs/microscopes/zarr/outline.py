"""An OME-Zarr plate as its root document tells it; wells and images are read when they are looked at.

A site costs three documents: the well's, the image's, the array's. In plates of other tools sites count
by their order in the well. In ours the well's document tells the sites, or an image's own.
"""

from __future__ import annotations

import threading
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any

from openhcs.core.wells import well_key
from openhcs.errors import FormatError, InputError
from openhcs.microscopes.limits import MOST_SITES, check_pixels
from openhcs.microscopes.outline import SiteImage, first_choice
from openhcs.microscopes.zarr.documents import inside, join, placed
from openhcs.microscopes.zarr.facts import Channels, acquisitions_in, grid, name_of
from openhcs.microscopes.zarr.images import Entry, Images, Lost, located, missing, number
from openhcs.microscopes.zarr.index import build_index
from openhcs.ngff import parse
from openhcs.ngff.facts import FORMAT, told_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from openhcs.core.plate import Acquisition, Channel, PlateIndex
    from openhcs.microscopes.zarr.documents import Store
    from openhcs.microscopes.zarr.images import ImageDocument
    from openhcs.ngff.model import PlateModel, WellModel

MICROSCOPE = "ome_zarr"
SITES = "sites"
"""Under our own key in a well's document: the site of each image, in their order."""


class ZarrOutline:
    """Satisfies `openhcs.microscopes.outline.Outline`.

    Parameters
    ----------
    store
        the plate's documents.
    root
        the store's path or address.
    version
        of OME-Zarr, as the root document tells.

    Raises
    ------
    FormatError
        wells that cannot be, or a plate of a newer openhcs.
    """

    def __init__(self, store: Store, root: str, model: PlateModel, version: str | None) -> None:
        self.root = root
        self.microscope = MICROSCOPE
        self.store = store
        self.model = model
        self.version = version
        self.own: Mapping[str, Any] | None = model.own if isinstance(model.own, dict) else None
        if self.own is not None and number(self.own, "version", 0) > FORMAT:
            raise FormatError(f"{root} is of a newer openhcs than this one reads: update openhcs.", path=root)
        self.grid = grid(model)
        self.name = name_of(model, self.own, root)
        self.numbered = Channels(self.own)
        self.known_acquisitions = acquisitions_in(model)
        self.places: dict[str, tuple[int, int]] = {}
        """An image's name in its well → (acquisition, site), as seen in any well."""
        self._images = Images(store, self.numbered)
        self._listed: dict[str, tuple[Entry, ...] | None] = {}
        self._numbers: dict[tuple[str, str], tuple[int, int]] = {}
        self._looked: dict[tuple[str, str], SiteImage | Lost] = {}
        self._documents: dict[str, ImageDocument] = {}
        """Those of the images of one well, by group: the one that was looked at last."""
        self._lock = threading.RLock()

    @cached_property
    def wells(self) -> tuple[str, ...]:
        """The wells that the root document lists, row by row."""
        return tuple(sorted(self.grid.wells, key=well_key))

    @cached_property
    def told(self) -> dict[str, Any]:
        """What we noted of the plate itself: fields of a `PlateIndex`."""
        try:
            return told_of(self.own or {})
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise FormatError(f"our own key does not tell of the plate as openhcs writes it: {error!r}") from None

    @property
    def acquisitions(self) -> tuple[Acquisition, ...]:
        """The acquisitions that the root document lists."""
        return self.known_acquisitions.listed

    @property
    def channels(self) -> tuple[Channel, ...]:
        """As we noted them at the root; else those of the images looked at, the first being read if none was."""
        with self._lock:
            if not self.numbered.known:
                self._like(None)
            return self.numbered.known or self.numbered.all((self.numbered.first,))

    def index(self) -> PlateIndex:
        """Return the whole plate."""
        with self._lock:
            return build_index(self)

    def sites(self, well: str) -> tuple[tuple[int, int], ...]:
        """Return the (acquisition, site) of each image of a well, ascending.

        An image whose document is damaged has the numbers that the well's document gives it.
        """
        with self._lock:
            listed = self.listed(well)
            if listed is None:
                return self._sites_elsewhere()
            return tuple(sorted({self._numbers_of(entry) for entry in listed}))

    def image(self, well: str, site: int, acquisition: int | None = None) -> SiteImage | None:
        """Return a site's image, None if the well has none."""
        with self._lock:
            listed = self.listed(well)
            if listed is None:
                return self._of_absent_well(well, site, acquisition)
            entry = self._find(listed, site, acquisition)
            if entry is None:
                return None
            found = self.looked(entry)
            if isinstance(found, Lost):
                return self._missing(well, *self._numbers_of(entry))
        return self._checked(found)

    def level(self, image: SiteImage, number: int) -> SiteImage:
        """Return another resolution level of an image."""
        return self._checked(self._images.level(image, number))

    def labels(self, image: SiteImage) -> tuple[str, ...]:
        """Return the names of the label images beneath an image."""
        return self._images.labels(image)

    def label(self, image: SiteImage, name: str) -> SiteImage:
        """Return a label image, its only channel being 0."""
        return self._checked(self._images.label(image, name))

    def _checked(self, image: SiteImage) -> SiteImage:
        with located(image.well, image.site):
            path = image.levels[image.level] if image.levels else image.group
            check_pixels(image.plane_shape, image.dtype, join(self.root, path))
        return image

    def listed(self, well: str) -> tuple[Entry, ...] | None:
        """Return the images that a well's document lists, None if the well is not there."""
        if well not in self._listed:
            path = self.grid.wells[well]
            attributes = self.store.attributes(path)
            if attributes is None:
                self._listed[well] = None
            else:
                with placed(path):
                    self._listed[well] = tuple(self._entries(well, path, parse.well(attributes)))
        return self._listed[well]

    def _entries(self, well: str, path: str, model: WellModel) -> Iterator[Entry]:
        counts: Counter[int] = Counter()
        noted = _noted(model)
        for place, image in enumerate(model.images):
            acquisition = self.known_acquisitions.first if image.acquisition is None else image.acquisition
            counts[acquisition] += 1
            site = _dense(image.path) if self.own is not None else counts[acquisition]
            yield Entry(
                well=well,
                group=inside(path, image.path),
                name=image.path,
                acquisition=acquisition,
                site=noted[place] if noted else site,
                sure=bool(noted) or self.own is None,
                noted=bool(noted),
            )

    def looked(self, entry: Entry) -> SiteImage | Lost:
        """Return what an entry of a well leads to; `FormatError` names well and site."""
        key = (entry.well, entry.name)
        if key not in self._looked:
            document = self._document(entry)
            if document is None:
                numbers = (entry.acquisition, entry.site) if entry.sure else None
                told = f"an image of well {entry.well} is listed and not there: {entry.group}"
                self._looked[key] = Lost(entry=entry, numbers=numbers, told=told)
            else:
                self._looked[key] = self._images.read(document)
        return self._looked[key]

    def _document(self, entry: Entry) -> ImageDocument | None:
        if entry.group in self._documents:
            return self._documents[entry.group]
        found = self._images.document(entry)
        if found is not None:
            if self._documents and next(iter(self._documents.values())).entry.well != entry.well:
                self._documents.clear()
            self._documents[entry.group] = found
            numbers = (found.acquisition, found.site)
            self._numbers[entry.well, entry.name] = self.places[entry.name] = numbers
        return found

    def expected(self, entry: Entry) -> tuple[int, int]:
        """Return the (acquisition, site) that an image would have by its well's document."""
        told = (entry.acquisition, entry.site)
        return told if entry.sure else self.places.get(entry.name, told)

    def _numbers_of(self, entry: Entry) -> tuple[int, int]:
        """Return (acquisition, site) as the image's document tells; as expected where it cannot be read."""
        if entry.noted:
            return entry.acquisition, entry.site
        if (entry.well, entry.name) not in self._numbers:
            try:
                self._document(entry)
            except FormatError:
                return self.expected(entry)
        return self._numbers.get((entry.well, entry.name), self.expected(entry))

    def _find(self, listed: Sequence[Entry], site: int, acquisition: int | None) -> Entry | None:
        """Return the image with these numbers: where it is expected, else after a look at all of the well."""
        expected = {self.expected(entry): entry for entry in reversed(listed)}
        likely = self._chosen(expected, site, acquisition)
        if likely is not None and self._numbers_of(expected[likely]) == likely:
            return expected[likely]
        exact = {self._numbers_of(entry): entry for entry in reversed(listed)}
        chosen = self._chosen(exact, site, acquisition)
        return None if chosen is None else exact[chosen]

    def _chosen(
        self, known: Mapping[tuple[int, int], Any] | Sequence[tuple[int, int]], site: int, acquisition: int | None
    ) -> tuple[int, int] | None:
        found = {one for one, number in known if number == site}
        chosen = first_choice(found, self.acquisitions) if acquisition is None else acquisition
        return (chosen, site) if chosen is not None and chosen in found else None

    def _of_absent_well(self, well: str, site: int, acquisition: int | None) -> SiteImage | None:
        chosen = self._chosen(self._sites_elsewhere(), site, acquisition)
        return None if chosen is None else self._missing(well, *chosen)

    def _sites_elsewhere(self) -> tuple[tuple[int, int], ...]:
        """Return what a whole well would hold: what the first one that is there does."""
        for listed in self._readable():
            if listed:
                return tuple(sorted({self._numbers_of(entry) for entry in listed}))
        return tuple((self.known_acquisitions.first, site) for site in self.fields)

    @property
    def fields(self) -> range:
        """The sites that a well has by the root document."""
        return range(1, min(self.model.field_count or 1, MOST_SITES) + 1)

    def _missing(self, well: str, acquisition: int, site: int) -> SiteImage:
        like = self._like(acquisition)
        axes = like.axes if like else ((1,), (self.numbered.first,), (1,))
        return missing((well, acquisition, site), axes, like or self._like(None))

    def _like(self, acquisition: int | None) -> SiteImage | None:
        """Return an image of an acquisition, or of any, that is there: one that was looked at, else the first."""
        for known in self._looked.values():
            if isinstance(known, SiteImage) and acquisition in (None, known.acquisition):
                return known
        for listed in self._readable():
            for entry in listed:
                if acquisition in (None, entry.acquisition) and (found := self._readable_image(entry)) is not None:
                    return found
        return None

    def _readable(self) -> Iterator[tuple[Entry, ...]]:
        """Yield the images of each well that is there and not damaged."""
        for well in self.grid.wells:
            try:
                yield self.listed(well) or ()
            except InputError:
                continue

    def _readable_image(self, entry: Entry) -> SiteImage | None:
        try:
            found = self.looked(entry)
        except InputError:
            return None
        return found if isinstance(found, SiteImage) else None


def _noted(model: WellModel) -> Sequence[int]:
    told = model.own.get(SITES) if isinstance(model.own, dict) else None
    if told is None:
        return ()
    if not isinstance(told, list) or len(told) != len(model.images):
        raise FormatError(f"our own key says {SITES} are {told!r:.80}, the well lists {len(model.images)} images")
    return [number({SITES: one}, SITES, 0) for one in told]


def _dense(name: str) -> int:
    """Return a site for one of our images that nobody tells of: its name counts sites from 0."""
    digits = name.rpartition("s")[2]
    return int(digits) + 1 if digits.isascii() and digits.isdigit() else 1
