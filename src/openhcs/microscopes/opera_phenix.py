"""Opera Phenix, Operetta and Sonata plates as Harmony exports them: an index, or names alone.

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
from os.path import abspath
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from openhcs.core.plate import Acquisition, Plane, PlaneState, Unmatched
from openhcs.core.wells import well_name
from openhcs.errors import FormatError
from openhcs.microscopes.assemble import assemble, refuse_several
from openhcs.microscopes.by_name import is_below
from openhcs.microscopes.forms import Form
from openhcs.microscopes.harmony import facts
from openhcs.microscopes.harmony.files import (
    INDEX_NAMES,
    SPELT,
    Finder,
    Name,
    parse_name,
    plate_of_image,
    plate_of_index,
)
from openhcs.microscopes.harmony.index_xml import names_images, parse_harmony, profile_texts
from openhcs.microscopes.protocol import NotMine

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from openhcs.core.plate import Files, FileSource, PlateIndex
    from openhcs.microscopes.harmony.model import HarmonyImage, HarmonyIndex

INDEX_LIMIT, PER_FILE = 2**28, 2**12
"""Bytes an index may have: so many, or more where so many for each file that is there are more."""
PROFILES = "ffc_profile"
SMALL = 20
"""A file smaller than one in so many of what is usual holds hardly an image."""
NO_INDEX = (
    "no Harmony index: file names are all there is, without channel names, pixel size and positions; "
    "where Index.xml lies in the folder above, name that folder"
)


class _Image(NamedTuple):
    """One image of either origin: where it is on the plate, its file, and what was told of it."""

    name: Name
    source: FileSource | None
    state: PlaneState = PlaneState.PRESENT
    z_um: float | None = None
    time_s: float | None = None


class OperaPhenix:
    """Reads what Harmony exports from Opera Phenix, Operetta and Sonata."""

    name = "opera_phenix"
    forms = (Form(SPELT, "r01c02f03p04-ch1sk1fk1fl1.tiff", lambda name: parse_name(name) is not None),)

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the plate, or why the folder is none.

        Raises
        ------
        SeveralPlates
            the folder holds more than one.
        FormatError
            the index is damaged or names no image, or two images of one place differ.
        """
        for path in _indexes(files):
            index = parse_harmony(*_read(files, path))
            if index is not None:
                return _indexed(files, path, index)
        named = _named(files)
        if not named:
            return NotMine(f"no Index.idx.xml, Index.xml or Index.ref.xml of Harmony, and no file is named {SPELT}")
        return _named_alone(files, named)


def _indexes(files: Files) -> list[str]:
    """Return the documents named as indexes, the best first; of several those of the one plate that has images."""
    homes: dict[str, list[str]] = defaultdict(list)
    for file in files.list():
        if posixpath.basename(file.path).lower() in INDEX_NAMES:
            homes[plate_of_index(file.path)].append(file.path)
    for paths in homes.values():
        paths.sort(key=lambda path: INDEX_NAMES.index(posixpath.basename(path).lower()))
    every = [path for paths in homes.values() for path in paths]
    if len(every) < 2:
        return every
    whole = {home: [path for path in paths if names_images(*_read(files, path))] for home, paths in homes.items()}
    refuse_several(files, [home for home, paths in whole.items() if paths])
    return [path for paths in whole.values() for path in paths] or every


def _read(files: Files, path: str) -> tuple[bytes, str]:
    """Return the bytes of an index, and its whole path."""
    limit = max(INDEX_LIMIT, PER_FILE * len(files.list()))
    return files.read_bytes(path, limit=limit), posixpath.join(files.root, path)


def _named(files: Files) -> list[_Image]:
    named = ((parse_name(posixpath.basename(file.path)), file) for file in files.list())
    return [_Image(name, file) for name, file in named if name is not None]


def _named_alone(files: Files, named: list[_Image]) -> PlateIndex:
    homes = {plate_of_image(image.source.path) for image in named if image.source}
    clash = len({image.name for image in named}) < len(named)
    if clash or any("/images/" in f"/{image.source.path}".lower() for image in named if image.source):
        refuse_several(files, homes)
    images, acquisitions, warnings = _apart(named, None)
    return assemble(
        files,
        microscope=OperaPhenix.name,
        name=_folder_name(files.root),
        planes=_planes(images, acquisitions),
        acquisitions=tuple(acquisitions.values()),
        warnings=(NO_INDEX, *warnings, *_small(images)),
        why=f"{len(named)} files are named {SPELT}, no index",
    )


def _folder_name(root: str) -> str:
    parts = [part for part in re.split(r"[/\\]", abspath(root)) if part]
    if len(parts) > 1 and parts[-1].lower() == "images":
        parts.pop()
    return parts[-1] if parts else "plate"


