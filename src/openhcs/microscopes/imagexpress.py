"""ImageXpress / MetaXpress: exported plates and those of the database.

Exported, ``ZStep_0`` is the projection and every level holds a copy of the HTD, which says what was
promised. In the database's layout the top folder holds projections and images without z, names end in a
GUID, each plane has a thumbnail, and there is no HTD. What files mean is told by names and folders, and
by headers where these say more: copies, projections, channels, places. Numbers are the vendor's. The
barcode is the one that images tell, else the HTD's identifier, else the plate's id in its folder's name.

Stage positions are as told: y grows from row to row of the plate, so it points down.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from openhcs.core.plate import Acquisition, Plane, Unmatched
from openhcs.errors import FormatError
from openhcs.microscopes.assemble import assemble, refuse_several
from openhcs.microscopes.metaxpress.facts import Gathered, sample
from openhcs.microscopes.metaxpress.headers import Headers
from openhcs.microscopes.metaxpress.htds import believed, find_htd, promised_planes
from openhcs.microscopes.metaxpress.names import FORMS, SPELT, parse_folder, parse_name, plate_id
from openhcs.microscopes.metaxpress.waves import PLANES, PROJECTIONS, Spot, Wave, settle
from openhcs.microscopes.protocol import NotMine

if TYPE_CHECKING:
    from openhcs.core.plate import Files, FileSource, PlateIndex
    from openhcs.microscopes.metaxpress.htds import Promise

TOLD_DESCRIPTION = 200
"""Letters of the HTD's description that are shown."""


@dataclass(slots=True)
class _Home:
    """All planes of one plate folder, as names and folders tell."""

    plates: Counter[str] = field(default_factory=Counter)
    waves: dict[int, Wave] = field(default_factory=dict)
    clashes: list[Spot] = field(default_factory=list)
    """further files of a place that has one"""


@dataclass(slots=True)
class _Folder:
    """All files of a folder, sorted."""

    homes: dict[str, _Home] = field(default_factory=lambda: defaultdict(_Home))
    htds: list[FileSource] = field(default_factory=list)
    thumbs: list[str] = field(default_factory=list)
    named: int = 0
    others: int = 0
    """TIFFs that are named otherwise"""


