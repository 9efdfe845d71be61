"""Opera Phenix and Operetta plates as Harmony exports them: an index, or names alone.

Images are named ``r<RR>c<CC>f<FF>p<PP>-ch<C>sk<T>fk<K>fl<L>.tiff`` and lie in ``Images``. The index
(``Index.idx.xml``, ``Index.xml`` or ``Index.ref.xml``) lies with them or in the folder above, and what
it says goes before names: a file it names and that is not there is missing, one with an empty
address was not recorded. With names alone nothing is missing. Positions are relative to the centre
of their well and turned so that y points down; where the well itself lies is not added.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from os.path import abspath
from typing import TYPE_CHECKING

from openhcs.core.plate import Acquisition, Channel, Plane, PlaneState, PlateIndex, Unmatched
from openhcs.core.wells import plate_shape, row_name, well_name
from openhcs.errors import FormatError, InputError
from openhcs.microscopes.harmony_files import (
    INDEX_NAMES,
    SPELT,
    Finder,
    Name,
    is_below,
    parse_name,
    plate_of_image,
    plate_of_index,
)
from openhcs.microscopes.harmony_xml import parse_harmony
from openhcs.microscopes.protocol import NotMine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from openhcs.core.plate import Files, FileSource, ImageHeader
    from openhcs.microscopes.harmony_xml import HarmonyImage, HarmonyIndex

INDEX_LIMIT = 256 * 2**20
HEADERS_TRIED = 5
NO_INDEX = (
    "no Harmony index: file names are all there is, without channel names, pixel size and positions; "
    "where Index.xml lies in the folder above, name that folder"
)


@dataclass(frozen=True, slots=True)
class _Image:
    """One image of either origin: where it is on the plate, its file, and whether that is there."""

    name: Name
    source: FileSource | None
    state: PlaneState = PlaneState.PRESENT


class OperaPhenix:
    """Reads what Harmony exports from Opera Phenix, Operetta and Sonata."""

    name = "opera_phenix"

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the plate, or why the folder is none.

        Raises
        ------
        InputError
            several plates lie in the folder.
        FormatError
            the index is damaged, or names no image.
        """
        found = _find_index(files)
        if found is not None:
            return _indexed(files, *found)
        named = _named(files)
        if not named:
            return NotMine(f"no Index.idx.xml, Index.xml or Index.ref.xml of Harmony, and no file is named {SPELT}")
        return _named_alone(files, named)


def _find_index(files: Files) -> tuple[str, HarmonyIndex] | None:
    """Return the index that names images and its path; `InputError` when there are several plates."""
    candidates: dict[str, list[str]] = defaultdict(list)
    for file in files.list():
        if posixpath.basename(file.path).lower() in INDEX_NAMES:
            candidates[plate_of_index(file.path)].append(file.path)
    found: dict[str, tuple[str, HarmonyIndex]] = {}
    empty = None
    for home, paths in candidates.items():
        for path in sorted(paths, key=lambda path: INDEX_NAMES.index(posixpath.basename(path).lower())):
            index = parse_harmony(files.read_bytes(path, limit=INDEX_LIMIT), posixpath.join(files.root, path))
            if index is not None and index.images:
                found[home] = (path, index)
                break
            empty = path if index is not None else empty
    if len(found) > 1:
        raise _several(files, found)
    if empty is not None and not found:
        raise FormatError(
            f"{posixpath.join(files.root, empty)} names no image: the measurement was stopped before the first, or "
            "the export is not whole.",
            path=empty,
        )
    return next(iter(found.values()), None)


def _several(files: Files, homes: Iterable[str]) -> InputError:
    places = sorted(homes)
    shown = ", ".join(place or "the folder itself" for place in places[:5])
    return InputError(
        f"{files.root} holds {len(places)} Harmony plates: {shown}{' …' if len(places) > 5 else ''}. Name one of them.",
        path=files.root,
    )


def _named(files: Files) -> list[_Image]:
    named = ((parse_name(posixpath.basename(file.path)), file) for file in files.list())
    return [_Image(name, file) for name, file in named if name is not None]


def _named_alone(files: Files, named: list[_Image]) -> PlateIndex:
    homes = {plate_of_image(image.source.path) for image in named if image.source}
    clash = len({image.name for image in named}) < len(named)
    if len(homes) > 1 and (clash or any("/images/" in f"/{i.source.path}".lower() for i in named if i.source)):
        raise _several(files, homes)
    used = {image.source.path for image in named if image.source}
    names = sorted({image.name.channel for image in named})
    return _Plate(files, named, used).build(
        name=_folder_name(files.root),
        shape=None,
        channels=tuple(Channel(number=number, name=str(number)) for number in names),
        warnings=(NO_INDEX,),
        why=f"{len(named)} files are named {SPELT}, no index",
    )


