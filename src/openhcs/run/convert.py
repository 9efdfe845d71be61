"""Convert a plate: the plan without steps, in threads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.constants.constants import MaterializationBackend, WellFilterMode
from openhcs.core.config import GlobalPipelineConfig
from openhcs.core.wells import select_wells
from openhcs.io.fsops import FileOps
from openhcs.io.tree import FolderTree
from openhcs.ledger.output import check_apart
from openhcs.plan.compile import compile_plan
from openhcs.run.carry import CarryJob, plan_carry
from openhcs.run.digests import Digests
from openhcs.run.execute import carry_out, execute
from openhcs.run.facts import gather
from openhcs.run.plates import index_plate

if TYPE_CHECKING:
    import threading

    from openhcs.run.events import Listener
    from openhcs.run.result import RunResult


def convert(
    source: str | Path,
    target: str | Path,
    *,
    wells: str | None = None,
    wells_mode: WellFilterMode = WellFilterMode.INCLUDE,
    exist: str = "auto",
    config: GlobalPipelineConfig | None = None,
    pattern: str | None = None,
    on_event: Listener | None = None,
    stop: threading.Event | None = None,
) -> RunResult:
    """Write a plate as an OME-Zarr plate (or TIFFs), every plane as it is.

    Parameters
    ----------
    source
        a plate that can be indexed, see `openhcs.run.plates.index_plate`.
    target
        a path ending in ``.zarr`` is the store itself; any other is an output folder.
    wells, wells_mode
        a filter such as ``"A01,B03"`` or ``"row:A"``, see `openhcs.core.wells.select_wells`.
    exist
        "auto", "error", "resume" or "replace", see `openhcs.run.execute.execute`.

    Raises
    ------
    OpenHCSError
        see `index_plate`, `openhcs.plan.compile.compile_plan` and `execute`.
    """
    config = config or GlobalPipelineConfig()
    index = index_plate(source, microscope=config.microscope, pattern=pattern)
    output = str(target)
    check_apart(Path(output), index.root)
    if index.microscope == "ome_zarr" and carries(config):
        store = "" if output.rstrip("/").endswith(".zarr") else config.zarr.store_name
        carried = plan_carry(FolderTree(index.root), config, store=store, wells=wells, wells_mode=wells_mode)
        job = CarryJob(
            output=os.path.abspath(output),
            ops=FileOps(durable=config.durability == "full"),
            plan=carried,
            digests=Digests(index.root),
        )
        return carry_out(carried, job, exist=exist, on_event=on_event, stop=stop)
    chosen = select_wells(index.wells, wells, wells_mode)
    plan = compile_plan(index, (), config, gather(output), wells=chosen)
    return execute(plan, (), output, exist=exist, on_event=on_event, stop=stop)


def carries(config: GlobalPipelineConfig) -> bool:
    """Return whether images are carried over as they are: no other levels, TIFFs or plain groups are asked for."""
    zarr = config.zarr
    as_zarr = config.vfs.materialization_backend is MaterializationBackend.ZARR
    return as_zarr and zarr.levels is None and zarr.ome_zarr_metadata and zarr.write_plate_metadata
