"""Micro-Manager's image stacks: files of many pages, an OME-XML in one of them, maybe ``*_metadata.txt`` beside.

OME-XML says which page is which plane. It also names pages for planes that were never taken: a later
``TiffData`` of a page that an earlier one has, and the blank pages with which an aborted acquisition is
filled up. The records of ``*_metadata.txt`` tell which were taken, and where there is no OME-XML their
order in a file is that of its pages.
"""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from openhcs.core.plate import FileSource, PlaneState
from openhcs.core.wells import natural_key
from openhcs.errors import FormatError, SeveralPlates
from openhcs.microscopes.assemble import refuse_several
from openhcs.microscopes.micromanager.data import Acquired, Shot, numbered
from openhcs.microscopes.micromanager.names import SPELT_STACK, parse_text
from openhcs.microscopes.micromanager.text import TEXT_LIMIT, Frame, Summary, parse_metadata
from openhcs.microscopes.ome.files import Finder, gather
from openhcs.microscopes.ome.model import TYPES, OmeChannel
from openhcs.microscopes.ome.planes import Locator
from openhcs.microscopes.protocol import NotMine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.microscopes.micromanager.names import StackName
    from openhcs.microscopes.micromanager.text import Text
    from openhcs.microscopes.ome.files import Gathered, KnownFiles, Told
    from openhcs.microscopes.ome.model import OmeImage, OmePlane
    from openhcs.microscopes.ome.planes import Located, Place

LOOKED_AT = 400


def read_stacks(files: KnownFiles, named: Mapping[str, StackName], name: str) -> Acquired | NotMine:
    """Return the acquisition whose planes are pages of stacks, or why nothing tells of them.

    Parameters
    ----------
    named
        path of each stack → what its name tells.
    name
        what to call an acquisition whose stacks have no prefix.

    Raises
    ------
    SeveralPlates
        there are several.
    FormatError
        a document is damaged.
    """
    refuse_several(files, (posixpath.dirname(path) for path in named))
    prefixes = sorted({one.prefix for one in named.values()})
    if len(prefixes) > 1:
        raise SeveralPlates(
            f"{files.root} holds stacks of {len(prefixes)} acquisitions: {', '.join(prefixes[:5])}. Put each in a "
            "folder of its own.",
            path=files.root,
        )
    return _Stacks(files, named, prefixes[0] or name).run()