def _folder_name(root: str) -> str:
    parts = [part for part in re.split(r"[/\\]", abspath(root)) if part]
    if len(parts) > 1 and parts[-1].lower() == "images":
        parts.pop()
    return parts[-1] if parts else "plate"


def _indexed(files: Files, path: str, index: HarmonyIndex) -> PlateIndex:
    finder = Finder(files, path)
    first = min(image.timepoint for image in index.images)
    images = [_image(image, finder, first) for image in index.images]
    used = {image.source.path for image in images if image.source}
    channel = next(iter(index.channels.values()))
    deepest = channel.max_intensity
    return _Plate(files, images, used, index_path=path).build(
        name=index.plate or _folder_name(files.root),
        shape=(index.rows or 0, index.columns or 0),
        channels=tuple(
            Channel(
                number=number,
                name=told.name,
                excitation_nm=told.excitation,
                emission_nm=told.emission,
                exposure_ms=None if told.exposure is None else round(told.exposure * 1e3, 6),
            )
            for number, told in index.channels.items()
        ),
        start_time=index.start_time,
        pixel_size_um=_microns(next((c.resolution for c in index.channels.values() if c.resolution), None)),
        z_step_um=_z_step(index.images),
        dtype=None if deepest is None else "uint8" if deepest <= 256 else "uint16" if deepest <= 65536 else None,
        plane_shape=channel.size,
        positions=_positions(index.images),
        warnings=_uneven(index),
        why=f"{path} is a Harmony index of {len(images)} images"
        + (f" ({index.instrument})" if index.instrument else ""),
    )


def _image(told: HarmonyImage, finder: Finder, first: int) -> _Image:
    source, state = finder.find(told.url)
    spelt = parse_name(posixpath.basename(source.path)) if source else None
    name = Name(
        told.row,
        told.column,
        told.field,
        told.plane,
        told.channel,
        told.timepoint - first + 1,
        spelt.kinetic if spelt else 1,
        told.flim,
    )
    return _Image(name, source, state)


