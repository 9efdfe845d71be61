"""Gather the facts that a plan needs: cores, memory, free space, what was probed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.errors import InvalidPath
from openhcs.io.limits import memory_limit
from openhcs.plan.facts import Facts
from openhcs.run.execute import cores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.plan.facts import Probed


def gather(
    output: str,
    config: GlobalPipelineConfig,  # noqa: ARG001 - what is asked of the machine may come to depend on it
    *,
    probed: Mapping[int, Probed] | None = None,
    fingerprints: Mapping[int, str] | None = None,
) -> Facts:
    """Return the facts for a plan whose results go to ``output``."""
    return Facts(
        cores=cores(),
        memory=memory_limit(),
        free_bytes=free_bytes(output),
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


def refuse_output_in_input(output: str, root: str) -> None:
    """Raise `InvalidPath` when the output is the plate itself or lies around or inside it."""
    out, plate = Path(os.path.realpath(output)), Path(os.path.realpath(root))
    if out == plate or plate in out.parents or out in plate.parents:
        raise InvalidPath(
            f"the output {output} and the plate {root} must not hold one another: inputs are never written to. "
            "Choose an output beside the plate.",
            path=output,
        )
