"""ImageXpress / MetaXpress: exported plates and those of the database.

Names are read from right to left: ``<plate>_<WELL>[_s<site>][_w<wave>][_thumb][GUID].tif``; folders
``TimePoint_<t>`` and ``ZStep_<z>`` give the rest. Exported, ``ZStep_0`` is the projection; in the
database's layout the top folder is. An HTD beside or above says what was promised.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openhcs.core.plate import Acquisition, Channel, Plane, PlaneState, PlateIndex, Unmatched, sorted_planes
from openhcs.core.wells import natural_key, plate_shape, row_name
from openhcs.errors import FormatError, InputError
from openhcs.microscopes.htd import parse_htd
from openhcs.microscopes.limits import check_promise
from openhcs.microscopes.metaseries import Facts, parse_metaseries
from openhcs.microscopes.protocol import NotMine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from openhcs.core.plate import Files, FileSource, ImageHeader
    from openhcs.microscopes.htd import Protocol

_GUID = re.compile(r"_?\[?[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\]?$")
_REST = re.compile(
    r"(?P<plate>.+)_(?P<well>(?:[A-Z]|A[A-F])[0-9]{2})(?:_s(?P<site>[0-9]{1,4}))?(?:_w(?P<wave>[0-9]{1,2}))?"
)
_FOLDER = re.compile(r"(?P<kind>TimePoint|ZStep)_(?P<number>[0-9]{1,5})")
FORM = "<plate>_<well>[_s<site>][_w<wave>].tif"
PLANES, PROJECTIONS = 0, 1
TOP = -1
"""The z of a file that lies in no ``ZStep`` folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """What an ImageXpress file name says. ``site`` and ``wave`` are 1 where the name has none."""

    plate: str
    well: str
    site: int = 1
    wave: int = 1
    thumb: bool = False