class _Stacks:
    """Brings together what OME-XML and records tell of one acquisition."""

    def __init__(self, files: KnownFiles, named: Mapping[str, StackName], name: str) -> None:
        self.files = files
        self.named = named
        self.name = name
        self.finder = Finder(files)
        self.there = {file.path: file for file in files.list()}
        self.labels = {path: one.label for path, one in named.items()}
        self.firsts: dict[str, str] = {}
        """Label of a position → its first stack."""
        self.texts = self._texts()
        self.locator = Locator(files, self.finder)
        self.warnings: list[str] = []
        self.blank = 0

    def run(self) -> Acquired | NotMine:
        recorded = any(text.frames for text in self.texts.values())
        try:
            gathered = gather(self.files, self.finder, by_names=False)
        except FormatError as error:
            if not recorded:
                raise
            gathered = NotMine(str(error))
        if not isinstance(gathered, NotMine):
            return self._acquired(self._by_ome(gathered), gathered)
        if not recorded:
            return NotMine(f"stacks are named {SPELT_STACK} and neither OME-XML nor *_metadata.txt tells of them")
        self.warnings.append(f"pages are counted by the records of metadata.txt, for {gathered.why}")
        return self._acquired(self._by_records(), None)

    def _texts(self) -> dict[str, Text]:
        found: dict[str, Text] = {}
        for file in self.files.list():
            if parse_text(posixpath.basename(file.path)) is not None:
                data = self.files.read_bytes(file.path, limit=TEXT_LIMIT)
                known = next((text.summary for text in found.values()), None)
                text = parse_metadata(data, posixpath.join(self.files.root, file.path), known)
                if text is not None:
                    found[file.path] = text
        return found

    def _acquired(self, listed: Sequence[tuple[int | None, str, list[Shot]]], gathered: Gathered | None) -> Acquired:
        images = [image for told in (gathered.told if gathered else ()) for image in told.document.images]
        used = {shot.source.path for _, _, shots in listed for shot in shots if shot.source}
        reasons = {path: "no document names it" for path in self.named if path not in used}
        if gathered:
            reasons |= {path: why for path, why in gathered.reasons.items() if path not in used}
        cut = [path for path, text in self.texts.items() if text.cut]
        if cut:
            self.warnings.append(f"{cut[0]} ends in the midst: the acquisition was killed")
        if self.blank:
            self.warnings.append(f"pages that no record tells of, which fill up an aborted acquisition: {self.blank}")
        if self.locator.short:
            path, pages = next(iter(self.locator.short.items()))
            self.warnings.append(
                f"files with fewer pages than named: {len(self.locator.short)}, such as {path}: {pages}"
            )
        documents = [told.path for told in (gathered.told if gathered else ()) if told.own is None]
        held = f"{gathered.told[0].path} holds OME-XML" if gathered else "there is no OME-XML"
        return Acquired(
            name=self.name,
            summary=next((text.summary for text in self.texts.values()), self._summary(images)),
            positions=numbered(listed),
            documents=[*self.texts, *documents],
            why=f"{len(self.named)} stacks are named {SPELT_STACK}, {held}",
            reasons=reasons,
            warnings=self.warnings,
            pixel_um=next((image.pixel_um for image in images if image.pixel_um), None),
            z_um=next((image.z_um for image in images if image.z_um and image.sizes[0] > 1), None),
            kind={"plane_shape": images[0].shape, "dtype": TYPES.get(images[0].type)} if images else {},
        )

    def _summary(self, images: Sequence[OmeImage]) -> Summary:
        """Return what OME-XML alone tells: its sizes are those that were saved, so nothing is promised."""
        channels = images[0].channels if images else []
        return Summary(
            channels=tuple(one.name for one in channels),
            colors=tuple(one.color for one in channels),
            start_time=next((image.acquired for image in images if image.acquired), None),
        )

    def _records(self) -> dict[str, list[Shot]]:
        """Return the recorded planes of each position, by its label; pages in the order of the records."""
        found: dict[str, list[Shot]] = defaultdict(list)
        pages: Counter[str] = Counter()
        for path, text in self.texts.items():
            told = parse_text(posixpath.basename(path))
            own = told.label if told else ""
            for frame in text.frames:
                stack = self._file(frame, own)
                file = self.there.get(stack)
                source = FileSource(stack, pages[stack])
                if file is not None:
                    source = replace(source, size=file.size, mtime_ns=file.mtime_ns)
                pages[stack] += 1
                shot = Shot(frame, source, PlaneState.PRESENT if file else PlaneState.MISSING)
                found[own or frame.label or f"#{frame.position or 0}"].append(shot)
        return found

    def _by_ome(self, gathered: Gathered) -> list[tuple[int | None, str, list[Shot]]]:
        records = self._records()
        listed: list[tuple[int | None, str, list[Shot]]] = []
        entries = [(told, image) for told in gathered.told for image in told.document.images if image.shape[0]]
        for number, (told, image) in enumerate(entries):
            label = image.stage or image.name.rpartition("MMStack_")[2]
            stacks = {path for path in (self._path(told, block.file) for block in image.blocks) if path}
            labels = [label, *sorted(self.labels.get(path, "") for path in stacks), f"#{number}"]
            key = next((one for one in labels if one in records), None)
            recorded = records.pop(key) if key is not None else None
            listed.append((number, label, self._of_image(told, image, recorded)))
        for key, recorded in records.items():
            listed.append((None, key.partition("#")[0], [self._checked(shot) for shot in recorded]))
        return listed

    def _path(self, told: Told, name: str) -> str | None:
        file = self.finder.named(told.path, name) if name else told.own
        return file.path if file else None

    def _of_image(self, told: Told, image: OmeImage, recorded: list[Shot] | None) -> list[Shot]:
        located = self.locator.planes(told, image)
        if recorded is None:
            facts = {(one.z, one.c, one.t): one for one in image.planes}
            return [self._of_plane(image, one, facts.get(one.place)) for one in located]
        pages: dict[Place, Located] = {one.place: one for one in located if one.state is not PlaneState.NOT_RECORDED}
        shots = []
        for shot in recorded:
            one = pages.pop((shot.frame.z, shot.frame.c, shot.frame.t), None)
            shots.append(self._checked(shot) if one is None else Shot(shot.frame, one.source, one.state))
        self.blank += len(pages)
        return shots

    def _of_plane(self, image: OmeImage, one: Located, fact: OmePlane | None) -> Shot:
        z, c, t = one.place
        channel = image.channels[c] if c < len(image.channels) else OmeChannel()
        frame = Frame(t, c, z, label=image.stage, channel=channel.name, binning=channel.binning)
        if fact is not None:
            elapsed, exposure = (None if value is None else value * 1e3 for value in (fact.delta_s, fact.exposure_s))
            frame = replace(frame, elapsed_ms=elapsed, exposure_ms=exposure, x=fact.x, y=fact.y, height=fact.height)
        return Shot(frame, one.source, one.state)

    def _file(self, frame: Frame, label: str) -> str:
        """Return the stack that a record is of: the one it names, else the first of its position."""
        folder = posixpath.dirname(next(iter(self.named)))
        if frame.file:
            return posixpath.join(folder, posixpath.basename(frame.file.replace("\\", "/")))
        label = label or frame.label
        if label not in self.firsts:
            same = [path for path, one in self.labels.items() if one in {label, ""}]
            self.firsts[label] = min(same or self.named, key=lambda path: (len(path), natural_key(path)))
        return self.firsts[label]

    def _checked(self, shot: Shot) -> Shot:
        """Return a plane, missing where its file was cut short before its page."""
        source = shot.source
        if source is None or shot.state is PlaneState.MISSING or len(self.named) > LOOKED_AT:
            return shot
        there = self.files.pages(source.path)
        if there is None or source.page < there:
            return shot
        self.locator.short[source.path] = there
        return Shot(shot.frame, source, PlaneState.MISSING)

    def _by_records(self) -> list[tuple[int | None, str, list[Shot]]]:
        return [
            (shots[0].frame.position, key.partition("#")[0], [self._checked(shot) for shot in shots])
            for key, shots in self._records().items()
        ]
