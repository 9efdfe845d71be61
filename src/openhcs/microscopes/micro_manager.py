"""Micro-Manager 1.4 and 2.0: files of single planes below folders of positions, or stacks of pages.

A position is a site of the well that its label names (``A1-Site_0``), else of well A01. Channels,
slices, times and sites keep Micro-Manager's own numbers, which count from 0. What the summary promises
and nothing was recorded of is not recorded: the acquisition was stopped.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from os.path import abspath
from typing import TYPE_CHECKING, Any

from openhcs.core.plate import Acquisition, Channel, Plane, Unmatched
from openhcs.errors import FormatError
from openhcs.microscopes.assemble import assemble
from openhcs.microscopes.forms import Form, is_image
from openhcs.microscopes.limits import check_promise
from openhcs.microscopes.micromanager.data import not_recorded, with_promises
from openhcs.microscopes.micromanager.files import read_separate
from openhcs.microscopes.micromanager.names import (
    SPELT_1,
    SPELT_2,
    SPELT_STACK,
    parse_plane,
    parse_stack,
    parse_text,
)
from openhcs.microscopes.micromanager.stacks import read_stacks
from openhcs.microscopes.micromanager.text import Frame
from openhcs.microscopes.ome.files import KnownFiles
from openhcs.microscopes.ome.planes import z_offsets, z_step
from openhcs.microscopes.position_names import parse_position
from openhcs.microscopes.protocol import NotMine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openhcs.core.plate import Files, PlateIndex
    from openhcs.microscopes.micromanager.data import Acquired

ONLY_WELL = "A01"
BESIDE = frozenset(("displaysettings.json", "display_and_comments.txt", "comments.txt", "displaysettings.txt"))
"""Documents that Micro-Manager writes beside its images, in lower case."""
PIXELS = {"GRAY8": "uint8", "GRAY16": "uint16", "GRAY32": "float32"}


class MicroManager:
    """Reads what Micro-Manager saves as separate image files or as image stack files."""

    name = "micro_manager"
    forms = (
        Form(SPELT_2, "img_channel000_position000_time000000000_z000.tif", lambda name: parse_plane(name) is not None),
        Form(SPELT_1, "img_000000000_DAPI_000.tif", lambda name: parse_plane(name) is not None),
        Form(SPELT_STACK, "screen_1_MMStack_A1-Site_0.ome.tif", lambda name: parse_stack(name) is not None),
    )

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the plate, or why the folder is none.

        Raises
        ------
        SeveralPlates
            several acquisitions lie in the folder.
        FormatError
            metadata is damaged, or images are in colour.
        """
        planes, stacks = {}, {}
        for file in files.list():
            base = posixpath.basename(file.path)
            plane, stack = parse_plane(base), parse_stack(base)
            if plane is not None:
                planes[file.path] = plane
            if stack is not None:
                stacks[file.path] = stack
        if not planes and not stacks:
            return NotMine(f"no file is named {SPELT_2}, {SPELT_1} or {SPELT_STACK}")
        images = sum(is_image(file.path) for file in files.list())
        if 2 * (len(planes) + len(stacks)) < images:
            return NotMine(f"{len(planes) + len(stacks)} of {images} images are named as Micro-Manager names them")
        if planes and stacks:
            raise FormatError(
                f"{files.root} holds {len(planes)} files of single planes and {len(stacks)} stacks of Micro-Manager, "
                f"such as {next(iter(planes))} and {next(iter(stacks))}. Name the folder of one acquisition.",
                path=files.root,
            )
        known = KnownFiles(files)
        found = (
            read_separate(known, planes, _name(files.root)) if planes else read_stacks(known, stacks, _name(files.root))
        )
        return found if isinstance(found, NotMine) else _Plate(known, found).build()


def _name(root: str) -> str:
    parts = [part for part in re.split(r"[/\\]", abspath(root)) if part]
    return parts[-1] if parts else "plate"