def _indexed(files: Files, path: str, index: HarmonyIndex) -> PlateIndex:
    if not index.images:
        raise FormatError(
            f"{posixpath.join(files.root, path)} names no image: the measurement was stopped before the first, or "
            "the export is not whole.",
            path=path,
        )
    images, acquisitions, warnings = _apart(_told(files, path, index), index.start_time)
    home = plate_of_index(path)
    documents = [one.path for one in files.list() if one.path.lower().endswith(".xml") and is_below(one.path, home)]
    profiles, damaged = (index.profiles, []) if index.profiles else _profiles(files, documents, index)
    flat_fields, wrong = facts.flat_fields_of(profiles)
    used = {image.source.path for image in images if image.source}
    unnamed = [
        file.path
        for file in files.list()
        if file.path not in used and parse_name(posixpath.basename(file.path)) is not None
    ]
    if unnamed:
        warnings.append(f"images that the index does not name are left out: {len(unnamed)}, such as {unnamed[0]}")
    dtype, plane_shape = facts.pixels_of(index)
    return assemble(
        files,
        microscope=OperaPhenix.name,
        name=index.plate or _folder_name(files.root),
        planes=_planes(images, acquisitions),
        channels=facts.channels_of(index),
        acquisitions=tuple(acquisitions.values()),
        shape=(index.rows or 0, index.columns or 0),
        documents=documents,
        left_out=[Unmatched(path=one, reason=f"{path} does not name it") for one in unnamed],
        warnings=(*facts.oddities_of(index), *damaged, *wrong, *warnings, *_small(images)),
        why=f"{path} is a Harmony index of {len(index.images)} images"
        + (f" ({index.instrument})" if index.instrument else ""),
        pixel_size_um=facts.pixel_size_of(index),
        z_step_um=facts.z_step_of(index.images),
        dtype=dtype,
        plane_shape=plane_shape,
        positions=facts.positions_of(index.images),
        plate_type=index.plate_type,
        barcode=index.plate_id,
        instrument=index.instrument,
        flat_fields=flat_fields,
    )


def _profiles(files: Files, documents: Iterable[str], index: HarmonyIndex) -> tuple[dict[int, str], list[str]]:
    """Return the flat-field profiles that stand in documents of their own, as older exports have them."""
    found: dict[int, str] = {}
    damaged = []
    for path in documents:
        if posixpath.basename(posixpath.dirname(path)).lower() == PROFILES:
            try:
                told = profile_texts(files.read_bytes(path), posixpath.join(files.root, path))
            except FormatError as error:
                damaged.append(str(error))
            else:
                found = {number: text for number, text in told.items() if number in index.channels} | found
    return found, damaged


def _told(files: Files, path: str, index: HarmonyIndex) -> list[_Image]:
    """Return what an index names, with the files it means."""
    finder = Finder(files, path)
    seconds = facts.seconds_of(index.start_time)
    shift = _first_time(index.images)
    images = []
    for told in index.images:
        source, state = finder.find(told.url)
        name = Name(told.row, told.column, told.field, told.plane, told.channel, told.timepoint + shift, 1, told.flim)
        height = None if told.z is None else round(told.z * 1e6, 3)
        images.append(_Image(name, source, state, height, seconds(told)))
    if len({image.name for image in images}) < len(images):
        return [image._replace(name=image.name._replace(kinetic=_kinetic(image.source))) for image in images]
    return images


def _first_time(images: Sequence[HarmonyImage]) -> int:
    """Return what is to be added to an index's time points for those of file names, which begin at 1."""
    spelt = parse_name(re.split(r"[/\\]", images[0].url)[-1])
    return spelt.time - images[0].timepoint if spelt else 1 - min(image.timepoint for image in images)


def _kinetic(source: FileSource | None) -> int:
    spelt = parse_name(posixpath.basename(source.path)) if source else None
    return spelt.kinetic if spelt else 1


def _apart(images: list[_Image], start_time: str | None) -> tuple[list[_Image], dict[int, Acquisition], list[str]]:
    """Return images with those of one place told apart, acquisitions by FLIM number, and warnings.

    Frames of a fast series go on in time; each further FLIM number is an acquisition of its own. Where
    neither tells images apart they are copies of one another, or are refused.
    """
    warnings = []
    if len({image.name[:6] for image in images}) < len({image.name[:7] for image in images}):
        frames = max(image.name.kinetic for image in images)
        warnings.append(f"a fast series of {frames} frames at each time point is read as one series in time")
        images = [
            image._replace(name=image.name._replace(time=(image.name.time - 1) * frames + image.name.kinetic))
            for image in images
        ]
    kinds = {min(image.name.flim for image in images)}
    if len({image.name[:6] for image in images}) < len({(*image.name[:6], image.name.flim) for image in images}):
        kinds |= {image.name.flim for image in images}
    acquisitions = {
        kind: Acquisition(number=number, name=f"flim{kind}" if number else "0", start_time=start_time)
        for number, kind in enumerate(sorted(kinds))
    }
    if len(acquisitions) > 1:
        warnings.append(f"images with {len(acquisitions)} FLIM numbers at one place are acquisitions of their own")
    return images, acquisitions, warnings


def _planes(images: Iterable[_Image], acquisitions: dict[int, Acquisition]) -> list[Plane]:
    wells: dict[tuple[int, int], str] = {}
    planes = []
    for name, source, state, z_um, time_s in images:
        place = (name.row, name.column)
        planes.append(
            Plane(
                well=wells.get(place) or wells.setdefault(place, well_name(name.row - 1, name.column - 1)),
                site=name.field,
                channel=name.channel,
                z=name.plane,
                t=name.time,
                acquisition=acquisitions[name.flim].number if name.flim in acquisitions else 0,
                source=source,
                state=state,
                z_um=z_um,
                time_s=time_s,
            )
        )
    return planes


def _small(images: Iterable[_Image]) -> list[str]:
    """Tell of files far smaller than the others: blank, or cut short."""
    there = [image.source for image in images if image.source and image.state is PlaneState.PRESENT]
    usual = median(file.size for file in there) if there else 0
    small = [file for file in there if file.size * SMALL < usual]
    if not small:
        return []
    example = f"{small[0].path}: {small[0].size} bytes where half have {usual:.0f} or more"
    return [f"images far smaller than the others, blank or cut short: {len(small)}, such as {example}"]
