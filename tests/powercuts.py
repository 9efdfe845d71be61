"""What is done while the power may fail, and what must be true of the disk afterwards.

A `Work` is laid out in a folder of its own, done once with every change recorded, then each state that
a power cut may leave is put on a disk, looked at with readers that are not ours, and gone on with.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xxhash
import zarr

import values
from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, ZarrCompressor, ZarrConfig
from openhcs.core.wells import select_wells
from openhcs.io import whole_sync
from openhcs.io.fsops import FileOps
from openhcs.plan.compile import compile_plan
from openhcs.run.execute import execute
from openhcs.run.facts import gather
from openhcs.run.fingerprint import fingerprint_of
from openhcs.run.plates import index_plate
from openhcs.testing.journal import JournalOps
from openhcs.testing.powercut import History, lay_down, snapshot, states, tree_key
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from collections.abc import Callable

    from openhcs.run.result import RunResult
    from openhcs.testing.powercut import State

RECORD = re.compile(r".*/commits/([^/]+)\.(\d+)\.json")
UNSYNCED = FileOps(durable=False)


def shared_memory() -> str | None:
    """Return a folder in memory, where one is: a state is laid down in a few milliseconds there."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


class Work:
    """One thing that is done to a disk; ``name`` is for people."""

    name = ""

    def close(self) -> None:
        """Remove what is kept outside the folders."""

    def lay_out(self, top: Path) -> None:
        """Put what is there before."""

    def act(self, top: Path, ops: FileOps) -> None:
        """Do it."""

    def learn(self, top: Path) -> None:
        """Look at what an undisturbed run leaves in ``top``."""

    def look(self, top: Path, state: State) -> list[str]:
        """Return what is wrong with a state, by readers that are not ours."""
        raise NotImplementedError

    def go_on(self, top: Path) -> list[str]:
        """Do it again after the cut and return what is wrong then."""
        raise NotImplementedError


@dataclass
class Outcome:
    """How many states were looked at, and what was wrong."""

    states: int = 0
    operations: int = 0
    bad: list[str] = field(default_factory=list)


def explore(work: Work, limit: int, *, seed: int = 0) -> Outcome:
    """Look at up to ``limit`` different states."""
    base = Path(tempfile.mkdtemp(dir=shared_memory(), prefix="openhcs-powercut-"))
    try:
        return _explore(work, base, limit, seed)
    finally:
        shutil.rmtree(base)


def _explore(work: Work, base: Path, limit: int, seed: int) -> Outcome:
    top, calm = base / "recorded", base / "calm"
    for folder in (top, calm):
        folder.mkdir()
        work.lay_out(folder)
    before = snapshot(top)
    ops = JournalOps()
    work.act(top, ops)
    work.act(calm, UNSYNCED)
    work.learn(calm)
    outcome = Outcome(operations=len(ops.journal))
    for state in states(History(before, ops.journal, top), seed=seed):
        if outcome.states == limit:
            break
        outcome.states += 1
        cut = base / "cut"
        cut.mkdir()
        lay_down(state.tree, cut)
        try:
            found = work.look(cut, state) + work.go_on(cut)
        except Exception as error:  # whatever a reader that is not ours stumbles over
            found = [f"{type(error).__name__}: {error}"]
        outcome.bad += [f"{work.name}, cut before operation {state.at} ({state.told}): {one}" for one in found]
        shutil.rmtree(cut)
        if len(outcome.bad) > 20:
            break
    return outcome


# plates