def parse_name(name: str) -> Name | None:
    """Return what a file name says, or None when it is no ImageXpress name.

    >>> parse_name("Projection-Mix_E08_s117654C10-92F1-4DFD-98AA-6A01BBD77557.tif")
    Name(plate='Projection-Mix', well='E08', site=1, wave=1, thumb=False)
    """
    stem, dot, suffix = name.rpartition(".")
    if not dot or suffix.lower() not in {"tif", "tiff"}:
        return None
    stem = _GUID.sub("", stem)
    thumb = stem.endswith("_thumb")
    match = _REST.fullmatch(stem.removesuffix("_thumb"))
    if match is None:
        return None
    return Name(
        plate=match["plate"],
        well=match["well"],
        site=int(match["site"] or 1),
        wave=int(match["wave"] or 1),
        thumb=thumb,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One file that is a plane: its name, time point, z as the folders say (`TOP`: none), place."""

    name: Name
    t: int
    z: int
    source: FileSource


@dataclass(slots=True)
class _Folder:
    """All files sorted into planes, by the plate folder they lie in, and the rest."""

    plates: dict[str, list[_Found]] = field(default_factory=lambda: defaultdict(list))
    unmatched: list[Unmatched] = field(default_factory=list)
    htds: list[str] = field(default_factory=list)


class ImageXpress:
    """Reads the layouts that MetaXpress exports and keeps."""

    name = "imagexpress"

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the plate, or why the folder is none.

        Raises
        ------
        InputError
            several plates lie in the folder.
        FormatError
            the HTD is damaged.
        """
        folder = _sort(files)
        if not folder.plates:
            return NotMine(f"no file is named {FORM}, such as Plate1_A01_s1_w1.TIF")
        named = sum(len(found) for found in folder.plates.values())
        others = sum(one.path.lower().endswith((".tif", ".tiff")) for one in folder.unmatched)
        if named < others:
            return NotMine(f"{named} of {named + others} TIFFs are named {FORM}, the others are not")
        if len(folder.plates) > 1:
            places = ", ".join(sorted(folder.plates)[:5])
            raise InputError(
                f"{files.root} holds {len(folder.plates)} ImageXpress plates: {places}. Name one of them.",
                path=files.root,
            )
        return _Plate(files, folder).build()


def _sort(files: Files) -> _Folder:
    folder = _Folder()
    for source in files.list():
        *parents, base = source.path.split("/")
        if base.lower().endswith(".htd"):
            folder.htds.append(source.path)
            continue
        name = parse_name(base)
        if name is None:
            if "thumb" not in base.lower():
                folder.unmatched.append(Unmatched(path=source.path, reason=_why_not(base)))
        elif not name.thumb:
            t, z, home = _place(parents)
            folder.plates[home].append(_Found(name=name, t=t, z=z, source=source))
    return folder


def _why_not(base: str) -> str:
    if not base.lower().endswith((".tif", ".tiff")):
        return "no TIFF"
    return "the name has no well before site and wave; nearest: <plate>_<well>_s<site>_w<wave>.tif"


def _place(parents: list[str]) -> tuple[int, int, str]:
    """Return time point, z and the plate's own folder, from the folders above a file."""
    t, z = 1, TOP
    home = []
    for part in parents:
        match = _FOLDER.fullmatch(part)
        if match is None:
            home.append(part)
        elif match["kind"] == "TimePoint":
            t = int(match["number"])
        else:
            z = int(match["number"])
    return t, z, "/".join(home)


class _Plate:
    """Builds the index of one plate from its sorted files."""

    def __init__(self, files: Files, folder: _Folder) -> None:
        self.files = files
        self.folder = folder
        self.found = next(iter(folder.plates.values()))
        self.stacked = any(one.z > 0 for one in self.found)
        self.warnings: list[str] = []
        self.htd = min(folder.htds, key=lambda path: (path.count("/"), path)) if folder.htds else None
        self.protocol = parse_htd(files.read_bytes(self.htd), self.htd) if self.htd else None
        self.headers: dict[str, ImageHeader | None] = {}

    def build(self) -> PlateIndex:
        planes = self._planes()
        promised = self._promised(planes)
        header = self._first_header(planes.values())
        everything = sorted_planes([*planes.values(), *promised])
        rows, columns = (
            (self.protocol.rows, self.protocol.columns)
            if self.protocol
            else plate_shape([plane.well for plane in everything])
        )
        facts = parse_metaseries(header.description) if header else Facts()
        projected = any(plane.acquisition == PROJECTIONS for plane in everything)
        return PlateIndex(
            name=self._plate_name(),
            root=self.files.root,
            microscope=ImageXpress.name,
            rows=tuple(row_name(row) for row in range(rows)),
            columns=tuple(f"{column + 1:02d}" for column in range(columns)),
            planes=everything,
            channels=self._channels(everything),
            acquisitions=(
                Acquisition(number=PLANES, name="0"),
                *([Acquisition(number=PROJECTIONS, name="projection", projection=True)] if projected else []),
            ),
            pixel_size_um=facts.pixel_size_um,
            z_step_um=self._z_step(planes),
            dtype=header.dtype if header else None,
            plane_shape=header.shape if header else None,
            positions=self._positions(planes),
            metadata_files=tuple(sorted(self.folder.htds)),
            unmatched=tuple(self.folder.unmatched),
            warnings=tuple(self.warnings),
            why=f"{len(self.found)} files are named {FORM}" + (f", {self.htd} is an HTD" if self.htd else ", no HTD"),
        )

    def _plate_name(self) -> str:
        counts: dict[str, int] = defaultdict(int)
        for one in self.found:
            counts[one.name.plate] += 1
        return max(counts, key=lambda name: counts[name])

    def _planes(self) -> dict[tuple[str, int, int, int, int, int], Plane]:
        """Return the plane of every file, by (well, acquisition, site, t, channel, z)."""
        copied_z = self._copied("z")
        copied_t = self._copied("t")
        planes: dict[tuple[str, int, int, int, int, int], Plane] = {}
        for one in sorted(self.found, key=lambda one: (one.z <= 0, one.t, one.z, natural_key(one.source.path))):
            wave = one.name.wave
            z, acquisition = self._z_of(one, single=wave in copied_z)
            t = 1 if wave in copied_t else one.t
            plane = Plane(
                well=one.name.well,
                site=one.name.site,
                channel=wave,
                z=z,
                t=t,
                acquisition=acquisition,
                source=one.source,
            )
            key = (plane.well, *plane.key)
            if key not in planes:
                planes[key] = plane
            elif wave not in copied_z and wave not in copied_t:
                self._twice(planes[key], one)
        return planes

    def _twice(self, plane: Plane, one: _Found) -> None:
        first = plane.source.path if plane.source else "?"
        raise FormatError(
            f"{plane.name} is there twice: {first} and {one.source.path}. Remove one of them.",
            path=self.files.root,
            well=plane.well,
            site=plane.site,
        )

    def _z_of(self, one: _Found, *, single: bool) -> tuple[int, int]:
        if single or not self.stacked:
            return 1, PLANES
        if one.z > 0:
            return one.z, PLANES
        return 1, PROJECTIONS

    def _copied(self, axis: str) -> set[int]:
        """Return waves whose one plane was copied into every folder of an axis.

        Seen on the first site that has a wave in two folders: both copies tell the same moment.
        """
        seen: dict[int, dict[tuple[str, int, int], list[_Found]]] = defaultdict(lambda: defaultdict(list))
        for one in self.found:
            other = one.t if axis == "z" else one.z
            seen[one.name.wave][one.name.well, one.name.site, other].append(one)
        copied = set()
        for wave, places in seen.items():
            pair = next((group[:2] for group in places.values() if len(group) > 1), None)
            if pair is not None and self._same(*pair):
                copied.add(wave)
                self.warnings.append(
                    f"wave {wave}: the same file lies in every {'ZStep' if axis == 'z' else 'TimePoint'} folder; "
                    "it is kept once"
                )
        return copied

    def _same(self, one: _Found, other: _Found) -> bool:
        if one.source.size != other.source.size:
            return False
        first, second = self._header(one.source), self._header(other.source)
        if first is None or second is None or not first.description:
            return False
        # A made-up or stripped description may be equal by chance; the moment of recording is not.
        return first.description == second.description and parse_metaseries(first.description).acquired is not None

    def _header(self, source: FileSource) -> ImageHeader | None:
        if source.path not in self.headers:
            try:
                self.headers[source.path] = self.files.header(source.path)
            except FormatError:
                self.headers[source.path] = None
        return self.headers[source.path]

    def _first_header(self, planes: Iterable[Plane]) -> ImageHeader | None:
        headers = (self._header(plane.source) for plane in planes if plane.source is not None)  # type: ignore[arg-type]
        return next((header for header in headers if header is not None), None)

    def _promised(self, planes: Mapping[tuple[str, int, int, int, int, int], Plane]) -> list[Plane]:
        """Return the planes that the protocol promises and no file holds."""
        if self.protocol is None:
            return []
        zs, ts = self._wave_axes(planes, self.protocol)
        of_a_site = sum(len(ts[wave]) * len(zs[wave]) for wave in self.protocol.waves)
        promised = len(self.protocol.wells) * len(self.protocol.sites) * of_a_site
        check_promise(promised, len(planes), f"{self.files.root}/{self.htd}")
        state = PlaneState.NOT_RECORDED
        return [
            Plane(well=well, site=site, channel=wave, z=z, t=t, state=state)
            for well in self.protocol.wells
            for site in self.protocol.sites
            for wave in self.protocol.waves
            for t in ts[wave]
            for z in zs[wave]
            if (well, PLANES, site, t, wave, z) not in planes
        ]

    def _wave_axes(
        self, planes: Mapping[tuple[str, int, int, int, int, int], Plane], protocol: Protocol
    ) -> tuple[dict[int, range], dict[int, range]]:
        """Return the z and t that each wave promises: a stack only where two planes of it were seen."""
        seen_z: dict[int, set[int]] = defaultdict(set)
        seen_t: dict[int, set[int]] = defaultdict(set)
        for plane in planes.values():
            if plane.acquisition == PLANES:
                seen_z[plane.channel].add(plane.z)
                seen_t[plane.channel].add(plane.t)
        single_t = {wave for wave in protocol.waves if seen_t[wave] == {1} and any(len(s) > 1 for s in seen_t.values())}
        zs = {w: range(1, protocol.z_steps + 1) if len(seen_z[w]) > 1 else range(1, 2) for w in protocol.waves}
        ts = {w: range(1, 2) if w in single_t else range(1, protocol.time_points + 1) for w in protocol.waves}
        projected = {plane.channel for plane in planes.values() if plane.acquisition == PROJECTIONS}
        for wave in projected - {wave for wave, values in seen_z.items() if values}:
            zs[wave] = range(0)
        return zs, ts

    def _channels(self, planes: Iterable[Plane]) -> tuple[Channel, ...]:
        first: dict[int, Plane] = {}
        for plane in planes:
            known = first.get(plane.channel)
            if known is None or known.source is None:
                first[plane.channel] = plane
        return tuple(self._channel(number, first[number]) for number in sorted(first))

    def _channel(self, number: int, plane: Plane) -> Channel:
        header = self._header(plane.source) if plane.source is not None else None  # type: ignore[arg-type]
        facts = parse_metaseries(header.description) if header else Facts()
        promised = self.protocol.waves.get(number) if self.protocol else None
        return Channel(
            number=number,
            name=promised or facts.illumination or str(number),
            emission_nm=facts.emission_nm,
            exposure_ms=facts.exposure_ms,
        )

    def _positions(
        self, planes: Mapping[tuple[str, int, int, int, int, int], Plane]
    ) -> dict[tuple[str, int], tuple[float, float]]:
        positions: dict[tuple[str, int], tuple[float, float]] = {}
        tried: set[tuple[str, int]] = set()
        for plane in planes.values():
            place = (plane.well, plane.site)
            if place in tried:
                continue
            tried.add(place)
            header = self._header(plane.source)  # type: ignore[arg-type]
            position = parse_metaseries(header.description).position_um if header else None
            if position is not None:
                positions[place] = position
        return positions

    def _z_step(self, planes: Mapping[tuple[str, int, int, int, int, int], Plane]) -> float | None:
        """Return the distance between the first two z planes of one image, in µm."""
        pairs = ((key, (*key[:5], key[5] + 1)) for key in planes if key[1] == PLANES)
        pair = next(((planes[one], planes[other]) for one, other in pairs if other in planes), None)
        if pair is None:
            return None
        headers = [self._header(plane.source) for plane in pair]  # type: ignore[arg-type]
        heights = [parse_metaseries(header.description).z_um for header in headers if header]
        if len(heights) < 2 or heights[0] is None or heights[1] is None or heights[0] == heights[1]:
            return None
        return round(abs(heights[1] - heights[0]), 6)