class ImageXpress:
    """Reads the layouts that MetaXpress exports and keeps."""

    name = "imagexpress"
    forms = FORMS

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the plate, or why the folder is none.

        Raises
        ------
        SeveralPlates
            several plates lie in the folder.
        FormatError
            the HTD is damaged, or images of several plates lie in one folder.
        """
        folder = _sort(files)
        if not folder.named:
            return NotMine(f"no file is named {SPELT}, such as Plate1_A01_s1_w1.TIF")
        if folder.named < folder.others:
            return NotMine(
                f"{folder.named} of {folder.named + folder.others} TIFFs are named {SPELT}, the others are not"
            )
        refuse_several(files, folder.homes)
        ((place, home),) = folder.homes.items()
        return _Plate(Headers(files), folder, place, home).build()


def _sort(files: Files) -> _Folder:
    folder = _Folder()
    for source in files.list():
        parent, _, base = source.path.rpartition("/")
        name = parse_name(base)
        if name is None:
            suffix = base.lower()
            if suffix.endswith(".htd"):
                folder.htds.append(source)
            elif suffix.endswith((".tif", ".tiff")):
                folder.others += "thumb" not in suffix
            continue
        if name.thumb:
            folder.thumbs.append(source.path)
            continue
        place, t, z = parse_folder(parent)
        home = folder.homes[place]
        folder.named += 1
        home.plates[name.plate] += 1
        wave = home.waves.get(name.wave)
        if wave is None:
            wave = home.waves[name.wave] = Wave(name.wave)
        spots = wave.images.get((name.well, name.site))
        if spots is None:
            spots = wave.images[name.well, name.site] = {}
        if (t, z) in spots:
            home.clashes.append(Spot(name.well, name.site, name.wave, PLANES, t, z, source))
        else:
            spots[t, z] = source
    return folder


class _Plate:
    """Builds the index of one plate from its sorted files."""

    def __init__(self, headers: Headers, folder: _Folder, place: str, home: _Home) -> None:
        self.headers = headers
        self.folder = folder
        self.place = place
        self.home = home
        self.name = home.plates.most_common(1)[0][0]
        self.warnings: list[str] = []

    def build(self) -> PlateIndex:
        """Return the index.

        Raises
        ------
        FormatError
            images at one place differ, or the HTD is damaged or promises absurdly much.
        """
        copies = self._once()
        settled = settle([self.home.waves[number] for number in sorted(self.home.waves)], self.headers)
        promise = find_htd(self.headers, self.folder.htds, self.place, self.name)
        protocol = believed(promise, settled.spots, self.name)
        told = Gathered(sample(settled.spots), self.headers)
        planes = [_plane(spot, told) for spot in settled.spots]
        if protocol is not None:
            planes += promised_planes(protocol, settled, f"{self.headers.root}/{promise.path}")
        start = told.start.isoformat(timespec="milliseconds") if told.start else None
        facts: dict[str, Any] = {
            "channels": told.channels(protocol.waves if protocol else {}),
            "pixel_size_um": told.pixel_size(),
            "z_step_um": told.z_step(),
            "positions": told.positions(),
            "plate_type": f"PlateType {protocol.plate_type}" if protocol and protocol.plate_type else None,
            "barcode": told.first("barcode") or (protocol and protocol.identifier) or self._plate_id(),
            "instrument": told.first("instrument"),
        }
        return assemble(
            self.headers,
            microscope=ImageXpress.name,
            name=self.name,
            planes=planes,
            why=self._why(promise),
            acquisitions=tuple(_acquisition(number, start) for number in sorted({one.acquisition for one in planes})),
            shape=(protocol.rows, protocol.columns) if protocol else None,
            documents=promise.documents,
            left_out=[*copies, *settled.copies, *self._thumbs()],
            promised=protocol is not None,
            warnings=[*promise.warnings, *settled.warnings, *self.warnings, *told.warnings],
            **facts,
        )

    def _once(self) -> list[Unmatched]:
        """Return the files that stand at the place of another and hold the same image."""
        copies, differ = [], []
        for spot in self.home.clashes:
            first = self.home.waves[spot.wave].images[spot.well, spot.site][spot.t, spot.z]
            if first.size == spot.source.size and self.headers.mark(first) == self.headers.mark(spot.source):
                copies.append(Unmatched(path=spot.source.path, reason=f"the same image as {first.path}, kept once"))
            else:
                differ.append((spot, first.path))
        plates = ", ".join(f"{name}: {count}" for name, count in self.home.plates.most_common(5))
        if differ:
            spot, path = differ[0]
            raise FormatError(
                f"{self.headers.root}: {len(differ)} planes are there twice, with different images: well {spot.well} "
                f"site {spot.site} wave {spot.wave} is {path} and {spot.source.path}. "
                + (
                    f"Images of {len(self.home.plates)} plates lie in one folder ({plates}); give each its own."
                    if len(self.home.plates) > 1
                    else "Take one of each pair out of the folder."
                ),
                path=self.headers.root,
                well=spot.well,
                site=spot.site,
            )
        if copies:
            self.warnings.append(f"copies of another file, kept once: {len(copies)}, such as {copies[0].path}")
        if len(self.home.plates) > 1:
            self.warnings.append(f"images are named after {len(self.home.plates)} plates, read as one: {plates}")
        return copies

    def _plate_id(self) -> str | None:
        root = self.headers.root.replace("\\", "/").rstrip("/")
        return plate_id(f"{root}/{self.place}" if self.place else root)

    def _thumbs(self) -> list[Unmatched]:
        return [Unmatched(path=path, reason="a thumbnail") for path in self.folder.thumbs]

    def _why(self, promise: Promise) -> str:
        parts = [f"{self.folder.named} files are named {SPELT}"]
        if promise.path is None:
            parts.append("no HTD")
        else:
            described = promise.protocol.description if promise.protocol else ""
            parts.append(f"{promise.path} is an HTD" + (f" ({described[:TOLD_DESCRIPTION]})" if described else ""))
        if self.folder.thumbs:
            parts.append(f"{len(self.folder.thumbs)} thumbnails are left out")
        return ", ".join(parts)


def _plane(spot: Spot, told: Gathered) -> Plane:
    z_um, time_s = told.measures(spot.source.path)
    return Plane(
        well=spot.well,
        site=spot.site,
        channel=spot.wave,
        z=spot.z,
        t=spot.t,
        acquisition=spot.acquisition,
        source=spot.source,
        z_um=z_um,
        time_s=time_s,
    )


def _acquisition(number: int, start: str | None) -> Acquisition:
    projection = number == PROJECTIONS
    return Acquisition(number=number, name="projection" if projection else "0", projection=projection, start_time=start)
