"""From a path to what lies there: index a plate folder or store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.constants.constants import Microscope
from openhcs.errors import InputError, NotFound
from openhcs.io.folder import FolderFiles
from openhcs.io.ozx import SUFFIX as OZX
from openhcs.io.ozx import OzxFiles
from openhcs.microscopes import detect

if TYPE_CHECKING:
    from openhcs.core.plate import PlateIndex


def index_plate(
    path: str | Path, *, microscope: Microscope | str = Microscope.AUTO, pattern: str | None = None
) -> PlateIndex:
    """Return what a plate holds: names and metadata are read, no pixels.

    Parameters
    ----------
    path
        a plate's folder, an OME-Zarr plate in a folder or an ``.ozx`` file, or an output of ours.
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
    if folder.suffix == OZX and folder.is_file():
        return detect(OzxFiles(folder), microscope, pattern=pattern)
    if not folder.is_dir():
        raise InputError(
            f"{folder} is a file; a plate is a folder. Name the folder that holds the whole plate, such as "
            f"{folder.resolve().parent}.",
            path=folder,
        )
    index = detect(FolderFiles(folder), microscope, pattern=pattern)
    if index.microscope == "openhcs_tiff":
        from openhcs.run.digests import with_lost_files

        return with_lost_files(index)
    return index