class PlateWork(Work):
    """A run on a plate; the same run again must complete what a cut left."""

    output = "out.zarr"
    store = "out.zarr"

    def __init__(self, config: GlobalPipelineConfig | None = None) -> None:
        self.config = config or GlobalPipelineConfig(num_workers=1)
        self._known: dict[str, list[str]] = {}
        self._inputs = Path(tempfile.mkdtemp(dir=shared_memory(), prefix="openhcs-input-"))

    def plan(self, plate: str, steps: tuple[FunctionStep, ...] = (), config: GlobalPipelineConfig | None = None) -> Any:
        """Return the plan for one of the input plates."""
        index = index_plate(self._inputs / plate)
        prints = {number: fingerprint_of(step) for number, step in enumerate(steps, start=1)}
        facts = gather(str(self._inputs / self.output), probed={}, fingerprints=prints)
        return compile_plan(index, steps, config or self.config, facts, wells=select_wells(index.wells, None))

    def run(self, top: Path, ops: FileOps) -> RunResult:
        """Return what came of the run."""
        raise NotImplementedError

    def act(self, top: Path, ops: FileOps) -> None:
        result = self.run(top, ops)
        assert result.ok, result.failed

    def close(self) -> None:
        shutil.rmtree(self._inputs)

    def learn(self, top: Path) -> None:
        self.wanted = contents(top / self.store)
        self.pixels = {well: [pixels_of(top / self.store, well)] for well in wells_of(top / self.store)}
        assert self.pixels

    def look(self, top: Path, state: State) -> list[str]:
        found = []
        records = records_in(state.tree)
        for well, choices in records.items():
            wrong = [torn(state.tree, one, self.output) for one in choices]
            found += [f"{well} is committed, but: {one}" for one in min(wrong, key=len)]
        inside = {path: data for path, data in state.tree.items() if path.startswith(self.store)}
        key = tree_key(inside) + " ".join(sorted(records))
        if key not in self._known:
            self._known[key] = self.read(top / self.store, set(records))
        return found + self._known[key]

    def read(self, store: Path, committed: set[str]) -> list[str]:
        """Return what zarr-python finds wrong with a store."""
        listed = set(wells_of(store)) if (store / "zarr.json").exists() else set()
        found = [f"{well} is listed and not committed" for well in sorted(listed - committed)]
        strange = [
            well for well in committed if not any(same(pixels_of(store, well), known) for known in self.pixels[well])
        ]
        return [*found, *(f"{well} has pixels that nobody wrote" for well in strange)]

    def go_on(self, top: Path) -> list[str]:
        self.act(top, UNSYNCED)
        now, wanted = contents(top / self.store), self.wanted
        differ = [path for path in sorted(now.keys() | wanted.keys()) if now.get(path) != wanted.get(path)]
        return [f"{path} is {kind(now, path)}, undisturbed it is {kind(wanted, path)}" for path in differ] + left_over(
            top
        )


def kind(tree: dict[str, bytes], path: str) -> str:
    return f"{len(tree[path])} bytes, {xxhash.xxh3_64_hexdigest(tree[path])}" if path in tree else "not there"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def left_over(top: Path) -> list[str]:
    """Return what no ended run may leave."""
    found = [
        path for ledger in top.rglob("*.openhcs") for name in ("staging", "tmp") for path in (ledger / name).glob("*")
    ]
    found += [path for path in top.rglob("*") if path.name.startswith(".openhcs-tmp-") or path.suffix == ".intent"]
    return [f"left over: {path.relative_to(top)}" for path in found]


def records_in(tree: Any) -> dict[str, list[dict[str, Any]]]:
    """Return, for each committed well, its newest record and the intent that may stand for it, read as plain JSON."""
    files = sorted((found[1], int(found[2]), path) for path in tree if (found := RECORD.fullmatch(path)))
    newest = {well: path for well, _, path in files}
    found = {}
    for well, generation, path in files:
        if path == newest[well]:
            intent = tree.get(path.replace(f".{generation}.json", f".{generation + 1}.intent"))
            found[well] = [json.loads(data) for data in (tree[path], intent) if data is not None]
    return found


def torn(tree: Any, record: dict[str, Any], output: str) -> list[str]:
    """Return the objects of a record that are not as it says."""
    found = []
    for one in record["objects"]:
        data = tree.get(f"{output}/{one['path']}")
        if data is None or len(data) != one["bytes"] or xxhash.xxh3_64_hexdigest(data) != one["digest"]:
            found.append(f"{one['path']} is {'gone' if data is None else 'torn'}")
    return found


def wells_of(store: Path) -> dict[str, str]:
    """Return the wells that a plate's root lists, as zarr-python reads it, each opened with its row."""
    root = zarr.open_group(store, mode="r")
    attributes = root.attrs.asdict()
    found = {}
    for well in attributes.get("ome", attributes)["plate"]["wells"]:
        row, column = well["path"].split("/")
        group = root[row][column]
        told = group.attrs.asdict()
        assert told.get("ome", told)["well"]["images"]
        found[row + column] = well["path"]
    return found