class _Plate:
    """Builds the index of one acquisition."""

    def __init__(self, files: KnownFiles, acquired: Acquired) -> None:
        self.files = files
        self.acquired = acquired

    def build(self) -> PlateIndex:
        acquired, summary = self.acquired, self.acquired.summary
        if summary.pixel_type.upper().startswith("RGB"):
            raise FormatError(
                f"{self.files.root}: images are {summary.pixel_type} (colour); a plane has one value per pixel. Save "
                "each colour as a channel of its own.",
                path=self.files.root,
            )
        self._promise()
        frames = [shot.frame for one in acquired.positions for shot in one.shots if shot.source is not None]
        sites = self._sites()
        planes = list(self._planes(sites))
        pixel = acquired.pixel_um or self._pixel(frames)
        stacked = len({plane.z for plane in planes}) > 1
        return assemble(
            self.files,
            microscope=MicroManager.name,
            name=acquired.name,
            planes=planes,
            why=acquired.why,
            channels=self._channels(frames, planes),
            acquisitions=(Acquisition(number=0, name="0", start_time=summary.start_time),),
            documents=[*acquired.documents, *self._beside()],
            left_out=[Unmatched(path=path, reason=why) for path, why in acquired.reasons.items()],
            warnings=acquired.warnings,
            positions=dict(self._positions(sites)),
            pixel_size_um=pixel,
            z_step_um=(summary.z_step_um or acquired.z_um or z_step(planes)) if stacked else None,
            **self._kind(),
        )

    def _promise(self) -> None:
        """Add what was wanted and not recorded."""
        acquired = self.acquired
        there = sum(len(one.shots) for one in acquired.positions)
        promised, absent = not_recorded(acquired)
        where = acquired.documents[0] if acquired.documents else self.files.root
        check_promise(promised, there, where)
        with_promises(acquired, Frame(0, 0, 0), absent)
        lost = sum(len(one.shots) for one in acquired.positions) - there
        if lost:
            more = f", of them {len(absent)} whole positions" if absent else ""
            acquired.warnings.append(f"planes that {where} promises and does not record: {lost}{more}")

    def _sites(self) -> list[tuple[str, int]]:
        """Return well and site of each position: by its label where all tell a well, else its number in one."""
        positions = self.acquired.positions
        named = [parse_position(one.label) for one in positions]
        if all(named) and named:
            counts: Counter[str] = Counter()
            sites = []
            for one in named:
                well = one.well if one else ONLY_WELL
                sites.append((well, counts[well] if one is None or one.site is None else one.site))
                counts[well] += 1
            if len(set(sites)) == len(sites):
                return sites
        if any(named):
            self.acquired.warnings.append(
                f"labels of {sum(map(bool, named))} of {len(named)} positions tell a well and site of their own, so "
                f"each is a site of well {ONLY_WELL}"
            )
        return [(ONLY_WELL, one.number) for one in positions]

    def _planes(self, sites: Sequence[tuple[str, int]]) -> Iterator[Plane]:
        for (well, site), position in zip(sites, self.acquired.positions, strict=True):
            for shot in position.shots:
                frame = shot.frame
                yield Plane(
                    well=well,
                    site=site,
                    channel=frame.c,
                    z=frame.z,
                    t=frame.t,
                    source=shot.source,
                    state=shot.state,
                    z_um=None if frame.height is None else round(frame.height, 3),
                    time_s=None if frame.elapsed_ms is None else round(frame.elapsed_ms / 1e3, 3),
                )

    def _channels(self, frames: Sequence[Frame], planes: Sequence[Plane]) -> list[Channel]:
        first: dict[int, Frame] = {}
        for frame in frames:
            first.setdefault(frame.c, frame)
        summary, offsets = self.acquired.summary, z_offsets(planes)
        channels = []
        for number in sorted({plane.channel for plane in planes}):
            frame = first.get(number, Frame(0, number, 0))
            named = summary.channels[number] if number < len(summary.channels) else ""
            channels.append(
                Channel(
                    number=number,
                    name=frame.channel or named or str(number),
                    color=summary.colors[number] if number < len(summary.colors) else None,
                    exposure_ms=None if frame.exposure_ms is None else round(frame.exposure_ms, 6),
                    objective=frame.objective,
                    binning=frame.binning,
                    z_offset_um=offsets.get(number),
                )
            )
        return channels

    def _positions(self, sites: Sequence[tuple[str, int]]) -> Iterator[tuple[tuple[str, int], tuple[float, float]]]:
        listed = dict(self.acquired.summary.positions)
        for site, position in zip(sites, self.acquired.positions, strict=True):
            frames = (shot.frame for shot in position.shots)
            seen = next(((one.x, one.y) for one in frames if one.x is not None and one.y is not None), None)
            place = seen or position.place_um or listed.get(position.label)
            if place is not None:
                yield site, place

    def _pixel(self, frames: Sequence[Frame]) -> tuple[float, float] | None:
        size = next((one.pixel_um for one in frames if one.pixel_um), None) or self.acquired.summary.pixel_um
        return (size, size) if size else None

    def _kind(self) -> dict[str, Any]:
        summary = self.acquired.summary
        told: dict[str, Any] = {"dtype": PIXELS.get(summary.pixel_type.upper()), "plane_shape": summary.shape}
        return {key: self.acquired.kind.get(key, value) for key, value in told.items()}

    def _beside(self) -> list[str]:
        """Return further documents of Micro-Manager that lie with those that were read, or above them."""
        documents = [
            *self.acquired.documents,
            *(shot.source.path for one in self.acquired.positions for shot in one.shots[:1] if shot.source),
        ]
        folders = {posixpath.dirname(path) for path in documents}
        folders |= {posixpath.dirname(folder) for folder in folders}
        return [
            file.path
            for file in self.files.list()
            if posixpath.dirname(file.path) in folders
            and (posixpath.basename(file.path).lower() in BESIDE or parse_text(posixpath.basename(file.path)))
        ]
