"""What an output's documents should be: those of the plate by its records, those of arrays by their digests.

Arrays of one shape have the same document in every image, so one that is lost is found in another image;
else it is made from the settings of the plan. Either is taken only if its digest is the recorded one.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import xxhash

from openhcs.core.arrays import level_shapes
from openhcs.core.config import GlobalPipelineConfig
from openhcs.errors import OpenHCSError
from openhcs.io.strangers import read_plain
from openhcs.io.zarr_document import DOCUMENT_LIMIT, array_documents
from openhcs.io.zarr_spec import make_spec
from openhcs.ledger.commit import holds
from openhcs.repair.report import Change
from openhcs.run.close import made_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from openhcs.ledger.ledger import Ledger

    Record = Mapping[str, Any]

DOCUMENTS = ("zarr.json", ".zarray", ".zattrs")
NAMES = ("t", "c", "z", "y", "x")


def changes_by_records(ledger: Ledger) -> list[Change]:
    """Return every document that is not as records and facts say, arrays first.

    Raises
    ------
    FormatError
        a record or the facts are damaged.
    """
    records = ledger.records()
    changes = [*_arrays(ledger, list(records.values()))]
    for path, data in made_of(ledger, final=True).items():
        if not holds(ledger.output / path, data):
            changes.append(Change(path=path, data=data, why="it is not what follows from the commit records"))
    return changes


def _arrays(ledger: Ledger, records: list[Record]) -> Iterator[Change]:
    objects = [one for record in records for one in record["objects"] if one["path"].endswith(DOCUMENTS)]
    lost = {one["path"]: one["digest"] for one in objects if not _as_told(ledger.output, one)}
    if not lost:
        return
    known = {one["digest"]: one["path"] for one in objects if one["path"] not in lost}
    made = {xxhash.xxh3_64_hexdigest(data): data for data in _by_settings(ledger, records)}
    for path, digest in lost.items():
        data = made.get(digest)
        if digest in known:
            data = read_plain(ledger.output / known[digest], limit=DOCUMENT_LIMIT)
        if data is not None:
            yield Change(path=path, data=data, why="it is not what was written")


def _as_told(output: Path, one: Mapping[str, Any]) -> bool:
    try:
        data = read_plain(output / one["path"], limit=DOCUMENT_LIMIT)
        return xxhash.xxh3_64_hexdigest(data) == str(one["digest"])
    except OpenHCSError:
        return False


def _by_settings(ledger: Ledger, records: list[Record]) -> Iterator[bytes]:
    """Yield the array documents that the plan's settings make for the images of the records."""
    with contextlib.suppress(OpenHCSError, KeyError, TypeError, ValueError):
        config = GlobalPipelineConfig.from_toml(ledger.notes.plan()["config"]).zarr
        targets = ledger.notes.facts()["targets"]
        shapes = {
            (tuple(row["shape"]), targets[row["target"]]["dtype"])
            for record in records
            for row in record["images"]
            if len(row.get("shape", ())) > 2
        }
        for shape, dtype in sorted(shapes):
            for plane in level_shapes((shape[-2], shape[-1]), config.levels):
                spec = make_spec((*shape[:-2], *plane), dtype, config, dimension_names=NAMES[-len(shape) :])
                yield from array_documents(spec).values()
