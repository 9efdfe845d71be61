"""Convert a plate: images put together from planes, or an OME-Zarr plate carried over; a folder or one file."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.constants.constants import MaterializationBackend, WellFilterMode
from openhcs.core.checks import one_of
from openhcs.core.config import GlobalPipelineConfig
from openhcs.core.plate import PlaneState, PlateIndex
from openhcs.core.wells import select_wells
from openhcs.errors import InvalidValue, OutputExists
from openhcs.io.fsops import FileOps
from openhcs.io.ozx import SUFFIX as OZX
from openhcs.io.ozx import OzxTree, names_in_order, pack
from openhcs.io.tree import FolderTree
from openhcs.ledger.ledger import Ledger
from openhcs.ledger.notes import HEAD
from openhcs.ledger.output import CHOICES, check_apart, ledger_folder
from openhcs.ngff.render import ZARR_FORMAT
from openhcs.plan.compile import compile_plan
from openhcs.run.carry import CarryJob, CheckJob, plan_carry
from openhcs.run.digests import Digests
from openhcs.run.execute import Batch, carry_out, execute
from openhcs.run.facts import gather
from openhcs.run.plates import is_archive, outline_plate

if TYPE_CHECKING:
    import threading

    from openhcs.io.tree import Tree
    from openhcs.run.carry import CarryPlan
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
    ops: FileOps | None = None,
) -> RunResult:
    """Write a plate as an OME-Zarr plate (or TIFFs), every plane as it is.

    Parameters
    ----------
    source
        a plate that can be indexed, see `openhcs.run.plates.outline_plate`. An OME-Zarr
        plate is carried over whole: levels, labels, unknown keys.
    target
        a path ending in ``.zarr`` is the store itself, one ending in ``.ozx`` a single file; any other is an
        output folder.
    wells, wells_mode
        a filter such as ``"A01,B03"`` or ``"row:A"``, see `openhcs.core.wells.select_wells`.
    exist
        "auto", "error", "resume" or "replace", see `openhcs.run.execute.execute`.
    on_event, stop, ops
        see `openhcs.run.execute.execute`.

    Raises
    ------
    OpenHCSError
        see `outline_plate`, `openhcs.plan.compile.compile_plan` and `execute`.
    """
    config = config or GlobalPipelineConfig()
    ops = ops or FileOps(durable=config.durability == "full")
    how = _How(wells=wells, mode=wells_mode, exist=exist, config=config, tell=on_event, stop=stop, ops=ops)
    plate = _plate_at(source, config, pattern)
    if str(target).endswith(OZX):
        return _into_one_file(plate, how, Path(os.path.abspath(target)))
    return _into_store(plate, how, str(target))


@dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    """What `convert` was asked for, beside source and target."""

    wells: str | None
    mode: WellFilterMode
    exist: str
    config: GlobalPipelineConfig
    tell: Listener | None
    stop: threading.Event | None
    ops: FileOps


def _plate_at(source: str | Path, config: GlobalPipelineConfig, pattern: str | None) -> Tree | PlateIndex:
    """Return the store to carry over, or the index of a plate to put together from planes."""
    outline = outline_plate(source, microscope=config.microscope, pattern=pattern)
    if outline.microscope != "ome_zarr" or not carries(config):
        return outline.index()
    if config.missing == "fill":
        index = outline.index()
        if any(plane.state is PlaneState.MISSING for plane in index.planes):
            return index
    return OzxTree(outline.root) if is_archive(outline.root) else FolderTree(outline.root)


def _into_store(plate: Tree | PlateIndex, how: _How, output: str) -> RunResult:
    check_apart(Path(output), plate.root)
    if not isinstance(plate, PlateIndex):
        return _carry(plate, how, output)
    chosen = select_wells(plate.wells, how.wells, how.mode)
    plan = compile_plan(plate, (), how.config, gather(output), wells=chosen)
    return execute(plan, (), output, exist=how.exist, on_event=how.tell, stop=how.stop, ops=how.ops)


def _carry(tree: Tree, how: _How, output: str) -> RunResult:
    store = "" if output.rstrip("/").endswith(".zarr") else how.config.zarr.store_name
    return _carry_plan(_planned(tree, how, store), how, output)


def _planned(tree: Tree, how: _How, store: str = "") -> CarryPlan:
    return plan_carry(tree, how.config, store=store, wells=how.wells, wells_mode=how.mode)


def _carry_plan(plan: CarryPlan, how: _How, output: str) -> RunResult:
    job = CarryJob(output=os.path.abspath(output), ops=how.ops, plan=plan, digests=Digests(plan.source))
    return carry_out(plan, [Batch(job, plan.tasks)], exist=how.exist, on_event=how.tell, stop=how.stop)


def _into_one_file(plate: Tree | PlateIndex, how: _How, target: Path) -> RunResult:
    """Pack a plate that is as it is wanted, or make it as a store beside the file and pack that."""
    version = how.config.zarr.ngff_version
    if ZARR_FORMAT[version] != 3:
        raise InvalidValue(f"{target.name}: only OME-Zarr 0.5 and later go into one file, not {version}.")
    one_of(how.exist, "exist", CHOICES)
    if target.exists() and how.exist != "replace":
        raise OutputExists(f"{target} exists. Choose another output, or replace it (--exist replace).", path=target)
    check_apart(target, plate.root)
    store = target.with_name(f".{target.name}.zarr")
    # What an interrupted run left there is gone on with.
    how = replace(how, exist="auto" if how.exist == "error" else how.exist)
    plan = None if isinstance(plate, PlateIndex) else _planned(plate, how)
    if plan is not None and plan.unchanged and isinstance(plate, FolderTree):
        tree = plate
        checks = CheckJob(output=str(store), ops=how.ops, plan=plan, digests=Digests(plate.root))
        result = carry_out(plan, [Batch(checks, plan.tasks)], exist=how.exist, on_event=how.tell, stop=how.stop)
    else:
        result = _into_store(plate, how, str(store)) if plan is None else _carry_plan(plan, how, str(store))
        tree = FolderTree(store)
    if not result.ok:
        return result
    with Ledger(store, how.ops).closing():
        parts = pack(tree, names_in_order(tree), version)
        packed = how.ops.replace(target, parts, via=ledger_folder(store) / "tmp")
    _remove(store, how.ops)
    return replace(result, output=str(target), bytes_out=packed.bytes)


def _remove(store: Path, ops: FileOps) -> None:
    """Remove a store of ours and then its ledger, so that a cut leaves one that is gone on with, or none."""
    ledger = ledger_folder(store)
    if store.exists():
        ops.remove_tree(store)
        ops.sync_dir(store.parent)
    ops.unlink(ledger / HEAD)
    ops.sync_dir(ledger)
    ops.remove_tree(ledger)


def carries(config: GlobalPipelineConfig) -> bool:
    """Return whether images are carried over as they are: no other levels, TIFFs or plain groups are asked for."""
    zarr = config.zarr
    as_zarr = config.vfs.materialization_backend is MaterializationBackend.ZARR
    return as_zarr and zarr.levels is None and zarr.ome_zarr_metadata and zarr.write_plate_metadata