def pixels_of(store: Path, well: str) -> dict[str, np.ndarray]:
    """Return every array of a well by path, as zarr-python reads it."""
    folder = store / well[0] / well[1:]
    arrays = sorted(one.parent for name in ("zarr.json", ".zarray") for one in folder.glob(f"*/*/{name}"))
    return {str(one.relative_to(folder)): zarr.open_array(one, mode="r")[...] for one in arrays}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[path], other[path]) for path in one)


class Convert(PlateWork):
    """A plate becomes a bare store."""

    name = "convert"

    def __init__(self, config: GlobalPipelineConfig | None = None) -> None:
        super().__init__(config)
        make_plate(self._inputs / "plate", wells=["A01", "B02"], sites=1, channels=("DAPI",), size=(16, 16))
        self._plan = self.plan("plate")

    def run(self, top: Path, ops: FileOps) -> RunResult:
        return execute(self._plan, (), str(top / self.output), ops=ops)


def brighter(stack):
    """Add one."""
    return stack + 1


class NewPlate(PlateWork):
    """A pipeline writes a new output: a plate and the images of a step as TIFFs."""

    name = "new plate"
    output = "out"
    store = "out/images.zarr"

    def __init__(self) -> None:
        super().__init__()
        make_plate(self._inputs / "plate", wells=["A01", "B02"], sites=1, channels=("DAPI", "FITC"), size=(16, 16))
        how = {"variable_components": [], "out": "same", "out_dtype": "uint16"}
        self._steps = (FunctionStep(brighter, force_disk_output="disk", **how), FunctionStep(brighter, **how))
        self._plan = self.plan("plate", self._steps)

    def run(self, top: Path, ops: FileOps) -> RunResult:
        return execute(self._plan, self._steps, str(top / self.output), ops=ops)


class Values(PlateWork):
    """A pipeline over all wells writes images, arrays and a table that is merged when it closes."""

    name = "values"
    output = "out"
    store = "out/images.zarr"

    def __init__(self) -> None:
        super().__init__(GlobalPipelineConfig(num_workers=1, use_threading=True))
        make_plate(self._inputs / "plate", wells=["A01", "B02"], sites=1, channels=("DAPI",), size=(16, 16))
        self._steps = (*values.ILLUMINATION, FunctionStep(values.count, None, []))
        orchestrator = PipelineOrchestrator(
            self._inputs / "plate", output=self._inputs / "o", global_config=self.config
        )
        orchestrator.initialize().compile_pipelines(self._steps)
        self._plan = orchestrator.plan

    def run(self, top: Path, ops: FileOps) -> RunResult:
        return execute(self._plan, self._steps, str(top / self.output), ops=ops)

    def learn(self, top: Path) -> None:
        super().learn(top)
        self.results = contents(top / "out/results")
        assert {"counts.csv", "counts.parquet", "field/plate/plate_c1_z1_t1.npy"} <= self.results.keys()

    def look(self, top: Path, state: State) -> list[str]:
        merged = {path: state.tree.get(f"out/results/{path}") for path in ("counts.csv", "counts.parquet")}
        torn_tables = [path for path, data in merged.items() if data is not None and data != self.results[path]]
        return [f"{path} is not what it should be" for path in torn_tables] + super().look(top, state)

    def read(self, store: Path, committed: set[str]) -> list[str]:
        return super().read(store, committed & self.pixels.keys())

    def go_on(self, top: Path) -> list[str]:
        found = super().go_on(top)
        now = contents(top / "out/results")
        differ = [path for path in sorted(now.keys() | self.results.keys()) if now.get(path) != self.results.get(path)]
        return found + [f"results/{path} is {kind(now, path)} in the end" for path in differ]


