"""The microscope's own documents, kept word for word in the ledger beside the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xxhash

from openhcs.ledger.commit import holds
from openhcs.ledger.notes import VENDOR
from openhcs.run.plates import files_at

if TYPE_CHECKING:
    from pathlib import Path

    from openhcs.core.plate import PlateIndex
    from openhcs.io.fsops import FileOps


def keep_documents(index: PlateIndex, ledger_folder: Path, ops: FileOps) -> dict[str, str]:
    """Copy each metadata file of a plate to ``vendor/`` in the ledger and return its xxh3 digest, by path.

    A copy that is there and equal is left alone.
    """
    digests = {}
    files = files_at(index.root)
    for path in index.metadata_files:
        data = files.read_bytes(path)
        digests[path] = xxhash.xxh3_64_hexdigest(data)
        target = ledger_folder / VENDOR / path
        if not holds(target, data):
            ops.make_dirs(target.parent)
            ops.replace(target, data, via=ledger_folder / "tmp")
    return digests
