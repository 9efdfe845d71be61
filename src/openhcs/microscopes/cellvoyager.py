"""Yokogawa CellVoyager: measurements of the CV7000, CV8000 and CQ1, by their records or by names alone.

``MeasurementData.mlf`` names every image that was recorded and what could not be; what it says goes
before names. A file it names and that is not there is missing; what the measurement setting promises
and no record names was not recorded. With names alone nothing is missing. Positions are relative to the
centre of their well and turned so that y points down.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from dataclasses import replace
from os.path import abspath
from typing import TYPE_CHECKING, Any

from openhcs.core.plate import Plane, PlaneState, Unmatched
from openhcs.core.wells import PLATE_SHAPES, well_name
from openhcs.errors import FormatError, InputError
from openhcs.microscopes.assemble import assemble, refuse_several
from openhcs.microscopes.by_name import is_below
from openhcs.microscopes.forms import Form, is_image
from openhcs.microscopes.protocol import NotMine
from openhcs.microscopes.yokogawa.files import NO_PLATE_ID, Finder, read_facts
from openhcs.microscopes.yokogawa.measures import Clock, field_places, z_offsets, z_steps
from openhcs.microscopes.yokogawa.names import (
    CQ_FORM,
    CV_FORM,
    FOLDERS,
    correction,
    is_plane_name,
    parse_cq,
    parse_cv,
)
from openhcs.microscopes.yokogawa.protocol import named, not_recorded, why_other
from openhcs.microscopes.yokogawa.series import count_timelines, passes
from openhcs.microscopes.yokogawa.told import of_images, of_records
from openhcs.microscopes.yokogawa.xml import Image, parse_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from openhcs.core.plate import Files, FileSource, PlateIndex
    from openhcs.microscopes.yokogawa.files import Facts
    from openhcs.microscopes.yokogawa.xml import Records

    Find = Callable[[str], tuple[FileSource | None, PlaneState]]

RECORDS = "MeasurementData.mlf"
RECORDS_LIMIT = 512 * 2**20
PROJECTION = "projection"
NO_RECORDS = (
    f"no {RECORDS}: file names are all there is, so nothing counts as missing, and positions, heights and times are "
    "not told"
)


class CellVoyager:
    """Reads measurements of the CV7000, CV8000 and CQ1."""

    name = "cellvoyager"
    forms = (
        Form(CV_FORM, "Plate1_A01_T0001F001L01A01Z01C01.tif", lambda name: parse_cv(name) is not None),
        Form(CQ_FORM, "W0001F0001T0001Z001C1.tif", lambda name: parse_cq(name) is not None),
    )

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the plate, or why the folder is none.

        Raises
        ------
        InputError
            several plates lie in the folder.
        FormatError
            a document is damaged, names no image, or promises far more than there is.
        """
        paths = [file.path for file in files.list()]
        homes = {
            posixpath.dirname(path): path
            for path in paths
            if path.lower().endswith(RECORDS.lower()) and posixpath.basename(path).lower() == RECORDS.lower()
        }
        refuse_several(files, homes)
        records = None
        for path in homes.values():
            records = parse_records(files.read_bytes(path, limit=RECORDS_LIMIT), posixpath.join(files.root, path))
        if records is None:
            homes = {}
        strays = _homes_of(path for path in paths if not any(is_below(path, home) for home in homes))
        refuse_several(files, {*homes, *strays})
        if records is not None:
            return _recorded(files, *next(iter(homes.items())), records)
        if strays:
            return _named_alone(files, strays.pop())
        return NotMine(f"no {RECORDS} of CellVoyager, and no file is named {CV_FORM} or {CQ_FORM}")


def _homes_of(paths: Iterable[str]) -> set[str]:
    """Return the folders of the plates that images named as planes are of.

    Images of one plate that somebody sorted into folders are one plate in the folder above.
    """
    homes: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        folder, _, base = path.rpartition("/")
        if is_plane_name(base):
            homes[posixpath.dirname(folder) if posixpath.basename(folder).lower() in FOLDERS else folder].append(base)
    if len(homes) > 1:
        bases = [base for found in homes.values() for base in found]
        plates = {cv.plate if (cv := parse_cv(base)) else None for base in bases}
        if len(plates) == 1 and None not in plates and len(set(bases)) == len(bases):
            return {posixpath.commonpath([home or "." for home in homes]) if "" not in homes else ""}
    return set(homes)


def _recorded(files: Files, home: str, path: str, records: Records) -> PlateIndex:
    where = posixpath.join(files.root, path)
    if not records.images:
        failed = f" It tells of {len(records.failures)} failures." if records.failures else ""
        raise FormatError(f"{where} names no image: the measurement was stopped before the first.{failed}", path=path)
    facts = read_facts(files, home)
    protocol = facts.protocol
    other = why_other(records, protocol) if protocol else None
    if other is not None:
        protocol = None
        facts.warnings.append(f"{facts.setting} is of another measurement: {other}; what it promises does not count")
    absent = not_recorded(records, protocol, facts.setting if protocol else path)
    finder = Finder(files, home)
    return _index(
        files,
        home,
        [*records.images, *absent],
        finder.find,
        facts,
        told=lambda: of_records(RECORDS, records, absent, finder, facts),
        why=f"{path} is a CellVoyager document of {len(records.images)} images"
        + (f" ({facts.instrument})" if facts.instrument else ""),
        stray=f"{RECORDS} does not name it",
    )