class Changed(PlateWork):
    """A complete plate whose input has changed: one well is made again."""

    first, then = "plate", "plate"

    def lay_out(self, top: Path) -> None:
        assert execute(self.plan(self.first), (), str(top / self.output), ops=UNSYNCED).ok
        self.pixels_before = {well: pixels_of(top / self.store, well) for well in wells_of(top / self.store)}

    def learn(self, top: Path) -> None:
        super().learn(top)
        for well, before in self.pixels_before.items():
            self.pixels[well].append(before)

    def look(self, top: Path, state: State) -> list[str]:
        gone = self.pixels_before.keys() - records_in(state.tree).keys()
        return [f"{well} was committed and is lost" for well in gone] + super().look(top, state)

    def run(self, top: Path, ops: FileOps) -> RunResult:
        return execute(self._plan, (), str(top / self.output), ops=ops)


class ReplaceWell(Changed):
    """A well is made again of other pixels."""

    name = "replace a well"

    def __init__(self) -> None:
        super().__init__()
        for seed, plate in enumerate((self.first, "other")):
            make_plate(
                self._inputs / plate,
                name="P",
                wells=["A01", "B02"],
                sites=1,
                channels=("DAPI",),
                size=(16, 16),
                seed=seed,
            )
        shutil.copytree(self._inputs / self.first, self._inputs / "both")
        for path in (self._inputs / "other").rglob("*_A01_*"):
            shutil.copy2(path, self._inputs / "both" / path.relative_to(self._inputs / "other"))
        self._plan = self.plan("both")


class StartAnew(Changed):
    """Another plan's work is removed and the plate made with other settings."""

    name = "start anew"

    def __init__(self) -> None:
        super().__init__()
        make_plate(self._inputs / self.first, wells=["A01", "B02"], sites=1, channels=("DAPI",), size=(16, 16))
        other = GlobalPipelineConfig(num_workers=1, zarr=ZarrConfig(compressor=ZarrCompressor.ZLIB))
        self._plan = self.plan(self.first, config=other)

    def look(self, top: Path, state: State) -> list[str]:
        return PlateWork.look(self, top, state)

    def run(self, top: Path, ops: FileOps) -> RunResult:
        return execute(self._plan, (), str(top / self.output), exist="replace", ops=ops)


class Recover(ReplaceWell):
    """The run after a cut in the middle of a commit."""

    name = "recover"

    def lay_out(self, top: Path) -> None:
        super().lay_out(top)
        if not hasattr(self, "_cut"):
            before = snapshot(top)
            ops = JournalOps()
            self.act(top, ops)
            done = next(number for number, one in enumerate(ops.journal) if one.source.endswith(".intent"))
            history = History(before, ops.journal, top)
            self._cut = history.tree(done, set(history.pending(done)), lambda _: "kept")
        shutil.rmtree(top)
        top.mkdir()
        lay_down(self._cut, top)


class AppendSite(Changed):
    """A well gains a site that was missing."""

    name = "append a site"

    def __init__(self) -> None:
        super().__init__(GlobalPipelineConfig(num_workers=1, missing="skip"))
        make_plate(self._inputs / "whole", name="P", wells=["A01", "B02"], sites=2, channels=("DAPI",), size=(16, 16))
        shutil.copytree(self._inputs / "whole", self._inputs / self.first)
        for path in (self._inputs / self.first).rglob("*_A01_s2*"):
            path.unlink()
        self._plan = self.plan("whole")


class Convert04(Convert):
    """A plate becomes a Zarr v2 store."""

    name = "convert to 0.4"

    def __init__(self) -> None:
        super().__init__(GlobalPipelineConfig(num_workers=1, zarr=ZarrConfig(ngff_version="0.4")))


class ConvertSyncedWhole(Convert):
    """As a conversion, on a file system that is synced whole."""

    name = "convert, synced whole"

    def act(self, top: Path, ops: FileOps) -> None:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(whole_sync, "suits", lambda path: True)
            super().act(top, ops)


WORKS: dict[str, Callable[[], list[Work]]] = {
    "convert": lambda: [Convert()],
    "convert to 0.4": lambda: [Convert04()],
    "convert, synced whole": lambda: [ConvertSyncedWhole()],
    "new plate": lambda: [NewPlate()],
    "values": lambda: [Values()],
    "replace a well": lambda: [ReplaceWell()],
    "append a site": lambda: [AppendSite()],
    "start anew": lambda: [StartAnew()],
    "recover": lambda: [Recover()],
}
