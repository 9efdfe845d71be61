"""Our own TIFF outputs: ``plate.json`` beside the rows, one OME-TIFF per plane.

``plate.json`` tells of the plate, file names of the planes: ``A01_s1_c1_z1_t1.ome.tif``, with
``_a1`` after the site for acquisition 1.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from openhcs.core.documents import parse_json
from openhcs.core.plate import Acquisition, Channel, FileSource, Plane, PlaneState, PlateIndex, Unmatched, sorted_planes
from openhcs.errors import FormatError, NotFound
from openhcs.microscopes.limits import check_promise
from openhcs.microscopes.protocol import NotMine
from openhcs.ngff.facts import TOLD, PlateFacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.core.plate import Files

DOCUMENT = "plate.json"
FOLDER = "images"
_LIMIT = 64 * 2**20
_NAME = re.compile(
    r"(?P<well>[A-Z]{1,2}[0-9]{2,3})_s(?P<site>[0-9]{1,9})(?:_a(?P<acquisition>[0-9]{1,9}))?_c(?P<channel>[0-9]{1,9})"
    r"_z(?P<z>[0-9]{1,9})_t(?P<t>[0-9]{1,9})\.ome\.tif"
)


class OpenHCSTiff:
    """Reads what a run wrote with the disk backend: the images' folder, or the output around it."""

    name = "openhcs_tiff"

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the plate, or why the folder is none.

        Raises
        ------
        FormatError
            ``plate.json`` is damaged or of a newer version.
        """
        for folder in ("", FOLDER):
            told = _document(files, folder)
            if told is not None:
                return _index(files, folder, told)
        return NotMine(f"neither {DOCUMENT} nor {FOLDER}/{DOCUMENT} is one that openhcs wrote")


def _document(files: Files, folder: str) -> dict[str, Any] | None:
    """Return our document; None where there is none, or another program's of that name."""
    path = f"{folder}/{DOCUMENT}" if folder else DOCUMENT
    try:
        told = parse_json(files.read_bytes(path, limit=_LIMIT), f"{files.root}/{path}")
    except NotFound:
        return None
    ours = isinstance(told, dict) and {"version", "plate", "plane_shape", "wells"} <= set(told)
    return told if ours else None


def _index(files: Files, folder: str, told: Mapping[str, Any]) -> PlateIndex:
    facts = PlateFacts.from_json(told)
    prefix = f"{folder}/" if folder else ""
    wells, dtype, shape = _images(told)
    planes, unmatched = _planes(files.list(), prefix)
    planes += _promised(planes, wells)
    acquisitions = {plane.acquisition for plane in planes} | {one.number for one in facts.acquisitions}
    channels = {plane.channel for plane in planes} | {one.number for one in facts.channels}
    facts = facts.including([*wells, *{plane.well for plane in planes}])
    return PlateIndex(
        name=facts.name,
        root=f"{files.root.rstrip('/')}/{folder}" if folder else files.root,
        microscope=OpenHCSTiff.name,
        rows=facts.rows,
        columns=facts.columns,
        planes=sorted_planes(planes),
        channels=tuple(facts.channel(number) for number in sorted(channels)) or (Channel(number=1, name="1"),),
        acquisitions=tuple(facts.acquisition(number) for number in sorted(acquisitions))
        or (Acquisition(number=0, name="0"),),
        pixel_size_um=facts.pixel_size_um,
        z_step_um=facts.z_step_um,
        dtype=dtype,
        plane_shape=shape,
        positions=facts.positions,
        **{name: getattr(facts, name) for name in (*TOLD, "flat_fields")},
        unmatched=tuple(unmatched),
        why=f"{prefix}{DOCUMENT} was written by openhcs and tells of {len(wells)} wells",
    )


def _images(told: Mapping[str, Any]) -> tuple[list[str], str, tuple[int, int]]:
    """Return wells, dtype and plane shape (y, x)."""
    try:
        y, x = told["plane_shape"]
        return [str(well) for well in told["wells"]], str(told["dtype"]), (int(y), int(x))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"{DOCUMENT} is not as openhcs writes it: {error!r}", path=DOCUMENT) from None


def _planes(listed: Sequence[FileSource], prefix: str) -> tuple[list[Plane], list[Unmatched]]:
    planes: list[Plane] = []
    unmatched = []
    for file in listed:
        if not file.path.startswith(prefix) or file.path == f"{prefix}{DOCUMENT}":
            continue
        path = file.path.removeprefix(prefix)
        match = _NAME.fullmatch(path.rpartition("/")[2])
        if match is None:
            unmatched.append(Unmatched(path=path, reason="the name is none of <well>_s<site>_c<c>_z<z>_t<t>.ome.tif"))
            continue
        names = ("site", "acquisition", "channel", "z", "t")
        site, acquisition, channel, z, t = (int(match[name] or 0) for name in names)
        source = FileSource(path, size=file.size, mtime_ns=file.mtime_ns)
        planes.append(
            Plane(well=match["well"], site=site, channel=channel, z=z, t=t, acquisition=acquisition, source=source)
        )
    return planes, unmatched


def _promised(planes: Sequence[Plane], wells: Sequence[str]) -> list[Plane]:
    """Return missing planes for wells that the document names and no file is of: what others hold."""
    here = {plane.well for plane in planes}
    keys = sorted({plane.key for plane in planes}) or [(0, 1, 1, 1, 1)]
    absent = [one for one in dict.fromkeys(wells) if one not in here]
    check_promise(len(absent) * len(keys), len(planes), DOCUMENT)
    return [_missing(well, key) for well, key in itertools.product(absent, keys)]


def _missing(well: str, key: tuple[int, int, int, int, int]) -> Plane:
    acquisition, site, t, channel, z = key
    state = PlaneState.MISSING
    return Plane(well=well, site=site, channel=channel, z=z, t=t, acquisition=acquisition, state=state)