def _microns(metres: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if metres is None else (round(metres[0] * 1e6, 9), round(metres[1] * 1e6, 9))


def _positions(images: Iterable[HarmonyImage]) -> dict[tuple[str, int], tuple[float, float]]:
    """Return the place of every site in µm from the centre of its well; Harmony's y points up."""
    places: dict[tuple[int, int, int], tuple[float, float]] = {}
    for image in images:
        if image.x is not None and image.y is not None:
            key = (image.row, image.column, image.field)
            if key not in places:
                places[key] = (round(image.x * 1e6, 6), round(0.0 - image.y * 1e6, 6))
    return {(well_name(row - 1, column - 1), site): place for (row, column, site), place in places.items()}


def _z_step(images: Iterable[HarmonyImage]) -> float | None:
    """Return the distance of planes in µm, seen on one stack: heights differ from channel to channel."""
    stacks: dict[tuple[int, ...], HarmonyImage] = {}
    for image in images:
        if image.z is None:
            continue
        key = (image.row, image.column, image.field, image.timepoint, image.channel)
        other = stacks.setdefault(key, image)
        if other.plane != image.plane and other.z is not None and other.z != image.z:
            return round(abs((image.z - other.z) * 1e6 / (image.plane - other.plane)), 6)
    return None


def _uneven(index: HarmonyIndex) -> list[str]:
    sizes = {told.name: told.size for told in index.channels.values() if told.size}
    if len(set(sizes.values())) < 2:
        return []
    listed = ", ".join(f"{name} {size[1]} x {size[0]}" for name, size in sizes.items())
    return [f"channels differ in size: {listed} pixels (x, y)"]


class _Plate:
    """Builds the index of one plate from its images."""

    def __init__(self, files: Files, images: list[_Image], used: set[str], index_path: str | None = None) -> None:
        self.files = files
        self.used = used
        self.index_path = index_path
        self.repeated: list[Unmatched] = []
        self.warnings: list[str] = []
        self.images = self._once(self._unfolded(images))

    def build(
        self,
        *,
        name: str,
        shape: tuple[int, int] | None,
        channels: tuple[Channel, ...],
        warnings: Sequence[str],
        why: str,
        start_time: str | None = None,
        pixel_size_um: tuple[float, float] | None = None,
        z_step_um: float | None = None,
        dtype: str | None = None,
        plane_shape: tuple[int, int] | None = None,
        positions: Mapping[tuple[str, int], tuple[float, float]] | None = None,
    ) -> PlateIndex:
        planes = self._planes()
        header = self._header(planes)
        if header is not None and plane_shape not in {None, header.shape}:
            self.warnings.append(
                f"images are {header.shape[1]} x {header.shape[0]} pixels (x, y) and the index says "
                f"{plane_shape[1]} x {plane_shape[0]}"
            )
        rows, columns = self._shape(shape)
        metadata, unmatched = self._others()
        return PlateIndex(
            name=name,
            root=self.files.root,
            microscope=OperaPhenix.name,
            rows=tuple(row_name(row) for row in range(rows)),
            columns=tuple(f"{column + 1:02d}" for column in range(columns)),
            planes=planes,
            channels=channels,
            acquisitions=(Acquisition(number=0, name="0", start_time=start_time),),
            pixel_size_um=pixel_size_um,
            z_step_um=z_step_um,
            dtype=header.dtype if header else dtype,
            plane_shape=header.shape if header else plane_shape,
            positions=positions or {},
            metadata_files=metadata,
            unmatched=(*unmatched, *self.repeated),
            warnings=(*warnings, *self.warnings),
            why=why,
        )

    def _unfolded(self, images: list[_Image]) -> list[_Image]:
        """Return images whose time runs on through the frames of fast series, where it does not yet."""
        frames = max(image.name.kinetic for image in images)
        if frames == 1 or len({replace(image.name, kinetic=1) for image in images}) == len(images):
            return images
        self.warnings.append(f"a fast series of {frames} frames at each time point is read as one series in time")
        return [
            replace(image, name=replace(image.name, time=(image.name.time - 1) * frames + image.name.kinetic))
            for image in images
        ]

    def _once(self, images: list[_Image]) -> list[_Image]:
        """Return images row by row, site by site, in time; of several at one place the first that is there."""
        kept: dict[tuple[int, ...], _Image] = {}
        for image in sorted(images, key=lambda image: (image.state is not PlaneState.PRESENT, image.name.flim)):
            name = image.name
            key = (name.row, name.column, name.field, name.time, name.channel, name.plane)
            if key not in kept:
                kept[key] = image
            elif image.source is not None and image.source != kept[key].source:
                self._repeat(image.source, kept[key])
        if self.repeated:
            self.warnings.append(f"{len(self.repeated)} images stand at the place of another and are left out")
        return [kept[key] for key in sorted(kept)]

    def _repeat(self, source: FileSource, first: _Image) -> None:
        other = first.source.path if first.source else "another"
        self.repeated.append(
            Unmatched(path=source.path, reason=f"the same well, field, plane, time and channel as {other}")
        )

    def _planes(self) -> tuple[Plane, ...]:
        wells: dict[tuple[int, int], str] = {}
        planes = []
        for image in self.images:
            name = image.name
            place = (name.row, name.column)
            well = wells.get(place) or wells.setdefault(place, well_name(name.row - 1, name.column - 1))
            planes.append(
                Plane(
                    well=well,
                    site=name.field,
                    channel=name.channel,
                    z=name.plane,
                    t=name.time,
                    source=image.source,
                    state=image.state,
                )
            )
        return tuple(planes)

    def _header(self, planes: Iterable[Plane]) -> ImageHeader | None:
        """Return the header of the first plane that is there and can be read."""
        present = (plane.source for plane in planes if plane.state is PlaneState.PRESENT and plane.source)
        for _, source in zip(range(HEADERS_TRIED), present, strict=False):
            try:
                return self.files.header(source.path)
            except FormatError as error:
                self.warnings.append(str(error))
        return None

    def _shape(self, told: tuple[int, int] | None) -> tuple[int, int]:
        """Return rows and columns: as told, and never fewer than the wells need."""
        rows, columns = told or (0, 0)
        high = max(image.name.row for image in self.images)
        wide = max(image.name.column for image in self.images)
        if rows >= high and columns >= wide:
            return rows, columns
        if told is not None:
            self.warnings.append(
                f"the index tells {rows} x {columns} wells and names images in row {high}, column {wide}"
            )
        return plate_shape([well_name(high - 1, wide - 1)])

    def _others(self) -> tuple[tuple[str, ...], tuple[Unmatched, ...]]:
        """Return documents to keep, and files that are no plane with the reason."""
        home = None if self.index_path is None else plate_of_index(self.index_path)
        metadata, unmatched = [], []
        for file in self.files.list():
            if file.path in self.used:
                continue
            if home is not None and is_below(file.path, home) and file.path.lower().endswith(".xml"):
                metadata.append(file.path)
            else:
                unmatched.append(Unmatched(path=file.path, reason=self._reason(file.path)))
        return tuple(metadata), tuple(unmatched)

    def _reason(self, path: str) -> str:
        if not path.lower().endswith((".tif", ".tiff")):
            return "no TIFF"
        if self.index_path is not None:
            return f"{self.index_path} does not name it"
        return f"not named {SPELT}"
