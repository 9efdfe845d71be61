"""Gather the facts that a plan needs: cores, memory, free space, what was probed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.io.limits import memory_limit
from openhcs.ledger.output import ledger_folder
from openhcs.plan.facts import Facts
from openhcs.run.execute import cores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs.plan.facts import Probed


def gather(
    output: str,
    *,
    probed: Mapping[int, Probed] | None = None,
    fingerprints: Mapping[int, str] | None = None,
) -> Facts:
    """Return the facts for a plan whose results go to ``output``.

    Space is asked about before the first run only: later, part of the results is there already.
    """
    begun = ledger_folder(Path(os.path.realpath(output))).is_dir()
    return Facts(
        cores=cores(),
        memory=memory_limit(),
        free_bytes=None if begun else free_bytes(output),
        probed=probed or {},
        fingerprints=fingerprints or {},
        store_output=output.rstrip("/").endswith(".zarr"),
    )


def free_bytes(output: str) -> int | None:
    """Return the space left where ``output`` will lie, or None when the system does not say."""
    folder = Path(os.path.abspath(output))
    while not folder.exists():
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