def _named_alone(files: Files, home: str) -> PlateIndex:
    facts = read_facts(files, home)
    plates: set[str] = set()
    sources: dict[str, FileSource] = {}
    images, columns = [], _columns(files, home, facts)
    for file in files.list():
        base = posixpath.basename(file.path)
        if not (is_below(file.path, home) and is_plane_name(base)):
            continue
        sources[file.path] = file
        if cv := parse_cv(base):
            plates.add(cv.plate)
            place = (cv.row + 1, cv.column + 1, cv.field, cv.time, cv.timeline, cv.action, cv.z, cv.channel)
            kind = ""
        elif cq := parse_cq(base):
            row, column = divmod(cq.well - 1, columns)
            place = (row + 1, column + 1, cq.field, cq.time, 1, 1, cq.z, cq.channel)
            kind = PROJECTION if cq.z == 0 else ""
        images.append(Image(file.path, *place, None, None, None, "", kind, ""))
    if len(plates) > 1:
        shown = ", ".join(sorted(plates)[:5])
        raise InputError(
            f"{posixpath.join(files.root, home)} holds images of {len(plates)} plates: {shown}. Put the images of each "
            "into a folder of their own.",
            path=files.root,
        )
    facts.title = facts.title or next(iter(plates), None)
    return _index(
        files,
        home,
        images,
        lambda name: (sources[name], PlaneState.PRESENT),
        facts,
        told=lambda: [NO_RECORDS],
        why=f"{len(images)} files are named {CV_FORM if plates else CQ_FORM}, and there is no {RECORDS}",
        stray="",
    )


def _columns(files: Files, home: str, facts: Facts) -> int:
    """Return how many columns the wells of the CQ1 are counted over."""
    if facts.shape:
        return facts.shape[1]
    names = (parse_cq(posixpath.basename(file.path)) for file in files.list() if is_below(file.path, home))
    most = max((name.well for name in names if name), default=0)
    if not most:
        return 1
    rows, columns = next((shape for shape in PLATE_SHAPES if shape[0] * shape[1] >= max(most, 96)), PLATE_SHAPES[-1])
    facts.shape = (rows, columns)
    facts.warnings.append(
        f"no document tells the size of the plate: wells are numbered up to W{most:04d} and are taken to be of one "
        f"with {rows} × {columns}; on another these are other wells"
    )
    return columns


def _index(
    files: Files,
    home: str,
    images: Sequence[Image],
    find: Find,
    facts: Facts,
    *,
    told: Callable[[], list[str]],
    why: str,
    stray: str,
) -> PlateIndex:
    """Return the index of these images; ``stray`` is why another image is no plane, where that is known."""
    t_of, warnings = count_timelines(images)
    numbers, acquisitions = passes(images, t_of)
    clock = Clock(facts.start, images)
    planes, places = _planes(images, numbers, t_of, find, clock)
    steps, offsets = z_steps(images), z_offsets(images)
    positions, apart = field_places(images)
    used = sorted({one.channel for one in images})
    warnings += [*told(), *of_images(images, facts, clock, acquisitions, steps=steps, apart=apart), *facts.warnings]
    taken = {plane.source.path for plane in planes if plane.source is not None and plane.state is PlaneState.PRESENT}
    left_out = []
    for file in files.list():
        if file.path in taken or not is_below(file.path, home) or not is_image(file.path):
            continue
        reason = correction(posixpath.basename(file.path)) or stray
        if reason:
            left_out.append(Unmatched(path=file.path, reason=reason))
    unnamed = [one.path for one in left_out if one.reason == stray]
    if unnamed:
        warnings.append(f"images that {RECORDS} does not name are left out: {len(unnamed)}, such as {unnamed[0]}")
    return assemble(
        files,
        microscope=CellVoyager.name,
        name=facts.title or _label(facts) or posixpath.basename(abspath(posixpath.join(files.root, home))) or "plate",
        planes=planes,
        why=why,
        channels=[replace(one, z_offset_um=offsets.get(one.number)) for one in named(facts.channels, used)],
        acquisitions=tuple(replace(one, start_time=clock.start) for one in acquisitions.values()),
        shape=facts.shape,
        documents=facts.documents,
        left_out=left_out,
        warnings=warnings,
        pixel_size_um=next((facts.pixel_sizes[one] for one in used if one in facts.pixel_sizes), None),
        z_step_um=steps[0] if steps else None,
        positions={(places[row, column], field): place for (row, column, field), place in positions.items()},
        plate_type=facts.plate_type,
        barcode=_label(facts) if _label(facts) != facts.title else None,
        instrument=facts.instrument,
        **_pixels(facts, used),
    )


def _label(facts: Facts) -> str | None:
    return None if facts.label == NO_PLATE_ID else facts.label


def _pixels(facts: Facts, used: Iterable[int]) -> dict[str, Any]:
    """Return dtype and size of planes as the documents tell them, for plates without images."""
    depth = next((facts.depths[one] for one in used if one in facts.depths), None)
    return {
        "plane_shape": next((facts.plane_shapes[one] for one in used if one in facts.plane_shapes), None),
        "dtype": None if depth is None else "uint8" if depth <= 8 else "uint16" if depth <= 16 else None,
    }


def _planes(
    images: Sequence[Image], numbers: Sequence[int], t_of: Any, find: Find, clock: Clock
) -> tuple[list[Plane], dict[tuple[int, int], str]]:
    """Return planes, and the names of their wells."""
    wells: dict[tuple[int, int], str] = {}
    planes = []
    for one, number in zip(images, numbers, strict=True):
        well = wells.get((one.row, one.column))
        if well is None:
            well = wells[one.row, one.column] = well_name(one.row - 1, one.column - 1)
        source, state = find(one.file)
        planes.append(
            Plane(
                well=well,
                site=one.field,
                channel=one.channel,
                z=one.z,
                t=t_of.get((one.timeline, one.time), one.time),
                acquisition=number,
                source=source,
                state=state,
                z_um=one.height,
                time_s=clock.seconds(one.stamp) if one.stamp else None,
            )
        )
    return planes, wells
