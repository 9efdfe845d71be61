"""Gather the facts that a plan needs: cores, memory, free space, what was probed."""

from __future__ import annotations

import contextlib
import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.core.array_types import LIBRARIES
from openhcs.core.special import ROI, TABLE
from openhcs.errors import OpenHCSError
from openhcs.io.limits import memory_limit
from openhcs.ledger.commit import read_entry
from openhcs.ledger.ledger import Ledger
from openhcs.ledger.output import ledger_folder
from openhcs.plan.facts import Facts
from openhcs.run.execute import cores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs.plan.facts import Probed
    from openhcs.run.fingerprint import Fingerprint

TEACHERS = 8
"""Commit records that are asked what their wells took."""


NEEDS = {TABLE: "pyarrow", ROI: "roifile"}
"""Libraries that kinds of special outputs are stored with."""


def absent_kinds() -> tuple[str, ...]:
    """Return the kinds of arrays whose library is not installed."""
    return tuple(sorted(kind for kind, name in LIBRARIES.items() if not find_spec(name)))


def gather(
    output: str,
    *,
    probed: Mapping[int, Probed] | None = None,
    fingerprints: Mapping[int, Fingerprint] | None = None,
) -> Facts:
    """Return the facts for a plan whose results go to ``output``.

    Space is asked about before the first run only: later, part of the results is there already.
    """
    ledger = ledger_folder(Path(os.path.realpath(output)))
    begun = ledger.is_dir()
    return Facts(
        cores=cores(),
        memory=memory_limit(),
        free_bytes=None if begun else free_bytes(output),
        probed=probed or {},
        fingerprints={number: one.text for number, one in (fingerprints or {}).items()},
        opaque={number: one.opaque for number, one in (fingerprints or {}).items() if one.opaque},
        measured=measured(output) if begun else {},
        store_output=output.rstrip("/").endswith(".zarr"),
        absent=absent_kinds(),
        narrowing=() if os.environ.get("JAX_ENABLE_X64", "0").lower() in {"1", "true"} else ("jax",),
        lacking={
            kind: f"pip install 'openhcs[tables]' ({name})" for kind, name in NEEDS.items() if not find_spec(name)
        },
    )


def measured(output: str) -> dict[str, dict[str, int]]:
    """Return what tasks took in earlier runs to ``output``, by plan and task; a few stand for all.

    Damaged records teach nothing: what they need is told by those who use them.
    """
    places = Ledger(output).places
    found: dict[str, dict[str, int]] = {}
    with contextlib.suppress(OpenHCSError):
        heads = places.heads()
        for entry in heads[:: max(1, len(heads) // TEACHERS)]:
            record = read_entry(places, entry)
            told = record.get("memory")
            if isinstance(told, dict) and type(told.get("measured")) is int and not told.get("spill"):
                found.setdefault(record["plan"], {})[entry.task] = told["measured"]
    return found


def free_bytes(output: str) -> int | None:
    """Return the space left where ``output`` will lie, or None when the system does not say."""
    folder = Path(os.path.abspath(output))
    while not folder.exists():
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
