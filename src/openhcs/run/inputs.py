"""How a changed input is told: by the size and time of its files, by their size alone, or by every byte."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import xxhash

from openhcs.core.plate import ZarrSource
from openhcs.errors import from_oserror
from openhcs.io.folder import path_of
from openhcs.ledger.commit import digest_of_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from openhcs.core.plate import Plane, PlateIndex, Source


def told_by(index: PlateIndex, how: str, wells: Sequence[str]) -> PlateIndex:
    """Return a plate whose sources tell what counts as a change, for the planes of some wells.

    Parameters
    ----------
    how
        "mtime", "size" or "deep"; see `openhcs.core.config.GlobalPipelineConfig`.

    Raises
    ------
    StorageError, NotFound
        a file cannot be read.
    """
    if index.root.endswith(".ozx"):
        told = _of_files([Path(index.root)], Path(index.root).parent, how)
        return _changed(index, wells, lambda source: replace(source, digest=told) if _in_array(source) else source)
    known: dict[str, str] = {}
    root = Path(index.root)

    def changed(source: Source) -> Source:
        if isinstance(source, ZarrSource):
            if source.path not in known:
                known[source.path] = _of_files(_below(root / source.path), root, how)
            return replace(source, digest=known[source.path])
        if how == "mtime":
            return source
        digest = ""
        if how == "deep":
            if source.path not in known:
                known[source.path] = _digest(Path(path_of(root, source.path)))
            digest = known[source.path]
        return replace(source, mtime_ns=0, digest=digest)

    if how == "mtime" and not any(_in_array(plane.source) for plane in index.planes):
        return index
    return _changed(index, wells, changed)


def _in_array(source: Source | None) -> bool:
    return isinstance(source, ZarrSource)


def _changed(index: PlateIndex, wells: Sequence[str], change: Callable[[Source], Source]) -> PlateIndex:
    chosen = set(wells)

    def plane_as(plane: Plane) -> Plane:
        if plane.source is None or plane.well not in chosen or plane.state.value != "present":
            return plane
        source = change(plane.source)
        return plane if source == plane.source else replace(plane, source=source)

    return replace(index, planes=tuple(map(plane_as, index.planes)))


def _of_files(files: Iterable[Path], root: Path, how: str) -> str:
    digest = xxhash.xxh3_64()
    for path in files:
        try:
            found = path.stat()
        except OSError as error:
            raise from_oserror(error, doing="look at the file", path=path) from error
        told = [path.relative_to(root).as_posix(), str(found.st_size)]
        told += [str(found.st_mtime_ns)] if how == "mtime" else [_digest(path)] if how == "deep" else []
        digest.update("\n".join([*told, ""]).encode())
    return digest.hexdigest()


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and below it, by name; nothing where it is not there."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir():
            yield from _below(Path(entry.path))
        else:
            yield Path(entry.path)


def _digest(path: Path) -> str:
    try:
        return digest_of_file(path)
    except OSError as error:
        raise from_oserror(error, doing="read the file", path=path) from error
