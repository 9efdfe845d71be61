"""Decode every chunk of a store that no commit record vouches for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.check.locate import chunks_of
from openhcs.errors import OpenHCSError
from openhcs.io.zarr_array import open_handle
from openhcs.io.zarr_encode import object_places
from openhcs.io.zarr_spec import chunk_words
from openhcs.io.zarr_tree import Node, node_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openhcs.check.findings import Counts


def _reason(error: OpenHCSError, folder: str) -> str:
    """Return what an error says beyond the place, which is told already, and the remedy, which is another here."""
    return error.message.removeprefix(f"{folder}: ").partition(" is damaged: ")[2].partition(". ")[0] or error.message


def unread_chunks(store: Path, counts: Counts) -> Iterator[tuple[str, str]]:
    """Yield array and reason for every chunk below ``store`` that cannot be decoded; arrays in natural order."""
    for folder, folders, _ in os.walk(store):
        folders.sort()
        if node_of(Path(folder)) is not Node.ARRAY:
            continue
        folders.clear()
        counts.files += 1
        shown = os.path.relpath(folder, store)
        try:
            handle = open_handle(folder)
        except OpenHCSError as error:
            yield shown, error.message
            continue
        for place in object_places(handle.spec):
            for chunk, region in chunks_of(handle.spec, place):
                try:
                    counts.bytes += handle.read(region).nbytes
                except OpenHCSError as error:
                    yield shown, f"{chunk_words(handle.spec, chunk)} cannot be read: {_reason(error, folder)}"
