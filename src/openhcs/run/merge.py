"""Merge the parts of tables that wells committed into one Parquet and one CSV file each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xxhash

from openhcs.core.wells import well_key
from openhcs.errors import FormatError, NotFound, UnknownName, suggest
from openhcs.plan.model import PLATE
from openhcs.run.digests import ledger_above

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from openhcs.ledger.ledger import Ledger

PARTS = b"openhcs.parts"
CSV_BYTES = b"openhcs.csv_bytes"


def merge_tables(ledger: Ledger) -> tuple[str, ...]:
    """Write the merged tables whose parts changed, and return their paths in the output.

    Rows are in the order of wells, and within a well in that of calls.
    """
    try:
        tables = ledger.notes.facts().get("tables", {})
    except NotFound:  # nothing ran yet
        return ()
    if not tables:
        return ()
    records = sorted(ledger.records().values(), key=_order)
    written: list[str] = []
    for name, path in tables.items():
        rows = [(record, row) for record in records for row in record.get("values", ()) if row["name"] == name]
        if rows:
            written += _merge(ledger, path, [_part(record, row) for record, row in rows])
    return tuple(written)


def _order(record: Mapping[str, Any]) -> tuple[int, ...]:
    well = record.get("well", record["task"])
    return (-1, -1) if well == PLATE else well_key(well)


def _part(record: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the path of a well's part and its digest."""
    found = [one["digest"] for one in record["objects"] if one["path"] == row["path"]]
    if not found:
        raise FormatError(f"the commit record of {record['task']} names no file for the table {row['name']!r}")
    return row["path"], found[0]


def _merge(ledger: Ledger, path: str, parts: Sequence[tuple[str, str]]) -> list[str]:
    from openhcs.run.tables import merged_csv, merged_parquet

    csv, parquet = f"{path}.csv", f"{path}.parquet"
    digest = xxhash.xxh3_64_hexdigest("\n".join(f"{part} {known}" for part, known in parts).encode()).encode()
    if _up_to_date(ledger.output / parquet, ledger.output / csv, digest):
        return []
    files = [ledger.output / part for part, _ in parts]
    size = ledger.write_streamed(csv, merged_csv(files))
    ledger.write_streamed(parquet, merged_parquet(files, {PARTS: digest, CSV_BYTES: str(size).encode()}))
    return [csv, parquet]


def _up_to_date(parquet: Path, csv: Path, digest: bytes) -> bool:
    """Return whether both files were made of parts with this digest."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        told = pq.read_schema(parquet).metadata or {}
        return told.get(PARTS) == digest and told.get(CSV_BYTES) == str(csv.stat().st_size).encode()
    except (OSError, pa.ArrowException):
        return False


def read_table(root: str, name: str) -> Any:
    """Return a merged table of the output that the plate at ``root`` is in, as an Arrow table.

    Raises
    ------
    UnknownName
        there is none of that name.
    FormatError
        the file is damaged.
    """
    from openhcs.run import tables as files

    found = ledger_above(root)
    tables = found[0].notes.facts().get("tables", {}) if found else {}
    path = found[0].output / f"{tables[name]}.parquet" if found and name in tables else None
    if path is None or not path.is_file():
        raise UnknownName(f"{root} has no table {name!r}; {suggest(name, tables)}")
    return files.read_table(path, remedy="Remove it and run openhcs close to have it made anew")
