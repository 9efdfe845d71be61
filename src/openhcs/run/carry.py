"""Carry an OME-Zarr plate over to another place or version, well by well, losing nothing.

Arrays of the same version of Zarr are copied object by object and decoded once to see that they are
whole; others are read and stored anew. Levels, labels, unknown keys and files of others come along.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from openhcs.core.wells import select_wells
from openhcs.errors import InvalidValue, MissingPlanes
from openhcs.io.limits import default_budget
from openhcs.ledger.ledger import Ledger
from openhcs.microscopes.zarr.facts import grid
from openhcs.ngff import parse
from openhcs.ngff.translate import only_images, translate
from openhcs.run.attempt import Report
from openhcs.run.carried import CarriedFacts, well_documents
from openhcs.run.carry_array import ArrayCarrier, as_it_is, carry_file, needs, objects_of
from openhcs.run.execute import cores
from openhcs.run.survey import Survey, attributes_at, join, names_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openhcs.constants.constants import WellFilterMode
    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.io.fsops import FileOps
    from openhcs.io.tree import Tree
    from openhcs.ledger.staging import Staging
    from openhcs.run.digests import Digests
    from openhcs.run.survey import Found

    Json = dict[str, Any]

SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedWell:
    """One well to carry: what lies in it, and beside it for the first one.

    ``images`` names its images; ``units`` are the folders and files that a commit puts in place, as
    paths in the store; ``objects`` counts the files with pixels, or of others, that it will hold.
    """

    well: str
    path: str
    images: tuple[str, ...]
    units: tuple[str, ...]
    found: Found
    inputs: str
    bytes_in: int
    peak_bytes: int
    objects: int

    @property
    def id(self) -> str:
        """Name under which it is committed."""
        return self.well


@dataclass(frozen=True, kw_only=True)
class CarryPlan:
    """What will be carried, told before anything is written.

    ``whole`` says that all wells are there and wanted, and that the source is of the version wanted.
    """

    tree: Tree
    name: str
    version: str
    store: str
    root: Json
    rows: dict[str, Json]
    tasks: tuple[CarriedWell, ...]
    config: GlobalPipelineConfig
    warnings: tuple[str, ...] = ()
    whole: bool = False
    calls_functions: bool = False

    @property
    def unchanged(self) -> bool:
        """Whether every file of the source will be in the result as it is."""
        return self.whole and all(as_it_is(array, self.config) for task in self.tasks for array in task.found.arrays)

    @property
    def source(self) -> str:
        """Where the plate lies."""
        return self.tree.root

    @property
    def workers(self) -> int:
        """Wells at once."""
        return max(1, min(self.config.num_workers or cores(), len(self.tasks)))

    @property
    def room(self) -> int:
        """Bytes of memory that wells which run at once share."""
        return self.config.vfs.memory_budget or default_budget()

    @cached_property
    def stored_objects(self) -> int:
        """Files with pixels, or of others, that the chosen wells will hold."""
        return sum(task.objects for task in self.tasks)

    @cached_property
    def id(self) -> str:
        """Identity: the same plate, version and way of storing have the same."""
        zarr = {name: str(value) for name, value in asdict(self.config.zarr).items()}
        said = ["carry", self.name, self.version, self.store, only_root(self.root), zarr]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]

    def to_json(self) -> str:
        """Return the plan as JSON text."""
        tasks = [
            {"well": task.well, "inputs": task.inputs, "objects": task.objects, "bytes_in": task.bytes_in}
            for task in self.tasks
        ]
        told = {"plan": self.id, "plate": self.name, "microscope": "ome_zarr", "version": self.version, "steps": []}
        more = {"config": self.config.to_toml(), "workers": self.workers, "tasks": tasks, "warnings": self.warnings}
        return json.dumps(told | more, ensure_ascii=False, indent=1)


def only_root(root: Json) -> Json:
    """Return the attributes of a root without our own key: its plan says how the source was made."""
    return {key: value for key, value in root.items() if key != "openhcs"}


def plan_carry(
    tree: Tree,
    config: GlobalPipelineConfig,
    *,
    store: str,
    wells: str | None = None,
    wells_mode: WellFilterMode | None = None,
) -> CarryPlan:
    """Look through a plate and return what carrying it takes; no pixel is read.

    Parameters
    ----------
    tree
        the plate's store.
    store
        path of the new store in its output; empty where the output is the store.

    Raises
    ------
    FormatError
        a document is damaged, or an array cannot be carried to the other version of Zarr.
    MissingPlanes
        wells or sites are listed and not there, and ``config.missing`` is "error".
    InvalidValue
        ``config.missing`` is "fill": what is not there has no shape.
    """
    return _Planner(tree, config, store).plan(wells, wells_mode)


@dataclass(slots=True)
class _Planner:
    tree: Tree
    config: GlobalPipelineConfig
    store: str
    absent: list[str] = field(default_factory=list)

    def plan(self, wells: str | None, mode: WellFilterMode | None) -> CarryPlan:
        version = self.config.zarr.ngff_version
        attributes = attributes_at(self.tree, "") or {}
        plate = parse.plate(attributes)
        places = dict(grid(plate).wells)
        chosen = select_wells(tuple(places), wells, *([mode] if mode else []))
        survey = Survey(self.tree, version)
        tasks = [task for well in chosen if (task := self._well(survey, well, places[well])) is not None]
        self._refuse_absent()
        if not tasks:
            raise MissingPlanes(f"none of the wells that {self.tree.root} lists is there", path=self.tree.root)
        # What lies beside the wells belongs to one of them, the same one whichever wells are chosen.
        keeper = next(well for well, path in places.items() if self._images(path)[1])
        if keeper in chosen:
            place = [task.well for task in tasks].index(keeper)
            tasks[place] = self._with(tasks[place], self._beside(survey, set(places.values())))
        root = translate(attributes, version)
        rows = {path.partition("/")[0]: None for path in places.values()}
        return CarryPlan(
            tree=self.tree,
            name=plate.name or os.path.basename(self.tree.root.rstrip("/")),
            version=version,
            store=self.store,
            root=root,
            rows={row: translate(attributes_at(self.tree, row) or {}, version, in_plate=True) for row in rows},
            tasks=tuple(tasks),
            config=self.config,
            warnings=tuple(self._warnings(tasks)),
            whole=len(chosen) == len(places) and not self.absent and parse.version_of(attributes) == version,
        )

    def _well(self, survey: Survey, well: str, path: str) -> CarriedWell | None:
        names, there = self._images(path)
        if names is None:
            self.absent.append(f"well {well}")
            return None
        self.absent += [f"{path}/{name}" for name in names if name not in there]
        if not there:
            return None
        found = survey.below(path)
        if len(there) < len(names):
            found.groups[path] = only_images(found.groups[path], survey.version, there)
        return self._task(well, path, tuple(there), found)

    def _images(self, path: str) -> tuple[list[str] | None, list[str]]:
        """Return the images that a well lists, None if there is no well, and those that are there."""
        attributes = attributes_at(self.tree, path)
        if attributes is None:
            return None, []
        names = names_of(attributes, path)
        return names, [name for name in names if attributes_at(self.tree, join(path, name)) is not None]

    def _task(self, well: str, path: str, images: tuple[str, ...], found: Found) -> CarriedWell:
        return CarriedWell(
            well=well,
            path=path,
            images=images,
            units=(path,),
            found=found,
            inputs=found.digest,
            bytes_in=sum(array.nbytes for array in found.arrays),
            peak_bytes=max((needs(array, self.config) for array in found.arrays), default=0),
            objects=sum(objects_of(array, self.config) for array in found.arrays) + len(found.files),
        )

    def _beside(self, survey: Survey, wells: set[str]) -> list[tuple[str, Found]]:
        """Return what lies outside of all wells: groups and files of others, by their topmost path."""
        rows = {path.partition("/")[0] for path in wells}
        found = list(self._outside(survey, "", rows))
        for row in sorted(rows):
            inner = {path.partition("/")[2] for path in wells if path.startswith(f"{row}/")}
            found += self._outside(survey, row, inner)
        return found

    def _outside(self, survey: Survey, path: str, known: set[str]) -> Iterator[tuple[str, Found]]:
        listing = self.tree.list(path)
        for name in listing.folders:
            if name not in known:
                yield join(path, name), survey.below(join(path, name))
        for file in listing.files:
            if file.name not in survey.documents:
                yield join(path, file.name), survey.file(join(path, file.name), file)

    def _with(self, task: CarriedWell, rest: list[tuple[str, Found]]) -> CarriedWell:
        """Return a task that carries what lies beside the wells too."""
        if not rest:
            return task
        for _, one in rest:
            task.found.add(one)
        whole = self._task(task.well, task.path, task.images, task.found)
        return replace(whole, units=(task.path, *(path for path, _ in rest)))

    def _refuse_absent(self) -> None:
        if not self.absent or self.config.missing == "skip":
            return
        shown = ", ".join(self.absent[:SHOWN]) + (" …" if len(self.absent) > SHOWN else "")
        told = f"{self.tree.root}: {len(self.absent)} wells or sites are listed and not there: {shown}"
        if self.config.missing == "fill":
            raise InvalidValue(f"{told}. What is not there has no shape to fill: leave it out with --missing skip.")
        raise MissingPlanes(f"{told}. Find them, or leave them out with --missing skip.", path=self.tree.root)

    def _warnings(self, tasks: Sequence[CarriedWell]) -> Iterator[str]:
        if self.absent:
            yield f"{len(self.absent)} wells or sites are listed and not there; they are left out"
        unread = [array.path for task in tasks for array in task.found.arrays if array.spec is None]
        if unread:
            yield f"{len(unread)} arrays are of a kind that is not read and are copied unseen, such as {unread[0]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckJob:
    """Decodes the wells of a plate where they lie, before their files are packed as they are."""

    output: str
    ops: FileOps
    plan: CarryPlan
    digests: Digests

    def facts(self, ledger: Ledger) -> dict[str, Any]:  # noqa: ARG002 - the contract's name
        """Return nothing: no document is made."""
        return {"plate": {"vendor_files": []}, "targets": []}

    def do(self, task: CarriedWell) -> Report:
        """Check a well; nothing is committed."""
        start = time.perf_counter()
        carrier = ArrayCarrier(tree=self.plan.tree, config=self.plan.config, digests=self.digests)
        for array in task.found.arrays:
            carrier.check(array, task.well)
        return Report(bytes_in=task.bytes_in, bytes_out=0, seconds=time.perf_counter() - start)


@dataclass(frozen=True, slots=True, kw_only=True)
class CarryJob:
    """Carries wells of one plan; ``output`` is absolute, ``ops`` changes its files."""

    output: str
    ops: FileOps
    plan: CarryPlan
    digests: Digests

    def facts(self, ledger: Ledger) -> dict[str, Any]:  # noqa: ARG002 - the contract's name
        """Return what the documents above the wells need."""
        plan = self.plan
        return CarriedFacts(store=plan.store, version=plan.version, root=plan.root, rows=plan.rows).to_json()

    def do(self, task: CarriedWell) -> Report:
        """Carry a well and commit it."""
        start = time.perf_counter()
        ledger = Ledger(self.output, self.ops)
        with ledger.stage(task.well) as staging:
            record = self._stage(task, staging)
            record["timings"] = {"seconds": round(time.perf_counter() - start, 4)}
            ledger.commit(staging, record)
            stored = sum(one.bytes for one in staging.ops.written)
        return Report(bytes_in=task.bytes_in, bytes_out=stored, seconds=time.perf_counter() - start)

    def _stage(self, task: CarriedWell, staging: Staging) -> dict[str, Any]:
        plan = self.plan
        carrier = ArrayCarrier(tree=plan.tree, config=plan.config, digests=self.digests)
        for array in task.found.arrays:
            carrier.carry(array, staging.root / join(plan.store, array.path), staging, task.well)
        for path in task.found.files:
            carry_file(plan.tree, path, staging.root / join(plan.store, path), staging.ops)
        units = [join(plan.store, unit) for unit in task.units]
        staging.published.extend(units)
        record = {
            "task": task.well,
            "plan": plan.id,
            "inputs": task.inputs,
            "well_path": task.path,
            "images": list(self._images(task)),
            "histograms": [],
            "groups": {join(plan.store, path): told for path, told in task.found.groups.items()},
            "units": units,
            "bytes_in": task.bytes_in,
        }
        for path, data in well_documents(record, plan.version).items():
            staging.write_document(path, data)
        return record

    def _images(self, task: CarriedWell) -> Iterator[dict[str, Any]]:
        for number, name in enumerate(task.images, start=1):
            own = task.found.groups.get(join(task.path, name), {}).get("openhcs")
            told = own if isinstance(own, dict) else {}
            site, acquisition = told.get("site"), told.get("acquisition")
            yield {
                "target": 0,
                "path": join(self.plan.store, task.path, name),
                "well": task.well,
                "acquisition": acquisition if type(acquisition) is int else 0,
                "site": site if type(site) is int else number,
            }
