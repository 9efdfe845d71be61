"""From a path to what lies there: index a plate folder or store."""

from __future__ import annotations

import contextlib
import gc
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.constants.constants import Microscope
from openhcs.errors import InputError, NotFound
from openhcs.io.folder import FolderFiles, OneFile
from openhcs.io.ozx import SUFFIX as OZX
from openhcs.io.ozx import OzxFiles
from openhcs.microscopes import look
from openhcs.microscopes.bioio_image import suffix_of
from openhcs.microscopes.outline import Indexed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openhcs.core.plate import Files, PlateIndex
    from openhcs.microscopes import Outline


def index_plate(
    path: str | Path, *, microscope: Microscope | str = Microscope.AUTO, pattern: str | None = None
) -> PlateIndex:
    """Return all that a plate holds: names and metadata are read, no pixels; see `outline_plate`."""
    return outline_plate(path, microscope=microscope, pattern=pattern).index()


def outline_plate(
    path: str | Path, *, microscope: Microscope | str = Microscope.AUTO, pattern: str | None = None
) -> Outline:
    """Return a plate as it is opened: of an OME-Zarr plate the root document is read, of others all names.

    Parameters
    ----------
    path
        a plate's folder, an OME-Zarr plate in a folder or an ``.ozx`` file, an output of ours, or one file of
        another program's format, see `openhcs.microscopes.bioio`.
    microscope
        the layout to read it as; AUTO finds out.
    pattern
        file names of a generic folder, such as ``{well}_s{site}_w{channel}.tif``.

    Raises
    ------
    NotFound
        nothing is there.
    InputError
        it is no plate; the message says what was looked for.
    """
    folder = Path(path)
    if not folder.exists():
        near = [one.name for one in folder.parent.iterdir()] if folder.parent.is_dir() else []
        from openhcs.errors import suggest

        hint = f" In {folder.parent}: {suggest(folder.name, sorted(near))}" if near else ""
        raise NotFound(f"nothing is at {folder}.{hint}", path=folder)
    if not folder.is_dir() and not is_archive(folder) and not suffix_of(folder.name):
        raise InputError(
            f"{folder} is a file; a plate is a folder. Name the folder that holds the whole plate, such as "
            f"{folder.resolve().parent}.",
            path=folder,
        )
    if not folder.is_dir() and not is_archive(folder) and microscope in {Microscope.AUTO, Microscope.AUTO.value}:
        microscope = Microscope.BIOIO
    with _uncollected():
        outline = look(files_at(folder), microscope, pattern=pattern)
    if outline.microscope == "openhcs_tiff":
        from openhcs.run.digests import with_lost_files

        return Indexed(with_lost_files(outline.index()))
    return outline


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from going through planes by the hundred thousand, none of which is garbage."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def is_archive(path: str | Path) -> bool:
    """Return whether a path is that of a store in one file."""
    return Path(path).suffix == OZX and Path(path).is_file()


def files_at(path: str | Path) -> Files:
    """Return the files of a plate, in a folder or in one file."""
    if is_archive(path):
        return OzxFiles(path)
    return FolderFiles(path) if Path(path).is_dir() else OneFile(path)
