"""Micro-Manager's separate files: one for each plane, in a folder for each position, ``metadata.txt`` beside them."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from typing import TYPE_CHECKING

from openhcs.core.plate import FileSource, PlaneState
from openhcs.core.wells import natural_key
from openhcs.microscopes.assemble import refuse_several
from openhcs.microscopes.micromanager.data import Acquired, Shot, numbered
from openhcs.microscopes.micromanager.names import (
    METADATA,
    SPELT_2,
    PlaneName,
    format_plane,
    is_usual,
)
from openhcs.microscopes.micromanager.text import TEXT_LIMIT, Frame, Summary, parse_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.core.plate import Files
    from openhcs.microscopes.micromanager.text import Text


def read_separate(files: Files, named: Mapping[str, PlaneName], name: str) -> Acquired:
    """Return the acquisition whose planes have files of their own.

    Parameters
    ----------
    named
        path of each such file → what its name tells.
    name
        what to call an acquisition that lies in the folder itself.

    Raises
    ------
    SeveralPlates
        there are several.
    FormatError
        a ``metadata.txt`` is damaged.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    for path in named:
        folders[posixpath.dirname(path)].append(path)
    texts = _texts(files, folders)
    homes = {folder: _home(folder, texts.get(folder), folders) for folder in folders}
    refuse_several(files, homes.values())
    home = next(iter(homes.values()))
    there = {file.path: file for file in files.list()}
    channels = sorted({one.channel for one in named.values() if one.channel is not None}, key=natural_key)
    listed, reasons, warnings = [], {}, []
    for folder in sorted(folders, key=natural_key):
        reader = _Folder(folder, {posixpath.basename(path): named[path] for path in folders[folder]}, there, channels)
        text = texts.get(folder)
        shots = reader.by_names() if text is None else reader.by_text(text)
        label = posixpath.basename(folder) if folder != home else ""
        listed.append((_number(shots), label, shots))
        reasons.update(dict.fromkeys(reader.unused(), f"{posixpath.join(folder, METADATA)} does not name it"))
        if text is not None and text.cut:
            warnings.append(f"{posixpath.join(folder, METADATA)} ends in the midst: the acquisition was killed")
    told = [text for text in texts.values() if text is not None]
    bare = len(folders) - len(told)
    if told and bare:
        warnings.append(f"folders of positions without {METADATA}, read by their names: {bare}")
    return Acquired(
        name=posixpath.basename(home) or name,
        summary=told[0].summary if told else Summary(channels=tuple(channels)),
        positions=numbered(listed),
        documents=[posixpath.join(folder, METADATA) for folder, text in texts.items() if text is not None],
        why=f"{len(named)} files are named as {SPELT_2}" if not told else f"{len(told)} {METADATA} of Micro-Manager",
        whole=bool(told) and home not in folders,
        reasons=reasons,
        warnings=warnings,
    )


def _texts(files: Files, folders: Mapping[str, Sequence[str]]) -> dict[str, Text | None]:
    """Return the ``metadata.txt`` of each folder that has one."""
    found: dict[str, Text | None] = {}
    listed = {file.path for file in files.list()}
    summaries: dict[str, Summary] = {}
    for folder in folders:
        path, above = posixpath.join(folder, METADATA), posixpath.dirname(folder)
        if path in listed:
            data = files.read_bytes(path, limit=TEXT_LIMIT)
            text = parse_metadata(data, posixpath.join(files.root, path), summaries.get(above))
            found[folder] = text
            if text is not None:
                summaries.setdefault(above, text.summary)
    return found


def _home(folder: str, text: Text | None, folders: Mapping[str, object]) -> str:
    """Return the folder of the acquisition: above a folder that is named after its position."""
    base, above = posixpath.basename(folder), posixpath.dirname(folder)
    if not folder:
        return folder
    labels = {frame.label for frame in text.frames[:1]} if text else set()
    if text:
        labels |= {label for label, _ in text.summary.positions}
    beside = any(other != folder and posixpath.dirname(other) == above for other in folders)
    return above if base in labels or is_usual(base) or (text is None and beside) else folder


def _number(shots: Sequence[Shot]) -> int | None:
    return next((shot.frame.position for shot in shots if shot.frame.position is not None), None)


class _Folder:
    """The files of one position."""

    def __init__(
        self, folder: str, named: Mapping[str, PlaneName], there: Mapping[str, FileSource], channels: Sequence[str]
    ) -> None:
        self.folder = folder
        self.named = named
        self.there = there
        self.channels = channels
        self.used: set[str] = set()

    def by_names(self) -> list[Shot]:
        """Return the planes that names tell; channels count by their names."""
        shots = []
        for base, one in self.named.items():
            channel = one.channel or ""
            c = self.channels.index(channel) if one.channel is not None else one.c or 0
            frame = Frame(one.t, c, one.z, one.position, channel=channel)
            shots.append(Shot(frame, self.there[posixpath.join(self.folder, base)]))
            self.used.add(base)
        return shots

    def by_text(self, text: Text) -> list[Shot]:
        """Return the planes that records tell; a file that is named and not there is missing."""
        return [self._shot(frame) for frame in text.frames]

    def _shot(self, frame: Frame) -> Shot:
        by_channel = format_plane(PlaneName(t=frame.t, z=frame.z, channel=frame.channel))
        by_number = format_plane(PlaneName(t=frame.t, c=frame.c, z=frame.z, position=frame.position))
        told = posixpath.basename(frame.file.replace("\\", "/"))
        tried = [told, by_channel, by_number] if told else [by_channel, by_number]
        for base in tried:
            file = self.there.get(posixpath.join(self.folder, base))
            if file is not None:
                self.used.add(base)
                return Shot(frame, file)
        return Shot(frame, FileSource(posixpath.join(self.folder, tried[0])), PlaneState.MISSING)

    def unused(self) -> list[str]:
        """Return the paths of files of which no record tells."""
        return [posixpath.join(self.folder, base) for base in self.named if base not in self.used]
