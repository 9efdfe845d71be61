"""Reading Zarr v3 arrays through tensorstore.

Opened with the document at hand, so that opening touches no disk. An absent object is an error
unless the array may leave out chunks of zeros.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from openhcs.errors import FormatError, from_oserror
from openhcs.io import ts_context

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from openhcs.errors import OpenHCSError
    from openhcs.io.zarr_document import ArrayDocument

    Array = np.ndarray[Any, np.dtype[Any]]

_OS_ERROR = re.compile(r"os_error_code='(\d+)'")


class Reader:
    """The pixels of one v3 array."""

    def __init__(self, folder: Path, document: ArrayDocument, *, fill: bool) -> None:
        import tensorstore as ts

        self._folder = folder
        spec = {
            "driver": "zarr3",
            "kvstore": {"driver": "file", "path": f"{folder.resolve().as_posix()}/"},
            "metadata": document.metadata,
            "open": True,
            "assume_metadata": True,
            "fill_missing_data_reads": fill,
        }
        try:
            self._store = ts.open(spec, context=ts_context.context()).result()
        except ValueError as error:
            raise mapped(error, folder) from error

    def read_into(self, parts: tuple[int | slice, ...], out: Array) -> None:
        """Decode a resolved region into ``out``, of the region's shape and writable."""
        import tensorstore as ts

        # A forked child must be refused before it touches what its parent opened.
        context = ts_context.context()
        view = self._store[parts] if parts else self._store
        try:
            if out.ndim and out.dtype.isnative:
                ts.array(out, context=context).write(view[ts.d[:].translate_to[0]]).result()
            else:
                out[...] = view.read().result()
        except ValueError as error:
            raise mapped(error, self._folder) from error


def mapped(error: ValueError, folder: Path) -> OpenHCSError:
    """Return our error for one of tensorstore's: nearly all of them are ValueError."""
    text = str(error).split(" [")[0]
    if (found := _OS_ERROR.search(str(error))) is not None:
        number = int(found[1])
        return from_oserror(OSError(number, text), doing="read the array", path=folder)
    what = "an object is missing" if text.startswith("NOT_FOUND") else "damaged"
    return FormatError(f"{folder}: {what}: {text}. Restore that file, or run the well again.", path=folder)
