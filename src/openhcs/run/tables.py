"""Tables of calls: one part for each well, merged in plan order into one Parquet and one CSV file.

In front of a function's own columns stand ``well``, unless a row is about all wells, and the components
that its call had one of: site, channel (by name), z_index, timepoint, and acquisition where it is not 0.
The merged files follow from the parts alone, so they are the same whoever made these, in whatever order.
"""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.errors import FormatError
from openhcs.io.formats_table import check_parquet
from openhcs.io.zarr_spec import RESTORE
from openhcs.plan.layers import PLACE
from openhcs.run.values import NoSuchValueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from openhcs.core.plate import Key
    from openhcs.plan.parts import Value
    from openhcs.run.values import Columns

COMPONENTS = ("site", "channel", "z_index", "timepoint")
"""Columns in front, in their order."""
FRONT = ("well", "acquisition", *COMPONENTS)


class Part:
    """The rows of one table that one task makes.

    Parameters
    ----------
    value
        the table.
    channels
        names of channels by number.
    """

    def __init__(self, value: Value, well: str, channels: Mapping[int, str]) -> None:
        self._value = value
        self._well = well
        self._channels = channels
        self._pieces: list[tuple[int, Key, Columns]] = []

    def add(self, columns: Columns, key: Key, number: int) -> int:
        """Take the rows of one call, whose first plane is ``key`` and which is the ``number``-th of its step.

        Returns
        -------
        int
            how many they are.

        Raises
        ------
        NoSuchValueError
            a column has a name that stands in front.
        """
        taken = [name for name in self._front(key) if name in columns]
        if taken:
            raise NoSuchValueError(
                f"its column {taken[0]!r} is added to every table; leave it out, or name it otherwise"
            )
        if _rows(columns):
            self._pieces.append((number, key, columns))
        return _rows(columns)

    def encode(self) -> bytes:
        """Return the part as Parquet, rows in the order of calls."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        tables = [self._table(key, columns) for _, key, columns in sorted(self._pieces, key=lambda piece: piece[0])]
        table = together(tables) if tables else pa.table({})
        file = io.BytesIO()
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)
        return file.getvalue()

    def _front(self, key: Key) -> dict[str, Any]:
        told: dict[str, Any] = {} if self._value.over_wells else {"well": self._well}
        if key[0]:
            told["acquisition"] = key[0]
        for name in COMPONENTS:
            if name in self._value.place:
                label = key[PLACE[name]]
                told[name] = self._channels.get(label, str(label)) if name == "channel" else label
        return told

    def _table(self, key: Key, columns: Columns) -> Any:
        import pyarrow as pa

        rows = _rows(columns)
        front = {name: pa.array([cell] * rows) for name, cell in self._front(key).items()}
        return pa.table({**front, **{name: _arrow(name, column) for name, column in columns.items()}})


def _rows(columns: Columns) -> int:
    return len(next(iter(columns.values()), ()))


def _arrow(name: str, column: Any) -> Any:
    import pyarrow as pa

    try:
        return pa.array(column)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise NoSuchValueError(f"its column {name!r} mixes kinds of cells: {error}") from None


def together(tables: Sequence[Any]) -> Any:
    """Return Arrow tables below one another: all columns, in the order in which they come first."""
    schema = common([table.schema for table in tables])
    import pyarrow as pa

    return pa.concat_tables([fitted(table, schema) for table in tables])


def common(schemas: Sequence[Any]) -> Any:
    """Return the schema that holds all of these: numbers widened, and text where kinds do not agree."""
    import pyarrow as pa

    kinds: dict[str, Any] = {}
    for field in (field for schema in schemas for field in schema):
        known = kinds.setdefault(field.name, field.type)
        if known != field.type:
            kinds[field.name] = _wider(pa.field("", known), pa.field("", field.type))
    front = [name for name in FRONT if name in kinds]
    return pa.schema([(name, kinds[name]) for name in (*front, *(one for one in kinds if one not in front))])


def _wider(one: Any, other: Any) -> Any:
    import pyarrow as pa

    try:
        both = pa.unify_schemas([pa.schema([one]), pa.schema([other])], promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return pa.string()
    return both.field(0).type


def fitted(table: Any, schema: Any) -> Any:
    """Return an Arrow table with the columns of a schema; cells of those that it lacks are null."""
    import pyarrow as pa

    columns = [
        _cast(table.column(field.name), field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _cast(column: Any, kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_string(kind) and not pa.types.is_string(column.type):
        return pa.chunked_array([pa.array([None if cell is None else str(cell) for cell in column.to_pylist()], kind)])
    return column.cast(kind)


class _Drain(io.RawIOBase):
    """A file that hands on what is written to it."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held.append(bytes(data))
        return len(self._held[-1])

    def take(self) -> bytes:
        held, self._held = b"".join(self._held), []
        return held


def read_table(path: Path, *, remedy: str = RESTORE) -> Any:
    """Return the Arrow table in a Parquet file of ours; ``remedy`` says what to do where it is damaged.

    Raises
    ------
    FormatError
        the file is damaged, gone, or tells of more than this machine holds.
    """
    with _reading(path, remedy) as pq:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        check_parquet(file.metadata, path)
        return file.read()


def _common_of(paths: Sequence[Path]) -> Any:
    """Return the schema that holds those of all these files."""
    schemas = []
    for path in paths:
        with _reading(path) as pq:
            schemas.append(pq.read_schema(path))
    return common(schemas)


@contextlib.contextmanager
def _reading(path: Path, remedy: str = RESTORE) -> Iterator[Any]:
    """Give the library that reads Parquet, and turn what it raises into our error."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        yield pq
    except (OSError, pa.ArrowException) as error:
        raise FormatError(f"{path} is damaged: {error}. {remedy}.", path=path) from error


def merged_parquet(paths: Sequence[Path], facts: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """Yield the bytes of one Parquet file that holds parts below one another, with ``facts`` as its metadata.

    One part is in memory at a time.
    """
    import pyarrow.parquet as pq

    schema = _common_of(paths).with_metadata(dict(facts))
    drain = _Drain()
    with pq.ParquetWriter(drain, schema, compression="zstd", write_page_checksum=True) as writer:
        for path in paths:
            table = read_table(path)
            if table.num_rows:
                writer.write_table(fitted(table, schema))
            yield drain.take()
    yield drain.take()


def merged_csv(paths: Sequence[Path]) -> Iterator[bytes]:
    """Yield the bytes of one CSV file that holds parts below one another, under one header."""
    import pyarrow as pa
    import pyarrow.csv as pc

    schema = _common_of(paths)
    for number, path in enumerate(paths):
        table = fitted(read_table(path), schema)
        sink = pa.BufferOutputStream()
        if schema.names:
            pc.write_csv(table, sink, pc.WriteOptions(include_header=number == 0))
        yield sink.getvalue().to_pybytes()


def read_part(path: Path) -> Columns:
    """Return a part by its columns, those in front as well."""
    table = read_table(path)
    return {name: _values(table.column(name)) for name in table.column_names}


def _values(column: Any) -> Any:
    import pyarrow as pa

    plain = column.null_count == 0 and (pa.types.is_floating(column.type) or pa.types.is_integer(column.type))
    return np.array(column.to_numpy()) if plain or pa.types.is_boolean(column.type) else column.to_pylist()
