"""Put many small documents in place, each atomically, in an order that readers can rely on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from openhcs.io.fsops import FileOps

THREADS = 8
"""Documents that wait for the disk at once."""
WORTH_THREADS = 32


def put_in_place(output: Path, documents: Mapping[str, bytes], ops: FileOps, *, via: Path) -> None:
    """Write documents in their order; those of one depth that follow one another have none among them.

    Files of one folder keep their order. ``via`` is the folder of unfinished files.
    """

    def put(paths: list[str]) -> None:
        for path in paths:
            target = output / path
            ops.make_dirs(target.parent)
            ops.replace(target, documents[path], via=via)

    for _, same_depth in groupby(documents, key=lambda path: path.count("/")):
        folders = [list(paths) for _, paths in groupby(same_depth, key=lambda path: path.rpartition("/")[0])]
        if len(folders) < WORTH_THREADS:
            for paths in folders:
                put(paths)
            continue
        with ThreadPoolExecutor(THREADS, thread_name_prefix="openhcs-documents") as pool:
            for done in [pool.submit(put, paths) for paths in folders]:
                done.result()
